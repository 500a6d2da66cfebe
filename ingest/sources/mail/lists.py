"""One list in an archive, period by period; threads reach from one period into others."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from ingest.errors import FetchError
from ingest.http import Client
from ingest.mailbox import Head, Threads, head_of, messages
from ingest.model import Failure, Gone, Item
from ingest.sources.mail.archive import MailArchive, unpacked, version_of
from ingest.sources.mail.run import Run

_PERIODS_KEPT = 24
"""A thread that was silent for so many periods is forgotten: an answer begins a new one."""
_CACHED = 64_000_000
"""Bytes of periods that are kept in memory for threads that reach into the next."""

Mails = list[tuple[Head, bytes]]


class ArchivedList:
    """Reads what may have changed: new periods, the newest known one, and what failed before."""

    def __init__(
        self, run: Run, list_: str, archive: MailArchive, client: Client, limit: int
    ) -> None:
        self._run = run
        self._list = list_
        self._archive = archive
        self._client = client
        self._limit = limit
        self._cache: OrderedDict[str, Mails] = OrderedDict()
        state: dict[str, Any] = run.lists.get(list_, {})
        self._threads = Threads(state.get("threads"))
        self._begun: str = state.get("begun", "")
        self._last: str = state.get("last", "")
        """The newest period that was read."""
        self._recent: list[str] = list(state.get("recent", []))
        """The last ones that were read, this one last."""
        self._open: dict[str, str] = dict(state.get("open", {}))
        """Periods that may still change, with the version they were read in."""
        self._index: str = state.get("index", "")
        self._new: dict[str, None] = {}
        self._newest = self._last

    def items(self) -> Iterator[Item]:
        """Threads that are new, have grown or are to be tried again."""
        run = self._run
        failed, known = self._period_id(""), run.known(self._list)
        if failed in run.past.waiting:
            return
        try:
            periods, index = self._due(known & run.past.retry)
        except FetchError as error:
            yield Failure(failed, run.name, str(error))
            return
        if failed in known:
            yield Gone(failed, run.name)
        given: set[str] = set()
        for period in periods:
            for item in self._period(period, known):
                given.add(getattr(item, "id", ""))
                yield item
            self._keep()
            yield from run.mark()
        for page_id in sorted(known & run.past.retry - given):
            yield from self._again(page_id)
        self._index = index
        self._keep()
        yield from run.mark()

    def _due(self, retry: set[str]) -> tuple[list[str], str]:
        """Periods to be read now, the oldest first, and the version of the listing."""
        if not self._client.allowed(self._archive.entrance):
            msg = (
                f"robots.txt does not allow {self._archive.entrance}. Ask its keepers and set "
                "robots = false."
            )
            raise FetchError(msg)
        # Whether a period failed is known by its name, and the names are in the listing.
        again = any(page.startswith(self._period_id("") + " ") for page in retry)
        asked = ("", "") if again else (self._last, self._index)
        listing = self._archive.listing(self._begun, *asked)
        if listing is None:
            return list(self._open), self._index
        periods = listing.periods
        self._begun = self._begun or next(iter(periods), "")
        new = periods[periods.index(self._last) + 1 :] if self._last in periods else periods
        failed = [one for one in periods if self._period_id(one) in retry]
        due = {*new, *failed, *self._open}
        # The newest is asked for each time; one that no longer is, once more.
        self._open |= dict.fromkeys(periods[-1:], "") | self._open
        self._new = dict.fromkeys(new)
        self._newest = next(reversed(periods), "")
        return [one for one in periods if one in due], listing.version

    def _period(self, period: str, known: set[str]) -> Iterator[Item]:
        run, name = self._run, self._period_id(period)
        if name in run.past.waiting:
            return
        version = "" if name in run.past.retry else self._open.get(period, "")
        try:
            reply = self._client.get(self._address(period), version=version)
            content = b"" if reply.status == 304 else unpacked(reply, self._limit)
        except FetchError as error:
            yield Failure(name, run.name, str(error))
            self._read(period)
            return
        if name in known:
            yield Gone(name, run.name)
        now = version if reply.status == 304 else version_of(reply, content)
        if now != version:
            yield from self._grown(period, self._mails(period, content))
        self._read(period)
        if period == self._newest:
            self._open[period] = now
        else:
            self._open.pop(period, None)

    def _read(self, period: str) -> None:
        if period in self._new:
            del self._new[period]
            self._last = period
            self._recent = [*self._recent, period][-_PERIODS_KEPT:]
            self._threads.forget(set(self._recent))

    def _grown(self, period: str, mails: Mails) -> Iterator[Item]:
        touched: dict[str, None] = {}
        for head, _ in mails:
            key, new = self._threads.place(head, period)
            if new:
                touched[key] = None
        for key in touched:
            yield from self._thread(self._threads, key, self._threads.places(key))

    def _thread(self, threads: Threads, key: str, places: list[str]) -> Iterator[Item]:
        """A thread with all its messages, whichever periods they are in."""
        run, page_id = self._run, self._run.page_id(self._list, key)
        found: dict[str, bytes] = {}
        try:
            for period in places:
                for head, raw in self._mails(period):
                    if threads.holds(key, head):
                        found.setdefault(head.id, raw)
        except FetchError as error:
            yield Failure(page_id, run.name, str(error))
            return
        first = next(iter(found), key)
        link = run.link(self._list, first) or self._archive.link(places[0], first)
        yield from run.page(page_id, list(found.values()), link, places)

    def _again(self, page_id: str) -> Iterator[Item]:
        """A thread that failed: one that may still grow, or one whose periods are known."""
        key = self._key(self._threads, page_id)
        if key:
            yield from self._thread(self._threads, key, self._threads.places(key))
            return
        places = self._run.past.versions.get(page_id, "").split(" ")[1:]
        threads = Threads()
        try:
            for period in places:
                for head, _ in self._mails(period):
                    threads.place(head, period)
        except FetchError as error:
            yield Failure(page_id, self._run.name, str(error))
            return
        if key := self._key(threads, page_id):
            yield from self._thread(threads, key, threads.places(key))

    def _key(self, threads: Threads, page_id: str) -> str:
        pages = (key for key in threads if self._run.page_id(self._list, key) == page_id)
        return next(pages, "")

    def _mails(self, period: str, content: bytes | None = None) -> Mails:
        """The messages of a period: those in hand, those in memory, else asked for."""
        if content is None and period in self._cache:
            self._cache.move_to_end(period)
            return self._cache[period]
        if content is None:
            content = unpacked(self._client.get(self._address(period)), self._limit)
        mails = [(head_of(span.head), raw) for span, raw in messages(content)]
        self._cache[period] = mails
        while len(self._cache) > 1 and _size(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return mails

    def _address(self, period: str) -> str:
        return self._archive.address(period, self._begun)

    def _period_id(self, period: str) -> str:
        """Stands for a period (or for the list) in failures: no page has this id."""
        return f"{self._run.name}:{self._list}/ {period}".rstrip()

    def _keep(self) -> None:
        self._run.lists[self._list] = {
            "begun": self._begun,
            "last": self._last,
            "recent": self._recent,
            "open": self._open,
            "index": self._index,
            "threads": self._threads.as_state(),
        }


def _size(cache: OrderedDict[str, Mails]) -> int:
    return sum(len(raw) for mails in cache.values() for _, raw in mails)
