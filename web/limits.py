"""How often one person, and all together, may ask and search: counted by the library `limits`."""

import math
import time
from collections.abc import Mapping
from typing import Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

Kind = Literal["ask", "search"]
ALL = "everybody"


class TooOften(Exception):
    """A limit is reached. `retry_after_s`: from when on it is not."""

    def __init__(self, what: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"{what} Try again in {retry_after_s} s.")


class Limits:
    """Requests of a minute, per user and in all."""

    def __init__(self, asks: int, searches: int, asks_in_all: int) -> None:
        self._each: Mapping[Kind, RateLimitItemPerMinute] = {
            "ask": RateLimitItemPerMinute(asks),
            "search": RateLimitItemPerMinute(searches),
        }
        self._all = RateLimitItemPerMinute(asks_in_all)
        # Two counters a user rather than a list of moments: nothing grows with the requests.
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, kind: Kind, user_id: str) -> None:
        """Count one request.

        Raises:
            TooOften: this user, or all together, have made as many as they may.
        """
        each = self._each[kind]
        if not await self._counters.hit(each, kind, user_id):
            what = "questions" if kind == "ask" else "searches"
            told = f"You have made {each.amount} {what} in a minute, which is the limit."
            raise TooOften(told, await self._wait_s(each, kind, user_id))
        if kind == "ask" and not await self._counters.hit(self._all, ALL):
            told = "So many people ask at the moment that the limit of this server is reached."
            raise TooOften(told, await self._wait_s(self._all, ALL))

    async def _wait_s(self, item: RateLimitItemPerMinute, *whose: str) -> int:
        stats = await self._counters.get_window_stats(item, *whose)
        return max(1, math.ceil(stats.reset_time - time.time()))
