"""Where documents stand: source, format and day of each, to narrow searches and to count by.

Read from the rows when first asked for and kept for the generation: one number per document and
column, so that a filter is a few array operations.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ingest.filters import Facet, Facets, Filter
from ingest.index.store import ALIVE, date

Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]

Part = Literal["", "sources", "formats", "days"]


class _Column:
    """A name per document, as numbers."""

    def __init__(self, names: Sequence[str]) -> None:
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(name, len(numbers)) for name in names]
        self._names = tuple(numbers)
        self._codes: Numbers = np.array(codes, dtype=np.int64)

    def among(self, wanted: frozenset[str]) -> Mask:
        """Which documents have one of these names."""
        chosen: Mask = np.array([name in wanted for name in self._names], dtype=bool)
        return chosen[self._codes]

    def counted(self, taken: Mask) -> tuple[Facet, ...]:
        """How many of some documents have each name, most first."""
        counts = np.bincount(self._codes[taken], minlength=len(self._names))
        found = [Facet(name, int(n)) for name, n in zip(self._names, counts, strict=True) if n]
        return tuple(sorted(found, key=lambda facet: (-facet.count, facet.value)))


class Shelves:
    """The living documents of a generation by source, format and day, and their chunks."""

    def __init__(self, db: sqlite3.Connection, generation: int) -> None:
        alive = {"generation": generation}
        documents = db.execute(
            "SELECT d.row, COALESCE(p.access, d.access), d.source, d.format, d.updated_at"
            " FROM documents d LEFT JOIN pages p ON p.id = d.page_id"
            f" WHERE {ALIVE.format('d')} ORDER BY d.row",
            alive,
        ).fetchall()
        rows = np.array([one[0] for one in documents], dtype=np.int64)
        self._access: Numbers = np.array([one[1] for one in documents], dtype=np.int64)
        self._sources = _Column([one[2] for one in documents])
        self._formats = _Column([one[3] for one in documents])
        dates = [date(one[4]) for one in documents]
        days = [moment.astimezone(UTC).date() if moment else None for moment in dates]
        self._days: Numbers = np.array([d.toordinal() if d else 0 for d in days], dtype=np.int64)
        """Day 1 is 1 January of the year 1; 0 where there is no date."""
        self._years: Numbers = np.array([d.year if d else 0 for d in days], dtype=np.int64)
        pairs = np.array(
            db.execute(
                f"SELECT row, document FROM chunks WHERE {ALIVE.format('chunks')}", alive
            ).fetchall(),
            dtype=np.int64,
        ).reshape(-1, 2)
        self._chunks: Numbers = pairs[:, 0]
        self._of: Numbers = np.searchsorted(rows, pairs[:, 1])

    def chunks(self, only: Filter, size: int) -> Mask:
        """Which rows of chunks are of documents that a filter takes; `size` values."""
        mask: Mask = np.zeros(size, dtype=bool)
        mask[self._chunks] = self._taken(only)[self._of]
        return mask

    def documents(self, only: Filter, lists: Sequence[int]) -> int:
        """How many documents of these access lists a filter takes."""
        return int((self._open(lists) & self._taken(only)).sum())

    def facets(self, only: Filter, lists: Sequence[int]) -> Facets:
        """The documents of these access lists, counted; as `Facets` says."""
        seen = self._open(lists)
        dated = seen & self._taken(only, but="days")
        years, counts = np.unique(self._years[dated & (self._days > 0)], return_counts=True)
        return Facets(
            self._sources.counted(seen & self._taken(only, but="sources")),
            self._formats.counted(seen & self._taken(only, but="formats")),
            tuple(Facet(f"{year:04}", int(n)) for year, n in zip(years, counts, strict=True))[::-1],
        )

    def _open(self, lists: Sequence[int]) -> Mask:
        by_list = np.zeros(int(self._access.max(initial=0)) + 1, dtype=bool)
        by_list[[number for number in lists if number < len(by_list)]] = True
        return by_list[self._access]

    def _taken(self, only: Filter, but: Part = "") -> Mask:
        taken: Mask = np.ones(len(self._access), dtype=bool)
        if only.sources and but != "sources":
            taken &= self._sources.among(only.sources)
        if only.formats and but != "formats":
            taken &= self._formats.among(only.formats)
        if but != "days" and (only.since or only.until):
            first = only.since.toordinal() if only.since else 1
            last = only.until.toordinal() if only.until else self._days.max(initial=1)
            taken &= (first <= self._days) & (self._days <= last)
        return taken
