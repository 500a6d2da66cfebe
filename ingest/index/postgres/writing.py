"""Writing an index in PostgreSQL: changes are collected and committed as generations.

Everything since the last commit is one transaction of one connection, which also holds the writer's
lock: when it breaks, nothing of it is there, and nobody else could have written meanwhile. What is
put waits in memory and goes over in blocks (COPY); large builds get their indexes afterwards.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray

from ingest.errors import IndexBusy, IndexMismatch, IndexTrouble
from ingest.index import store
from ingest.index.keeping import check_kept, kept_generations, to_keep
from ingest.index.manifest import Manifest, Parts, difference
from ingest.index.postgres import tables, upkeep
from ingest.index.postgres.build import Block, Build, New
from ingest.index.postgres.link import Address, Link, Loop, Records, Use
from ingest.index.rows import Values
from ingest.index.seam import Generation
from ingest.model import Cut, Document
from ingest.twins import bands

BLOCK = 5_000
"""Chunks that wait to be copied at most."""

_DOCUMENTS = (
    "row", "id", "page_id", "source", "title", "url", "format", "author", "updated_at", "access",
    "standing", "signature", "born", "text", "structure",
)  # fmt: skip
_CHUNKS = (
    "row", "document", "ordinal", "start", "end", "headings", "header", "table_header", "page",
    "anchor", "digest", "born",
)  # fmt: skip
_WAITS = re.compile(r"\b(?:documents|chunks|bands|acronyms)\b")


class _WriterRows:
    """The writer's connection for `store` and `visits`: what waits is copied before it is read."""

    def __init__(self, writer: "PostgresWriter", link: Link) -> None:
        self._writer = writer
        self._link = link

    def execute(self, sql: str, values: Values = (), /) -> Records:
        """As `Rows.execute`."""
        if _WAITS.search(sql):
            self._writer.flush()
        return self._link.execute(sql, values)

    def executemany(self, sql: str, values: Iterable[Values], /) -> None:
        """As `Rows.executemany`."""
        self._link.executemany(sql, values)


@contextmanager
def writing_at(
    address: Address, parts: Parts, *, rebuild: bool, keep: int, few: int
) -> Iterator["PostgresWriter"]:
    """As `Engine.writing`."""
    loop = Loop()
    try:
        with closing(Link(loop, address, Use.WRITE)) as link:
            # Held by the connection: when that breaks, the lock goes, and so does what was written.
            key = zlib.crc32(f"docent index {address.schema}".encode())
            if not link.value("SELECT pg_try_advisory_lock($1)", key):
                msg = (
                    f"Another process is writing the index at {address.shown}. Wait for it, or "
                    "stop it."
                )
                raise IndexBusy(msg)
            try:
                link.run("BEGIN")
                if not tables.exists(link):
                    tables.make(link)
                link.run("COMMIT")
                link.speak()
                yield PostgresWriter(link, parts, rebuild=rebuild, keep=keep, few=few)
            finally:
                # The server may notice late that we hung up, and the next writer be told to wait.
                with suppress(IndexTrouble):
                    link.run("ROLLBACK; SELECT pg_advisory_unlock_all()")
    finally:
        loop.close()


