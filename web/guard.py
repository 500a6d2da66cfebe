"""What every request passes before it reaches a route, and what every response carries.

Without a sign-in whoever reaches the port is answered, and with one the browser sends its cookie by
itself. So a page of another site, open in the same browser, must not reach us. Three ways are
closed here: a foreign name that resolves to this machine (the Host header), a form or script of
another site (Origin, Sec-Fetch-Site, JSON content type), and a page that frames or embeds this one
(the headers of every response). Nothing that a proxy adds is read here: the address that people use
is a setting.
"""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.web_settings import is_loopback
from web.problems import describe, problem

MAX_BODY = 64 * 1024
MAX_BODY_V1 = 1024 * 1024
"""Clients of the OpenAI-compatible API send the whole conversation, or many texts to embed."""

FORM_PATHS = frozenset({"/auth/backchannel"})
"""What the sign-in server itself posts to: a signed token in a form, and no cookie."""
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

PROBES = frozenset({"/livez", "/readyz"})
"""They say yes or no and nothing else: Kubernetes asks them by the address of the pod."""
NUMBERS = "/metrics"
"""Prometheus asks each of several servers by its address, with a token: no page of another site can
send one along."""

SECURITY_HEADERS = {
    # Trusted Types make every innerHTML-like call of the page an error, now and in later changes.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A document's id in the address is nobody else's business.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]/@\s]+)(:[0-9]{1,5})?", re.ASCII)


class Guard:
    """ASGI middleware around the whole application.

    `public_url` is the address that people use beside the names of this machine. `signed_in` says
    that callers are known by cookie or token: then a token, which no browser adds by itself, frees
    a request from the question which page it is of.
    """

    def __init__(self, app: ASGIApp, public_url: str = "", *, signed_in: bool = False) -> None:
        self.app = app
        self._origin = public_url
        self._name = urlsplit(public_url).hostname or ""
        self._signed_in = signed_in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._pass(scope, receive, send_guarded)
        except Exception as error:
            if started:
                raise
            await problem(*describe(error))(scope, receive, send_guarded)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = self._refusal(scope) or self.app
        if answer is self.app and scope["method"] in _WITH_BODY:
            most = _most(scope)
            body = await _body(receive, most)
            if body is None:
                answer = _too_large(most)
            else:
                receive = _again(body, receive)
        await answer(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in PROBES and scope["method"] not in _WITH_BODY:
            return None
        headers = Headers(scope=scope)
        reads = scope["method"] not in _WITH_BODY
        if scope["path"] == NUMBERS and reads and self._signed_in and "authorization" in headers:
            return None
        host = _HOST.fullmatch(headers.get("host", ""))
        if host is None or not self._is_ours(host["name"]):
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "Docent answers only to the names of this machine, such as localhost, and to that "
                "of its public_url.",
            )
        if reads:
            return None
        form = scope["path"] in FORM_PATHS
        if not form and self._is_of_another_site(scope, headers, host["name"]):
            return problem(HTTPStatus.FORBIDDEN, "Another site's page may not ask Docent.")
        wanted = FORM if form else JSON
        if _has_body(headers) and _media_type(headers) != wanted:
            kind = "a form" if form else "JSON"
            return problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {kind}, with Content-Type: {wanted}."
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > _most(scope):
            return _too_large(_most(scope))
        return None

    def _is_ours(self, name: str) -> bool:
        return is_loopback(name) or (bool(self._name) and name.lower() == self._name)

    def _is_of_another_site(self, scope: Scope, headers: Headers, name: str) -> bool:
        if self._signed_in and "authorization" in headers:
            return False
        own = {self._origin} if self._origin else set()
        if is_loopback(name):
            own.add(f"{scope['scheme']}://{headers['host']}")
        origin = headers.get("origin")
        return (origin is not None and origin not in own) or (
            headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        )


_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def _has_body(headers: Headers) -> bool:
    return "content-type" in headers or (
        headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    )


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _most(scope: Scope) -> int:
    """The largest body that this address takes, in bytes."""
    return MAX_BODY_V1 if scope["path"].startswith("/v1/") else MAX_BODY


def _too_large(most: int) -> Response:
    return problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {most // 1024} kB."
    )


async def _body(receive: Receive, most: int) -> bytes | None:
    """The whole body, or None as soon as it is too large (it may come without a length)."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then goes on listening for the client to leave."""
    unread = True

    async def receive_again() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_again
