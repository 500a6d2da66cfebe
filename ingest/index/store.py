"""SQLite: documents, chunks, access lists, stored pages and what failed. The one truth.

Rows carry the generation they were born in and the one they died in; a reader of generation g sees
what was born by then and had not died. Vectors and lexical terms are derived from these rows.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import zstandard

from ingest.errors import IndexMismatch
from ingest.model import AccessList, Block, BlockKind, Chunk, Document, Failure, Page, Section

SCHEMA_VERSION = 1
DATABASE = "docent.sqlite"

_SCHEMA = """
CREATE TABLE access_lists (id INTEGER PRIMARY KEY, groups TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE pages (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, digest BLOB NOT NULL, url TEXT NOT NULL,
    format TEXT NOT NULL, updated_at TEXT, access INTEGER NOT NULL REFERENCES access_lists(id),
    content BLOB NOT NULL
) STRICT;
CREATE INDEX pages_of_source ON pages(source);
CREATE TABLE failures (
    page_id TEXT PRIMARY KEY, source TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, page_id TEXT NOT NULL,
    source TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL, format TEXT NOT NULL,
    author TEXT NOT NULL, updated_at TEXT, access INTEGER NOT NULL REFERENCES access_lists(id),
    text BLOB NOT NULL, structure BLOB NOT NULL, born INTEGER NOT NULL, died INTEGER
) STRICT;
CREATE INDEX documents_by_id ON documents(id);
CREATE INDEX documents_of_page ON documents(page_id);
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents(row),
    ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    headings TEXT NOT NULL, header TEXT NOT NULL, table_header TEXT NOT NULL, page INTEGER,
    anchor TEXT NOT NULL, digest BLOB NOT NULL, born INTEGER NOT NULL, died INTEGER
) STRICT;
CREATE INDEX chunks_of_document ON chunks(document);
CREATE INDEX chunks_by_digest ON chunks(digest);
CREATE TABLE generations (id INTEGER PRIMARY KEY, manifest TEXT NOT NULL) STRICT;
CREATE TABLE runs (
    source TEXT PRIMARY KEY, finished_at TEXT NOT NULL, report TEXT NOT NULL
) STRICT;
"""

_ALIVE = "{0}.born <= :generation AND ({0}.died IS NULL OR {0}.died > :generation)"


def text_digest(indexed: str) -> bytes:
    """Names a text to be embedded, so that an unchanged one is not embedded again. 16 bytes."""
    return blake2b(indexed.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is read back, with what is needed to cite it."""

    row: int
    chunk: Chunk
    title: str
    url: str
    source: str
    updated_at: datetime | None
    access: AccessList


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk on its way into the lexical index."""

    row: int
    access: int
    indexed: str


def connect(folder: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the database. Transactions are begun and ended by the caller.

    Raises:
        IndexMismatch: it was made by another version of Docent.
    """
    path = folder / DATABASE
    mode = "rwc" if create else "rw"
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    db.execute("PRAGMA busy_timeout = 30000")
    db.execute("PRAGMA foreign_keys = ON")
    # What was removed must not be readable from the file's free pages.
    db.execute("PRAGMA secure_delete = ON")
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version == 0 and create:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    elif version != SCHEMA_VERSION:
        db.close()
        msg = (
            f"The index at {folder} has database version {version}, this Docent reads "
            f"{SCHEMA_VERSION}. Move the folder away and run: docent ingest"
        )
        raise IndexMismatch(msg)
    db.execute("PRAGMA synchronous = FULL")
    return db


# --- writing ------------------------------------------------------------------------------------


def access_id(db: sqlite3.Connection, access: AccessList) -> int:
    """The number of an access list, made on first use."""
    groups = json.dumps(sorted(access))
    db.execute("INSERT OR IGNORE INTO access_lists(groups) VALUES (?)", (groups,))
    found = db.execute("SELECT id FROM access_lists WHERE groups = ?", (groups,)).fetchone()
    return int(found[0])


def save_page(db: sqlite3.Connection, page: Page, digest: bytes) -> None:
    """Keep a page as fetched, so that it can be parsed again without asking its source."""
    db.execute(
        "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            page.id,
            page.source,
            digest,
            page.url,
            page.format,
            _iso(page.updated_at),
            access_id(db, page.access),
            zstandard.compress(page.content),
        ),
    )


