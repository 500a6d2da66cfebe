"""The base of all test servers: real HTTP on loopback, with faults on demand.

    with TwikiServer() as server:
        server.fault("/bin/view/*", Fault.CUT_BODY, times=1)
        client = client_for(settings_for(server, TwikiSettings, webs=["Main"]))

A server says what it answers in `answer`; everything else is here. Nothing sleeps: a slow answer
drips until the client gives up or `released` is set.
"""

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from enum import Enum, auto
from fnmatch import fnmatchcase
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from ingest.http import Client, Hosts
from ingest.source_settings import WebSettings

LOOPBACK = ("127.0.0.0/8", "::1/128")
RETRY_AFTER_S = 7
INSIDE = "http://169.254.169.254/latest/meta-data/"
SIGN_IN = "https://auth.example.org/auth/realms/lab/protocol/openid-connect/auth?client_id=app"

LOGIN_PAGE = """<!doctype html><html><head><title>Sign in</title></head><body>
<h1>Sign in to continue</h1><form id="kc-form-login" action="/login" method="post">
<input name="username"><input name="password" type="password"><button>Sign In</button></form>
</body></html>"""
CAPTCHA_PAGE = """<!doctype html><html><head><title>One moment</title></head><body>
<p>Please prove that you are human.</p><div class="h-captcha" data-sitekey="x"></div>
</body></html>"""


class Fault(Enum):
    """What can be wrong with an answer."""

    TOO_MANY = auto()
    """429 without a word on when to come back."""
    TOO_MANY_SECONDS = auto()
    """429 with `Retry-After` as seconds (RETRY_AFTER_S)."""
    TOO_MANY_DATE = auto()
    """429 with `Retry-After` as a date, RETRY_AFTER_S from the server's `wall`."""
    SERVER_ERROR = auto()
    """500."""
    UNAVAILABLE = auto()
    """503 with `Retry-After` as seconds."""
    HANG_UP = auto()
    """The connection is closed without an answer."""
    SLOW_HEAD = auto()
    """The head of the answer drips."""
    SLOW_BODY = auto()
    """The body drips."""
    CUT_BODY = auto()
    """The connection is closed in the middle of the body."""
    LONG_BODY = auto()
    """More bytes than Content-Length says."""
    BAD_ENCODING = auto()
    """Content-Encoding says gzip and it is none."""
    REDIRECT_LOOP = auto()
    """302 after 302."""
    REDIRECT_INSIDE = auto()
    """302 to an inner address (INSIDE)."""
    REDIRECT_SIGN_IN = auto()
    """302 to the sign-in of the laboratory (SIGN_IN)."""
    LOGIN_PAGE = auto()
    """A sign-in form with status 200."""
    CAPTCHA = auto()
    """A page that wants proof of a human, with status 200."""
    FORBIDDEN = auto()
    """403."""
    GZIP_BOMB = auto()
    """A small answer that unpacks to four gigabytes."""
    BAD_UTF8 = auto()
    """The right answer with bytes in it that are not UTF-8."""
    CHANGES = auto()
    """The right answer with another ETag and Last-Modified each time."""
    VANISHED = auto()
    """404, although a listing named it."""


REFUSALS = frozenset(
    {
        Fault.TOO_MANY,
        Fault.TOO_MANY_SECONDS,
        Fault.TOO_MANY_DATE,
        Fault.REDIRECT_SIGN_IN,
        Fault.LOGIN_PAGE,
        Fault.CAPTCHA,
        Fault.FORBIDDEN,
    }
)
"""Faults that look like a ban when they come one after the other."""


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    """Decoded, without the query."""
    query: dict[str, str]
    """The last value of each parameter."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    target: str
    """As it came: path and query, encoded."""


@dataclass
class Answer:
    """What the server says. Conditional requests are seen to by the base."""

    content: bytes | str = b""
    status: int = 200
    type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""
    """With its quotes."""
    modified: datetime | None = None
    sized: bool = True
    """False: it ends where the connection does."""

    @property
    def raw(self) -> bytes:
        """The body as bytes."""
        return self.content.encode() if isinstance(self.content, str) else self.content


NOT_FOUND = Answer("<h1>Not Found</h1>", 404)


def json_answer(value: object, status: int = 200, **headers: str) -> Answer:
    """A value as JSON; header names with `_` for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(json.dumps(value, ensure_ascii=False), status, "application/json", named)


class StillClock:
    """A clock that is moved by those who wait for it. Sleeps nothing, notes all of it."""

    def __init__(self, wall: datetime = datetime(2026, 3, 1, tzinfo=UTC)) -> None:
        self.started = wall
        self.passed = 0.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return 1000.0 + self.passed

    def wall(self) -> datetime:
        return self.started + timedelta(seconds=self.passed)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.passed += seconds


