"""How much to trust the score of an answer: fit it again, and see what a threshold costs.

The score is a logistic regression over the signs that each row carries (`assistant.confidence`).
What is fitted is whether the question can be answered for its reader, which a row knows whatever
was answered; so rows of any run will do, also of one that refused much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.confidence import SIGNS, Weights
from eval.answers import Row
from ingest.errors import DocentError

RIDGE = 0.1
"""Half the weight of the squared coefficients in what is minimised: 1 / C of scikit-learn."""
STEPS = 50
FOLDS = 10
LEAST = 10
"""Rows of each kind, fewer of which fit nothing."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What comes of refusing everything under a score."""

    score: float
    abstained: float
    """Share of the questions without an answer that are refused; more is better."""
    refused: float
    """Share of the questions with an answer that are refused; less is better."""
    risk: float | None
    """Share of the answered questions that have no answer; None when nothing is answered."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fit with its quality on questions that it was not fitted on."""

    weights: Weights
    rows: int
    answerable: int
    auc: float
    """Of ten-fold scores: the chance that a question with an answer scores above one without."""
    curve: tuple[Threshold, ...]
    """Of the same scores, by rising threshold."""


def calibrate(rows: Sequence[Row]) -> Calibration:
    """Fit the weights, and score each row by weights fitted without its fold.

    Folds are taken in turn, so that the same rows always give the same result.

    Raises:
        DocentError: when too few rows carry signs, or too few of either kind.
    """
    told = [row for row in rows if row.signs]
    x = np.array([[row.signs.get(name, 0.0) for name in SIGNS] for row in told], np.float64)
    y = np.array([row.answerable for row in told], np.float64)
    if min(int(y.sum()), len(told) - int(y.sum())) < LEAST:
        msg = (
            f"{len(told)} rows carry signs, {int(y.sum())} of them answerable. To fit a score takes"
            f" at least {LEAST} of each kind: give the rows of more questions."
        )
        raise DocentError(msg)
    x = x.reshape(len(told), len(SIGNS))
    scores = np.empty(len(told))
    for fold in range(FOLDS):
        held = np.arange(len(told)) % FOLDS == fold
        scores[held] = _predict(_fit(x[~held], y[~held]), x[held])
    bias, *weights = (round(float(value), 3) for value in _fit(x, y))
    return Calibration(
        weights=Weights(bias, dict(zip(SIGNS, weights, strict=True))),
        rows=len(told),
        answerable=int(y.sum()),
        auc=auc(scores, y),
        curve=curve(scores, y),
    )


def auc(scores: Matrix, answerable: Matrix) -> float:
    """Area under the ROC curve; a tie counts half."""
    above, below = scores[answerable == 1], scores[answerable == 0]
    wins = (above[:, None] > below).sum() + 0.5 * (above[:, None] == below).sum()
    return float(wins / (len(above) * len(below)))


def curve(scores: Matrix, answerable: Matrix) -> tuple[Threshold, ...]:
    """Every threshold that makes a difference."""
    found = []
    for score in [*np.unique(scores), np.inf]:
        refused = scores < score
        kept = answerable[~refused]
        found.append(
            Threshold(
                float(score),
                abstained=float(refused[answerable == 0].mean()),
                refused=float(refused[answerable == 1].mean()),
                risk=float(1 - kept.mean()) if len(kept) else None,
            )
        )
    return tuple(found)


def aurc(found: Sequence[Threshold]) -> float:
    """Mean risk over the thresholds that answer anything (Geifman and others, ICLR 2019)."""
    return float(np.mean([point.risk for point in found if point.risk is not None]))


def strictest(found: Sequence[Threshold], refused: float) -> Threshold:
    """The highest threshold that refuses at most this share of the questions with an answer."""
    return [point for point in found if point.refused <= refused][-1]


def thresholds(found: Sequence[Threshold], shares: Sequence[float]) -> Mapping[float, Threshold]:
    """For each tolerated share of false refusals, the strictest threshold."""
    return {share: strictest(found, share) for share in shares}


def _fit(x: Matrix, y: Matrix) -> Matrix:
    """Bias and weights by Newton's method on the likelihood; the bias is not penalised."""
    design = np.column_stack([np.ones(len(x)), x])
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 1e-9  # only to keep the system solvable
    beta = np.zeros(design.shape[1])
    for _ in range(STEPS):
        p = _sigmoid(design @ beta)
        gradient = design.T @ (y - p) - penalty @ beta
        hessian = (design.T * (p * (1 - p))) @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        beta = beta + step
        if np.abs(step).max() < 1e-8:
            break
    return beta


def _predict(beta: Matrix, x: Matrix) -> Matrix:
    return _sigmoid(beta[0] + x @ beta[1:])


def _sigmoid(value: Matrix) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -30, 30))), np.float64)
