"""`docent backup` and `docent restore`: index, database and settings, whole and checked."""

import asyncio
import json
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from ingest.errors import DocentError
from ingest.settings import Settings, find_config, load_settings

if TYPE_CHECKING:
    from ingest.backup import Sealed

FORMAT = 1
LABEL = "backup.json"
INDEX, SETTINGS = "index", "docent.toml"
PREFIX = "docent-"

Config = Annotated[Path | None, typer.Option(help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")]


def backup(
    folder: Annotated[Path, typer.Argument(help="Backups lie in it, each a folder of its own.")],
    config: Config = None,
    keep: Annotated[
        int, typer.Option(min=0, help="Remove all but the newest so many backups; 0: none.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Copy index, accounts and conversations, and the settings, while everything goes on.

    Secrets are not copied: they stand in the environment. The backup holds what people asked. An
    index that lies in a database is not copied: that has a backup of its own.
    """
    settings, path = load_settings(config), find_config(config)
    made = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{PREFIX}{made:%Y-%m-%dT%H%M%SZ}"
    if target.exists():
        msg = f"{target} is there already: wait a second."
        raise DocentError(msg)
    partial = folder / f"{target.name}.partial"
    partial.mkdir(mode=0o700)
    try:
        label = _made(settings, path, partial, made)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    removed = _dropped(folder, keep) if keep else []
    told = {"backup": str(target), **label, "removed": removed}
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    size = sum(one["bytes"] for one in label["files"])
    serving = label["generation"]
    held = f"generation {serving or 'none'}" if (target / INDEX).exists() else "nothing"
    typer.echo(f"{target}: {size / 1e6:,.1f} MB, {held} of the index.")


def _made(settings: Settings, path: Path | None, partial: Path, made: datetime) -> dict[str, Any]:
    """Fill a new folder, and write the label that names every file with its digest."""
    from ingest.backup import copy_index, seal
    from web.start import state_url
    from web.state import url_for
    from web.state.backup import save

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bars:
        bar = bars.add_task("index", total=None)
        serving = None
        if isinstance(settings.index.place, Path):
            serving = copy_index(
                settings.index.path, partial / INDEX, lambda n: bars.advance(bar, n)
            )
        bars.update(bar, description="accounts and conversations")
        url = url_for(state_url(settings), settings.index.path)
        state, version = asyncio.run(save(url, partial))
        if path is not None:
            shutil.copyfile(path, partial / SETTINGS)
        bars.update(bar, description="digests")
        label: dict[str, Any] = {
            "kind": "docent-backup",
            "format": FORMAT,
            "made": made.isoformat(timespec="seconds"),
            "generation": serving,
            "state": state,
            "state_version": version,
            "files": [asdict(one) for one in seal(partial)],
        }
    (partial / LABEL).write_text(json.dumps(label, indent=1), encoding="utf-8")
    return label


def _dropped(folder: Path, keep: int) -> list[str]:
    """Remove the oldest; only what bears a label of ours."""
    whole = sorted(path for path in folder.glob(f"{PREFIX}*Z") if (path / LABEL).is_file())
    for old in whole[:-keep]:
        shutil.rmtree(old)
    return [str(old) for old in whole[:-keep]]


def restore(
    folder: Annotated[
        Path, typer.Argument(help="One backup: the folder that `docent backup` named.")
    ],
    config: Config = None,
    check: Annotated[bool, typer.Option("--check", help="Only look whether it is whole.")] = False,
    index: Annotated[bool, typer.Option(help="Put the index back.")] = True,
    state: Annotated[bool, typer.Option(help="Put accounts and conversations back.")] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="In the place of what is there, which is moved aside.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup back where the settings say, after checking every file. Stop the server first.

    The settings are not put back: they lie in the backup as docent.toml.
    """
    label = read_label(folder)
    told: dict[str, Any] = {"backup": str(folder), "made": label["made"], "moved": []}
    if not check:
        told["moved"] = _put_back(
            load_settings(config), folder, label, index=index, state=state, replace=replace
        )
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    typer.echo(f"The backup of {label['made']} is whole{'.' if check else ', and back in place.'}")
    for moved in told["moved"]:
        typer.echo(moved)


def _put_back(
    settings: Settings,
    folder: Path,
    label: dict[str, Any],
    *,
    index: bool,
    state: bool,
    replace: bool,
) -> list[str]:
    from ingest.backup import put_index
    from web.start import state_url
    from web.state import url_for
    from web.state.backup import load

    now, moved = datetime.now(UTC), []
    url = url_for(state_url(settings), settings.index.path)
    if state:
        # First: it refuses more, and nothing has been moved by then.
        file = folder / label["state"]
        moved.append(asyncio.run(load(url, file, label["state_version"], now, replace=replace)))
    if index and (folder / INDEX).exists():
        old = put_index(folder / INDEX, settings.index.path, now, replace=replace)
        moved.append(f"The index before it is {old}." if old else "")
    return [one for one in moved if one]


def read_label(folder: Path) -> dict[str, Any]:
    """What a backup says of itself, after every file was looked at.

    Raises:
        DocentError: it is no backup, of a newer Docent, or damaged.
    """
    from ingest.backup import unsealed

    try:
        label: dict[str, Any] = json.loads((folder / LABEL).read_text(encoding="utf-8"))
        files = [_sealed(one) for one in label["files"]]
        known = (label["kind"], label["format"]) == ("docent-backup", FORMAT)
        known = known and label["state"] in (one.path for one in files)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{folder} is no backup of Docent, or its {LABEL} is damaged ({error!r})."
        raise DocentError(msg) from None
    if not known:
        msg = f"{folder} was made by another version of Docent. Restore it with that one."
        raise DocentError(msg)
    wrong = [one for one in unsealed(folder, files) if not one.startswith(LABEL)]
    if wrong:
        msg = f"The backup {folder} is damaged: {'; '.join(wrong[:3])}. Take another one."
        raise DocentError(msg)
    return label


def _sealed(told: dict[str, Any]) -> "Sealed":
    from ingest.backup import Sealed

    return Sealed(**told)
