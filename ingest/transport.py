"""What holds for every request of a source, as a transport adapter for `requests`.

Guard, sign-in, pace, budget, retries, limits, recognised walls: libraries that are handed
`Client.session` get all of it, because nothing leaves the session but through here.
"""

import ssl
import threading
import zlib
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    SSLError,
)
from urllib3.exceptions import (
    TimeoutError as TimeoutError_,
)

from ingest.errors import FetchError, SettingsError, SourceTrouble
from ingest.guard import Guard, Origin, left_over, pool_classes, shown
from ingest.pace import Hosts, backoff, retry_after
from ingest.signin import is_sign_in_address, sign_in_from, wall_in
from ingest.source_settings import WebSettings

MAX_PACKED = 3
_GZIP = 16 + zlib.MAX_WBITS
_RETRIED = frozenset({429, 500, 502, 503, 504})
_REFUSED = frozenset({401, 403, 429})
_FOR_ANYBODY = frozenset(
    {
        "accept",
        "accept-language",
        "content-length",
        "content-type",
        "if-modified-since",
        "if-none-match",
        "range",
    }
)
"""Headers that other origins than the source's own get to see."""


class _Passing(FetchError):
    """No usable answer now, but the next try may get one."""

    tries = 1000


class _TimedOut(_Passing):
    """Tried once more and not oftener: each try takes as long as an answer may."""

    tries = 2


