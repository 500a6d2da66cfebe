"""What an Indico's HTTP export API says: events of a period, and whole events."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, NoReturn

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client
from ingest.model import AccessList
from ingest.parse.clean import text_of
from ingest.parse.indicojson import objects, starts
from ingest.source_settings import IndicoSettings
from ingest.sources.indico.rights import Record, event_access

FIRST_WINDOW = 32
"""Days whose events are listed at once in the beginning."""
FEW, MANY = 250, 1000
"""Events in one answer of a listing: fewer make the next window longer, more make it shorter."""

Params = dict[str, str | int]

_ID = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Event:
    """An event as the listing shows it."""

    id: str
    day: date | None
    access: AccessList
    categories: tuple[str, ...]
    """Its own and those above it, nearest first."""
    rights: str
    """Changes with what is known of who may read it, the settings included."""
    state: str
    """Changes with what the listing shows and with the rights."""


def digest(value: Any) -> str:
    """Of anything that JSON can say."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


class Export:
    """Asks the interface; nothing is kept but the size of the windows."""

    def __init__(self, name: str, settings: IndicoSettings, client: Client, today: date) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self.today = today
        self.window = FIRST_WINDOW
        """Days that suit the number of events, once they were listed."""

    def events(self) -> Iterator[Event]:
        """All events of the period, the newest first, in windows that suit their number.

        Windows and not pages: Indico counts events off before it leaves out those that the account
        may not see, so that a short page says nothing of those behind it.
        """
        seen: set[str] = set()
        until = self.today + timedelta(days=self.settings.days_ahead)
        first = self.today - timedelta(days=self.settings.days_back)
        window, dense = self.window, 0
        while until >= first:
            window = min(window, (until - first).days + 1)
            since = until - timedelta(days=window - 1)
            found = self._between(since, until)
            if found is None:
                window = max(1, window // 4)
                continue
            events = list(self._read(found))
            yield from (event for event in events if event.id not in seen)
            seen.update(event.id for event in events)
            until = since - timedelta(days=1)
            if len(events) < FEW:
                window *= 4
                continue
            dense = min(dense or window, window)
            if len(events) > MANY:
                window = max(1, window // 2)
        self.window = dense or window

    def whole(self, numbers: Sequence[str]) -> dict[str, Record]:
        """Events by number, with talks, the parts of talks, and sessions where there are any.

        The level that has the sessions lacks talks without a place in the programme, so it is asked
        besides. A number that is gone is not in the answer.
        """
        records = self._exported(numbers, "subcontributions")
        held = [
            number
            for number, record in records.items()
            if any(text_of(talk, "session") for talk in objects(record.get("contributions")))
        ]
        for number, record in (self._exported(held, "sessions") if held else {}).items():
            if number in records:
                sessions = list(_sessions(record))
                records[number] = {**records[number], "sessions": sessions}
        return records

    def _between(self, since: date, until: date) -> Record | None:
        """The answer for a window; None when it is too much for one answer."""
        numbers = "-".join(str(number) for number in self.settings.categories)
        params: Params = {"detail": "events", "from": since.isoformat(), "to": until.isoformat()}
        try:
            found = self._json(f"export/categ/{numbers}.json", params)
        except FetchError as error:
            if since == until or 0 < error.status < 500:
                raise
            return None
        if found.get("complete") is not False:
            return found
        if since == until:
            self._give_up(f"of {since} leaves events out")
        return None

    def _read(self, found: Record) -> Iterator[Event]:
        extra = found.get("additionalInfo")
        above = {
            text_of(entry, "categoryId"): [
                number for step in objects(entry.get("path")) if (number := text_of(step, "id"))
            ]
            for entry in objects(extra.get("eventCategories") if isinstance(extra, dict) else None)
        }
        groups = sorted((name, sorted(to)) for name, to in self.settings.groups.items())
        for record in self._results(found):
            own = text_of(record, "categoryId")
            path = above.get(own, [])
            categories = tuple(reversed(path if own in path else [*path, own]))
            access = event_access(record, categories, self.settings)
            rights = digest([categories, sorted(access), groups])
            state = digest([record, rights, self.settings.material])
            begins = starts(record)
            day = begins.date() if begins else None
            yield Event(text_of(record, "id"), day, access, categories, rights, state)

    def _exported(self, numbers: Sequence[str], detail: str) -> dict[str, Record]:
        found = self._json(f"export/event/{'-'.join(numbers)}.json", {"detail": detail})
        return {text_of(record, "id"): record for record in self._results(found)}

    def _json(self, path: str, params: Params) -> Record:
        if self.settings.auth:
            # Without it, a token that Indico does not know any more would show what is public.
            params["onlyauthed"] = "yes"
        found = self.client.get(path, params=params).json()
        if not isinstance(found, Mapping):
            self._give_up("is not an object")
        return found

    def _results(self, found: Record) -> list[Record]:
        results = found.get("results")
        if not isinstance(results, list):
            self._give_up("has no list of results")
        for record in results:
            number = text_of(record, "id") if isinstance(record, Mapping) else ""
            if not _ID.fullmatch(number):
                self._give_up(f"has an event with the id {number[:50]!r}")
        return results

    def _give_up(self, what: str) -> NoReturn:
        msg = f"{self.name}: the export of {self.settings.url} {what}. Look at its JSON by hand."
        raise SourceTrouble(msg)


def _sessions(record: Record) -> Iterator[Record]:
    """Sessions without their talks, which are known already.

    A session is there once for each of its blocks, each time with the same attachments.
    """
    told: set[str] = set()
    for block in objects(record.get("sessions")):
        session = block.get("session")
        whole: Record = session if isinstance(session, Mapping) else block
        number = text_of(whole, "id")
        folders = whole.get("folders") if number not in told else None
        told.add(number)
        title = text_of(block, "title") or text_of(whole, "title")
        yield {**block, "title": title, "folders": folders, "contributions": []}
