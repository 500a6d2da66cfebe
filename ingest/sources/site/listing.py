"""What a site says of its own pages: sitemaps, MkDocs search indexes, links and robots' marks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from ingest.errors import ParseError
from ingest.outbound.body import Damaged, TooLarge, unpacked
from ingest.safexml import below, local, read_xml, text_below

_MOST_ENTRIES = 200_000
_MOST_LINKS = 5_000
_DEEPEST = 1_000
_PIECE = 8_192
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FOLLOWED = {"a": "href", "area": "href", "frame": "src", "iframe": "src"}


@dataclass(frozen=True, slots=True)
class Sitemap:
    """One file of the sitemap protocol: pages with their dates, or further sitemaps."""

    pages: tuple[tuple[str, str], ...] = ()
    """Address and lastmod, as they stand there."""
    sitemaps: tuple[str, ...] = ()


@dataclass(slots=True)
class Head:
    """What an HTML page says to those who crawl."""

    links: list[str] = field(default_factory=list)
    """As they stand there, those that must not be followed left out."""
    base: str = ""
    canonical: str = ""
    noindex: bool = False
    nofollow: bool = False


def read_sitemap(name: str, content: bytes, limit: int) -> Sitemap | None:
    """The sitemap in an answer, unpacked if need be; None for another thing, such as a page.

    Raises:
        ParseError: it is a sitemap, and is broken or too large.
    """
    if content.startswith(b"\x1f\x8b"):
        content = _unpacked(name, content, limit)
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start.startswith(b"<"):
        lines = content.decode("utf-8", errors="replace").split()
        pages = tuple((line, "") for line in lines if re.match(r"https?://", line))
        return Sitemap(pages[:_MOST_ENTRIES]) if pages else None
    if re.search(rb"<!doctype\s+html|<html\b", start):
        return None
    root = read_xml(name, content)
    if local(root) == "sitemapindex":
        return Sitemap((), tuple(text_below(entry, "loc") for entry in below(root, "sitemap")))
    if local(root) != "urlset":
        return None
    entries = [
        (text_below(entry, "loc"), text_below(entry, "lastmod")) for entry in below(root, "url")
    ]
    return Sitemap(tuple(entries[:_MOST_ENTRIES]))


def _unpacked(name: str, content: bytes, limit: int) -> bytes:
    try:
        return unpacked(content, "gzip", limit)
    except TooLarge:
        msg = f"{name} unpacks to more than max_bytes = {limit:,} bytes."
        raise ParseError(msg) from None
    except Damaged:
        msg = f"{name} is a damaged gzip file."
        raise ParseError(msg) from None


def sitemap_lines(robots: str) -> Iterator[str]:
    """The addresses in the Sitemap lines of a robots.txt."""
    for line in robots.splitlines()[:5_000]:
        key, _, value = line.partition(":")
        if key.strip().lower() == "sitemap" and value.strip():
            yield value.partition("#")[0].strip()


def index_locations(index: Any) -> list[str]:
    """Addresses of the pages in an MkDocs search index, relative to the site; empty for others."""
    docs = index.get("docs") if isinstance(index, dict) else None
    places = [doc.get("location") for doc in docs or () if isinstance(doc, dict)]
    named = [place.partition("#")[0] for place in places if isinstance(place, str)]
    return list(dict.fromkeys(named))[:_MOST_ENTRIES]


def dated(lastmod: str) -> datetime | None:
    """The moment of a lastmod; of a day alone, its beginning in UTC."""
    try:
        found = datetime.fromisoformat(lastmod.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def settled(lastmod: str, now: datetime) -> bool:
    """True when a page of this date can no longer change under the same date.

    A day alone ends somewhere on earth two days after it began; and what a server published a
    moment ago may not have reached all of its copies.
    """
    moment = dated(lastmod)
    wait = timedelta(days=2) if _DAY.fullmatch(lastmod.strip()) else timedelta(hours=1)
    return moment is not None and now - moment >= wait


class _TooDeep(Exception):
    """Thousands of open elements: libxml2 takes time that grows with their square."""


class _Listener:
    """Hears the tags of a page go by; builds no tree."""

    def __init__(self) -> None:
        self.head = Head()
        self._depth = 0

    def start(self, tag: str, attributes: Any) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _TooDeep
        given = {str(name).lower(): str(value or "") for name, value in attributes.items()}
        rel = given.get("rel", "").lower().split()
        if tag in _FOLLOWED and "nofollow" not in rel:
            if (link := given.get(_FOLLOWED[tag])) and len(self.head.links) < _MOST_LINKS:
                self.head.links.append(link)
        elif tag == "link" and "canonical" in rel:
            self.head.canonical = self.head.canonical or given.get("href", "")
        elif tag == "link" and "next" in rel and given.get("href"):
            self.head.links.append(given["href"])
        elif tag == "base":
            self.head.base = self.head.base or given.get("href", "")
        elif tag == "meta" and given.get("name", "").lower() in ("robots", "docent"):
            self.obey(given.get("content", ""))

    def end(self, tag: str) -> None:
        self._depth -= 1

    def close(self) -> None:
        """Nothing is left to do."""

    def obey(self, words: str) -> None:
        """Take in a list of marks; one that is for another crawler by name is not for us."""
        named = re.match(r"\s*([\w-]+)\s*:", words)
        if named and named[1].lower() not in ("docent", "unavailable_after"):
            return
        said = set(re.findall(r"[a-z]+", words.lower()))
        self.head.noindex |= bool(said & {"noindex", "none"})
        self.head.nofollow |= bool(said & {"nofollow", "none"})


def head_of(content: bytes, robots_tag: str = "") -> Head:
    """Links and marks of an HTML page, with what its X-Robots-Tag header says."""
    listener = _Listener()
    listener.obey(robots_tag)
    parser = etree.HTMLParser(target=listener, no_network=True)
    try:
        # In pieces: the parser hears an objection only between them.
        for start in range(0, len(content), _PIECE):
            parser.feed(content[start : start + _PIECE])
        parser.close()
    except (_TooDeep, etree.LxmlError):
        # What was heard until here is as good as it gets.
        return listener.head
    return listener.head
