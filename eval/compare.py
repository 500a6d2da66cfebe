"""Two runs over the same questions, question by question: what is better now, what is worse.

Only questions that both runs were asked are compared, and only those whose line did not change in
between. All others are named, so that nobody takes a part for the whole.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eval import report, summary
from eval.answers import Row
from eval.gate import RIGHT
from eval.measures import Interval
from eval.paired import NOTHING, Sums, differences, ratio, sign_test
from eval.runs import AnswersRun, ArmRun, RetrievalRun, Run
from ingest.errors import DocentError

SECONDS = {
    "first_token_seconds": "seconds to the first token, mean",
    "seconds": "seconds in all, mean",
}
RECIPROCAL = "reciprocal_rank"
LESS_IS_BETTER = summary.LESS_IS_BETTER | SECONDS.keys()
LABELS = {**summary.SHARES, RECIPROCAL: summary.RECIPROCAL_RANK, **SECONDS}
"""The measures of answers."""
FAILED = "failed"
RANKED_BY = "nDCG@10"
"""By this one a query of a retrieval run is won or lost."""
NAMED = 30
"""So many changed questions stand in a table; the JSON has all."""


@dataclass(frozen=True, slots=True)
class Change:
    """One measure on both sides."""

    name: str
    label: str
    questions: int
    """How many add something to it on one side at least."""
    before: float | None
    """None where there is nothing to take a share of."""
    after: float | None
    difference: Interval | None
    """After minus before, with the paired bootstrap's 95 % interval."""

    @property
    def less_is_better(self) -> bool:
        """True of what should be small."""
        return self.name in LESS_IS_BETTER

    @property
    def verdict(self) -> str:
        """`better` or `worse` when the interval excludes 0, `same` when no draw differs; else
        `unclear`, and empty where there is nothing to compare.
        """
        if self.difference is None:
            return ""
        if self.difference.low == self.difference.high == 0:
            return "same"
        if self.difference.low <= 0 <= self.difference.high:
            return "unclear"
        return "better" if (self.difference.value > 0) != self.less_is_better else "worse"


@dataclass(frozen=True, slots=True)
class Moved:
    """A question that came out differently."""

    id: str
    question: str
    """Empty for retrieval: a measurement keeps the ids of its queries only."""
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One arm on both sides; for rows, the answers."""

    arm: str
    """Empty for rows."""
    changes: tuple[Change, ...]
    won: tuple[str, ...]
    """Right now and not before; for retrieval, with a higher nDCG@10."""
    lost: tuple[str, ...]
    moved: tuple[Moved, ...]
    """What was lost first, then what was won, then what is different in another way."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs and what lies between them."""

    kind: str
    """`answers` or `retrieval`."""
    before: str
    """The file, as it was given."""
    after: str
    common: tuple[str, ...]
    """The questions that are compared."""
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    rewritten: tuple[str, ...]
    """Asked by both, but their lines are not the same."""
    arms_before: tuple[str, ...]
    """Arms that only this side has; they are not compared."""
    arms_after: tuple[str, ...]
    parts: tuple[Compared, ...]

    @property
    def unpaired(self) -> int:
        """How many questions of the first run have no partner in the second."""
        return len(self.only_before) + len(self.rewritten)


def compare(before: Run, after: Run) -> Comparison:
    """Pair two runs of one kind.

    Raises:
        DocentError: when they are of two kinds, or have no question or no arm in common.
    """
    if isinstance(before, AnswersRun) and isinstance(after, AnswersRun):
        return _answers(before, after)
    if isinstance(before, RetrievalRun) and isinstance(after, RetrievalRun):
        return _retrieval(before, after)
    msg = f"{before.path} and {after.path} cannot be compared: one holds answers, one retrieval."
    raise DocentError(msg)


def measured(row: Row) -> dict[str, Sums]:
    """What one row adds to each measure, as the summary counts it."""
    return {
        **{name: (share.count, share.total) for name, share in summary.shares([row]).items()},
        RECIPROCAL: _reciprocal(row),
        "first_token_seconds": _seconds(row.first_token_ms),
        "seconds": _seconds(row.total_ms),
    }


