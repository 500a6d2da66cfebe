"""The index of one machine: SQLite rows, FAISS segments and a Tantivy folder under one manifest.

`EmbeddedSnapshot` is one generation, open for reading; `EmbeddedIndex` hands out the current one.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.access import Reader
from ingest.errors import (
    DocentError,
    IndexBusy,
    IndexMismatch,
    IndexMissing,
    IndexTrouble,
)
from ingest.filters import EVERYTHING, Facets, Filter
from ingest.index import alike, store
from ingest.index.acronyms import Entry, read_glossary
from ingest.index.alike import Twin
from ingest.index.covers import Cover, read_covers
from ingest.index.dense import DenseReader, read_segment
from ingest.index.lexical import LexicalReader
from ingest.index.manifest import (
    Manifest,
    read_manifest,
    verify,
)
from ingest.index.seam import Counts, Hit
from ingest.index.shelves import Shelves
from ingest.index.store import StoredChunk
from ingest.model import AccessList, Document

logger = logging.getLogger(__name__)

DENSE = "dense"
LEXICAL = "lexical"
LOCK = "writer.lock"
READERS = 256
"""So many readers of different groups are remembered: each takes a byte for every chunk."""


class _Allowed:
    """What one reader may see of one generation, worked out once and kept."""

    def __init__(self, snapshot: "EmbeddedSnapshot", principals: frozenset[str]) -> None:
        self.lists = [
            number for number, groups in snapshot.lists.items() if not principals.isdisjoint(groups)
        ]
        self.all = len(self.lists) == len(snapshot.lists)
        by_list = np.zeros(max(snapshot.lists, default=0) + 1, dtype=bool)
        by_list[self.lists] = True
        self.rows = np.zeros(int(snapshot.rows.max(initial=0)) + 1, dtype=bool)
        self.rows[snapshot.rows] = by_list[snapshot.row_access]
        self.chunks = int(self.rows.sum())
        self.documents = sum(snapshot.documents.get(number, 0) for number in self.lists)


class EmbeddedSnapshot:
    """One generation, open for reading. Every read takes the reader; there is no other way in."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        self._db = store.connect(folder)
        self._lock = threading.Lock()
        try:
            self._read(folder, manifest)
        except BaseException:
            self._db.close()
            raise

    def _read(self, folder: Path, manifest: Manifest) -> None:
        generation = manifest.generation
        # Pins the rows: a writer may delete what died, this connection goes on seeing it.
        self._db.execute("BEGIN")
        self.lists: dict[int, AccessList] = store.access_lists(self._db)
        self.documents = store.document_counts(self._db, generation)
        pairs = np.fromiter(
            (number for pair in store.chunk_access(self._db, generation) for number in pair),
            dtype=np.int64,
        ).reshape(-1, 2)
        self.rows: NDArray[np.int64] = pairs[:, 0]
        self.row_access: NDArray[np.int64] = pairs[:, 1]
        self._head = self._db.execute("SELECT MAX(id) FROM generations").fetchone()[0]
        self._allowed: dict[frozenset[str], _Allowed] = {}
        self._glossaries: dict[tuple[int, ...], tuple[Entry, ...]] = {}
        self._shelves: Shelves | None = None
        segments = []
        for entry in manifest.files:
            path = folder / entry.path
            if path.parent.name == DENSE:
                segments.append(read_segment(path, entry.sha256))
            else:
                verify(folder, entry)
        self._dense = DenseReader(segments, manifest.parts.dim)
        self._lexical = LexicalReader(folder / lexical_folder(generation))

    def search_dense(
        self,
        vector: NDArray[np.float32],
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """The `k` nearest chunks that the reader may see, by cosine; exact.

        `rows` restricts the search to these (still only those the reader may see), `only` to the
        documents that it takes.
        """
        allowed = self._allow(reader)
        mask = self._narrowed(allowed, only)
        if rows is not None:
            chosen = np.zeros_like(mask)
            chosen[list(rows)] = True
            mask = mask & chosen
        elif allowed.all and mask is allowed.rows:
            return _hits(self._dense.search(vector, k, None))
        return _hits(self._dense.search(vector, k, mask))

    def search_lexical(
        self,
        text: str,
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """The `k` best chunks that the reader may see, by BM25; the rest as in `search_dense`."""
        allowed = self._allow(reader)
        lists = None if allowed.all else allowed.lists
        mask = self._narrowed(allowed, only)
        if rows is not None:
            rows = [row for row in rows if mask[row]]
        if rows is not None or mask is allowed.rows:
            hits = _hits(self._lexical.search(text, k, lists, rows))
        else:
            hits = _hits(self._lexical.search_among(text, k, lists, mask, allowed.chunks))
        if self.manifest.generation == self._head:
            return hits
        # An older generation's terms carry the access lists of its time; those of today hold.
        return [hit for hit in hits if allowed.rows[hit.row]]

    def reach(self, text: str, reader: Reader) -> float:
        """The BM25 score that a chunk full of all words of a query would come near; an order of
        magnitude from the statistics of the whole collection, 0 for a reader who may see nothing.
        """
        return self._lexical.reach(text) if self._allow(reader).lists else 0.0

    def chunks(self, rows: Sequence[int], reader: Reader) -> list[StoredChunk]:
        """The chunks behind hits, in that order; what the reader may not see is left out."""
        with self._lock:
            found = store.read_chunks(self._db, rows, self.lists)
        return [stored for stored in found if reader.may_read(stored.access)]

    def covers(self, rows: Iterable[int], reader: Reader) -> dict[int, Cover]:
        """Title, date and standing of the documents of chunks that the reader may see, by row."""
        allowed = self._allow(reader).rows
        seen = [row for row in rows if row < len(allowed) and allowed[row]]
        with self._lock:
            return read_covers(self._db, seen)

    def vectors(self, rows: Sequence[int], reader: Reader) -> NDArray[np.float32]:
        """The unit vectors of chunks that a search found for this reader, shape (len(rows), dim).

        Raises:
            KeyError: when a chunk is not there, or the reader may not see it.
        """
        allowed = self._allow(reader).rows
        for row in rows:
            if row >= len(allowed) or not allowed[row]:
                raise KeyError(row)
        return self._dense.vectors(rows)

    def twins(self, documents: Iterable[int], reader: Reader) -> dict[int, list[Twin]]:
        """The near-duplicates of documents (by row) that the reader may see; none is left out."""
        lists = self._allow(reader).lists
        generation = self.manifest.generation
        with self._lock:
            return {row: alike.twins_of(self._db, row, generation, lists) for row in documents}

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """What documents that the reader may see say of short forms. Read once and kept."""
        lists = tuple(self._allow(reader).lists)
        with self._lock:
            if lists not in self._glossaries:
                if len(self._glossaries) >= READERS:
                    self._glossaries.clear()
                found = read_glossary(self._db, self.manifest.generation, lists)
                self._glossaries[lists] = found
            return self._glossaries[lists]

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """A document by id. Missing and forbidden look the same: None."""
        with self._lock:
            document = store.read_document(self._db, document_id, self.manifest.generation)
        return document if document and reader.may_read(document.access) else None

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """Documents and chunks that the reader may see, of those that a filter takes."""
        allowed = self._allow(reader)
        documents, chunks = allowed.documents, allowed.chunks
        if only is not None and only.narrows:
            documents = self._shelved().documents(only, allowed.lists)
            chunks = int(self._narrowed(allowed, only).sum())
        return Counts(documents, chunks, self.manifest.generation, self.manifest.created_at)

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """The documents that the reader may see, counted by source, format and year."""
        return self._shelved().facets(only or EVERYTHING, self._allow(reader).lists)

    def close(self) -> None:
        """Let go of the generation."""
        self._dense.close()
        with self._lock:
            self._db.close()

    def _narrowed(self, allowed: _Allowed, only: Filter | None) -> NDArray[np.bool_]:
        """Which rows a reader may see and a filter takes; the reader's own without a filter."""
        if only is None or not only.narrows:
            return allowed.rows
        return allowed.rows & self._shelved().chunks(only, len(allowed.rows))

    def _shelved(self) -> Shelves:
        with self._lock:
            if self._shelves is None:
                self._shelves = Shelves(self._db, self.manifest.generation)
            return self._shelves

    def _allow(self, reader: Reader) -> _Allowed:
        known = self._allowed.get(reader.principals)
        if known is None:
            if len(self._allowed) >= READERS:
                self._allowed.clear()
            known = self._allowed[reader.principals] = _Allowed(self, reader.principals)
        return known


def _hits(pairs: Sequence[tuple[int, float]]) -> list[Hit]:
    return [Hit(row, score) for row, score in pairs]


def lexical_folder(generation: int) -> str:
    """Where the terms of a generation lie, inside the index folder."""
    return f"{LEXICAL}/{generation:08d}"


class EmbeddedIndex:
    """An index folder. Hands out the current generation and moves on when a new one appears."""

    def __init__(self, folder: Path, *, embedder: str, generation: int | None = None) -> None:
        """`embedder` is the name of the model that questions will be embedded with.

        `generation` holds on to that one, published or not, instead of the current one.

        Raises:
            IndexMissing, IndexMismatch, IndexDamaged: at once rather than at the first question.
        """
        self.folder = folder
        self._embedder = embedder
        self._generation = generation
        self._lock = threading.Lock()
        self._users: dict[int, int] = {}
        self._current = self._open()

    @contextmanager
    def snapshot(self) -> Iterator[EmbeddedSnapshot]:
        """The current generation, kept open while the block runs."""
        with self._lock:
            if self._stamp() != self._opened_at:
                self._switch()
            held = self._current
            self._users[id(held)] = self._users.get(id(held), 0) + 1
        try:
            yield held
        finally:
            with self._lock:
                self._users[id(held)] -= 1
                if not self._users[id(held)]:
                    del self._users[id(held)]
                    if held is not self._current:
                        held.close()

    def close(self) -> None:
        """Close what is open."""
        self._current.close()

    def _stamp(self) -> tuple[int, int]:
        with suppress(FileNotFoundError):
            status = (self.folder / "manifest.json").stat()
            return status.st_ino, status.st_mtime_ns
        return 0, 0

    def _switch(self) -> None:
        old = self._current
        try:
            self._current = self._open()
        except IndexTrouble as trouble:
            # Yesterday's generation is better than none. Not tried again until the next commit.
            logger.warning("The old generation keeps serving: %s", trouble)
            self._opened_at = self._stamp()
            return
        if not self._users.get(id(old)):
            old.close()

    def _open(self) -> EmbeddedSnapshot:
        for _ in range(10):
            self._opened_at = self._stamp()
            manifest = self._manifest()
            self._check(manifest)
            try:
                snapshot = EmbeddedSnapshot(self.folder, manifest)
            except (DocentError, OSError, ValueError):
                # A writer may publish and clean up while we read the manifest and its files.
                if self._stamp() == self._opened_at:
                    raise
                continue
            if self._stamp() == self._opened_at:
                return snapshot
            snapshot.close()
        msg = f"The index at {self.folder} changes faster than it can be opened. Stop the writer."
        raise IndexBusy(msg)

    def _manifest(self) -> Manifest:
        if self._generation is None:
            return read_manifest(self.folder)
        with closing(store.connect(self.folder)) as db:
            for row in store.generations(db):
                if row.id == self._generation:
                    return Manifest.from_json(row.manifest, self.folder)
        msg = f"Generation {self._generation} is not kept at {self.folder}."
        raise IndexMissing(msg)

    def _check(self, manifest: Manifest) -> None:
        built = manifest.parts.embedder
        if built != self._embedder:
            msg = (
                f"The index at {self.folder} was built with the embedder {built!r}, "
                f"the settings say {self._embedder!r}. Run: docent ingest --rebuild"
            )
            raise IndexMismatch(msg)
