"""Whether tuning helped: kept runs with the base against runs with the tuned model, in pairs.

A *set* is a file of questions, or a collection, that the model was tuned for; an *other* one is
what it was not tuned for, and must not have become worse at. Each is measured twice, by
`docent eval answers --out` or `docent eval retrieval --json`: once with the base, once with the
tuned model, and all else equal. Runs of the arms `none` and `oracle` stand beside those with
retrieval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval import report
from eval.compare import FAILED, RANKED_BY, Change, compare, counted, measured
from eval.paired import difference_of_sums, ratio
from eval.runs import AnswersRun, Run
from ingest.registry import Training

SUM = "sum"
SUMMED = ("required_facts", "citation_precision", "abstention")
"""What an answer has to be: complete, rightly cited, and not given where there is none."""
OF_ANSWERS = (
    *SUMMED,
    *("right", "wrong_refusal", "wrong_answer", "wrong_facts", "sentences_carried"),
    *("document_retrieved", "failed", "seconds"),
)
"""Measures of answers that are shown; `docent eval compare` has all."""
MARGIN = 0.01
"""So much worse may be what the model was not tuned for."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One set of questions, asked with the base and with the tuned model."""

    name: str
    before: Run
    after: Run
    other: bool = False
    """The model was not tuned for it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one arm makes of one set."""

    name: str
    arm: str
    """Of answers `retrieval`, `none` or `oracle`; of retrieval the way of searching."""
    kind: str
    """`answers` or `retrieval`."""
    questions: int
    changes: tuple[Change, ...]
    """For answers the sum of `SUMMED` first."""
    counted: str
    other: bool

    @property
    def main(self) -> Change:
        """The measure that it is judged by."""
        by = SUM if self.kind == "answers" else RANKED_BY
        return next((one for one in self.changes if one.name == by), self.changes[0])

    def judged(self, margin: float = MARGIN) -> str:
        """`better`, `worse`, `same` or `unclear`; of an other set `kept` or `lost`."""
        told = self.main.difference
        if not self.other or told is None:
            return self.main.verdict
        return "kept" if told.value >= -margin else "lost"


def parts_of(tried: Sequence[Tried]) -> list[Part]:
    """Each set in pairs, arm by arm; ways of searching that the model has no part in are left out.

    Raises:
        DocentError: two runs cannot be compared.
    """
    return [part for one in tried for part in _parts(one)]


def tables(parts: Sequence[Part], training: Training | None, margin: float) -> list[report.Table]:
    """The result as tables of text."""
    return [
        *([training_table(training)] if training else []),
        summary_table(parts, margin),
        *(changes_table(part) for part in parts),
    ]


def summary_table(parts: Sequence[Part], margin: float) -> report.Table:
    """One line for each arm of each set: the measure that it is judged by."""
    return report.Table(
        title=f"Tuned minus base, in pairs; an other set is kept if not worse by over {margin:g}",
        columns=("set", "arm", "questions", "measure", "base", "tuned", "difference", ""),
        rows=tuple(
            (
                f"{part.name}{' (other)' if part.other else ''}",
                part.arm,
                str(part.questions),
                part.main.label,
                report.number(part.main.before, 3),
                report.number(part.main.after, 3),
                report.signed(part.main.difference),
                part.judged(margin) or report.NOTHING,
            )
            for part in parts
        ),
    )


def changes_table(part: Part) -> report.Table:
    """All measures of one arm of one set."""
    return report.Table(
        title=f"{part.name}, {part.arm}: {part.questions} questions; {part.counted}",
        columns=("measure", "n", "base", "tuned", "difference with 95 % interval", "verdict"),
        rows=tuple(
            (
                change.label,
                str(change.questions),
                report.number(change.before, 3),
                report.number(change.after, 3),
                report.signed(change.difference),
                change.verdict or report.NOTHING,
            )
            for change in part.changes
        ),
    )


