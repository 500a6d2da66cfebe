"""TWiki and Foswiki: topics of given webs, raw where we are shown that, and their attachments.

Each run asks a web for its WebPreferences and for its feed with all topics and dates, and fetches
what has another date. What the feed does not name is closed to us, unless the feed is cut short:
a few are asked to find out. Then the topic list leads, and topics that have no date are asked for.
What a topic says of its readers is kept in its version, so that a changed WebPreferences reaches
all topics of a web without a request for any.
"""

import json
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client
from ingest.model import AccessList, Cursor, Failure, Gone, Item, Page, Past, Unchanged
from ingest.source_settings import TwikiSettings
from ingest.sources.twiki.lists import Listed
from ingest.sources.twiki.rights import (
    RENDERED,
    UNCLEAR,
    Rights,
    access_of,
    bare_name,
    metas,
    topic_rights,
)
from ingest.sources.twiki.server import REFUSED, Server, WebRefused

FILES = frozenset({"pdf", "docx", "pptx", "txt", "md", "markdown", "rst", "html", "htm", "ipynb"})
"""Extensions of the attachments that are read."""
SHORT_FEED = 500
"""How many topics a feed is asked for that does not name all of them anyway."""
ASK_ALL = timedelta(days=7)
"""So often the topic list is asked for anyway; and every topic where the feed does not name all:
there, one that was closed to our account shows in no other way."""
SAMPLE = 3
STRIDE = 25
"""Topics without a date between two notes of where we are."""
_LAG = timedelta(minutes=5)

Asked = Generator[Item, None, bool | None]
"""Ends with True when the topic was shown, False when it was refused; None when it failed or is too
new to say anything about the feed."""


@dataclass(slots=True)
class _Note:
    """What is kept of a web between runs."""

    whole: bool | None = None
    """Its feed names all topics that we may read; None: not known yet."""
    raw: bool = True
    seen: str = ""
    """When it was read to the end last, by the wiki's clock."""
    full: str = ""
    """When its topic list was asked for last, and all topics that its feed did not name."""


