"""A web site: by its sitemap, else by its MkDocs search index, else by following its links."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from ingest.errors import FetchError, ParseError, SourceTrouble
from ingest.http import Client, Reply
from ingest.model import Item, Past
from ingest.source_settings import SiteSettings
from ingest.sources.site.listing import (
    Sitemap,
    dated,
    index_locations,
    read_sitemap,
    sitemap_lines,
)
from ingest.sources.site.walk import Ground, Listing, Walk

_MOST_SITEMAPS = 500
_ABSENT = frozenset({403, 404, 410})
"""How servers say that there is nothing; storage buckets say 403."""


def _now() -> datetime:
    return datetime.now(UTC)


class SiteSource:
    """Pages below one address, whatever made them."""

    def __init__(
        self,
        name: str,
        settings: SiteSettings,
        client: Client,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self.now = now
        self._ground = Ground(name, settings, client)
        self._scope = self._ground.scope
        self._folder = self._scope.address(self._scope.start.rstrip("/") + "/")
        self._walk: Walk | None = None

    @property
    def requests(self) -> int:
        """Made so far."""
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """Every page that is listed or linked; those that are as they were as `Unchanged`."""
        walk = Walk(self._ground, past, self._listing(), self.now())
        yield from walk.items()
        self._walk = walk

    def live_ids(self) -> Iterator[str] | None:
        """Ids of what sitemap or index name; None after a crawl, which says it by `Gone`."""
        walk = self._walk or Walk(self._ground, Past(), self._listing(), self.now())
        if self._walk is None and walk.listing and walk.listing.lost:
            return None
        live = walk.live()
        return None if live is None else iter(live)

    def _listing(self) -> Listing | None:
        """The pages that the site itself names; None when it names none."""
        asked: set[str] = set()
        top = self._scope.origin + "/sitemap.xml"
        for places in (self._robots_lines(), [self._folder + "sitemap.xml"], [top]):
            listing = self._sitemaps(places, asked)
            if listing.pages:
                return listing
        return self._search_index()

    def _robots_lines(self) -> list[str]:
        top = self._scope.origin + "/robots.txt"
        try:
            lines = list(sitemap_lines(self.client.get(top).text))
        except FetchError:
            return []
        # A sitemap of another host could name pages there only.
        return [place for line in lines if (place := self._scope.address_of(line, top))]

    def _sitemaps(self, places: Iterable[str], asked: set[str]) -> Listing:
        """All pages of some sitemaps and of those that they name."""
        listing, waiting = Listing(), [(place, False) for place in places]
        while waiting:
            place, named = waiting.pop(0)
            if place in asked:
                continue
            if len(asked) >= _MOST_SITEMAPS:
                reason = f"it is left out, there are more than {_MOST_SITEMAPS} sitemaps."
                listing.lost.append((place, reason))
                break
            asked.add(place)
            found = self._sitemap(place)
            if found is None:
                if named:
                    listing.lost.append((place, "a sitemap names it as one, and it is none."))
                continue
            parts = (self._scope.address_of(part, place) for part in found.sitemaps)
            waiting += [(part, True) for part in parts if part]
            self._note(listing, place, found.pages)
        return listing

    def _sitemap(self, place: str) -> Sitemap | None:
        reply = self._listed_at(place)
        if reply is None:
            return None
        try:
            return read_sitemap(place, reply.content, self.settings.max_bytes)
        except ParseError as error:
            msg = f"{self.name}: which pages there are cannot be read: {error}"
            raise SourceTrouble(msg) from error

    def _listed_at(self, place: str) -> Reply | None:
        """An answer, or None where there is nothing. Trouble: nobody can say what exists."""
        try:
            return self.client.get(place)
        except FetchError as error:
            if error.status in _ABSENT:
                return None
            msg = f"{self.name}: which pages there are cannot be read: {error}"
            raise SourceTrouble(msg) from error

    def _search_index(self) -> Listing | None:
        reply = self._listed_at(self._folder + "search/search_index.json")
        if reply is None:
            return None
        try:
            locations = index_locations(reply.json())
        except FetchError:  # a page that says in HTML that there is nothing
            return None
        listing = Listing()
        self._note(listing, self._folder, ((location or ".", "") for location in locations))
        return listing if listing.pages else None

    def _note(self, listing: Listing, base: str, entries: Iterable[tuple[str, str]]) -> None:
        for link, lastmod in entries:
            path = self._scope.path_of(link, base)
            if path is not None and path not in listing.pages and self._ground.wanted(path):
                listing.pages[path] = lastmod.strip() if dated(lastmod) else ""
