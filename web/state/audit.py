"""Who asked, and which documents were shown to him, through which door.

Writing it never stops an answer: what goes wrong is given back for the caller to log.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import insert, select

from web.state.database import Database, made
from web.state.errors import StateTrouble
from web.state.rows import AuditRow

STEP = 1000
"""Entries that are read at once, so that nobody waits for a long count."""

PAGE = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """Documents that were shown. `user_id` is None once the account has been erased."""

    id: int
    at: datetime
    user_id: str | None
    door: str
    """Such as `ask`, `search`, `document`, `share`, `export`."""
    documents: tuple[str, ...]
    request_id: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What is to be written: as `Shown`, not written yet."""

    at: datetime
    user_id: str
    door: str
    documents: tuple[str, ...]
    request_id: str


class Audit:
    """The audit log; kept for `[state] audit_days`, then purged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, user_id: str, door: str, documents: Iterable[str], *, request_id: str = ""
    ) -> StateTrouble | None:
        """Write down what was shown, as `write`."""
        return await self.write([self.noted(user_id, door, documents, request_id=request_id)])

    def noted(
        self, user_id: str, door: str, documents: Iterable[str], *, request_id: str = ""
    ) -> Noted:
        """What was shown just now, to be written."""
        once = tuple(dict.fromkeys(documents))
        return Noted(self._database.clock(), user_id, door, once, request_id)

    async def write(self, notes: Sequence[Noted]) -> StateTrouble | None:
        """Write them all, or none. Never raises for a database in trouble: gives the trouble."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(AuditRow), [asdict(note) for note in notes])
        except StateTrouble as trouble:
            return trouble
        return None

    async def page(
        self, *, user_id: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[Shown]:
        """The latest entries first, of everybody or of one user; for the operator only.

        `before` is the id of the last one that was seen.
        """
        asked = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
        if user_id is not None:
            asked = asked.where(AuditRow.user_id == user_id)
        if before is not None:
            asked = asked.where(AuditRow.id < before)
        async with self._database.read() as connection:
            rows = await connection.execute(asked)
            return [made(Shown, row) for row in rows.mappings()]

    async def tally(
        self, since: datetime, doors: Collection[str], *, most: int = 20_000
    ) -> Counter[tuple[str, tuple[str, ...]]]:
        """How often the same documents were shown together through each of some doors.

        Counts the latest `most` entries. For maintainers: it tells nothing of who saw them.
        """
        found: Counter[tuple[str, tuple[str, ...]]] = Counter()
        before: int | None = None
        while most > 0:
            asked = (
                select(AuditRow.id, AuditRow.door, AuditRow.documents)
                .where(AuditRow.at >= since, AuditRow.door.in_(list(doors)))
                .order_by(AuditRow.id.desc())
                .limit(min(most, STEP))
            )
            if before is not None:
                asked = asked.where(AuditRow.id < before)
            async with self._database.read() as connection:
                rows = (await connection.execute(asked)).all()
            found.update((row.door, row.documents) for row in rows)
            if len(rows) < min(most, STEP):
                break
            most, before = most - len(rows), rows[-1].id
        return found

    async def entries(
        self, *, user_id: str | None = None, document: str | None = None
    ) -> AsyncGenerator[Shown, None]:
        """All entries, the latest first, as `page`; with `document`, where that was shown."""
        before = None
        while page := await self.page(user_id=user_id, before=before, limit=PAGE):
            for entry in page:
                if document is None or document in entry.documents:
                    yield entry
            before = page[-1].id
