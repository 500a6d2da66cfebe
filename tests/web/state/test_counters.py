"""Counters that several servers share: the arithmetic of a sliding window, and nobody twice."""

import asyncio
import math

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from tests.web.state.conftest import START
from web.limits import Limits, TooOften
from web.state import State
from web.state.counters import Counters
from web.state.errors import StateTrouble

# START is at the beginning of a minute, so windows begin with the clock's minutes.
assert START.second == 0


@pytest.fixture
def counters(state):
    return Counters(state.database)


async def test_a_window_slides(counters, clock):
    async def hits(n):
        return [await counters.acquire_sliding_window_entry("ada", 10, 60) for _ in range(n)]

    assert await hits(11) == [True] * 10 + [False]
    clock.pass_(seconds=60)
    # Nothing of the last minute has gone yet.
    assert await hits(1) == [False]
    clock.pass_(seconds=30)
    # Half of the ten count, five more may come.
    assert await hits(6) == [True] * 5 + [False]
    assert await counters.get_sliding_window("ada", 60) == (10, 30.0, 5, 90.0)
    assert await counters.get("ada") == 15
    assert await counters.get("ben") == 0
    assert not await counters.acquire_sliding_window_entry("ada", 10, 60, amount=11)
    await counters.clear_sliding_window("ada", 60)
    assert await counters.get_sliding_window("ada", 60) == (0, 0.0, 0, 90.0)


async def test_it_is_what_the_library_asks_for(counters, clock):
    assert await counters.check()
    assert await counters.incr("ada", 60) == 1
    assert await counters.incr("ada", 60, amount=4) == 5
    assert await counters.get_expiry("ada") == START.timestamp() + 120
    assert await counters.get_expiry("ben") == START.timestamp()
    assert counters.base_exceptions == ()
    assert await counters.reset() == 1

    limiter, item = SlidingWindowCounterRateLimiter(counters), RateLimitItemPerMinute(2)
    assert [await limiter.hit(item, "ask", "ada") for _ in range(3)] == [True, True, False]
    assert await limiter.test(item, "ask", "ben")
    assert (await limiter.get_window_stats(item, "ask", "ada")).remaining == 0
    await limiter.clear(item, "ask", "ada")


async def test_servers_that_count_at_once_let_exactly_as_many_in(url, clock):
    states = [await State.open(url, clock=clock, wait_s=30) for _ in range(2)]
    limits = [Limits(7, 100, 100, Counters(state.database)) for state in states]

    async def ask(one):
        try:
            await one.count("ask", "ada")
        except TooOften:
            return 0
        return 1

    assert sum(await asyncio.gather(*(ask(limits[n % 2]) for n in range(20)))) == 7
    await limits[1].count("ask", "ben")
    for state in states:
        await state.close()


async def test_what_no_longer_counts_is_removed(state, counters, clock):
    await counters.acquire_sliding_window_entry("ada", 10, 60)
    clock.pass_(seconds=119)
    await state.purge(90)
    assert await counters.get("ada") == 1
    clock.pass_(seconds=1)
    await state.purge(90)
    assert await counters.get("ada") == 0


class Away(Counters):
    async def acquire_sliding_window_entry(self, key, limit, expiry, amount=1):
        raise StateTrouble("The database of accounts and conversations cannot be reached.")


async def test_while_the_database_is_away_each_server_counts_for_itself(state, caplog):
    limits = Limits(asks=2, searches=3, asks_in_all=100, shared=Away(state.database))
    for _ in range(2):
        await limits.count("ask", "ada")
    with pytest.raises(TooOften) as told:
        await limits.count("ask", "ada")

    assert not math.isnan(told.value.retry_after_s)
    assert "counted by this server alone: The database" in caplog.text