class Transport(HTTPAdapter):
    """Sends requests the way this source may: everything that must always hold is here."""

    def __init__(self, source: str, settings: WebSettings, contact: str, hosts: Hosts) -> None:
        if not (contact.isascii() and contact.isprintable()):
            msg = f"[ingest] contact {contact!r} must be printable ASCII: it goes into a header."
            raise SettingsError(msg)
        self.source, self.settings, self.hosts = source, settings, hosts
        self.guard = Guard(source, settings.allow_private, hosts.resolver)
        self.spent = 0
        self._agent = f"Docent/{installed('docent')} (+{contact})"
        self._origin = self.guard.check(str(settings.url))
        self._lock = threading.Lock()
        self._refusals = 0
        self._paused = ""
        wall = hosts.clock.wall
        self.sign_in = sign_in_from(
            source, settings.auth, str(settings.url), self._token, lambda: wall().timestamp()
        )
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Pools of guarded connections, whatever is asked for."""
        context = tls_context(self.source, self.settings.ca_file)
        self.poolmanager = urllib3.PoolManager(
            maxsize=self.settings.connections, ssl_context=context
        )
        self.poolmanager.pool_classes_by_scheme = pool_classes(self.guard)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """The whole answer. A library's own time-outs, proxies and certificates are not heeded."""
        origin = self.guard.check(request.url or "")
        own = origin == self._origin
        if not own and request.method not in ("GET", "HEAD"):
            msg = f"{self.source}: nothing is sent to {origin.host}, which is not the source's own."
            raise FetchError(msg)
        response = self._try(self._dressed(request, own), origin)
        if response.status_code == 401 and own and self.sign_in.refresh():
            response = self._try(self._dressed(request, own), origin)
        if response.is_redirect:
            self._look_ahead(response)
        return response

    def _dressed(self, request: requests.PreparedRequest, own: bool) -> requests.PreparedRequest:
        dressed = request.copy()
        for name in list(dressed.headers):
            if not own and name.lower() not in _FOR_ANYBODY:
                del dressed.headers[name]
        if own:
            self.sign_in.dress(dressed.headers, request.path_url)
        dressed.headers["User-Agent"] = self._agent
        dressed.headers["Accept-Encoding"] = "gzip, deflate"
        return dressed

    def _look_ahead(self, response: requests.Response) -> None:
        """Refuse a redirect before anything follows it."""
        try:
            place = response.headers["location"].encode("latin-1").decode()
            target = urljoin(response.url, place)
        except ValueError:
            msg = f"{self.source}: {shown(response.url)} redirects to no readable address."
            raise FetchError(msg) from None
        if is_sign_in_address(response.url, target):
            self._refused(response.url, "a redirect to the sign-in page")
            raise self._wall(response.url, f"redirects to a sign-in page ({shown(target)})", 401)
        self.guard.check(target)

    def _try(self, request: requests.PreparedRequest, origin: Origin) -> requests.Response:
        """Ask until there is an answer, the tries are used up, or the source has to pause."""
        url = shown(request.url or "")
        attempt = 0
        while True:
            attempt += 1
            wait = backoff(attempt)
            try:
                response = self._ask(request, origin)
            except _Passing as trouble:
                if attempt >= trouble.tries or attempt > self._retries(request):
                    msg = f"{trouble}{_after(attempt)}."
                    raise FetchError(msg, trouble.status) from None
            else:
                status = response.status_code
                if status not in _RETRIED:
                    return response
                wait = self._asked_to_wait(response, url, default=wait)
                if attempt > (
                    self.settings.retries if status in (429, 503) else self._retries(request)
                ):
                    msg = f"{self.source}: {url} answered {_status(response)}{_after(attempt)}."
                    raise FetchError(msg, status)
            self.hosts.hold(origin.host, wait)

    def _retries(self, request: requests.PreparedRequest) -> int:
        return self.settings.retries if request.method in ("GET", "HEAD", "OPTIONS") else 0

    def _asked_to_wait(self, response: requests.Response, url: str, default: float) -> float:
        """What Retry-After says, in seconds; too long a time pauses the source."""
        now = self.hosts.clock.wall()
        wait = retry_after(response.headers.get("Retry-After", ""), now)
        if wait is None:
            return min(default, self.settings.max_wait_s)
        if wait > self.settings.max_wait_s:
            when = now + timedelta(seconds=min(wait, 1e8))
            self._pause(
                f"{self.source}: {url} answered {_status(response)} and asks not to come back "
                f"before {when:%Y-%m-%d %H:%M} UTC; the source pauses until the next run."
            )
        return wait

    def _ask(self, request: requests.PreparedRequest, origin: Origin) -> requests.Response:
        with self.hosts.turn(origin.host, self.settings.rate, self.settings.connections):
            self._spend()
            raw = self._answer(request)
            try:
                content = self._body(raw, request)
            except BaseException:
                raw.close()
                raise
        response = self.build_response(request, raw)
        response._content = content
        response._content_consumed = True  # type: ignore[attr-defined]  # as if streamed to the end
        self._judge(response)
        return response

    def _answer(self, request: requests.PreparedRequest) -> urllib3.BaseHTTPResponse:
        url = request.url or ""
        try:
            answer: urllib3.BaseHTTPResponse = self.poolmanager.connection_from_url(url).urlopen(
                request.method or "GET",
                request.path_url,
                body=request.body,
                headers=dict(request.headers),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(total=self.settings.timeout_s),
            )
        except FetchError:
            self._spend(-1)
            raise
        except ConnectTimeoutError:
            self._spend(-1)
            raise self._late(url) from None
        except NewConnectionError:
            self._spend(-1)
            raise self._passing(url, "no connection") from None
        except SSLError as error:
            self._spend(-1)
            msg = f"{self.source}: {shown(url)}: no trusted connection: {_cause(error)}."
            raise FetchError(msg) from None
        except TimeoutError_:
            raise self._late(url) from None
        except HTTPError:
            raise self._passing(url, "the connection broke") from None
        except ValueError:
            msg = f"{self.source}: {shown(url)} cannot be asked for."
            raise FetchError(msg) from None
        return answer

    def _passing(self, url: str, what: str) -> _Passing:
        return _Passing(f"{self.source}: {shown(url)}: {what}")

    def _late(self, url: str) -> _TimedOut:
        limit = f"{self.settings.timeout_s:g} s (timeout_s)"
        return _TimedOut(f"{self.source}: {shown(url)} gave no whole answer within {limit}")

    def _body(self, raw: urllib3.BaseHTTPResponse, request: requests.PreparedRequest) -> bytes:
        url, limit = request.url or "", self.settings.max_bytes
        content = bytearray()
        try:
            for piece in raw.stream(65536, decode_content=False):
                content += piece
                _check_size(content, limit)
            if left_over(raw):
                raise self._passing(url, "the answer is longer than its Content-Length")
            return unpacked(bytes(content), raw.headers.get("Content-Encoding", ""), limit)
        except _TooLarge:
            msg = f"{self.source}: {shown(url)} has more than max_bytes = {limit:,} bytes."
            raise FetchError(msg) from None
        except _Damaged as error:
            raise self._passing(url, f"the answer is damaged: {error}") from None
        except TimeoutError_:
            raise self._late(url) from None
        except HTTPError:
            raise self._passing(url, "the answer was cut off") from None

    def _spend(self, count: int = 1) -> None:
        with self._lock:
            if self._paused:
                raise SourceTrouble(self._paused)
            spent_up = count > 0 and self.spent >= self.settings.requests
            if not spent_up:
                self.spent += count
        if spent_up:
            self._pause(
                f"{self.source}: the budget of {self.settings.requests:,} requests a run is used "
                f"up; the next run goes on. Raise [sources.{self.source}] requests to read more."
            )

    def _judge(self, response: requests.Response) -> None:
        """Count refusals in a row, and tell walls from pages."""
        status, url = response.status_code, response.url
        wall = wall_in(response.headers.get("Content-Type", ""), response.content)
        if wall:
            self._refused(url, wall.label)
            raise self._wall(url, f"answered with {wall.label}", wall.status)
        if status in _REFUSED:
            self._refused(url, _status(response))
        elif status < 300 or status == 304 or 400 <= status < 500:
            with self._lock:
                self._refusals = 0

    def _refused(self, url: str, how: str) -> None:
        with self._lock:
            self._refusals += 1
            banned = self._refusals >= self.settings.ban_after
        if banned:
            self._pause(
                f"{self.source}: {self.settings.ban_after} refusals one after the other, the last "
                f"at {shown(url)} ({how}): this looks like a ban or a lost sign-in. The source "
                f"pauses until the next run; check its rights and its rate. {self.sign_in.doubts()}"
            )

    def _wall(self, url: str, how: str, status: int) -> FetchError:
        doubts = self.sign_in.doubts()
        return FetchError(f"{self.source}: {shown(url)} {how}. {doubts}".rstrip(), status)

    def _pause(self, reason: str) -> None:
        with self._lock:
            self._paused = self._paused or reason.rstrip()
        raise SourceTrouble(self._paused)

    def _token(self, url: str, form: Mapping[str, str]) -> bytes:
        """Where a client-credentials sign-in gets its token: guarded and counted as all else."""
        origin = self.guard.check(url)
        request = requests.Request("POST", url, data=dict(form)).prepare()
        try:
            response = self._try(self._dressed(request, own=False), origin)
        except FetchError as error:
            msg = f"{self.source}: not signed in: {error}"
            raise SourceTrouble(msg) from None
        if response.status_code != 200:
            msg = (
                f"{self.source}: not signed in: {shown(url)} answered {_status(response)}; check "
                "client_id, audience, scope and the secret."
            )
            raise SourceTrouble(msg)
        return response.content


