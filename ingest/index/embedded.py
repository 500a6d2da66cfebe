"""The index of one machine: SQLite rows, FAISS segments and a Tantivy folder under one manifest.

How a commit becomes visible (and why a crash at any byte leaves a whole generation):

1. new vector segments and the lexical folder of the next generation are written and synced;
2. the rows are committed in SQLite together with the text of the next manifest;
3. the manifest file is swapped.

Before 2 nothing happened: the files are orphans, removed by the next writer. Between 2 and 3
readers still hold the old generation, whose rows are all there; the next writer finishes step 3.
What died is deleted after 3, once no new reader can ask for it.
"""

import fcntl
import logging
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ingest.access import Reader
from ingest.embed import Vectors
from ingest.errors import (
    DocentError,
    IndexBusy,
    IndexDamaged,
    IndexMismatch,
    IndexMissing,
    IndexTrouble,
)
from ingest.index import store
from ingest.index.dense import DenseReader, Segment, gather, read_segment, rewrite
from ingest.index.lexical import LexicalReader, fork
from ingest.index.lexical import write as write_lexical
from ingest.index.manifest import (
    FileEntry,
    Manifest,
    Parts,
    difference,
    read_manifest,
    seal,
    swap_manifest,
    sync_folder,
    verify,
)
from ingest.index.store import StoredChunk
from ingest.model import AccessList, Chunk, Document

logger = logging.getLogger(__name__)

DENSE = "dense"
LEXICAL = "lexical"
LOCK = "writer.lock"


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


class _Allowed:
    """What one reader may see of one generation, worked out once and kept."""

    def __init__(self, snapshot: "Snapshot", principals: frozenset[str]) -> None:
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


class Snapshot:
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
        self._allowed: dict[frozenset[str], _Allowed] = {}
        segments = []
        for entry in manifest.files:
            path = folder / entry.path
            if path.parent.name == DENSE:
                segments.append(read_segment(path, entry.sha256))
            else:
                verify(folder, entry)
        self._dense = DenseReader(segments, manifest.parts.dim)
        self._lexical = LexicalReader(folder / _lexical_folder(generation))

    def search_dense(
        self, vector: NDArray[np.float32], k: int, reader: Reader, rows: Sequence[int] | None = None
    ) -> list[Hit]:
        """The `k` nearest chunks that the reader may see, by cosine; exact.

        `rows` restricts the search to these (still only those the reader may see).
        """
        allowed = self._allow(reader)
        mask = allowed.rows
        if rows is not None:
            chosen = np.zeros_like(mask)
            chosen[list(rows)] = True
            mask = mask & chosen
        elif allowed.all:
            return _hits(self._dense.search(vector, k, None))
        return _hits(self._dense.search(vector, k, mask))

    def search_lexical(
        self, text: str, k: int, reader: Reader, rows: Sequence[int] | None = None
    ) -> list[Hit]:
        """The `k` best chunks that the reader may see, by BM25; `rows` as in `search_dense`."""
        allowed = self._allow(reader)
        lists = None if allowed.all else allowed.lists
        return _hits(self._lexical.search(text, k, lists, rows))

    def chunks(self, rows: Sequence[int], reader: Reader) -> list[StoredChunk]:
        """The chunks behind hits, in that order; what the reader may not see is left out."""
        with self._lock:
            found = store.read_chunks(self._db, rows, self.lists)
        return [stored for stored in found if reader.may_read(stored.access)]

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """A document by id. Missing and forbidden look the same: None."""
        with self._lock:
            document = store.read_document(self._db, document_id, self.manifest.generation)
        return document if document and reader.may_read(document.access) else None

    def counts(self, reader: Reader) -> Counts:
        """Documents and chunks that the reader may see."""
        allowed = self._allow(reader)
        manifest = self.manifest
        return Counts(allowed.documents, allowed.chunks, manifest.generation, manifest.created_at)

    def close(self) -> None:
        """Let go of the generation."""
        self._dense.close()
        with self._lock:
            self._db.close()

    def _allow(self, reader: Reader) -> _Allowed:
        known = self._allowed.get(reader.principals)
        if known is None:
            known = self._allowed[reader.principals] = _Allowed(self, reader.principals)
        return known


def _hits(pairs: Sequence[tuple[int, float]]) -> list[Hit]:
    return [Hit(row, score) for row, score in pairs]


def _lexical_folder(generation: int) -> str:
    return f"{LEXICAL}/{generation:08d}"


