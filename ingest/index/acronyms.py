"""The glossary of an index: what its documents say that short forms stand for."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.index.store import ALIVE


@dataclass(frozen=True, slots=True)
class SaidBy:
    """A document that says what a short form stands for."""

    document_id: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A short form with one of its meanings."""

    short: str
    long: str
    """As most of the documents write it."""
    sources: tuple[SaidBy, ...]
    """Only those that the reader may see."""


def read_glossary(
    db: sqlite3.Connection, generation: int, lists: Sequence[int]
) -> tuple[Entry, ...]:
    """What living documents that are open to these access lists say, by short form."""
    rows = db.execute(
        "SELECT a.short, a.long, d.id, d.title, d.url FROM acronyms a"
        " JOIN documents d ON d.row = a.document LEFT JOIN pages p ON p.id = d.page_id"
        f" WHERE {ALIVE.format('d')}"
        " AND COALESCE(p.access, d.access) IN (SELECT value FROM json_each(:lists))"
        " ORDER BY a.short, d.row, a.long",
        {"generation": generation, "lists": json.dumps(list(lists))},
    )
    return entries(rows)


def entries(rows: Iterable[Sequence[str]]) -> tuple[Entry, ...]:
    """Entries from (short, long, id, title, address) by short form and document.

    Of several meanings of a short form that of most documents comes first.
    """
    found: dict[tuple[str, str], tuple[Counter[str], dict[SaidBy, None]]] = {}
    for short, long, *source in rows:
        ways, sources = found.setdefault((short, folded(long)), (Counter(), {}))
        ways[long] += 1
        sources[SaidBy(*source)] = None
    made = [
        Entry(short, ways.most_common(1)[0][0], tuple(sources))
        for (short, _), (ways, sources) in found.items()
    ]
    return tuple(sorted(made, key=lambda e: (e.short.lower(), -len(e.sources), e.long)))


def folded(long: str) -> str:
    """A long form without what does not tell meanings apart: case, hyphens, the plural.

    >>> folded("Single-Sign-On"), folded("pull requests"), folded("authorities")
    ('single sign on', 'pull request', 'authority')
    """
    words = re.findall(r"[^\W_]+", long.lower())
    return re.sub(r"ies$", "y", " ".join(words)).removesuffix("s")