class PostgresWriter:
    """Collects changes and commits them as generations."""

    _block: Block
    _build: Build
    _last_document: int
    _last_chunk: int

    def __init__(self, link: Link, parts: Parts, *, rebuild: bool, keep: int, few: int) -> None:
        self.parts = parts
        self.keep = keep
        self._few = few
        self._link = link
        self.db = _WriterRows(self, link)
        found = store.generations(link)
        shown = link.address.shown
        self.manifest: Manifest | None = (
            Manifest.from_json(found[-1].manifest, shown) if found else None
        )
        """Of the newest generation, published or not: what the next commit builds on."""
        if self.manifest and self.manifest.parts != parts and not rebuild:
            raise IndexMismatch(difference(shown, self.manifest.parts, parts))
        self._fresh = rebuild
        self._begin()

    @property
    def generation(self) -> int:
        """The generation that the next commit makes."""
        return (self.manifest.generation if self.manifest else 0) + 1

    @property
    def fresh(self) -> bool:
        """True while a rebuild has not been committed: nothing of the old index is carried over."""
        return self._fresh

    @property
    def changed(self) -> bool:
        """True when a commit would make a difference to readers."""
        return bool(self._documents or self._fresh)

    def put(
        self, page_id: str, documents: Sequence[Cut], vectors: Mapping[bytes, NDArray[np.float32]]
    ) -> None:
        """Replace the documents of a page. `vectors` holds one for each chunk's `text_digest`."""
        self.remove(page_id)
        for cut in documents:
            self._documents += 1
            self._put(cut, vectors)
        if len(self._block.chunks) >= BLOCK or len(self._block.documents) >= BLOCK:
            self.flush()

    def _put(self, cut: Cut, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        document, block = cut.document, self._block
        self._last_document += 1
        row = self._last_document
        access = self._access(document)
        block.documents.append((row, *_columns(cut, access, self.generation)))
        block.pages.append(document.page_id)
        block.bands += [(row, key) for key in dict.fromkeys(bands(cut.signature))]
        said = dict.fromkeys((one.short, one.long) for one in cut.acronyms)
        block.acronyms += [(row, short, long) for short, long in said]
        stands = (access, document.source, document.format, _day(document))
        for chunk in cut.chunks:
            self._last_chunk += 1
            digest = store.text_digest(chunk.indexed)
            new = New(self._last_chunk, row, chunk, digest, stands, vectors[digest])
            block.chunks.append(new)

    def remove(self, page_id: str) -> None:
        """Let a page's documents go."""
        self._documents += self._block.without(page_id)
        if self._empty and page_id not in self._flushed:
            return
        gone = self._link.fetch(
            "UPDATE documents SET died = $1 WHERE page_id = $2 AND died IS NULL RETURNING row",
            self.generation, page_id,
        )  # fmt: skip
        if not gone:
            return
        rows = [one[0] for one in gone]
        self._link.run(
            "UPDATE chunks SET died = $1 WHERE document = ANY($2::bigint[]) AND died IS NULL",
            self.generation, rows,
        )  # fmt: skip
        self._documents += len(rows)
        self._dead += rows

    def known_vectors(self, digests: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """Vectors that need not be computed again, by digest of the text."""
        wanted = set(digests)
        known = {one.digest: one.vector for one in self._block.chunks if one.digest in wanted}
        same_model = not self.manifest or self.manifest.parts.embedder == self.parts.embedder
        builds = {self._build.number, *([self._base] if self._base and same_model else [])}
        for build in builds:
            found = self._link.fetch(
                "SELECT DISTINCT ON (c.digest) c.digest, v.embedding FROM chunks c"
                f" JOIN vectors_{build} v ON v.row = c.row"
                " WHERE c.digest = ANY($1::bytea[]) AND (c.died IS NULL OR c.died = $2)",
                list(wanted - known.keys()), self.generation,
            )  # fmt: skip
            known |= {bytes(digest): vector for digest, vector in found}
        return known

    def commit(self, *, publish: bool = True, final: bool = True) -> int:
        """As `Writer.commit`: all of it in one transaction, which readers see whole or not."""
        link = self._link
        if not self.changed and self.manifest:
            generation = self.manifest.generation
        else:
            generation = self.generation
            self.flush()
            self._bury()
            self._build.settle(link)
            manifest = Manifest(generation, datetime.now(UTC), self.parts, ())
            store.add_generation(link, generation, manifest.to_json(), final=final)
            number = self._build.number
            link.run("UPDATE generations SET build = $1 WHERE id = $2", number, generation)
            upkeep.shelve(link, generation)
            self.manifest = manifest
        if final:
            store.finish_generation(link, generation)
        self._fresh = False
        if publish and store.serving(link) != generation:
            store.serve_generation(link, generation, datetime.now(UTC))
        self._save()
        return generation

    def generations(self) -> list[Generation]:
        """What is kept, oldest first."""
        return kept_generations(self._link, self._link.address.shown)

    def publish(self, number: int) -> int:
        """Let readers have this generation, newer or older, with the access lists of today."""
        check_kept(self._link, number, self._link.address.shown)
        if number != store.serving(self._link):
            store.serve_generation(self._link, number, datetime.now(UTC))
        self._save()
        return number

    def prune(self) -> None:
        """Drop every generation but the newest and the one that is served."""
        self.keep = 1
        self._save()

    def flush(self) -> None:
        """Copy what waits; the transaction goes on."""
        block, self._block = self._block, Block()
        if not block.documents:
            return
        link = self._link
        link.copy("documents", _DOCUMENTS, block.documents)
        link.copy("bands", ("document", "key"), block.bands)
        link.copy("acronyms", ("document", "short", "long"), block.acronyms)
        link.copy("chunks", _CHUNKS, [_chunk_row(new, self.generation) for new in block.chunks])
        self._build.add(link, block.chunks, self.generation)
        # Numbers are never given twice, also not after a transaction that was given up.
        link.fetch("SELECT setval('documents_row_seq', $1)", self._last_document)
        if self._last_chunk:
            link.fetch("SELECT setval('chunks_row_seq', $1)", self._last_chunk)
        self._flushed.update(block.pages)

    def _bury(self) -> None:
        """Let the dead die where they are searched too."""
        if self._dead and self._base == self._build.number:
            self._build.bury(self._link, self._dead, self.generation)
        self._dead.clear()

    def _save(self) -> None:
        link = self._link
        kept = to_keep(link, self.keep, link.address.shown)
        upkeep.follow_access(link, list(kept))
        upkeep.prune(link, list(kept))
        link.run("UPDATE meta SET stamp = stamp + 1")
        link.run("COMMIT")
        upkeep.drop_unused(link)
        self._begin()

    def _begin(self) -> None:
        link = self._link
        link.run("BEGIN")
        self._block = Block()
        self._documents = 0
        self._dead: list[int] = []
        self._flushed: set[str] = set()
        self._lists: dict[frozenset[str], int] = {}
        self._base: int | None = link.value(
            "SELECT build FROM generations ORDER BY id DESC LIMIT 1"
        )
        if self._fresh:
            for table in ("chunks", "documents"):
                link.run(f"UPDATE {table} SET died = $1 WHERE died IS NULL", self.generation)
        self._build = (
            Build.made(link, self.parts.dim, self._few)
            if self._fresh or self._base is None
            else Build.opened(link, self._base, self._few)
        )
        self._empty = not link.value("SELECT EXISTS (SELECT 1 FROM documents WHERE died IS NULL)")
        self._last_document = upkeep.last_of(link, "documents_row_seq")
        self._last_chunk = upkeep.last_of(link, "chunks_row_seq")

    def _access(self, document: Document) -> int:
        known = self._lists.get(document.access)
        if known is None:
            known = self._lists[document.access] = store.access_id(self._link, document.access)
        return known


def _columns(cut: Cut, access: int, generation: int) -> tuple[Any, ...]:
    """The columns of a document after its row."""
    one = cut.document
    structure = {
        "sections": [[s.headings, s.anchor] for s in one.sections],
        "blocks": [[b.kind, b.start, b.end, b.section, b.page, b.header_end] for b in one.blocks],
    }
    return (
        one.id, one.page_id, one.source, one.title, one.url, one.format, one.author,
        store.iso(one.updated_at), access, store.standing_text(one.standing), cut.signature,
        generation, zstandard.compress(one.text.encode()),
        zstandard.compress(json.dumps(structure, separators=(",", ":")).encode()),
    )  # fmt: skip


def _chunk_row(new: New, generation: int) -> tuple[Any, ...]:
    chunk = new.chunk
    return (
        new.row, new.document, chunk.ordinal, chunk.start, chunk.end, json.dumps(chunk.headings),
        chunk.header, chunk.table_header, chunk.page, chunk.anchor, new.digest, generation,
    )  # fmt: skip


def _day(document: Document) -> int:
    """As in `Shelves`: day 1 is 1 January of the year 1; 0 without a date."""
    moment = document.updated_at
    return moment.astimezone(UTC).date().toordinal() if moment else 0
