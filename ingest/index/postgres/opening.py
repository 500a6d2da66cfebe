"""An index in PostgreSQL that is open: its connections, and a transaction for each snapshot."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ingest.errors import IndexBusy, IndexMismatch, IndexMissing
from ingest.index.acronyms import Entry
from ingest.index.postgres import tables
from ingest.index.postgres.head import Head, read_head
from ingest.index.postgres.link import Address, Link, LinkLost, Loop, TableGone, Use
from ingest.index.postgres.reading import PostgresSnapshot

LINKS = 16
"""Connections of one process; a search holds one."""
WAIT_S = 30.0
TRIES = 3


class PostgresIndex:
    """An index in PostgreSQL, open for reading, on the server itself or on a replica of it."""

    def __init__(
        self, address: Address, *, embedder: str, few: int, generation: int | None = None
    ) -> None:
        """As `Engine.index`; among up to `few` passages every vector is compared."""
        self.address = address
        self._embedder = embedder
        self._few = few
        self._wanted = generation
        self._glossaries: dict[Any, tuple[Entry, ...]] = {}
        self._idle: list[Link] = []
        self._lock = threading.Lock()
        self._free = threading.Semaphore(LINKS)
        self._loop = Loop()
        try:
            with self.snapshot():
                pass
        except BaseException:
            self.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSnapshot]:
        """The current generation, kept open while the block runs."""
        if not self._free.acquire(timeout=WAIT_S):
            msg = f"{LINKS} searches hold the index at {self.address.shown}. Ask again."
            raise IndexBusy(msg)
        try:
            link, head = self._begun()
            whole = False
            try:
                yield PostgresSnapshot(link, head, self._glossaries, self._few)
                link.run("ROLLBACK")
                whole = True
            finally:
                if whole:
                    with self._lock:
                        self._idle.append(link)
                else:
                    link.close()
        finally:
            self._free.release()

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            idle, self._idle = self._idle, []
        for link in idle:
            link.close()
        self._loop.close()

    def _begun(self) -> tuple[Link, Head]:
        """A connection in a transaction of its own, and what that sees."""
        for _ in range(LINKS + TRIES):
            with self._lock:
                kept = self._idle.pop() if self._idle else None
            link = kept or Link(self._loop, self.address, Use.SEARCH)
            try:
                link.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                head = self._head(link)
                # A table that somebody holds is not dropped, whatever is committed meanwhile.
                names = f"vectors_{head.build}, terms_{head.build}, {head.words}"
                link.run(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
            except LinkLost:
                link.close()
                if kept is None:
                    raise
                # The server was restarted since; the next may be of before too, or new.
            except TableGone:
                link.close()  # dropped between the two statements; what serves now has others
            except BaseException:
                link.close()
                raise
            else:
                return link, head
        msg = f"The index at {self.address.shown} changes faster than it can be opened."
        raise IndexBusy(msg)

    def _head(self, link: Link) -> Head:
        head = read_head(link, self._wanted) if tables.exists(link) else None
        if head is None:
            wanted = (
                f"Generation {self._wanted} is not kept" if self._wanted else "There is no index"
            )
            msg = f"{wanted} at {self.address.shown}. Run: docent ingest"
            raise IndexMissing(msg)
        built = head.manifest.parts.embedder
        if built != self._embedder:
            msg = (
                f"The index at {self.address.shown} was built with the embedder {built!r}, the "
                f"settings say {self._embedder!r}. Run: docent ingest --rebuild"
            )
            raise IndexMismatch(msg)
        return head