@dataclass(slots=True)
class _Notes:
    """The cursor, unpacked."""

    webs: dict[str, _Note] = field(default_factory=dict)
    at: tuple[str, str] = ("", "")
    """Web and topic up to which topics without a date were asked for."""
    attachments: bool = True

    @classmethod
    def read(cls, cursor: str) -> "_Notes":
        if not cursor:
            return cls()
        raw = json.loads(cursor)
        webs = {name: _Note(**note) for name, note in raw["webs"].items()}
        return cls(webs, tuple(raw["at"]), raw["attachments"])

    def write(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Web:
    """A web as it is in this run."""

    name: str
    rights: Rights
    raw: bool
    """We are shown the raw text of topics."""
    known: Mapping[str, frozenset[str]]
    """Topics that earlier runs gave, with their attachments."""
    fresh: bool = False
    """Topics are asked for although they did not change."""


class TwikiSource:
    """Pages are topics (`SOURCE:WEB/TOPIC`) and attachments (`SOURCE:WEB/TOPIC/NAME`)."""

    def __init__(self, name: str, settings: TwikiSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self._server = Server(name, settings, client)
        self._live: set[str] | None = None

    @property
    def requests(self) -> int:
        """Made so far."""
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """All topics of all webs; the unchanged ones without fetching them.

        A web that cannot be listed does not keep the others from being read; then this ends with
        a `SourceTrouble` that names it.
        """
        self._server = Server(self.name, self.settings, self.client)
        self._live = None
        live: set[str] = set()
        notes = _Notes.read(past.cursor)
        refused: dict[str, bool] = {}
        troubles: list[str] = []
        webs = dict.fromkeys(web.replace(".", "/").strip("/") for web in self.settings.webs)
        for web in webs:
            try:
                yield from self._web(web, past, notes, live)
            except WebRefused as refusal:
                refused[web] = refusal.certain
            except FetchError as error:
                troubles.append(f"The web {web} cannot be read: {error}")
        others_read = len(refused) + len(troubles) < len(webs)
        for web, certain in refused.items():
            if certain or others_read:
                yield from self._close_web(web, past, live)
            else:
                troubles.append(
                    f"{self.name}: the web {web} is refused, and no other was read: check the "
                    f"sign-in ([sources.{self.name}] auth)."
                )
        if troubles:
            raise SourceTrouble(" ".join(troubles))
        notes.attachments = self.settings.attachments
        yield Cursor(self.name, notes.write())
        self._live = live

    def live_ids(self) -> Iterator[str]:
        """What `pages` has just found to exist."""
        if self._live is None:
            msg = f"{self.name}: the webs were not listed to the end."
            raise SourceTrouble(msg)
        return iter(self._live)

    def _web(self, name: str, past: Past, notes: _Notes, live: set[str]) -> Iterator[Item]:
        note = notes.webs.setdefault(name, _Note())
        web, refused = self._opened(name, past, notes)
        resumed = notes.at[1] if notes.at[0] == name else ""
        due = not resumed and self._server.now - _moment(note.full) > ASK_ALL
        limit = SHORT_FEED if note.whole is False and not due else "all"
        feed = self._server.feed(name, limit, refused=refused)
        listed = {topic: entry for topic, entry in (feed or {}).items() if self._wanted(topic)}
        waiting = {topic for topic in web.known if self._id(name, topic) in past.waiting}
        names: Collection[str] = waiting
        told_all = note.whole and web.known.keys() - waiting <= listed.keys()
        if feed is None or not told_all or due:
            names = [topic for topic in self._server.names(name) if self._wanted(topic)]
        live |= self._ids(web, {*names, *listed})
        for topic in sorted(listed):
            yield from self._dated(web, topic, listed[topic], past)
        unlisted = sorted({*names} - listed.keys() - waiting)
        if feed is not None and (note.whole is not False or due or not unlisted):
            unlisted = yield from self._closed_ones(web, unlisted, note, past)
        sure = False
        if unlisted:
            reached = min((one.date for one in listed.values()), default=_NEVER)
            sure = _NEVER < reached < _moment(note.seen) and not due and not resumed
            yield from self._undated(web, unlisted, past, notes, resumed, sure=sure)
        if names is not waiting and not sure:
            note.full = self._server.now.isoformat()
        note.raw, note.seen, notes.at = web.raw, (self._server.now - _LAG).isoformat(), ("", "")
        yield Cursor(self.name, notes.write())

    def _opened(self, name: str, past: Past, notes: _Notes) -> tuple[_Web, bool]:
        """The web with what it sets, and whether its preferences were refused."""
        told = self._server.preferences(name)
        new_files = self.settings.attachments and not notes.attachments
        fresh = new_files or (told.raw and not notes.webs[name].raw)
        return _Web(name, told.rights, told.raw, self._known(name, past), fresh), told.refused

    def _dated(self, web: _Web, topic: str, listed: Listed, past: Past) -> Iterator[Item]:
        """A topic of the feed: fetched when its date is another one."""
        page_id = self._id(web.name, topic)
        before = past.versions.get(page_id, "")
        same = before.partition(" ")[0] == listed.mark
        wanted = past.wants(page_id, before if same else listed.mark)
        if wanted or (page_id not in past.waiting and self._is_due(web, topic, past)):
            yield from self._ask(web, topic, past, listed.mark)
        elif same:
            yield from self._same(web, topic, past)
        elif before and not self._access_before(web, page_id, past):
            # It waits for its next try; but what is known of it must close with its web.
            yield from self._refuse(web, topic, f"the web {web.name} is closed.")

    def _closed_ones(
        self, web: _Web, topics: list[str], note: _Note, past: Past
    ) -> Generator[Item, None, list[str]]:
        """Topics that exist and that the feed leaves out, since it names only what we may read.

        Gives those that it left out for another reason. That shows when one of a few, older than
        the feed, is not refused: then the feed is cut short.
        """
        few = min(SAMPLE, max(1, (self.settings.ban_after - 1) // 2))
        sample = topics[:: max(1, len(topics) // few)][:few]
        shown = []
        for topic in sample:
            shown.append((yield from self._ask(web, topic, past)))
        rest = [topic for topic in topics if topic not in sample]
        if True in shown:
            note.whole = False
            return rest
        if None not in shown:
            note.whole = True
            for topic in rest:
                yield from self._refuse(web, topic, "the wiki's feed leaves it out.")
        return []

    def _undated(
        self, web: _Web, topics: list[str], past: Past, notes: _Notes, resumed: str, *, sure: bool
    ) -> Iterator[Item]:
        """Topics that a short feed does not name: `sure` when it names all that changed."""
        asked = 0
        for topic in topics:
            known = self._id(web.name, topic) in past.versions
            if known and (sure or topic <= resumed) and not self._is_due(web, topic, past):
                yield from self._same(web, topic, past)
                continue
            yield from self._ask(web, topic, past)
            asked += 1
            if asked % STRIDE == 0:
                notes.at = (web.name, topic)
                yield Cursor(self.name, notes.write())

    def _is_due(self, web: _Web, topic: str, past: Past) -> bool:
        """True when a topic is to be asked for although it did not change."""
        files = (self._id(web.name, topic, name) for name in web.known.get(topic, ()))
        return web.fresh or not past.retry.isdisjoint((self._id(web.name, topic), *files))

    def _ask(self, web: _Web, topic: str, past: Past, mark: str = "") -> Asked:
        """Fetch a topic and what is attached to it. Without a date of the feed, its own counts."""
        page_id = self._id(web.name, topic)
        try:
            reply, raw = self._server.topic(web.name, topic, raw=web.raw)
        except FetchError as error:
            if error.status in REFUSED:
                yield from self._refuse(web, topic, str(error))
                return False
            yield Failure(page_id, self.name, str(error))
            return None
        text = reply.text if raw else ""
        rights = topic_rights(text) if raw else RENDERED
        access = access_of(rights, web.rights, self.settings)
        info = next(metas(text, "TOPICINFO"), {})
        date, author = _epoch(info.get("date", "")), bare_name(info.get("author", ""))
        mark = mark or (f"{date:%Y-%m-%dT%H:%M:%SZ}" if date else "")
        revision = info.get("version", "").rpartition(".")[2] or "0"
        version = f"{mark} r{revision} {rights.to_mark()}".rstrip()
        if mark and not past.wants(page_id, version):
            yield Unchanged(page_id, self.name, access, version)
        else:
            url = self._server.address("view", web.name, topic)
            kind = "twiki" if raw else "html"
            yield Page(
                page_id, self.name, url, kind, reply.content, date, access, version, author=author
            )
        if raw:
            yield from self._attachments(web, topic, text, access, past)
        else:
            yield from self._same_files(web, topic, access, past)
        return True if date is None or date < self._server.now - _LAG else None

    def _attachments(
        self, web: _Web, topic: str, text: str, access: AccessList, past: Past
    ) -> Iterator[Item]:
        told = {
            one.get("name") or one.get("attachment", ""): one
            for one in metas(text, "FILEATTACHMENT")
        }
        named = {name for name in told if self.settings.attachments and _is_readable(name)}
        for name in sorted(web.known.get(topic, frozenset()) - named):
            yield Gone(self._id(web.name, topic, name), self.name)
        for name in sorted(named):
            page_id = self._id(web.name, topic, name)
            values = told[name]
            version = f"r{values.get('version') or 1} {values.get('date', '')}".rstrip()
            if past.wants(page_id, version):
                url = self._server.address("../pub", web.name, topic, name)
                yield self._file(page_id, url, values, access, version)
            elif page_id not in past.waiting:
                yield Unchanged(page_id, self.name, access, version)

    def _file(
        self, page_id: str, url: str, told: Mapping[str, str], access: AccessList, version: str
    ) -> Page | Failure:
        limit = self.settings.max_bytes
        size = told.get("size", "")
        if size.isdecimal() and int(size) > limit:
            reason = f"{url} has {int(size):,} bytes, more than max_bytes = {limit:,} allows."
            return Failure(page_id, self.name, reason)
        try:
            content = self._server.file(url)
        except FetchError as error:
            return Failure(page_id, self.name, str(error), forbidden=error.status in REFUSED)
        date, author = _epoch(told.get("date", "")), bare_name(told.get("user", ""))
        return Page(page_id, self.name, url, "", content, date, access, version, author=author)

    def _same(self, web: _Web, topic: str, past: Past) -> Iterator[Item]:
        """A topic that did not change: who may read it can have, when the web's settings did."""
        page_id = self._id(web.name, topic)
        access = self._access_before(web, page_id, past)
        yield Unchanged(page_id, self.name, access, past.versions[page_id])
        yield from self._same_files(web, topic, access, past)

    def _same_files(self, web: _Web, topic: str, access: AccessList, past: Past) -> Iterator[Item]:
        files = web.known.get(topic, frozenset()) if self.settings.attachments else ()
        for name in sorted(files):
            page_id = self._id(web.name, topic, name)
            if page_id in past.versions and page_id not in past.waiting:
                yield Unchanged(page_id, self.name, access, past.versions[page_id])
            elif not access:
                # One that waits for its next try must close with its topic.
                told = f"{topic}, to which it is attached, is closed."
                yield Failure(page_id, self.name, told, forbidden=True)

    def _access_before(self, web: _Web, page_id: str, past: Past) -> AccessList:
        """Who may read a topic now, by what it said of itself when it was fetched."""
        told = past.versions[page_id].split(" ", 2)
        return access_of(Rights.from_mark("".join(told[2:])), web.rights, self.settings)

    def _refuse(self, web: _Web, topic: str, reason: str) -> Iterator[Failure]:
        for file in [(), *((name,) for name in sorted(web.known.get(topic, ())))]:
            url = self._server.address("view", web.name, topic)
            told = f"{url} may not be read by our account: {reason}"
            yield Failure(self._id(web.name, topic, *file), self.name, told, forbidden=True)

    def _close_web(self, name: str, past: Past, live: set[str]) -> Iterator[Failure]:
        web = _Web(name, UNCLEAR, True, self._known(name, past))
        live |= self._ids(web, web.known)
        for topic in sorted(web.known):
            yield from self._refuse(web, topic, f"the whole web {name} is refused.")

    def _known(self, web: str, past: Past) -> Mapping[str, frozenset[str]]:
        start = f"{self.name}:{web}/"
        known: dict[str, set[str]] = {}
        for page_id in {*past.versions, *past.retry, *past.waiting}:
            topic, *files = page_id.removeprefix(start).split("/")
            # What does not end with an attachment's name belongs to a web inside this one.
            if page_id.startswith(start) and all(_is_readable(name) for name in files[:1]):
                known.setdefault(topic, set()).update(files)
        return {topic: frozenset(names) for topic, names in known.items()}

    def _ids(self, web: _Web, topics: Iterable[str]) -> set[str]:
        """Of topics and what is attached to them."""
        ids = set()
        for topic in topics:
            ids.add(self._id(web.name, topic))
            if self.settings.attachments:
                ids |= {self._id(web.name, topic, name) for name in web.known.get(topic, ())}
        return ids

    def _wanted(self, topic: str) -> bool:
        # The wiki writes WebStatistics itself, and leaves it out of its feeds.
        return topic != "WebStatistics" and not any(
            fnmatchcase(topic, glob) for glob in self.settings.exclude
        )

    def _id(self, *path: str) -> str:
        return f"{self.name}:{'/'.join(path)}"


_NEVER = datetime.min.replace(tzinfo=UTC)


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp) if stamp else _NEVER


def _is_readable(name: str) -> bool:
    plain = name and not name.startswith(".") and not any(char in name for char in "/\\\n")
    return bool(plain) and name.rpartition(".")[2].lower() in FILES


def _epoch(value: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC) if value else None
    except (ValueError, OverflowError, OSError):
        return None
