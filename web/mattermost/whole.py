"""The bot put together of its parts."""

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from time import monotonic

from starlette.types import ASGIApp

from web.mattermost.app import create_app
from web.mattermost.audience import Audience, Rules
from web.mattermost.bot import Bot
from web.mattermost.desk import Desk
from web.mattermost.feedback import Judge
from web.mattermost.hooks import Hooks
from web.mattermost.listening import Listening
from web.mattermost.nouns import Account
from web.mattermost.server import Pause, Server
from web.services import Services


@dataclass(frozen=True, slots=True)
class Whole:
    """All that runs of one bot."""

    desk: Desk
    listening: Listening
    bot: Bot
    hooks: Hooks
    app: ASGIApp
    """What answers on the bot's own port."""

    @property
    def idle(self) -> bool:
        """Whether nothing is being looked at or worked on."""
        return self.bot.idle and self.hooks.idle

    async def close(self, within_s: float) -> None:
        """End every answer. Services are closed before."""
        await self.bot.close(within_s)
        await self.hooks.close(within_s)


def whole(
    services: Services,
    server: Server,
    me: Account,
    callback_url: str,
    command_token: str,
    pause: Pause = asyncio.sleep,
) -> Whole:
    """The bot whose account is `me`, reached at `callback_url`; it does nothing yet."""
    settings = services.settings.mattermost
    rules = Rules(
        timedelta(days=services.settings.signin.token_days),
        settings.members_s,
        settings.trust_email,
    )
    audience = Audience(server, services.state, me, rules, monotonic)
    seal = _sealing(server.token)
    desk = Desk(services, server, audience, me, settings, callback_url, seal, pause)
    listening = Listening(settings.url, server.token, server.tls, pause)
    hooks = Hooks(desk, Judge(desk), command_token)
    app = create_app(services, hooks, lambda: listening.connected)
    return Whole(desk, listening, Bot(desk, listening), hooks, app)


def _sealing(token: str) -> Callable[[str], str]:
    """Signs with a key that comes of the token: who revokes that ends the buttons too."""
    key = sha256(f"docent bot {token}".encode()).digest()
    return lambda text: hmac.new(key, text.encode(), sha256).hexdigest()
