"""An index in PostgreSQL with pgvector: `postgresql://USER@HOST/DATABASE?schema=NAME`.

`tables` says what lies there, `link` is the way to it, `words` is BM25, `build` is what is
searched, `writing` and `upkeep` make a generation of it, `reading` finds in it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from ingest.errors import IndexMissing
from ingest.index.keeping import kept_generations
from ingest.index.manifest import Manifest, Parts
from ingest.index.postgres import tables
from ingest.index.postgres.link import Address, Link, Loop
from ingest.index.postgres.reading import PostgresIndex, read_head
from ingest.index.postgres.writing import PostgresWriter, writing_at
from ingest.index.seam import Generation


@dataclass(frozen=True, slots=True)
class Postgres:
    """The engine at an address."""

    address: Address
    read: Address | None = None
    """A replica that searches go to."""

    def index(self, embedder: str, generation: int | None = None) -> PostgresIndex:
        """As `Engine.index`."""
        where = self.read or self.address
        return PostgresIndex(where, embedder=embedder, generation=generation)

    def writing(
        self, parts: Parts, *, rebuild: bool = False, keep: int = 1
    ) -> AbstractContextManager[PostgresWriter]:
        """As `Engine.writing`."""
        return writing_at(self.address, parts, rebuild=rebuild, keep=keep)

    def generations(self) -> list[Generation]:
        """As `Engine.generations`."""
        with self.rows() as link:
            found = kept_generations(link, self.address.shown)
        if not found:
            raise IndexMissing(self._missing())
        return found

    @contextmanager
    def rows(self) -> Iterator[Link]:
        """As `Engine.rows`."""
        loop = Loop()
        try:
            with closing(Link(loop, self.address, reading=True)) as link:
                if not tables.exists(link):
                    raise IndexMissing(self._missing())
                yield link
        finally:
            loop.close()

    def serving(self) -> Manifest:
        """As `Engine.serving`."""
        with self.rows() as link:
            head = read_head(link)
        if head is None:
            raise IndexMissing(self._missing())
        return head.manifest

    def bytes(self) -> int:
        """What its tables and their indexes take."""
        with self.rows() as link:
            return int(
                link.value(
                    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint"
                    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = $1 AND c.relkind = 'r'",
                    self.address.schema,
                )
            )

    def _missing(self) -> str:
        return f"There is no index at {self.address.shown}. Run: docent ingest"
