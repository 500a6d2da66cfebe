"""The tables of an index in PostgreSQL: those of `ingest.index.store`, and what is searched.

What is searched lies in a *build*: `vectors_N`, `words_N` and `terms_N`, of one embedder and one
way to cut text into terms. Generations of one build share its tables: rows are born in one and die
in another. A rebuild fills a build of its own, unseen, and is switched to in one transaction.
"""

from ingest.errors import IndexMismatch, IndexTrouble
from ingest.index.postgres.link import Link

VERSION = 1
NEVER = 2**31 - 1
"""The generation in which what lives will die."""
MOST_DIMENSIONS = 2000
"""pgvector's HNSW takes no longer vectors; beyond, every search would be a scan."""

_SCHEMA = f"""
CREATE TABLE meta (one int PRIMARY KEY CHECK (one = 1), version int NOT NULL,
    stamp bigint NOT NULL);
INSERT INTO meta VALUES (1, {VERSION}, 0);
CREATE FUNCTION principals_of(groups text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT coalesce(array_agg(one::text), '{{}}')
       FROM json_array_elements(groups::json) AS one $$;
CREATE TABLE access_lists (
    id bigserial PRIMARY KEY, groups text NOT NULL UNIQUE,
    -- As JSON strings, so that any name at all compares as what it is.
    principals text[] GENERATED ALWAYS AS (principals_of(groups)) STORED
);
CREATE INDEX access_lists_by_principal ON access_lists USING gin (principals);
CREATE TABLE pages (
    id text PRIMARY KEY, source text NOT NULL, digest bytea NOT NULL, url text NOT NULL,
    format text NOT NULL, updated_at text, access bigint NOT NULL REFERENCES access_lists(id),
    version text NOT NULL, author text NOT NULL, standing text NOT NULL, title text NOT NULL,
    content bytea NOT NULL
);
CREATE INDEX pages_of_source ON pages(source);
CREATE TABLE failures (
    page_id text PRIMARY KEY, source text NOT NULL, reason text NOT NULL, at text NOT NULL,
    attempts bigint NOT NULL, next_try text
);
CREATE TABLE documents (
    row bigserial PRIMARY KEY, id text NOT NULL, page_id text NOT NULL, source text NOT NULL,
    title text NOT NULL, url text NOT NULL, format text NOT NULL, author text NOT NULL,
    updated_at text, access bigint NOT NULL REFERENCES access_lists(id), standing text NOT NULL,
    signature bytea NOT NULL, born bigint NOT NULL, died bigint,
    text bytea NOT NULL, structure bytea NOT NULL
);
-- Compressed already, and not needed before the document is shown.
ALTER TABLE documents ALTER text SET STORAGE EXTERNAL, ALTER structure SET STORAGE EXTERNAL;
CREATE INDEX documents_by_id ON documents(id);
CREATE INDEX documents_of_page ON documents(page_id);
CREATE INDEX documents_that_died ON documents(died) WHERE died IS NOT NULL;
CREATE TABLE bands (
    document bigint NOT NULL REFERENCES documents(row) ON DELETE CASCADE, key bigint NOT NULL,
    PRIMARY KEY (document, key)
);
CREATE INDEX bands_by_key ON bands(key);
CREATE TABLE acronyms (
    document bigint NOT NULL REFERENCES documents(row) ON DELETE CASCADE, short text NOT NULL,
    long text NOT NULL, PRIMARY KEY (document, short, long)
);
CREATE TABLE chunks (
    row bigserial PRIMARY KEY, document bigint NOT NULL REFERENCES documents(row),
    ordinal bigint NOT NULL, start bigint NOT NULL, "end" bigint NOT NULL, headings text NOT NULL,
    header text NOT NULL, table_header text NOT NULL, page bigint, anchor text NOT NULL,
    digest bytea NOT NULL, born bigint NOT NULL, died bigint
);
CREATE INDEX chunks_of_document ON chunks(document);
CREATE INDEX chunks_by_digest ON chunks(digest);
CREATE INDEX chunks_that_died ON chunks(died) WHERE died IS NOT NULL;
CREATE TABLE builds (
    id bigserial PRIMARY KEY, dim bigint NOT NULL, words text NOT NULL, passages bigint NOT NULL,
    terms bigint NOT NULL, pivot float8 NOT NULL
);
CREATE TABLE generations (
    id bigint PRIMARY KEY, manifest text NOT NULL, final bigint NOT NULL, published text,
    build bigint REFERENCES builds(id)
);
CREATE TABLE serving (one bigint PRIMARY KEY CHECK (one = 1), generation bigint NOT NULL);
CREATE TABLE cursors (source text PRIMARY KEY, value text NOT NULL);
CREATE TABLE runs (
    source text PRIMARY KEY, finished_at text NOT NULL, succeeded_at text, report text NOT NULL
);
-- How many documents and chunks of a generation have a place on the shelf: to count and plan by.
CREATE TABLE shelf (
    generation bigint NOT NULL, access bigint NOT NULL, source text NOT NULL, format text NOT NULL,
    day int NOT NULL, documents bigint NOT NULL, chunks bigint NOT NULL
);
CREATE INDEX shelf_of_generation ON shelf(generation, access);
"""

