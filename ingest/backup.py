"""A copy of an index folder that is whole, also while a run writes the index, and the way back.

The rows are copied by SQLite itself as they were at one moment. Files are named by the manifests in
these rows, and are never changed: they are only ever dropped, with the last generation that names
them. So what the copied rows name is either still there, or the copy is begun again.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ingest.errors import IndexBusy, IndexDamaged, IndexMissing, IndexTrouble
from ingest.index import store
from ingest.index.manifest import MANIFEST, FileEntry, Manifest, sync_folder, verify
from ingest.sides import FIRST, Sides, folder_of, read_sides, write_sides

LOCK = "writer.lock"
TRIES = 5
BLOCK = 2**20

Told = Callable[[int], None]
"""Hears how many bytes more were copied."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file of a backup: its path inside it, the SHA-256 of its bytes, and their number."""

    path: str
    sha256: str
    bytes: int


def copy_index(folder: Path, into: Path, told: Told = lambda n: None) -> int | None:
    """Copy every kept generation of an index; the number of the one that serves, if one does.

    Of two indexes side by side it is the one that serves, with word of its embedder.

    Raises:
        IndexMissing: there is no index. IndexDamaged: a file of it is not what was written.
        IndexTrouble: it changes faster than it can be copied.
    """
    sides = read_sides(folder)
    if sides is not None:
        folder = folder_of(folder, sides.serving)
    if not (folder / store.DATABASE).is_file():
        msg = f"There is no index at {folder} to be backed up. Run: docent ingest"
        raise IndexMissing(msg)
    into.mkdir(parents=True)
    for _ in range(TRIES):
        manifests, serving = _copy_rows(folder, into, told)
        try:
            _copy_files(folder, into, manifests, told)
        except FileNotFoundError:
            # A run has dropped a generation since the rows were copied; a file that is merely lost
            # will be missing the next time too.
            continue
        _write_manifest(into, manifests, serving)
        if sides is not None:
            made = {FIRST: sides.embedders[sides.serving]}
            write_sides(into, Sides(FIRST, made, sides.settings))
        return serving
    missing = [e.path for m in manifests for e in m.files if not (folder / e.path).exists()]
    if missing:
        msg = f"{folder / missing[0]} is missing. Run: docent ingest --rebuild"
        raise IndexDamaged(msg)
    msg = f"The index at {folder} changes faster than it can be copied. Stop the writer."
    raise IndexTrouble(msg)


def _copy_rows(folder: Path, into: Path, told: Told) -> tuple[list[Manifest], int | None]:
    path = into / store.DATABASE
    path.unlink(missing_ok=True)
    with closing(store.connect(folder)) as rows, closing(sqlite3.connect(path)) as copy:
        # In one step: nobody can write in between, and in WAL mode nobody waits for us.
        rows.backup(copy, pages=-1)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        kept = [Manifest.from_json(row.manifest, folder) for row in store.generations(copy)]
        serving = store.serving(copy)
    told(path.stat().st_size)
    return kept, serving


def _copy_files(folder: Path, into: Path, manifests: list[Manifest], told: Told) -> None:
    entries = {entry.path: entry for manifest in manifests for entry in manifest.files}
    for path, entry in entries.items():
        target = into / path
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.partial")
        shutil.copyfile(folder / path, partial)
        verify(into, FileEntry(str(partial.relative_to(into)), entry.sha256, entry.bytes))
        partial.rename(target)
        told(entry.bytes)


def _write_manifest(into: Path, manifests: list[Manifest], serving: int | None) -> None:
    for manifest in manifests:
        if manifest.generation == serving:
            (into / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


def put_index(copy: Path, folder: Path, stamp: datetime, *, replace: bool) -> Path | None:
    """Put a checked copy where the index lies; where the one before it was moved to, if there was.

    Raises:
        IndexTrouble: there is an index, and `replace` is False. IndexBusy: it is being written.
    """
    if not replace and folder.exists() and any(folder.iterdir()):
        msg = f"There is something at {folder}. To put the backup in its place: --replace"
        raise IndexTrouble(msg)
    old = None
    partial = folder.with_name(f"{folder.name}.restoring")
    shutil.rmtree(partial, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(copy, partial)
    with closing(sqlite3.connect(partial / store.DATABASE)) as rows:
        rows.execute("PRAGMA journal_mode = WAL")
    for root, _, names in os.walk(partial):
        for name in names:
            _sync(Path(root) / name)
        sync_folder(Path(root))
    with _nobody_writes(folder):
        if folder.exists():
            old = folder.with_name(f"{folder.name}.before-{stamp:%Y-%m-%dT%H%M%SZ}")
            folder.rename(old)
        partial.rename(folder)
    sync_folder(folder.parent)
    return old


@contextmanager
def _nobody_writes(folder: Path) -> Iterator[None]:
    if not folder.exists():
        yield
        return
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"Another process is writing the index at {folder}. Wait for it, or stop it."
            raise IndexBusy(msg) from None
        yield


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def seal(folder: Path) -> list[Sealed]:
    """Bring every file of a folder to the disk, and name it with its digest."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(Sealed(str(path.relative_to(folder)), digest, path.stat().st_size))
    for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        sync_folder(path)
    return found


def unsealed(folder: Path, files: list[Sealed]) -> list[str]:
    """What is wrong with a sealed folder: files that are missing, changed, or too many."""
    wrong = []
    for one in files:
        path = folder / one.path
        if not path.is_file():
            wrong.append(f"{one.path} is missing")
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != one.sha256:
            wrong.append(f"{one.path} is not what was written")
    known = {one.path for one in files}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return wrong + [f"{name} is not of the backup" for name in sorted(there - known)]
