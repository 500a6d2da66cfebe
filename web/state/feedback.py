"""What readers say about answers, and what maintainers make of it.

Feedback keeps a copy of the question and of the answer, so that it can be understood after its
conversation is gone. Every feedback is a candidate for the test set until a maintainer has judged
it or dismissed it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, Update, and_, delete, func, or_, select, update
from sqlalchemy.orm import aliased

from web.state.database import Database, digest, made, new_id, upsert
from web.state.rows import ConversationRow, FeedbackRow, MessageRow

ID_CHARS = 32


class FeedbackState(StrEnum):
    """How far the maintainers are with it."""

    NEW = "new"
    SEEN = "seen"
    DONE = "done"
    DISMISSED = "dismissed"


class Verdict(StrEnum):
    """Whether it became a question of the test set."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody said about an answer. Who it was is not part of it.

    `answer` is the JSON of `AnswerOut` as it was shown to him, and `documents` the ids of what it
    shows: whoever reads it is checked again. `gold` is what a maintainer has accepted.
    """

    id: str
    message_id: str | None
    question: str
    answer: dict[str, Any] | None
    documents: tuple[str, ...]
    helpful: bool | None
    wrong_sentences: tuple[int, ...]
    text: str
    right_page: str
    state: str
    verdict: str
    gold: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class Feedbacks:
    """Feedback of the user who is named first, on answers of his own conversations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(
        self,
        user_id: str,
        message_id: str,
        *,
        helpful: bool | None = None,
        wrong_sentences: Iterable[int] = (),
        text: str = "",
        right_page: str = "",
    ) -> Feedback | None:
        """Say something about an answer; a second time, it replaces what was said before.

        None: there is no such answer in a conversation of this user.
        """
        now = self._database.clock()
        said = {
            "helpful": helpful,
            "wrong_sentences": tuple(sorted(set(wrong_sentences))),
            "text": text,
            "right_page": right_page,
            "state": FeedbackState.NEW.value,
            "updated_at": now,
        }
        asked = (
            select(MessageRow)
            .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
            .where(MessageRow.id == message_id)
            .where(MessageRow.role == "assistant")
            .where(ConversationRow.user_id == user_id)
        )
        async with self._database.write() as connection:
            answer = (await connection.execute(asked)).mappings().one_or_none()
            if answer is None:
                return None
            question = await connection.scalar(
                select(MessageRow.text)
                .where(MessageRow.conversation_id == answer["conversation_id"])
                .where(MessageRow.position == answer["position"] - 1)
            )
            insert = upsert(connection, FeedbackRow).values(
                id=new_id(),
                user_id=user_id,
                message_id=message_id,
                question=question,
                answer=answer["answer"],
                documents=answer["documents"],
                verdict=Verdict.OPEN.value,
                created_at=now,
                **said,
            )
            again = insert.on_conflict_do_update(
                index_elements=["user_id", "message_id"], set_=said
            )
            rows = await connection.execute(again.returning(FeedbackRow))
            return made(Feedback, rows.mappings().one())

    async def from_outside(
        self,
        key: str,
        *,
        question: str,
        answer: Mapping[str, Any] | None,
        documents: Iterable[str],
        helpful: bool,
        text: str = "",
    ) -> Feedback:
        """What somebody says of an answer who has no account, or whose answer it is not.

        `key` stands for him and the answer, and tells neither: said again with it, what was said
        before is replaced. A text is kept when only the judgement is said again.
        """
        now = self._database.clock()
        said: dict[str, Any] = {
            "helpful": helpful,
            "state": FeedbackState.NEW.value,
            "updated_at": now,
            **({"text": text} if text else {}),
        }
        new = {"text": "", "wrong_sentences": (), "right_page": "", **said}
        async with self._database.write() as connection:
            insert = upsert(connection, FeedbackRow).values(
                id=digest(key)[:ID_CHARS],
                question=question,
                answer=None if answer is None else dict(answer),
                documents=tuple(documents),
                verdict=Verdict.OPEN.value,
                created_at=now,
                **new,
            )
            again = insert.on_conflict_do_update(index_elements=["id"], set_=said)
            rows = await connection.execute(again.returning(FeedbackRow))
            return made(Feedback, rows.mappings().one())

    async def taken_back(self, key: str) -> bool:
        """Take back what was said with this key, unless it is in the test set already."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(FeedbackRow)
                .where(FeedbackRow.id == digest(key)[:ID_CHARS])
                .where(FeedbackRow.verdict != Verdict.ACCEPTED.value)
            )
            return gone.rowcount > 0

    async def all(self, user_id: str) -> list[Feedback]:
        """All that the user has said, oldest first."""
        asked = (
            select(FeedbackRow)
            .where(FeedbackRow.user_id == user_id)
            .order_by(FeedbackRow.created_at, FeedbackRow.id)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(asked)
            return [made(Feedback, row) for row in rows.mappings()]

    async def withdraw(self, user_id: str, message_id: str) -> bool:
        """Take back what the user said about an answer, unless it is in the test set already."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(FeedbackRow)
                .where(FeedbackRow.user_id == user_id)
                .where(FeedbackRow.message_id == message_id)
                .where(FeedbackRow.verdict != Verdict.ACCEPTED.value)
            )
            return gone.rowcount > 0


