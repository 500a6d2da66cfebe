"""The index on disk. `EmbeddedIndex` reads it, `writing` changes it; engines stay behind these."""

from ingest.index.acronyms import Entry, SaidBy
from ingest.index.alike import Twin
from ingest.index.covers import Cover
from ingest.index.embedded import Counts, EmbeddedIndex, Hit, Snapshot
from ingest.index.manifest import Manifest, Parts, disk_bytes, read_manifest
from ingest.index.store import StoredChunk, text_digest
from ingest.index.writer import (
    Generation,
    Writer,
    generations,
    managing,
    previous,
    writing,
)

__all__ = [
    "Counts",
    "Cover",
    "EmbeddedIndex",
    "Entry",
    "Generation",
    "Hit",
    "Manifest",
    "Parts",
    "SaidBy",
    "Snapshot",
    "StoredChunk",
    "Twin",
    "Writer",
    "disk_bytes",
    "generations",
    "managing",
    "previous",
    "read_manifest",
    "text_digest",
    "writing",
]
