"""Signed-in browsers. The opaque id stands in the cookie; here is only its SHA-256."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from web.state.database import Database, digest, made, new_id
from web.state.rows import SessionRow, UserRow
from web.state.users import User


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `oidc_sid` is the provider's name of it."""

    user_id: str
    oidc_sid: str
    created_at: datetime
    expires_at: datetime


class Sessions:
    """Sessions, found by the secret of their cookie."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, user_id: str, *, lasts: timedelta, oidc_sid: str = "") -> str:
        """A new session; gives the secret for the cookie."""
        secret, now = new_id(), self._database.clock()
        async with self._database.write() as connection:
            await connection.execute(
                insert(SessionRow).values(
                    digest=digest(secret),
                    user_id=user_id,
                    oidc_sid=oidc_sid,
                    created_at=now,
                    expires_at=now + lasts,
                )
            )
        return secret

    async def find(self, secret: str) -> tuple[Session, User] | None:
        """The session that this secret opens, with its account; None once it has expired."""
        asked = (
            select(SessionRow)
            .where(SessionRow.digest == digest(secret))
            .where(SessionRow.expires_at > self._database.clock())
        )
        async with self._database.read() as connection:
            found = (await connection.execute(asked)).mappings().one_or_none()
            if found is None:
                return None
            session = made(Session, found)
            users = await connection.execute(select(UserRow).where(UserRow.id == session.user_id))
            return session, made(User, users.mappings().one())

    async def end(self, secret: str) -> bool:
        """Sign this browser out; False when there was nothing to end."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(SessionRow).where(SessionRow.digest == digest(secret))
            )
            return gone.rowcount > 0

    async def end_all(self, user_id: str) -> int:
        """Sign somebody out everywhere; gives how many sessions that ended."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(SessionRow).where(SessionRow.user_id == user_id))
            return gone.rowcount

    async def end_at_provider(self, issuer: str, *, subject: str = "", sid: str = "") -> int:
        """End what the provider has ended: the session `sid`, or all of `subject`, or both given.

        Gives how many sessions that ended.
        """
        if not (subject or sid):
            msg = "A back-channel logout names a subject or a session."
            raise ValueError(msg)
        whose = select(UserRow.id).where(UserRow.issuer == issuer)
        if subject:
            whose = whose.where(UserRow.subject == subject)
        which = delete(SessionRow).where(SessionRow.user_id.in_(whose))
        if sid:
            which = which.where(SessionRow.oidc_sid == sid)
        async with self._database.write() as connection:
            return (await connection.execute(which)).rowcount
