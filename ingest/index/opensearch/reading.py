"""Reading an index in OpenSearch. Every query carries the reader's groups and the epoch as filters.

A filter stands inside each query that ranks (`knn.filter`, `bool.filter`), so that what is not
allowed is neither ranked nor counted.
"""

import json
import math
import threading
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.access import Reader
from ingest.errors import IndexMismatch, IndexMissing
from ingest.filters import EVERYTHING, Facet, Facets, Filter
from ingest.index.acronyms import Entry, entries
from ingest.index.alike import MOST, Twin, alike
from ingest.index.covers import Cover
from ingest.index.lexical import K1, MAX_QUERY_TERMS
from ingest.index.manifest import Manifest
from ingest.index.opensearch.cluster import Address, Body, Cluster
from ingest.index.opensearch.shapes import HEAD, group
from ingest.index.rows import sayable
from ingest.index.seam import Counts, Hit
from ingest.index.store import StoredChunk, date, standing_from
from ingest.index.tokens import terms
from ingest.model import AccessList, Block, BlockKind, Chunk, Document, Section

EXACT = 10_000
"""Among so few passages every vector is compared; among more the graph is walked."""
CANDIDATES = 200
MOST_HITS = 10_000
"""OpenSearch gives no more at once."""
PAGE_ROWS = 1_000
"""Of one `terms` filter."""


