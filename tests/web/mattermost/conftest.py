"""The bot as `docent bot` composes it, against a Mattermost on a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest.client_settings import MattermostSettings
from ingest.settings import Settings
from tests.servers.chat import COMMAND_TOKEN, TOKEN, Chat
from tests.web.fake import FakeAssistant
from web.bootstrap import opened
from web.bots.start import address_of
from web.cli import Server as Uvicorn
from web.cli import listen
from web.mattermost import SERVICE
from web.mattermost.desk import Desk
from web.mattermost.server import Server
from web.mattermost.whole import Whole, whole
from web.services import Services

PATIENCE_S = 300
"""Only what never comes takes so long, also where many tests share a machine."""


@dataclass
class Door:
    """People sign in, and nobody through this door."""

    sign_in_url: str = "/auth/login"

    async def caller(self, request: Any) -> None:
        return None


@dataclass
class Waiter:
    """Waits no longer than a moment, and notes how long it was asked to."""

    waits: list[float] = field(default_factory=list)
    real: bool = False
    told: Callable[[float], object] = lambda seconds: None
    go_on: asyncio.Event | None = None
    """What waits of a second and more wait for, where a test says when they are over."""

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.told(seconds)
        if self.go_on and seconds >= 1:
            await self.go_on.wait()
        await asyncio.sleep(seconds if self.real else 0.001)


@dataclass
class World:
    """A Mattermost, the bot on it, and what stands behind the bot."""

    chat: Chat
    services: Services
    made: Whole
    assistant: FakeAssistant
    waiter: Waiter
    door: str
    """Where the bot takes slash commands."""

    @property
    def desk(self) -> Desk:
        return self.made.desk

    async def person(self, name: str, *groups: str, linked: bool = True, **other: Any) -> str:
        """Somebody of the chat; with groups, if he is linked with an account that has them."""
        user = self.chat.user(name, **other)
        if linked:
            account = await self.services.state.users.sign_in(
                "https://id.example", name, name=name, email="", groups=groups, role="reader"
            )
            await self.services.state.links.put(account.id, SERVICE, user, f"@{name}")
        return user

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                await asyncio.sleep(0.002)

    async def answered(self, *questions: str) -> None:
        """Wait until each has a complete reply."""
        await self.until(lambda: all(self.chat.done(one) for one in questions))

    async def quiet(self) -> None:
        """Wait until the bot has heard of all that has happened, and is done with it."""
        await self.until(lambda: self.chat.heard(self.made.listening._next) and self.made.idle)


@contextlib.asynccontextmanager
async def bot_on(
    chat: Chat, settings: Settings, assistant: FakeAssistant, **chosen: Any
) -> AsyncIterator[World]:
    """A running bot; `chosen` are settings of [mattermost]."""
    usual = {"asks_per_minute": 10_000, "channel_asks_per_minute": 10_000, "edit_every_s": 0.1}
    own = MattermostSettings(url=chat.url, **{**usual, **chosen})
    settings = settings.model_copy(update={"mattermost": own})
    waiter = Waiter()
    async with opened(settings, assistant) as services:
        services.door = Door()
        server = Server(chat.url, TOKEN, pause=waiter)
        with listen("127.0.0.1", 0) as listening:
            door = address_of(listening)
            made = whole(services, server, await server.me(), door, COMMAND_TOKEN, waiter)
            await made.hooks.resume()
            serving = Uvicorn(made.app, lambda: None)
            tasks = [
                asyncio.create_task(made.bot.run()),
                asyncio.create_task(serving.serve([listening])),
            ]
            world = World(chat, services, made, assistant, waiter, door)
            try:
                await world.until(lambda: chat.connected and serving.started)
                yield world
            finally:
                await services.close()
                await made.close(5)
                tasks[0].cancel()
                serving.should_exit = True
                await asyncio.wait(tasks)
                await server.close()


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat() as chat:
        yield chat


@pytest.fixture
async def world(chat, settings, assistant) -> AsyncIterator[World]:
    async with bot_on(chat, settings, assistant) as world:
        yield world
