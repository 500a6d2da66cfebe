"""The server's log: a JSON object a line on standard error, each with the id of its request.

What people ask stays out of it unless `[telemetry] log_questions` is set.
"""

import json
import logging
import re
import secrets
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.metrics import Metrics
from web.tracing import Tracing

REQUEST_ID = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
QUIET = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines: told only when something is wrong."""

request_id: ContextVar[str] = ContextVar("request_id", default="")
access = logging.getLogger("web.access")


class JsonLines(logging.Formatter):
    """A record as one line of JSON: when, how bad, who says it, what, and its own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if told := request_id.get():
            fields["request_id"] = told
        fields |= getattr(record, "fields", {})
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        # ASCII, so that no character of a page can move a terminal's cursor or end the line.
        return json.dumps(fields, default=str)


def set_up(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Handler:
    """Send everything that is logged to `stream` (standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These tell every request of theirs, with addresses that may hold what was asked.
    for chatty in ("httpx", "httpx2", "httpcore", "openai", "sqlalchemy.engine", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    return handler


class Telemetry:
    """ASGI middleware: a request's id, its line in the log, its number and its span."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self.app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        name = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
        token = request_id.set(name)
        began = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = name
                seconds = time.perf_counter() - began
                self._metrics.requested(_method(scope), _route(scope), status, seconds)
            await send(message)

        try:
            with self._tracing.span("request", request_id=name, method=_method(scope)) as span:
                await self.app(scope, receive, noted)
                span.note(route=_route(scope), status=status)
        finally:
            self._tell(scope, status, time.perf_counter() - began)
            request_id.reset(token)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        if scope["path"] in QUIET and status < 500:
            return
        fields = {
            "method": _method(scope),
            "route": _route(scope),
            "status": status,
            "ms": round(1000 * seconds, 1),
        }
        access.info("request", extra={"fields": fields})


def _method(scope: Scope) -> str:
    """The method; one that somebody invented must not make a number of its own."""
    method = str(scope["method"])
    return method if method in METHODS else "other"


def _route(scope: Scope) -> str:
    """The pattern that fitted, such as `/api/v1/documents/{document_id}`: it names no document."""
    return str(getattr(scope.get("route"), "path", "") or "other")
