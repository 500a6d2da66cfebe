"""What a service lists: records, and marks from which a later run goes on."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from ingest.model import CURRENT, Standing

State = dict[str, Any]
"""A listing's note to itself, kept as JSON: empty at the very beginning."""


@dataclass(frozen=True, slots=True)
class FullText:
    """A PDF that a record names."""

    url: str
    version: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record as its service tells it."""

    id: str
    """Stable within the service: `2900001`, `2301.00001`."""
    url: str = ""
    content: bytes = b""
    collections: frozenset[str] = frozenset()
    restricted_to: frozenset[str] | None = None
    """Groups that alone may read it, as the service names them; None: no such mark."""
    standing: Standing = CURRENT
    full_text: FullText | None = None
    gone: bool = False
    """Deleted: only `id` says anything."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything before it was listed: a killed run goes on here."""

    state: State


class Listing(Protocol):
    """How one service lists its records."""

    format: str
    """The parser for their content."""

    def records(self, state: State, known: Collection[str]) -> Iterator[Record | Mark]:
        """What changed since a state, or all; `known` are the ids that earlier runs gave."""
        ...

    def again(self, one: str) -> Record:
        """A record as it is now; one that is no more comes as gone. Raises FetchError."""
        ...

    def live(self) -> Collection[str] | None:
        """Ids of all records, where `records` had to find out; None: what is gone was said."""
        ...
