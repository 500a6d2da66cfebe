"""An index in PostgreSQL with pgvector: `postgresql://USER@HOST/DATABASE?schema=NAME`.

`tables` says what lies there, `link` is the way to it, `words` is BM25, `build` is what is
searched, `writing` and `upkeep` make a generation of it, `opening` holds a reader's connections and
`reading` finds in one of them what the `conditions` leave of the generation that its `head` names.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from ingest.errors import IndexMissing
from ingest.index.keeping import kept_generations
from ingest.index.manifest import Manifest, Parts
from ingest.index.postgres import tables
from ingest.index.postgres.head import read_head
from ingest.index.postgres.link import Address, Link, Loop, Use
from ingest.index.postgres.opening import PostgresIndex
from ingest.index.postgres.writing import PostgresWriter, writing_at
from ingest.index.seam import Generation

FEW = 20_000
"""Among so few passages every vector is compared; among more pgvector's graph is walked."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """The engine at an address."""

    address: Address
    few: int = FEW

    def index(self, embedder: str, generation: int | None = None) -> PostgresIndex:
        """As `Engine.index`."""
        return PostgresIndex(self.address, embedder=embedder, few=self.few, generation=generation)

    def writing(
        self, parts: Parts, *, rebuild: bool = False, keep: int = 1
    ) -> AbstractContextManager[PostgresWriter]:
        """As `Engine.writing`."""
        return writing_at(self.address, parts, rebuild=rebuild, keep=keep, few=self.few)

    def generations(self) -> list[Generation]:
        """As `Engine.generations`."""
        with self.rows() as link:
            found = kept_generations(link, self.address.shown)
        if not found:
            raise IndexMissing(self._missing())
        return found

    @contextmanager
    def rows(self, use: Use = Use.OPERATE) -> Iterator[Link]:
        """As `Engine.rows`."""
        loop = Loop()
        try:
            with closing(Link(loop, self.address, use)) as link:
                if not tables.exists(link):
                    raise IndexMissing(self._missing())
                yield link
        finally:
            loop.close()

    def remarks(self) -> list[str]:
        """As `Engine.remarks`: that a replica is behind."""
        if not self.address.several:
            return []
        with self.rows() as link, self.rows(Use.SEARCH) as replica:
            told = [read_head(one) for one in (link, replica)]
        here, there = ((one.stamp, one.manifest.generation) if one else (0, 0) for one in told)
        if here == there:
            return []
        return [
            f"The replica that searches go to is {here[0] - there[0]} commits behind: it gives "
            f"generation {there[1]}, the server itself {here[1]}."
        ]

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
