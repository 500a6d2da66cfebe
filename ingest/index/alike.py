"""Which stored documents are near-duplicates of one: found by bands, compared by signature."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    others = {r[0]: r for r in found}
    own = others.pop(row, None)
    return alike(own, others.values()) if own else []


def alike(one: Sequence[Any], others: Iterable[Sequence[Any]]) -> list[Twin]:
    """Those that are near-duplicates of one.

    Each is (row, id, address, date, standing, title, format, signature).
    """
    own = Face(*one[5:8])
    return [
        Twin(r[0], r[1], r[2], date(r[3]), standing_from(r[4]))
        for r in others
        if are_twins(own, Face(*r[5:8]))
    ]
