"""API tokens: `docent_<id>_<secret>`, told once. Only the SHA-256 of the secret is kept."""

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from web.state.database import Database, digest, made
from web.state.errors import StateTrouble
from web.state.rows import TokenRow, UserRow
from web.state.users import User

LONGEST = timedelta(days=366)
MOST = 50
"""So many of one user's may hold at a time: a script that makes one a run is told so."""
USED_EVERY = timedelta(minutes=5)
"""Being used again is written down only so often."""

_FORM = re.compile(r"docent_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_NO_DIGEST = digest("")


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret."""

    id: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None


class TooManyTokens(ValueError):
    """A user has as many tokens that still hold as he may have."""


class Tokens:
    """Tokens of the user who is named first; `verify` finds whose a token is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(
        self, user_id: str, name: str, scopes: Iterable[str], expires_at: datetime
    ) -> tuple[Token, str]:
        """A new token of the user, and its text, which nobody can be told again.

        Raises:
            ValueError: it would expire in the past, or later than `LONGEST` from now.
            TooManyTokens: `MOST` of the user's still hold.
        """
        now = self._database.clock()
        if not now < expires_at <= now + LONGEST:
            msg = f"A token may last until {now + LONGEST}, not until {expires_at}."
            raise ValueError(msg)
        token_id, secret = secrets.token_hex(8), secrets.token_hex(32)
        row = {
            "id": token_id,
            "user_id": user_id,
            "name": name,
            "digest": digest(secret),
            "scopes": tuple(sorted(set(scopes))),
            "created_at": now,
            "expires_at": expires_at,
        }
        async with self._database.write() as connection:
            if await _living(connection, user_id, now) >= MOST:
                msg = (
                    f"You have {MOST} API tokens that still hold, and nobody may have more. "
                    "Revoke one that is no longer used."
                )
                raise TooManyTokens(msg)
            rows = await connection.execute(insert(TokenRow).values(**row).returning(TokenRow))
            return made(Token, rows.mappings().one()), f"docent_{token_id}_{secret}"

    async def all(self, user_id: str) -> list[Token]:
        """The user's tokens, the latest first; also those that hold no more."""
        asked = (
            select(TokenRow)
            .where(TokenRow.user_id == user_id)
            .order_by(TokenRow.created_at.desc(), TokenRow.id)
        )
        async with self._database.read() as connection:
            rows = await connection.execute(asked)
            return [made(Token, row) for row in rows.mappings()]

    async def revoke(self, user_id: str, token_id: str) -> bool:
        """End a token of the user; False: there is no such one that still holds."""
        async with self._database.write() as connection:
            ended = await connection.execute(
                update(TokenRow)
                .where(TokenRow.id == token_id)
                .where(TokenRow.user_id == user_id)
                .where(TokenRow.revoked_at.is_(None))
                .values(revoked_at=self._database.clock())
            )
            return ended.rowcount > 0

    async def verify(self, text: str) -> tuple[Token, User] | None:
        """The token that this text is, with its account; None when it is none or holds no more."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        async with self._database.read() as connection:
            rows = await connection.execute(select(TokenRow).where(TokenRow.id == form[1]))
            row = rows.mappings().one_or_none()
            right = hmac.compare_digest(
                digest(form[2]), _NO_DIGEST if row is None else row["digest"]
            )
            if row is None or not right:
                return None
            token = made(Token, row)
            if token.revoked_at is not None or token.expires_at <= self._database.clock():
                return None
            users = await connection.execute(select(UserRow).where(UserRow.id == token.user_id))
            return token, made(User, users.mappings().one())

    async def used(self, token: Token) -> StateTrouble | None:
        """Write down that a token is in use; at most once in `USED_EVERY`, and without raising."""
        now = self._database.clock()
        if token.used_at is not None and now - token.used_at < USED_EVERY:
            return None
        try:
            async with self._database.write() as connection:
                await connection.execute(
                    update(TokenRow).where(TokenRow.id == token.id).values(used_at=now)
                )
        except StateTrouble as trouble:
            return trouble
        return None


async def _living(connection: AsyncConnection, user_id: str, now: datetime) -> int:
    """How many of his tokens hold; PostgreSQL lets no other be made until we are done."""
    await connection.execute(select(UserRow.id).where(UserRow.id == user_id).with_for_update())
    held = (
        select(func.count())
        .select_from(TokenRow)
        .where(TokenRow.user_id == user_id)
        .where(TokenRow.revoked_at.is_(None))
        .where(TokenRow.expires_at > now)
    )
    return await connection.scalar(held) or 0
