"""What was fetched and is not in the index yet, kept on disk: a killed run asks nobody again.

One small SQLite file in the index folder, written by the crawling threads as they receive items and
emptied as commits take them up. It survives the process, not a power cut (then pages are fetched
again). Guarded by the index's writer lock.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ingest.index.store import date, iso
from ingest.model import Cursor, Failure, Gone, Item, Page, Standing, Unchanged

SPOOL = "spool.sqlite"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, kind TEXT NOT NULL,
    head TEXT NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS items_of_source ON items(source, number);
"""

_KINDS: dict[str, type[Item]] = {
    kind.__name__: kind for kind in (Page, Unchanged, Failure, Gone, Cursor)
}


class Spool:
    """Items in the order they were given. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / SPOOL, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        # Pages may be confidential: what the index took up is not to be read from free space here.
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.executescript(_SCHEMA)

    def put(self, item: Item) -> int:
        """Keep one item; its number, higher than all before."""
        head, content = _packed(item)
        with self._lock:
            row = self._db.execute(
                "INSERT INTO items(source, kind, head, content) VALUES (?, ?, ?, ?)",
                (item.source, type(item).__name__, head, content),
            ).lastrowid
        return int(row or 0)

    def items(self, source: str) -> Iterator[tuple[int, Item]]:
        """What an earlier run left of a source, oldest first, with its numbers."""
        last = 0
        while True:
            with self._lock:
                row = self._db.execute(
                    "SELECT number, kind, head, content FROM items"
                    " WHERE source = ? AND number > ? ORDER BY number LIMIT 1",
                    (source, last),
                ).fetchone()
            if row is None:
                return
            last = int(row[0])
            yield last, _unpacked(row[1], row[2], row[3])

    def done(self, source: str, number: int) -> None:
        """Forget a source's items up to this one: the index holds them."""
        with self._lock:
            self._db.execute("DELETE FROM items WHERE source = ? AND number <= ?", (source, number))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()


def _packed(item: Item) -> tuple[str, bytes]:
    if not isinstance(item, Page):
        head = asdict(item)
        if isinstance(item, Unchanged):
            head["access"] = sorted(item.access)
        return json.dumps(head), b""
    head = {
        "id": item.id,
        "source": item.source,
        "url": item.url,
        "format": item.format,
        "updated_at": iso(item.updated_at),
        "access": sorted(item.access),
        "version": item.version,
        "standing": asdict(item.standing),
        "author": item.author,
        "title": item.title,
    }
    return json.dumps(head), item.content


def _unpacked(kind: str, head: str, content: bytes) -> Item:
    values = json.loads(head)
    if "access" in values:
        values["access"] = frozenset(values["access"])
    if kind == "Page":
        values |= {
            "content": bytes(content),
            "updated_at": date(values["updated_at"]),
            "standing": Standing(**values["standing"]),
        }
    item: Item = _KINDS[kind](**values)
    return item