def add_document(
    db: sqlite3.Connection, document: Document, chunks: Sequence[Chunk], generation: int
) -> list[NewChunk]:
    """Insert a document with its chunks, born in `generation`."""
    access = access_id(db, document.access)
    structure = {
        "sections": [[s.headings, s.anchor] for s in document.sections],
        "blocks": [
            [b.kind, b.start, b.end, b.section, b.page, b.header_end] for b in document.blocks
        ],
    }
    row = db.execute(
        "INSERT INTO documents(id, page_id, source, title, url, format, author, updated_at, access,"
        " text, structure, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.id,
            document.page_id,
            document.source,
            document.title,
            document.url,
            document.format,
            document.author,
            _iso(document.updated_at),
            access,
            zstandard.compress(document.text.encode()),
            zstandard.compress(json.dumps(structure, separators=(",", ":")).encode()),
            generation,
        ),
    ).lastrowid
    new = []
    for chunk in chunks:
        chunk_row = db.execute(
            'INSERT INTO chunks(document, ordinal, start, "end", headings, header, table_header,'
            " page, anchor, digest, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row,
                chunk.ordinal,
                chunk.start,
                chunk.end,
                json.dumps(chunk.headings),
                chunk.header,
                chunk.table_header,
                chunk.page,
                chunk.anchor,
                text_digest(chunk.indexed),
                generation,
            ),
        ).lastrowid
        new.append(NewChunk(int(chunk_row or 0), access, chunk.indexed))
    return new


def kill_documents(db: sqlite3.Connection, page_id: str, generation: int) -> list[int]:
    """Let a page's documents and chunks die in `generation`; the rows of these chunks."""
    alive = "SELECT row FROM documents WHERE page_id = ? AND died IS NULL"
    rows = [
        int(row)
        for (row,) in db.execute(
            f"SELECT row FROM chunks WHERE died IS NULL AND document IN ({alive})",
            (page_id,),
        )
    ]
    db.execute(
        f"UPDATE chunks SET died = ? WHERE died IS NULL AND document IN ({alive})",
        (generation, page_id),
    )
    db.execute(
        "UPDATE documents SET died = ? WHERE page_id = ? AND died IS NULL", (generation, page_id)
    )
    return rows


def forget_page(db: sqlite3.Connection, page_id: str) -> None:
    """Drop the stored page and what was said of it."""
    db.execute("DELETE FROM pages WHERE id = ?", (page_id,))
    db.execute("DELETE FROM failures WHERE page_id = ?", (page_id,))


def prune(db: sqlite3.Connection, generation: int) -> None:
    """Delete for good what had died by `generation`, and access lists that nothing uses."""
    db.execute("DELETE FROM chunks WHERE died <= ?", (generation,))
    db.execute("DELETE FROM documents WHERE died <= ?", (generation,))
    db.execute("DELETE FROM generations WHERE id < ?", (generation,))
    db.execute(
        "DELETE FROM access_lists WHERE id NOT IN (SELECT access FROM documents)"
        " AND id NOT IN (SELECT access FROM pages)"
    )


def save_failure(db: sqlite3.Connection, failure: Failure, at: datetime) -> None:
    """Remember why a page could not be read."""
    db.execute(
        "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)",
        (failure.page_id, failure.source, failure.reason, at.isoformat()),
    )


def save_run(
    db: sqlite3.Connection, source: str, finished: datetime, report: Mapping[str, object]
) -> None:
    """Remember what the last run of a source did."""
    db.execute(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?)",
        (source, finished.isoformat(), json.dumps(report)),
    )


# --- reading ------------------------------------------------------------------------------------


def access_lists(db: sqlite3.Connection) -> dict[int, AccessList]:
    """All access lists by number."""
    rows = db.execute("SELECT id, groups FROM access_lists")
    return {int(number): frozenset(json.loads(groups)) for number, groups in rows}


def chunk_access(db: sqlite3.Connection, generation: int) -> Iterator[tuple[int, int]]:
    """(row, access list) of every living chunk."""
    alive = _ALIVE.format("chunks")
    return db.execute(
        "SELECT chunks.row, documents.access FROM chunks JOIN documents"
        f" ON documents.row = chunks.document WHERE {alive}",
        {"generation": generation},
    )


def document_counts(db: sqlite3.Connection, generation: int) -> dict[int, int]:
    """Number of living documents by access list."""
    alive = _ALIVE.format("documents")
    rows = db.execute(
        f"SELECT access, COUNT(*) FROM documents WHERE {alive} GROUP BY access",
        {"generation": generation},
    )
    return {int(access): int(count) for access, count in rows}


def documents_by_source(db: sqlite3.Connection, generation: int) -> dict[str, tuple[int, int]]:
    """(documents, chunks) of each source, for operators: not filtered by reader."""
    alive = _ALIVE.format("d")
    rows = db.execute(
        "SELECT d.source, COUNT(DISTINCT d.row), COUNT(c.row) FROM documents d"
        f" LEFT JOIN chunks c ON c.document = d.row WHERE {alive} GROUP BY d.source",
        {"generation": generation},
    )
    return {source: (int(documents), int(chunks)) for source, documents, chunks in rows}


