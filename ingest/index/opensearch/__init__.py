"""An index in OpenSearch 3: `opensearch://USER@HOST:9200/NAME?rows=FOLDER`.

`cluster` is the way to it, `shapes` says what lies there, `writing` mirrors there what a writer
has in a folder, `reading` finds in it. Only live clusters show shards, replicas, security plugins
and the recall of Lucene's graph; the tests have a server that accepts only documented requests.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from ingest.errors import IndexMissing
from ingest.index.manifest import Manifest, Parts
from ingest.index.opensearch.cluster import Address, Cluster
from ingest.index.opensearch.reading import OpenSearchIndex
from ingest.index.opensearch.shapes import HEAD
from ingest.index.opensearch.writing import OpenSearchWriter, rows_of, writing_at
from ingest.index.rows import Rows
from ingest.index.seam import Generation, Index
from ingest.index.writer import Folder


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """The engine at an address."""

    address: Address

    def index(self, embedder: str, generation: int | None = None) -> Index:
        """As `Engine.index`; one that does not serve is read where the writer keeps it."""
        if generation is None:
            return OpenSearchIndex(self.address, embedder=embedder)
        return Folder(rows_of(self.address)).index(embedder, generation)

    def writing(
        self, parts: Parts, *, rebuild: bool = False, keep: int = 1
    ) -> AbstractContextManager[OpenSearchWriter]:
        """As `Engine.writing`."""
        return writing_at(self.address, parts, rebuild=rebuild, keep=keep)

    def generations(self) -> list[Generation]:
        """As `Engine.generations`, of the writer's rows."""
        return Folder(rows_of(self.address)).generations()

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        """As `Engine.rows`, of the writer's rows."""
        with Folder(rows_of(self.address)).rows() as db:
            yield db

    def serving(self) -> Manifest:
        """As `Engine.serving`: what the cluster gives."""
        with closing(Cluster(self.address)) as cluster:
            head = cluster.get(f"{self.address.name}-head", HEAD)
        if head is None:
            msg = f"There is no index at {self.address.shown}. Run: docent ingest"
            raise IndexMissing(msg)
        return Manifest.from_json(head["kept"]["manifest"], self.address.shown)

    def bytes(self) -> int:
        """What its indexes take on the disks of the cluster."""
        with closing(Cluster(self.address)) as cluster:
            return cluster.bytes(f"{self.address.name}-*")

    def remarks(self) -> list[str]:
        """As `Engine.remarks`: that the cluster does not give what serves in the rows."""
        kept = [one.number for one in self.generations() if one.serving]
        given = self.serving().generation
        if kept in ([], [given]):
            return []
        return [
            f"The cluster gives generation {given}, and {kept[0]} is published: a writer was cut "
            "off. The next one finishes it."
        ]
