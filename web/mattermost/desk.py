"""What every question of the bot is worked on with, and how often anybody may ask."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from ingest.client_settings import MattermostSettings
from web.mattermost.audience import Audience
from web.mattermost.nouns import Account
from web.mattermost.server import Pause, Server
from web.services import Services

REMEMBERED = 5000
"""So many of the last questions and answers are known without asking the server."""
REFUSALS_A_MINUTE = 2
"""So often somebody is told that he asks too often; then his questions stay without a word."""
AT_ONCE = 4
"""With more answers in work than this, each is edited less often: the server counts them all."""

V = TypeVar("V")


class Recent(Generic[V]):
    """The last things, by key."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._things: OrderedDict[str, V] = OrderedDict()

    def get(self, key: str) -> V | None:
        """What was put there, if it was not long ago."""
        return self._things.get(key)

    def put(self, key: str, thing: V) -> None:
        """Remember it; the oldest is forgotten."""
        self._things[key] = thing
        self._things.move_to_end(key)
        while len(self._things) > self._most:
            self._things.popitem(last=False)

    def pop(self, key: str) -> V | None:
        """Forget it."""
        return self._things.pop(key, None)

    def __contains__(self, key: str) -> bool:
        return key in self._things


class Rates:
    """How often one person may ask, and how often it may be asked in one channel."""

    def __init__(self, each: int, channel: int) -> None:
        self._each = RateLimitItemPerMinute(each)
        self._channel = RateLimitItemPerMinute(channel)
        self._refusals = RateLimitItemPerMinute(REFUSALS_A_MINUTE)
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def refusal(self, user: str, channel: str) -> str | None:
        """Count a question. A sentence where it is one too many; empty: nothing more is said."""
        for item, key, whose in (
            (self._each, user, "You have asked as often as you may in a minute."),
            (self._channel, channel, "In this channel as much was asked as may be in a minute."),
        ):
            if not await self._counters.hit(item, "ask", key):
                if not await self._counters.hit(self._refusals, "refusal", user):
                    return ""
                stats = await self._counters.get_window_stats(item, "ask", key)
                wait = max(1, round(stats.reset_time - time.time()))
                return f"{whose} Ask again in {wait} s."
        return None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that was shown, for those who judge it."""

    question: str
    answer: Mapping[str, Any] | None
    """Its JSON; None where it is known no more."""
    documents: tuple[str, ...]
    owner: str
    """The id of the user in whose conversation it is kept; empty where it is not."""
    message: str
    """The id that it has there."""


@dataclass
class Desk:
    """All of it."""

    services: Services
    server: Server
    audience: Audience
    me: Account
    settings: MattermostSettings
    callback_url: str
    """Where Mattermost reaches us."""
    seal: Callable[[str], str]
    """Signs what comes back to us through people's programs."""
    pause: Pause
    rates: Rates = field(init=False)
    answers: Recent[Answered] = field(default_factory=Recent)
    """By the id of the reply."""
    working: int = 0
    """How many answers are being written."""
    writing: "set[asyncio.Task[Any]]" = field(default_factory=set)
    """What is on its way to the server."""

    def __post_init__(self) -> None:
        self.rates = Rates(self.settings.asks_per_minute, self.settings.channel_asks_per_minute)

    @property
    def edit_every_s(self) -> float:
        """How long to wait between two edits of a growing answer."""
        return self.settings.edit_every_s * max(1.0, self.working / AT_ONCE)

    @property
    def page(self) -> str:
        """The address of the chat page, without a slash at the end."""
        server = self.services.settings.server
        return server.public_url or f"http://localhost:{server.port}"


async def ended(tasks: "set[asyncio.Task[Any]]", within_s: float) -> None:
    """Returns when all are done; those that take too long are cancelled."""
    if tasks:
        _, late = await asyncio.wait(set(tasks), timeout=within_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
