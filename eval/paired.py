"""How sure one may be of the difference between two runs that were asked the same questions.

A measure is a ratio of sums: each question adds a count and a total, and the measure is the sum of
the counts over the sum of the totals. A share of facts or citations is one, and a mean is one whose
totals are 1. So a difference here is the difference of the numbers that each run's own table says.
"""

from collections.abc import Mapping, Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from eval.measures import CONFIDENCE, SEED, Interval

RESAMPLES = 10_000
_CELLS = 4_000_000  # Of one block of resamples, to bound memory.

Sums = tuple[float, float]
"""What one question adds: a count and a total."""
NOTHING: Sums = (0.0, 0.0)


def ratio(parts: Sequence[Sums]) -> float | None:
    """The sum of the counts over the sum of the totals; None of nothing."""
    total = sum(part[1] for part in parts)
    return sum(part[0] for part in parts) / total if total else None


def differences(
    before: Mapping[str, Sequence[Sums]], after: Mapping[str, Sequence[Sums]]
) -> dict[str, Interval | None]:
    """For each measure, `after` minus `before` with the percentile bootstrap's 95 % interval.

    Both give, for each measure, the sums of the same questions in the same order. Questions are
    drawn, with all that they add to either side, so that facts of one question stay together; all
    measures see the same seeded draws. None where one side has no total. A draw in which a side has
    no total is left out for that measure.
    """
    names = [
        name
        for name in before
        if ratio(before[name]) is not None and ratio(after[name]) is not None
    ]
    found: dict[str, Interval | None] = dict.fromkeys(before)
    if not names:
        return found
    # questions × measures × (count, total), one of each side
    old, new = (
        np.array([side[name] for name in names], np.float64).transpose(1, 0, 2)
        for side in (before, after)
    )
    drawn = _resampled(old, new)
    tail = 100 * (1 - CONFIDENCE) / 2
    told = _ratios(new.sum(0)) - _ratios(old.sum(0))
    for at, name in enumerate(names):
        whole = drawn[:, at][~np.isnan(drawn[:, at])]
        low, high = np.percentile(whole, [tail, 100 - tail])
        found[name] = Interval(float(told[at]), float(low), float(high))
    return found


def difference_of_sums(
    before: Mapping[str, Sequence[Sums]], after: Mapping[str, Sequence[Sums]]
) -> Interval | None:
    """The sum of all measures of `after` minus that of `before`, with its 95 % interval.

    Drawn as in `differences`: each draw gives all measures of both sides, and their sum is one
    number of it. None where a measure has no total on one side; a draw in which one has none is
    left out.
    """
    names = list(before)
    sides = [ratio(side[name]) for side in (before, after) for name in names]
    if not names or None in sides:
        return None
    old, new = (
        np.array([side[name] for name in names], np.float64).transpose(1, 0, 2)
        for side in (before, after)
    )
    drawn = _resampled(old, new).sum(axis=1)
    whole = drawn[~np.isnan(drawn)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(whole, [tail, 100 - tail])
    told = (_ratios(new.sum(0)) - _ratios(old.sum(0))).sum()
    return Interval(float(told), float(low), float(high))


def sign_test(won: int, lost: int) -> float:
    """McNemar's exact test: how often chance alone splits so many changes this unevenly.

    Two-sided binomial with p = 1/2 (McNemar 1947, in its exact form); 1.0 when nothing changed.
    """
    changes = won + lost
    less = sum(comb(changes, few) for few in range(min(won, lost) + 1))
    return min(1.0, float(2 * less / 2**changes))


def _resampled(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference of each measure in each draw: draws × measures."""
    random = np.random.default_rng(SEED)
    questions = old.shape[0]
    block = max(1, _CELLS // questions)
    even = np.full(questions, 1 / questions)
    differences = []
    for done in range(0, RESAMPLES, block):
        # How often each question is drawn, which is all that a sum needs to know.
        times = random.multinomial(questions, even, min(block, RESAMPLES - done)).astype(np.float64)
        sums = (np.tensordot(times, side, axes=1) for side in (new, old))
        differences.append(np.subtract(*map(_ratios, sums)))
    return np.concatenate(differences)


def _ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, totals = sums[..., 0], sums[..., 1]
    empty = np.full(counts.shape, np.nan)
    ratios: NDArray[np.float64] = np.divide(counts, totals, out=empty, where=totals > 0)
    return ratios
