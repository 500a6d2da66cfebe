"""How much Docent is used and how fast it is, by the hour; nothing in it tells who or what.

Counted in memory and written now and then, so that a question costs no write.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from web.state.database import Database, upsert
from web.state.errors import StateTrouble
from web.state.rows import UsageRow

BUCKETS_MS = (
    10, 25, 50, 100, 200, 350, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10_000, 15_000, 20_000,
    30_000, 45_000, 60_000, 90_000, 120_000, 300_000, 600_000,
)  # fmt: skip
"""Upper bounds; what took longer counts as the last."""
PLAIN = 0


@dataclass(frozen=True, slots=True)
class Hourly:
    """What was counted under a name in an hour. Times are upper bounds; None for a plain count."""

    hour: datetime
    name: str
    count: int
    p50_ms: int | None
    p95_ms: int | None


class Usage:
    """Counts by the hour. `flush` writes them; what is in memory when a server dies is lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: Counter[tuple[datetime, str, int]] = Counter()

    def count(self, name: str, n: int = 1) -> None:
        """Count something, such as `ask.answered`."""
        self._pending[self._hour(), name, PLAIN] += n

    def took(self, name: str, milliseconds: float) -> None:
        """Count something by how long it took, such as `ask.first_token_ms`."""
        bucket = next((b for b in BUCKETS_MS if milliseconds <= b), BUCKETS_MS[-1])
        self._pending[self._hour(), name, bucket] += 1

    async def flush(self) -> StateTrouble | None:
        """Write what was counted since the last time. Trouble is given back; nothing is lost."""
        pending, self._pending = self._pending, Counter()
        if not pending:
            return None
        try:
            async with self._database.write() as connection:
                # In one order, so that two servers never wait for each other.
                for (hour, name, bucket), count in sorted(pending.items()):
                    insert = upsert(connection, UsageRow).values(
                        hour=hour, name=name, bucket=bucket, count=count
                    )
                    more = UsageRow.count + insert.excluded.count
                    await connection.execute(
                        insert.on_conflict_do_update(
                            index_elements=["hour", "name", "bucket"], set_={"count": more}
                        )
                    )
        except StateTrouble as trouble:
            self._pending.update(pending)
            return trouble
        return None

    async def since(self, moment: datetime) -> list[Hourly]:
        """What was counted since the hour of this moment, oldest first. For maintainers."""
        asked = (
            select(UsageRow)
            .where(UsageRow.hour >= _hour_of(moment))
            .order_by(UsageRow.hour, UsageRow.name, UsageRow.bucket)
        )
        counted: dict[tuple[datetime, str], dict[int, int]] = {}
        async with self._database.read() as connection:
            for row in (await connection.execute(asked)).mappings():
                counted.setdefault((row["hour"], row["name"]), {})[row["bucket"]] = row["count"]
        return [_summed(hour, name, counts) for (hour, name), counts in counted.items()]

    def _hour(self) -> datetime:
        return _hour_of(self._database.clock())


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _summed(hour: datetime, name: str, counts: dict[int, int]) -> Hourly:
    timed = {bucket: count for bucket, count in counts.items() if bucket != PLAIN}
    if not timed:
        return Hourly(hour, name, counts[PLAIN], None, None)
    return Hourly(hour, name, sum(timed.values()), _share(timed, 0.5), _share(timed, 0.95))


def _share(counts: dict[int, int], share: float) -> int:
    """The bound below which this share of what was counted lies."""
    wanted = share * sum(counts.values())
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            break
    return bucket
