"""`PapersSource`: records to pages, their PDFs to pages of their own, restrictions to access."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from ingest.errors import FetchError, ParseError
from ingest.http import Client
from ingest.model import (
    PUBLIC,
    AccessList,
    Cursor,
    Failure,
    Gone,
    Item,
    Page,
    Past,
    Unchanged,
)
from ingest.parse import parse
from ingest.source_settings import PapersSettings
from ingest.sources.papers.arxiv import arxiv_listing
from ingest.sources.papers.cds import cds_listing
from ingest.sources.papers.inspire import inspire_listing
from ingest.sources.papers.records import FullText, Listing, Mark, Record

_FULL_TEXT = "/fulltext.pdf"


@dataclass(frozen=True, slots=True)
class _Told:
    """What a record says of its PDF, which tells it badly or not at all."""

    title: str = ""
    author: str = ""
    updated_at: datetime | None = None


def access_of(
    collections: Collection[str], restricted_to: Collection[str] | None, settings: PapersSettings
) -> AccessList:
    """Who may read a record: what its restriction says, else its collections, else the settings.

    A restricted record is for the groups it names, as far as `groups` knows them. Of collections
    that `groups` names each must let the reader in. What stays unknown is closed.
    """
    if restricted_to is not None:
        named = [settings.groups.get(group, frozenset()) for group in restricted_to]
        return frozenset().union(*named)
    lists = [settings.groups[name] for name in collections if name in settings.groups]
    if not lists:
        return settings.access
    narrow = [groups for groups in lists if PUBLIC not in groups]
    return frozenset.intersection(*narrow) if narrow else frozenset({PUBLIC})


class PapersSource:
    """One page a record, and one for its full text."""

    def __init__(self, name: str, settings: PapersSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self._listing = self._listing_for()
        self._past = Past()
        self._given: dict[str, str] = {}
        """Pages of this run and their versions: a listing may have to begin again."""

    @property
    def requests(self) -> int:
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """The records that changed since the last run; on the first, all."""
        self._past, self._given = past, {}
        known = {self._record(page) for page in (*past.versions, *past.retry, *past.waiting)}
        due = {self._record(page) for page in past.retry}
        for item in self._listing.records(self._state(past.cursor), known):
            if isinstance(item, Mark):
                value = {"settings": self._fingerprint(), "listing": item.state}
                yield Cursor(self.name, json.dumps(value))
            else:
                due.discard(item.id)
                yield from self._items(item)
        for one in sorted(due):
            yield from self._again(one)

    def live_ids(self) -> Iterator[str] | None:
        """Pages of the records that the service still lists; None where it says what is gone."""
        live = self._listing.live()
        return None if live is None else self._pages_of(live)

    def _again(self, one: str) -> Iterator[Item]:
        """A record of which something failed and that nothing new was told of."""
        try:
            record = self._listing.again(one)
        except FetchError as error:
            for page in (f"{self.name}:{one}", f"{self.name}:{one}{_FULL_TEXT}"):
                if page in self._past.retry:
                    yield Failure(page, self.name, str(error))
        else:
            yield from self._items(record)

    def _pages_of(self, records: Collection[str]) -> Iterator[str]:
        for record in records:
            page = f"{self.name}:{record}"
            yield page
            if self._knows(page + _FULL_TEXT) or page + _FULL_TEXT in self._given:
                yield page + _FULL_TEXT

    def _listing_for(self) -> Listing:
        if self.settings.service == "inspire":
            return inspire_listing(self.name, self.settings, self.client)
        if self.settings.service == "cds":
            return cds_listing(self.name, self.settings, self.client)
        return arxiv_listing(self.name, self.settings, self.client)

    def _items(self, record: Record) -> Iterator[Item]:
        page_id = f"{self.name}:{record.id}"
        if record.gone:
            yield from self._gone(page_id, page_id + _FULL_TEXT)
            return
        settings = self.settings
        access = access_of(record.collections, record.restricted_to, settings)
        page = Page(
            id=page_id,
            source=self.name,
            url=record.url,
            format=self._listing.format,
            content=record.content,
            # The parser dates it by the paper; when a record was touched last says nothing.
            updated_at=None,
            access=access,
            version=_short((record.content, record.standing)),
            standing=record.standing,
        )
        yield from self._page(page)
        file = record.full_text if settings.full_text else None
        if file is None:
            yield from self._gone(page_id + _FULL_TEXT)
        elif access or self._knows(page_id + _FULL_TEXT):
            yield from self._full_text(page, file)

    def _page(self, page: Page) -> Iterator[Item]:
        if self._given.get(page.id) == page.version:
            return
        self._given[page.id] = page.version
        if self._past.wants(page.id, page.version):
            yield page
        elif page.id not in self._past.waiting:
            yield Unchanged(page.id, self.name, page.access, page.version)

    def _full_text(self, record: Page, file: FullText) -> Iterator[Item]:
        """The PDF, unless it and what is said of it are as they were."""
        page_id, past = record.id + _FULL_TEXT, self._past
        told = _told(record)
        mark = f"{_short(file.version)} {_short((told, record.standing))}"
        if self._given.get(page_id) == mark or page_id in past.waiting:
            return
        self._given[page_id] = mark
        before = past.versions.get(page_id, "")
        answered = ""
        if page_id not in past.retry and before:
            if before.startswith(f"{mark} "):
                yield Unchanged(page_id, self.name, record.access, before)
                return
            if before.split(" ")[1:2] == mark.split(" ")[1:]:
                answered = before.split(" ", 2)[2]
        yield self._fetched(page_id, record, file, told, mark, answered)

    def _fetched(
        self, page_id: str, record: Page, file: FullText, told: _Told, mark: str, answered: str
    ) -> Page | Unchanged | Failure:
        if not self.client.allowed(file.url):
            reason = (
                f"robots.txt does not allow {file.url}. Ask its keepers and set robots = false, "
                "or set full_text = false."
            )
            return Failure(page_id, self.name, reason)
        try:
            reply = self.client.get(file.url, version=answered)
        except FetchError as error:
            return Failure(page_id, self.name, str(error), forbidden=error.status in (401, 403))
        version = f"{mark} {reply.version or answered}"
        if reply.status == 304:
            return Unchanged(page_id, self.name, record.access, version)
        if b"%PDF-" not in reply.content[:1024]:
            reason = f"{file.url} answered with something that is not a PDF. Look at it there."
            return Failure(page_id, self.name, reason)
        return Page(
            id=page_id,
            source=self.name,
            url=file.url,
            format="pdf",
            content=reply.content,
            updated_at=told.updated_at,
            access=record.access,
            version=version,
            standing=record.standing,
            author=told.author,
            title=told.title,
        )

    def _gone(self, *pages: str) -> Iterator[Gone]:
        for page in pages:
            if self._given.pop(page, "") or self._knows(page):
                yield Gone(page, self.name)

    def _knows(self, page: str) -> bool:
        past = self._past
        return page in past.versions or page in past.retry or page in past.waiting

    def _record(self, page: str) -> str:
        return page.removeprefix(f"{self.name}:").removesuffix(_FULL_TEXT)

    def _state(self, cursor: str) -> dict[str, object]:
        """Where to go on; from the beginning when the settings ask for something else now."""
        value = json.loads(cursor) if cursor else {}
        if value.get("settings") != self._fingerprint():
            return {}
        state: dict[str, object] = value["listing"]
        return state

    def _fingerprint(self) -> str:
        """Changes with what is listed, how it is read, and who may read it."""
        settings = self.settings
        groups = sorted((name, sorted(found)) for name, found in settings.groups.items())
        listed = (str(settings.url), settings.service, settings.query, settings.sets)
        read = (settings.full_text, settings.arxiv_pdf, self._listing.format)
        return _short((listed, read, sorted(settings.access), groups))


def _told(record: Page) -> _Told:
    try:
        document = parse(record)[0]
    except ParseError:
        return _Told()
    return _Told(document.title, document.author, document.updated_at)


def _short(value: object) -> str:
    return sha256(repr(value).encode()).hexdigest()[:12]