def training_table(training: Training) -> report.Table:
    """What the model is, what it was made of, and what that cost."""
    spent = training.spent
    joules = {name: spent.get(f"{name}_joules") for name in ("cpu", "gpu")}
    told = [f"{value:,.0f} J ({name})" for name, value in joules.items() if value is not None]
    reasons = " ".join(spent.get("not_measured") or ())
    licences = (training.data.get("licences") or {}).items()
    rows = (
        ("kind", training.kind),
        ("base", f"{training.base} ({training.licence or 'licence not told'})"),
        ("digest", training.digest[:12]),
        ("data", f"{training.trained_on:,} examples, {training.held:,} held out, "
                 f"digest {str(training.data.get('digest', ''))[:12]}"),
        ("licences of the data", ", ".join(f"{k}: {v}" for k, v in licences) or report.NOTHING),
        ("steps", f"{training.steps:,}"),
        *(
            (f"{name}, held out", f"{training.before.get(name, float('nan')):.4f} → {value:.4f}")
            for name, value in training.after.items()
        ),
        ("seconds", report.number(_number(spent.get("seconds")))),
        ("energy", ", ".join(told) or f"not measured. {reasons}".strip()),
        ("machine", str(spent.get("machine") or report.NOTHING)),
        ("made", training.made or report.NOTHING),
    )  # fmt: skip
    return report.Table("The model, and what it cost", ("what", "value"), rows)


def as_json(parts: Sequence[Part], training: Training | None, margin: float) -> dict[str, Any]:
    """Everything, with exact numbers."""
    told = []
    for part in parts:
        whole = asdict(part)
        for change, entry in zip(part.changes, whole["changes"], strict=True):
            entry |= {"less_is_better": change.less_is_better, "verdict": change.verdict}
        told.append(whole | {"judged": part.judged(margin), "judged_by": part.main.name})
    return {
        "kind": "tuned",
        "margin": margin,
        "training": training.model_dump(mode="json") if training else None,
        "parts": told,
    }


def _parts(tried: Tried) -> list[Part]:
    comparison = compare(tried.before, tried.after)
    count = len(comparison.common)
    if isinstance(tried.before, AnswersRun) and isinstance(tried.after, AnswersRun):
        [part] = comparison.parts
        by_name = {change.name: change for change in part.changes}
        shown = [by_name[name] for name in OF_ANSWERS if by_name[name].questions]
        total = _sum(tried.before, tried.after, comparison.common)
        arm = tried.after.record.arm if tried.after.record else "retrieval"
        changes = (*([total] if total else []), *shown)
        return [Part(tried.name, arm, "answers", count, changes, counted(part), tried.other)]
    return [
        Part(
            tried.name,
            part.arm,
            "retrieval",
            count,
            tuple(change for change in part.changes if change.name != FAILED or change.after),
            counted(part),
            tried.other,
        )
        for part in comparison.parts
        if any(change.verdict != "same" for change in part.changes if change.name != FAILED)
        or len(comparison.parts) == 1
    ]


def _sum(before: AnswersRun, after: AnswersRun, questions: Sequence[str]) -> Change | None:
    """The sum of `SUMMED`; of those that have a total, as an arm that cites nothing has not."""
    sides = [[measured(run.rows[name]) for name in questions] for run in (before, after)]
    columns = [{name: [row[name] for row in side] for name in SUMMED} for side in sides]
    names = [name for name in SUMMED if all(ratio(side[name]) is not None for side in columns)]
    if not names:
        return None
    old, new = ({name: side[name] for name in names} for side in columns)
    labels = {"required_facts": "required facts", "citation_precision": "citation precision",
              "abstention": "right abstention"}  # fmt: skip
    return Change(
        name=SUM,
        label=" + ".join(labels[name] for name in names),
        questions=len(questions),
        before=_total(old),
        after=_total(new),
        difference=difference_of_sums(old, new),
    )


def _total(columns: Mapping[str, Sequence[tuple[float, float]]]) -> float:
    return sum(ratio(column) or 0.0 for column in columns.values())


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
