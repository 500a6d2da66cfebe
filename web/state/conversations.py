"""Conversations and their messages, each its owner's alone.

Questions stand at even positions and the answer to each right behind it, so that two questions
asked at once in one conversation leave room for both answers.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Select, and_, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from web.state.database import Database, made, new_id
from web.state.rows import ConversationRow, MessageRow, ShareRow, UnderwayRow, fold

TITLE_CHARS = 80
HISTORY = 20
"""So many messages before a question are given back with it."""
SEARCH_WORDS = 8
"""A search looks for so many of its words."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([0-9]{1,17})-([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, without its messages. `share_id` is None while it is not shared."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    share_id: str | None

    @property
    def cursor(self) -> str:
        """What `page(before=...)` takes to go on behind this one."""
        return f"{(self.updated_at - _EPOCH) // timedelta(microseconds=1)}-{self.id}"


@dataclass(frozen=True, slots=True)
class Message:
    """A question or an answer.

    `answer` is the JSON of `AnswerOut`; None for a question, and for an answer that was cut off.
    `documents` are the ids of what was shown with it: whoever reads it again is checked again.
    """

    id: str
    role: Literal["user", "assistant"]
    text: str
    answer: dict[str, Any] | None
    documents: tuple[str, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Begun:
    """A question that was written down, with the id that its answer will have."""

    conversation_id: str
    question_id: str
    answer_id: str
    history: tuple[Message, ...]
    """What was said before it, oldest first; at most `HISTORY` messages."""


class Conversations:
    """Conversations of the user who is named first; those of others look missing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        user_id: str,
        question: str,
        *,
        conversation_id: str | None = None,
        replaces: str | None = None,
        asked: Mapping[str, Any] | None = None,
    ) -> Begun | None:
        """Write a question down, in a new conversation or at the end of one.

        `replaces` is the id of an earlier question of that conversation: it and all that follows
        are removed first. `asked` is what belongs to the question beside its text, for a server
        that takes it over (`web.state.underway`). None: there is no such conversation or question
        of this user.
        """
        now = self._database.clock()
        async with self._database.write() as connection:
            if conversation_id is None:
                if replaces is not None:
                    return None
                conversation_id = await _opened(connection, user_id, question, now)
                position = 0
            else:
                taken = await _place(connection, user_id, conversation_id, replaces)
                if taken is None:
                    return None
                position = taken
                await _touch(connection, user_id, conversation_id, now, question, position)
            history = await before(connection, conversation_id, position)
            begun = Begun(conversation_id, new_id(), new_id(), history)
            await connection.execute(
                insert(MessageRow).values(
                    id=begun.question_id,
                    conversation_id=conversation_id,
                    position=position,
                    role="user",
                    text=question,
                    folded=fold(question),
                    answer=None,
                    documents=(),
                    created_at=now,
                )
            )
            await connection.execute(
                insert(UnderwayRow).values(
                    answer_id=begun.answer_id,
                    question_id=begun.question_id,
                    asked=None if asked is None else dict(asked),
                    beat_at=now,
                    wanted_at=None,
                    stopped=False,
                )
            )
        return begun

    async def finish(
        self,
        user_id: str,
        begun: Begun,
        text: str,
        *,
        answer: Mapping[str, Any] | None = None,
        documents: Iterable[str] = (),
    ) -> bool:
        """Write the answer down; without `answer`, the text so far of one that was cut off.

        False: the question is there no more, or has its answer already.
        """
        now = self._database.clock()
        asked = (
            select(MessageRow.position)
            .where(MessageRow.id == begun.question_id)
            .where(MessageRow.conversation_id == begun.conversation_id)
        )
        async with self._database.write() as connection:
            if not await _owned(connection, user_id, begun.conversation_id):
                return False
            await connection.execute(
                delete(UnderwayRow).where(UnderwayRow.answer_id == begun.answer_id)
            )
            position = await connection.scalar(asked)
            if position is None or await _taken(connection, begun.conversation_id, position + 1):
                return False
            await connection.execute(
                insert(MessageRow).values(
                    id=begun.answer_id,
                    conversation_id=begun.conversation_id,
                    position=position + 1,
                    role="assistant",
                    text=text,
                    folded=fold(text),
                    answer=None if answer is None else dict(answer),
                    documents=tuple(dict.fromkeys(documents)),
                    created_at=now,
                )
            )
            await connection.execute(
                update(ConversationRow)
                .where(ConversationRow.id == begun.conversation_id)
                .where(ConversationRow.user_id == user_id)
                .values(updated_at=now)
            )
        return True

    async def page(
        self, user_id: str, *, query: str = "", before: str = "", limit: int = 30
    ) -> list[Conversation]:
        """The user's conversations, the latest first.

        With `query`, those in which each of its words stands in the title or in a message. `before`
        is the `cursor` of the last one that was seen; one that is not ours has nothing behind it.
        """
        asked = _conversations(user_id)
        if before:
            cursor = _CURSOR.fullmatch(before)
            if cursor is None:
                return []
            at = _EPOCH + timedelta(microseconds=int(cursor[1]))
            asked = asked.where(
                or_(
                    ConversationRow.updated_at < at,
                    and_(ConversationRow.updated_at == at, ConversationRow.id < cursor[2]),
                )
            )
        for word in dict.fromkeys(fold(query).split()[:SEARCH_WORDS]):
            said = exists().where(
                MessageRow.conversation_id == ConversationRow.id,
                MessageRow.folded.contains(word, autoescape=True),
            )
            asked = asked.where(or_(ConversationRow.folded.contains(word, autoescape=True), said))
        asked = asked.order_by(ConversationRow.updated_at.desc(), ConversationRow.id.desc())
        async with self._database.read() as connection:
            rows = await connection.execute(asked.limit(limit))
            return [made(Conversation, row) for row in rows.mappings()]

    async def get(self, user_id: str, conversation_id: str) -> Conversation | None:
        """One conversation of the user."""
        asked = _conversations(user_id).where(ConversationRow.id == conversation_id)
        async with self._database.read() as connection:
            row = (await connection.execute(asked)).mappings().one_or_none()
            return None if row is None else made(Conversation, row)

    async def messages(self, user_id: str, conversation_id: str) -> list[Message]:
        """What was said in a conversation of the user, oldest first."""
        asked = (
            _messages(conversation_id)
            .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
            .where(ConversationRow.user_id == user_id)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(asked)
            return [made(Message, row) for row in rows.mappings()]

    async def rename(self, user_id: str, conversation_id: str, title: str) -> Conversation | None:
        """Give a conversation of the user another title, which no edited question changes."""
        async with self._database.write() as connection:
            await connection.execute(
                update(ConversationRow)
                .where(ConversationRow.id == conversation_id)
                .where(ConversationRow.user_id == user_id)
                .values(title=title, folded=fold(title), renamed=True)
            )
            asked = _conversations(user_id).where(ConversationRow.id == conversation_id)
            row = (await connection.execute(asked)).mappings().one_or_none()
            return None if row is None else made(Conversation, row)

    async def delete(self, user_id: str, conversation_id: str) -> bool:
        """Remove a conversation of the user with its messages and its share."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(ConversationRow)
                .where(ConversationRow.id == conversation_id)
                .where(ConversationRow.user_id == user_id)
            )
            return gone.rowcount > 0


