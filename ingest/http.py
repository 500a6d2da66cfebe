"""The one outbound HTTP client: every crawl request of every source passes through here."""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from protego import Protego
from requests import RequestException, Response, Session, TooManyRedirects

from ingest.errors import FetchError, SourceTrouble
from ingest.outbound.guard import Origin, shown
from ingest.outbound.pace import Clock, Hosts, SystemClock
from ingest.outbound.transport import Transport, status_line
from ingest.source_settings import WebSettings

__all__ = ["Client", "Clock", "Hosts", "Reply", "SystemClock"]

MAX_REDIRECTS = 5
_ROBOTS_BYTES = 512_000


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, within its limits. `status` is 200 to 299, or 304 with empty content."""

    status: int
    url: str
    """After redirects."""
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    """Decompressed."""
    version: str
    """Give it to the next `get` of the same address: its ETag, else its Last-Modified, else ''."""

    @property
    def text(self) -> str:
        """Decoded by the header's charset, else as UTF-8; bad bytes become U+FFFD."""
        named = re.search(r"charset=[\"']?([\w.:-]+)", self.headers.get("content-type", ""), re.I)
        try:
            return self.content.decode(named[1] if named else "utf-8-sig", errors="replace")
        except (LookupError, UnicodeError):
            return self.content.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """Raises FetchError when it is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            msg = f"{shown(self.url)} answered with something that is not JSON."
            raise FetchError(msg) from None


class _Session(Session):
    """A session with one way out. Its errors are ours, also for the libraries that use it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        super().__init__()
        self.adapters["http://"] = transport  # closed with the session
        self.max_redirects = MAX_REDIRECTS
        self.trust_env = False  # no proxies, no .netrc: what is sent where stands in the settings

    def get_adapter(self, url: str | bytes) -> Transport:
        """The same for every address and scheme, also where a library has mounted its own."""
        return self._transport

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Response:
        """As in the base class, except that it raises FetchError."""
        source, address = self._transport.source, shown(str(url))
        try:
            return super().request(method, url, *args, **kwargs)
        except TooManyRedirects:
            msg = f"{source}: {address} redirects in a circle, or more than {MAX_REDIRECTS} times."
            raise FetchError(msg) from None
        except (RequestException, ValueError) as error:
            msg = f"{source}: {address} cannot be asked for ({type(error).__name__})."
            raise FetchError(msg) from None


class Client:
    """One source's way out. Signs in, waits its turn, tries again, and refuses inner addresses."""

    def __init__(self, source: str, settings: WebSettings, contact: str, hosts: Hosts) -> None:
        self._source, self._settings, self._hosts = source, settings, hosts
        self._transport = Transport(source, settings, contact, hosts)
        self.session: Session = _Session(self._transport)
        """For libraries that want one: the same guard, limits and sign-in."""
        self._robots: dict[Origin, Protego | bool] = {}
        self._robots_lock = threading.Lock()

    @property
    def requests(self) -> int:
        """Made so far: all that went onto a socket, retries and redirects too."""
        return self._transport.spent

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        version: str = "",
    ) -> Reply:
        """Ask for one address, relative to the source's `url` or absolute.

        `"a/b"` lies below the source's url, `"/a/b"` at the top of its host.

        Raises:
            FetchError: no usable answer (`status` says which), also for an address that is refused.
            SourceTrouble: the source has to pause (ban, budget, sign-in).
        """
        asked = {**(headers or {}), **_condition(version)}
        response = self.session.get(self._absolute(url), params=params, headers=asked)
        conditional = any(name.lower().startswith("if-") for name in asked)
        if response.status_code == 304 and conditional:
            return _reply(response)
        return self._usable(response)

    def post(self, url: str, value: object) -> Reply:
        """Send a value as JSON, only ever to the source's own host. Raises as `get` does."""
        return self._usable(self.session.post(self._absolute(url), json=value))

    def _usable(self, response: Response) -> Reply:
        status = response.status_code
        if 200 <= status < 300:
            return _reply(response)
        doubts = self._transport.sign_in.doubts() if status in (401, 403) else ""
        what = f"{self._source}: {shown(response.url)} answered {status_line(response)}."
        raise FetchError(f"{what} {doubts}".rstrip(), status)

    def allowed(self, url: str) -> bool:
        """What robots.txt says, which is asked once a host; always True with `robots = false`.

        Raises:
            FetchError: the address is refused. SourceTrouble: robots.txt cannot be had.
        """
        if not self._settings.robots:
            return True
        address = self._absolute(url)
        origin = self._transport.guard.check(address)
        with self._robots_lock:
            if origin not in self._robots:
                self._robots[origin] = self._ask_robots(origin, address)
            rules = self._robots[origin]
        return rules if isinstance(rules, bool) else bool(rules.can_fetch(address, "Docent"))

    def close(self) -> None:
        """Close the connections that are kept."""
        self.session.close()

    def _absolute(self, url: str) -> str:
        base = str(self._settings.url)
        self._transport.guard.check_characters(url)
        try:
            return urljoin(base.rstrip("/") + "/", url) if url else base
        except ValueError:
            msg = f"{self._source}: {shown(url)} is refused: it cannot be read."
            raise FetchError(msg) from None

    def _ask_robots(self, origin: Origin, address: str) -> Protego | bool:
        parts = urlsplit(address)
        try:
            reply = self.get(f"{parts.scheme}://{parts.netloc}/robots.txt")
        except FetchError as error:
            if error.status in (401, 403):
                return False
            if 400 <= error.status < 500 and error.status != 429:
                return True
            msg = f"{error} Without its robots.txt nothing is read; the source pauses."
            raise SourceTrouble(msg) from None
        rules = Protego.parse(reply.content[:_ROBOTS_BYTES].decode("utf-8", errors="replace"))
        delay = rules.crawl_delay("Docent")
        if delay:
            self._slow_down(origin, float(delay))
        return rules

    def _slow_down(self, origin: Origin, delay: float) -> None:
        longest = self._settings.max_wait_s
        if delay > longest:
            msg = (
                f"{self._source}: robots.txt of {origin.host} asks for {delay:g} s between "
                f"requests, more than max_wait_s = {longest:g} allows; the source pauses."
            )
            raise SourceTrouble(msg)
        self._hosts.slow(origin.host, delay)


def _condition(version: str) -> dict[str, str]:
    """The header that asks only for what is newer than a `Reply.version`."""
    kind, _, value = version.partition(":")
    if kind == "etag":
        return {"If-None-Match": value}
    if kind == "date":
        return {"If-Modified-Since": value}
    return {}


def _reply(response: Response) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    content = b"" if response.status_code == 304 else response.content
    version = ""
    if etag := headers.get("etag"):
        version = f"etag:{etag}"
    elif date := headers.get("last-modified"):
        version = f"date:{date}"
    return Reply(response.status_code, response.url, headers, content, version)
