"""What the product asks of an index engine, as types: reading (`Index`, `Snapshot`) and `Writer`.

An engine is a class with the reads and one with the writes; `ingest.index.places` chooses it by
address. `tests/ingest/index` runs one suite over every engine.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.access import Reader
from ingest.filters import Facets, Filter
from ingest.index.acronyms import Entry
from ingest.index.alike import Twin
from ingest.index.covers import Cover
from ingest.index.manifest import Manifest, Parts
from ingest.index.rows import Rows
from ingest.index.store import StoredChunk
from ingest.model import Cut, Document


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found. `row` names it inside one generation."""

    row: int
    score: float


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a reader may see, and of which generation."""

    documents: int
    chunks: int
    generation: int
    built_at: datetime


@dataclass(frozen=True, slots=True)
class Generation:
    """One kept generation, for those who publish and roll back."""

    number: int
    created_at: datetime
    published_at: datetime | None
    serving: bool
    newest: bool
    documents: int
    parts: Parts


class Snapshot(Protocol):
    """One generation, open for reading. Every read takes the reader; there is no other way in.

    Filters hold before anything is ranked or counted. Missing and forbidden look the same.
    """

    @property
    def manifest(self) -> Manifest:
        """Which generation it is, and with what it was built."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of all its chunks, ascending; of no use without a reader who may see them."""

    def search_dense(
        self,
        vector: NDArray[np.float32],
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """The `k` nearest chunks that the reader may see, by cosine; ties by row.

        `rows` restricts the search to these (still only those the reader may see), `only` to the
        documents that it takes.
        """

    def search_lexical(
        self,
        text: str,
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """The `k` best chunks that the reader may see, by BM25; the rest as in `search_dense`."""

    def reach(self, text: str, reader: Reader) -> float:
        """The BM25 score that a chunk full of all words of a query would come near."""

    def chunks(self, rows: Sequence[int], reader: Reader) -> list[StoredChunk]:
        """The chunks behind hits, in that order; what the reader may not see is left out."""

    def covers(self, rows: Iterable[int], reader: Reader) -> dict[int, Cover]:
        """Title, date and standing of the documents of chunks that the reader may see, by row."""

    def vectors(self, rows: Sequence[int], reader: Reader) -> NDArray[np.float32]:
        """The unit vectors of chunks, shape (len(rows), dim); KeyError for one he may not see."""

    def twins(self, documents: Iterable[int], reader: Reader) -> dict[int, list[Twin]]:
        """The near-duplicates of documents (by row) that the reader may see; none is left out."""

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """What documents that the reader may see say of short forms."""

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """A document by id; None when it is missing or the reader may not see it."""

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """Documents and chunks that the reader may see, of those that a filter takes."""

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """The documents that the reader may see, counted by source, format and year."""


class Index(Protocol):
    """An index open for reading. Moves on by itself when another generation is published."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """The current generation, kept open while the block runs."""

    def close(self) -> None:
        """Close what is open."""


class Writer(Protocol):
    """Collects changes and commits them as generations. One per index at a time."""

    @property
    def parts(self) -> Parts:
        """With what the next generation is built."""

    @property
    def db(self) -> Rows:
        """The rows of the index, inside the writer's transaction: for `store` and `visits`."""

    @property
    def manifest(self) -> Manifest | None:
        """Of the newest generation, published or not: what the next commit builds on."""

    @property
    def generation(self) -> int:
        """The generation that the next commit makes."""

    @property
    def fresh(self) -> bool:
        """True while a rebuild has not been committed: nothing of the old index is carried over."""

    @property
    def changed(self) -> bool:
        """True when a commit would make a difference to readers."""

    def put(
        self, page_id: str, documents: Sequence[Cut], vectors: Mapping[bytes, NDArray[np.float32]]
    ) -> None:
        """Replace the documents of a page. `vectors` holds one for each chunk's `text_digest`."""

    def remove(self, page_id: str) -> None:
        """Let a page's documents go."""

    def known_vectors(self, digests: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Vectors that need not be computed again, by digest of the text."""

    def commit(self, *, publish: bool = True, final: bool = True) -> int:
        """Make everything since the last commit one new generation; its number.

        Without any change for readers, only what is kept about pages is saved. Without `publish`
        readers keep the generation they have; without `final` it is a step of a run and not kept.
        """

    def generations(self) -> list[Generation]:
        """What is kept, oldest first."""

    def publish(self, number: int) -> int:
        """Let readers have this generation; IndexTrouble when it is not kept."""

    def prune(self) -> None:
        """Drop every generation but the newest and the one that is served."""


class Engine(Protocol):
    """An address of an index, with what can be opened there. Opening nothing itself."""

    def index(self, embedder: str, generation: int | None = None) -> Index:
        """Open for reading, to be searched with questions of this embedder.

        `generation` holds on to that one, published or not, instead of the current one.

        Raises:
            IndexMissing, IndexMismatch, IndexDamaged: at once rather than at the first question.
        """

    def writing(
        self, parts: Parts, *, rebuild: bool = False, keep: int = 1
    ) -> AbstractContextManager[Writer]:
        """Open for writing, made if it is not there. What was not committed is dropped.

        `keep` is how many published generations stay to be rolled back to, the current included.

        Raises:
            IndexBusy: another process writes.
            IndexMismatch: it was built with other parts and `rebuild` is False.
        """

    def generations(self) -> list[Generation]:
        """What is kept, oldest first; nothing is locked or changed. IndexMissing without any."""

    def rows(self) -> AbstractContextManager[Rows]:
        """The rows of an index for reading as an operator does, beside a writer too."""

    def serving(self) -> Manifest:
        """The generation that readers get. IndexMissing when nothing was published yet."""

    def bytes(self) -> int:
        """What the index takes where it lies."""

    def remarks(self) -> list[str]:
        """What an operator should know of the place, as sentences; nothing when all is well."""


def previous(found: Sequence[Generation]) -> int | None:
    """The number of the generation published before the one that serves; None if it is not kept."""
    serving = next((one.number for one in found if one.serving), None)
    earlier = [g.number for g in found if g.published_at and serving and g.number < serving]
    return max(earlier, default=None)
