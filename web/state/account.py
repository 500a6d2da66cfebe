"""All that is kept about one person: to be given to him as one document, and to be erased."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from web.state.audit import Shown
from web.state.conversations import Conversation, Message
from web.state.database import Database, made
from web.state.feedback import Feedback, Verdict
from web.state.gaps import Gap
from web.state.links import Link
from web.state.rows import (
    AuditRow,
    ConversationRow,
    FeedbackRow,
    GapRow,
    LinkRow,
    MessageRow,
    SessionRow,
    ShareRow,
    TokenRow,
    UserRow,
)
from web.state.sessions import Session
from web.state.tokens import Token
from web.state.users import User


@dataclass(frozen=True, slots=True)
class Account:
    """Everything about a user. Secrets are not in it: they are kept nowhere.

    Answers stand here as they were shown. Before it leaves the server, whoever hands it out has
    to withhold what the user may no longer read, with `dataclasses.replace`.
    """

    user: User
    sessions: tuple[Session, ...]
    conversations: tuple[Conversation, ...]
    messages: dict[str, tuple[Message, ...]]
    """By the id of the conversation."""
    feedback: tuple[Feedback, ...]
    tokens: tuple[Token, ...]
    links: tuple[Link, ...]
    unanswered: tuple[Gap, ...]
    audit: tuple[Shown, ...]


class Accounts:
    """Export and erasure of what belongs to the user who is named first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, user_id: str) -> Account | None:
        """Everything about the user; None: there is no such account."""
        conversations = (
            select(ConversationRow, ShareRow.id.label("share_id"))
            .outerjoin(ShareRow, ShareRow.conversation_id == ConversationRow.id)
            .where(ConversationRow.user_id == user_id)
            .order_by(ConversationRow.created_at, ConversationRow.id)
        )
        messages = (
            select(MessageRow)
            .join(ConversationRow, ConversationRow.id == MessageRow.conversation_id)
            .where(ConversationRow.user_id == user_id)
            .order_by(MessageRow.conversation_id, MessageRow.position)
        )
        async with self._database.read() as connection:

            async def rows(asked: Any) -> Sequence[Any]:
                return (await connection.execute(asked)).mappings().all()

            users = await rows(select(UserRow).where(UserRow.id == user_id))
            if not users:
                return None
            said: dict[str, list[Message]] = {}
            for row in await rows(messages):
                said.setdefault(row["conversation_id"], []).append(made(Message, row))

            async def all_of(kind: type[Any], table: Any, at: Any) -> tuple[Any, ...]:
                asked = select(table).where(table.user_id == user_id).order_by(at)
                return tuple(made(kind, row) for row in await rows(asked))

            return Account(
                user=made(User, users[0]),
                sessions=await all_of(Session, SessionRow, SessionRow.created_at),
                conversations=tuple(made(Conversation, r) for r in await rows(conversations)),
                messages={key: tuple(value) for key, value in said.items()},
                feedback=await all_of(Feedback, FeedbackRow, FeedbackRow.created_at),
                tokens=await all_of(Token, TokenRow, TokenRow.created_at),
                links=await all_of(Link, LinkRow, LinkRow.linked_at),
                unanswered=await all_of(Gap, GapRow, GapRow.at),
                audit=await all_of(Shown, AuditRow, AuditRow.id),
            )

    async def erase(self, user_id: str) -> bool:
        """Erase the user: sessions, tokens, links, conversations, shares, feedback and the account.

        What others still need stays without him: the audit log (which documents were shown), the
        unanswered questions, and what a maintainer took into the test set, without its free text.
        False: there is no such account.
        """
        async with self._database.write() as connection:
            for nameless in (
                update(AuditRow).where(AuditRow.user_id == user_id).values(user_id=None),
                delete(FeedbackRow)
                .where(FeedbackRow.user_id == user_id)
                .where(FeedbackRow.verdict != Verdict.ACCEPTED.value),
                update(FeedbackRow)
                .where(FeedbackRow.user_id == user_id)
                .values(user_id=None, message_id=None, text="", answer=None),
                update(FeedbackRow).where(FeedbackRow.judged_by == user_id).values(judged_by=None),
            ):
                await connection.execute(nameless)
            # The foreign keys take along what else belongs to him, and clear the name of questions
            # without answer. Feedback points to three things that go: PostgreSQL refuses to clear
            # them one by one, so that is done above.
            gone = await connection.execute(delete(UserRow).where(UserRow.id == user_id))
            return gone.rowcount > 0


def account_to_dict(account: Account) -> dict[str, Any]:
    """The account as plain JSON values; times in ISO 8601."""
    plain: dict[str, Any] = _plain(asdict(account))
    messages = plain.pop("messages")
    for conversation in plain["conversations"]:
        conversation["messages"] = messages.get(conversation["id"], [])
    return {"format": "docent-account-1", **plain}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
