"""`docent tune`: models made of one's own documents, step by step."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ingest.errors import DocentError
from ingest.settings import load_settings

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

tune = typer.Typer(help="Tune models on your own documents.", no_args_is_help=True)


@tune.command("pairs")
def mine(
    out: Annotated[Path, typer.Option(help="Write the pairs here, and their card beside them.")],
    most: Annotated[int, typer.Option(min=1, help="So many pairs at most.")] = 20_000,
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="GROUP", help="Read as a member of this group; repeatable."),
    ] = None,
    measured: Annotated[
        list[Path] | None,
        typer.Option(help="Questions that models are compared by; nothing alike is learnt."),
    ] = None,
    licence: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE=LICENCE", help="For the card; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another one chooses others.")] = 1,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Mine questions and passages from the index, to train an embedder or a reranker on.

    Only what the given groups may read is learnt from: serve the model to those who may read it.
    """
    from assistant.bootstrap import searching
    from assistant.tuning.files import Card, counts, digest_of, write_card, write_pairs
    from assistant.tuning.pairs import Miner
    from ingest.access import Reader

    settings = load_settings(config)
    licences = dict(named(one) for one in licence or ())
    files = measured or []
    questions = [question for file in files for question in questions_of(file)]
    with searching(settings) as (index, embedder, retriever), progress() as bar:
        reader = Reader(frozenset(as_ or ()))
        miner = Miner(index, retriever, reader, seed=seed, measured=questions)
        task = bar.add_task("Mining", total=None)
        digest = write_pairs(out, miner.pairs(most, lambda: bar.advance(task)))
        counted = retriever.counts(reader)
    told = counts(miner.tally)
    card = Card(
        pairs=sum(told["kinds"].values()),
        digest=digest,
        groups=tuple(sorted(as_ or ())),
        generation=counted.generation,
        embedder=embedder.name,
        seed=seed,
        measured={str(file): digest_of(file) for file in files},
        licences={source: licences.get(source, "") for source in told["sources"]},
        **told,
    )
    write_card(out, card)
    if as_json:
        typer.echo(json.dumps(asdict(card), indent=1))
    else:
        typer.echo(f"{card.pairs} pairs in {out}: {listed(card.kinds)}; of {listed(card.sources)}.")
        for why, number in card.dropped.items():
            typer.echo(f"  left out: {number}, {why}")


@tune.command("reranker")
def train_reranker(
    pairs: Annotated[Path, typer.Argument(help="Pairs that `docent tune pairs` has written.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the model.")],
    base: Annotated[str, typer.Option(help="Folder or hub name of the encoder to begin with.")],
    epochs: Annotated[float, typer.Option(min=0.01, help="Times that all pairs are read.")] = 2.0,
    batch: Annotated[int, typer.Option(min=1, help="Passages of one step.")] = 32,
    rate: Annotated[float, typer.Option(min=0, help="Learning rate.")] = 5e-5,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of question and passage.")] = 160,
    look_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 100,
    seed: Annotated[int, typer.Option(help="Another one learns in another order.")] = 1,
    licence: Annotated[str, typer.Option(help="Of the base, for those who get the model.")] = "",
    as_json: Json = False,
) -> None:
    """Train a cross-encoder that orders passages; after a kill, run it again to go on."""
    from assistant.tuning.files import read_pairs
    from assistant.tuning.reranker import Plan, train
    from assistant.tuning.trained import data_of

    plan = Plan(epochs, batch, rate, max_tokens, look_every, seed)
    learnt = read_pairs(pairs)
    data = data_of(pairs)
    trained = train(base, learnt, out, plan, say, data=data, licence=licence)
    if as_json:
        typer.echo(json.dumps(asdict(trained), indent=1))
    else:
        typer.echo(f'[retrieval] reranker = "{trained.model}"')


def say(line: str) -> None:
    """How far it is, beside what is printed as the outcome."""
    typer.echo(line, err=True)


def questions_of(file: Path) -> list[str]:
    """The questions of a file in the format of `docent eval answers`.

    Raises:
        DocentError: it cannot be read, or has a line without a question.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["question"] for line in lines if line.strip()]
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{file} is no file of questions, one JSON object a line: {error!r}."
        raise DocentError(msg) from None


def named(given: str) -> tuple[str, str]:
    """A source and its licence.

    Raises:
        DocentError: it has another form.
    """
    source, equals, licence = given.partition("=")
    if not equals:
        msg = f"--licence {given}: write SOURCE=LICENCE, such as wiki=CC-BY-4.0."
        raise DocentError(msg)
    return source, licence


def listed(counted: dict[str, int]) -> str:
    """Counts in words."""
    return ", ".join(f"{number} {name}" for name, number in counted.items())


def progress() -> Progress:
    """A bar on a terminal; elsewhere nothing is drawn."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not sys.stderr.isatty())
