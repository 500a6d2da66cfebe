"""What a TWiki or Foswiki is asked over HTTP, and what its answers mean."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

from ingest.errors import FetchError
from ingest.http import Client, Reply
from ingest.source_settings import TwikiSettings
from ingest.sources.twiki.lists import Listed, feed_topics, linked_topics
from ingest.sources.twiki.rights import UNCLEAR, UNSET, Rights, web_rights

REFUSED = (401, 403)


class Denied(FetchError):
    """The wiki itself says that our account may not read this."""


class NotRaw(FetchError):
    """Something else than the raw text was shown."""


class WebRefused(Exception):
    """A whole web is closed to us; `certain` when it is the wiki that says so."""

    def __init__(self, certain: bool) -> None:
        super().__init__()
        self.certain = certain


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is known of a web from its WebPreferences."""

    rights: Rights
    raw: bool = True
    """We are shown the raw text of its topics."""
    refused: bool = False
    """This topic is closed to us, the web perhaps too."""


class Server:
    """One wiki, by its script folder."""

    def __init__(self, name: str, settings: TwikiSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self.now = datetime.now(UTC)
        """The wiki's clock when it answered last, or ours."""
        self._base = str(settings.url).rstrip("/") + "/"
        self._told: dict[str, Preferences] = {}

    def address(self, script: str, *path: str) -> str:
        """Where something is found: `address("view", "Main", "WebHome")`."""
        return urljoin(self._base, script + "/" + "/".join(quote(part) for part in path))

    def preferences(self, web: str) -> Preferences:
        """What a web and those around it set for reading.

        Raises:
            FetchError: there is no such web, or no telling.
        """
        if web not in self._told:
            outer = self.preferences(web.rpartition("/")[0]).rights if "/" in web else UNSET
            self._told[web] = self._preferences(web, outer)
        return self._told[web]

    def _preferences(self, web: str, outer: Rights) -> Preferences:
        try:
            text = self._view(web, "WebPreferences", raw=True).text
        except FetchError as error:
            if not isinstance(error, NotRaw) and error.status not in REFUSED:
                raise
        else:
            return Preferences(web_rights(text, outer))
        try:
            self._view(web, "WebPreferences", raw=False)
        except FetchError as error:
            if error.status not in REFUSED:
                raise
            return Preferences(UNCLEAR, refused=True)
        return Preferences(UNCLEAR, raw=False)

    def feed(self, web: str, limit: int | str, *, refused: bool) -> dict[str, Listed] | None:
        """Topics with their dates, as far as we may read them; None when there is no feed.

        Raises:
            WebRefused: this was refused as well as the preferences.
        """
        address = self.address(self.settings.script, web, "WebRss")
        try:
            reply = self._checked(self._get(address, skin="rss", limit=limit))
        except FetchError as error:
            if refused and error.status in REFUSED:
                raise WebRefused(certain=isinstance(error, Denied)) from None
            return None
        return feed_topics(reply.content, web, self.now)

    def names(self, web: str) -> frozenset[str]:
        """All topics of a web, those too that are closed to us.

        Raises:
            FetchError: there is no list, or nothing in it.
        """
        address = self.address(self.settings.script, web, "WebTopicList")
        reply = self._checked(self._get(address, skin="plain"))
        names = linked_topics(reply.content, web)
        if not names:
            msg = f"{address} names no topics; is [sources.{self.name}] url the script folder?"
            raise FetchError(msg)
        return names

    def topic(self, web: str, topic: str, *, raw: bool) -> tuple[Reply, bool]:
        """A topic's raw text if that is wanted and shown, else its rendered page; and which."""
        if raw:
            try:
                return self._view(web, topic, raw=True), True
            except NotRaw:
                pass
        return self._view(web, topic, raw=False), False

    def file(self, address: str) -> bytes:
        """An attachment."""
        return self._get(address).content

    def _view(self, web: str, topic: str, *, raw: bool) -> Reply:
        address = self.address(self.settings.script, web, topic)
        reply = self._checked(self._get(address, raw="all") if raw else self._get(address))
        if raw and not reply.headers.get("content-type", "").startswith("text/plain"):
            msg = f"{self.name}: {address}?raw=all does not show raw text."
            raise NotRaw(msg)
        return reply

    def _get(self, address: str, **params: str | int) -> Reply:
        asked = f"{address}?{urlencode(params)}" if params else address
        if not self.client.allowed(asked):
            msg = (
                f"{self.name}: {asked} is not allowed by the wiki's robots.txt; ask those who run "
                f"the wiki, then set robots = false in [sources.{self.name}]."
            )
            raise FetchError(msg)
        return self.client.get(address, params=params or None)

    def _checked(self, reply: Reply) -> Reply:
        """The reply, unless it is one of the wiki's pages about what went wrong."""
        self.now = _clock(reply)
        parts = urlsplit(reply.url)
        if "/oops" in parts.path:
            query = parse_qs(parts.query.replace(";", "&"))
            about = " ".join(query.get("template", []) + query.get("def", []))
            if "accessdenied" in about and "no_such" not in about:
                msg = f"{self.name}: {reply.url} says that our account may not read this."
                raise Denied(msg, 403)
            msg = f"{self.name}: {reply.url} says that there is no such thing."
            raise FetchError(msg, 404)
        if b"detected an internal error" in reply.content[:200]:
            msg = f"{self.name}: {reply.url} tells of an internal error of the wiki."
            raise FetchError(msg, 500)
        return reply


def _clock(reply: Reply) -> datetime:
    try:
        told = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)
