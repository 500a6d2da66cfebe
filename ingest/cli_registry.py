"""`docent models register`, `show`, `promote`, `rollback`, `remove`: models that were trained."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ingest import registry
from ingest.errors import ModelError
from ingest.registry import Card
from ingest.settings import ModelsSettings, Settings, load_settings

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Named = Annotated[str, typer.Argument(help="NAME, or NAME@VERSION for one of its versions.")]


def register(
    folder: Annotated[Path, typer.Argument(help="Folder of the model, as `docent tune` left it.")],
    name: Annotated[str, typer.Option(help="What the settings will name it by.")],
    about: Annotated[str, typer.Option(help="A line on what it is good for.")] = "",
    and_promote: Annotated[
        bool, typer.Option("--promote", help="Let the name stand for it at once.")
    ] = False,
    mlflow: Annotated[
        str | None, typer.Option("--mlflow", help="Tell the MLflow server at URI of it, too.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take a trained model into the models folder, as the next version of a name."""
    from ingest.mlflow_models import MlflowModels

    models = load_settings(config).models
    # First: a library that is not there must not leave half of what was asked for.
    server = MlflowModels(mlflow) if mlflow else None
    command = shlex.join(["docent", *sys.argv[1:]])
    card = registry.register(folder, name, models, command=command, about=about)
    if and_promote:
        registry.promote(card.full_name, models)
    if server:
        run = server.tell(card, registry.folder_of(card, models))
        typer.echo(f"MLflow took it as run {run}.", err=True)
    if not _printed(card, models, as_json=as_json):
        typer.echo(f"{card.full_name} is registered.")
        typer.echo(_how(card, models) if and_promote else _next(card))


def show(named: Named, config: Config = None, as_json: Json = False) -> None:
    """Show what is known of a model: data, base, measures, cost, licence, files."""
    models = load_settings(config).models
    name, at, _ = named.partition("@")
    known = registry.versions(name, models)
    found = registry.find(named, models) if at else None
    cards = [found] if found else known
    if not cards:
        there = ", ".join(registry.names(models)) or "none"
        msg = f"No model named {named!r} is registered; registered are: {there}."
        raise ModelError(msg)
    if as_json:
        told = [registry.as_json(card, models) for card in cards]
        typer.echo(json.dumps({"models": told}, indent=1))
        return
    for card in cards:
        typer.echo("\n".join(_lines(card, models)))


def promote(named: Named, config: Config = None, as_json: Json = False) -> None:
    """Let a name stand for a version, the newest if none is said; settings with NAME follow."""
    models = load_settings(config).models
    card = registry.promote(named, models)
    if not _printed(card, models, as_json=as_json):
        typer.echo(f"{card.name} stands for {card.full_name} now. {_how(card, models)}")


def roll_back(
    name: Annotated[str, typer.Argument(help="The name, without a version.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Let a name stand for the version that it stood for before."""
    models = load_settings(config).models
    card = registry.roll_back(name, models)
    if not _printed(card, models, as_json=as_json):
        typer.echo(f"{card.name} stands for {card.full_name} again. {_how(card, models)}")


def remove(named: Named, config: Config = None, as_json: Json = False) -> None:
    """Remove a version, or all of a name; what settings or an index use stays."""
    settings = load_settings(config)
    gone = registry.remove(named, settings.models, used(settings))
    if as_json:
        typer.echo(json.dumps({"removed": gone}, indent=1))
    else:
        typer.echo(f"Removed: {', '.join(gone)}.")


def used(settings: Settings) -> list[str]:
    """The names of models that the settings or the two sides of the index use on this machine."""
    from ingest.sides import read_sides

    named = [(settings.embedder.model, settings.embedder.url)]
    named += [(settings.llm.model, " ".join(settings.llm.urls)), (settings.llm.adapter, "")]
    named += [(settings.retrieval.reranker, settings.retrieval.reranker_url)]
    sides = read_sides(settings.index.path)
    named += [(side.model, side.url) for side in sides.embedders.values()] if sides else []
    return [name for name, url in named if not url]


def _printed(card: Card, models: ModelsSettings, *, as_json: bool) -> bool:
    if as_json:
        typer.echo(json.dumps(registry.as_json(card, models), indent=1))
    return as_json


def _next(card: Card) -> str:
    """An embedder needs no promotion, which is for names in the settings: its index names it."""
    if card.training.kind == "embedder":
        return f"Next: docent index next --embedder {card.full_name}"
    return f"Next: docent models promote {card.full_name}"


def _how(card: Card, models: ModelsSettings) -> str:
    """What to do, so that it is used."""
    if card.training.kind == "embedder":
        return f"An index of its own is built by: docent index next --embedder {card.full_name}"
    if card.training.kind == "reranker":
        return f'It is used where docent.toml says: [retrieval] reranker = "{card.name}"'
    weights = [name for name in card.files if name.endswith(".gguf")]
    if not weights:
        folder = registry.folder_of(card, models)
        return f"Serve {folder}, and name it as the server does in [llm] model."
    key = "adapter" if weights == ["adapter.gguf"] else "model"
    return f'It is used where docent.toml says: [llm] {key} = "{card.name}"'


def _lines(card: Card, models: ModelsSettings) -> list[str]:
    told = card.training
    standing = registry.current(card.name, models) == card.version
    data = told.data
    lines = [
        f"{card.full_name}: {told.kind}{', what the name stands for' if standing else ''}",
        f"  {card.about}" if card.about else "",
        f"  base      {told.base} ({told.licence or 'licence not told'})",
        f"  learnt    {told.trained_on:,} examples of {str(data.get('digest', ''))[:12]}, "
        f"held out {told.held:,}; {told.steps:,} steps",
        f"  groups    {', '.join(data.get('groups') or ()) or 'everybody may be served with it'}",
        f"  licences  {_pairs(data.get('licences') or {})}",
        *(
            f"  {name:<9} {told.before.get(name, float('nan')):.4f} → {value:.4f}"
            for name, value in told.after.items()
        ),
        f"  spent     {_pairs({k: v for k, v in told.spent.items() if v not in (None, [], ())})}",
        f"  files     {len(card.files)}, {card.bytes / 1e6:,.1f} MB, digest {told.digest[:12]}, "
        f"in {registry.folder_of(card, models)}",
        f"  made      {told.made}; registered {card.registered} by: {card.command}",
    ]
    return [line for line in lines if line]


def _pairs(told: dict[str, object]) -> str:
    return "; ".join(f"{name}: {value}" for name, value in told.items()) or "not told"
