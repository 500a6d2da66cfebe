"""Counters of requests that all servers of one database share, for the library `limits`.

The rows and the arithmetic are those of its sliding window: the requests of this window, and those
of the last one by the part of it that is still less than a window ago. A request is counted and
judged in one statement, so that two servers never let the last one in twice.
"""

import math
from datetime import UTC, datetime, timedelta

from limits.aio.storage import Storage
from limits.aio.storage.base import SlidingWindowCounterSupport
from sqlalchemy import Select, delete, func, select

from web.state.database import Database, upsert
from web.state.rows import CounterRow


class Counters(Storage, SlidingWindowCounterSupport):
    """Counters in the database. Raises `StateTrouble` when it cannot be used."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """None that the library should wrap: ours say what happened."""
        return ()

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count a request, unless it would be more than `limit` in `expiry` seconds."""
        if amount > limit:
            return False
        now = self._database.clock()
        window, age = _window(now, expiry)
        ends = now + timedelta(seconds=2 * expiry - age)
        async with self._database.write() as connection:
            last = await connection.scalar(_count(key, window - 1)) or 0
            room = limit - math.floor(last * (1 - age / expiry))
            if amount > room:
                return False
            made = upsert(connection, CounterRow).values(
                key=key, window=window, count=amount, expires_at=ends
            )
            counted = made.on_conflict_do_update(
                index_elements=["key", "window"],
                set_={"count": CounterRow.count + amount},
                where=CounterRow.count + amount <= room,
            ).returning(CounterRow.count)
            return await connection.scalar(counted) is not None

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Requests of the last window and the seconds that they still count; the same of this."""
        window, age = _window(self._database.clock(), expiry)
        async with self._database.read() as connection:
            last = await connection.scalar(_count(key, window - 1)) or 0
            this = await connection.scalar(_count(key, window)) or 0
        return last, (expiry - age if last else 0.0), this, 2 * expiry - age

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted under a key."""
        await self.clear(key)

    async def get(self, key: str) -> int:
        """All that is known under a key."""
        asked = select(func.coalesce(func.sum(CounterRow.count), 0)).where(CounterRow.key == key)
        async with self._database.read() as connection:
            return int(await connection.scalar(asked) or 0)

    async def get_expiry(self, key: str) -> float:
        """When the last of a key is forgotten, in seconds since 1970."""
        asked = select(func.max(CounterRow.expires_at)).where(CounterRow.key == key)
        async with self._database.read() as connection:
            ends = await connection.scalar(asked)
        return (ends or self._database.clock()).timestamp()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count without a limit."""
        now = self._database.clock()
        window, age = _window(now, expiry)
        ends = now + timedelta(seconds=2 * expiry - age)
        async with self._database.write() as connection:
            made = upsert(connection, CounterRow).values(
                key=key, window=window, count=amount, expires_at=ends
            )
            counted = made.on_conflict_do_update(
                index_elements=["key", "window"], set_={"count": CounterRow.count + amount}
            ).returning(CounterRow.count)
            return int(await connection.scalar(counted) or 0)

    async def check(self) -> bool:
        """Whether the database can be read."""
        await self.get("")
        return True

    async def reset(self) -> int | None:
        """Forget everything; how many rows there were."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(CounterRow))).rowcount

    async def clear(self, key: str) -> None:
        """Forget what was counted under a key."""
        async with self._database.write() as connection:
            await connection.execute(delete(CounterRow).where(CounterRow.key == key))


def _window(now: datetime, expiry: int) -> tuple[int, float]:
    """The number of the window in which a moment lies, and how many seconds of it have passed."""
    seconds = now.astimezone(UTC).timestamp()
    return int(seconds // expiry), seconds % expiry


def _count(key: str, window: int) -> Select[int]:
    return select(CounterRow.count).where(CounterRow.key == key, CounterRow.window == window)
