"""Writing an index: changes are collected and committed as generations.

How a commit becomes visible (and why a crash at any byte leaves a whole generation):

1. new vector segments and the lexical folder of the next generation are written and synced;
2. the rows are committed in SQLite together with the text of the next manifest;
3. the manifest file is swapped.

Before 2 nothing happened: the files are orphans, removed by the next writer. Between 2 and 3
readers still hold the old generation, whose rows are all there; the next writer finishes step 3.
A commit may also leave out 3: then readers stay where they are until somebody publishes it. What
no kept generation can see is deleted afterwards, once no new reader can ask for it.
"""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ingest.embed import Vectors
from ingest.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing
from ingest.index import store
from ingest.index.dense import Segment, gather, read_segment, rewrite
from ingest.index.embedded import DENSE, LEXICAL, EmbeddedIndex, lexical_folder
from ingest.index.keeping import check_kept, kept_generations, to_keep
from ingest.index.lexical import fork
from ingest.index.lexical import write as write_lexical
from ingest.index.manifest import (
    FileEntry,
    Manifest,
    Parts,
    difference,
    disk_bytes,
    read_manifest,
    seal,
    swap_manifest,
    sync_folder,
)
from ingest.index.seam import Generation
from ingest.model import Cut

LOCK = "writer.lock"


@dataclass(frozen=True, slots=True)
class Folder:
    """The engine of one machine: an index in a folder."""

    path: Path

    def index(self, embedder: str, generation: int | None = None) -> EmbeddedIndex:
        """As `Engine.index`."""
        return EmbeddedIndex(self.path, embedder=embedder, generation=generation)

    @contextmanager
    def writing(
        self, parts: Parts, *, rebuild: bool = False, keep: int = 1
    ) -> Iterator["EmbeddedWriter"]:
        """As `Engine.writing`."""
        folder = self.path
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                msg = f"Another process is writing the index at {folder}. Wait for it, or stop it."
                raise IndexBusy(msg) from None
            db = store.connect(folder, create=True)
            try:
                yield EmbeddedWriter(folder, db, lock, parts, rebuild=rebuild, keep=keep)
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                db.close()

    def generations(self) -> list[Generation]:
        """As `Engine.generations`."""
        if (self.path / store.DATABASE).is_file():
            with self.rows() as db:
                if found := kept_generations(db, self.path):
                    return found
        msg = f"There is no index at {self.path}. Run: docent ingest"
        raise IndexMissing(msg)

    @contextmanager
    def rows(self) -> Iterator[sqlite3.Connection]:
        """As `Engine.rows`."""
        with closing(store.connect(self.path)) as db:
            yield db

    def serving(self) -> Manifest:
        """As `Engine.serving`; also IndexDamaged, when the manifest file is."""
        return read_manifest(self.path)

    def bytes(self) -> int:
        """What the index takes on the disk."""
        return disk_bytes(self.path)

    def remarks(self) -> list[str]:
        """Of a folder there is nothing to remark."""
        return []


class EmbeddedWriter:
    """Collects changes and commits them as generations. One per folder at a time."""

    def __init__(
        self,
        folder: Path,
        db: sqlite3.Connection,
        lock: IO[str],
        parts: Parts,
        *,
        rebuild: bool,
        keep: int,
    ) -> None:
        self.folder = folder
        self.keep = keep
        self.db = db
        self.parts = parts
        self._held = lock  # kept so that the lock lives as long as the writer
        self.manifest: Manifest | None = self._recover()
        """Of the newest generation, published or not: what the next commit builds on."""
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
        documents: Sequence[Cut],
        vectors: Mapping[bytes, NDArray[np.float32]],
    ) -> None:
        """Replace the documents of a page. `vectors` holds one for each chunk's `text_digest`."""
        self.remove(page_id)
        for cut in documents:
            self._documents += 1
            for new in store.add_document(self.db, cut, self.generation):
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

    def commit(self, *, publish: bool = True, final: bool = True) -> int:
        """Make everything since the last commit one new generation; its number.

        Without any change for readers, only what is kept about pages is saved. Without `publish`
        readers keep the generation they have; without `final` it is a step of a run and not kept.
        """
        if not self.changed and self.manifest:
            generation = self.manifest.generation
        else:
            generation = self.generation
            files = self._write_dense() + self._write_lexical(generation)
            manifest = Manifest(generation, datetime.now(UTC), self.parts, tuple(files))
            store.add_generation(self.db, generation, manifest.to_json(), final=final)
            self.manifest = manifest
        if final:
            store.finish_generation(self.db, generation)
        self._fresh = False
        return self._serve(generation) if publish else self._save(generation)

    def generations(self) -> list[Generation]:
        """What is kept, oldest first."""
        return kept_generations(self.db, self.folder)

    def publish(self, number: int) -> int:
        """Let readers have this generation, newer or older than the one they have.

        The one that they have is opened anew by them, with the access lists of today.

        Raises:
            IndexTrouble: it is not kept.
        """
        check_kept(self.db, number, self.folder)
        if number == store.serving(self.db):
            self._save(number)
            self._swap()
            return number
        return self._serve(number)

    def prune(self) -> None:
        """Drop every generation but the newest and the one that is served."""
        self.keep = 1
        self.db.execute("COMMIT")
        self._clean()
        self._begin()

    def _serve(self, generation: int) -> int:
        if store.serving(self.db) == generation:
            return self._save(generation)
        store.serve_generation(self.db, generation, datetime.now(UTC))
        self.db.execute("COMMIT")
        self._swap()
        self._clean()
        self._begin()
        return generation

    def _save(self, generation: int) -> int:
        self.db.execute("COMMIT")
        self._clean()
        self._begin()
        return generation

    def _swap(self) -> None:
        serving = store.serving(self.db)
        for row in store.generations(self.db):
            if row.id == serving:
                swap_manifest(self.folder, row.manifest)

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
        folder = self.folder / lexical_folder(generation)
        base = self.manifest if not self._fresh else None
        fork(self.folder / lexical_folder(base.generation) if base else None, folder)
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

    def _recover(self) -> Manifest | None:
        """Finish a commit cut off before its manifest, drop orphans; the newest generation."""
        rows = store.generations(self.db)
        serving = store.serving(self.db)
        published: int | None = None
        # A damaged manifest file is simply written again: the rows hold the same text.
        with suppress(IndexMissing, IndexDamaged):
            published = read_manifest(self.folder).generation
        if serving is not None and serving != published:
            self._swap()
        self._clean()
        return Manifest.from_json(rows[-1].manifest, self.folder) if rows else None

    def _clean(self) -> None:
        """Delete for good what no kept generation needs."""
        kept = to_keep(self.db, self.keep, self.folder)
        if kept:
            self.db.execute("BEGIN IMMEDIATE")
            store.prune(self.db, kept)
            self.db.execute("COMMIT")
            # Readers hold the log while they are open; then it shrinks at a later commit.
            self.db.execute("PRAGMA busy_timeout = 0")
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.db.execute("PRAGMA busy_timeout = 30000")
        needed = {entry.path for manifest in kept.values() for entry in manifest.files}
        for path in (self.folder / DENSE).glob("*"):
            if str(path.relative_to(self.folder)) not in needed:
                path.unlink()
        folders = {lexical_folder(generation) for generation in kept}
        for folder in (self.folder / LEXICAL).glob("*"):
            if str(folder.relative_to(self.folder)) not in folders:
                shutil.rmtree(folder)
