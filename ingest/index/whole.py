"""An index read back whole, to be put into another one: documents as they were cut, marks."""

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from ingest.index import store
from ingest.index.rows import Rows
from ingest.model import Acronym, Chunk, Cut

KEPT = {"cursors": 2, "failures": 6, "runs": 4}
"""Tables of what is known of the sources, besides their pages, with the number of columns."""


def page_ids(db: Rows) -> list[str]:
    """The pages that have documents."""
    rows = db.execute("SELECT DISTINCT page_id FROM documents WHERE died IS NULL")
    return sorted(str(page_id) for (page_id,) in rows)


def cuts_of_page(db: Rows, page_id: str) -> list[Cut]:
    """The documents of a page that have not died, with their chunks: what `Writer.put` takes."""
    pieces = db.execute(
        'SELECT d.id, c.ordinal, c.start, c."end", c.headings, c.header, c.table_header, c.page,'
        " c.anchor FROM chunks c JOIN documents d ON d.row = c.document"
        " WHERE d.page_id = ? AND d.died IS NULL AND c.died IS NULL ORDER BY d.row, c.row",
        (page_id,),
    ).fetchall()
    said = db.execute(
        "SELECT d.id, a.short, a.long FROM acronyms a JOIN documents d ON d.row = a.document"
        " WHERE d.page_id = ? AND d.died IS NULL",
        (page_id,),
    ).fetchall()
    return [
        Cut(
            document,
            [_chunk(row, document.text) for row in pieces if row[0] == document.id],
            mark,
            sorted((Acronym(*row[1:]) for row in said if row[0] == document.id), key=_spelling),
        )
        for document, mark in store.documents_of_page(db, page_id)
    ]


def _spelling(one: Acronym) -> tuple[str, str]:
    return one.short, one.long


def _chunk(row: tuple[str, int, int, int, str, str, str, int | None, str], text: str) -> Chunk:
    id_, ordinal, start, end, headings, header, table_header, page, anchor = row
    return Chunk(
        id=f"{id_}@{start}-{end}",
        document_id=id_,
        ordinal=ordinal,
        headings=tuple(json.loads(headings)),
        start=start,
        end=end,
        text=text[start:end],
        header=header,
        table_header=table_header,
        page=page,
        anchor=anchor,
    )


def kept_of_sources(db: Rows) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """What is known of the sources besides their pages: rows by table."""
    for table in KEPT:
        yield table, [tuple(row) for row in db.execute(f"SELECT * FROM {table}")]


def keep_of_sources(db: Rows, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """The same into another index."""
    marks = ", ".join("?" * KEPT[table])
    db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def fingerprint(db: Rows, generation: int) -> tuple[int, str]:
    """How many chunks a generation has, and a number that names them all.

    The sum of 128-bit digests of (document, place, text), so that the order does not matter.
    """
    alive = store.ALIVE.format("c")
    rows = db.execute(
        "SELECT d.id, c.ordinal, c.digest FROM chunks c JOIN documents d ON d.row = c.document"
        f" WHERE {alive}",
        {"generation": generation},
    )
    count, total = 0, 0
    for document, ordinal, digest in rows:
        told = f"{document}\n{ordinal}\n".encode() + bytes(digest)
        total += int.from_bytes(blake2b(told, digest_size=16).digest(), "big")
        count += 1
    return count, f"{total % 2**128:032x}"
