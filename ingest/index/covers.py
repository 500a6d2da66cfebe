"""What is known of the documents behind chunks, without reading their texts."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.index.store import date, standing_from
from ingest.model import Standing


@dataclass(frozen=True, slots=True)
class Cover:
    """The document that a chunk stands in, as far as one needs to know to put it in order."""

    document_id: str
    page_id: str
    url: str
    title: str
    updated_at: datetime | None
    standing: Standing


def read_covers(db: sqlite3.Connection, rows: Sequence[int]) -> dict[int, Cover]:
    """The documents of chunks, by the row of the chunk; unknown rows are left out."""
    found = db.execute(
        "SELECT c.row, d.id, d.page_id, d.url, d.title, d.updated_at, d.standing"
        " FROM json_each(?) asked JOIN chunks c ON c.row = asked.value"
        " JOIN documents d ON d.row = c.document",
        (json.dumps(list(rows)),),
    )
    return {r[0]: Cover(r[1], r[2], r[3], r[4], date(r[5]), standing_from(r[6])) for r in found}
