"""Events of an Indico's categories, with minutes, talks, and what is attached to them.

Indico's export shows when an event itself was changed, but not when one of its talks was: so the
events of the last days are read anew each time, and the older ones in turns.
"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zlib import crc32

from ingest.errors import FetchError
from ingest.http import Client
from ingest.model import AccessList, Cursor, Failure, Item, Page, Past, Unchanged
from ingest.parse.clean import safe_url, text_of
from ingest.parse.indicojson import attachments, called, objects, people, speakers, starts
from ingest.source_settings import IndicoSettings
from ingest.sources.indico.export import FIRST_WINDOW, Event, Export, digest
from ingest.sources.indico.rights import CLOSED, Record, attachment_access, talk_access

BATCH = 20
"""Events asked for at once."""
READ = (".pdf", ".pptx", ".docx", ".md", ".txt")
"""Ends of the names of attachments whose text can be read."""

_KEPT = [
    *("id", "title", "description", "url", "startDate", "endDate", "duration", "type"),
    *("room", "location", "address", "category", "keywords", "session", "track"),
    "modificationDate",
]
"""What is kept of an event, a session or a talk: neither who may read it nor mail addresses."""
_PEOPLE = ("chairs", "creator", "conveners", "speakers", "primaryauthors")


class _Owner(NamedTuple):
    """What attachments hang on: an event, a session, a talk or a part of one."""

    record: Record
    access: AccessList
    title: str
    author: str
    at: datetime | None


@dataclass(slots=True)
class _Run:
    """What is known of earlier runs, and what this one found to exist."""

    past: Past
    known: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Pages by event, those that failed too."""
    live: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for page_id in (*self.past.versions, *self.past.retry, *self.past.waiting):
            event = page_id.partition(":")[2].partition("/")[0]
            self.known[event].add(page_id)


def _today() -> date:
    return datetime.now(UTC).date()


