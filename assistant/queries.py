"""A question as several searches that compete by score: the readings of a follow-up, an acronym.

What was tried and left out stands in eval/RESULTS.md, "Retrieval in steps": the parts of a question
with two halves, searched for apart, found no more than the whole question does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One way of searching for what a question asks."""

    text: str
    weight: float = 1.0
    """What it finds has its score times this, 0..1."""


def fused(arms: Iterable[tuple[float, Mapping[int, float]]]) -> dict[int, float]:
    """Each row at the best of its weighted scores.

    >>> fused([(1.0, {1: 0.5, 2: 0.4}), (0.5, {2: 0.9, 3: 0.8})])
    {1: 0.5, 2: 0.45, 3: 0.4}
    """
    best: dict[int, float] = {}
    for weight, scores in arms:
        for row, score in scores.items():
            best[row] = max(best.get(row, 0.0), weight * score)
    return best
