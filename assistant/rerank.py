"""A second look at the best hits: by what they have in common, or by a cross-encoder.

*Feedback* needs no model: the passages that came first are taken as right, and the others gain by
their likeness to them (pseudo-relevance feedback; Rocchio in Salton, The SMART Retrieval System,
1971, here over the vectors of the index). It costs under a millisecond. A *cross-encoder* reads
question and passage together; it costs a pass of a transformer for each passage, so give it a GPU
or a short `rerank_depth`. What each is worth stands in eval/RESULTS.md.
"""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.errors import ModelError
from ingest.settings import RetrievalSettings

if TYPE_CHECKING:
    # Only for types: the import takes seconds that a search without one need not pay.
    from sentence_transformers import CrossEncoder

NONE, FEEDBACK = "none", "feedback"
"""Values of `[retrieval] reranker` that need no model."""
TRUSTED = 3
"""Passages that are taken as right."""
WEIGHT = 0.2
"""Share of the likeness to them. With more the first passages only confirm themselves: Cranfield
gains up to 0.6, Vaswani and the sample lose from 0.5 on."""
STEEP = 3.0
"""How fast trust falls with the score: a passage 0.23 below the best has half its say."""
COMPANY = 0.1
"""What a passage gains from the next best of its own document, as a share of that one's score: a
page of which two places answer is more likely the right one. 0.2 gains more on the sample and
loses on Cranfield."""

Scores = Mapping[int, float]


class Pool(Protocol):
    """What a reranker may read: the hits of one search, of one reader."""

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Unit vectors of chunks, shape (len(rows), dim)."""
        ...

    def texts(self, rows: Sequence[int]) -> list[str]:
        """What was indexed of each chunk: its header and its text."""
        ...

    def documents(self, rows: Sequence[int]) -> list[str]:
        """The id of the document of each chunk."""
        ...


class Reranker(Protocol):
    """Gives hits new scores. The scores of one search, by row; higher is better, none is lost."""

    def rerank(self, text: str, scores: Scores, pool: Pool) -> dict[int, float]:
        """New scores for the same rows.

        Raises:
            ModelError: when the model behind it is away.
        """
        ...


class Feedback:
    """Likeness to the first passages, added to the score, and the company of the own document."""

    def rerank(self, text: str, scores: Scores, pool: Pool) -> dict[int, float]:
        """`(score + c·next best of the document + w·cosine to the centre) / (1 + c + w)`.

        The centre is the mean of the first passages, weighted by `e` to their scores.
        """
        if not scores:
            return {}
        joined = _in_company(scores, pool)
        rows = sorted(joined, key=lambda row: (-joined[row], row))
        vectors = pool.vectors(rows)
        first = np.array([joined[row] for row in rows[:TRUSTED]])
        trust = np.exp(STEEP * (first - first[0]))
        centre = trust @ vectors[: len(first)]
        likeness = vectors @ (centre / max(float(np.linalg.norm(centre)), 1e-9))
        whole = 1 + COMPANY + WEIGHT
        return {
            row: (joined[row] + WEIGHT * max(0.0, float(like))) / whole
            for row, like in zip(rows, likeness, strict=True)
        }


def _in_company(scores: Scores, pool: Pool) -> dict[int, float]:
    """All passages of a document gain alike, so that their own order stays."""
    by_document: dict[str, list[int]] = {}
    for row, document in zip(scores, pool.documents(list(scores)), strict=True):
        by_document.setdefault(document, []).append(row)
    joined = dict(scores)
    for rows in by_document.values():
        if len(rows) > 1:
            second = sorted((scores[row] for row in rows), reverse=True)[1]
            for row in rows:
                joined[row] += COMPANY * second
    return joined


class CrossEncoded:
    """The first `depth` passages in the order of a cross-encoder; the others follow as they were.

    The model is loaded when first needed. Safe to use from several threads: they take turns.
    """

    def __init__(self, model: str, depth: int) -> None:
        """`model`: a folder, or a name on the model hub."""
        self._name = model
        self._depth = depth
        self._model: CrossEncoder | None = None
        self._turn = threading.Lock()

    def rerank(self, text: str, scores: Scores, pool: Pool) -> dict[int, float]:
        """The upper half of 0..1 for what was read, the lower for the rest."""
        rows = sorted(scores, key=lambda row: (-scores[row], row))
        read = rows[: self._depth]
        found = self._judge(text, pool.texts(read))
        told = {row: scores[row] / 2 for row in rows}
        return told | {row: (1 + worth) / 2 for row, worth in zip(read, found, strict=True)}

    def _judge(self, text: str, passages: Sequence[str]) -> list[float]:
        with self._turn:
            if self._model is None:
                self._model = self._load()
            # With one label and no other choice in its settings, the model ends in a sigmoid: 0..1.
            worth = self._model.predict(
                [(text, passage) for passage in passages], show_progress_bar=False
            )
        return [float(value) for value in worth]

    def _load(self) -> "CrossEncoder":
        from sentence_transformers import CrossEncoder
        from torch import nn

        try:
            model: CrossEncoder = CrossEncoder(self._name, activation_fn=nn.Sigmoid())
        except (OSError, ValueError) as error:
            msg = (
                f"The reranker {self._name!r} cannot be loaded ({error}). Set [retrieval] reranker "
                f'to a folder, to a name of the hub, or to "{FEEDBACK}".'
            )
            raise ModelError(msg) from error
        if model.num_labels != 1:
            msg = (
                f"The reranker {self._name!r} gives {model.num_labels} values for a passage, "
                "and one is needed. Set [retrieval] reranker to another."
            )
            raise ModelError(msg)
        return model


def reranker_from(settings: RetrievalSettings) -> Reranker | None:
    """What the settings ask for; None for the fast path."""
    if settings.reranker == NONE:
        return None
    if settings.reranker == FEEDBACK:
        return Feedback()
    return CrossEncoded(str(Path(settings.reranker).expanduser()), settings.rerank_depth)
