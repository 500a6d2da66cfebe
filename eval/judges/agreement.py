"""How far judges agree with a person: what they decide, how often rightly, what they confuse."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval import report
from eval.judges import FACT_VERDICTS, SUPPORT_VERDICTS, Ruling, Verdict
from eval.judges.labels import Labelled
from eval.measures import Interval, share

TASKS = {"support": SUPPORT_VERDICTS, "fact": FACT_VERDICTS}
NAMES = {"support": "sentence against source", "fact": "fact against answer", "all": "both"}


@dataclass(frozen=True, slots=True)
class Agreement:
    """A judge's verdicts on pairs of one task, beside the person's labels."""

    judge: str
    task: str
    """`support`, `fact`, or `all`."""
    pairs: tuple[tuple[str, Verdict, Verdict], ...]
    """Kind, label, verdict."""
    failed: int
    """Pairs on which no verdict came; they count as undecided."""

    @property
    def total(self) -> int:
        """How many pairs there are."""
        return len(self.pairs)

    @property
    def decided(self) -> int:
        """On how many the judge has a verdict."""
        return sum(verdict != "undecided" for _, _, verdict in self.pairs)

    @property
    def right(self) -> int:
        """On how many it has the person's."""
        return sum(label == verdict for _, label, verdict in self.pairs)

    @property
    def accuracy(self) -> Interval | None:
        """Right of decided; None when nothing is decided."""
        return share(self.right, self.decided)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa over the decided pairs; see `cohens_kappa`.

        None for both tasks together: no judge takes the labels of the one for those of the other,
        so that the agreement by chance would come out too small.
        """
        if self.task == "all":
            return None
        return cohens_kappa([(a, b) for _, a, b in self.pairs if b != "undecided"])

    @property
    def confusion(self) -> dict[str, dict[str, int]]:
        """Label → verdict → count, verdicts that the task has and `undecided`, zeros too."""
        tasks = TASKS if self.task == "all" else {self.task: TASKS[self.task]}
        verdicts = [verdict for known in tasks.values() for verdict in known]
        counts = Counter((label, verdict) for _, label, verdict in self.pairs)
        return {
            label: {verdict: counts[label, verdict] for verdict in (*verdicts, "undecided")}
            for label in verdicts
        }

    @property
    def kinds(self) -> dict[str, tuple[int, int, int]]:
        """Kind → right, decided, total; in the order of the alphabet."""
        found: dict[str, tuple[int, int, int]] = {}
        for kind in sorted({kind for kind, _, _ in self.pairs}):
            of_it = [(label, verdict) for k, label, verdict in self.pairs if k == kind]
            right = sum(label == verdict for label, verdict in of_it)
            decided = sum(verdict != "undecided" for _, verdict in of_it)
            found[kind] = (right, decided, len(of_it))
        return found


def agreements(judge: str, items: Sequence[Labelled], rulings: Sequence[Ruling]) -> list[Agreement]:
    """One for each task that the items have, and one for both when the judge rules on both."""
    pairs = list(zip(items, rulings, strict=True))
    found = [
        _agreement(judge, task, of_task)
        for task in TASKS
        if (of_task := [pair for pair in pairs if pair[0].task == task])
    ]
    if sum(agreement.decided > 0 for agreement in found) > 1:
        found.append(_agreement(judge, "all", pairs))
    return found


def _agreement(judge: str, task: str, pairs: Sequence[tuple[Labelled, Ruling]]) -> Agreement:
    return Agreement(
        judge=judge,
        task=task,
        pairs=tuple((item.kind, item.label, ruling.verdict) for item, ruling in pairs),
        failed=sum(ruling.failed for _, ruling in pairs),
    )


def chained(*rulings: Sequence[Ruling]) -> list[Ruling]:
    """What a chain of judges would have said, from what each has said alone.

    The same as asking `eval.judges.Chain`, without asking a model twice.
    """
    return [
        next((ruling for ruling in alone if ruling.decided), alone[-1])
        for alone in zip(*rulings, strict=True)
    ]


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance of two raters, -1..1 (Cohen 1960); None when chance explains all.

    `(p_o - p_e) / (1 - p_e)`, with the share of equal pairs p_o, and p_e what it would be if each
    rater gave its own labels at random.
    """
    if not pairs:
        return None
    total = len(pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    observed = sum(a == b for a, b in pairs) / total
    expected = sum(first[label] * second[label] for label in first) / total**2
    return (observed - expected) / (1 - expected) if expected < 1 else None


def tables(found: Sequence[Agreement]) -> list[report.Table]:
    """The agreement of all judges in one table; for each judge confusions and kinds."""
    columns = ("judge, on what", "decided", "right of decided", "kappa", "failed")
    summary = report.Table(
        "Agreement with labels given by hand",
        columns,
        tuple(
            (
                f"{one.judge}, {NAMES[one.task]}",
                f"{one.decided}/{one.total}  {report.interval(share(one.decided, one.total))}",
                f"{one.right}/{one.decided}  {report.interval(one.accuracy)}",
                report.number(one.kappa, 2),
                str(one.failed),
            )
            for one in found
        ),
    )
    parts = [one for one in found if one.task != "all"]
    return [summary, *map(_confusion, parts), *map(_kinds, parts)]


def _confusion(one: Agreement) -> report.Table:
    rows = one.confusion
    verdicts = tuple(next(iter(rows.values())))
    return report.Table(
        f"{one.judge}, {NAMES[one.task]}: label by hand (rows) and verdict (columns)",
        ("label", *verdicts),
        tuple((label, *(str(row[verdict]) for verdict in verdicts)) for label, row in rows.items()),
    )


def _kinds(one: Agreement) -> report.Table:
    return report.Table(
        f"{one.judge}, {NAMES[one.task]}: by kind",
        ("kind", "right", "decided", "pairs"),
        tuple((kind, *map(str, counts)) for kind, counts in one.kinds.items()),
    )


def as_json(one: Agreement) -> dict[str, Any]:
    """All numbers of one judge on one task."""
    decided, accuracy = share(one.decided, one.total), one.accuracy
    return {
        "judge": one.judge,
        "task": one.task,
        "total": one.total,
        "decided": one.decided,
        "decided_share": _interval(decided),
        "right": one.right,
        "right_of_decided": _interval(accuracy),
        "kappa": one.kappa,
        "failed": one.failed,
        "confusion": one.confusion,
        "kinds": {
            kind: {"right": right, "decided": decided_of_it, "total": total}
            for kind, (right, decided_of_it, total) in one.kinds.items()
        },
    }


def _interval(value: Interval | None) -> dict[str, float] | None:
    return {"value": value.value, "low": value.low, "high": value.high} if value else None
