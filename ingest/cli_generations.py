"""`docent generations`: which states of the index are kept, and which one readers get."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ingest.errors import IndexTrouble
from ingest.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.index import Generation

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print what is kept afterwards as JSON.")]
Number = Annotated[int, typer.Argument(help="A number from `docent generations list`.")]

generations_app = typer.Typer(
    help="List, publish, roll back and prune generations of the index.", no_args_is_help=True
)


@generations_app.command("list")
def list_generations(config: Config = None, as_json: Json = False) -> None:
    """List what is kept: when it was made and published, and which one serves."""
    from ingest.index import generations

    index = load_settings(config).index
    _show(generations(index.place), index.shown, as_json)


@generations_app.command("publish")
def publish(number: Number, config: Config = None, as_json: Json = False) -> None:
    """Let readers have a generation, newer or older than the one that serves."""
    from ingest.index import managing

    index = load_settings(config).index
    with managing(index.place, keep=index.keep) as writer:
        before = _serving(writer.generations())
        writer.publish(number)
        after = writer.generations()
    _told(before, number, after, index.shown, as_json)


@generations_app.command("rollback")
def roll_back(config: Config = None, as_json: Json = False) -> None:
    """Publish the generation that was published before the one that serves."""
    from ingest.index import managing, previous

    index = load_settings(config).index
    with managing(index.place, keep=index.keep) as writer:
        found = writer.generations()
        number = previous(found)
        if number is None:
            msg = (
                f"No generation that was published before {_serving(found) or 'the first'} is kept "
                f"at {index.shown}; [index] keep says how many are."
            )
            raise IndexTrouble(msg)
        writer.publish(number)
        after = writer.generations()
    _told(_serving(found), number, after, index.shown, as_json)


@generations_app.command("prune")
def prune(config: Config = None, as_json: Json = False) -> None:
    """Drop all generations but the one that serves and the newest."""
    from ingest.index import managing

    index = load_settings(config).index
    with managing(index.place, keep=index.keep) as writer:
        before = {one.number for one in writer.generations()}
        writer.prune()
        after = writer.generations()
    if as_json:
        _show(after, index.shown, as_json)
        return
    dropped = sorted(before - {one.number for one in after})
    kept = ", ".join(str(one.number) for one in after)
    gone = f"dropped {', '.join(map(str, dropped))}" if dropped else "there was nothing to drop"
    typer.echo(f"Kept {kept}; {gone}.")


def _serving(found: "Sequence[Generation]") -> int | None:
    return next((one.number for one in found if one.serving), None)


def _told(
    before: int | None, now: int, found: "Sequence[Generation]", place: str, as_json: bool
) -> None:
    if as_json:
        _show(found, place, as_json)
    elif before == now:
        typer.echo(f"Generation {now} serves, as it did before.")
    else:
        instead = f" instead of {before}" if before else ""
        typer.echo(f"Generation {now} serves now{instead}.")


def _show(found: "Sequence[Generation]", place: str, as_json: bool) -> None:
    if as_json:
        told = {"index": place, "generations": [_row(one) for one in found]}
        typer.echo(json.dumps(told, indent=1))
        return
    table = Table("generation", "made (UTC)", "published (UTC)", "documents", "")
    for one in found:
        marks = {"serves": one.serving, "newest": one.newest}
        table.add_row(
            str(one.number),
            _minute(one.created_at),
            _minute(one.published_at),
            f"{one.documents:,}",
            ", ".join(mark for mark, holds in marks.items() if holds),
        )
    Console(highlight=False).print(table)


def _row(one: "Generation") -> dict[str, Any]:
    return {
        "number": one.number,
        "created_at": one.created_at.isoformat(timespec="seconds"),
        "published_at": one.published_at and one.published_at.isoformat(timespec="seconds"),
        "serving": one.serving,
        "newest": one.newest,
        "documents": one.documents,
    }


def _minute(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "–"
