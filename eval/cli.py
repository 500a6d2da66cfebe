"""`docent eval`: the two measurements as commands."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from eval import cli_compare, cli_judges
from ingest.errors import DocentError
from ingest.settings import Settings, load_settings

if TYPE_CHECKING:
    from eval.answers import Asking, Assistant, Row
    from eval.datasets import AskedQuestion
    from eval.retrieval import Builder

eval_app = typer.Typer(help="Measure retrieval and answers.", no_args_is_help=True)
for kept in (cli_compare.report, cli_compare.compare, cli_compare.gate):
    eval_app.command()(kept)
for judging in (cli_judges.judges, cli_judges.judge, cli_judges.export):
    eval_app.command()(judging)

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the commands measure. Given as the context's object, it takes the place of the real."""

    builder: "Builder"
    assistant_from: "Callable[[Settings], Assistant]"


def _builder(context: typer.Context) -> "Builder":
    if given := context.find_object(Parts):
        return given.builder
    from eval.build import index_from

    return index_from


def _assistant(context: typer.Context, settings: Settings) -> "Assistant":
    if given := context.find_object(Parts):
        return given.assistant_from(settings)
    from assistant.bootstrap import assistant_from

    return assistant_from(settings)


@eval_app.command("retrieval")
def retrieval_command(
    context: typer.Context,
    beir: Annotated[
        Path, typer.Option("--beir", help="Folder with corpus.jsonl, queries.jsonl and qrels/.")
    ],
    split: Annotated[str, typer.Option(help="Which qrels/SPLIT.tsv.")] = "test",
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Measure lexical, dense and hybrid search on a collection, in a temporary index."""
    from eval import report, retrieval
    from eval.datasets import read_collection

    out, err = report.consoles()
    settings = load_settings(config)
    collection = read_collection(beir, split)
    for note in collection.notes():
        err.print(note, markup=False, soft_wrap=True)
    result = retrieval.measure(collection, settings, _builder(context), err)
    if as_json:
        print(json.dumps(retrieval.as_json(result), indent=1))
        return
    for table in retrieval.tables(result):
        report.show(table, out)


@eval_app.command("answers")
def answers_command(
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help="File of questions, one JSON object a line.")],
    as_json: AsJson = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions.")] = None,
    llm: Annotated[
        str | None, typer.Option("--llm", help="Use this model instead of the settings' own.")
    ] = None,
    groups: Annotated[
        list[str] | None,
        typer.Option("--as", help="Ask as a member of GROUP, not of those the lines name."),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write each question's row here as it comes.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the rows that --out holds already.")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions asked at once.")] = 1,
    config: Config = None,
) -> None:
    """Ask every question of a file and score the answers, the refusals and the citations."""
    from eval import answers, report, summary
    from eval.datasets import file_digest, read_questions

    out, err = report.consoles()
    made_with = report.made_with()  # now, not after: somebody may commit while it runs
    settings = _with_llm(load_settings(config), llm)
    asked = read_questions(questions)[:limit]
    asking = answers.Asking(settings.llm.model, frozenset(groups) if groups else None)
    with _rows_file(out_file, asked, asking, resume=resume) as (earlier, write):
        left = [question for question in asked if question.id not in earlier]
        assistant = _assistant(context, settings)
        assistant.warm()
        with report.progress(err, "Asking", len(left)) as advance:

            def keep(row: "Row") -> None:
                write(row)
                advance(1)

            fresh = asyncio.run(
                answers.run(left, assistant, asking, concurrency=concurrency, keep=keep)
            )
    found = {**earlier, **{row.id: row for row in fresh}}
    rows = [found[question.id] for question in asked]
    if as_json:
        head: dict[str, Any] = {
            "kind": "answers",
            "made_with": made_with,
            "dataset": {"name": questions.name, "digest": file_digest(questions)},
            "settings": settings.model_dump(
                mode="json", include={"llm", "embedder", "retrieval", "answer"}
            ),
            "resumed": len(earlier),
        }
        print(json.dumps({**head, **summary.as_json(rows)}, indent=1))
        return
    for table in summary.tables(rows, f"{questions.name}, {settings.llm.model}"):
        report.show(table, out)


def _with_llm(settings: Settings, llm: str | None) -> Settings:
    if llm is None:
        return settings
    return settings.model_copy(update={"llm": settings.llm.model_copy(update={"model": llm})})


@contextmanager
def _rows_file(
    path: Path | None, asked: "list[AskedQuestion]", asking: "Asking", *, resume: bool
) -> "Iterator[tuple[dict[str, Row], Callable[[Row], None]]]":
    """The rows that are there already, by question, and what writes a new one."""
    from eval.answers import read_rows

    if path is None:
        if resume:
            msg = "--resume needs --out FILE, the file of the run to go on with."
            raise DocentError(msg)
        yield {}, lambda row: None
        return
    if path.exists() and not resume:
        msg = f"{path} exists. Go on with it by --resume, or give another --out."
        raise DocentError(msg)
    earlier = {row.id: row for row in read_rows(path, asked, asking)}
    # Written anew: what no longer holds goes, and a line that was cut does not spoil the next.
    with path.open("w", encoding="utf-8") as file:
        for row in earlier.values():
            _write(file, row)
        yield earlier, lambda row: _write(file, row)


def _write(file: TextIO, row: "Row") -> None:
    file.write(row.model_dump_json() + "\n")
    file.flush()