class OpenSearchSnapshot:
    """One epoch of one build."""

    def __init__(self, cluster: Cluster, head: Body) -> None:
        self.manifest = Manifest.from_json(head["manifest"], cluster.address.shown)
        self._cluster = cluster
        self._epoch = int(head["epoch"])
        name, build = cluster.address.name, head["build"]
        self._passages, self._documents = f"{name}-passages-{build}", f"{name}-documents-{build}"

    @property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of all chunks, ascending."""
        found = self._cluster.every(self._passages, _all(self._there()), ["row"])
        return np.fromiter((one["row"] for one in found), dtype=np.int64)

    def search_dense(
        self,
        vector: NDArray[np.float32],
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """As `Snapshot.search_dense`: exact among few passages, by Lucene's graph among many."""
        filters = self._filters(reader, rows, only)
        numbers = [float(x) for x in vector]
        if self._cluster.count(self._passages, _all(filters)) > EXACT and k <= MOST_HITS:
            near = {"vector": numbers, "k": max(k, CANDIDATES), "filter": _all(filters)}
            found = self._hits({"knn": {"embedding": near}}, k)
            return _ranked((row, 2 * score - 1) for row, score in found)
        # Said in full, since what `knn_score` gives for a cosine has changed between versions.
        script = {
            "source": "cosineSimilarity(params.query_value, doc[params.field]) + 1.0",
            "params": {"field": "embedding", "query_value": numbers},
        }
        query = {"script_score": {"query": _all(filters), "script": script}}
        return _ranked((row, score - 1) for row, score in self._hits(query, k))

    def search_lexical(
        self,
        text: str,
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """As `Snapshot.search_lexical`."""
        words = _words(text)
        if not words:
            return []
        match = {"match": {"body": {"query": " ".join(words), "operator": "or"}}}
        query = {"bool": {"must": [match], "filter": self._filters(reader, rows, only)}}
        # Lucene leaves the constant k1 + 1 away, which Tantivy and `reach` have.
        return _ranked((row, score * (K1 + 1)) for row, score in self._hits(query, k))

    def reach(self, text: str, reader: Reader) -> float:
        """As `Snapshot.reach`."""
        words = _words(text)
        seen = _all(self._filters(reader))
        if not words or not self._cluster.count(self._passages, seen):
            return 0.0
        count, holders = self._cluster.holders(self._passages, " ".join(words))
        held = (holders.get(word, 0) for word in words)
        return (K1 + 1) * sum(math.log(1 + (count - n + 0.5) / (n + 0.5)) for n in held)

    def chunks(self, rows: Sequence[int], reader: Reader) -> list[StoredChunk]:
        """As `Snapshot.chunks`."""
        found = {one["row"]: _chunk(one) for one in self._seen(rows, reader, ["source", "kept"])}
        return [found[row] for row in rows if row in found]

    def covers(self, rows: Iterable[int], reader: Reader) -> dict[int, Cover]:
        """As `Snapshot.covers`."""
        fields = [f"kept.{f}" for f in ("id", "page_id", "url", "title", "updated_at", "standing")]
        return {
            one["row"]: Cover(
                k["id"], k["page_id"], k["url"], k["title"], date(k["updated_at"]),
                standing_from(k["standing"]),
            )
            for one in self._seen(list(rows), reader, fields)
            for k in (one["kept"],)
        }  # fmt: skip

    def vectors(self, rows: Sequence[int], reader: Reader) -> NDArray[np.float32]:
        """As `Snapshot.vectors`."""
        found = {one["row"]: one["embedding"] for one in self._seen(rows, reader, ["embedding"])}
        gathered = [found[row] for row in rows]
        return np.array(gathered, dtype=np.float32).reshape(len(rows), self.manifest.parts.dim)

    def twins(self, documents: Iterable[int], reader: Reader) -> dict[int, list[Twin]]:
        """As `Snapshot.twins`."""
        fields = ["row", "id", "format", "bands", "kept.url", "kept.updated_at", "kept.standing",
                  "kept.title", "kept.signature"]  # fmt: skip
        told: dict[int, list[Twin]] = {}
        for row in documents:
            own = self._found(_all([*self._filters(reader), {"term": {"row": row}}]), fields, 1)
            bands = own[0]["bands"] if own else []
            near = [*self._filters(reader), {"terms": {"bands": bands}}]
            others = self._found(_all(near), fields, MOST) if bands else []
            faces = sorted(_face(one) for one in others if one["row"] != row)
            told[row] = alike(_face(own[0]), faces) if faces else []
        return told

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """As `Snapshot.glossary`."""
        query = _all([*self._filters(reader), {"term": {"says": True}}])
        fields = ["row", "id", "kept.title", "kept.url", "kept.acronyms"]
        said = [
            (short, one["row"], long, one["id"], one["kept"]["title"], one["kept"]["url"])
            for one in self._cluster.every(self._documents, query, fields)
            for short, long in one["kept"]["acronyms"]
        ]
        return entries((short, long, *rest) for short, _, long, *rest in sorted(said))

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """As `Snapshot.document`."""
        if not sayable(document_id):
            return None
        query = _all([*self._filters(reader), {"term": {"id": document_id}}])
        found = self._found(query, ["id", "source", "format", "kept"], 1)
        return _document(found[0]) if found else None

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """As `Snapshot.counts`."""
        query = _all(self._filters(reader, None, only))
        documents, chunks = (
            self._cluster.count(index, query) for index in (self._documents, self._passages)
        )
        made = self.manifest
        return Counts(documents, chunks, made.generation, made.created_at)

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """As `Snapshot.facets`."""
        only = only or EVERYTHING

        def by(field: str, without: str) -> list[Facet]:
            filters = self._filters(reader, None, only, without)
            body = {
                "size": 0,
                "query": _all(filters),
                "aggs": {"by": {"terms": {"field": field, "size": MOST_HITS}}},
            }
            found = self._cluster.search(self._documents, body)["aggregations"]["by"]["buckets"]
            return [Facet(one["key"], int(one["doc_count"])) for one in found]

        sources, formats = (
            tuple(sorted(by(f, f"{f}s"), key=lambda one: (-one.count, one.value)))
            for f in ("source", "format")
        )
        years = sorted(((int(one.value), one.count) for one in by("year", "days")), reverse=True)
        return Facets(sources, formats, tuple(Facet(f"{year:04}", n) for year, n in years if year))

    def _hits(self, query: Body, k: int) -> list[tuple[int, float]]:
        body = {"size": min(k, MOST_HITS), "query": query, "_source": ["row"]}
        found = self._cluster.search(self._passages, body)["hits"]["hits"]
        return [(hit["_source"]["row"], float(hit["_score"])) for hit in found]

    def _found(self, query: Body, fields: Sequence[str], size: int) -> list[Body]:
        body = {"size": size, "query": query, "_source": list(fields)}
        found = self._cluster.search(self._documents, body)["hits"]["hits"]
        return [hit["_source"] for hit in found]

    def _seen(self, rows: Sequence[int], reader: Reader, fields: Sequence[str]) -> Iterator[Body]:
        for start in range(0, len(rows), PAGE_ROWS):
            wanted = rows[start : start + PAGE_ROWS]
            query = _all(self._filters(reader, wanted))
            yield from self._cluster.every(self._passages, query, ["row", *fields])

    def _there(self) -> list[Body]:
        return [
            {"range": {"from": {"lte": self._epoch}}},
            {"range": {"until": {"gt": self._epoch}}},
        ]

    def _filters(
        self,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
        without: str = "",
    ) -> list[Body]:
        mine = sorted(map(group, reader.principals))
        found = [*self._there(), {"terms": {"access": mine}}]
        if rows is not None:
            found.append({"terms": {"row": [int(row) for row in rows]}})
        for field, values in (("source", only and only.sources), ("format", only and only.formats)):
            if values and without != f"{field}s":
                found.append({"terms": {field: sorted(filter(sayable, values))}})
        if only and without != "days" and (only.since or only.until):
            days = {"gte": only.since.toordinal() if only.since else 1}
            if only.until:
                days["lte"] = only.until.toordinal()
            found.append({"range": {"day": days}})
        return found


def _all(filters: Sequence[Body]) -> Body:
    return {"bool": {"filter": list(filters)}}


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(terms(text)))[:MAX_QUERY_TERMS]


