"""SQLite: documents, chunks, access lists and generations. The one truth.

What is known of the sources (stored pages, cursors, failures, runs) lies in the same database and
is read and written by `visits`. Rows carry the generation they were born in and the one they died
in; a reader of generation g sees what was born by then and had not died. Vectors and lexical terms
are derived from these rows.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

import zstandard

from ingest.errors import IndexMismatch
from ingest.index.rows import Rows, sayable
from ingest.model import (
    CURRENT,
    AccessList,
    Block,
    BlockKind,
    Chunk,
    Cut,
    Document,
    Section,
    Standing,
)
from ingest.twins import bands

SCHEMA_VERSION = 4
DATABASE = "docent.sqlite"

_SCHEMA = """
CREATE TABLE access_lists (id INTEGER PRIMARY KEY, groups TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE pages (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, digest BLOB NOT NULL, url TEXT NOT NULL,
    format TEXT NOT NULL, updated_at TEXT, access INTEGER NOT NULL REFERENCES access_lists(id),
    version TEXT NOT NULL, author TEXT NOT NULL, standing TEXT NOT NULL, title TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX pages_of_source ON pages(source);
CREATE TABLE failures (
    page_id TEXT PRIMARY KEY, source TEXT NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL,
    attempts INTEGER NOT NULL, next_try TEXT
) STRICT;
CREATE TABLE documents (
    row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, page_id TEXT NOT NULL,
    source TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL, format TEXT NOT NULL,
    author TEXT NOT NULL, updated_at TEXT, access INTEGER NOT NULL REFERENCES access_lists(id),
    standing TEXT NOT NULL, signature BLOB NOT NULL, born INTEGER NOT NULL, died INTEGER,
    -- Last: a long text lies on pages of its own, which nothing before it needs to turn.
    text BLOB NOT NULL, structure BLOB NOT NULL
) STRICT;
CREATE INDEX documents_by_id ON documents(id);
CREATE INDEX documents_of_page ON documents(page_id);
CREATE INDEX documents_that_died ON documents(died) WHERE died IS NOT NULL;
CREATE TABLE bands (
    document INTEGER NOT NULL REFERENCES documents(row) ON DELETE CASCADE, key INTEGER NOT NULL,
    PRIMARY KEY (document, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX bands_by_key ON bands(key);
CREATE TABLE acronyms (
    document INTEGER NOT NULL REFERENCES documents(row) ON DELETE CASCADE, short TEXT NOT NULL,
    long TEXT NOT NULL, PRIMARY KEY (document, short, long)
) STRICT, WITHOUT ROWID;
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents(row),
    ordinal INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
    headings TEXT NOT NULL, header TEXT NOT NULL, table_header TEXT NOT NULL, page INTEGER,
    anchor TEXT NOT NULL, digest BLOB NOT NULL, born INTEGER NOT NULL, died INTEGER
) STRICT;
CREATE INDEX chunks_of_document ON chunks(document);
CREATE INDEX chunks_by_digest ON chunks(digest);
CREATE INDEX chunks_that_died ON chunks(died) WHERE died IS NOT NULL;
CREATE TABLE generations (
    id INTEGER PRIMARY KEY, manifest TEXT NOT NULL, final INTEGER NOT NULL, published TEXT
) STRICT;
CREATE TABLE serving (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL) STRICT;
CREATE TABLE cursors (source TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE runs (
    source TEXT PRIMARY KEY, finished_at TEXT NOT NULL, succeeded_at TEXT, report TEXT NOT NULL
) STRICT;
"""

ALIVE = "{0}.born <= :generation AND ({0}.died IS NULL OR {0}.died > :generation)"


def text_digest(indexed: str) -> bytes:
    """Names a text to be embedded, so that an unchanged one is not embedded again. 16 bytes."""
    return blake2b(indexed.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk as it is read back, with what is needed to cite it."""

    row: int
    document: int
    """Row of its document."""
    chunk: Chunk
    title: str
    url: str
    source: str
    updated_at: datetime | None
    access: AccessList
    standing: Standing


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk on its way into the lexical index."""

    row: int
    access: int
    indexed: str


@dataclass(frozen=True, slots=True)
class GenerationRow:
    """A generation: its manifest, whether a run ended with it, and when it was last published."""

    id: int
    manifest: str
    final: bool
    published: datetime | None


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


def access_id(db: Rows, access: AccessList) -> int:
    """The number of an access list, made on first use."""
    groups = json.dumps(sorted(access))
    found = db.execute("SELECT id FROM access_lists WHERE groups = ?", (groups,)).fetchone()
    if found is None:
        made = "INSERT INTO access_lists(groups) VALUES (?) RETURNING id"
        found = db.execute(made, (groups,)).fetchone()
    return int(found[0])


def add_document(db: sqlite3.Connection, cut: Cut, generation: int) -> list[NewChunk]:
    """Insert a document with its chunks, born in `generation`."""
    document = cut.document
    access = access_id(db, document.access)
    structure = {
        "sections": [[s.headings, s.anchor] for s in document.sections],
        "blocks": [
            [b.kind, b.start, b.end, b.section, b.page, b.header_end] for b in document.blocks
        ],
    }
    row = db.execute(
        "INSERT INTO documents(id, page_id, source, title, url, format, author, updated_at, access,"
        " standing, text, structure, signature, born)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            document.id,
            document.page_id,
            document.source,
            document.title,
            document.url,
            document.format,
            document.author,
            iso(document.updated_at),
            access,
            standing_text(document.standing),
            zstandard.compress(document.text.encode()),
            zstandard.compress(json.dumps(structure, separators=(",", ":")).encode()),
            cut.signature,
            generation,
        ),
    ).lastrowid
    db.executemany(
        "INSERT OR IGNORE INTO bands(document, key) VALUES (?, ?)",
        ((row, key) for key in bands(cut.signature)),
    )
    db.executemany(
        "INSERT OR IGNORE INTO acronyms(document, short, long) VALUES (?, ?, ?)",
        ((row, found.short, found.long) for found in cut.acronyms),
    )
    new = []
    for chunk in cut.chunks:
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


def prune(db: sqlite3.Connection, keep: Iterable[int]) -> None:
    """Delete for good what no kept generation can see, and access lists that nothing uses."""
    kept = json.dumps(sorted(keep))
    db.execute("DELETE FROM generations WHERE id NOT IN (SELECT value FROM json_each(?))", (kept,))
    for table in ("chunks", "documents"):
        db.execute(
            f"DELETE FROM {table} WHERE died IS NOT NULL AND NOT EXISTS"
            f" (SELECT 1 FROM generations g WHERE g.id >= {table}.born AND g.id < {table}.died)"
        )
    db.execute(
        "DELETE FROM access_lists WHERE id NOT IN (SELECT access FROM documents)"
        " AND id NOT IN (SELECT access FROM pages)"
    )


def add_generation(db: Rows, generation: int, manifest: str, *, final: bool) -> None:
    """Remember a generation that was written."""
    db.execute("INSERT INTO generations VALUES (?, ?, ?, NULL)", (generation, manifest, int(final)))


def finish_generation(db: Rows, generation: int) -> None:
    """Note that a run ended with this generation."""
    db.execute("UPDATE generations SET final = 1 WHERE id = ?", (generation,))


def serve_generation(db: Rows, generation: int, at: datetime) -> None:
    """Name the generation that readers get from now on."""
    db.execute(
        "INSERT INTO serving VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET"
        " generation = excluded.generation",
        (generation,),
    )
    db.execute("UPDATE generations SET published = ? WHERE id = ?", (at.isoformat(), generation))


# --- reading ------------------------------------------------------------------------------------


def access_lists(db: Rows) -> dict[int, AccessList]:
    """All access lists by number."""
    rows = db.execute("SELECT id, groups FROM access_lists")
    return {int(number): frozenset(json.loads(groups)) for number, groups in rows}


def chunk_access(db: sqlite3.Connection, generation: int) -> Iterator[tuple[int, int]]:
    """(row, access list) of every living chunk.

    Of an older generation too the access lists are those of today: who lost the right to read a
    page does not get it back by a roll-back.
    """
    alive = ALIVE.format("chunks")
    return db.execute(
        "SELECT chunks.row, COALESCE(pages.access, documents.access) FROM chunks"
        " JOIN documents ON documents.row = chunks.document"
        f" LEFT JOIN pages ON pages.id = documents.page_id WHERE {alive}",
        {"generation": generation},
    )


def document_counts(db: Rows, generation: int) -> dict[int, int]:
    """Number of living documents by access list."""
    alive = ALIVE.format("documents")
    rows = db.execute(
        "SELECT COALESCE(pages.access, documents.access) AS list, COUNT(*) FROM documents"
        f" LEFT JOIN pages ON pages.id = documents.page_id WHERE {alive} GROUP BY list",
        {"generation": generation},
    )
    return {int(access): int(count) for access, count in rows}


def generations(db: Rows) -> list[GenerationRow]:
    """Every generation that is kept, oldest first."""
    rows = db.execute("SELECT id, manifest, final, published FROM generations ORDER BY id")
    return [GenerationRow(int(g), m, bool(final), date(at)) for g, m, final, at in rows]


def serving(db: Rows) -> int | None:
    """The generation that readers get; None when nothing was published yet."""
    row = db.execute("SELECT generation FROM serving").fetchone()
    return int(row[0]) if row else None


def documents_by_source(db: Rows, generation: int) -> dict[str, tuple[int, int]]:
    """(documents, chunks) of each source, for operators: not filtered by reader."""
    alive = ALIVE.format("d")
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
        " c.anchor, d.id, d.title, d.url, d.source, d.updated_at, COALESCE(p.access, d.access),"
        " d.row, d.text, d.standing"
        " FROM chunks c JOIN documents d ON d.row = c.document"
        " LEFT JOIN pages p ON p.id = d.page_id"
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
        access = lists.get(r[14], frozenset())
        standing = standing_from(r[17])
        chunks[r[0]] = StoredChunk(
            r[0], r[15], chunk, r[10], r[11], r[12], date(r[13]), access, standing
        )
    return [chunks[row] for row in rows if row in chunks]


def read_document(db: Rows, document_id: str, generation: int) -> Document | None:
    """A living document by its id, if there is one."""
    if not sayable(document_id):
        return None
    alive = ALIVE.format("documents")
    row = db.execute(
        "SELECT documents.*, COALESCE(pages.access, documents.access) FROM documents"
        f" LEFT JOIN pages ON pages.id = documents.page_id WHERE documents.id = :id AND {alive}",
        {"id": document_id, "generation": generation},
    ).fetchone()
    if row is None:
        return None
    lists = access_lists(db)
    return replace(_document(row[:-1], lists), access=lists[row[-1]])


def documents_of_page(db: Rows, page_id: str) -> list[tuple[Document, bytes]]:
    """The documents of a page that have not died, with their signatures; for the writer."""
    lists = access_lists(db)
    rows = db.execute(
        "SELECT signature, * FROM documents WHERE page_id = ? AND died IS NULL ORDER BY row",
        (page_id,),
    )
    return [(_document(row[1:], lists), bytes(row[0])) for row in rows]


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
        standing,
        _,
        _,
        _,
        text,
        structure,
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
        updated_at=date(updated_at),
        standing=standing_from(standing),
    )


def standing_text(standing: Standing) -> str:
    """A standing as a column; empty when nothing was said."""
    return "" if standing == CURRENT else json.dumps(asdict(standing))


def standing_from(value: object) -> Standing:
    """A standing from its column."""
    return Standing(**json.loads(str(value))) if value else CURRENT


def iso(moment: datetime | None) -> str | None:
    """A date as a column."""
    return moment.isoformat() if moment else None


def date(value: object) -> datetime | None:
    """A date from its column."""
    return datetime.fromisoformat(str(value)) if value else None
