"""`docent eval`: the two measurements as commands."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from eval import cli_attacks, cli_calibrate, cli_compare, cli_judges, cli_propose
from ingest.errors import DocentError
from ingest.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from eval.answers import Assistant
    from eval.found import Opener
    from eval.retrieval import Builder
    from eval.session import MakeAssistant

eval_app = typer.Typer(help="Measure retrieval and answers.", no_args_is_help=True)
for kept in (cli_compare.report, cli_compare.compare, cli_compare.gate):
    eval_app.command()(kept)
eval_app.command()(cli_attacks.attacks)
eval_app.command()(cli_calibrate.calibrate)
for making in (cli_propose.propose, cli_propose.review, cli_propose.accept):
    eval_app.command()(making)
for judging in (cli_judges.judges, cli_judges.judge, cli_judges.export):
    eval_app.command()(judging)

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the commands measure. Given as the context's object, it takes the place of the real."""

    builder: "Builder"
    assistant_from: "Callable[[Settings], Assistant]"
    opener: "Opener | None" = None


def _builder(context: typer.Context) -> "Builder":
    if given := context.find_object(Parts):
        return given.builder
    from eval.build import index_from

    return index_from


def _opener(context: typer.Context) -> "Opener":
    given = context.find_object(Parts)
    if given and given.opener:
        return given.opener
    from eval.build import index_at

    return index_at


def _tell(err: "Console", notes: Iterable[str]) -> None:
    for note in notes:
        err.print(note, markup=False, soft_wrap=True)


@eval_app.command("retrieval")
def retrieval_command(
    context: typer.Context,
    beir: Annotated[
        Path | None,
        typer.Option("--beir", help="Folder with corpus.jsonl, queries.jsonl and qrels/."),
    ] = None,
    split: Annotated[str, typer.Option(help="With --beir: which qrels/SPLIT.tsv.")] = "test",
    questions: Annotated[
        Path | None,
        typer.Option(help="File of questions, searched for in the index that the settings name."),
    ] = None,
    half: Annotated[
        Literal["test", "dev"] | None,
        typer.Option(help="Of the questions only the even lines (test) or the odd ones (dev)."),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="Only questions of this class; repeatable.")
    ] = None,
    standalone: Annotated[
        bool, typer.Option("--as-standalone", help="Ask follow-ups in full, without history.")
    ] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Measure lexical, dense, hybrid and reranked search, by --beir or by --questions.

    --beir FOLDER builds an index of the collection in a temporary folder, with the settings' model.

    --questions FILE searches the index that is there, each question as a reader of its groups, and
    looks for the documents that its line names; questions without any are left out. Means stand
    for each class, and follow-ups with their history beside the same asked in full.

    A query that fails is scored 0 and counted. Keep --json in a file for `docent eval compare`.
    """
    from eval import found, report, retrieval
    from eval.datasets import read_collection
    from eval.session import Choice

    out, err = report.consoles()
    settings = load_settings(config)
    if questions is not None and beir is None:
        choice = Choice(questions, half, tuple(classes or ()))
        found_there = found.measure(choice, settings, _opener(context), err, standalone=standalone)
        _tell(err, found_there.notes())
        exact, tables = found.as_json(found_there), found.tables(found_there)
    elif beir is not None and not (questions or half or classes or standalone):
        collection = read_collection(beir, split)
        _tell(err, collection.notes())
        result = retrieval.measure(collection, settings, _builder(context), err)
        exact, tables = retrieval.as_json(result), retrieval.tables(result)
    else:
        msg = (
            "Say what to measure: --beir FOLDER with --split, or --questions FILE "
            "with --half, --class and --as-standalone."
        )
        raise DocentError(msg)
    if as_json:
        print(json.dumps(exact, indent=1))
        return
    for table in tables:
        report.show(table, out)


@eval_app.command("answers")
def answers_command(
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(help="File of questions, one JSON object a line.")],
    as_json: AsJson = False,
    half: Annotated[
        Literal["test", "dev"] | None,
        typer.Option(help="Only the even lines (test) or only the odd ones (dev)."),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="Only questions of this class; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions.")] = None,
    arm: Annotated[
        Literal["retrieval", "none", "oracle", "refusal"],
        typer.Option(
            help="Ask the assistant, the model alone, give the right documents only, or have a "
            "model that always refuses: what yours has to beat."
        ),
    ] = "retrieval",
    llm: Annotated[
        str | None,
        typer.Option(
            "--llm", help="Another model than the settings' own: NAME, ADDRESS or NAME@ADDRESS."
        ),
    ] = None,
    no_llm: Annotated[
        bool, typer.Option("--no-llm", help="Extracts only, as with --llm none.")
    ] = False,
    standalone: Annotated[
        bool, typer.Option("--as-standalone", help="Ask follow-ups in full, without history.")
    ] = False,
    groups: Annotated[
        list[str] | None,
        typer.Option("--as", help="Ask as a member of GROUP, not of those the lines name."),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Write rows here as they come, and FILE.run.json beside them."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the rows that --out holds already.")
    ] = False,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions asked at once.")] = 1,
    country: Annotated[
        str | None,
        typer.Option(help="Estimate the CO2 by codecarbon for this country's grid, such as CHE."),
    ] = None,
    mlflow: Annotated[
        str | None, typer.Option("--mlflow", help="Hand the run to the MLflow server at URI, too.")
    ] = None,
    config: Config = None,
) -> None:
    """Ask questions of a file and score answers, refusals and citations; say what it cost.

    --llm ADDRESS asks a server that speaks OpenAI's protocol, such as vLLM; NAME@ADDRESS one of the
    models or adapters that it serves. --concurrency keeps it busy: it works on several at once.
    """
    from assistant.llm import NO_MODEL
    from eval import report, session, summary
    from eval.answers import Asking
    from eval.cost import Meter, codecarbon_for, cost_table
    from eval.llms import with_llm
    from eval.mlflow_export import Mlflow

    out, err = report.consoles()
    settings = with_llm(load_settings(config), NO_MODEL if no_llm or arm == "refusal" else llm)
    asking = Asking(settings.llm.model, frozenset(groups) if groups else None, arm, standalone)
    choice = session.Choice(questions, half, tuple(classes or ()), limit)
    plan = session.Session(choice, asking, out_file, resume, concurrency)
    # Both first: a run of hours must not end with a library that is not there.
    server = Mlflow(mlflow) if mlflow else None
    estimator, method = codecarbon_for(country) if country else (None, "")
    made_with = report.made_with()
    done = session.carry_out(
        plan, settings, _arm(context), lambda: Meter(estimator, method=method), err
    )
    sums = summary.as_json(done.rows)
    if as_json:
        record = done.record.model_dump(mode="json")
        head = {"kind": "answers", "made_with": made_with, "resumed": done.kept, "run": record}
        told = {"dataset": record["dataset"], "settings": record["settings"]}
        print(json.dumps({**head, **told, **sums}, indent=1))
    else:
        title = f"{questions.name}{f', {half} half' if half else ''}, {settings.llm.model}"
        title += "" if arm == "retrieval" else f", arm {arm}"
        for table in [*summary.tables(done.rows, title), cost_table(done.cost)]:
            report.show(table, out)
    if server:
        name = server.export(done.record, sums, out_file)
        err.print(f"MLflow took it as run {name}.", markup=False, soft_wrap=True)


def _arm(context: typer.Context) -> "MakeAssistant":
    if given := context.find_object(Parts):
        return lambda settings, questions, asking: given.assistant_from(settings)
    from eval.arms import arm_from

    return arm_from
