"""The gate of kept runs: is a run worse than a baseline by more than it may be?

`docent eval gate` compares two files: for CI, for a change of a setting, for another model. The
gate of the night (`eval.gate`) asks two generations of one index itself, before one of them is
published. They share what a margin is (`within`) and what a right answer is (`RIGHT`), not the
measures: the night must tell what was lost of each source, and has no file of an earlier run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from eval import compare, report
from eval.compare import Change, Comparison
from eval.gate import within
from eval.measures import Interval
from ingest.errors import DocentError

ANSWERS = {
    "right": 0.05,
    "required_facts": 0.05,
    "wrong_facts": 0.02,
    "abstention": 0.05,
    "right_refusal": 0.05,
    "wrong_refusal": 0.05,
    "first_right": 0.05,
    "both_sides": 0.05,
    "document_retrieved": 0.02,
    "citation_precision": 0.02,
    "sentences_carried": 0.02,
    "failed": 0.0,
}
"""How much worse each measure of answers may be. What is not named here is not checked."""
RETRIEVAL = {
    "nDCG@10": 0.02,
    "Recall@10": 0.02,
    "Recall@100": 0.02,
    "MRR@10": 0.02,
    "P@1": 0.05,
    "failed": 0.0,
}
"""The same for each arm of retrieval."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One measure of the run beside the baseline's, and how much worse it may be."""

    arm: str
    """Empty for answers."""
    name: str
    questions: int
    before: float
    after: float | None
    """None when the run has nothing left to measure."""
    difference: Interval | None
    worse_by: float | None
    """Negative when it is better."""
    margin: float

    @property
    def holds(self) -> bool:
        """True when it is not worse by more than the margin. Nothing left to measure is worse."""
        return self.worse_by is not None and within(self.worse_by, self.margin)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the margins say about a run."""

    comparison: Comparison
    limits: tuple[Limit, ...]

    @property
    def passed(self) -> bool:
        """True when every limit holds."""
        return all(limit.holds for limit in self.limits)


def margins_from(given: Iterable[str], comparison: Comparison) -> dict[str, float]:
    """The defaults, changed by `NAME=NUMBER`; `NAME=off` drops one.

    Any measure of the comparison may be named, also one that has no default.

    Raises:
        DocentError: when one cannot be read, or is of no measure.
    """
    known = dict.fromkeys(change.name for part in comparison.parts for change in part.changes)
    defaults = ANSWERS if comparison.kind == "answers" else RETRIEVAL
    margins = {name: margin for name, margin in defaults.items() if name in known}
    for text in given:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in known:
            msg = f"--margin {text!r}: there is no measure {name!r}, but {', '.join(known)}."
            raise DocentError(msg)
        margins.pop(name, None)
        if value != "off":
            margins[name] = _margin(text, value)
    return margins


def judge(comparison: Comparison, margins: Mapping[str, float], *, partly: bool = False) -> Verdict:
    """Hold a comparison with the baseline against the margins.

    Raises:
        DocentError: when the run lacks questions or arms of the baseline (unless `partly`), or when
            the baseline leaves nothing that could be worse.
    """
    if (comparison.unpaired or comparison.arms_before) and not partly:
        msg = (
            f"{comparison.after} does not have all that {comparison.before} has. "
            f"{' '.join(compare.notes(comparison))} Run it whole, or give --partly."
        )
        raise DocentError(msg)
    limits = tuple(
        _limit(part.arm, change, margins[change.name])
        for part in comparison.parts
        for change in part.changes
        if change.name in margins and change.before is not None
    )
    if not any(limit.before for limit in limits if limit.name not in compare.LESS_IS_BETTER):
        msg = f"{comparison.before} is a baseline of nothing: none of its measures could fall."
        raise DocentError(msg)
    return Verdict(comparison, limits)


def tables(verdict: Verdict) -> list[report.Table]:
    """The limits, those that do not hold marked; and what was lost, if the gate is closed."""
    comparison = verdict.comparison
    limits = report.Table(
        title=f"{comparison.after} against the baseline {comparison.before}, "
        f"{len(comparison.common)} questions in pairs",
        columns=("measure", "n", "baseline", "run", "change with 95 % interval", "margin", ""),
        rows=tuple(
            (
                f"{limit.arm} {limit.name}".strip(),
                str(limit.questions),
                report.number(limit.before, 3),
                report.number(limit.after, 3),
                report.signed(limit.difference),
                f"{limit.margin:g}",
                "holds" if limit.holds else "WORSE",
            )
            for limit in verdict.limits
        ),
    )
    moved = [table for part in comparison.parts for table in compare.moved_table(part)]
    return [limits, *([] if verdict.passed else moved)]


def sentence(verdict: Verdict) -> str:
    """How it came out, and by what."""
    if verdict.passed:
        return "The gate is open: nothing is worse by more than its margin."
    broken = [limit for limit in verdict.limits if not limit.holds]
    told = (f"{limit.arm} {limit.name} ({_by(limit)})".strip() for limit in broken)
    return f"The gate is closed: {', '.join(told)}."


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict with exact numbers, and the whole comparison."""
    return {
        "kind": "gate",
        "passed": verdict.passed,
        "limits": [{**asdict(limit), "holds": limit.holds} for limit in verdict.limits],
        "comparison": compare.as_json(verdict.comparison),
    }


def _margin(text: str, value: str) -> float:
    try:
        margin = float(value)
    except ValueError:
        margin = -1.0
    if not 0 <= margin < inf:
        msg = f"--margin {text!r} must be NAME=NUMBER with a number from 0, or NAME=off."
        raise DocentError(msg)
    return margin


def _limit(arm: str, change: Change, margin: float) -> Limit:
    worse_by = None
    if change.difference is not None:
        worse_by = change.difference.value * (1 if change.less_is_better else -1)
    return Limit(
        arm=arm,
        name=change.name,
        questions=change.questions,
        before=change.before or 0.0,
        after=change.after,
        difference=change.difference,
        worse_by=worse_by,
        margin=margin,
    )


def _by(limit: Limit) -> str:
    if limit.worse_by is None:
        return "nothing left to measure"
    return f"worse by {limit.worse_by:.3f}, {limit.margin:g} allowed"
