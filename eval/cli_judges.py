"""`docent eval judges`, `judge` and `export`: who judges answers, and how far to trust it."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ingest.errors import DocentError
from ingest.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from assistant.llm import LLM
    from eval.answers import Row
    from eval.judges import Case, Judge, Ruling

Config = Annotated[Path | None, typer.Option("--config", help="Settings file; else DOCENT_CONFIG.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")]
Model = Annotated[
    str | None, typer.Option("--llm", help="The model that judges, instead of the settings' own.")
]
Url = Annotated[
    str | None, typer.Option("--judge-url", help="OpenAI-compatible server of the judging model.")
]
Concurrency = Annotated[int, typer.Option(min=1, help="Cases that the model is asked at once.")]


@dataclass(frozen=True, slots=True)
class Parts:
    """Given as the context's object, it takes the place of the real model."""

    llm: "LLM | None"


def judges(
    context: typer.Context,
    labels: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Labelled pairs; else Docent's own.")
    ] = None,
    llm: Model = None,
    judge_url: Url = None,
    half: Annotated[
        Literal["dev", "test", "all"], typer.Option(help="Odd lines, even lines, or all.")
    ] = "all",
    concurrency: Concurrency = 1,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Measure how far judges agree with labels given by hand.

    Without --llm and --judge-url the judges by rule only; with one of them the model alone, and the
    model after the rules, too.
    """
    from eval import report
    from eval.datasets import file_digest
    from eval.judges import agreement
    from eval.judges.containment import ContainmentJudge
    from eval.judges.labels import LABELS, read_labels
    from eval.judges.llm import LLMJudge
    from eval.judges.rules import RuleJudge

    out, err = report.consoles()
    path = labels or LABELS
    items = read_labels(path, None if half == "all" else half)
    cases = [item.case for item in items]
    everyone: list[Judge] = [RuleJudge(), ContainmentJudge()]
    if llm is not None or judge_url is not None:
        asked = LLMJudge(_model(context, config, llm, judge_url))
        asyncio.run(asked.warm())
        everyone.append(asked)
    made_with = report.made_with()
    rulings = {judge.name: _ruled(judge, cases, err, concurrency) for judge in everyone}
    if len(everyone) > 2:
        rules, _, model = everyone
        name = f"{rules.name}, then {model.name}"
        rulings[name] = agreement.chained(rulings[rules.name], rulings[model.name])
    found = [
        one for name, given in rulings.items() for one in agreement.agreements(name, items, given)
    ]
    if as_json:
        head = {
            "kind": "judges",
            "made_with": made_with,
            "dataset": {"name": path.name, "digest": file_digest(path), "half": half},
            "agreement": [agreement.as_json(one) for one in found],
            "verdicts": [
                {
                    "id": item.id,
                    "label": item.label,
                    **{name: given[place].verdict for name, given in rulings.items()},
                }
                for place, item in enumerate(items)
            ],
        }
        typer.echo(json.dumps(head, indent=1))
        return
    for table in agreement.tables([one for one in found if one.decided]):
        report.show(table, out)


def judge(
    context: typer.Context,
    rows: Annotated[Path, typer.Argument(help="Rows of `docent eval answers --out`.")],
    by: Annotated[
        Literal["rules", "llm"],
        typer.Option(
            "--judge", help="`rules` alone, or `llm`: a model about what rules do not decide."
        ),
    ] = "rules",
    llm: Model = None,
    judge_url: Url = None,
    concurrency: Concurrency = 1,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Judge kept answers: sentences against what they cite, facts against the answers."""
    from eval import report
    from eval.judges import rows as judged
    from eval.judges.choose import judge_from

    out, err = report.consoles()
    kept = _rows(rows)
    model = _model(context, config, llm, judge_url) if by == "llm" else None
    asked = judge_from(by, model)
    made_with = report.made_with()
    total = sum(len(judged.cases(row)) for row in kept)
    with report.progress(err, "Judging", total) as advance:
        found = asyncio.run(
            judged.judge_rows(kept, asked, concurrency=concurrency, advance=advance)
        )
    if as_json:
        head: dict[str, Any] = {"kind": "judged", "made_with": made_with, "judge": asked.name}
        typer.echo(json.dumps({**head, "verdicts": judged.as_json(found)}, indent=1))
        return
    report.show(judged.table(found, asked.name, rows.name), out)


def export(
    rows: Annotated[Path, typer.Argument(help="Rows of `docent eval answers --out`.")],
    form: Annotated[
        Literal["ragas"], typer.Option("--format", help="Whose measures shall read it.")
    ] = "ragas",
    questions: Annotated[
        Path | None, typer.Option(help="File of the questions: gives the right answers along.")
    ] = None,
) -> None:
    """Print kept answers as JSON lines for the measures of another library."""
    from eval.datasets import read_questions
    from eval.export import for_ragas

    references = {q.id: q.answer for q in read_questions(questions)} if questions else {}
    for sample in for_ragas(_rows(rows), references):
        typer.echo(json.dumps(sample, ensure_ascii=False))


def _ruled(judge: "Judge", cases: "list[Case]", err: "Console", concurrency: int) -> "list[Ruling]":
    from eval import report
    from eval.judges import rule_all

    with report.progress(err, f"Judging: {judge.name}", len(cases)) as advance:
        return asyncio.run(rule_all(judge, cases, concurrency=concurrency, advance=advance))


def _model(context: typer.Context, config: Path | None, llm: str | None, url: str | None) -> "LLM":
    from assistant.llm import NO_MODEL
    from eval.judges.choose import judging_llm

    given = context.find_object(Parts)
    model = given.llm if given else judging_llm(load_settings(config), llm, url)
    if model is None:
        msg = f"A model shall judge, but the model is {NO_MODEL!r}. Name one by --llm."
        raise DocentError(msg)
    return model


def _rows(path: Path) -> "list[Row]":
    from eval.runs import AnswersRun, read_run

    run = read_run(path)
    if not isinstance(run, AnswersRun):
        msg = f"{path} is no file of answered questions: `docent eval answers --out` writes one."
        raise DocentError(msg)
    return list(run.rows.values())
