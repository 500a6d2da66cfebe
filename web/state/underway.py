"""Answers on their way, each written by a server that says again and again that it lives.

A question and its row here are written together, and the answer takes the row away. So another
server of the same database can tell an answer that is on its way from one whose server has died,
and take that one over. Servers compare each other's clocks here: they must agree within a few
seconds, as those of machines with NTP do.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import aliased

from web.state.conversations import Begun, Message, before
from web.state.database import Database, made
from web.state.rows import ConversationRow, MessageRow, UnderwayRow

BEAT_S = 1.0
"""How often a server says which answers it writes."""
SILENT_S = 5.0
"""A server that has said nothing for so long is taken for dead: five beats."""
WANTED_S = 15.0
"""So long an answer goes on that was asked for at another server."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What another server was told about an answer that is written here: wanted, or stopped."""

    answer_id: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A question of a server that died, to be answered here."""

    begun: Begun
    question: str
    asked: dict[str, Any] | None
    """As it was given to `Conversations.begin`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A message that ended an answer, and where it stands."""

    conversation_id: str
    question_id: str
    message: Message


class Underway:
    """Answers to the user who is named first; those of others look missing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, answer_ids: Collection[str]) -> list[Wish]:
        """Say that this server writes these answers; what others were told about them."""
        if not answer_ids:
            return []
        now = self._database.clock()
        mine = UnderwayRow.answer_id.in_(answer_ids)
        wanted = or_(UnderwayRow.stopped, UnderwayRow.wanted_at > now - timedelta(seconds=WANTED_S))
        asked = select(UnderwayRow.answer_id, UnderwayRow.stopped).where(mine).where(wanted)
        async with self._database.write() as connection:
            await connection.execute(update(UnderwayRow).where(mine).values(beat_at=now))
            return [Wish(row.answer_id, row.stopped) for row in await connection.execute(asked)]

    async def want(self, user_id: str, answer_id: str) -> bool:
        """Let whoever writes it go on for `WANTED_S`, though nobody reads there."""
        return await self._set(user_id, answer_id, wanted_at=self._database.clock())

    async def stop(self, user_id: str, answer_id: str) -> bool:
        """Let whoever writes it stop, and nobody take it over."""
        return await self._set(user_id, answer_id, stopped=True)

    async def take(self, user_id: str, answer_id: str) -> Taken | None:
        """Take an answer over; None where its server lives, it was stopped, or there is none.

        Of several servers that try, one gets it.
        """
        now = self._database.clock()
        silent = UnderwayRow.beat_at < now - timedelta(seconds=SILENT_S)
        claim = (
            update(UnderwayRow)
            .where(_owned(user_id, answer_id), silent, UnderwayRow.stopped.is_(False))
            .values(beat_at=now)
        )
        async with self._database.write() as connection:
            if not (await connection.execute(claim)).rowcount:
                return None
            asked = (
                select(MessageRow, UnderwayRow.asked)
                .join(UnderwayRow, UnderwayRow.question_id == MessageRow.id)
                .where(UnderwayRow.answer_id == answer_id)
            )
            row = (await connection.execute(asked)).mappings().one()
            where, question_id = row["conversation_id"], row["id"]
            history = await before(connection, where, row["position"])
        return Taken(Begun(where, question_id, answer_id, history), row["text"], row["asked"])

    async def waiting(self, user_id: str, answer_id: str) -> bool:
        """Whether an answer is still to come."""
        asked = select(UnderwayRow.answer_id).where(_owned(user_id, answer_id))
        async with self._database.read() as connection:
            return await connection.scalar(asked) is not None

    async def ended(self, user_id: str, answer_id: str) -> Ended | None:
        """The message that ended an answer."""
        question = aliased(MessageRow)
        asked = (
            select(MessageRow, question.id.label("question_id"))
            .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
            .join(
                question,
                and_(
                    question.conversation_id == MessageRow.conversation_id,
                    question.position == MessageRow.position - 1,
                ),
            )
            .where(MessageRow.id == answer_id, MessageRow.role == "assistant")
            .where(ConversationRow.user_id == user_id)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(asked)).mappings().one_or_none()
        if row is None:
            return None
        return Ended(row["conversation_id"], row["question_id"], made(Message, row))

    async def _set(self, user_id: str, answer_id: str, **values: Any) -> bool:
        changed = update(UnderwayRow).where(_owned(user_id, answer_id)).values(**values)
        async with self._database.write() as connection:
            return (await connection.execute(changed)).rowcount > 0


def _owned(user_id: str, answer_id: str) -> Any:
    """The row of an answer, if its question is the user's."""
    question = (
        select(MessageRow.id)
        .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
        .where(ConversationRow.user_id == user_id)
        .where(MessageRow.id == UnderwayRow.question_id)
    )
    return and_(UnderwayRow.answer_id == answer_id, question.exists())
