"""What a commit does besides: count what is on the shelf, follow access lists, drop the dead."""

from collections.abc import Sequence

from ingest.index.postgres import tables
from ingest.index.postgres.link import Link, StillRead
from ingest.index.postgres.tables import NEVER
from ingest.index.store import ALIVE

_DAY = "coalesce((d.updated_at::timestamptz AT TIME ZONE 'UTC')::date - DATE '0001-01-01' + 1, 0)"
_SEEN = "EXISTS (SELECT 1 FROM generations g WHERE g.id >= {0}.born AND g.id < {0}.died)"


def shelve(link: Link, generation: int) -> None:
    """Count the living documents and chunks of a generation by all that filters and readers use."""
    link.run("DELETE FROM shelf WHERE generation = $1", generation)
    documents, chunks = (ALIVE.format(t).replace(":generation", "$1") for t in ("d", "c"))
    link.run(
        "INSERT INTO shelf SELECT $1, d.access, d.source, d.format,"
        f" {_DAY}, count(*), coalesce(sum(n.chunks), 0)::bigint FROM documents d"
        f" LEFT JOIN (SELECT c.document, count(*) AS chunks FROM chunks c WHERE {chunks}"
        f" GROUP BY c.document) AS n ON n.document = d.row WHERE {documents} GROUP BY 2, 3, 4, 5",
        generation,
    )


def follow_access(link: Link, kept: Sequence[int]) -> None:
    """Give documents of every generation the access list that their page has today.

    Who lost the right to read a page does not get it back by a roll-back.
    """
    moved = link.fetch(
        "UPDATE documents d SET access = p.access FROM pages p"
        " WHERE p.id = d.page_id AND d.access <> p.access RETURNING d.row"
    )
    if not moved:
        return
    rows = [one[0] for one in moved]
    for number, words in link.fetch("SELECT id, words FROM builds"):
        for table in (f"vectors_{number}", words):
            link.run(
                f"UPDATE {table} AS t SET access = d.access FROM documents d"
                " WHERE t.document = ANY($1::bigint[]) AND d.row = t.document",
                rows,
            )
    for generation in kept:
        shelve(link, generation)


def prune(link: Link, kept: Sequence[int]) -> None:
    """Delete for good what no kept generation can see, and access lists that nothing uses."""
    gone = link.fetch("DELETE FROM generations WHERE id <> ALL($1::bigint[]) RETURNING id", kept)
    link.run("DELETE FROM shelf WHERE generation <> ALL($1::bigint[])", kept)
    for table in ("chunks", "documents"):
        link.run(f"DELETE FROM {table} WHERE died IS NOT NULL AND NOT {_SEEN.format(table)}")
    for number, words in link.fetch("SELECT id, words FROM builds"):
        for table in (f"vectors_{number}", words):
            link.run(f"DELETE FROM {table} WHERE died < {NEVER} AND NOT {_SEEN.format(table)}")
    if gone:
        link.run(
            "DELETE FROM access_lists l"
            " WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.access = l.id)"
            " AND NOT EXISTS (SELECT 1 FROM pages p WHERE p.access = l.id)"
        )


def drop_unused(link: Link) -> None:
    """Drop builds that no generation names, and words that were weighed anew; after a commit.

    Whoever still reads them is waited for only shortly: then they go at a later commit.
    """
    unused = link.fetch("SELECT id FROM builds WHERE id NOT IN (SELECT build FROM generations)")
    old = link.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename LIKE 'words\\_%'"
        " AND tablename NOT IN (SELECT words FROM builds)",
        link.address.schema,
    )
    if not unused and not old:
        return
    link.run("BEGIN")
    link.run("SET LOCAL lock_timeout = '500ms'")
    try:
        for (number,) in unused:
            tables.drop_build(link, number)
        for (table,) in old:
            link.run(f"DROP TABLE {table}")
        link.run("COMMIT")
    except StillRead:
        link.run("ROLLBACK")


def last_of(link: Link, sequence: str) -> int:
    """The last number that a sequence gave; 0 when it gave none."""
    return int(link.value(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"))
