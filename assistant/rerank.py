"""A second look at the best hits: by what they have in common, or by a cross-encoder.

*Feedback* needs no model: the passages that came first are taken as right, and the others gain by
their likeness to them (pseudo-relevance feedback; Rocchio in Salton, The SMART Retrieval System,
1971, here over the vectors of the index). It costs under a millisecond. A *cross-encoder* reads
question and passage together; it costs a pass of a transformer for each passage, so give it a GPU
or a short `rerank_depth`. What each is worth stands in eval/RESULTS.md.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.embed import CUT, TOO_LONG
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

SERVER_TIMEOUT_S = 10.0
"""A search waits no longer for a server; then it goes on without."""

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
    """The first `depth` passages in the order of a cross-encoder; the others as they were."""

    def __init__(self, judge: "Judge", depth: int) -> None:
        """`judge` reads a question with passages, in this process or behind a server."""
        self._judge = judge
        self._depth = depth

    def rerank(self, text: str, scores: Scores, pool: Pool) -> dict[int, float]:
        """The upper half of 0..1 for what was read, the lower for the rest."""
        rows = sorted(scores, key=lambda row: (-scores[row], row))
        read = rows[: self._depth]
        found = self._judge(text, pool.texts(read)) if read else []
        told = {row: scores[row] / 2 for row in rows}
        return told | {row: (1 + worth) / 2 for row, worth in zip(read, found, strict=True)}


class Judge(Protocol):
    """A cross-encoder, wherever it runs."""

    def __call__(self, text: str, passages: Sequence[str]) -> list[float]:
        """How well each passage answers, 0..1.

        Raises:
            ModelError: it is away, or says something else than asked.
        """
        ...


class LocalJudge:
    """A cross-encoder in this process, loaded when first needed. Threads take turns."""

    def __init__(self, model: str) -> None:
        """`model`: a folder, or a name on the model hub."""
        self._name = model
        self._model: CrossEncoder | None = None
        self._turn = threading.Lock()

    def __call__(self, text: str, passages: Sequence[str]) -> list[float]:
        """As `Judge`."""
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


class ServedJudge:
    """A cross-encoder behind `/v1/rerank`, as vLLM and others serve it."""

    def __init__(self, url: str, model: str, key: str) -> None:
        """`url` with or without its `/v1`."""
        import httpx2  # a tenth of a second that a search without a server need not pay

        self._where = f"The reranking server at {url}"
        self._model = model
        self._errors = (httpx2.HTTPError, ValueError, TypeError, KeyError)
        self._client = httpx2.Client(
            base_url=f"{url.rstrip('/').removesuffix('/v1')}/v1",
            headers={"Authorization": f"Bearer {key}"} if key else None,
            timeout=httpx2.Timeout(SERVER_TIMEOUT_S, connect=2.0),
        )

    def __call__(self, text: str, passages: Sequence[str]) -> list[float]:
        """As `Judge`. Scores beyond 0..1 are taken as logits."""
        asked = {"model": self._model, "query": text, "documents": list(passages)}
        try:
            reply = self._client.post("/rerank", json=asked | {"top_n": len(passages)})
            if reply.status_code == 400 and TOO_LONG in reply.text:
                # One long passage would take the others along: cut it, as a model in process does.
                more = {"top_n": len(passages), **CUT}
                reply = self._client.post("/rerank", json=asked | more)
            reply.raise_for_status()
            rows = reply.json()["results"]
            told = {int(row["index"]): float(row["relevance_score"]) for row in rows}
        except self._errors as error:
            msg = (
                f"{self._where} does not answer for {self._model}: {error!r}. Start it, or set "
                "[retrieval] reranker_url."
            )
            raise ModelError(msg) from error
        worth = np.array([told.get(place, np.nan) for place in range(len(passages))])
        if len(told) != len(passages) or not np.isfinite(worth).all():
            msg = f"{self._where} told scores for other passages than were sent. It is not usable."
            raise ModelError(msg)
        if worth.min() < 0 or worth.max() > 1:
            worth = 1 / (1 + np.exp(-worth))
        return [float(value) for value in worth]

    def close(self) -> None:
        """Let the connection go. One that serves keeps it as long as the process lives."""
        self._client.close()


def reranker_from(settings: RetrievalSettings) -> Reranker | None:
    """What the settings ask for; None for the fast path."""
    name = settings.reranker
    if name == NONE:
        return None
    if name == FEEDBACK:
        return Feedback()
    judge: Judge
    if settings.reranker_url:
        key = os.environ.get(settings.reranker_key_env, "")
        judge = ServedJudge(settings.reranker_url, name, key)
    else:
        judge = LocalJudge(str(Path(name).expanduser()))
    return CrossEncoded(judge, settings.rerank_depth)
