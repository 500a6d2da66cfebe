"""The manifest: one small file that says which generation is current and what it is made of.

Swapping this file is the moment a commit becomes visible. Everything it names was written and
synced before, and nothing it names is ever changed afterwards.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from ingest.errors import IndexDamaged, IndexMissing

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A derived file: path inside the index folder, SHA-256 of its bytes, and their number."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Parts:
    """With what an index was built. Two indexes are compatible when these are equal."""

    embedder: str
    dim: int
    chunker: str
    tokens: str
    parsers: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation."""

    generation: int
    created_at: datetime
    parts: Parts
    files: tuple[FileEntry, ...]
    format: int = FORMAT

    def to_json(self) -> str:
        """As it lies on the disk."""
        return json.dumps(asdict(self) | {"created_at": self.created_at.isoformat()}, indent=1)

    @classmethod
    def from_json(cls, text: str, where: object) -> "Manifest":
        """Raises IndexDamaged when it is not a manifest of this format."""
        try:
            raw = json.loads(text)
            return cls(
                generation=int(raw["generation"]),
                created_at=datetime.fromisoformat(raw["created_at"]),
                parts=Parts(**raw["parts"]),
                files=tuple(FileEntry(**entry) for entry in raw["files"]),
                format=int(raw["format"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{where} is not a manifest that can be read ({error!r}). Run: docent ingest"
            raise IndexDamaged(msg) from error


def read_manifest(folder: Path) -> Manifest:
    """The current generation's manifest.

    Raises:
        IndexMissing: nothing was ever committed there.
        IndexDamaged: the file cannot be read as a manifest.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        msg = f"There is no index at {folder}. Run: docent ingest"
        raise IndexMissing(msg) from None
    return Manifest.from_json(text, path)


def swap_manifest(folder: Path, text: str) -> None:
    """Make a manifest the current one: all of it or none of it, also after a power cut."""
    temporary = folder / f"{MANIFEST}.new"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / MANIFEST)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(folder: Path, path: Path) -> FileEntry:
    """Sync one written file and describe it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(str(path.relative_to(folder)), digest, path.stat().st_size)


def verify(folder: Path, entry: FileEntry) -> None:
    """Raises IndexDamaged when a file is missing or its bytes are not those that were written."""
    path = folder / entry.path
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        digest = ""
    if digest != entry.sha256:
        what = "is missing" if not digest else "is not what was written (its digest differs)"
        msg = f"{path} {what}. Run: docent ingest --rebuild"
        raise IndexDamaged(msg)


def difference(where: object, built: Parts, asked: Parts) -> str:
    """One sentence on what an index was built with that is no longer asked for."""
    changes = [
        f"{name} {old!r}, now {new!r}"
        for (name, old), new in zip(asdict(built).items(), asdict(asked).values(), strict=True)
        if old != new
    ]
    return (
        f"The index at {where} was built with other parts ({'; '.join(changes)}). "
        "Run: docent ingest --rebuild"
    )


def disk_bytes(folder: Path) -> int:
    """Size of an index on disk; a file that several generations share counts once."""
    seen: dict[int, int] = {}
    for root, _, names in os.walk(folder):
        for name in names:
            status = (Path(root) / name).stat()
            seen[status.st_ino] = status.st_size
    return sum(seen.values())