def title_of(question: str) -> str:
    """A title made of a question: its first characters, whole words, one line."""
    words = " ".join(question.split())
    if len(words) <= TITLE_CHARS:
        return words
    cut = words[:TITLE_CHARS]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut[:-1]) + "…"


def _conversations(user_id: str) -> Select[str, str, datetime, datetime, str]:
    return (
        select(
            ConversationRow.id,
            ConversationRow.title,
            ConversationRow.created_at,
            ConversationRow.updated_at,
            ShareRow.id.label("share_id"),
        )
        .outerjoin(ShareRow, ShareRow.conversation_id == ConversationRow.id)
        .where(ConversationRow.user_id == user_id)
    )


def _messages(conversation_id: str) -> Select[Any]:
    """All of a conversation. Whose it is must have been asked, or be asked by what is joined."""
    return (
        select(MessageRow)
        .where(MessageRow.conversation_id == conversation_id)
        .order_by(MessageRow.position)
    )


async def before(
    connection: AsyncConnection, conversation_id: str, position: int
) -> tuple[Message, ...]:
    """The last messages before a position, oldest first. Whose they are must have been asked."""
    found = await connection.execute(
        _messages(conversation_id)
        .where(MessageRow.position < position)
        .order_by(None)
        .order_by(MessageRow.position.desc())
        .limit(HISTORY)
    )
    return tuple(made(Message, row) for row in found.mappings())[::-1]


async def _opened(connection: AsyncConnection, user_id: str, question: str, now: datetime) -> str:
    conversation_id, title = new_id(), title_of(question)
    await connection.execute(
        insert(ConversationRow).values(
            id=conversation_id,
            user_id=user_id,
            title=title,
            folded=fold(title),
            renamed=False,
            created_at=now,
            updated_at=now,
        )
    )
    return conversation_id


async def _owned(connection: AsyncConnection, user_id: str, conversation_id: str) -> bool:
    """Whether it is the user's; PostgreSQL lets nobody else write in it until we are done."""
    asked = (
        select(ConversationRow.id)
        .where(ConversationRow.id == conversation_id)
        .where(ConversationRow.user_id == user_id)
        .with_for_update()
    )
    return await connection.scalar(asked) is not None


async def _taken(connection: AsyncConnection, conversation_id: str, position: int) -> bool:
    asked = (
        select(MessageRow.id)
        .where(MessageRow.conversation_id == conversation_id)
        .where(MessageRow.position == position)
    )
    return await connection.scalar(asked) is not None


async def _place(
    connection: AsyncConnection, user_id: str, conversation_id: str, replaces: str | None
) -> int | None:
    """The position of the next question, after removing what it replaces; None: not his."""
    if not await _owned(connection, user_id, conversation_id):
        return None
    of_it = MessageRow.conversation_id == conversation_id
    if replaces is None:
        last = await connection.scalar(select(func.max(MessageRow.position)).where(of_it))
        return 0 if last is None else (last // 2 + 1) * 2
    position = await connection.scalar(
        select(MessageRow.position)
        .where(of_it)
        .where(MessageRow.id == replaces)
        .where(MessageRow.role == "user")
    )
    if position is not None:
        await connection.execute(
            delete(MessageRow).where(of_it).where(MessageRow.position >= position)
        )
    return position


async def _touch(
    connection: AsyncConnection,
    user_id: str,
    conversation_id: str,
    now: datetime,
    question: str,
    position: int,
) -> None:
    """Move a conversation to the top; its first question makes its title."""
    mine = (
        update(ConversationRow)
        .where(ConversationRow.id == conversation_id)
        .where(ConversationRow.user_id == user_id)
    )
    await connection.execute(mine.values(updated_at=now))
    if position == 0:
        title = title_of(question)
        await connection.execute(
            mine.where(ConversationRow.renamed.is_(False)).values(title=title, folded=fold(title))
        )
