"""What a statement asks for besides: access, filter and generation, as conditions of SQL."""

from dataclasses import dataclass
from typing import Any

from ingest.filters import Filter
from ingest.index.postgres.link import holdable
from ingest.index.store import ALIVE


class Conditions:
    """Conditions of a statement with their values."""

    def __init__(self, *values: Any) -> None:
        self.values: list[Any] = list(values)
        self._parts: list[str] = []

    def add(self, text: str, *values: Any) -> None:
        """A condition; each `?` stands for a value."""
        for value in values:
            self.values.append(value)
            text = text.replace("?", f"${len(self.values)}", 1)
        self._parts.append(text)

    def __str__(self) -> str:
        return " AND ".join(self._parts) or "true"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a reader may see."""

    lists: list[int]
    documents: int
    chunks: int
    all: bool
    """Every list of the generation."""


def alive(table: str, number: int) -> str:
    """That a row is of the generation which stands at a place among the values."""
    return ALIVE.format(table).replace(":generation", f"${number}")


def narrow(where: Conditions, only: Filter, without: str = "") -> None:
    """A filter, or all of it but one part: `sources`, `formats` or `days`."""
    if only.sources and without != "sources":
        where.add("source = ANY(?::text[])", sorted(filter(holdable, only.sources)))
    if only.formats and without != "formats":
        where.add("format = ANY(?::text[])", sorted(filter(holdable, only.formats)))
    if without != "days" and (only.since or only.until):
        where.add("day >= ?", only.since.toordinal() if only.since else 1)
        if only.until:
            where.add("day <= ?", only.until.toordinal())
