"""Reading an index in PostgreSQL. A snapshot is a transaction: it sees one state, and no half.

Every statement names the access lists of its reader, and the generation. Filters are conditions of
the search itself: what is not allowed is neither ranked nor counted.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from ingest.access import Reader
from ingest.filters import EVERYTHING, Facet, Facets, Filter
from ingest.index import store
from ingest.index.acronyms import Entry, entries
from ingest.index.alike import MOST, Twin, alike
from ingest.index.covers import Cover
from ingest.index.postgres.conditions import Allowed, Conditions, alive, narrow
from ingest.index.postgres.head import Head
from ingest.index.postgres.link import Link
from ingest.index.postgres.words import Question, asked, question
from ingest.index.seam import Counts, Hit
from ingest.index.store import StoredChunk, date, standing_from
from ingest.model import Chunk, Document

EF = 200
"""Candidates of the walk among `EF_AMONG` passages. With more, recall and time rise."""
EF_AMONG = 100_000
EF_GROWTH = 0.4
"""A walk that keeps too few ends among strangers, and of the nearest ten finds none: among a
million passages in clusters 20 of 100 questions with 40, none or three by the build with 200, none
with 502 (eval/RESULTS.md)."""
EF_MOST = 1000
"""pgvector takes no more."""
KEPT = 256
"""Glossaries of so many sets of access lists are remembered."""


class PostgresSnapshot:
    """One generation in one transaction. Not for several threads at once."""

    def __init__(
        self, link: Link, head: Head, glossaries: dict[Any, tuple[Entry, ...]], few: int
    ) -> None:
        self.manifest = head.manifest
        self._link = link
        self._head = head
        self._generation = head.manifest.generation
        self._glossaries = glossaries
        self._few = few
        self._known: dict[frozenset[str], Allowed] = {}
        self._questions: dict[str, Question] = {}

    @property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of all chunks, ascending."""
        where = Conditions()
        self._living(where)
        found = self._link.fetch(
            f"SELECT row FROM {self._head.words} WHERE {where} ORDER BY row", *where.values
        )
        return np.fromiter((one[0] for one in found), dtype=np.int64, count=len(found))

    def search_dense(
        self,
        vector: NDArray[np.float32],
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """As `Snapshot.search_dense`: exact among few passages, by pgvector's HNSW among many."""
        allowed = self._allow(reader)
        if not allowed.lists or k < 1:
            return []
        where = self._where(vector, allowed=allowed, rows=rows, only=only)
        among = len(rows) if rows is not None else self._chunks(allowed, only)
        if among > self._few and k <= EF_MOST // 2:
            found = self._nearest(where, k, among, "embedding <#> $1")
            if len(found) == k:
                return found
        # A sum is no operator of the graph, so that the planner compares what the filter leaves.
        return self._nearest(where, k, among, "(embedding <#> $1) + 0")

    def _nearest(self, where: Conditions, k: int, among: int, order: str) -> list[Hit]:
        if "+" not in order:
            share = self._head.passages / max(1, among)
            self._link.fetch(
                "SELECT set_config('hnsw.iterative_scan', 'strict_order', true),"
                " set_config('hnsw.ef_search', $1, true),"
                " set_config('hnsw.max_scan_tuples', $2, true),"
                " set_config('work_mem', '64MB', true)",
                str(min(EF_MOST, max(candidates(self._head.passages), 2 * k))),
                str(int(max(20_000, 8 * k * share))),
            )
        found = self._link.fetch(
            f"SELECT row, -(embedding <#> $1) FROM vectors_{self._head.build}"
            f" WHERE {where} ORDER BY {order} LIMIT {int(k)}",
            *where.values,
        )
        return _ranked(found)

    def search_lexical(
        self,
        text: str,
        k: int,
        reader: Reader,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> list[Hit]:
        """As `Snapshot.search_lexical`; exact (`words` says how)."""
        allowed = self._allow(reader)
        words = self._question(text)
        if not allowed.lists or not words.terms or k < 1:
            return []
        among = self._chunks(allowed, only) if rows is None else len(rows)
        many = 4 * k * self._head.passages / max(1, among)
        first = words.first(many) if rows is None else len(words.terms)
        while True:
            where = self._where(words.vector, allowed=allowed, rows=rows, only=only)
            where.add("terms && ?::int[]", [term.number for term in words.terms[:first]])
            found = self._link.fetch(
                f"SELECT row, -(body <#> $1::sparsevec) AS score FROM {self._head.words}"
                f" WHERE {where} ORDER BY score DESC, row LIMIT {int(k)}",
                *where.values,
            )
            least = found[-1][1] * (1 - 1e-6) if len(found) == k else 0.0
            needed = words.needed(least)
            if needed <= first:
                return _ranked(found)
            first = needed

    def reach(self, text: str, reader: Reader) -> float:
        """As `Snapshot.reach`: `Σ idf·(k1 + 1)`, words that no passage has included."""
        if not self._allow(reader).lists:
            return 0.0
        return self._question(text).reach

    def chunks(self, rows: Sequence[int], reader: Reader) -> list[StoredChunk]:
        """As `Snapshot.chunks`."""
        found = self._link.fetch(
            "SELECT c.row, d.row AS document, c.ordinal, c.start, c.\"end\", c.headings, c.header,"
            " c.table_header, c.page, c.anchor, d.id, d.title, d.url, d.source, d.updated_at,"
            " l.groups, d.standing FROM chunks c JOIN documents d ON d.row = c.document"
            " JOIN access_lists l ON l.id = d.access"
            " WHERE c.row = ANY($1::bigint[]) AND d.access = ANY($2::bigint[])"
            f" AND {alive('c', 3)}",
            list(rows), self._allow(reader).lists, self._generation,
        )  # fmt: skip
        texts = self._texts({one["document"] for one in found})
        by_row = {one["row"]: _chunk(one, texts[one["document"]]) for one in found}
        return [by_row[row] for row in rows if row in by_row]

    def _texts(self, documents: Iterable[int]) -> dict[int, str]:
        found = self._link.fetch(
            "SELECT row, text FROM documents WHERE row = ANY($1::bigint[])", list(documents)
        )
        return {row: zstandard.decompress(text).decode() for row, text in found}

    def covers(self, rows: Iterable[int], reader: Reader) -> dict[int, Cover]:
        """As `Snapshot.covers`."""
        found = self._link.fetch(
            "SELECT c.row, d.id, d.page_id, d.url, d.title, d.updated_at, d.standing"
            " FROM chunks c JOIN documents d ON d.row = c.document"
            " WHERE c.row = ANY($1::bigint[]) AND d.access = ANY($2::bigint[])"
            f" AND {alive('c', 3)}",
            [int(row) for row in rows], self._allow(reader).lists, self._generation,
        )  # fmt: skip
        return {r[0]: Cover(r[1], r[2], r[3], r[4], date(r[5]), standing_from(r[6])) for r in found}

    def vectors(self, rows: Sequence[int], reader: Reader) -> NDArray[np.float32]:
        """As `Snapshot.vectors`."""
        where = self._where(allowed=self._allow(reader), rows=rows)
        sql = f"SELECT row, embedding FROM vectors_{self._head.build} WHERE {where}"
        found = dict(tuple(one) for one in self._link.fetch(sql, *where.values))
        result = np.empty((len(rows), self.manifest.parts.dim), dtype=np.float32)
        for at, row in enumerate(rows):
            result[at] = found[row]
        return result

    def twins(self, documents: Iterable[int], reader: Reader) -> dict[int, list[Twin]]:
        """As `Snapshot.twins`."""
        wanted = list(documents)
        pairs = self._link.fetch(
            "SELECT asked.row, near.document FROM unnest($1::bigint[]) AS asked(row), LATERAL ("
            " SELECT DISTINCT document FROM (SELECT other.document FROM bands one"
            " JOIN bands other ON other.key = one.key WHERE one.document = asked.row"
            f" AND other.document <> one.document LIMIT {MOST}) AS shared) AS near",
            wanted,
        )
        near: dict[int, list[int]] = {row: [] for row in wanted}
        for row, other in pairs:
            near[row].append(other)
        found = self._link.fetch(
            "SELECT d.row, d.id, d.url, d.updated_at, d.standing, d.title, d.format, d.signature"
            f" FROM documents d WHERE d.row = ANY($1::bigint[]) AND d.access = ANY($2::bigint[])"
            f" AND {alive('d', 3)}",
            [*{*wanted, *(other for _, other in pairs)}] if pairs else [],
            self._allow(reader).lists, self._generation,
        )  # fmt: skip
        faces = {one[0]: one for one in found}
        return {
            row: alike(faces[row], [faces[o] for o in sorted(others) if o in faces])
            if row in faces
            else []
            for row, others in near.items()
        }

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """As `Snapshot.glossary`; read once of a state and kept."""
        lists = self._allow(reader).lists
        key = (self._head.stamp, self._generation, tuple(lists))
        known = self._glossaries.get(key)
        if known is None:
            found = self._link.fetch(
                "SELECT a.short, a.long, d.id, d.title, d.url FROM acronyms a"
                " JOIN documents d ON d.row = a.document"
                f" WHERE d.access = ANY($1::bigint[]) AND {alive('d', 2)}"
                ' ORDER BY a.short COLLATE "C", d.row, a.long COLLATE "C"',
                lists, self._generation,
            )  # fmt: skip
            if len(self._glossaries) >= KEPT:
                self._glossaries.clear()
            known = self._glossaries[key] = entries(found)
        return known

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """As `Snapshot.document`."""
        found = store.read_document(self._link, document_id, self._generation)
        return found if found and reader.may_read(found.access) else None

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """As `Snapshot.counts`."""
        allowed = self._allow(reader)
        documents, chunks = allowed.documents, allowed.chunks
        if only is not None and only.narrows:
            documents, chunks = self._shelved(allowed, only)
        return Counts(documents, chunks, self._generation, self.manifest.created_at)

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """As `Snapshot.facets`."""
        only = only or EVERYTHING
        lists = self._allow(reader).lists

        def by(value: str, without: str, order: str) -> tuple[Facet, ...]:
            where = self._shelf(lists, only, without)
            if without == "days":
                where.add("day > 0")
            found = self._link.fetch(
                f'SELECT ({value}) COLLATE "C" AS value, sum(documents)::bigint AS count FROM shelf'
                f" WHERE {where} GROUP BY 1 ORDER BY {order}",
                *where.values,
            )
            return tuple(Facet(str(name), int(count)) for name, count in found)

        year = "lpad(extract(year FROM DATE '0001-01-01' + (day - 1))::int::text, 4, '0')"
        return Facets(
            by("source", "sources", "count DESC, value"),
            by("format", "formats", "count DESC, value"),
            by(year, "days", "value DESC"),
        )

    # --- conditions -------------------------------------------------------------------------

    def _where(
        self,
        *values: Any,
        allowed: Allowed,
        rows: Sequence[int] | None = None,
        only: Filter | None = None,
    ) -> Conditions:
        where = Conditions(*values)
        self._living(where)
        if not allowed.all:
            where.add("access = ANY(?::bigint[])", allowed.lists)
        if rows is not None:
            where.add("row = ANY(?::bigint[])", [int(row) for row in rows])
        if only is not None:
            narrow(where, only)
        return where

    def _living(self, where: Conditions) -> None:
        where.add("born <= ? AND died > ?", self._generation, self._generation)

    def _shelf(self, lists: list[int], only: Filter, without: str = "") -> Conditions:
        where = Conditions()
        where.add("generation = ?", self._generation)
        where.add("access = ANY(?::bigint[])", lists)
        narrow(where, only, without)
        return where

    def _shelved(self, allowed: Allowed, only: Filter) -> tuple[int, int]:
        where = self._shelf(allowed.lists, only)
        found = self._link.fetch(
            "SELECT coalesce(sum(documents), 0)::bigint, coalesce(sum(chunks), 0)::bigint"
            f" FROM shelf WHERE {where}",
            *where.values,
        )
        return int(found[0][0]), int(found[0][1])

    def _chunks(self, allowed: Allowed, only: Filter | None) -> int:
        if only is None or not only.narrows:
            return allowed.chunks
        return self._shelved(allowed, only)[1]

    def _allow(self, reader: Reader) -> Allowed:
        known = self._known.get(reader.principals)
        if known is None:
            found = self._link.fetch(
                "SELECT access, sum(documents)::bigint, sum(chunks)::bigint FROM shelf"
                " WHERE generation = $1 AND access IN"
                " (SELECT id FROM access_lists WHERE principals && $2::text[]) GROUP BY access",
                self._generation, [json.dumps(one) for one in sorted(reader.principals)],
            )  # fmt: skip
            every = self._link.value(
                "SELECT count(DISTINCT access) FROM shelf WHERE generation = $1", self._generation
            )
            known = self._known[reader.principals] = Allowed(
                sorted(one[0] for one in found),
                sum(int(one[1]) for one in found),
                sum(int(one[2]) for one in found),
                len(found) == every,
            )
        return known

    def _question(self, text: str) -> Question:
        known = self._questions.get(text)
        if known is None:
            wanted = asked(text)
            found = self._link.fetch(
                f"SELECT id, holders, peak FROM terms_{self._head.build}"
                " WHERE term = ANY($1::text[])",
                wanted,
            )
            known = question([tuple(one) for one in found], self._head.passages, len(wanted))
            self._questions[text] = known
        return known


def candidates(passages: int) -> int:
    """How many candidates the walk keeps in an index of so many passages (`hnsw.ef_search`)."""
    more: float = max(1.0, passages / EF_AMONG) ** EF_GROWTH
    return min(EF_MOST, round(EF * more))


def _ranked(found: Sequence[Any]) -> list[Hit]:
    return sorted((Hit(row, float(score)) for row, score in found), key=lambda h: (-h.score, h.row))


def _chunk(one: Any, text: str) -> StoredChunk:
    start, end = one["start"], one["end"]
    chunk = Chunk(
        id=f"{one['id']}@{start}-{end}",
        document_id=one["id"],
        ordinal=one["ordinal"],
        headings=tuple(json.loads(one["headings"])),
        start=start,
        end=end,
        text=text[start:end],
        header=one["header"],
        table_header=one["table_header"],
        page=one["page"],
        anchor=one["anchor"],
    )
    return StoredChunk(
        one["row"], one["document"], chunk, one["title"], one["url"], one["source"],
        date(one["updated_at"]), frozenset(json.loads(one["groups"])),
        standing_from(one["standing"]),
    )  # fmt: skip
