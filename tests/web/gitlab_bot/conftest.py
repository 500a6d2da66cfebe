"""A bot in a GitLab of its own: a private project of three people, and issues to ask in."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from ingest.client_settings import GitLabBotSettings
from ingest.http import Hosts
from ingest.settings import Settings
from tests.servers import LOOPBACK, StillClock
from tests.servers.gitlab import TOKEN
from tests.servers.gitlab_bot import ADA, BEN, BOT, EVA, NAMES, SECRET, GitlabBotServer
from tests.web.fake import FakeAssistant
from web.bootstrap import opened
from web.gitlab_bot.bot import Bot
from web.gitlab_bot.gitlab import GitLab, Place
from web.gitlab_bot.hooks import Hooks
from web.services import Services

MUONS = 30
ISSUE = Place(MUONS, "issues", 7)
REQUEST = Place(MUONS, "merge_requests", 3)
OPEN = "The L1_MU4 trigger 🧲 fires at 4 GeV"
ASK = "At how many GeV does the L1_MU4 trigger fire?"


@pytest.fixture
def server(monkeypatch) -> Iterator[GitlabBotServer]:
    monkeypatch.setenv("DOCENT_GITLAB_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("DOCENT_GITLAB_BOT_SECRET", SECRET)
    with GitlabBotServer() as server:
        server.project(MUONS, "lab/muons", visibility="private")
        server.member(MUONS, ADA, BEN, EVA, BOT)
        author = server.accounts[ADA]
        server.add(MUONS, "issues", 7, title="Rate of the muon trigger", author=author)
        server.add(MUONS, "merge_requests", 3, title="New thresholds", author=author)
        yield server


@pytest.fixture
def bot_settings(settings: Settings, server: GitlabBotServer) -> Settings:
    bot = GitLabBotSettings.model_validate({"url": server.url, "allow_private": LOOPBACK})
    return settings.model_copy(update={"gitlab_bot": bot})


@dataclass
class World:
    """All of it."""

    server: GitlabBotServer
    services: Services
    assistant: FakeAssistant
    bot: Bot
    hooks: Hooks
    slept: list[float] = field(default_factory=list)

    async def link(self, *people: int, groups: tuple[str, ...] = ("board",)) -> None:
        """Let people sign in and link their accounts."""
        for number in people:
            user = await self.services.state.users.sign_in(
                "https://id.example",
                NAMES[number],
                name=NAMES[number],
                email="",
                groups=groups,
                role="reader",
            )
            await self.services.state.links.put(user.id, self.bot.service, str(number))

    async def tell(self, hook) -> None:
        """Send a webhook, and wait until it is answered."""
        lowered = {name.lower(): value for name, value in hook.headers.items()}
        self.hooks.check(lowered)
        heard = self.hooks.take(lowered, hook.body)
        if heard:
            await self.bot.take(heard)
        await self.bot.settled()

    async def ask(self, text: str, place: Place = ISSUE, **more) -> list[str]:
        """Write a comment and tell the bot; gives what the bot has said there."""
        hook = self.server.write(place.project, place.part, place.iid, text, **more)
        await self.tell(hook)
        return self.said(place)

    def said(self, place: Place = ISSUE) -> list[str]:
        return self.server.said(place.project, place.part, place.iid)


def a_bot(services: Services, server: GitlabBotServer, slept: list[float], **more) -> Bot:
    """A bot as after a start."""

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    gitlab = GitLab(services.settings.gitlab_bot, "tests@docent.example", Hosts(StillClock()))
    return Bot(services, gitlab, gitlab.me(), **{"sleep": sleep, **more})


@pytest.fixture
async def world(
    bot_settings: Settings, server: GitlabBotServer, assistant: FakeAssistant
) -> AsyncIterator[World]:
    async with opened(bot_settings, assistant) as services:
        slept: list[float] = []
        bot = a_bot(services, server, slept)
        hooks = Hooks(SECRET, "docent", 1000, lambda: server.moment)
        yield World(server, services, assistant, bot, hooks, slept)
        await bot.close(10)


def answered(texts: list[str]) -> bool:
    """Whether this is one answer to `ASK`."""
    return len(texts) == 1 and OPEN in texts[0].replace("\\", "")
