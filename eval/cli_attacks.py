"""`docent eval attacks`: what poisoned pages can make the assistant say."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import DocentError
from ingest.settings import Settings, load_settings

if TYPE_CHECKING:
    from assistant.llm import LLM
    from eval.attacks.model import Attack
    from eval.attacks.run import Row
    from eval.datasets import AskedQuestion
    from ingest.embed import Embedder

SAMPLE = Path(__file__).resolve().parents[1] / "sample"


@dataclass(frozen=True, slots=True)
class Parts:
    """Given as the context's object, it takes the place of the real embedder."""

    embedder: "Embedder"


def attacks(
    context: typer.Context,
    questions: Annotated[
        Path, typer.Argument(help="File of questions that the attacks are aimed at.")
    ] = SAMPLE / "questions.jsonl",
    llm: Annotated[
        str | None,
        typer.Option(
            "--llm",
            help="NAME, ADDRESS or NAME@ADDRESS of a model; `obedient`: the worst there is.",
        ),
    ] = None,
    no_llm: Annotated[bool, typer.Option("--no-llm", help="Extracts only.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N attacks.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also ask what no attack is aimed at.")
    ] = False,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write each answer here as it comes.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the answers that --out holds already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")] = False,
    config: Annotated[
        Path, typer.Option("--config", help="Settings of the collection to poison.")
    ] = SAMPLE / "docent.toml",
) -> None:
    """Put poisoned pages beside a collection and count the attacks that succeed.

    Asks the questions that the attacks are aimed at of two temporary indexes, with and without the
    poisoned pages. Tells leaks, planted links and changed answers by family, and the facts covered.
    """
    from eval import report
    from eval.attacks import run, score
    from eval.attacks.model import read_attacks
    from eval.llms import with_llm

    out, err = report.consoles()
    made_with = report.made_with()
    aimed = read_attacks()[:limit]
    asked = run.questions_of(aimed, questions, everything=everything)
    settings = with_llm(load_settings(config), "none" if no_llm else llm)
    name = settings.llm.model
    with _rows_file(out_file, asked, name, resume=resume) as (earlier, write):
        documents = run.documents_of(settings)
        embedder, model = _embedder(context, settings), _llm(settings, aimed)
        with (
            run.assistants(aimed, settings, embedder, model, documents) as pair,
            report.progress(err, "Asking", 2 * len(asked) - len(earlier)) as advance,
        ):

            def keep(row: "Row") -> None:
                write(row)
                advance(1)

            rows = asyncio.run(run.ask(pair, asked, name, earlier, keep))
    found = score.outcomes(aimed, rows)
    if as_json:
        told = {"kind": "attacks", "made_with": made_with, "llm": name}
        typer.echo(json.dumps({**told, **score.as_json(found, rows)}, indent=1))
        return
    for table in score.tables(found, rows, name):
        report.show(table, out)


def _embedder(context: typer.Context, settings: Settings) -> "Embedder":
    if given := context.find_object(Parts):
        return given.embedder
    from ingest.embed import embedder_from

    return embedder_from(settings.embedder, settings.models)


def _llm(settings: Settings, aimed: "list[Attack]") -> "LLM | None":
    from assistant.engines import llm_from
    from eval.attacks.obedient import NAME, Obedient

    if settings.llm.model == NAME:
        return Obedient(aimed)
    return llm_from(settings.llm, settings.models)


@contextmanager
def _rows_file(
    path: Path | None, asked: "list[AskedQuestion]", llm: str, *, resume: bool
) -> "Iterator[tuple[dict[tuple[str, str], Row], Callable[[Row], None]]]":
    """The rows that are there already, and what writes a new one."""
    from eval.attacks.run import read_rows

    if path is None:
        if resume:
            msg = "--resume needs --out FILE, the file of the run to go on with."
            raise DocentError(msg)
        yield {}, lambda row: None
        return
    if path.exists() and not resume:
        msg = f"{path} exists. Go on with it by --resume, or give another --out."
        raise DocentError(msg)
    earlier = read_rows(path, asked, llm)
    with path.open("w", encoding="utf-8") as file:

        def write(row: "Row") -> None:
            file.write(row.model_dump_json() + "\n")
            file.flush()

        for row in earlier.values():
            write(row)
        yield earlier, write
