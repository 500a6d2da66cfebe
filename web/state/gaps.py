"""What the documents lack: questions that found no answer, with the pages that came nearest.

Maintainers see them without the asker. Who asked is kept only so that he can have it exported and
erased, and for no longer than the audit log.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update

from web.state.database import Database, made, new_id
from web.state.errors import StateTrouble
from web.state.rows import GapRow


class GapState(StrEnum):
    """How far the maintainers are with it."""

    NEW = "new"
    DONE = "done"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Gap:
    """A question without an answer. `nearest` are ids of documents that its asker might read."""

    id: str
    at: datetime
    question: str
    nearest: tuple[str, ...]
    score: float | None
    """How sure it was that the documents answer it, 0..1."""
    state: str


class Gaps:
    """Unanswered questions of everybody. For maintainers; `record` is for whoever answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(
        self, user_id: str, question: str, nearest: Iterable[str], score: float | None
    ) -> StateTrouble | None:
        """Write down a question that was not answered. Gives the trouble rather than raising it.

        Not for what its asker wants to have kept nowhere (`keep=false`).
        """
        row = {
            "id": new_id(),
            "at": self._database.clock(),
            "user_id": user_id,
            "question": question,
            "nearest": tuple(dict.fromkeys(nearest)),
            "score": score,
            "state": GapState.NEW.value,
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(GapRow).values(**row))
        except StateTrouble as trouble:
            return trouble
        return None

    async def since(
        self, moment: datetime, *, state: GapState | None = GapState.NEW, limit: int = 1000
    ) -> list[Gap]:
        """The latest first, of one state or (None) of all."""
        asked = select(GapRow).where(GapRow.at >= moment).order_by(GapRow.at.desc(), GapRow.id)
        if state is not None:
            asked = asked.where(GapRow.state == state.value)
        async with self._database.read() as connection:
            rows = await connection.execute(asked.limit(limit))
            return [made(Gap, row) for row in rows.mappings()]

    async def settle(self, gap_ids: Iterable[str], state: GapState) -> int:
        """Say how far the maintainers are with these; gives how many there were."""
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(GapRow).where(GapRow.id.in_(list(gap_ids))).values(state=state.value)
            )
            return changed.rowcount
