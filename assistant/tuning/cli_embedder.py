"""`docent tune embedder`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ingest.catalogue import catalogue, locate
from ingest.registry import find
from ingest.settings import ModelsSettings, load_settings


def train_embedder(
    pairs: Annotated[Path, typer.Argument(help="Pairs that `docent tune pairs` has written.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the model.")],
    base: Annotated[
        str, typer.Option(help="Name of `docent models`, folder or hub name to begin with.")
    ] = "all-MiniLM-L6-v2",
    epochs: Annotated[float, typer.Option(min=0.01, help="Times that all pairs are read.")] = 1.0,
    batch: Annotated[int, typer.Option(min=2, help="Pairs of one step; more is better.")] = 64,
    at_once: Annotated[int, typer.Option(min=1, help="Pairs in memory together.")] = 64,
    negatives: Annotated[
        int, typer.Option(min=0, max=4, help="Hard negatives of each pair that are learnt.")
    ] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 2e-5,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of a text, in training.")] = 128,
    dims: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Train shorter vectors too: each a model-DIM; repeatable."),
    ] = None,
    look_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    seed: Annotated[int, typer.Option(help="Another one learns in another order.")] = 1,
    licence: Annotated[
        str, typer.Option(help="Of the base; that of the catalogue where it is not said.")
    ] = "",
    config: Annotated[Path | None, typer.Option("--config", help="Settings file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train an embedder by contrast; after a kill, run it again to go on."""
    from assistant.tuning.embedder import Plan, train
    from assistant.tuning.files import read_pairs
    from assistant.tuning.trained import data_of

    plan = Plan(
        epochs=epochs,
        batch=batch,
        at_once=at_once,
        negatives=negatives,
        rate=rate,
        max_tokens=max_tokens,
        dims=tuple(sorted(set(dims or ()))),
        look_every=look_every,
        seed=seed,
    )
    models = load_settings(config).models
    learnt, data = read_pairs(pairs), data_of(pairs)
    folder, known = begun_with(base, models)
    more = {"licence": licence or known, "called": base}
    trained = train(folder, learnt, out, plan, _say, data=data, **more)
    if as_json:
        typer.echo(json.dumps(asdict(trained), indent=1))
    else:
        typer.echo(f"Next: docent models register {trained.model} --name NAME")


def begun_with(base: str, models: ModelsSettings) -> tuple[str, str]:
    """Where a base lies, and its licence where that is known; a name of the hub stays as it is.

    Raises:
        ModelError: it is a model of `docent models` that is not here, or damaged.
    """
    if base in catalogue():
        return str(locate(base, models)), catalogue()[base].licence
    if card := find(base, models):
        return str(locate(base, models)), card.training.licence
    return base, ""


def _say(line: str) -> None:
    typer.echo(line, err=True)
