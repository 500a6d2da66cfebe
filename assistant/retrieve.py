"""Question → passages: dense and lexical search, fused, for one reader.

Fusion: a weighted sum of the cosine and of BM25 divided by the best BM25 of the query (or by a
share of what the query could reach, if that is more), or reciprocal rank fusion (k = 60, Cormack
et al., SIGIR 2009). Both are measured in eval/RESULTS.md.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assistant.copies import Choice
from assistant.glossary import Glossaries
from assistant.hostile import commands
from assistant.model import Passage
from assistant.queries import Reading, fused
from assistant.rerank import reranker_from
from assistant.validity import adjusted
from ingest.access import Reader
from ingest.embed import Embedder
from ingest.errors import ModelError
from ingest.filters import Facets, Filter
from ingest.index import Counts, Entry, Index, Snapshot, StoredChunk
from ingest.model import Document
from ingest.settings import RetrievalSettings

logger = logging.getLogger(__name__)

RRF_K = 60
HELD = 0.35
"""Share of the question's words that the best hit by words must hold to count in full. Divided by
itself, the best of hits that hold next to nothing would count as much as one that holds all: words
must not overrule the meaning where a question is asked in other words than the pages'."""
SPELLED_WEIGHT = 0.9
"""Of a question with its acronyms spelled out, beside the question as it is."""

Mode = Literal["reranked", "hybrid", "dense", "lexical"]
"""`reranked`, the default, is hybrid search with the reranker of the settings and pages that hold
before those that do not (`assistant.validity`)."""
Scores = Mapping[int, float]


