"""Searches over REST (INSPIRE, CDS): listed by what changed, checked by how many there are.

Neither says what was deleted. But known and new records together hold all that a search finds,
so that equal numbers prove that nothing left it. Only when they differ, or when hits changed
places while they were paged through, are all ids asked for.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Reply
from ingest.sources.papers.records import Mark, Record, State

Slice = tuple[str, str]
"""Papers from this day to before that day; an empty end is open."""

_EVERYTHING: Slice = ("", "")
_FIRST_DAY = date(1900, 1, 1)
_TRIES = 3
"""So often all ids are listed until there are as many as the search says."""


@dataclass(frozen=True, slots=True)
class Hits:
    """One page of what a search found."""

    total: int
    records: list[Record]
    following: int
    """Where the next page begins; 0 after the last."""
    day: str
    """Of the server's own calendar."""


@dataclass
class _Way:
    """How far a search has been paged through."""

    todo: list[Slice]
    """The last is asked next."""
    at: int
    moved: bool = False
    total: int = 0
    of_slice: int = 0


class Search(Protocol):
    """One service's way to search."""

    format: str
    """The parser for its records."""
    window: int
    """A search shows only so many of its hits: more are asked for by dates. 0: no such limit."""

    def ask(self, since: str, dates: Slice, at: int, *, size: int = 0, ids: bool = False) -> Hits:
        """One page of what changed since a day: of `size` hits, of ids alone if that will do.

        Raises:
            FetchError: no answer, or one in another shape.
        """
        ...

    def again(self, one: str) -> Record:
        """A record as it is now; one that is not found comes as gone. Raises FetchError."""
        ...


class SearchListing:
    """Lists what a search finds."""

    def __init__(self, name: str, search: Search) -> None:
        self.format = search.format
        self.again = search.again
        self._name = name
        self._search = search
        self._live: set[str] | None = None

    def records(self, state: State, known: Collection[str]) -> Iterator[Record | Mark]:
        """What changed since `state["since"]`, or where a killed run left off."""
        self._live = None
        since = state.get("since", "")
        run = state.get("run", {})
        way = _Way(run.get("todo", [_EVERYTHING]), run.get("at", 1), run.get("moved", False))
        began: str = run.get("began", "")
        there = set(known)
        while way.todo:
            hits = self._asked(since, way.todo[-1], way.at)
            began = began or hits.day
            if self._go_on(way, hits, began):
                yield from _noted(hits.records, there)
            left = {"began": began, "todo": [*way.todo], "at": way.at, "moved": way.moved}
            yield Mark({"since": since, "run": left})
        total = self._asked("", _EVERYTHING, 1, size=1, ids=True).total
        if way.moved or total != len(there):
            self._live = self._all()
            for one in sorted((self._live or there) - there):
                yield self._passed_over(one)
        yield Mark({"since": _day_before(began)})
        if (way.moved or total != len(there)) and self._live is None:
            msg = (
                f"{self._name}: the search says that it finds {total:,} records and lists another "
                "number. Nothing was removed; look at the query."
            )
            raise SourceTrouble(msg)

    def live(self) -> Collection[str] | None:
        """Ids of all records, when it had to be found out in this run."""
        return self._live

    def _all(self) -> set[str] | None:
        """The ids of all records; None when they are not as many as the search says."""
        for _ in range(_TRIES):
            live: set[str] = set()
            way, day = _Way([_EVERYTHING], 1), ""
            while way.todo:
                hits = self._asked("", way.todo[-1], way.at, ids=True)
                day = day or hits.day
                if self._go_on(way, hits, day):
                    live |= {record.id for record in hits.records}
            if not way.moved and len(live) == way.total:
                return live
        return None

    def _go_on(self, way: "_Way", hits: Hits, today: str) -> bool:
        """Note what is to be asked next; False when these hits are too many and will come again."""
        if self._search.window and hits.total > self._search.window and way.at == 1:
            way.todo += self._halves(way.todo.pop(), today)
            return False
        # Hits change places when others come or go: one may stand on a page that was read already.
        way.moved |= way.at > 1 and hits.total != way.of_slice
        way.of_slice = hits.total
        way.at = hits.following
        if not way.at:
            way.todo.pop()
            way.total += hits.total
            way.at = 1
        return True

    def _asked(
        self, since: str, dates: Slice, at: int, *, size: int = 0, ids: bool = False
    ) -> Hits:
        try:
            return self._search.ask(since, dates, at, size=size, ids=ids)
        except FetchError as error:
            msg = f"{self._name}: the list of records cannot be read: {error}"
            raise SourceTrouble(msg) from error

    def _passed_over(self, one: str) -> Record:
        try:
            return self.again(one)
        except FetchError as error:
            msg = f"{self._name}: {one} was passed over and cannot be read: {error}"
            raise SourceTrouble(msg) from error

    def _halves(self, dates: Slice, today: str) -> list[Slice]:
        """A slice with too many hits as two, the earlier one to be asked for first."""
        first = date.fromisoformat(dates[0]) if dates[0] else _FIRST_DAY
        end = date.fromisoformat(dates[1] or today)
        if not dates[1]:
            end += timedelta(days=365)
        middle = first + (end - first) // 2
        if not first < middle < end:
            msg = (
                f"{self._name}: more than {self._search.window:,} records have the date {first}, "
                "and the search shows no more of them. Narrow the query."
            )
            raise SourceTrouble(msg)
        return [(middle.isoformat(), dates[1]), (dates[0], middle.isoformat())]


def _noted(records: list[Record], there: set[str]) -> Iterator[Record]:
    for record in records:
        if record.gone:
            there.discard(record.id)
        else:
            there.add(record.id)
        yield record


def _day_before(day: str) -> str:
    """What changed while a run listed is listed again by the next."""
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()


def day_of(reply: Reply) -> str:
    """The day on which the server answered."""
    try:
        said = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        said = datetime.now(UTC)
    return said.date().isoformat()
