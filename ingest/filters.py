"""What a search is narrowed to, and what there is to narrow it to.

A filter only takes away from what a reader may read: it is applied together with the access lists,
before anything is ranked or counted.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a search is about. What is empty or None narrows nothing."""

    sources: frozenset[str] = frozenset()
    """Names of sources, as `Document.source` has them."""
    formats: frozenset[str] = frozenset()
    """As `Document.format` has them."""
    since: date | None = None
    """First day, in UTC. A document without a date is outside of every range."""
    until: date | None = None
    """Last day, in UTC, which belongs to it."""

    @property
    def narrows(self) -> bool:
        """False when every document passes."""
        return self != EVERYTHING


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Facet:
    """A value with the number of documents that have it."""

    value: str
    count: int
    """Never 0: a value that no document has looks like one that there is not."""


@dataclass(frozen=True, slots=True)
class Facets:
    """What the documents that a reader may read can be narrowed to.

    Each is counted under the other parts of the filter, but not under its own: next to the source
    that was chosen stands how much another one would give.
    """

    sources: tuple[Facet, ...]
    """Most documents first."""
    formats: tuple[Facet, ...]
    """Most documents first."""
    years: tuple[Facet, ...]
    """Of the last change, in UTC, newest first; `since` and `until` do not narrow them. Documents
    without a date are in none."""
