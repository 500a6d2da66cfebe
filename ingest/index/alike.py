"""Which stored documents are near-duplicates of one: found by bands, compared by signature."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ingest.index.store import ALIVE, date, standing_from
from ingest.model import Standing
from ingest.twins import Face, are_twins

MOST = 2000
"""Shared bands looked at. Copies of one page are few; of a form that thousands have filled in it is
enough to have looked at some."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A document that says the same as another."""

    row: int
    document_id: str
    url: str
    updated_at: datetime | None
    standing: Standing


def twins_of(db: sqlite3.Connection, row: int, generation: int, lists: Sequence[int]) -> list[Twin]:
    """The near-duplicates of a document; both must live and be open to these access lists."""
    near = db.execute(
        "SELECT DISTINCT document FROM (SELECT other.document FROM bands one"
        " JOIN bands other ON other.key = one.key"
        " WHERE one.document = ? AND other.document != one.document LIMIT ?)",
        (row, MOST),
    ).fetchall()
    if not near:
        return []
    rows = [row, *(number for (number,) in near)]
    found = db.execute(
        "SELECT d.row, d.id, d.url, d.updated_at, d.standing, d.title, d.format, d.signature"
        " FROM json_each(:rows) asked JOIN documents d ON d.row = asked.value"
        f" LEFT JOIN pages p ON p.id = d.page_id WHERE {ALIVE.format('d')}"
        " AND COALESCE(p.access, d.access) IN (SELECT value FROM json_each(:lists))"
        " ORDER BY d.row",
        {"rows": json.dumps(rows), "generation": generation, "lists": json.dumps(lists)},
    )
    faces = {r[0]: (Face(r[5], r[6], r[7]), r) for r in found}
    if row not in faces:
        return []
    own, _ = faces.pop(row)
    return [
        Twin(r[0], r[1], r[2], date(r[3]), standing_from(r[4]))
        for face, r in faces.values()
        if are_twins(own, face)
    ]