class Review:
    """Everybody's feedback. For maintainers: a route asks for the role before it comes here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def feedback(
        self,
        *,
        state: FeedbackState | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Feedback]:
        """The latest first. `before` is the id of the last one that was seen."""
        asked = select(FeedbackRow).order_by(FeedbackRow.created_at.desc(), FeedbackRow.id.desc())
        if state is not None:
            asked = asked.where(FeedbackRow.state == state.value)
        if before is not None:
            last = aliased(FeedbackRow)
            behind = or_(
                FeedbackRow.created_at < last.created_at,
                and_(FeedbackRow.created_at == last.created_at, FeedbackRow.id < last.id),
            )
            asked = asked.join(last, and_(last.id == before, behind))
        return await self._rows(asked.limit(limit))

    async def candidates(self, *, limit: int = 200) -> list[Feedback]:
        """What may become a question of the test set, oldest first."""
        asked = (
            select(FeedbackRow)
            .where(FeedbackRow.verdict == Verdict.OPEN.value)
            .where(FeedbackRow.state != FeedbackState.DISMISSED.value)
            .order_by(FeedbackRow.created_at, FeedbackRow.id)
        )
        return await self._rows(asked.limit(limit))

    async def accepted(self) -> list[Feedback]:
        """What has become a question of the test set, oldest first; the question is in `gold`."""
        asked = (
            select(FeedbackRow)
            .where(FeedbackRow.verdict == Verdict.ACCEPTED.value)
            .order_by(FeedbackRow.created_at, FeedbackRow.id)
        )
        return await self._rows(asked)

    async def get(self, feedback_id: str) -> Feedback | None:
        """One feedback."""
        rows = await self._rows(select(FeedbackRow).where(FeedbackRow.id == feedback_id))
        return rows[0] if rows else None

    async def settle(self, feedback_id: str, state: FeedbackState) -> Feedback | None:
        """Say how far the maintainers are with it; None: there is no such feedback."""
        return await self._change(
            update(FeedbackRow).where(FeedbackRow.id == feedback_id).values(state=state.value)
        )

    async def judge(
        self,
        maintainer_id: str,
        feedback_id: str,
        verdict: Verdict,
        gold: Mapping[str, Any] | None = None,
    ) -> Feedback | None:
        """Accept a candidate as `gold`, the question of the test set made of it, or reject it.

        None: there is no such feedback.
        """
        return await self._change(
            update(FeedbackRow)
            .where(FeedbackRow.id == feedback_id)
            .values(
                verdict=verdict.value,
                gold=None if gold is None else dict(gold),
                judged_by=maintainer_id,
            )
        )

    async def counts(self) -> dict[FeedbackState, int]:
        """How many there are in each state."""
        asked = select(FeedbackRow.state, func.count()).group_by(FeedbackRow.state)
        async with self._database.read() as connection:
            found = {row[0]: row[1] for row in await connection.execute(asked)}
            return {state: found.get(state.value, 0) for state in FeedbackState}

    async def _rows(self, asked: Select[Any]) -> list[Feedback]:
        async with self._database.read() as connection:
            rows = await connection.execute(asked)
            return [made(Feedback, row) for row in rows.mappings()]

    async def _change(self, change: Update) -> Feedback | None:
        changed = change.values(updated_at=self._database.clock()).returning(FeedbackRow)
        async with self._database.write() as connection:
            row = (await connection.execute(changed)).mappings().one_or_none()
            return None if row is None else made(Feedback, row)