def _ranked(found: Iterable[tuple[int, float]]) -> list[Hit]:
    return sorted((Hit(row, score) for row, score in found), key=lambda h: (-h.score, h.row))


def _groups(kept: Body) -> AccessList:
    return frozenset(map(json.loads, kept["groups"]))


def _face(one: Body) -> tuple[Any, ...]:
    kept = one["kept"]
    return (
        one["row"], one["id"], kept["url"], kept["updated_at"], kept["standing"], kept["title"],
        one["format"], b64decode(kept["signature"]),
    )  # fmt: skip


def _chunk(one: Body) -> StoredChunk:
    k = one["kept"]
    chunk = Chunk(
        f"{k['id']}@{k['start']}-{k['end']}", k["id"], k["ordinal"], tuple(k["headings"]),
        k["start"], k["end"], k["text"], k["header"], k["table_header"], k["page"], k["anchor"],
    )  # fmt: skip
    return StoredChunk(
        one["row"], k["document"], chunk, k["title"], k["url"], one["source"],
        date(k["updated_at"]), _groups(k), standing_from(k["standing"]),
    )  # fmt: skip


def _document(one: Body) -> Document:
    k = one["kept"]
    return Document(
        one["id"], k["page_id"], one["source"], k["title"], k["url"], one["format"], k["text"],
        tuple(Section(tuple(h), anchor) for h, anchor in k["sections"]),
        tuple(Block(BlockKind(kind), *rest) for kind, *rest in k["blocks"]),
        _groups(k), k["author"], date(k["updated_at"]), standing_from(k["standing"]),
    )  # fmt: skip


class OpenSearchIndex:
    """An index in OpenSearch, open for reading. Thread-safe, as its client is."""

    def __init__(self, address: Address, *, embedder: str) -> None:
        """As `Engine.index`."""
        self.address = address
        self._embedder = embedder
        self._cluster = Cluster(address)
        self._lock = threading.Lock()
        try:
            with self.snapshot():
                pass
        except BaseException:
            self.close()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[OpenSearchSnapshot]:
        """The current generation; the one before it can be read until the next is published."""
        head = self._cluster.get(f"{self.address.name}-head", HEAD)
        if head is None:
            msg = f"There is no index at {self.address.shown}. Run: docent ingest"
            raise IndexMissing(msg)
        snapshot = OpenSearchSnapshot(self._cluster, head["kept"])
        built = snapshot.manifest.parts.embedder
        if built != self._embedder:
            msg = (
                f"The index at {self.address.shown} was built with the embedder {built!r}, the "
                f"settings say {self._embedder!r}. Run: docent ingest --rebuild"
            )
            raise IndexMismatch(msg)
        yield snapshot

    def close(self) -> None:
        """Close what is open."""
        self._cluster.close()