_STANDS = """
    row bigint PRIMARY KEY, document bigint NOT NULL, access bigint NOT NULL,
    source text COLLATE "C" NOT NULL, format text COLLATE "C" NOT NULL, day int NOT NULL,
    born int NOT NULL, died int NOT NULL
"""


def exists(link: Link) -> bool:
    """True when there are the tables of an index, which this Docent reads.

    Raises:
        IndexMismatch: another version of Docent made them.
    """
    if link.value("SELECT to_regclass('meta')") is None:
        return False
    version = link.value("SELECT version FROM meta")
    if version != VERSION:
        msg = (
            f"The index at {link.address.shown} has tables of version {version}, this Docent reads "
            f"{VERSION}. Name another schema in [index] url and run: docent ingest"
        )
        raise IndexMismatch(msg)
    return True


def make(link: Link) -> None:
    """Make the tables, inside the transaction of the caller."""
    _extension(link)
    link.run(f'CREATE SCHEMA IF NOT EXISTS "{link.address.schema}"')
    link.run(_SCHEMA)


def _extension(link: Link) -> None:
    if link.value("SELECT 1 FROM pg_extension WHERE extname = 'vector'"):
        return
    if not link.value("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"):
        msg = (
            f"The database of the index at {link.address.shown} has no pgvector. Install it there "
            "(version 0.8 or newer)."
        )
        raise IndexTrouble(msg)
    link.run("CREATE EXTENSION vector SCHEMA public")


def make_build(link: Link, dim: int) -> int:
    """Tables for vectors of `dim` numbers and for words, without any index yet; their number."""
    if dim > MOST_DIMENSIONS:
        msg = (
            f"Vectors of {dim} numbers are more than pgvector can index ({MOST_DIMENSIONS}). "
            "Choose another embedder, or an index in a folder."
        )
        raise IndexTrouble(msg)
    number = int(
        link.value(
            "INSERT INTO builds(dim, words, passages, terms, pivot)"
            " VALUES ($1, '', 0, 0, 0) RETURNING id",
            dim,
        )
    )
    link.run(f"CREATE TABLE vectors_{number} ({_STANDS}, embedding vector({dim}) NOT NULL)")
    # A vector lies with its row: a search would else fetch each from another table.
    link.run(
        f"ALTER TABLE vectors_{number} ALTER embedding SET STORAGE EXTERNAL,"
        " SET (toast_tuple_target = 8160)"
    )
    link.run(
        f"CREATE TABLE terms_{number} (id serial PRIMARY KEY,"
        ' term text COLLATE "C" NOT NULL UNIQUE,'
        " holders bigint NOT NULL DEFAULT 0, peak real NOT NULL DEFAULT 0)"
    )
    make_words(link, number, f"words_{number}_1")
    return number


def make_words(link: Link, build: int, table: str) -> None:
    """A table for the words of a build, and note that it is the one in use."""
    link.run(
        f"CREATE TABLE {table} ({_STANDS}, length int NOT NULL, terms int[] NOT NULL,"
        " body sparsevec NOT NULL)"
    )
    link.run(
        f"ALTER TABLE {table} ALTER body SET STORAGE EXTERNAL, ALTER terms SET STORAGE"
        " EXTERNAL, SET (toast_tuple_target = 8160)"
    )
    link.run("UPDATE builds SET words = $1 WHERE id = $2", table, build)


def index_once(link: Link, table: str, name: str, what: str) -> bool:
    """Make an index of a table unless it is there; True when it was made."""
    if link.value("SELECT to_regclass($1)", f"{table}_{name}"):
        return False
    link.run(f"CREATE INDEX {table}_{name} ON {table} {what}")
    return True


def drop_build(link: Link, number: int) -> None:
    """Drop the tables of a build that no generation names."""
    found = link.fetch("SELECT words FROM builds WHERE id = $1", number)
    link.run("DELETE FROM builds WHERE id = $1", number)
    for table in (f"vectors_{number}", f"terms_{number}", *(row[0] for row in found)):
        link.run(f"DROP TABLE IF EXISTS {table}")
