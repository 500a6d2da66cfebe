"""What a wiki answers when asked which topics a web has: its feed, and its list of names."""

import html
import re
from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from urllib.parse import unquote, urlsplit

import feedparser

_LINK = re.compile(rb"""<a\b[^>]*?\bhref\s*=\s*["']([^"'<>]{1,2000})["']""", re.IGNORECASE)
_OTHER_PAGES = re.compile(
    r"/(?:attach|changes|edit|login|logon|manage|oops|preview|pub|rdiff|rename|save|search|upload)"
    r"(?:auth)?/"
)
_NAME = re.compile(r"\w[^\s/\\*?~^$@%`\"'&|<>\[\]]*")
_SETTLED = timedelta(minutes=2)
"""Some wikis tell dates by the minute only: a second change in that minute would not show."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A topic as the feed names it."""

    mark: str
    """Changes when the topic does; never has a space."""
    date: datetime


def feed_topics(content: bytes, web: str, now: datetime) -> dict[str, Listed] | None:
    """Topics of an RSS or Atom feed of the web, newest first; None when it is no feed."""
    # A string would be taken for an address or a file name and opened.
    feed = feedparser.parse(BytesIO(content), sanitize_html=False, resolve_relative_uris=False)
    if not feed.version:
        return None
    topics: dict[str, Listed] = {}
    for entry in feed.entries:
        topic = _topic(entry.get("link") or "", web)
        moment = entry.get("updated_parsed")
        if topic and moment and topic not in topics:
            date = datetime.fromtimestamp(timegm(moment), UTC)
            unsettled = "~" if now - date < _SETTLED else ""
            topics[topic] = Listed(f"{date:%Y-%m-%dT%H:%M:%SZ}{unsettled}", date)
    return topics


def linked_topics(page: bytes, web: str) -> frozenset[str]:
    """Topics of the web that a page links to, such as its WebTopicList."""
    return frozenset(_linked(page, web))


def _linked(page: bytes, web: str) -> Iterator[str]:
    for found in _LINK.finditer(page):
        address = html.unescape(found[1].decode("utf-8", errors="replace"))
        if "?" not in address and "#" not in address and (topic := _topic(address, web)):
            yield topic


def _topic(address: str, web: str) -> str:
    """`.../view/WEB/TOPIC` gives `TOPIC`, other addresses an empty string."""
    try:
        path = unquote(urlsplit(address).path)
    except ValueError:
        return ""
    before, _, topic = path.rpartition("/")
    inside = f"/{before}".endswith(f"/{web}") and not _OTHER_PAGES.search(path)
    return topic if inside and _NAME.fullmatch(topic) else ""
