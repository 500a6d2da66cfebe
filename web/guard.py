"""What every request passes before it reaches a route, and what every response carries.

There is no sign-in yet: whoever reaches the port is answered as the reader of `docent serve --as`.
So a page of another site, open in the same browser, must not reach it. Three ways are closed here:
a foreign name that resolves to this machine (the Host header), a form or script of another site
(Origin, Sec-Fetch-Site, JSON content type), and a page that frames or embeds this one (the headers
of every response).
"""

import re
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.web_settings import is_loopback
from web.problems import describe, problem

MAX_BODY = 64 * 1024

SECURITY_HEADERS = {
    # Trusted Types make every innerHTML-like call of the page an error, now and in later changes.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
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
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
        answer: ASGIApp = _refusal(scope) or self.app
        if answer is self.app and scope["method"] in _WITH_BODY:
            body = await _body(receive)
            if body is None:
                answer = _too_large()
            else:
                receive = _again(body, receive)
        await answer(scope, receive, send)


_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def _refusal(scope: Scope) -> Response | None:
    headers = Headers(scope=scope)
    host = _HOST.fullmatch(headers.get("host", ""))
    if host is None or not is_loopback(host["name"]):
        return problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            "Docent answers only to the names of this machine, such as localhost.",
        )
    if scope["method"] not in _WITH_BODY:
        return None
    own = f"{scope['scheme']}://{headers['host']}"
    if headers.get("origin", own) != own or headers.get("sec-fetch-site", "none") not in (
        "same-origin",
        "none",
    ):
        return problem(HTTPStatus.FORBIDDEN, "Another site's page may not ask Docent.")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json."
        )
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY:
        return _too_large()
    return None


def _too_large() -> Response:
    return problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is larger than 64 kB.")


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None as soon as it is too large (it may come without a length)."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
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
