"""Programs that wait for somebody to let them in: the two codes of RFC 8628.

    given = await state.devices.begin("VS Code on laptop")      # the program shows `user_code`
    await state.devices.decide(user_id, user_code, allowed=True)    # he types it on the page
    told = await state.devices.poll(given.device_code)          # the program, again and again

Nothing that lets anybody in is kept: of both codes only the SHA-256, and a token is made when the
program comes for it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from sqlalchemy import ColumnElement, RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from web.state.database import Database, digest, made
from web.state.rows import DeviceRow

LASTS = timedelta(minutes=10)
INTERVAL = timedelta(seconds=5)
"""So long a program waits between two questions; RFC 8628 names this where nothing else is said."""
EARLY = timedelta(seconds=1)
"""Clocks and networks are not exact."""
MOST_WAITING = 1000
"""Whoever asks for codes has not signed in: so many rows he may fill, and no more."""
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word; 20 to the power of 8 codes, as RFC 8628 suggests."""
LENGTH = 8


class Stage(Enum):
    """What becomes of a program that waits."""

    PENDING = auto()
    EARLY = auto()
    GRANTED = auto()
    DENIED = auto()
    EXPIRED = auto()


class Polled(NamedTuple):
    """What a program is told; as whom it is let in, by the name that it gave itself."""

    stage: Stage
    user_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Codes:
    """Told once, to the program: one code for itself, one for the person to type."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Device:
    """A program that waits. `name` is what it calls itself: nobody has checked that."""

    name: str
    expires_at: datetime


class Devices:
    """Programs that wait; a user decides about those whose code he has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, name: str) -> Codes | None:
        """New codes for a program; None: too many wait already."""
        device, user = secrets.token_urlsafe(32), _user_code()
        now = self._database.clock()
        async with self._database.write() as connection:
            await connection.execute(delete(DeviceRow).where(DeviceRow.expires_at <= now))
            waiting = await connection.scalar(select(func.count()).select_from(DeviceRow))
            if (waiting or 0) >= MOST_WAITING:
                return None
            await connection.execute(
                insert(DeviceRow).values(
                    digest=digest(device),
                    user_digest=digest(user),
                    name=name,
                    created_at=now,
                    expires_at=now + LASTS,
                )
            )
        return Codes(device, f"{user[:4]}-{user[4:]}")

    async def about(self, user_id: str, user_code: str) -> Device | None:
        """Which program shows this code; None: none does, or it is decided or too late."""
        asked = select(DeviceRow).where(*self._undecided(user_code))
        async with self._database.read() as connection:
            row = (await connection.execute(asked)).mappings().one_or_none()
            return None if row is None else made(Device, row)

    async def decide(self, user_id: str, user_code: str, *, allowed: bool) -> bool:
        """Let the program in as the user, or refuse it; False: as None of `about`."""
        decided = (
            update(DeviceRow)
            .where(*self._undecided(user_code))
            .values(user_id=user_id, allowed=allowed)
        )
        async with self._database.write() as connection:
            return (await connection.execute(decided)).rowcount > 0

    async def poll(self, device_code: str) -> Polled:
        """What becomes of the program that has this code, and as whom it is let in, once."""
        async with self._database.write() as connection:
            own = DeviceRow.digest == digest(device_code)
            row = (await connection.execute(select(DeviceRow).where(own))).mappings().one_or_none()
            stage = self._stage(row)
            if row is None or stage is Stage.EXPIRED:
                return Polled(Stage.EXPIRED)
            if stage in (Stage.GRANTED, Stage.DENIED):
                return await _taken(connection, row["digest"], stage)
            asked = update(DeviceRow).where(own).values(polled_at=self._database.clock())
            await connection.execute(asked)
            return Polled(stage)

    def _stage(self, row: RowMapping | None) -> Stage:
        now = self._database.clock()
        if row is None or row["expires_at"] <= now:
            return Stage.EXPIRED
        if row["allowed"] is None:
            before = row["polled_at"]
            early = before is not None and now - before < INTERVAL - EARLY
            return Stage.EARLY if early else Stage.PENDING
        return Stage.GRANTED if row["allowed"] else Stage.DENIED

    def _undecided(self, user_code: str) -> tuple[ColumnElement[bool], ...]:
        return (
            DeviceRow.user_digest == digest(plain(user_code)),
            DeviceRow.allowed.is_(None),
            DeviceRow.expires_at > self._database.clock(),
        )


async def _taken(connection: AsyncConnection, key: str, stage: Stage) -> Polled:
    """Who decided. Two that ask at once do not both get it: the row goes with the first."""
    gone = await connection.execute(
        delete(DeviceRow).where(DeviceRow.digest == key).returning(DeviceRow)
    )
    row = gone.mappings().one_or_none()
    # Meanwhile another may have come, or the account that said yes have been erased.
    return Polled(stage, row["user_id"], row["name"]) if row else Polled(Stage.EXPIRED)


def plain(user_code: str) -> str:
    """A code as it was made, of one that a person typed.

    >>> plain("bcdf ghjk")
    'BCDFGHJK'
    """
    return "".join(letter for letter in user_code.upper() if letter in LETTERS)


def _user_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
