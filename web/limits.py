"""How often one person, and all together, may ask and search: counted by the library `limits`.

In memory, or in the database that several servers share (`web.state.counters`). While that cannot
be used each server counts for itself: people go on, and nobody may ask without end.
"""

import logging
import math
import time
from collections.abc import Mapping
from typing import Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from ingest.web_settings import LimitsSettings
from web.state.errors import StateTrouble

Kind = Literal["ask", "search"]
ALL = "everybody"

log = logging.getLogger(__name__)


class TooOften(Exception):
    """A limit is reached. `retry_after_s`: from when on it is not."""

    def __init__(self, what: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"{what} Try again in {retry_after_s} s.")


class Limits:
    """Requests of a minute, per user and in all."""

    def __init__(
        self, asks: int, searches: int, asks_in_all: int, shared: Storage | None = None
    ) -> None:
        """`shared`: counters of several servers."""
        self._each: Mapping[Kind, RateLimitItemPerMinute] = {
            "ask": RateLimitItemPerMinute(asks),
            "search": RateLimitItemPerMinute(searches),
        }
        self._all = RateLimitItemPerMinute(asks_in_all)
        # Two counters a user rather than a list of moments: nothing grows with the requests.
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._counters = SlidingWindowCounterRateLimiter(shared) if shared else self._own

    async def count(self, kind: Kind, user_id: str) -> None:
        """Count one request.

        Raises:
            TooOften: this user, or all together, have made as many as they may.
        """
        try:
            await self._count(self._counters, kind, user_id)
        except StateTrouble as trouble:
            log.warning("Requests are counted by this server alone: %s", trouble)
            await self._count(self._own, kind, user_id)

    async def _count(
        self, counters: SlidingWindowCounterRateLimiter, kind: Kind, user_id: str
    ) -> None:
        each = self._each[kind]
        if not await counters.hit(each, kind, user_id):
            what = "questions" if kind == "ask" else "searches"
            told = f"You have made {each.amount} {what} in a minute, which is the limit."
            raise TooOften(told, await _wait_s(counters, each, kind, user_id))
        if kind == "ask" and not await counters.hit(self._all, ALL):
            told = "So many people ask at the moment that the limit of this server is reached."
            raise TooOften(told, await _wait_s(counters, self._all, ALL))


def limits_for(settings: LimitsSettings, shared: Storage | None = None) -> Limits:
    """The limits of the settings."""
    return Limits(
        settings.asks_per_minute,
        settings.searches_per_minute,
        settings.asks_in_all_per_minute,
        shared,
    )


async def _wait_s(
    counters: SlidingWindowCounterRateLimiter, item: RateLimitItemPerMinute, *whose: str
) -> int:
    stats = await counters.get_window_stats(item, *whose)
    return max(1, math.ceil(stats.reset_time - time.time()))
