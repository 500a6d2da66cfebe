"""The measures of a ranking, and how sure one may be of their means.

The measures themselves come from `ir-measures` (trec_eval's own code underneath), so that a number
here is the number that other people's tools print.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeVar

import ir_measures
import numpy as np
from ir_measures import RR, P, R, nDCG
from numpy.typing import NDArray

MEASURES = {
    "nDCG@10": nDCG @ 10,
    "Recall@10": R @ 10,
    "Recall@100": R @ 100,
    "MRR@10": RR @ 10,
    "P@1": P @ 1,
}
FIRST_TEN = {name: measure for name, measure in MEASURES.items() if name != "Recall@100"}
"""Those that need no more of a ranking than its first ten documents."""
FACTS = {"Facts@5": 5, "Facts@10": 10}
"""Share of required facts that a document among the first k holds."""
CURVE = {k: R @ k for k in range(1, 11)}
"""Recall among the first k, for a curve."""
DEPTH = 100
"""How many documents of a ranking the measures look at."""

RESAMPLES = 5000
SEED = 20261122
CONFIDENCE = 0.95
_CELLS = 2_000_000  # Of one block of resamples, to bound memory.

Grades = Mapping[str, Mapping[str, int]]
PerQuery = dict[str, float]
N = TypeVar("N", str, int)
"""What a measure is called."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


def score(
    qrels: Grades, rankings: Mapping[str, Sequence[str]], measures: Mapping[str, Any] = MEASURES
) -> dict[str, PerQuery]:
    """Each measure's value for each query of `qrels`; `rankings` are document ids, best first.

    A query without a ranking is owed a score all the same, and gets 0.
    """
    return _scored(qrels, rankings, measures)


def fact_recall(
    where: Mapping[str, Sequence[Collection[str]]], rankings: Mapping[str, Sequence[str]], k: int
) -> PerQuery:
    """For each query the share of its facts that stand in one of the first `k` documents.

    `where` holds, for each fact of a query, the documents of which any one says it. So a fact that
    several documents say is found with one of them, where recall asks for all.
    """
    return {
        query: sum(not set(rankings.get(query, ())[:k]).isdisjoint(one) for one in facts)
        / len(facts)
        for query, facts in where.items()
    }


def recall_curve(qrels: Grades, rankings: Mapping[str, Sequence[str]]) -> dict[int, Interval]:
    """k → mean recall over all queries among the first k documents, as `score` counts them."""
    return {k: mean(values) for k, values in _scored(qrels, rankings, CURVE).items()}


def _scored(
    qrels: Grades, rankings: Mapping[str, Sequence[str]], measures: Mapping[N, Any]
) -> dict[N, PerQuery]:
    run = {
        # Whole numbers that fall with the rank: ties and rounding cannot change the order.
        query: {document: float(len(found) - rank) for rank, document in enumerate(found)}
        for query in qrels
        if (found := rankings.get(query))
    }
    names = {measure: name for name, measure in measures.items()}
    scores = {name: dict.fromkeys(qrels, 0.0) for name in measures}
    if run:
        for row in ir_measures.iter_calc(list(names), dict(qrels), run):
            scores[names[row.measure]][row.query_id] = float(row.value)
    return scores


def mean(values: Mapping[str, float]) -> Interval:
    """Mean over queries with the percentile bootstrap's 95 % interval (seeded)."""
    array = np.fromiter(values.values(), dtype=np.float64, count=len(values))
    low, high = _bootstrap(array)
    return Interval(float(array.mean()), low, high)


def difference(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Interval:
    """Mean of `ours - theirs` query by query, with the paired bootstrap's 95 % interval.

    Raises:
        ValueError: when the two are not about the same queries.
    """
    if ours.keys() != theirs.keys():
        msg = "A paired comparison needs values for the same queries on both sides."
        raise ValueError(msg)
    return mean({query: value - theirs[query] for query, value in ours.items()})


def share(count: int, total: int) -> Interval | None:
    """`count` of `total` with Wilson's 95 % interval; None of nothing is no share at all."""
    if total == 0:
        return None
    z = 1.959963984540054
    part = count / total
    scale = 1 + z * z / total
    middle = (part + z * z / (2 * total)) / scale
    half = z * sqrt(part * (1 - part) / total + z * z / (4 * total * total)) / scale
    return Interval(part, max(0.0, middle - half), min(1.0, middle + half))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The percentile by linear interpolation; None when there are no values."""
    return float(np.percentile(values, percent)) if values else None


def _bootstrap(values: NDArray[np.float64]) -> tuple[float, float]:
    if values.size == 0:
        msg = "A mean needs at least one value."
        raise ValueError(msg)
    random = np.random.default_rng(SEED)
    block = max(1, _CELLS // values.size)
    means = np.concatenate(
        [
            values[
                random.integers(0, values.size, (min(block, RESAMPLES - done), values.size))
            ].mean(1)
            for done in range(0, RESAMPLES, block)
        ]
    )
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
