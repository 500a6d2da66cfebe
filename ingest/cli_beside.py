"""`docent index`: a second index with another embedder, and changing the two over."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ingest.settings import load_settings

if TYPE_CHECKING:
    from ingest.beside import Parts, Side

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

index_app = typer.Typer(
    help="A second index with another embedder beside the one that serves.", no_args_is_help=True
)


@index_app.command("sides")
def show_sides(config: Config = None, as_json: Json = False) -> None:
    """Show the index that serves and the one beside it, each with its embedder."""
    from ingest.beside import sides_of

    found = sides_of(load_settings(config))
    if as_json:
        typer.echo(json.dumps({"sides": [_row(side) for side in found]}, indent=1))
        return
    table = Table("folder", "embedder", "generation", "documents", "")
    for side in found:
        table.add_row(
            str(side.folder),
            side.embedder or side.made.model,
            str(side.generation or "not built"),
            f"{side.documents:,}",
            "serves" if side.serving else "",
        )
    Console(highlight=False).print(table)


@index_app.command("next")
def build_next(
    context: typer.Context,
    embedder: Annotated[
        str | None,
        typer.Option(help="Name of `docent models`, folder, or name at --url; else as before."),
    ] = None,
    url: Annotated[str, typer.Option(help="Of an embedding server, if it is served.")] = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Build the second index from the stored pages, or bring it up to date; nothing is fetched."""
    from ingest.beside import build, sides_of
    from ingest.sides import Made

    settings = load_settings(config)
    asked = Made(embedder, url) if embedder else None
    with _parts(context) as parts:
        reports = build(settings, asked, parts)
    side = sides_of(settings)[1]
    if as_json:
        told = {"side": _row(side), "sources": [asdict(report) for report in reports]}
        typer.echo(json.dumps(told, indent=1))
        return
    for report in reports:
        changed = report.new + report.changed + report.access_changed
        typer.echo(
            f"{report.source}: {changed:,} pages taken over, {report.unchanged:,} were there, "
            f"{report.removed:,} removed; {report.embedded:,} chunks embedded."
        )
    typer.echo(
        f"{side.folder} holds {side.documents:,} documents with {side.embedder}. "
        "Next: docent eval beside QUESTIONS, then docent index swap."
    )


@index_app.command("swap")
def swap_sides(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    """Let the other index serve, brought up to date first; running servers follow."""
    _swap(context, config, as_json)


@index_app.command("rollback")
def roll_back(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    """Let the index serve again that did before the swap, brought up to date first."""
    _swap(context, config, as_json)


@index_app.command("drop")
def drop_other(config: Config = None, as_json: Json = False) -> None:
    """Remove the index that does not serve."""
    from ingest.beside import drop

    folder = drop(load_settings(config))
    if as_json:
        typer.echo(json.dumps({"removed": str(folder)}, indent=1))
    else:
        typer.echo(f"The index at {folder} is removed.")


def _swap(context: typer.Context, config: Path | None, as_json: bool) -> None:
    from ingest.beside import swap

    settings = load_settings(config)
    with _parts(context) as parts:
        side = swap(settings, parts)
    if as_json:
        typer.echo(json.dumps(_row(side), indent=1))
        return
    typer.echo(f"The index at {side.folder} serves now, with {side.embedder}.")
    if settings.embedder.model != side.made.model:
        typer.echo(f'When you next edit the settings: [embedder] model = "{side.made.model}"')


@contextmanager
def _parts(context: typer.Context) -> "Iterator[Parts]":
    """What the context brings, else the settings' own, with a line on how far it is."""
    from ingest.beside import Parts
    from ingest.run import watching

    if given := context.find_object(Parts):
        yield given
        return
    with watching() as watch:
        yield Parts(watch=watch)


def _row(side: "Side") -> dict[str, Any]:
    return {
        "folder": str(side.folder),
        "embedder": side.embedder or None,
        "model": side.made.model,
        "url": side.made.url or None,
        "generation": side.generation,
        "documents": side.documents,
        "serving": side.serving,
    }
