"""Accounts, made of what the sign-in says about somebody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from web.state.database import Database, made, new_id, upsert
from web.state.errors import StateTrouble
from web.state.rows import UserRow

LOCAL_ID = "local"
"""The one account of a server without sign-in."""
SEEN_EVERY = timedelta(minutes=5)
"""Being seen again is written down only so often."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has signed in at least once. `groups` and `role` are as of that sign-in."""

    id: str
    issuer: str
    subject: str
    name: str
    email: str
    email_verified: bool
    groups: tuple[str, ...]
    role: str
    created_at: datetime
    signed_in_at: datetime
    seen_at: datetime


class Users:
    """Accounts. `sign_in` makes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sign_in(
        self,
        issuer: str,
        subject: str,
        *,
        name: str,
        email: str,
        groups: Iterable[str],
        role: str,
        email_verified: bool = False,
    ) -> User:
        """The account of an issuer's subject, made at need, with what the claims say now."""
        claims = {"name": name, "email": email, "email_verified": email_verified, "role": role}
        return await self._put(new_id(), issuer, subject, groups, claims)

    async def local(self, *, groups: Iterable[str], role: str = "admin") -> User:
        """The account `local`, whose conversations are kept where nobody signs in."""
        claims = {"name": "Local user", "email": "", "email_verified": False, "role": role}
        return await self._put(LOCAL_ID, "", LOCAL_ID, groups, claims)

    async def _put(
        self,
        user_id: str,
        issuer: str,
        subject: str,
        groups: Iterable[str],
        said: Mapping[str, Any],
    ) -> User:
        now = self._database.clock()
        claims = {
            **said,
            "groups": tuple(sorted(set(groups))),
            "signed_in_at": now,
            "seen_at": now,
        }
        async with self._database.write() as connection:
            insert = upsert(connection, UserRow).values(
                id=user_id, issuer=issuer, subject=subject, created_at=now, **claims
            )
            known = insert.on_conflict_do_update(index_elements=["issuer", "subject"], set_=claims)
            rows = await connection.execute(known.returning(UserRow))
            return made(User, rows.mappings().one())

    async def get(self, user_id: str) -> User | None:
        """The account with this id."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(UserRow).where(UserRow.id == user_id))
            row = rows.mappings().one_or_none()
            return None if row is None else made(User, row)

    async def of(self, issuer: str, subject: str) -> User | None:
        """The account of an issuer's subject, if he was here before."""
        asked = select(UserRow).where(UserRow.issuer == issuer, UserRow.subject == subject)
        async with self._database.read() as connection:
            row = (await connection.execute(asked)).mappings().one_or_none()
            return None if row is None else made(User, row)

    async def seen(self, user: User) -> StateTrouble | None:
        """Write down that somebody is here; at most once in `SEEN_EVERY`, and without raising."""
        now = self._database.clock()
        if now - user.seen_at < SEEN_EVERY:
            return None
        try:
            async with self._database.write() as connection:
                await connection.execute(
                    update(UserRow).where(UserRow.id == user.id).values(seen_at=now)
                )
        except StateTrouble as trouble:
            return trouble
        return None

    async def named(self, text: str) -> list[User]:
        """The accounts whose id, mail address or subject this is; for the operator only."""
        asked = or_(UserRow.id == text, UserRow.email == text, UserRow.subject == text)
        async with self._database.read() as connection:
            rows = await connection.execute(select(UserRow).where(asked).order_by(UserRow.id))
            return [made(User, row) for row in rows.mappings()]
