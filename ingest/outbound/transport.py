"""What holds for every request of a source, as a transport adapter for `requests`.

Guard, sign-in, pace, budget, retries, limits, recognised walls: libraries that are handed
`Client.session` get all of it, because nothing leaves the session but through here.
"""

import threading
from collections.abc import Mapping
from datetime import timedelta
from http.client import responses
from importlib.metadata import version as installed
from ssl import SSLCertVerificationError
from typing import Any
from urllib.parse import urljoin

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as LateError

from ingest.errors import FetchError, SettingsError, SourceTrouble
from ingest.outbound.body import Damaged, TooLarge, check_size, unpacked
from ingest.outbound.guard import Guard, Origin, left_over, pool_classes, shown, tls_context
from ingest.outbound.pace import Hosts, backoff, retry_after
from ingest.outbound.signin import sign_in_from
from ingest.outbound.walls import Wall, is_sign_in_address, wall_in
from ingest.source_settings import WebSettings

_RETRIED = frozenset({429, 500, 502, 503, 504})
_REFUSED = frozenset({401, 403, 429})
_WALLED = frozenset({401, 403, 429, 503})
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
        self._origin = self._home()
        self._lock = threading.Lock()
        self._refusals = 0
        self._paused = ""
        wall = hosts.clock.wall
        self.sign_in = sign_in_from(
            source, settings.auth, str(settings.url), self._token, lambda: wall().timestamp()
        )
        super().__init__()

    def _home(self) -> Origin:
        try:
            return self.guard.check(str(self.settings.url))
        except FetchError as error:
            msg = f"[sources.{self.source}] url: {error}"
            raise SettingsError(msg) from None

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
        self._stop_if_paused()
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
        """Refuse a redirect to a sign-in or to nonsense; where it leads is checked when asked."""
        try:
            place = response.headers["location"].encode("latin-1").decode()
            self.guard.check_characters(place)
            target = urljoin(response.url, place)
        except ValueError:
            msg = f"{self.source}: {shown(response.url)} redirects to no readable address."
            raise FetchError(msg) from None
        if is_sign_in_address(response.url, target):
            self._refused(response.url, "redirects to the sign-in page")
            how = f"redirects to a sign-in page ({shown(target)})"
            raise self._in_front(Wall.SIGN_IN, response.url, how)

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
                if attempt > self._retries(request, status):
                    how = f"answered {status_line(response)}{_after(attempt)}"
                    msg = f"{self.source}: {url} {how}."
                    raise FetchError(msg, status)
            self.hosts.hold(origin.host, wait)

    def _retries(self, request: requests.PreparedRequest, status: int = 0) -> int:
        """What was not even looked at may be asked again, all else only where it does no harm."""
        harmless = request.method in ("GET", "HEAD", "OPTIONS") or status in (429, 503)
        return self.settings.retries if harmless else 0

    def _asked_to_wait(self, response: requests.Response, url: str, default: float) -> float:
        """What Retry-After says, in seconds; too long a time pauses the source."""
        now = self.hosts.clock.wall()
        wait = retry_after(response.headers.get("Retry-After", ""), now)
        if wait is None:
            return min(default, self.settings.max_wait_s)
        if wait > self.settings.max_wait_s:
            when = now + timedelta(seconds=min(wait, 1e8))
            self._pause(
                f"{self.source}: {url} answered {status_line(response)} and asks not to come back "
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
        except NewConnectionError as error:  # before the next, of which it is a kind
            self._spend(-1)
            raise self._passing(url, f"no connection ({_cause(error)})") from None
        except ConnectTimeoutError:
            self._spend(-1)
            raise self._late(url) from None
        except SSLError as error:
            self._spend(-1)
            how = f"no trusted connection ({_cause(error)})"
            if isinstance(error.args[0], SSLCertVerificationError):  # nor will there be one later
                msg = f"{self.source}: {shown(url)}: {how}."
                raise FetchError(msg) from None
            raise self._passing(url, how) from None
        except LateError:
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
            check_size(raw.length_remaining or 0, limit)  # as announced: nothing is read then
            for piece in raw.stream(65536, decode_content=False):
                content += piece
                check_size(len(content), limit)
            if left_over(raw):
                raise self._passing(url, "the answer is longer than its Content-Length")
            return unpacked(bytes(content), raw.headers.get("Content-Encoding", ""), limit)
        except TooLarge:
            msg = f"{self.source}: {shown(url)} has more than max_bytes = {limit:,} bytes."
            raise FetchError(msg) from None
        except Damaged as error:
            raise self._passing(url, f"the answer is damaged: {error}") from None
        except LateError:
            raise self._late(url) from None
        except HTTPError:
            raise self._passing(url, "the answer was cut off") from None

    def _stop_if_paused(self) -> None:
        if self._paused:
            raise SourceTrouble(self._paused)

    def _spend(self, count: int = 1) -> None:
        with self._lock:
            if count > 0:
                self._stop_if_paused()
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
        wall = None
        if 200 <= status < 300 or status in _WALLED:  # elsewhere a form is only a page's corner
            wall = wall_in(response.headers, response.content)
        if wall:
            self._refused(url, wall.label)
            raise self._in_front(wall, url, f"answered with {wall.label}")
        if status in _REFUSED:
            self._refused(url, status_line(response))
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

    def _in_front(self, wall: Wall, url: str, how: str) -> FetchError:
        doubts = self.sign_in.doubts()
        return FetchError(f"{self.source}: {shown(url)} {how}. {doubts}".rstrip(), wall.status)

    def _pause(self, reason: str) -> None:
        with self._lock:
            self._paused = self._paused or reason.rstrip()
        raise SourceTrouble(self._paused)

    def _token(self, url: str, form: Mapping[str, str]) -> bytes:
        """Where a client-credentials sign-in gets its token: guarded and counted as all else."""
        request = requests.Request("POST", url, data=dict(form)).prepare()
        try:
            origin = self.guard.check(url)
            response = self._try(self._dressed(request, own=False), origin)
        except FetchError as error:
            msg = f"{self.source}: not signed in: {error}"
            raise SourceTrouble(msg) from None
        if response.status_code != 200:
            answered = f"{shown(url)} answered {status_line(response)}"
            msg = (
                f"{self.source}: not signed in: {answered}; check client_id, audience, scope and "
                "the secret."
            )
            raise SourceTrouble(msg)
        return response.content


def status_line(response: requests.Response) -> str:
    """The number and its usual name: what the server calls it goes into no message."""
    status = response.status_code
    return f"{status} {responses.get(status, '')}".rstrip()


def _after(attempts: int) -> str:
    return f", also after {attempts} tries" if attempts > 1 else ""


def _cause(error: BaseException) -> str:
    """What the system or OpenSSL said, without the address that urllib3 puts before it."""
    inner = error.__cause__ or error
    inner = inner.args[0] if inner.args and isinstance(inner.args[0], Exception) else inner
    said = getattr(inner, "verify_message", "") or getattr(inner, "strerror", "") or str(inner)
    return str(said)[:200]
