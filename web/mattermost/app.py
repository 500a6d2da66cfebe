"""Where Mattermost reaches us: slash commands, buttons, forms."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from web.bots.door import Take, app_of, body_of
from web.mattermost.hooks import Hooks, Told
from web.services import Services

MAX_BODY = 256 * 1024


def create_app(services: Services, hooks: Hooks, connected: Callable[[], bool]) -> ASGIApp:
    """The application; `connected` says whether the bot hears what happens."""
    doors = {
        "/command": _taking(hooks.command),
        "/action": _taking(hooks.action),
        "/dialog": _taking(hooks.dialog),
    }
    return app_of(services, doors, connected)


def _taking(take: Callable[[bytes], Awaitable[Told]]) -> Take:
    async def taken(request: Request) -> JSONResponse:
        return JSONResponse(await take(await body_of(request, MAX_BODY, "This is too long.")))

    return taken
