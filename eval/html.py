"""Kept runs as one page that needs nothing else: no script, no font, no request to anywhere.

What the page says of a run comes from its files; a field that a run does not have is a dash.
Questions, answers and quotes are other people's text: the template escapes every value, and only
our own drawings go in as they are. Whoever may read the page reads all of it, whatever they may
read in the collection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eval import compare, plots, report, summary
from eval.answers import CitationRow, Row
from eval.curves import area, found_within, recall_curve, risk_coverage
from eval.gate import RIGHT
from eval.heads import notes, of_answers, of_retrieval
from eval.measures import Interval, mean, percentile, share
from eval.runs import AnswersRun, RetrievalRun, Run, shown_names
from ingest.errors import DocentError

WORST = 20
"""So many of the worst questions stand in the page."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing with its numbers, for those who cannot see it or want them exactly."""

    words: plots.Words
    svg: str
    numbers: report.Table


@dataclass(frozen=True, slots=True)
class Tried:
    """What one run made of a question."""

    run: str
    row: Row

    @property
    def missed(self) -> list[str]:
        """Required facts that the answer does not say."""
        return [fact.text for fact in self.row.facts if fact.required and not fact.covered]

    @property
    def wrong(self) -> list[str]:
        """What it says and must not."""
        return [wrong.text for wrong in self.row.wrong if wrong.said]

    @property
    def citations(self) -> tuple[CitationRow, ...]:
        """Those that carry nothing first."""
        return tuple(sorted(self.row.citations, key=lambda citation: citation.carries))


