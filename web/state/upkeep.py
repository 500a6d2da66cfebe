"""Removing what is past its date."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, or_, update

from web.state.database import Database
from web.state.pending import LASTS
from web.state.rows import (
    AuditRow,
    CounterRow,
    DeviceRow,
    GapRow,
    LinkCodeRow,
    PendingRow,
    SessionRow,
    TokenRow,
    UnderwayRow,
    UsageRow,
)

USAGE_DAYS = 400
"""A little more than a year, so that months can be compared."""
UNDERWAY_DAYS = 1
"""So long an answer can be asked for whose server has died."""
DEAD_TOKEN_DAYS = 30
"""A token that holds no more is still listed for so long."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows were removed; of unanswered questions, how many lost their asker."""

    sessions: int
    tokens: int
    audit: int
    usage: int
    unanswered: int


async def purge(database: Database, *, audit_days: int) -> Purged:
    """Remove expired sessions, dead tokens, and what is older than it may get.

    Raises:
        StateTrouble: nothing was removed.
    """
    now = database.clock()
    audit = now - timedelta(days=audit_days)
    dead = now - timedelta(days=DEAD_TOKEN_DAYS)
    async with database.write() as connection:
        # Not told: codes that nobody used, and questions that no bot came back for in a day.
        await connection.execute(delete(LinkCodeRow).where(LinkCodeRow.expires_at <= now))
        await connection.execute(delete(DeviceRow).where(DeviceRow.expires_at <= now))
        await connection.execute(delete(PendingRow).where(PendingRow.at <= now - LASTS))
        await connection.execute(delete(CounterRow).where(CounterRow.expires_at <= now))
        # Nobody has come back for the answer of a server that died.
        forgotten = now - timedelta(days=UNDERWAY_DAYS)
        await connection.execute(delete(UnderwayRow).where(UnderwayRow.beat_at < forgotten))
        removed = [
            (await connection.execute(statement)).rowcount
            for statement in (
                delete(SessionRow).where(SessionRow.expires_at <= now),
                delete(TokenRow).where(
                    or_(TokenRow.expires_at <= dead, TokenRow.revoked_at <= dead)
                ),
                delete(AuditRow).where(AuditRow.at < audit),
                delete(UsageRow).where(UsageRow.hour < now - timedelta(days=USAGE_DAYS)),
                update(GapRow)
                .where(GapRow.at < audit)
                .where(GapRow.user_id.is_not(None))
                .values(user_id=None),
            )
        ]
    return Purged(*removed)