class _TooLarge(Exception):
    """More bytes than are allowed."""


class _Damaged(Exception):
    """Not the bytes that the head of the answer promised; says how."""


def _check_size(content: bytes | bytearray, limit: int) -> None:
    if len(content) > limit:
        raise _TooLarge


def unpacked(data: bytes, codings: str, limit: int) -> bytes:
    """Undo the Content-Encoding, giving up as soon as there is more than the limit."""
    names = [name.strip().lower() for name in codings.split(",") if name.strip()]
    if len(names) > MAX_PACKED:
        msg = f"it is packed {len(names)} times"
        raise _Damaged(msg)
    for name in reversed(names):
        if name in ("gzip", "x-gzip"):
            data = _inflated(data, _GZIP, limit)
        elif name == "deflate":
            try:
                data = _inflated(data, zlib.MAX_WBITS, limit)
            except _Damaged:  # some servers leave the wrapping out
                data = _inflated(data, -zlib.MAX_WBITS, limit)
        elif name != "identity":
            msg = f"it is packed as {name[:40]!r}, which was not asked for"
            raise _Damaged(msg)
    return data


def _inflated(data: bytes, wbits: int, limit: int) -> bytes:
    out = bytearray()
    while data:
        unpacker = zlib.decompressobj(wbits)
        try:
            out += unpacker.decompress(data, limit - len(out) + 1)
        except zlib.error:
            msg = "it cannot be unpacked"
            raise _Damaged(msg) from None
        _check_size(out, limit)
        if not unpacker.eof:
            msg = "its packed content is cut off"
            raise _Damaged(msg)
        rest = unpacker.unused_data
        data = rest if wbits == _GZIP and rest.startswith(b"\x1f\x8b") else b""
    return bytes(out)


@lru_cache
def tls_context(source: str, ca_file: Path | None) -> ssl.SSLContext:
    """Trust in the machine's authorities, those that `requests` brings, and one's own."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            why = error.strerror or "it holds no certificate"
            msg = f"[sources.{source}] ca_file {ca_file} cannot be used: {why}."
            raise SettingsError(msg) from None
    return context


def _status(response: requests.Response) -> str:
    return f"{response.status_code} {response.reason or ''}".rstrip()


def _after(attempts: int) -> str:
    return f", also after {attempts} tries" if attempts > 1 else ""


def _cause(error: BaseException) -> str:
    """What OpenSSL said, without the address that urllib3 puts before it."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, "verify_message", "") or getattr(inner, "reason", "") or inner)[:200]