def tables(comparison: Comparison) -> list[report.Table]:
    """The comparison as tables of text."""
    return [table for part in comparison.parts for table in _tables(part, comparison)]


def notes(comparison: Comparison) -> list[str]:
    """One sentence for each thing that was not compared."""
    first, second = comparison.before, comparison.after
    told = [
        (comparison.only_before, f"only in {first}"),
        (comparison.only_after, f"only in {second}"),
        (comparison.rewritten, "in both, but their lines changed in between"),
        (comparison.arms_before, f"arms of {first} only"),
        (comparison.arms_after, f"arms of {second} only"),
    ]
    return [f"Not compared, {what}: {_listed(names)}." for names, what in told if names]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, with exact numbers and without a limit."""
    told = asdict(comparison)
    for part, exact in zip(comparison.parts, told["parts"], strict=True):
        exact["p_sign_test"] = sign_test(len(part.won), len(part.lost))
        for change, entry in zip(part.changes, exact["changes"], strict=True):
            entry["less_is_better"] = change.less_is_better
            entry["verdict"] = change.verdict
    return {"kind": "comparison", "of": told.pop("kind"), **told}


# Answers -----------------------------------------------------------------------------------------


def _answers(before: AnswersRun, after: AnswersRun) -> Comparison:
    both = [name for name in before.rows if name in after.rows]
    rewritten = [n for n in both if before.rows[n].digest != after.rows[n].digest]
    common = [name for name in both if name not in set(rewritten)]
    if not common:
        raise _nothing(before, after, "no question")
    old = [before.rows[name] for name in common]
    new = [after.rows[name] for name in common]
    return Comparison(
        kind="answers",
        before=str(before.path),
        after=str(after.path),
        common=tuple(common),
        only_before=tuple(name for name in before.rows if name not in after.rows),
        only_after=tuple(name for name in after.rows if name not in before.rows),
        rewritten=tuple(rewritten),
        arms_before=(),
        arms_after=(),
        parts=(_rows(old, new),),
    )


def _rows(old: list[Row], new: list[Row]) -> Compared:
    pairs = list(zip(old, new, strict=True))
    lost = [b for a, b in pairs if a.outcome in RIGHT and b.outcome not in RIGHT]
    won = [b for a, b in pairs if a.outcome not in RIGHT and b.outcome in RIGHT]
    decided = {row.id for row in (*lost, *won)}
    texts = {a.id: (_told(a), _told(b)) for a, b in pairs}
    other = [b for b in new if b.id not in decided and texts[b.id][0] != texts[b.id][1]]
    return Compared(
        arm="",
        changes=_changes(LABELS, map(measured, old), map(measured, new)),
        won=tuple(row.id for row in won),
        lost=tuple(row.id for row in lost),
        moved=tuple(Moved(row.id, row.question, *texts[row.id]) for row in (*lost, *won, *other)),
    )


def _told(row: Row) -> str:
    required = [fact.covered for fact in row.facts if fact.required]
    return f"{row.outcome}, {sum(required)}/{len(required)} facts" if required else row.outcome


def _reciprocal(row: Row) -> Sums:
    # A row of old knows that a right document was retrieved, and not at which place.
    if not row.answerable or (row.document_retrieved and row.gold_rank is None):
        return NOTHING
    return (1 / row.gold_rank if row.gold_rank else 0.0, 1.0)


def _seconds(milliseconds: float | None) -> Sums:
    return NOTHING if milliseconds is None else (milliseconds / 1000, 1.0)


# Retrieval ---------------------------------------------------------------------------------------


def _retrieval(before: RetrievalRun, after: RetrievalRun) -> Comparison:
    digests = [run.head.get("dataset", {}).get("digest", "") for run in (before, after)]
    if digests[0] != digests[1]:
        msg = (
            f"{before.path} and {after.path} were measured on different collections: their digests "
            f"are {digests[0][:12]!r} and {digests[1][:12]!r}."
        )
        raise DocentError(msg)
    arms = [name for name in before.arms if name in after.arms]
    if not arms:
        raise _nothing(before, after, "no arm")
    sides = [frozenset.union(*(run.arms[name].queries for name in arms)) for run in (before, after)]
    common = sorted(sides[0] & sides[1])
    if not common:
        raise _nothing(before, after, "no query")
    return Comparison(
        kind="retrieval",
        before=str(before.path),
        after=str(after.path),
        common=tuple(common),
        only_before=tuple(sorted(sides[0] - sides[1])),
        only_after=tuple(sorted(sides[1] - sides[0])),
        rewritten=(),
        arms_before=tuple(name for name in before.arms if name not in after.arms),
        arms_after=tuple(name for name in after.arms if name not in before.arms),
        parts=tuple(_arms(name, before.arms[name], after.arms[name], common) for name in arms),
    )


def _arms(name: str, old: ArmRun, new: ArmRun, queries: list[str]) -> Compared:
    names = [measure for measure in old.per_query if measure in new.per_query]
    sides = [[_query(arm, names, query) for query in queries] for arm in (old, new)]
    by = RANKED_BY if RANKED_BY in names else next(iter(names), FAILED)
    moved = sorted(
        (
            (after[by][0] - before[by][0], query, before[by][0], after[by][0])
            for query, before, after in zip(queries, *sides, strict=True)
            if before[by] != after[by]
        ),
    )
    won = [one for one in reversed(moved) if one[0] > 0]
    lost = [one for one in moved if one[0] < 0]
    return Compared(
        arm=name,
        changes=_changes({n: n for n in (*names, FAILED)}, *sides),
        won=tuple(query for _, query, *_ in won),
        lost=tuple(query for _, query, *_ in lost),
        moved=tuple(
            Moved(query, "", f"{by} {before:.3f}", f"{by} {after:.3f}")
            for _, query, before, after in (*lost, *won)
        ),
    )


def _query(arm: ArmRun, names: Iterable[str], query: str) -> dict[str, Sums]:
    return {
        **{name: (arm.per_query[name].get(query, 0.0), 1.0) for name in names},
        FAILED: (float(query in arm.failures), 1.0),
    }


# Both --------------------------------------------------------------------------------------------


def _changes(
    labels: Mapping[str, str],
    before: Iterable[Mapping[str, Sums]],
    after: Iterable[Mapping[str, Sums]],
) -> tuple[Change, ...]:
    rows = [list(before), list(after)]
    old, new = ({name: [row[name] for row in side] for name in labels} for side in rows)
    found = differences(old, new)
    return tuple(
        Change(
            name=name,
            label=label,
            questions=sum(bool(a[1] or b[1]) for a, b in zip(old[name], new[name], strict=True)),
            before=ratio(old[name]),
            after=ratio(new[name]),
            difference=found[name],
        )
        for name, label in labels.items()
    )


def _nothing(before: Run, after: Run, what: str) -> DocentError:
    return DocentError(
        f"{before.path} and {after.path} have {what} in common. Give runs over one set."
    )


def _tables(part: Compared, comparison: Comparison) -> list[report.Table]:
    arm = f"{part.arm}: " if part.arm else ""
    measures = report.Table(
        title=f"{arm}{comparison.after} minus {comparison.before}; {len(comparison.common)} "
        f"questions of both, in pairs; {counted(part)}",
        columns=("measure", "n", "before", "after", "difference with 95 % interval", "verdict"),
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
    return [measures, *moved_table(part)]


def counted(part: Compared) -> str:
    """`won 3, lost 1, sign test p = 0.625`."""
    won, lost = len(part.won), len(part.lost)
    return f"won {won}, lost {lost}, sign test p = {sign_test(won, lost):.3f}"


def moved_table(part: Compared) -> list[report.Table]:
    """Which questions came out differently; no table when none did."""
    if not part.moved:
        return []
    arm = f"{part.arm}: " if part.arm else ""
    shown = f"; the first {NAMED}" if len(part.moved) > NAMED else ""
    return [
        report.Table(
            title=f"{arm}{len(part.moved)} came out differently{shown}",
            columns=("question", "before", "after"),
            rows=tuple((one.id, one.before, one.after) for one in part.moved[:NAMED]),
        )
    ]


def _listed(names: tuple[str, ...], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
