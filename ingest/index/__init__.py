"""The index: `open_index` reads it, `writing` changes it, `places` chooses the engine by URL."""

from ingest.index.acronyms import Entry, SaidBy
from ingest.index.alike import Twin
from ingest.index.covers import Cover
from ingest.index.embedded import EmbeddedIndex
from ingest.index.manifest import Manifest, Parts, disk_bytes, read_manifest
from ingest.index.places import (
    Place,
    engine_at,
    generations,
    managing,
    open_index,
    writing,
)
from ingest.index.seam import Counts, Generation, Hit, Index, Snapshot, Writer, previous
from ingest.index.store import StoredChunk, text_digest

__all__ = [
    "Counts",
    "Cover",
    "EmbeddedIndex",
    "Entry",
    "Generation",
    "Hit",
    "Index",
    "Manifest",
    "Parts",
    "Place",
    "SaidBy",
    "Snapshot",
    "StoredChunk",
    "Twin",
    "Writer",
    "disk_bytes",
    "engine_at",
    "generations",
    "managing",
    "open_index",
    "previous",
    "read_manifest",
    "text_digest",
    "writing",
]
