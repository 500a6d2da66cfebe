"""Curves of a run: how risk grows with coverage, how early what is right comes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from eval.answers import Row
from eval.gate import RIGHT
from eval.measures import Interval, mean, share
from eval.runs import ArmRun
from eval.summary import ANSWERED

DEEPEST = 10
"""A right document is looked for among so many first passages."""


@dataclass(frozen=True, slots=True)
class Point:
    """What would come of answering only from a score upwards."""

    score: float
    coverage: float
    """Share of all questions that are answered."""
    risk: float
    """Share of the answered ones that are answered wrongly."""


def risk_coverage(rows: Sequence[Row]) -> list[Point]:
    """The risk–coverage curve, from the surest answer down to all that were given.

    Answers of one score come together, since no threshold tells them apart. What was refused or
    failed is not covered: nobody knows what would have been answered. Empty when an answer has no
    score, or there is none.
    """
    answered = [row for row in rows if row.status in ANSWERED]
    scored = [(row.score, row.outcome not in RIGHT) for row in answered if row.score is not None]
    if len(scored) < len(answered):
        return []
    points: list[Point] = []
    taken = wrong = 0
    ranked = sorted(scored, key=lambda one: -one[0])
    for score, group in groupby(ranked, key=lambda one: one[0]):
        mistakes = [mistaken for _, mistaken in group]
        taken, wrong = taken + len(mistakes), wrong + sum(mistakes)
        points.append(Point(score, taken / len(rows), wrong / taken))
    return points


def area(points: Sequence[Point]) -> float | None:
    """Mean risk along the curve up to its coverage (AURC as Geifman and others 2019 sum it).

    Each answer counts the risk at its own score. Less is better; None without a curve.
    """
    if not points:
        return None
    before = [0.0, *(point.coverage for point in points)]
    steps = (p.risk * (p.coverage - last) for p, last in zip(points, before, strict=False))
    return sum(steps) / points[-1].coverage


def found_within(rows: Iterable[Row]) -> list[Interval]:
    """For k = 1, 2 …: of the answerable questions, those with a right document in k passages.

    Wilson's 95 % intervals. Empty for rows of old, which do not tell what was retrieved.
    """
    answerable = [row for row in rows if row.answerable]
    if not any(row.retrieved for row in answerable):
        return []
    deepest = min(DEEPEST, max(len(row.retrieved) for row in answerable))
    ranks = [row.gold_rank for row in answerable]
    found = (sum(r is not None and r <= k for r in ranks) for k in range(1, deepest + 1))
    return [value for count in found if (value := share(count, len(ranks))) is not None]


def recall_curve(arm: ArmRun) -> dict[int, Interval]:
    """k → mean recall among the first k.

    A measurement of old has no curve, but a few depths; they make one.
    """
    if arm.recall_curve:
        told = sorted(arm.recall_curve.items())
        return {k: Interval(point.mean, point.low, point.high) for k, point in told}
    named = (re.fullmatch(r"Recall@(\d+)", measure) for measure in arm.per_query)
    depths = sorted(int(match[1]) for match in named if match)
    return {depth: mean(arm.per_query[f"Recall@{depth}"]) for depth in depths}
