"""Where webhooks arrive: `POST /hook`."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from web.bots.door import HookRefused, app_of, body_of
from web.gitlab_bot.bot import Bot
from web.gitlab_bot.hooks import MAX_BODY, TOO_LONG, Hooks
from web.services import Services

BUSY_S = 30


def create_app(services: Services, bot: Bot, hooks: Hooks) -> ASGIApp:
    """The application; `bot` answers in tasks of its own, GitLab waits for none of it."""

    async def hook(request: Request) -> JSONResponse:
        hooks.check(request.headers)
        body = await body_of(request, MAX_BODY, TOO_LONG)
        _refuse_if_full(services, bot)
        heard = hooks.take(request.headers, body)
        if heard is None:
            return JSONResponse({"status": "nothing asked"})
        await bot.take(heard)
        return JSONResponse({"status": "heard"}, HTTPStatus.ACCEPTED)

    return app_of(services, {"/hook": hook}, lambda: not bot.trouble)


def _refuse_if_full(services: Services, bot: Bot) -> None:
    # Before it is remembered: GitLab may send it again.
    if bot.full or services.streams.closing:
        services.metrics.refused("line")
        raise HookRefused(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Docent is stopping or answers too much at once. Send it again in {BUSY_S} s.",
            BUSY_S,
        )