@dataclass(frozen=True, slots=True)
class Question:
    """One of the worst questions."""

    id: str
    kind: str
    text: str
    tried: tuple[Tried, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """All that is shown of the runs of one kind."""

    title: str
    tables: tuple[report.Table, ...]
    plots: tuple[Plot, ...]
    questions: tuple[Question, ...] = ()


def page(runs: Sequence[Run], worst: int = WORST) -> str:
    """The whole page as HTML.

    Raises:
        DocentError: when the libraries of the `eval` extra are not installed.
    """
    named = list(zip(shown_names(runs), runs, strict=True))
    answers = {name: run for name, run in named if isinstance(run, AnswersRun)}
    measured = {name: run for name, run in named if isinstance(run, RetrievalRun)}
    sections = [
        *([_answers(answers, worst)] if answers else []),
        *([_retrieval(measured)] if measured else []),
    ]
    return written(
        names=[name for name, _ in named],
        notes=[note for name, run in answers.items() for note in notes(name, run)],
        sections=sections,
        made=report.made_with(),
    )


def written(**context: Any) -> str:
    """The template with these: names, notes, sections and how it was made.

    Raises:
        DocentError: when the libraries of the `eval` extra are not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        msg = "A report needs Jinja. Run: pip install 'docent[eval]'"
        raise DocentError(msg) from None
    pages = Environment(
        loader=PackageLoader("eval", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return pages.get_template("report.html").render(**context) + "\n"


# Answers -----------------------------------------------------------------------------------------


def _answers(runs: dict[str, AnswersRun], worst: int) -> Section:
    rows = {name: list(run.rows.values()) for name, run in runs.items()}
    drawn = (_risk(rows), _found(rows), *_seconds(rows), *_classes(rows))
    return Section(
        title="Answers",
        tables=(of_answers(runs), _measures(rows), _quantities(rows), *_differences(runs)),
        plots=tuple(plot for plot in drawn if plot is not None),
        questions=_worst(rows, worst),
    )


def _measures(rows: dict[str, list[Row]]) -> report.Table:
    found = [summary.shares(part) for part in rows.values()]
    places = [report.interval(summary.reciprocal_rank(part)) for part in rows.values()]
    return report.Table(
        title="Measures with 95 % intervals",
        columns=("measure", *rows),
        rows=(
            *(
                (label, *(_share(one[name]) for one in found))
                for name, label in summary.SHARES.items()
            ),
            (summary.RECIPROCAL_RANK, *places),
        ),
    )


def _share(value: summary.Share) -> str:
    return value.shown() if value.total else report.NOTHING


def _quantities(rows: dict[str, list[Row]]) -> report.Table:
    found = [summary.quantities(part) for part in rows.values()]
    return report.Table(
        title="Time, text and tokens: median and 95th percentile",
        columns=("quantity", *rows),
        rows=tuple(
            (name, *(" / ".join(report.number(value) for value in one[name]) for one in found))
            for name in found[0]
        ),
    )


def _differences(runs: dict[str, AnswersRun]) -> list[report.Table]:
    """Each further run against the first, where they have questions in common."""
    (first, baseline), *others = runs.items()
    found = []
    for name, run in others:
        try:
            [part] = compare.compare(baseline, run).parts
        except DocentError:
            continue
        told = report.Table(
            title=f"{name} minus {first}, in pairs; {compare.counted(part)}",
            columns=("measure", "questions", first, name, "difference", "verdict"),
            rows=tuple(
                (
                    *(change.label, str(change.questions), report.number(change.before, 3)),
                    *(report.number(change.after, 3), report.signed(change.difference)),
                    change.verdict or report.NOTHING,
                )
                for change in part.changes
            ),
        )
        found.append(told)
    return found


def _risk(rows: dict[str, list[Row]]) -> Plot | None:
    curves = {name: risk_coverage(part) for name, part in rows.items()}
    if not any(curves.values()):
        return None
    words = plots.Words(
        "Risk and coverage",
        "The share of wrong answers among those given, when only answers from a score upwards are "
        "given: from the surest answer on the left to all that were given on the right.",
        "coverage: share of all questions answered",
        "risk: share of answers wrong",
    )
    series = [
        plots.Line(name, [p.coverage for p in found], [p.risk for p in found])
        for name, found in curves.items()
    ]
    wanted = (0.25, 0.5, 0.75, 1.0)
    numbers = report.Table(
        title="Risk at so much of the run's own coverage",
        columns=("run", *(f"{100 * part:.0f} %" for part in wanted), "coverage", "mean risk"),
        rows=tuple(
            (
                name,
                *(
                    report.number(
                        next(p.risk for p in found if p.coverage >= part * found[-1].coverage), 3
                    )
                    for part in wanted
                ),
                report.number(found[-1].coverage, 3),
                report.number(area(found), 3),
            )
            for name, found in curves.items()
            if found
        ),
    )
    return Plot(words, plots.lines(series, words), numbers)


def _found(rows: dict[str, list[Row]]) -> Plot | None:
    words = plots.Words(
        "Right document among the first passages",
        "Of the answerable questions, those for which a right document is among the first k "
        "passages; the bands are 95 % intervals.",
        "k passages",
        "share of questions",
    )
    return _by_rank({n: dict(enumerate(found_within(r), start=1)) for n, r in rows.items()}, words)


def _by_rank(curves: dict[str, dict[int, Interval]], words: plots.Words) -> Plot | None:
    if not any(curves.values()):
        return None
    series = [
        plots.Line(
            name,
            list(curve),
            [value.value for value in curve.values()],
            [value.low for value in curve.values()],
            [value.high for value in curve.values()],
        )
        for name, curve in curves.items()
    ]
    places = sorted({k for curve in curves.values() for k in curve})
    numbers = report.Table(
        title=f"{words.title}, with 95 % intervals",
        columns=("k", *curves),
        rows=tuple(
            (str(k), *(report.interval(curve.get(k)) for curve in curves.values())) for k in places
        ),
    )
    return Plot(words, plots.lines(series, words, whole_x=True), numbers)


def _seconds(rows: dict[str, list[Row]]) -> list[Plot]:
    takes: tuple[tuple[str, Callable[[Row], float | None]], ...] = (
        ("Seconds to the first token", lambda row: row.first_token_ms),
        ("Seconds in all", lambda row: row.total_ms),
    )
    found = []
    for title, take in takes:
        series = {
            name: [ms / 1000 for row in part if (ms := take(row))] for name, part in rows.items()
        }
        if not any(series.values()):
            continue
        words = plots.Words(
            title,
            "The share of questions that took no longer than so many seconds.",
            "seconds",
            "share of questions",
        )
        marks = (50, 75, 90, 95, 100)
        numbers = report.Table(
            title=f"{title}: percentiles",
            columns=("run", "questions", *(f"{mark} %" for mark in marks)),
            rows=tuple(
                (
                    name,
                    str(len(values)),
                    *(report.number(percentile(values, mark), 2) for mark in marks),
                )
                for name, values in series.items()
            ),
        )
        found.append(Plot(words, plots.shares_within(series, words), numbers))
    return found


def _classes(rows: dict[str, list[Row]]) -> list[Plot]:
    def right(part: list[Row]) -> Interval | None:
        return share(sum(row.outcome in RIGHT for row in part), len(part))

    def facts(part: list[Row]) -> Interval | None:
        return summary.shares(part)["required_facts"].interval

    told = (
        (
            "Right, by class",
            "Answered with all required facts, or refused where it should be",
            right,
        ),
        ("Required facts, by class", "Required facts that the answers say", facts),
    )
    found = []
    for title, says, take in told:
        series = {
            name: {kind: take(of_kind) for kind, of_kind in summary.by_class(part).items()}
            for name, part in rows.items()
        }
        kinds = sorted({kind for shares in series.values() for kind in shares})
        words = plots.Words(title, f"{says}, with 95 % intervals.", "share")
        numbers = report.Table(
            title=f"{title}, with 95 % intervals",
            columns=("class", *series),
            rows=tuple(
                (kind, *(report.interval(shares.get(kind)) for shares in series.values()))
                for kind in kinds
            ),
        )
        found.append(Plot(words, plots.bars(series, words), numbers))
    return found


def badness(row: Row) -> float:
    """How bad a row is: says what is wrong, answers what it should refuse, misses, fails, refuses.

    0 for one that is right and cites what carries it.
    """
    if any(wrong.said for wrong in row.wrong):
        return 5.0
    required = [fact.covered for fact in row.facts if fact.required]
    missed = 1 - sum(required) / len(required) if required else 0.0
    by_outcome = {"wrong_answer": 4.0, "incomplete": 2.0 + missed, "failed": 1.5}
    if row.outcome in RIGHT:
        return 0.5 if any(not citation.carries for citation in row.citations) else 0.0
    return by_outcome.get(row.outcome, 1.0)


def _worst(rows: dict[str, list[Row]], most: int) -> tuple[Question, ...]:
    """The worst in any run, the surest first among equals, with what every run made of them."""
    by_id: dict[str, list[Tried]] = {}
    for name, part in rows.items():
        for row in part:
            by_id.setdefault(row.id, []).append(Tried(name, row))
    rank = {
        name: max((badness(one.row), one.row.score or 0.0) for one in tried)
        for name, tried in by_id.items()
    }
    bad = sorted((name for name in by_id if rank[name][0]), key=lambda name: rank[name])[::-1]
    return tuple(
        Question(name, by_id[name][0].row.kind, by_id[name][0].row.question, tuple(by_id[name]))
        for name in bad[:most]
    )


# Retrieval ---------------------------------------------------------------------------------------


def _retrieval(runs: dict[str, RetrievalRun]) -> Section:
    arms = {
        f"{name} {arm}" if len(runs) > 1 else arm: found
        for name, run in runs.items()
        for arm, found in run.arms.items()
    }
    names = list(dict.fromkeys(measure for arm in arms.values() for measure in arm.per_query))
    measures = report.Table(
        title="Measures with 95 % intervals, and milliseconds a query",
        columns=("arm", *names, "ms p50", "p95", "failed"),
        rows=tuple(
            (
                name,
                *(
                    report.interval(mean(arm.per_query[n]) if n in arm.per_query else None)
                    for n in names
                ),
                report.number(arm.query_ms.get("p50")),
                report.number(arm.query_ms.get("p95")),
                str(len(arm.failures)),
            )
            for name, arm in arms.items()
        ),
    )
    words = plots.Words(
        "Recall among the first k documents",
        "The mean share of a query's relevant documents that are among the first k found; the "
        "bands are 95 % intervals.",
        "k documents",
        "recall",
    )
    curve = _by_rank({name: recall_curve(arm) for name, arm in arms.items()}, words)
    return Section("Retrieval", (of_retrieval(runs), measures), (curve,) if curve else ())