class EmbeddedIndex:
    """An index folder. Hands out the current generation and moves on when a new one appears."""

    def __init__(self, folder: Path, *, embedder: str) -> None:
        """`embedder` is the name of the model that questions will be embedded with.

        Raises:
            IndexMissing, IndexMismatch, IndexDamaged: at once rather than at the first question.
        """
        self.folder = folder
        self._embedder = embedder
        self._lock = threading.Lock()
        self._users: dict[int, int] = {}
        self._current = self._open()

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
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

    def _open(self) -> Snapshot:
        for _ in range(10):
            self._opened_at = self._stamp()
            manifest = read_manifest(self.folder)
            self._check(manifest)
            try:
                snapshot = Snapshot(self.folder, manifest)
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

    def _check(self, manifest: Manifest) -> None:
        built = manifest.parts.embedder
        if built != self._embedder:
            msg = (
                f"The index at {self.folder} was built with the embedder {built!r}, "
                f"the settings say {self._embedder!r}. Run: docent ingest --rebuild"
            )
            raise IndexMismatch(msg)


@contextmanager
def writing(folder: Path, parts: Parts, *, rebuild: bool = False) -> Iterator["Writer"]:
    """Open an index folder for writing, made if it is not there. What was not committed is dropped.

    Raises:
        IndexBusy: another process writes.
        IndexMismatch: it was built with other parts and `rebuild` is False.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"Another process is writing the index at {folder}. Wait for it, or stop it."
            raise IndexBusy(msg) from None
        db = store.connect(folder, create=True)
        try:
            yield Writer(folder, db, lock, parts, rebuild=rebuild)
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")
            db.close()


class Writer:
    """Collects changes and commits them as generations. One per folder at a time."""

    def __init__(
        self, folder: Path, db: sqlite3.Connection, lock: IO[str], parts: Parts, *, rebuild: bool
    ) -> None:
        self.folder = folder
        self.db = db
        self.parts = parts
        self._held = lock  # kept so that the lock lives as long as the writer
        self._recover()
        self.manifest = self._manifest()
        if self.manifest and self.manifest.parts != parts and not rebuild:
            raise IndexMismatch(difference(folder, self.manifest.parts, parts))
        self._fresh = rebuild
        self._segments: list[Segment] | None = None
        self._begin()

    @property
    def generation(self) -> int:
        """The generation that the next commit makes."""
        return (self.manifest.generation if self.manifest else 0) + 1

    @property
    def fresh(self) -> bool:
        """True while a rebuild has not been committed: nothing of the old index is carried over."""
        return self._fresh

    @property
    def changed(self) -> bool:
        """True when a commit would make a difference to readers."""
        return bool(self._added or self._removed or self._documents or self._fresh)

    def put(
        self,
        page_id: str,
        documents: Sequence[tuple[Document, Sequence[Chunk]]],
        vectors: Mapping[bytes, NDArray[np.float32]],
    ) -> None:
        """Replace the documents of a page. `vectors` holds one for each chunk's `text_digest`."""
        self.remove(page_id)
        for document, chunks in documents:
            self._documents += 1
            for new in store.add_document(self.db, document, chunks, self.generation):
                self._added[new.row] = new
                self._vectors[new.row] = vectors[store.text_digest(new.indexed)]

    def remove(self, page_id: str) -> None:
        """Let a page's documents go."""
        for row in store.kill_documents(self.db, page_id, self.generation):
            self._documents += 1
            if self._added.pop(row, None) is not None:
                del self._vectors[row]
            else:
                self._removed.append(row)

    def known_vectors(self, digests: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Vectors that need not be computed again, by digest of the text."""
        found = store.rows_by_digest(self.db, digests, self.generation)
        same_model = not self.manifest or self.manifest.parts.embedder == self.parts.embedder
        if not same_model:
            found = {digest: row for digest, row in found.items() if row in self._vectors}
        old = {digest: row for digest, row in found.items() if row not in self._vectors}
        known = {digest: self._vectors[row] for digest, row in found.items() if digest not in old}
        if old:
            try:
                gathered: Vectors = gather(self._base(), list(old.values()), self.parts.dim)
            except IndexDamaged:
                if not self._fresh:
                    raise
                return known  # the very thing that a rebuild mends
            known |= dict(zip(old, gathered, strict=True))
        return known

    def commit(self) -> int:
        """Make everything since the last commit one new generation; its number.

        Without any change for readers, only what is kept about pages is saved.
        """
        if not self.changed and self.manifest:
            self.db.execute("COMMIT")
            self._begin()
            return self.manifest.generation
        generation = self.generation
        files = self._write_dense() + self._write_lexical(generation)
        manifest = Manifest(generation, datetime.now(UTC), self.parts, tuple(files))
        self.db.execute("INSERT INTO generations VALUES (?, ?)", (generation, manifest.to_json()))
        self.db.execute("COMMIT")
        swap_manifest(self.folder, manifest.to_json())
        self.manifest = manifest
        self._fresh = False
        self._clean()
        self._begin()
        return generation

    def _begin(self) -> None:
        self._added: dict[int, store.NewChunk] = {}
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._removed: list[int] = []
        self._documents = 0
        self.db.execute("BEGIN IMMEDIATE")
        if self._fresh:
            for table in ("chunks", "documents"):
                self.db.execute(
                    f"UPDATE {table} SET died = ? WHERE died IS NULL",
                    (self.generation,),
                )

    def _base(self) -> list[Segment]:
        if self._segments is None:
            files = self.manifest.files if self.manifest else ()
            self._segments = [
                read_segment(self.folder / f.path, f.sha256)
                for f in files
                if f.path.startswith(f"{DENSE}/")
            ]
        return self._segments

    def _write_dense(self) -> list[FileEntry]:
        folder = self.folder / DENSE
        folder.mkdir(exist_ok=True)
        removed = np.asarray(self._removed, dtype=np.int64)
        base = [] if self._fresh else self._base()
        kept, written = rewrite(folder, base, self._vectors, removed, self.parts.dim)
        old = {f.path: f for f in self.manifest.files} if self.manifest else {}
        entries = [old[f"{DENSE}/{name}.faiss"] for name in kept]
        new = [seal(self.folder, path) for path in written]
        sync_folder(folder)
        by_name = {segment.name: segment for segment in base}
        self._segments = [by_name[name] for name in kept]
        self._segments += [read_segment(self.folder / f.path, f.sha256) for f in new]
        return entries + new

    def _write_lexical(self, generation: int) -> list[FileEntry]:
        folder = self.folder / _lexical_folder(generation)
        base = self.manifest if not self._fresh else None
        fork(self.folder / _lexical_folder(base.generation) if base else None, folder)
        write_lexical(folder, self._added.values(), self._removed)
        # A segment file keeps its name and its bytes for ever; only the others need hashing.
        old = {Path(f.path).name: f for f in base.files} if base else {}
        entries = []
        for path in sorted(folder.iterdir()):
            known = old.get(path.name) if not path.name.endswith(".json") else None
            if known:
                name = str(path.relative_to(self.folder))
                entries.append(FileEntry(name, known.sha256, known.bytes))
            else:
                entries.append(seal(self.folder, path))
        sync_folder(folder)
        sync_folder(folder.parent)
        return entries

    def _manifest(self) -> Manifest | None:
        with suppress(IndexMissing):
            return read_manifest(self.folder)
        return None

    def _recover(self) -> None:
        """Finish a commit that was cut off between its rows and its manifest; drop orphans."""
        row = self.db.execute("SELECT id, manifest FROM generations ORDER BY id DESC").fetchone()
        try:
            current = self._manifest()
        except IndexDamaged:
            # The rows hold the same text, so a damaged manifest file is simply written again.
            current = None
        if row is not None and (current is None or int(row[0]) > current.generation):
            swap_manifest(self.folder, str(row[1]))
        self.manifest = self._manifest()
        self._clean()

    def _clean(self) -> None:
        """Delete for good what no generation needs any more."""
        manifest = self.manifest
        if manifest:
            self.db.execute("BEGIN IMMEDIATE")
            store.prune(self.db, manifest.generation)
            self.db.execute("COMMIT")
            # Readers hold the log while they are open; then it shrinks at a later commit.
            self.db.execute("PRAGMA busy_timeout = 0")
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.db.execute("PRAGMA busy_timeout = 30000")
        needed = {f.path for f in manifest.files} if manifest else set()
        for path in (self.folder / DENSE).glob("*"):
            if str(path.relative_to(self.folder)) not in needed:
                path.unlink()
        for folder in (self.folder / LEXICAL).glob("*"):
            if manifest is None or folder.name != f"{manifest.generation:08d}":
                shutil.rmtree(folder)