def read_chunks(
    db: sqlite3.Connection, rows: Sequence[int], lists: Mapping[int, AccessList]
) -> list[StoredChunk]:
    """Chunks by row, in the order asked for; unknown rows are left out."""
    marks = ",".join("?" * len(rows))
    found = db.execute(
        'SELECT c.row, c.ordinal, c.start, c."end", c.headings, c.header, c.table_header, c.page,'
        " c.anchor, d.id, d.title, d.url, d.source, d.updated_at, d.access, d.row, d.text"
        " FROM chunks c JOIN documents d ON d.row = c.document"
        f" WHERE c.row IN ({marks})",
        tuple(rows),
    )
    texts: dict[int, str] = {}
    chunks: dict[int, StoredChunk] = {}
    for r in found:
        text = texts.get(r[15])
        if text is None:
            text = texts[r[15]] = zstandard.decompress(r[16]).decode()
        chunk = Chunk(
            id=f"{r[9]}@{r[2]}-{r[3]}",
            document_id=r[9],
            ordinal=r[1],
            headings=tuple(json.loads(r[4])),
            start=r[2],
            end=r[3],
            text=text[r[2] : r[3]],
            header=r[5],
            table_header=r[6],
            page=r[7],
            anchor=r[8],
        )
        chunks[r[0]] = StoredChunk(
            r[0], chunk, r[10], r[11], r[12], _date(r[13]), lists.get(r[14], frozenset())
        )
    return [chunks[row] for row in rows if row in chunks]


def read_document(db: sqlite3.Connection, document_id: str, generation: int) -> Document | None:
    """A living document by its id, if there is one."""
    alive = _ALIVE.format("documents")
    row = db.execute(
        f"SELECT * FROM documents WHERE id = :id AND {alive}",
        {"id": document_id, "generation": generation},
    ).fetchone()
    return None if row is None else _document(row, access_lists(db))


def documents_of_page(db: sqlite3.Connection, page_id: str) -> list[Document]:
    """The documents of a page that have not died, for the writer."""
    lists = access_lists(db)
    rows = db.execute(
        "SELECT * FROM documents WHERE page_id = ? AND died IS NULL ORDER BY row", (page_id,)
    )
    return [_document(row, lists) for row in rows]


def rows_by_digest(
    db: sqlite3.Connection, digests: Iterable[bytes], generation: int
) -> dict[bytes, int]:
    """A chunk row for each digest that the writer of `generation` has a vector of.

    That is what lives, and what dies only in this generation: its vector is still there.
    """
    found: dict[bytes, int] = {}
    for digest in digests:
        row = db.execute(
            "SELECT row FROM chunks WHERE digest = ? AND (died IS NULL OR died = ?) LIMIT 1",
            (digest, generation),
        ).fetchone()
        if row is not None:
            found[digest] = int(row[0])
    return found


def page_states(db: sqlite3.Connection, source: str) -> dict[str, tuple[bytes, int]]:
    """(digest, access list) of each known page of a source."""
    rows = db.execute("SELECT id, digest, access FROM pages WHERE source = ?", (source,))
    return {page: (bytes(digest), int(access)) for page, digest, access in rows}


def stored_pages(db: sqlite3.Connection, source: str) -> Iterator[Page]:
    """Every page of a source as it was fetched, one at a time."""
    lists = access_lists(db)
    found = db.execute("SELECT id FROM pages WHERE source = ? ORDER BY id", (source,))
    ids = [page_id for (page_id,) in found]
    for page_id in ids:
        row = db.execute("SELECT * FROM pages WHERE id = ?", (page_id,)).fetchone()
        yield Page(
            id=row[0],
            source=row[1],
            url=row[3],
            format=row[4],
            updated_at=_date(row[5]),
            access=lists[row[6]],
            content=zstandard.decompress(row[7]),
        )


def failures(db: sqlite3.Connection) -> list[Failure]:
    """Pages that could not be read, for operators: never shown to readers."""
    rows = db.execute("SELECT page_id, source, reason FROM failures ORDER BY source, page_id")
    return [Failure(page_id, source, reason) for page_id, source, reason in rows]


def runs(db: sqlite3.Connection) -> dict[str, tuple[datetime, dict[str, object]]]:
    """When each source was last read, and the report of that run."""
    rows = db.execute("SELECT source, finished_at, report FROM runs ORDER BY source")
    return {name: (datetime.fromisoformat(at), json.loads(report)) for name, at, report in rows}


def sources(db: sqlite3.Connection) -> list[str]:
    """Names of all sources that something is kept of."""
    rows = db.execute("SELECT source FROM pages UNION SELECT source FROM failures ORDER BY 1")
    return [name for (name,) in rows]


def _document(row: Sequence[object], lists: Mapping[int, AccessList]) -> Document:
    (
        _,
        id_,
        page_id,
        source,
        title,
        url,
        format_,
        author,
        updated_at,
        access,
        text,
        structure,
        _,
        _,
    ) = row
    parts = json.loads(zstandard.decompress(structure))  # type: ignore[arg-type] # a BLOB column
    return Document(
        id=str(id_),
        page_id=str(page_id),
        source=str(source),
        title=str(title),
        url=str(url),
        format=str(format_),
        text=zstandard.decompress(text).decode(),  # type: ignore[arg-type] # a BLOB column
        sections=tuple(Section(tuple(h), anchor) for h, anchor in parts["sections"]),
        blocks=tuple(Block(BlockKind(kind), *rest) for kind, *rest in parts["blocks"]),
        access=lists[int(str(access))],
        author=str(author),
        updated_at=_date(updated_at),
    )


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _date(value: object) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None
