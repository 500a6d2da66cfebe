"""The port of a bot: what its program sends, taken or refused; and whether the bot is well."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ingest.access import ANYBODY
from ingest.errors import DocentError
from web.logs import Telemetry
from web.problems import problem
from web.services import Services

log = logging.getLogger(__name__)

Take = Callable[[Request], Awaitable[Response]]


class HookRefused(Exception):
    """Something that was sent to a bot and is not taken. The sentence is for whoever sent it."""

    def __init__(self, status: int, why: str, retry_after_s: int = 0) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(why)


def app_of(services: Services, doors: Mapping[str, Take], well: Callable[[], bool]) -> ASGIApp:
    """The application of a bot: its doors, all of them POST, and for machines `/livez`, `/readyz`.

    `well` says whether the bot can answer, as far as it knows itself.
    """
    routes = [Route(path, _guarded(take), methods=["POST"]) for path, take in doors.items()]
    app = Starlette(routes=[*routes, *_health(services, well)])
    return Telemetry(app, services.metrics, services.tracing)


def _guarded(take: Take) -> Take:
    async def taken(request: Request) -> Response:
        try:
            return await take(request)
        except HookRefused as refused:
            log.info("Something was sent to the bot and refused: %s", refused)
            response = problem(refused.status, str(refused))
            if refused.retry_after_s:
                response.headers["Retry-After"] = str(refused.retry_after_s)
            return response
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)

    return taken


def _health(services: Services, well: Callable[[], bool]) -> tuple[Route, ...]:
    async def alive(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> JSONResponse:
        try:
            await services.assistant.counts(ANYBODY)
            await services.state.users.get("")
            there = well() and not services.streams.closing
        except DocentError:
            there = False
        # Whoever asks may be anybody: nothing is told of what is wrong; the log does.
        status = HTTPStatus.OK if there else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ok" if there else "no"}, status)

    return (Route("/livez", alive), Route("/readyz", ready))


async def body_of(request: Request, most: int, why: str) -> bytes:
    """The body of a request, which may come without a length.

    Raises:
        HookRefused: it has more than `most` bytes, for which `why` is the sentence.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise HookRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
    return bytes(body)
