"""Which account of another service is whose here, and the codes by which people say so.

    code = await state.links.code("mattermost", external_id, "@ada")    # told to her there, alone
    await state.links.redeem(user_id, code)                             # by her who signed in here

A service is `mattermost` or `gitlab:<host>`. An account there belongs to one user; a user may have
several there.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Delete, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from web.state.database import Database, digest, made, upsert
from web.state.rows import LinkCodeRow, LinkRow, UserRow
from web.state.users import User

CODE_LASTS = timedelta(minutes=10)
AT_ONCE = 500
"""So many ids stand in one statement; databases know a limit."""


@dataclass(frozen=True, slots=True)
class Link:
    """An account of another service that is a user's. `name` is for people: it may change there."""

    service: str
    external_id: str
    name: str
    user_id: str
    linked_at: datetime


@dataclass(frozen=True, slots=True)
class LinkCode:
    """What a code would link, for the page that asks about it."""

    service: str
    external_id: str
    name: str
    expires_at: datetime


class Links:
    """Links of the user who is named first; services ask whose an account of theirs is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def code(self, service: str, external_id: str, name: str) -> str:
        """A new code for an account of a service; the one before it holds no more."""
        secret, now = secrets.token_urlsafe(24), self._database.clock()
        async with self._database.write() as connection:
            await connection.execute(_codes_of(service, external_id))
            await connection.execute(
                insert(LinkCodeRow).values(
                    digest=digest(secret),
                    service=service,
                    external_id=external_id,
                    name=name,
                    expires_at=now + CODE_LASTS,
                )
            )
        return secret

    async def about(self, code: str) -> LinkCode | None:
        """What a code would link; None: it is none, was used, or has expired."""
        asked = (
            select(LinkCodeRow)
            .where(LinkCodeRow.digest == digest(code))
            .where(LinkCodeRow.expires_at > self._database.clock())
        )
        async with self._database.read() as connection:
            row = (await connection.execute(asked)).mappings().one_or_none()
            return None if row is None else made(LinkCode, row)

    async def redeem(self, user_id: str, code: str) -> Link | None:
        """Link the account that a code was made for with the user; None: as of `about`.

        An account that was somebody else's is the user's from now on.
        """
        async with self._database.write() as connection:
            used = (
                delete(LinkCodeRow).where(LinkCodeRow.digest == digest(code)).returning(LinkCodeRow)
            )
            row = (await connection.execute(used)).mappings().one_or_none()
            if row is None or made(LinkCode, row).expires_at <= self._database.clock():
                return None
            return await self._put(
                connection, user_id, row["service"], row["external_id"], row["name"]
            )

    async def put(self, user_id: str, service: str, external_id: str, name: str = "") -> Link:
        """Link an account of a service with the user, without a code."""
        async with self._database.write() as connection:
            return await self._put(connection, user_id, service, external_id, name)

    async def _put(
        self, connection: AsyncConnection, user_id: str, service: str, external_id: str, name: str
    ) -> Link:
        said = {"user_id": user_id, "name": name, "linked_at": self._database.clock()}
        new = upsert(connection, LinkRow).values(service=service, external_id=external_id, **said)
        known = new.on_conflict_do_update(index_elements=["service", "external_id"], set_=said)
        rows = await connection.execute(known.returning(LinkRow))
        return made(Link, rows.mappings().one())

    async def all(self, user_id: str) -> list[Link]:
        """The user's links, the latest first."""
        asked = (
            select(LinkRow)
            .where(LinkRow.user_id == user_id)
            .order_by(LinkRow.linked_at.desc(), LinkRow.service, LinkRow.external_id)
        )
        async with self._database.read() as connection:
            return [made(Link, row) for row in (await connection.execute(asked)).mappings()]

    async def remove(self, user_id: str, service: str) -> bool:
        """End the user's links with a service; False: there were none."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(LinkRow).where(LinkRow.user_id == user_id).where(LinkRow.service == service)
            )
            return gone.rowcount > 0

    async def user_of(self, service: str, external_id: str) -> User | None:
        """Whose an account of a service is; None: it is linked with nobody."""
        return (await self.users_of(service, [external_id])).get(external_id)

    async def users_of(self, service: str, external_ids: Iterable[str]) -> dict[str, User]:
        """Whose accounts of a service are, by their ids there; those of nobody are left out."""
        ids = list(dict.fromkeys(external_ids))
        found: dict[str, User] = {}
        async with self._database.read() as connection:
            for start in range(0, len(ids), AT_ONCE):
                asked = (
                    select(LinkRow.external_id.label("external"), UserRow)
                    .join(UserRow, UserRow.id == LinkRow.user_id)
                    .where(LinkRow.service == service)
                    .where(LinkRow.external_id.in_(ids[start : start + AT_ONCE]))
                )
                rows = (await connection.execute(asked)).mappings()
                found.update({row["external"]: made(User, row) for row in rows})
        return found

    async def forget(self, service: str, external_id: str) -> bool:
        """End the link of an account of a service, as asked there; False: there was none."""
        async with self._database.write() as connection:
            await connection.execute(_codes_of(service, external_id))
            gone = await connection.execute(
                delete(LinkRow)
                .where(LinkRow.service == service)
                .where(LinkRow.external_id == external_id)
            )
            return gone.rowcount > 0


def _codes_of(service: str, external_id: str) -> Delete:
    return (
        delete(LinkCodeRow)
        .where(LinkCodeRow.service == service)
        .where(LinkCodeRow.external_id == external_id)
    )
