"""The tables, typed. What others see are the frozen records of the files beside this one.

Every change here needs a migration in `migrations/versions`; a test compares the two.
"""

import unicodedata
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A point in time: aware and in UTC on both sides, also where the database knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"The time {value} has no zone."
            raise ValueError(msg)
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text of people and pages. What a database cannot hold (NUL, half a surrogate pair) is `�`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Several(TypeDecorator[tuple[Any, ...]]):
    """A short list, kept as JSON and given back as a tuple."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else list(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[Any, ...] | None:
        return None if value is None else tuple(value)


def fold(text: str) -> str:
    """The text as searches compare it: without case, in all scripts and on both databases."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def storable(text: str) -> str:
    """The text without what a database cannot hold."""
    return text.replace("\0", "�").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


class Base(DeclarativeBase):
    """Constraints have names of their own, so that a migration can take them away again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: Words,
        datetime: Moment,
        tuple[str, ...]: Several,
        tuple[int, ...]: Several,
        tuple[dict[str, Any], ...]: Several,
        dict[str, Any]: JSON(none_as_null=True),
    }


def _owner() -> Mapped[str]:
    return mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)


class UserRow(Base):
    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    name: Mapped[str]
    email: Mapped[str]
    email_verified: Mapped[bool]
    """Whether the provider says that the address is this person's."""
    groups: Mapped[tuple[str, ...]]
    role: Mapped[str]
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class SessionRow(Base):
    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the opaque id that stands in the cookie."""
    user_id: Mapped[str] = _owner()
    oidc_sid: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ConversationRow(Base):
    __tablename__ = "conversations"
    __table_args__ = (Index(None, "user_id", "updated_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str]
    folded: Mapped[str]
    """The title as searches read it."""
    renamed: Mapped[bool]
    """True once its owner has given the title; else it is made of the first question."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class MessageRow(Base):
    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("conversation_id", "position"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    position: Mapped[int]
    role: Mapped[str]
    text: Mapped[str]
    folded: Mapped[str]
    """The text as searches read it."""
    answer: Mapped[dict[str, Any] | None]
    documents: Mapped[tuple[str, ...]]
    created_at: Mapped[datetime]


class ShareRow(Base):
    __tablename__ = "shares"
    __table_args__ = (UniqueConstraint("conversation_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    """When it was shared, or shared again: what was written later does not show."""


class FeedbackRow(Base):
    __tablename__ = "feedback"
    __table_args__ = (UniqueConstraint("user_id", "message_id"), Index(None, "state", "created_at"))

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    message_id: Mapped[str | None] = mapped_column(
        ForeignKey("messages.id", ondelete="SET NULL"), index=True
    )
    question: Mapped[str]
    answer: Mapped[dict[str, Any] | None]
    documents: Mapped[tuple[str, ...]]
    helpful: Mapped[bool | None]
    wrong_sentences: Mapped[tuple[int, ...]]
    text: Mapped[str]
    right_page: Mapped[str]
    state: Mapped[str]
    verdict: Mapped[str]
    gold: Mapped[dict[str, Any] | None]
    judged_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TokenRow(Base):
    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = _owner()
    name: Mapped[str]
    digest: Mapped[str]
    """SHA-256 of the secret; the secret itself is kept nowhere."""
    scopes: Mapped[tuple[str, ...]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class DeviceRow(Base):
    __tablename__ = "devices"

    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the code that the program has."""
    user_digest: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the code that the person types."""
    name: Mapped[str]
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    allowed: Mapped[bool | None]
    """None until somebody has decided."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    polled_at: Mapped[datetime | None]


class AuditRow(Base):
    __tablename__ = "audit"

    # A plain integer is what SQLite numbers by itself.
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(index=True)
    # No foreign key: what was shown must be written down also while an account is being erased.
    user_id: Mapped[str | None] = mapped_column(index=True)
    door: Mapped[str]
    documents: Mapped[tuple[str, ...]]
    request_id: Mapped[str]


class UsageRow(Base):
    __tablename__ = "usage"

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Upper bound in milliseconds of what is counted here; 0 for a plain count."""
    count: Mapped[int]


class GapRow(Base):
    __tablename__ = "gaps"
    __table_args__ = (Index(None, "state", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    question: Mapped[str]
    nearest: Mapped[tuple[str, ...]]
    score: Mapped[float | None]
    state: Mapped[str]


class LinkRow(Base):
    __tablename__ = "links"

    service: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    user_id: Mapped[str] = _owner()
    linked_at: Mapped[datetime]


class LinkCodeRow(Base):
    __tablename__ = "link_codes"

    digest: Mapped[str] = mapped_column(primary_key=True)
    """SHA-256 of the code, which is told to the person on the other service only."""
    service: Mapped[str]
    external_id: Mapped[str]
    name: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UnderwayRow(Base):
    __tablename__ = "underway"

    answer_id: Mapped[str] = mapped_column(primary_key=True)
    question_id: Mapped[str] = mapped_column(
        ForeignKey("messages.id", ondelete="CASCADE"), unique=True
    )
    asked: Mapped[dict[str, Any] | None]
    """What belongs to the question beside its text."""
    beat_at: Mapped[datetime] = mapped_column(index=True)
    """When a server last said that it writes the answer."""
    wanted_at: Mapped[datetime | None]
    """When somebody last asked for it at another server."""
    stopped: Mapped[bool]


class CounterRow(Base):
    __tablename__ = "counters"

    key: Mapped[str] = mapped_column(primary_key=True)
    window: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Its number since 1970."""
    count: Mapped[int]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PendingRow(Base):
    __tablename__ = "pending"

    service: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    told: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(index=True)
