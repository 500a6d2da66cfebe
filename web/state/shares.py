"""Links to conversations. A link shows what had been said when it was made, and no more.

Whoever opens one is checked by the caller, document by document: a link gives no right to read.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from web.state.conversations import Message
from web.state.database import Database, made, new_id, upsert
from web.state.rows import ConversationRow, MessageRow, ShareRow


@dataclass(frozen=True, slots=True)
class Share:
    """A link to a conversation."""

    id: str
    conversation_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Shared:
    """What stands behind a link."""

    owner_id: str
    title: str
    created_at: datetime
    messages: tuple[Message, ...]


class Shares:
    """Links. Made and withdrawn by the owner, opened by whoever has one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, user_id: str, conversation_id: str) -> Share | None:
        """Share a conversation of the user as it is now; a second time, under the same link.

        None: there is no such conversation of this user.
        """
        now = self._database.clock()
        mine = (
            select(ConversationRow.id)
            .where(ConversationRow.id == conversation_id)
            .where(ConversationRow.user_id == user_id)
            .with_for_update()
        )
        async with self._database.write() as connection:
            if await connection.scalar(mine) is None:
                return None
            insert = upsert(connection, ShareRow).values(
                id=new_id(), conversation_id=conversation_id, created_at=now
            )
            again = insert.on_conflict_do_update(
                index_elements=["conversation_id"], set_={"created_at": now}
            )
            rows = await connection.execute(again.returning(ShareRow))
            return made(Share, rows.mappings().one())

    async def withdraw(self, user_id: str, conversation_id: str) -> bool:
        """Make the link to a conversation of the user lead nowhere."""
        mine = select(ConversationRow.id).where(ConversationRow.user_id == user_id)
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(ShareRow)
                .where(ShareRow.conversation_id == conversation_id)
                .where(ShareRow.conversation_id.in_(mine))
            )
            return gone.rowcount > 0

    async def open(self, share_id: str) -> Shared | None:
        """What a link shows. Unchecked: the caller withholds what its reader may not see."""
        asked = (
            select(
                ConversationRow.user_id.label("owner_id"),
                ConversationRow.title,
                ShareRow.created_at,
                ShareRow.conversation_id,
            )
            .join(ShareRow, ShareRow.conversation_id == ConversationRow.id)
            .where(ShareRow.id == share_id)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(asked)).mappings().one_or_none()
            if found is None:
                return None
            rows = await connection.execute(
                select(MessageRow)
                .where(MessageRow.conversation_id == found["conversation_id"])
                .where(MessageRow.created_at <= found["created_at"])
                .order_by(MessageRow.position)
            )
            messages = tuple(made(Message, row) for row in rows.mappings())
            return Shared(found["owner_id"], found["title"], found["created_at"], messages)
