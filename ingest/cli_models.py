"""`docent models`: which models there are, fetch them, check them; trained ones by versions."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ingest import cli_registry, registry
from ingest.catalogue import catalogue, entry_named, fetch, is_present, verify
from ingest.settings import Settings, load_settings

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[list[str] | None, typer.Argument(help="Names from `docent models list`.")]

models = typer.Typer(help="List, fetch and check the models.", invoke_without_command=True)
for trained in (cli_registry.register, cli_registry.show, cli_registry.promote):
    models.command()(trained)
models.command("rollback")(cli_registry.roll_back)
models.command()(cli_registry.remove)


@models.callback()
def default(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    """List the models when nothing else is asked for."""
    if context.invoked_subcommand is None:
        _list(config, as_json)


@models.command("list")
def list_models(config: Config = None, as_json: Json = False) -> None:
    """List the models: what they are, whether they are here, whether the settings use them."""
    _list(config, as_json)


@models.command("fetch")
def fetch_models(names: Names = None, config: Config = None) -> None:
    """Fetch and check models; without names, those that the settings name."""
    settings = load_settings(config)
    for name in names or _named(settings):
        entry = entry_named(name)
        if is_present(entry, settings.models):
            typer.echo(f"{name}: already here.")
        elif sys.stderr.isatty():
            with Console(stderr=True).status(name) as status:
                path = fetch(name, settings.models, status.update)
            typer.echo(f"{name}: {path}")
        else:
            fetch(name, settings.models, typer.echo)


@models.command("verify")
def verify_models(names: Names = None, config: Config = None) -> None:
    """Read models again and compare their digests; without names, all that are here."""
    settings = load_settings(config)
    kept = settings.models
    here = [name for name, entry in catalogue().items() if is_present(entry, kept)]
    here += [card.full_name for name in registry.names(kept) for card in _versions(name, settings)]
    for name in names or here:
        if name not in catalogue() and (card := registry.find(name, kept)):
            registry.checked(card, kept)
        else:
            verify(name, kept)
        typer.echo(f"{name}: every digest is right.")


def _named(settings: Settings) -> list[str]:
    """The models of the catalogue that the settings run on this machine."""
    parts = (settings.embedder, settings.llm)
    named = [part.model for part in parts if not part.url and part.model != "none"]
    # A path is the user's own affair, and what was trained comes from nowhere; a name that is none
    # of these is worth an error.
    return [name for name in named if name in catalogue() or not _is_here(name, settings)]


def _is_here(name: str, settings: Settings) -> bool:
    known = registry.versions(name.partition("@")[0], settings.models)
    return bool(known) or Path(name).expanduser().exists()


def _versions(name: str, settings: Settings) -> list[registry.Card]:
    return registry.versions(name, settings.models)


def _rows(settings: Settings) -> list[dict[str, Any]]:
    named = _named(settings)
    return [
        {
            "name": entry.name,
            "kind": entry.kind,
            "licence": entry.licence,
            "bytes": entry.bytes,
            "present": is_present(entry, settings.models),
            "default": entry.name in named,
            "about": entry.about,
        }
        for entry in catalogue().values()
    ]


def _list(config: Path | None, as_json: bool) -> None:
    settings = load_settings(config)
    rows = _rows(settings)
    trained = [
        card for name in registry.names(settings.models) for card in _versions(name, settings)
    ]
    if as_json:
        told = [registry.as_json(card, settings.models) for card in trained]
        typer.echo(json.dumps({"models": rows, "trained": told}, indent=2))
        return
    table = Table("model", "kind", "licence", "size", "here", "used", "what it is")
    for row in rows:
        table.add_row(
            row["name"],
            row["kind"],
            row["licence"],
            f"{row['bytes'] / 1e6:,.0f} MB",
            "yes" if row["present"] else "no",
            "yes" if row["default"] else "",
            row["about"],
        )
    Console().print(table)
    if trained:
        Console().print(_trained_table(trained, settings))


def _trained_table(cards: list[registry.Card], settings: Settings) -> Table:
    table = Table("trained", "kind", "base", "licence", "size", "stands for", "measures held out")
    for card in cards:
        told = card.training
        table.add_row(
            card.full_name,
            told.kind,
            told.base,
            told.licence or "not told",
            f"{card.bytes / 1e6:,.0f} MB",
            card.name if registry.current(card.name, settings.models) == card.version else "",
            ", ".join(f"{k} {told.before.get(k, 0):.3f}→{v:.3f}" for k, v in told.after.items()),
        )
    return table