class Retriever:
    """Finds passages in an index. Thread-safe; CPU-bound, so call it from a worker thread."""

    def __init__(
        self,
        index: Index,
        embedder: Embedder,
        settings: RetrievalSettings,
        embedders: Callable[[str], Embedder] | None = None,
    ) -> None:
        """`embedders` gives, by name, what a snapshot was built with, of an index that changes over
        to another embedder while it is open.
        """
        self._index = index
        self._embedder = embedder
        self._embedders = embedders
        self._settings = settings
        self._reranker = reranker_from(settings)
        self._glossaries = Glossaries()

    def retrieve(
        self,
        text: str,
        reader: Reader,
        k: int | None = None,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        """The `k` best passages, best first, at most `per_document` of one document.

        `also` holds other readings of the same question, such as a follow-up without the question
        before it; `only` says which documents to look in. When the embedder is away the lexical arm
        answers alone.
        """
        per_document = self._settings.per_document
        k = k or self._settings.k
        return self.search(text, reader, k, per_document=per_document, also=also, only=only)

    def search(
        self,
        text: str,
        reader: Reader,
        k: int,
        mode: Mode = "reranked",
        per_document: int | None = None,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        """The `k` best passages by one arm or both."""
        n = max(k, self._settings.candidates)
        with self._index.snapshot() as snapshot:
            # A follow-up has two readings already, and brings the words of an answer along.
            whole = mode == "reranked" and not also
            spelled = self._spelled(snapshot, text, reader) if whole else ()
            hits = [
                (reading.weight, self._hits(snapshot, reading.text, reader, mode, n, only))
                for reading in (Reading(text), *also, *spelled)
            ]
            scores = self._blended(hits)
            if mode == "reranked":
                fair = self._fair(snapshot, scores, hits, reader, 2 * k)
                pool = _Pool(snapshot, reader, fair)
                scores |= adjusted(text, self._reranked(text, fair, pool), pool.covers)
            return list(self._choose(snapshot, scores, reader, k, per_document))

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """A whole document; None when it is missing or the reader may not see it."""
        with self._index.snapshot() as snapshot:
            return snapshot.document(document_id, reader)

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """How much the reader may see, of what a filter takes."""
        with self._index.snapshot() as snapshot:
            return snapshot.counts(reader, only)

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """What the documents that the reader may see can be narrowed to, under a filter."""
        with self._index.snapshot() as snapshot:
            return snapshot.facets(reader, only)

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """What documents that the reader may see say of short forms."""
        with self._index.snapshot() as snapshot:
            return snapshot.glossary(reader)

    def _spelled(self, snapshot: Snapshot, text: str, reader: Reader) -> tuple[Reading, ...]:
        """The question with its acronyms spelled out, as documents of the reader do."""
        added = self._glossaries.of(snapshot.glossary(reader)).added(text)
        return (Reading(" ".join([text, *added]), SPELLED_WEIGHT),) if added else ()

    def _embedder_of(self, snapshot: Snapshot) -> Embedder:
        built = snapshot.manifest.parts.embedder if self._embedders else self._embedder.name
        if self._embedders is None or built == self._embedder.name:
            return self._embedder
        return self._embedders(built)

    def _hits(
        self,
        snapshot: Snapshot,
        text: str,
        reader: Reader,
        mode: Mode,
        n: int,
        only: Filter | None,
    ) -> "_Hits":
        # Not beside the embedder: its threads wait for each other, and 2 ms of a core cost it more.
        lexical = {h.row: h.score for h in snapshot.search_lexical(text, n, reader, only=only)}
        if mode == "lexical":
            return _Hits(None, lexical)
        try:
            vector = self._embedder_of(snapshot).embed_query(text)
        except ModelError as error:
            logger.warning("Searching by words alone: %s", error)
            return _Hits(None, lexical)
        dense = {h.row: h.score for h in snapshot.search_dense(vector, n, reader, only=only)}
        if mode == "dense":
            return _Hits(dense, None)
        if self._settings.fusion == "rrf":
            return _Hits(dense, lexical)
        # A passage that only the words found has a cosine too: worked out rather than taken as 0.
        rest = [row for row in lexical if row not in dense]
        if rest:
            found = snapshot.search_dense(vector, len(rest), reader, rows=rest)
            dense |= {h.row: h.score for h in found}
        return _Hits(dense, lexical, HELD * snapshot.reach(text, reader))

    def _blended(
        self, hits: Sequence[tuple[float, "_Hits"]], without: frozenset[int] = frozenset()
    ) -> dict[int, float]:
        """The arms of all readings as one score, as if some rows had not been found."""
        return fused((weight, self._blend(one.but(without))) for weight, one in hits)

    def _blend(self, hits: "_Hits") -> dict[int, float]:
        if hits.dense is None:
            return _scaled(hits.lexical or {})
        if hits.lexical is None:
            return hits.dense
        if self._settings.fusion == "rrf":
            return rrf(hits.dense, hits.lexical)
        return weighted(hits.dense, hits.lexical, self._settings.dense_weight, hits.least)

    def _fair(
        self,
        snapshot: Snapshot,
        scores: dict[int, float],
        hits: Sequence[tuple[float, "_Hits"]],
        reader: Reader,
        n: int,
    ) -> dict[int, float]:
        """The scores as they were without the passages that command the assistant.

        Such passages are found as ever, but others lose nothing by them: they are no measure for
        the words of others, and the reranker does not see them, so that nothing gains that is like
        them. Looked for among the first `n`.
        """
        hostile: frozenset[int] = frozenset()
        while True:
            best = sorted(scores, key=lambda row: (-scores[row], row))[:n]
            found = snapshot.chunks(best, reader)
            more = {one.row for one in found if commands(f"{one.title}\n{one.chunk.shown}")}
            if not more:
                return scores
            hostile |= more
            scores = self._blended(hits, hostile)

    def _reranked(self, text: str, scores: dict[int, float], pool: "_Pool") -> dict[int, float]:
        if self._reranker is None:
            return scores
        try:
            return self._reranker.rerank(text, scores, pool)
        except ModelError as error:
            logger.warning("Searching without the reranker: %s", error)
            return scores

    def _choose(
        self,
        snapshot: Snapshot,
        scores: Scores,
        reader: Reader,
        k: int,
        per_document: int | None,
    ) -> Iterator[Passage]:
        """The `k` best, those of near-duplicates as one."""
        rows = sorted(scores, key=lambda row: (-scores[row], row))
        choice = Choice(k, per_document)
        for start in range(0, len(rows), 2 * k):
            found = snapshot.chunks(rows[start : start + 2 * k], reader)
            choice.know(snapshot.twins({stored.document for stored in found}, reader))
            for stored in found:
                choice.offer(stored, scores[stored.row])
            if choice.full:
                break
        for kept in choice.chosen():
            yield _passage(kept.stored, kept.score, choice.also(kept.stored))


@dataclass(frozen=True, slots=True)
class _Hits:
    """What the arms found for one reading; None for an arm that was not asked or is away."""

    dense: dict[int, float] | None
    lexical: dict[int, float] | None
    least: float = 0.0
    """Least BM25 that counts as all of the question."""

    def but(self, rows: frozenset[int]) -> "_Hits":
        """The same without some rows."""
        if not rows:
            return self
        dense, lexical = (
            None if arm is None else {row: arm[row] for row in arm.keys() - rows}
            for arm in (self.dense, self.lexical)
        )
        return _Hits(dense, lexical, self.least)


class _Pool:
    """What a reranker may read: the hits of one search in one snapshot, for one reader."""

    def __init__(self, snapshot: Snapshot, reader: Reader, hits: Scores) -> None:
        self._snapshot = snapshot
        self._reader = reader
        self.covers = snapshot.covers(hits, reader)

    def vectors(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Unit vectors of chunks, shape (len(rows), dim)."""
        return self._snapshot.vectors(rows, self._reader)

    def texts(self, rows: Sequence[int]) -> list[str]:
        """What was indexed of each chunk: its header and its text."""
        return [stored.chunk.indexed for stored in self._snapshot.chunks(rows, self._reader)]

    def documents(self, rows: Sequence[int]) -> list[str]:
        """The id of the document of each chunk."""
        return [self.covers[row].document_id for row in rows]


def rrf(*arms: Scores) -> dict[int, float]:
    """Reciprocal rank fusion, scaled so that first in every arm is 1."""
    fused: dict[int, float] = {}
    for arm in arms:
        for rank, row in enumerate(sorted(arm, key=lambda r: (-arm[r], r)), start=1):
            fused[row] = fused.get(row, 0.0) + (RRF_K + 1) / (RRF_K + rank) / len(arms)
    return fused


def weighted(
    dense: Scores, lexical: Scores, dense_weight: float, least: float = 0.0
) -> dict[int, float]:
    """`w·cosine + (1 − w)·BM25 / best BM25`; an arm that did not find a row counts 0 for it.

    BM25 is divided by `least` where the best is below that.
    """
    scaled = _scaled(lexical, least)
    return {
        row: dense_weight * max(0.0, dense.get(row, 0.0))
        + (1 - dense_weight) * scaled.get(row, 0.0)
        for row in {*dense, *lexical}
    }


def _scaled(lexical: Scores, least: float = 0.0) -> dict[int, float]:
    best = max(least, *lexical.values()) if lexical else 0.0
    return {row: score / best for row, score in lexical.items()} if best > 0 else {}


def _passage(stored: StoredChunk, score: float, also: tuple[str, ...]) -> Passage:
    chunk = stored.chunk
    return Passage(
        chunk_id=chunk.id,
        document_id=chunk.document_id,
        title=stored.title,
        url=_place(stored.url, chunk.anchor, chunk.page),
        source=stored.source,
        section=chunk.headings,
        text=chunk.shown,
        start=chunk.start,
        end=chunk.end,
        page=chunk.page,
        updated_at=stored.updated_at,
        score=round(min(1.0, max(0.0, score)), 6),
        table_header=chunk.table_header,
        header=chunk.header,
        standing=stored.standing,
        also=also,
    )


def _place(url: str, anchor: str, page: int | None) -> str:
    """The link to the very place: a section's anchor, or a page of a PDF."""
    if not url or "#" in url:
        return url
    if page is not None:
        return f"{url}#page={page}"
    if anchor.startswith("/"):
        return url.rstrip("/") + anchor
    return f"{url}#{anchor}" if anchor else url
