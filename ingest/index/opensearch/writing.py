"""Writing an index in OpenSearch: the rows stay with the writer, what serves is mirrored.

A cluster has no transactions. So the writer keeps an index in a folder of its own, as on one
machine, and brings the cluster to what serves there: what is new goes over with the next epoch,
what has gone is marked with it, and when all of it can be searched, the head is written. Cut off
anywhere before, readers go on in the epoch they have, and the next writer begins by finishing:
what the cluster holds is asked, not assumed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ingest.errors import SettingsError
from ingest.index import store
from ingest.index.dense import gather, read_segment
from ingest.index.embedded import DENSE
from ingest.index.manifest import Manifest, Parts
from ingest.index.opensearch import shapes
from ingest.index.opensearch.cluster import Address, Body, Cluster
from ingest.index.opensearch.shapes import HEAD, NEVER
from ingest.index.store import ALIVE
from ingest.index.writer import EmbeddedWriter, Folder

PASSAGES, DOCUMENTS = "passages", "documents"
PART = 1_000
"""Passages that are made ready together."""


@contextmanager
def writing_at(
    address: Address, parts: Parts, *, rebuild: bool, keep: int
) -> Iterator["OpenSearchWriter"]:
    """As `Engine.writing`."""
    folder = rows_of(address)
    with (
        closing(Cluster(address)) as cluster,
        Folder(folder).writing(parts, rebuild=rebuild, keep=keep) as writer,
    ):
        mirrored = OpenSearchWriter(writer, cluster)
        mirrored.follow()
        yield mirrored


def rows_of(address: Address) -> Path:
    """Where the writer keeps the rows.

    Raises:
        SettingsError: the address does not say.
    """
    if not address.rows:
        msg = (
            f"The address {address.shown} does not say where the writer keeps its rows: add "
            "?rows=FOLDER, or name it as [index] path and the address as [index] url."
        )
        raise SettingsError(msg)
    return Path(address.rows)


class OpenSearchWriter:
    """A writer of a folder that lets the cluster follow what serves there."""

    def __init__(self, writer: EmbeddedWriter, cluster: Cluster) -> None:
        self._writer = writer
        self._cluster = cluster
        self.parts = writer.parts
        self.db = writer.db
        self.put = writer.put
        self.remove = writer.remove
        self.known_vectors = writer.known_vectors
        self.generations = writer.generations
        self.prune = writer.prune

    @property
    def manifest(self) -> Manifest | None:
        """Of the newest generation."""
        return self._writer.manifest

    @property
    def generation(self) -> int:
        """The generation that the next commit makes."""
        return self._writer.generation

    @property
    def fresh(self) -> bool:
        """As `Writer.fresh`."""
        return self._writer.fresh

    @property
    def changed(self) -> bool:
        """As `Writer.changed`."""
        return self._writer.changed

    def commit(self, *, publish: bool = True, final: bool = True) -> int:
        """As `Writer.commit`; returns when searches of the cluster get it."""
        number = self._writer.commit(publish=publish, final=final)
        self.follow()
        return number

    def publish(self, number: int) -> int:
        """As `Writer.publish`; access lists are those of today."""
        self._writer.publish(number)
        self.follow()
        return number

    def follow(self) -> None:
        """Bring the cluster to the generation that serves in the folder."""
        serving = store.serving(self.db)
        if serving is None:
            return
        row = next(one for one in store.generations(self.db) if one.id == serving)
        manifest = Manifest.from_json(row.manifest, self._writer.folder)
        _Mirror(self._writer, self._cluster, manifest, row.manifest).run()


class _Mirror:
    """One generation on its way into the cluster."""

    def __init__(
        self, writer: EmbeddedWriter, cluster: Cluster, manifest: Manifest, told: str
    ) -> None:
        self.db, self.folder = writer.db, writer.folder
        self.cluster, self.manifest, self.told = cluster, manifest, told
        self.name = cluster.address.name
        self.generation = manifest.generation
        head = cluster.get(f"{self.name}-head", HEAD)
        self.head: Body = head["kept"] if head else {}
        self.epoch = int(self.head.get("epoch", 0)) + 1
        self.lists = store.access_lists(self.db)
        self.build = self._build()

    def run(self) -> None:
        """Mirror what differs; the head is written last."""
        passages, documents = (f"{self.name}-{what}-{self.build}" for what in (PASSAGES, DOCUMENTS))
        chunks = dict(store.chunk_access(self.db, self.generation))
        whole = {row: number for row, number, _ in self._documents()}
        differing = [
            self._differing(index, wanted)
            for index, wanted in ((passages, chunks), (documents, whole))
        ]
        same = self.head.get("manifest") == self.told and self.head.get("build") == self.build
        if same and not any(new or old for new, old in differing):
            return
        self.cluster.bulk(self._passages(passages, *differing[0]))
        self.cluster.bulk(self._whole(documents, *differing[1]))
        self.cluster.refresh(passages, documents)
        head = {"epoch": self.epoch, "build": self.build, "manifest": self.told}
        self.cluster.put(f"{self.name}-head", HEAD, {"kept": head})
        self.cluster.point(self.name, passages)
        self._clean(passages, documents)

    def _build(self) -> int:
        """The build that serves, or another one for other parts or where there is none."""
        build = int(self.head.get("build", 0))
        known = self.head.get("manifest")
        where = self.cluster.address.shown
        if not known or Manifest.from_json(known, where).parts != self.manifest.parts:
            build += 1
        dim = self.manifest.parts.dim
        self.cluster.make(f"{self.name}-head", shapes.head_index())
        self.cluster.make(f"{self.name}-{PASSAGES}-{build}", shapes.passages_index(dim))
        self.cluster.make(f"{self.name}-{DOCUMENTS}-{build}", shapes.documents_index())
        return build

    def _differing(self, index: str, wanted: Mapping[int, int]) -> tuple[list[int], list[str]]:
        """Rows that have to go over, and names of what has to go."""
        self.cluster.refresh(index)
        old = []
        there = set()
        query = {"bool": {"filter": [{"term": {"until": NEVER}}]}}
        for one in self.cluster.every(index, query, ["row", "list", "from"]):
            # Of an epoch that was never told to anybody only half may be there.
            if one["from"] < self.epoch and wanted.get(one["row"]) == one["list"]:
                there.add(one["row"])
            else:
                old.append(one["_id"])
        return sorted(wanted.keys() - there), old

    def _passages(self, index: str, rows: Sequence[int], old: Sequence[str]) -> Iterator[Body]:
        yield from self._gone(index, old)
        segments = [
            read_segment(self.folder / f.path, f.sha256)
            for f in self.manifest.files
            if f.path.startswith(f"{DENSE}/")
        ]
        for start in range(0, len(rows), PART):
            part = rows[start : start + PART]
            vectors = gather(segments, part, self.manifest.parts.dim)
            documents: dict[str, Any] = {}
            for stored, vector in zip(
                store.read_chunks(self.db, part, self.lists), vectors, strict=True
            ):
                name = stored.chunk.document_id
                if name not in documents:
                    documents[name] = store.read_document(self.db, name, self.generation)
                number = store.access_id(self.db, stored.access)
                body = shapes.passage(stored, number, documents[name], vector, self.epoch)
                yield self._index(index, stored.row, body)

    def _whole(self, index: str, rows: Sequence[int], old: Sequence[str]) -> Iterator[Body]:
        yield from self._gone(index, old)
        wanted = set(rows)
        for row, number, name in self._documents():
            if row not in wanted:
                continue
            document = store.read_document(self.db, name, self.generation)
            if document is None:
                continue
            values = (row,)
            [mark] = self.db.execute("SELECT signature FROM documents WHERE row = ?", values)
            bands = self.db.execute("SELECT key FROM bands WHERE document = ?", values)
            said = self.db.execute("SELECT short, long FROM acronyms WHERE document = ?", values)
            body = shapes.whole(
                row, number, document, bytes(mark[0]), [key for (key,) in bands],
                [(short, long) for short, long in said], self.epoch,
            )  # fmt: skip
            yield self._index(index, row, body)

    def _index(self, index: str, row: int, body: Body) -> Body:
        return {"_op_type": "index", "_index": index, "_id": f"{row}-{self.epoch}", **body}

    def _gone(self, index: str, old: Sequence[str]) -> Iterator[Body]:
        for name in old:
            gone = {"until": self.epoch}
            yield {"_op_type": "update", "_index": index, "_id": name, "doc": gone}

    def _documents(self) -> list[tuple[int, int, str]]:
        found = self.db.execute(
            "SELECT d.row, COALESCE(p.access, d.access), d.id FROM documents d"
            f" LEFT JOIN pages p ON p.id = d.page_id WHERE {ALIVE.format('d')} ORDER BY d.row",
            {"generation": self.generation},
        )
        return [(int(row), int(number), str(name)) for row, number, name in found]

    def _clean(self, *current: str) -> None:
        """Delete what no reader can ask for: those of the epoch before may still be reading."""
        gone = {"bool": {"filter": [{"range": {"until": {"lte": self.epoch - 1}}}]}}
        for index in current:
            self.cluster.delete(index, gone)
        for what in (PASSAGES, DOCUMENTS):
            for name in self.cluster.names(f"{self.name}-{what}-*"):
                if int(name.rpartition("-")[2]) < self.build - 1:
                    self.cluster.drop(name)
