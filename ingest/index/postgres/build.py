"""The tables of a build that are searched: passages go in, die, and get indexes afterwards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.index.postgres import tables
from ingest.index.postgres.link import Link
from ingest.index.postgres.tables import NEVER
from ingest.index.postgres.words import Bag, counts_of, read_sparse, sparse, weights
from ingest.model import Chunk

DRIFT = 0.05
"""When the average length has moved by so much, the weights of words are worked out anew."""
BUILD_KB = 2**20
"""The least `maintenance_work_mem` while indexes are built; pgvector is slow where its graph does
not fit, and a server for many passages is given more."""
STREAM = 5_000
GRAPH = "m = 16, ef_construction = 100"

_STANDS = ("row", "document", "access", "source", "format", "day", "born", "died")


@dataclass(slots=True)
class New:
    """A chunk that waits."""

    row: int
    document: int
    chunk: Chunk
    digest: bytes
    stands: tuple[Any, ...]
    """Access list, source, format and day."""
    vector: NDArray[np.float32]


@dataclass(slots=True)
class Block:
    """What waits to be copied."""

    documents: list[tuple[Any, ...]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """Of each of the documents."""
    bands: list[tuple[int, int]] = field(default_factory=list)
    acronyms: list[tuple[int, str, str]] = field(default_factory=list)
    chunks: list[New] = field(default_factory=list)

    def without(self, page_id: str) -> int:
        """Drop what waits of a page; how many documents that were."""
        gone = {one[0] for one, page in zip(self.documents, self.pages, strict=True)
                if page == page_id}  # fmt: skip
        if gone:
            self.documents = [one for one in self.documents if one[0] not in gone]
            self.pages = [page for page in self.pages if page != page_id]
            self.bands = [one for one in self.bands if one[0] not in gone]
            self.acronyms = [one for one in self.acronyms if one[0] not in gone]
            self.chunks = [one for one in self.chunks if one.document not in gone]
        return len(gone)


class Build:
    """Where passages are searched, inside the transaction of a writer."""

    def __init__(
        self, number: int, few: int, words: str, passages: int, terms: int, pivot: float
    ) -> None:
        self.number = number
        self._few = few
        self._words = words
        self._passages = passages
        self._terms = terms
        self._pivot = pivot
        self._added = 0
        self._numbers: dict[str, int] = {}
        self._holders: Counter[int] = Counter()
        self._peaks: dict[int, float] = {}

    @classmethod
    def made(cls, link: Link, dim: int, few: int) -> "Build":
        """A new one, empty."""
        return cls.opened(link, tables.make_build(link, dim), few)

    @classmethod
    def opened(cls, link: Link, number: int, few: int) -> "Build":
        """One that is there; from more than `few` passages on it gets pgvector's graph."""
        found = link.fetch("SELECT words, passages, terms, pivot FROM builds WHERE id = $1", number)
        return cls(number, few, *found[0])

    def add(self, link: Link, chunks: Sequence[New], generation: int) -> None:
        """Copy passages in."""
        bags = [Bag.of(new.chunk.indexed) for new in chunks]
        self._passages += len(chunks)
        self._added += len(chunks)
        self._terms += sum(bag.length for bag in bags)
        self._pivot = self._pivot or max(1.0, self._terms / max(1, self._passages))
        self._number(link, bags)
        stands = [(new.row, new.document, *new.stands, generation, NEVER) for new in chunks]
        link.copy(
            f"vectors_{self.number}", (*_STANDS, "embedding"),
            [(*one, new.vector) for one, new in zip(stands, chunks, strict=True)],
        )  # fmt: skip
        link.copy(
            self._words, (*_STANDS, "length", "terms", "body"),
            [(*one, *self._body(bag)) for one, bag in zip(stands, bags, strict=True)],
        )  # fmt: skip

    def bury(self, link: Link, documents: Sequence[int], generation: int) -> None:
        """Let the passages of documents die in a generation."""
        link.run(
            f"UPDATE vectors_{self.number} SET died = $1"
            f" WHERE document = ANY($2::bigint[]) AND died = {NEVER}",
            generation, list(documents),
        )  # fmt: skip
        gone = link.fetch(
            f"UPDATE {self._words} SET died = $1"
            f" WHERE document = ANY($2::bigint[]) AND died = {NEVER} RETURNING length, terms",
            generation, list(documents),
        )  # fmt: skip
        self._passages -= len(gone)
        self._terms -= sum(one[0] for one in gone)
        for _, terms in gone:
            self._holders.subtract(terms)

    def settle(self, link: Link) -> None:
        """Make what was added and buried known to searches: statistics, weights, indexes."""
        average = self._terms / self._passages if self._passages else 0.0
        if average and abs(average / self._pivot - 1) > DRIFT:
            self._weigh(link, average)
        self._count(link)
        link.run(
            "UPDATE builds SET passages = $1, terms = $2, pivot = $3 WHERE id = $4",
            self._passages, self._terms, self._pivot, self.number,
        )  # fmt: skip
        self._index(link)

    def _number(self, link: Link, bags: Sequence[Bag]) -> None:
        """Learn the numbers of terms, new ones included."""
        new = sorted({term for bag in bags for term in bag.counts} - self._numbers.keys())
        if new:
            table = f"terms_{self.number}"
            link.run(
                f"INSERT INTO {table}(term) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", new
            )
            found = link.fetch(f"SELECT term, id FROM {table} WHERE term = ANY($1::text[])", new)
            self._numbers.update((term, number) for term, number in found)

    def _body(self, bag: Bag) -> tuple[int, list[int], bytes]:
        """Length, numbers of terms, and their weights as a sparse vector."""
        numbers = [self._numbers[term] for term in bag.counts]
        counts = np.fromiter(bag.counts.values(), dtype=np.int64, count=len(numbers))
        values = weights(counts, bag.length, self._pivot)
        self._holders.update(numbers)
        self._peak(numbers, values)
        return bag.length, sorted(numbers), sparse(numbers, values)

    def _peak(self, numbers: Sequence[int], values: NDArray[np.float32]) -> None:
        peaks = self._peaks
        for number, value in zip(numbers, values.tolist(), strict=True):
            if value > peaks.get(number, 0.0):
                peaks[number] = value

    def _weigh(self, link: Link, pivot: float) -> None:
        """Work out every weight for another average length, into a table of its own.

        Readers go on with the old one, which is dropped once nobody reads it.
        """
        old, count = self._words, int(self._words.rpartition("_")[2])
        self._words = f"words_{self.number}_{count + 1}"
        tables.make_words(link, self.number, self._words)
        last = 0
        self._peaks.clear()
        while True:
            columns = ", ".join(_STANDS)
            found = link.fetch(
                f"SELECT {columns}, length, body FROM {old} WHERE row > $1"
                f" ORDER BY row LIMIT {STREAM}",
                last,
            )
            if not found:
                break
            last = found[-1][0]
            link.copy(
                self._words, (*_STANDS, "length", "terms", "body"),
                [self._again(one, pivot) for one in found],
            )  # fmt: skip
        link.run(f"UPDATE terms_{self.number} SET peak = 0")
        self._pivot = pivot

    def _again(self, one: Any, pivot: float) -> tuple[Any, ...]:
        length, body = one["length"], one["body"]
        numbers, values = read_sparse(body)
        fresh = weights(counts_of(values, length, self._pivot), length, pivot)
        found = numbers.tolist()
        self._peak(found, fresh)
        return (*tuple(one)[: len(_STANDS)], length, found, sparse(found, fresh))

    def _count(self, link: Link) -> None:
        """Tell how many passages hold each term, and its highest weight."""
        numbers = sorted({*self._holders, *self._peaks})
        link.run(
            f"UPDATE terms_{self.number} AS t SET holders = t.holders + c.more,"
            " peak = greatest(t.peak, c.peak)"
            " FROM unnest($1::int[], $2::bigint[], $3::real[]) AS c(id, more, peak)"
            " WHERE t.id = c.id",
            numbers,
            [self._holders[number] for number in numbers],
            [self._peaks.get(number, 0.0) for number in numbers],
        )
        self._holders.clear()
        self._peaks.clear()

    def _index(self, link: Link) -> None:
        """Indexes that are not there yet, of what was loaded; statistics for the planner."""
        take_memory(link)
        vectors, words = f"vectors_{self.number}", self._words
        made = False
        for table in (vectors, words):
            made |= tables.index_once(link, table, "access", "(access)")
            made |= tables.index_once(link, table, "document", "(document)")
            made |= tables.index_once(link, table, "died", f"(died) WHERE died < {NEVER}")
        made |= tables.index_once(link, words, "terms", "USING gin (terms) WITH (fastupdate = off)")
        if self._passages > self._few:
            graph = f"USING hnsw (embedding vector_ip_ops) WITH ({GRAPH})"
            made |= tables.index_once(link, vectors, "graph", graph)
        if made or self._added > self._passages // 10:
            link.run(f"ANALYZE {vectors}")
            link.run(f"ANALYZE {words}")
            link.run(f"ANALYZE terms_{self.number}")
            for table in ("documents", "chunks", "bands", "acronyms"):
                link.run(f"ANALYZE {table}")
        self._added = 0


def take_memory(link: Link) -> None:
    """Have this transaction build indexes with so much memory, or what the server gives beyond."""
    link.run(
        "SELECT set_config(name, $1, true) FROM pg_settings"
        " WHERE name = 'maintenance_work_mem' AND setting::bigint < $2",
        str(BUILD_KB),
        BUILD_KB,
    )