@dataclass
class _Due:
    pattern: str
    fault: Fault
    left: int | None
    skip: int


class Server:
    """One system on a free port of loopback. Override `answer`."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.wall = wall
        self.requests: list[Request] = []
        """All that were answered, also by a fault."""
        self.connections = 0
        """Accepted so far."""
        self.released = threading.Event()
        """Set it to let slow answers end."""
        self.before: Callable[[Request], None] = lambda request: None
        """Called before each answer: the place to change the server while it is being read."""
        self._due: list[_Due] = []
        self._changes = 0
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._scheme = "https" if tls else "http"
        self._host = f"[{host}]" if ":" in host else host
        self._server = _listener(self, host, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def answer(self, request: Request) -> Answer:
        """What the system says to this request when nothing is wrong."""
        return NOT_FOUND

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{self._scheme}://{self._host}:{self.port}"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def fault(self, pattern: str, fault: Fault, times: int | None = None, skip: int = 0) -> None:
        """Let answers go wrong whose path, with or without query, matches this glob.

        The first `skip` of them are right, the next `times` (or all) are not.
        """
        with self._lock:
            self._due.append(_Due(pattern, fault, times, skip))

    def mend(self) -> None:
        """No more faults."""
        with self._lock:
            self._due.clear()

    def asked(self, pattern: str = "*") -> int:
        """How many requests there were whose path, with or without query, matches this glob."""
        return sum(_matches(request, pattern) for request in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            _hang_up(connection)
        self._server.server_close()  # joins the threads of the connections

    def _fault_for(self, request: Request) -> Fault | None:
        with self._lock:
            for due in self._due:
                if due.left == 0 or not _matches(request, due.pattern):
                    continue
                if due.skip:
                    due.skip -= 1
                    continue
                if due.left is not None:
                    due.left -= 1
                return due.fault
        return None

    def _respond(self, request: Request) -> tuple[Answer, Fault | None]:
        self.requests.append(request)
        self.before(request)
        if request.path == "/-loop":
            turn = int(request.query["n"]) + 1
            return _redirect(f"/-loop?n={turn % 2}"), None
        fault = self._fault_for(request)
        made = _FAULTS.get(fault) if fault else None
        if made:
            return made(self), fault
        answer = self.answer(request)
        if fault is Fault.CHANGES:
            self._changes += 1
            moved = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self._changes)
            answer = Answer(
                answer.content,
                answer.status,
                answer.type,
                answer.headers,
                f'"changed-{self._changes}"',
                moved,
            )
        if fault is Fault.BAD_UTF8:
            half = len(answer.raw) // 2
            bad = answer.raw[:half] + b"\xff\xfe\x80" + answer.raw[half:]
            answer = Answer(bad, answer.status, answer.type, answer.headers)
        if _is_known(request, answer):
            same = Answer(b"", 304, answer.type, answer.headers, answer.etag, answer.modified)
            # Faults of the body have nothing to spoil.
            return same, fault if fault in (Fault.HANG_UP, Fault.SLOW_HEAD) else None
        return answer, fault


def _matches(request: Request, pattern: str) -> bool:
    return fnmatchcase(request.path, pattern) or fnmatchcase(request.target, pattern)


def _is_known(request: Request, answer: Answer) -> bool:
    if answer.status != 200 or request.method not in ("GET", "HEAD"):
        return False
    if tag := request.headers.get("if-none-match"):
        return bool(answer.etag) and tag in (answer.etag, "*")
    if (since := request.headers.get("if-modified-since")) and answer.modified:
        return answer.modified.replace(microsecond=0) <= parsedate_to_datetime(since)
    return False


def _redirect(place: str) -> Answer:
    return Answer("", 302, headers={"Location": place})


def _busy(status: int, after: str = "") -> Answer:
    return Answer("busy", status, "text/plain", {"Retry-After": after} if after else {})


def _bomb(server: Server) -> Answer:
    return Answer(bomb(), headers={"Content-Encoding": "gzip"})


@cache
def bomb() -> bytes:
    """Four megabytes that unpack to four gigabytes: many members of one file."""
    return gzip.compress(bytes(2**20), 9, mtime=0) * 4096


_FAULTS: Mapping[Fault, Callable[[Server], Answer]] = {
    Fault.TOO_MANY: lambda server: _busy(429),
    Fault.TOO_MANY_SECONDS: lambda server: _busy(429, str(RETRY_AFTER_S)),
    Fault.TOO_MANY_DATE: lambda server: _busy(
        429, format_datetime(server.wall() + timedelta(seconds=RETRY_AFTER_S), usegmt=True)
    ),
    Fault.SERVER_ERROR: lambda server: _busy(500),
    Fault.UNAVAILABLE: lambda server: _busy(503, str(RETRY_AFTER_S)),
    Fault.BAD_ENCODING: lambda server: Answer("plain", headers={"Content-Encoding": "gzip"}),
    Fault.REDIRECT_LOOP: lambda server: _redirect("/-loop?n=0"),
    Fault.REDIRECT_INSIDE: lambda server: _redirect(INSIDE),
    Fault.REDIRECT_SIGN_IN: lambda server: _redirect(SIGN_IN),
    Fault.LOGIN_PAGE: lambda server: Answer(LOGIN_PAGE),
    Fault.CAPTCHA: lambda server: Answer(CAPTCHA_PAGE),
    Fault.FORBIDDEN: lambda server: Answer("<h1>Forbidden</h1>", 403),
    Fault.GZIP_BOMB: _bomb,
    Fault.VANISHED: lambda server: NOT_FOUND,
}
"""Faults that need nothing of the right answer. The rest change it, or how it is sent."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    system: Server
    timeout = 30
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        with self.system._lock:
            self.system.connections += 1
            self.system._open.add(self.connection)

    def finish(self) -> None:
        with self.system._lock:
            self.system._open.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError):  # the client has gone, or was sent away
            self.close_connection = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            unquote(parts.path),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length),
            self.path,
        )
        answer, fault = self.system._respond(request)
        if fault is Fault.HANG_UP:
            self.close_connection = True
            return
        self._send(answer, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        body = b"" if answer.status in (204, 304) else answer.raw
        if fault in (Fault.SLOW_BODY, Fault.CUT_BODY, Fault.LONG_BODY):
            body = body.ljust(64, b"-")  # so that there is a middle
        said = len(body) // 2 if fault is Fault.LONG_BODY else len(body)
        self.send_response(answer.status)
        if fault is Fault.SLOW_HEAD:
            self.flush_headers()
            self._drip(b"X-Slow: " + bytes(1000).replace(b"\0", b"s"))
        for name, value in self._headers(answer, said).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is Fault.CUT_BODY:
            body = body[: len(body) // 2]
            self.close_connection = True
        if fault is Fault.SLOW_BODY and body:
            self._drip(body)
        else:
            self.wfile.write(body)

    def _headers(self, answer: Answer, length: int) -> dict[str, str]:
        headers = {"Content-Type": answer.type, **answer.headers}
        if not answer.sized:
            headers["Connection"] = "close"
        elif answer.status not in (204, 304):
            headers["Content-Length"] = str(length)
        if answer.etag:
            headers["ETag"] = answer.etag
        if answer.modified:
            headers["Last-Modified"] = format_datetime(
                answer.modified.astimezone(UTC).replace(microsecond=0), usegmt=True
            )
        return headers

    def _drip(self, content: bytes) -> None:
        """A byte now and then, and never all of them before `released` is set."""
        for place in range(len(content) - 1):
            self.wfile.write(content[place : place + 1])
            if self.system.released.wait(0.01):
                break
        else:
            self.system.released.wait()
            place = len(content) - 2
        self.wfile.write(content[place + 1 :])
        if content.startswith(b"X-Slow"):
            self.wfile.write(b"\r\n")

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.system.wall().astimezone(UTC), usegmt=True)

    def log_message(self, *args: Any) -> None:
        """Silence."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is what many tests are about."""


def _listener(system: Server, host: str, tls: ssl.SSLContext | None) -> ThreadingHTTPServer:
    kind: type[ThreadingHTTPServer] = _Listener
    if ":" in host:
        kind = type("_Listener6", (_Listener,), {"address_family": socket.AF_INET6})
    server = kind((host, 0), type("Handler", (_Handler,), {"system": system}))
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    return server


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has gone already


SettingsT = TypeVar("SettingsT", bound=WebSettings)


def settings_for(
    server: Server, kind: type[SettingsT], path: str = "", /, **settings: Any
) -> SettingsT:
    """Settings that lead to this server, quick ones unless told otherwise."""
    quick = {"rate": 1000.0, "allow_private": LOOPBACK, "timeout_s": 5.0}
    return kind.model_validate({"url": server.url + path, **quick, **settings})


def client_for(
    settings: WebSettings, clock: StillClock | None = None, source: str = "source"
) -> Client:
    """The real client, with a clock that nobody has to wait for."""
    return Client(source, settings, "tests@docent.example", Hosts(clock or StillClock()))
