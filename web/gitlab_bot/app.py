"""Where webhooks arrive: `POST /hook`, and for machines `/livez` and `/readyz`."""

import logging
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ingest.access import ANYBODY
from ingest.errors import DocentError
from web.gitlab_bot.bot import Bot
from web.gitlab_bot.hooks import MAX_BODY, HookRefused, Hooks, too_long
from web.logs import Telemetry
from web.problems import problem
from web.services import Services

BUSY_S = 30

log = logging.getLogger(__name__)


def create_app(services: Services, bot: Bot, hooks: Hooks) -> ASGIApp:
    """The application; `bot` answers in tasks of its own, GitLab waits for none of it."""

    async def hook(request: Request) -> Response:
        try:
            hooks.check(request.headers)
            body = await _body(request)
            _refuse_if_full(services, bot)
            heard = hooks.take(request.headers, body)
        except HookRefused as refused:
            log.info("A webhook was refused: %s", refused)
            response = problem(refused.status, str(refused))
            if refused.retry_after_s:
                response.headers["Retry-After"] = str(refused.retry_after_s)
            return response
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        if heard is None:
            return JSONResponse({"status": "nothing asked"})
        bot.hear(heard)
        return JSONResponse({"status": "heard"}, HTTPStatus.ACCEPTED)

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        try:
            await services.assistant.counts(ANYBODY)
            await services.state.users.get("")
            there = not services.streams.closing and not bot.trouble
        except DocentError:
            there = False
        # Whoever asks may be anybody: nothing is told of what is wrong; the log does.
        status = HTTPStatus.OK if there else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ok" if there else "no"}, status)

    app = Starlette(
        routes=[
            Route("/hook", hook, methods=["POST"]),
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
            raise too_long()
    return bytes(body)


def _refuse_if_full(services: Services, bot: Bot) -> None:
    # Before it is remembered: GitLab may send it again.
    if bot.full or services.streams.closing:
        services.metrics.refused("line")
        raise HookRefused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Docent is stopping or answers too much at once. Send it again in {BUSY_S} s.",
            BUSY_S,
        )
