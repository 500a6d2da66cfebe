"""Where Mattermost reaches us: slash commands, buttons, forms; and whether we are well."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ingest.access import ANYBODY
from ingest.errors import DocentError
from web.logs import Telemetry
from web.mattermost.hooks import HookRefused, Hooks, Told
from web.problems import problem
from web.services import Services

MAX_BODY = 256 * 1024

log = logging.getLogger(__name__)


def create_app(services: Services, hooks: Hooks, connected: Callable[[], bool]) -> ASGIApp:
    """The application; `connected` says whether the bot hears what happens."""

    def taking(take: Callable[[bytes], Awaitable[Told]]) -> Callable[..., Awaitable[Response]]:
        async def taken(request: Request) -> Response:
            try:
                return JSONResponse(await take(await _body(request)))
            except HookRefused as refused:
                log.info("Something was sent to the bot and refused: %s", refused)
                return problem(refused.status, str(refused))
            except ClientDisconnect:
                return Response(status_code=HTTPStatus.BAD_REQUEST)

        return taken

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        try:
            await services.assistant.counts(ANYBODY)
            await services.state.users.get("")
            there = connected() and not services.streams.closing
        except DocentError:
            there = False
        # Whoever asks may be anybody: nothing is told of what is wrong; the log does.
        status = HTTPStatus.OK if there else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ok" if there else "no"}, status)

    app = Starlette(
        routes=[
            Route("/command", taking(hooks.command), methods=["POST"]),
            Route("/action", taking(hooks.action), methods=["POST"]),
            Route("/dialog", taking(hooks.dialog), methods=["POST"]),
            Route("/livez", alive),
            Route("/readyz", ready),
        ]
    )
    return Telemetry(app, services.metrics, services.tracing)


async def _body(request: Request) -> bytes:
    """The body, which may come without a length.

    Raises:
        HookRefused: it is too long.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            raise HookRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "This is too long.")
    return bytes(body)
