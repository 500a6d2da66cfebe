"""What a bot has heard and not answered yet: one that was killed goes on with it when it is back.

    await state.pending.put("mattermost", trigger, {"text": "Who?", "user": user})
    for one in await state.pending.all("mattermost", timedelta(minutes=30)): ...
    await state.pending.done("mattermost", trigger)

It may hold what somebody asked, so nothing of it stays longer than `LASTS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from web.state.database import Database, made, upsert
from web.state.rows import PendingRow

LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that was heard. `key` names it, `told` is all that it takes to go on with it."""

    key: str
    told: dict[str, Any]
    at: datetime


class Pending:
    """Of each service, such as `mattermost` or `gitlab:<host>`, what waits for its bot."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, service: str, key: str, told: Mapping[str, Any]) -> None:
        """Keep something until it is done; what is kept already stays as it was."""
        async with self._database.write() as connection:
            new = upsert(connection, PendingRow).values(
                service=service, key=key, told=dict(told), at=self._database.clock()
            )
            await connection.execute(new.on_conflict_do_nothing())

    async def done(self, service: str, key: str) -> None:
        """It is answered, or never will be."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(PendingRow).where(PendingRow.service == service).where(PendingRow.key == key)
            )

    async def all(self, service: str, within: timedelta = LASTS) -> list[Waiting]:
        """What is kept and not older than that, the oldest first."""
        asked = (
            select(PendingRow)
            .where(PendingRow.service == service)
            .where(PendingRow.at > self._database.clock() - within)
            .order_by(PendingRow.at, PendingRow.key)
        )
        async with self._database.read() as connection:
            return [made(Waiting, row) for row in (await connection.execute(asked)).mappings()]