class IndicoSource:
    """Pages are events, `SOURCE:EVENT`, and attachments, `SOURCE:EVENT/attachment/ID/NAME`.

    A talk with readers of its own is a page too, `SOURCE:EVENT/contribution/ID`.
    """

    def __init__(
        self,
        name: str,
        settings: IndicoSettings,
        client: Client,
        today: Callable[[], date] = _today,
    ) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self._export = Export(name, settings, client, today())
        self._live: set[str] | None = None

    @property
    def requests(self) -> int:
        """Requests made so far."""
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """Events that are new, changed, recent or due to be looked at, each after its attachments.

        Of the others only who may read them. The cursor is the size of the listing's windows.
        """
        run, due = _Run(past), []
        days = int(past.cursor) if past.cursor.isdecimal() else 0
        self._export.window = days or FIRST_WINDOW
        for event in self._export.events():
            run.live.add(self._id(event))
            if self._is_due(event, run):
                due.append(event)
            else:
                yield from self._left(event, run)
        yield Cursor(self.name, str(self._export.window))
        for first in range(0, len(due), BATCH):
            yield from self._read(due[first : first + BATCH], run)
        self._live = run.live

    def live_ids(self) -> Iterator[str] | None:
        """Events of the listing with their attachments, as far as `pages` got to know them."""
        return None if self._live is None else iter(self._live)

    def _is_due(self, event: Event, run: _Run) -> bool:
        """True when the whole event has to be read."""
        page_id, days = self._id(event), self.settings.refresh_days
        if page_id in run.past.waiting:
            return False
        if run.past.versions.get(page_id, "").partition(".")[0] != event.state:
            return True
        today = self._export.today
        if event.day is None or event.day > today - timedelta(days=days):
            return True
        if days and crc32(event.id.encode()) % days == today.toordinal() % days:
            return True
        return not run.past.retry.isdisjoint(run.known[event.id])

    def _read(self, batch: Sequence[Event], run: _Run) -> Iterator[Item]:
        """Whole events; when they cannot be had together, in halves."""
        try:
            records = self._export.whole([event.id for event in batch])
        except FetchError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                yield from self._read(batch[:middle], run)
                yield from self._read(batch[middle:], run)
                return
            yield from self._left(batch[0], run)
            what = f"Event {batch[0].id} cannot be read"
            yield self._failure(self._id(batch[0]), what, error)
            return
        for event in batch:
            if event.id in records:
                yield from self._give(event, records[event.id], run)
            else:
                yield from self._left(event, run)

    def _left(self, event: Event, run: _Run) -> Iterator[Item]:
        """What is known of an event that is not read now, with those who may read it now.

        For whom its attachments are is not told then: they are closed if that may have changed.
        """
        versions, own = run.past.versions, self._id(event)
        run.live |= run.known[event.id]
        moved = _rights(versions.get(own, "")) != event.rights
        for page_id in sorted(run.known[event.id] & versions.keys()):
            if page_id == own:
                yield Unchanged(page_id, self.name, event.access, versions[page_id])
            elif moved:
                yield Unchanged(page_id, self.name, CLOSED, versions[page_id])

    def _give(self, event: Event, record: Record, run: _Run) -> Iterator[Item]:
        """An event's attachments, the talks that stand for themselves, and last the event.

        Last, because its version says that all of it was given.
        """
        if self.settings.material:
            for owner in self._owners(event, record):
                yield from self._attachments(event, record, owner, run)
        alike = []
        for talk in objects(record.get("contributions")):
            access = talk_access(talk, record, event.access, self.settings)
            if access == event.access:
                alike.append(talk)
            else:
                yield from self._told(self._talk_page(event, record, talk, access), run)
        sessions = [
            session
            for session in objects(record.get("sessions"))
            if talk_access(session, record, event.access, self.settings) == event.access
        ]
        whole = {**record, "contributions": alike, "sessions": sessions}
        content = self._content(event, record, whole, event.access)
        page = Page(
            id=self._id(event),
            source=self.name,
            url=safe_url(record.get("url")) or self._url(event),
            format="indico",
            content=content,
            updated_at=starts(record),
            access=event.access,
            version=f"{event.state}.{event.rights}.{digest(content.decode())}",
        )
        yield from self._told(page, run)

    def _talk_page(self, event: Event, record: Record, talk: Record, access: AccessList) -> Page:
        title = text_of(record, "title")
        event_facts = {"id": event.id, "title": title, "startDate": record.get("startDate")}
        content = self._content(event, record, {**event_facts, "contributions": [talk]}, access)
        return Page(
            id=f"{self._id(event)}/contribution/{_plain(text_of(talk, 'id'))}",
            source=self.name,
            url=safe_url(talk.get("url")) or self._url(event),
            format="indico",
            content=content,
            updated_at=starts(talk) or starts(record),
            access=access,
            version=digest(content.decode()),
            author=", ".join(speakers(talk)),
            title=f"{title} › {called(talk, 'Contribution')}",
        )

    def _told(self, page: Page, run: _Run) -> Iterator[Item]:
        run.live.add(page.id)
        if run.past.wants(page.id, page.version):
            yield page
        elif page.id in run.past.versions:
            yield Unchanged(page.id, self.name, page.access, run.past.versions[page.id])

    def _owners(self, event: Event, record: Record) -> Iterator[_Owner]:
        """The event, its sessions, its talks and their parts."""
        title, at = text_of(record, "title"), starts(record)
        lecture = text_of(record, "type") in ("simple_event", "lecture")
        names = ", ".join(people(record.get("chairs"))) if lecture else ""
        yield _Owner(record, event.access, f"{title} ({names})" if names else title, names, at)
        for session in objects(record.get("sessions")):
            access = talk_access(session, record, event.access, self.settings)
            name = f"{title} › {text_of(session, 'title')}"
            yield _Owner(session, access, name, "", starts(session) or at)
        for talk in objects(record.get("contributions")):
            access = talk_access(talk, record, event.access, self.settings)
            begins, by = starts(talk) or at, ", ".join(speakers(talk))
            whole = f"{title} › {called(talk, 'Contribution')}"
            yield _Owner(talk, access, whole, by, begins)
            for part in objects(talk.get("subContributions")):
                name = f"{title} › {text_of(talk, 'title')} › {called(part, 'Part')}"
                yield _Owner(part, access, name, ", ".join(speakers(part)) or by, begins)

    def _attachments(
        self, event: Event, record: Record, owner: _Owner, run: _Run
    ) -> Iterator[Item]:
        for folder, attachment in attachments(owner.record):
            file, address = text_of(attachment, "filename"), text_of(attachment, "download_url")
            if not address or not file.lower().endswith(READ):
                continue
            access = attachment_access(
                attachment, folder, record, owner.access, event.categories, self.settings
            )
            number = text_of(attachment, "id") or digest(address)
            title = f"{owner.title} › {text_of(attachment, 'title') or file}"
            mark = text_of(attachment, "checksum") or text_of(attachment, "modified_dt")
            told = [mark, title, owner.author, str(owner.at)]
            page = Page(
                id=f"{self._id(event)}/attachment/{_plain(number)}/{_plain(file)}",
                source=self.name,
                url=safe_url(address),
                format="",
                content=b"",
                updated_at=owner.at,
                access=access,
                version=digest(told) if mark else "",
                author=owner.author,
                title=title,
            )
            for item in self._told(page, run):
                yield self._fetched(item, address, attachment) if isinstance(item, Page) else item

    def _fetched(self, page: Page, address: str, attachment: Record) -> Page | Failure:
        file, size = text_of(attachment, "filename"), attachment.get("size")
        what = f"{file} of {page.title} cannot be fetched"
        limit = self.settings.max_bytes
        if isinstance(size, int) and size > limit:
            reason = f"{what}: it has {size:,} bytes, more than max_bytes = {limit:,} allows."
            return Failure(page.id, self.name, reason)
        try:
            return replace(page, content=self.client.get(address).content)
        except FetchError as error:
            return self._failure(page.id, what, error)

    def _content(self, event: Event, record: Record, part: Record, access: AccessList) -> bytes:
        kept = self._kept(event, record, part, access)
        return json.dumps(kept, ensure_ascii=False, sort_keys=True).encode()

    def _kept(
        self, event: Event, record: Record, part: Record, access: AccessList
    ) -> dict[str, Any]:
        """A part of an event for those who have this access, without mail addresses."""
        kept = {name: part[name] for name in _KEPT if part.get(name)}
        kept |= {role: people(part[role]) for role in _PEOPLE if part.get(role)}
        if self.settings.material:
            note = part.get("note")
            html = text_of(note, "html") if isinstance(note, Mapping) else ""
            files = [
                {"title": text_of(file, "title"), "filename": text_of(file, "filename")}
                for folder, file in attachments(part)
                if access
                <= attachment_access(file, folder, record, access, event.categories, self.settings)
            ]
            kept |= {"note": {"html": html}, "folders": [{"attachments": files}]}
        for name in ("sessions", "contributions", "subContributions"):
            if inside := objects(part.get(name)):
                kept[name] = [self._kept(event, record, one, access) for one in inside]
        return kept

    def _failure(self, page_id: str, what: str, error: FetchError) -> Failure:
        forbidden = error.status in (401, 403)
        return Failure(page_id, self.name, f"{what}: {error}", forbidden=forbidden)

    def _id(self, event: Event) -> str:
        return f"{self.name}:{event.id}"

    def _url(self, event: Event) -> str:
        return f"{str(self.settings.url).rstrip('/')}/event/{event.id}/"


def _rights(version: str) -> str:
    return ".".join(version.split(".")[1:2])


def _plain(name: str) -> str:
    """A name as the last part of an id: without what would be another part."""
    return re.sub(r"[\s/\\:\x00-\x1f]+", "_", name)[-150:]
