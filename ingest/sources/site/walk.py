"""One run over a web site: which pages are asked for, and what their answers mean.

A page's version is a `Mark`: besides the server's own version it holds in which run the page was
last asked for, so that a killed run goes on behind it. What no page can hold (links that were seen
and not read yet, pages that are not to be shown, pages that were missing once) is in the cursor.
"""

import heapq
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urljoin

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client, Reply
from ingest.model import CURRENT, Cursor, Failure, Gone, Item, Page, Past, Standing, Unchanged
from ingest.source_settings import SiteSettings
from ingest.sources.files import glob_pattern
from ingest.sources.site.addresses import Scope, Traps, may_be_page
from ingest.sources.site.listing import Head, dated, head_of, settled

_SAME_RUN = timedelta(hours=12)
"""A run that was killed is gone on with for so long; later all pages are asked for anew."""
_SAVED_EVERY = 20
_LATEST = ("stable", "latest")
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_SLIDES = "application/vnd.openxmlformats-officedocument.presentationml."
_FORMATS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/x-rst": "rst",
    _WORD + "document": "docx",
    _WORD + "template": "docx",
    "application/vnd.ms-word.document.macroenabled.12": "docx",
    _SLIDES + "presentation": "pptx",
    _SLIDES + "slideshow": "pptx",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": "pptx",
}
_ENDINGS = {
    "html": "html",
    "htm": "html",
    "pdf": "pdf",
    "md": "markdown",
    "markdown": "markdown",
    "rst": "rst",
    "txt": "text",
    "docx": "docx",
    "pptx": "pptx",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What a page is remembered by."""

    run: str = ""
    """When the run began in which it was last asked for."""
    depth: int = 0
    standing: str = ""
    """`-` for archived, or the path of the page that supersedes it."""
    lastmod: str = ""
    """The sitemap's, when a page of that date can no longer change under it."""
    version: str = ""

    def __str__(self) -> str:
        return "|".join((self.run, str(self.depth), self.standing, self.lastmod, self.version))

    @classmethod
    def read(cls, text: str) -> "Mark":
        """The mark in a page's version; an empty one for what is none."""
        parts = text.split("|", 4)
        if len(parts) < 5 or not parts[1].isdecimal():
            return cls()
        return cls(parts[0], int(parts[1]), parts[2], parts[3], parts[4])


@dataclass(slots=True)
class Notes:
    """What the cursor holds, by path."""

    run: str = ""
    going_on: bool = False
    """The run has not come to its end."""
    anew: bool = False
    """All pages are read again in this run, whatever their versions."""
    rules: str = ""
    """The settings that decide which links are followed, as they were."""
    frontier: dict[str, int] = field(default_factory=dict)
    """Links that were seen and not read yet, with their depth."""
    aside: dict[str, str] = field(default_factory=dict)
    """Marks of what is not shown: other addresses of a page, pages that forbid it, no texts."""
    missing: dict[str, str] = field(default_factory=dict)
    """Pages that were not found, with the run that missed them first."""

    @classmethod
    def read(cls, cursor: str) -> "Notes":
        try:
            return cls(**json.loads(cursor))
        except (ValueError, TypeError):
            return cls()


def format_of(content_type: str, path: str) -> str:
    """The parser for an answer of this type; empty when it is no text."""
    kind = content_type.partition(";")[0].strip().lower()
    name = path.partition("?")[0].rpartition("/")[2]
    by_name = _ENDINGS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""
    if kind == "text/plain":
        return by_name if by_name in ("markdown", "rst") else "text"
    if kind in ("", "application/octet-stream", "binary/octet-stream"):
        return by_name
    return _FORMATS.get(kind, "")


@dataclass(slots=True)
class Listing:
    """What the site itself names as its pages."""

    pages: dict[str, str] = field(default_factory=dict)
    """Path → lastmod, empty where there is none."""
    lost: list[tuple[str, str]] = field(default_factory=list)
    """Parts of it that were not there, with what was answered: nothing is removed then."""


def _base(url: str, head: Head) -> str:
    """What the links of a page are relative to."""
    try:
        return urljoin(url, head.base)
    except ValueError:
        return url


class Ground:
    """The site as the settings see it."""

    def __init__(self, name: str, settings: SiteSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self.scope = Scope(str(settings.url))
        self._exclude = [glob_pattern(glob) for glob in settings.exclude]
        self._archived = [glob_pattern(glob) for glob in settings.archived]

    def page_id(self, path: str) -> str:
        """What a page is called in the index."""
        return f"{self.name}:{path}"

    def path(self, page_id: str) -> str:
        """The page that is called so."""
        return page_id.removeprefix(f"{self.name}:")

    def wanted(self, path: str) -> bool:
        """True when neither the settings nor robots.txt leave it out."""
        bare = path.partition("?")[0]
        if any(glob.fullmatch(bare) for glob in self._exclude):
            return False
        try:
            return self.client.allowed(self.scope.address(path))
        except FetchError:
            return False

    def is_archived(self, path: str) -> bool:
        """True for pages of old versions."""
        bare = path.partition("?")[0]
        return any(glob.fullmatch(bare) for glob in self._archived)


class Walk:
    """One run over a site, by its listing or (without one) by its links."""

    def __init__(self, ground: Ground, past: Past, listing: Listing | None, now: datetime) -> None:
        self.ground, self.past, self.listing, self.now = ground, past, listing, now
        self.scope, self.settings = ground.scope, ground.settings
        self.listed = listing.pages if listing else {}
        self.notes = Notes.read(past.cursor)
        self.unfinished = self.notes.run if self.notes.going_on else ""
        self.run = self._name_of_run()
        self.known = {ground.path(i): Mark.read(version) for i, version in past.versions.items()}
        self.traps = Traps(self.settings.max_pages)
        self.depths: dict[str, int] = {}
        """How many links each page of this run is away from the first."""
        self.queue: list[tuple[bool, bool, int, str]] = []
        self.asked: set[str] = set()
        self.good: set[str] = set()
        """Found to be pages of their own in this run."""
        self.gone: set[str] = set()
        self.cut = False
        self.unsaved = 0
        dates = set(self.listed.values())
        # One date on all pages is that of the build, and says nothing of any of them.
        self.dates_tell = len(dates) > 1 or len(self.listed) < 3

    def items(self) -> Iterator[Item]:
        """Everything, with cursors."""
        self._begin()
        yield from self._seeds() if self.listing is None else self._listed()
        yield self._cursor()
        while self.queue:
            yield from self._visit(heapq.heappop(self.queue)[-1])
            if self.unsaved >= _SAVED_EVERY:
                yield self._cursor()
        yield from self._limits()
        self.notes.going_on = self.notes.anew = False
        yield self._cursor()

    def live(self) -> set[str] | None:
        """Ids of what exists; None where nothing lists it."""
        if self.listing is None:
            return None
        paths = set(self.listed) - set(self.notes.aside) - self.gone
        if self.listing.lost:
            paths |= set(self.known) - self.gone
        return {self.ground.page_id(path) for path in paths}

    def _name_of_run(self) -> str:
        """When it began: of the one before, if that was killed not long ago."""
        before = dated(self.notes.run)
        if before is None:
            return self.now.isoformat()
        if self.unfinished and timedelta(0) <= self.now - before < _SAME_RUN:
            return self.unfinished
        # Never the same name twice, whatever the clock says.
        return max(self.now, before + timedelta(microseconds=1)).isoformat()

    def _begin(self) -> None:
        given = self.settings
        rules = json.dumps([given.max_pages, given.max_depth, given.exclude, given.robots])
        # Links that other rules left out are found by reading all pages again.
        self.notes.anew |= self.notes.rules not in ("", rules)
        self.notes.run, self.notes.rules, self.notes.going_on = self.run, rules, True

    def _listed(self) -> Iterator[Item]:
        self.notes.frontier.clear()
        for notes in (self.notes.aside, self.notes.missing):
            for path in [path for path in notes if path not in self.listed]:
                del notes[path]
        for path in sorted(self.listed, key=lambda path: (self.ground.is_archived(path), path)):
            self._add(path, 0)
        yield from ()

    def _seeds(self) -> Iterator[Item]:
        """Where a crawl begins: at the first page, at all known ones, and at open links."""
        depths = {path: Mark.read(mark).depth for path, mark in self.notes.aside.items()}
        depths |= {path: mark.depth for path, mark in self.known.items()}
        depths |= self.notes.frontier
        depths[self.scope.start] = 0
        for path, depth in sorted(depths.items(), key=lambda item: (item[1], item[0])):
            if self.ground.wanted(path):
                self.traps.admits(path)
                self._add(path, depth)
            else:
                yield from self._drop(path)

    def _add(self, path: str, depth: int) -> None:
        if path not in self.depths and len(self.depths) >= self.settings.max_pages:
            self.cut = True
            return
        self.depths[path] = depth
        # What an unfinished run has read long ago comes after what it has not.
        late = self._mark(path).run == self.unfinished not in ("", self.run)
        heapq.heappush(self.queue, (late, self.ground.is_archived(path), depth, path))

    def _mark(self, path: str) -> Mark:
        return self.known.get(path) or Mark.read(self.notes.aside.get(path, ""))

    def _cursor(self) -> Cursor:
        self.unsaved = 0
        return Cursor(self.ground.name, json.dumps(asdict(self.notes), ensure_ascii=False))

    def _visit(self, path: str, *, nested: bool = False) -> Iterator[Item]:
        """Ask for one page, unless nothing can have changed."""
        page_id = self.ground.page_id(path)
        if path in self.asked or page_id in self.past.waiting:
            return
        self.asked.add(path)
        mark, standing = self._mark(path), self._standing(path)
        again = page_id in self.past.retry
        same = mark.standing == standing and not again
        lastmod = self.listed.get(path, "")
        if mark.run == self.run and not again:
            self._passed(path)
        elif same and lastmod and mark.lastmod == lastmod:
            self._passed(path)
            if path in self.known:
                yield self._unchanged(path, mark)
        else:
            version = mark.version if same and not self.notes.anew else ""
            yield from self._ask(path, standing, version, nested=nested)

    def _ask(self, path: str, standing: str, version: str, *, nested: bool) -> Iterator[Item]:
        try:
            reply = self.ground.client.get(self.scope.address(path), version=version)
        except FetchError as error:
            yield from self._failed(path, error)
            return
        if self.notes.missing.pop(path, None):
            self.unsaved += 1
        lastmod = self.listed.get(path, "")
        mark = Mark(
            self.run,
            self.depths[path],
            standing,
            lastmod if settled(lastmod, self.now) else "",
            reply.version or (version if reply.status == 304 else ""),
        )
        if reply.status == 304:
            yield from self._not_modified(path, mark, reply)
        else:
            yield from self._answered(path, mark, reply, nested=nested)

    def _passed(self, path: str) -> None:
        if path in self.known:
            self.good.add(path)
        self.notes.frontier.pop(path, None)

    def _unchanged(self, path: str, mark: Mark) -> Unchanged:
        page_id = self.ground.page_id(path)
        return Unchanged(page_id, self.ground.name, self.settings.access, str(mark))

    def _not_modified(self, path: str, mark: Mark, reply: Reply) -> Iterator[Item]:
        final = self.scope.path_of(reply.url)
        elsewhere = final is None or (final != path and self._is_own(final))
        if path not in self.known or elsewhere:
            yield from self._set_aside(path, mark)
            return
        self._passed(path)
        self.asked.add(final or path)
        yield self._unchanged(path, mark)

    def _answered(self, path: str, mark: Mark, reply: Reply, *, nested: bool) -> Iterator[Item]:
        kind = format_of(reply.headers.get("content-type", ""), path)
        final = self.scope.path_of(reply.url)
        if final is None and path == self.scope.start and self.listing is None:
            name, url = self.ground.name, self.settings.url
            msg = f"{url} leads to {reply.url}, which is not below it. Set [sources.{name}] url."
            raise SourceTrouble(msg)
        head = Head()
        if kind == "html" and final is not None:
            head = head_of(reply.content, reply.headers.get("x-robots-tag", ""))
            if self._follow(head, reply.url, mark.depth + 1):
                # Before the page: once it is kept nobody looks at its links again.
                yield self._cursor()
        hidden = head.noindex and self.settings.robots
        if not kind or final is None or hidden or (final != path and self._is_own(final)):
            yield from self._set_aside(path, mark)
            return
        self.asked.add(final)
        target = None if nested else self._canonical(path, final, head, reply.url)
        if target and target not in self.asked:
            self.depths.setdefault(target, mark.depth)
            yield from self._visit(target, nested=True)
        if target in self.good:
            yield from self._set_aside(path, mark)
            return
        self._passed(path)
        self.good.add(path)
        self.notes.aside.pop(path, None)
        yield self._page(path, final, kind, mark, reply.content)

    def _page(self, path: str, final: str, kind: str, mark: Mark, content: bytes) -> Page:
        newer = mark.standing.removeprefix("-")
        standing = Standing(True, self.scope.address(newer) if newer else "")
        return Page(
            id=self.ground.page_id(path),
            source=self.ground.name,
            url=self.scope.address(final),
            format=kind,
            content=content,
            updated_at=dated(self.listed.get(path, "")) if self.dates_tell else None,
            access=self.settings.access,
            version=str(mark),
            standing=standing if mark.standing else CURRENT,
        )

    def _follow(self, head: Head, url: str, depth: int) -> bool:
        """Queue what a page links to; True when there was something new."""
        if self.listing is not None or (head.nofollow and self.settings.robots):
            return False
        new, base = False, _base(url, head)
        for link in head.links:
            path = self.scope.path_of(link, base)
            if path is None or path in self.asked or depth > self.settings.max_depth:
                continue
            if path in self.depths:
                if self.depths[path] <= depth:
                    continue
            elif not (may_be_page(path) and self.traps.admits(path) and self.ground.wanted(path)):
                continue
            self._add(path, depth)
            if path in self.depths:
                self.notes.frontier[path] = depth
                new = True
        return new

    def _is_own(self, path: str) -> bool:
        """True for a page that is read under this address."""
        return path in self.good or path in (self.known if self.listing is None else self.listed)

    def _canonical(self, path: str, final: str, head: Head, url: str) -> str | None:
        """Another address that the page calls its own, where that can be believed."""
        target = self.scope.path_of(head.canonical, _base(url, head)) if head.canonical else None
        # Old versions name the newest one, and broken templates the front page.
        if target in (None, path, final, self.scope.start) or self.ground.is_archived(path):
            return None
        known = self._is_own(target) or (self.listing is None and self.ground.wanted(target))
        return target if known else None

    def _set_aside(self, path: str, mark: Mark) -> Iterator[Item]:
        """Remember what is not shown, so that it is not fetched again as long as it is the same."""
        self.notes.frontier.pop(path, None)
        self.notes.aside[path] = str(mark)
        self.unsaved += 1
        yield from self._forget(path)

    def _drop(self, path: str) -> Iterator[Item]:
        """What the settings or robots.txt leave out, or what is no longer there."""
        for notes in (self.notes.frontier, self.notes.aside, self.notes.missing):
            notes.pop(path, None)
        yield from self._forget(path)

    def _forget(self, path: str) -> Iterator[Item]:
        page_id = self.ground.page_id(path)
        self.gone.add(path)
        if path in self.known or page_id in self.past.retry:
            yield Gone(page_id, self.ground.name)

    def _failed(self, path: str, error: FetchError) -> Iterator[Item]:
        name, page_id = self.ground.name, self.ground.page_id(path)
        absent = error.status in (404, 410)
        if self.listing is None and path == self.scope.start and not (absent and self.known):
            msg = f"{error} The crawl begins there: check [sources.{name}] url and auth."
            raise SourceTrouble(msg) from error
        if not absent:
            forbidden = error.status in (401, 403)
            yield Failure(page_id, name, str(error), forbidden=forbidden)
            return
        self.unsaved += 1
        first = self.notes.missing.setdefault(path, self.run)
        if first != self.run:
            yield from self._drop(path)
            if path in self.listed:
                self.notes.missing[path] = first
        elif path in self.listed or path in self.known or page_id in self.past.retry:
            told = f"{error} It is removed when another run does not find it either."
            yield Failure(page_id, name, told)

    def _standing(self, path: str) -> str:
        """`-` for an old version, or the path of the same page in the newest; empty for others."""
        if not self.ground.is_archived(path):
            return ""
        steps = path.split("/")
        for at, step in enumerate(steps[1:], 1):
            for latest in _LATEST:
                other = "/".join([*steps[:at], latest, *steps[at + 1 :]])
                if step and other != path and (self._is_own(other) or other in self.known):
                    return other
        return "-"

    def _limits(self) -> Iterator[Item]:
        """What the operator has to know of the run as a whole."""
        name, most = self.ground.name, self.settings.max_pages
        limit = self.ground.page_id("#max_pages")
        if self.cut:
            told = f"There are more than max_pages = {most:,} pages below {self.settings.url}."
            advice = f"Raise [sources.{name}] max_pages or exclude some; the rest was not read."
            yield Failure(limit, name, f"{told} {advice}")
        for place, reason in self.listing.lost if self.listing else ():
            path = place.removeprefix(self.scope.origin)
            yield Failure(self.ground.page_id(path), name, f"{place}: {reason} Nothing is removed.")
        if self.listing is None:
            for page_id in sorted(self.past.retry | self.past.waiting):
                if self.ground.path(page_id) not in self.depths and not (
                    self.cut and page_id == limit
                ):
                    yield Gone(page_id, name)
