"""The engine under the repositories: SQLite in a file, or PostgreSQL by URL.

Reads and writes are transactions of their own, opened with `read()` and `write()`. On SQLite a
write takes the lock when it begins (`BEGIN IMMEDIATE`): one that began by reading could otherwise
be refused when it first writes, without having waited. Those of one process stand in line for it
here: SQLite itself has no line, and of two hundred who keep trying some never get their turn.
"""

import asyncio
import hashlib
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import URL, Connection, RowMapping, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from web.state.errors import StateTrouble
from web.state.rows import Base

Clock = Callable[[], datetime]
Record = TypeVar("Record")

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
FILE_NAME = "state.db"
PATIENCE = 6
"""For those before it in this process, which do come to an end, a write waits so much longer."""


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id that nobody can guess: 128 random bits in 32 characters."""
    return secrets.token_hex(16)


def digest(secret: str) -> str:
    """SHA-256 of a secret that is long and random, so that no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def made(kind: type[Record], row: RowMapping | Mapping[str, Any]) -> Record:
    """A record of the columns that bear the names of its fields."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})  # type: ignore[arg-type] # every record is a dataclass


def upsert(connection: AsyncConnection, row: type[Base]) -> Any:
    """An INSERT that has `on_conflict_do_update`; both databases do, each by its own class."""
    return sqlite.insert(row) if connection.dialect.name == "sqlite" else postgresql.insert(row)


def url_for(url: str, index: Path) -> str:
    """The URL of the settings, or of `state.db` beside the index folder where there is none."""
    return url or f"sqlite:///{(index.parent / FILE_NAME).resolve()}"


class Database:
    """An engine with its clock. `wait_s`: how long to wait for a lock, a connection, a reply."""

    def __init__(self, url: str, *, clock: Clock = now, wait_s: float = 5.0) -> None:
        self.url = _checked(url)
        self.clock = clock
        self.wait_s = wait_s
        self.engine = engine_for(self.url, wait_s)
        self._writing = self.engine.execution_options(write=True)
        self._line = asyncio.Lock() if self.engine.dialect.name == "sqlite" else None
        self._reading = self.engine
        if self.engine.dialect.name == "postgresql":
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ")

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database.

        Raises:
            StateTrouble: the database cannot be used now.
        """
        with told():
            async with self._reading.begin() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is kept when the block ends, and undone when it raises.

        Raises:
            StateTrouble: nothing was written.
        """
        with told():
            async with self._turn(), self._writing.begin() as connection:
                yield connection

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._line is None:
            yield
            return
        async with asyncio.timeout(self.wait_s * PATIENCE):
            await self._line.acquire()
        try:
            yield
        finally:
            self._line.release()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
        driver = DRIVERS[parsed.get_backend_name()]
    except (ArgumentError, KeyError):
        # The URL itself is not repeated: it may hold a password.
        msg = (
            "[state] url is not one that Docent knows. "
            "Use sqlite:////folder/state.db or postgresql://user@host/database."
        )
        raise StateTrouble(msg) from None
    if driver == DRIVERS["sqlite"] and parsed.database in (None, "", ":memory:"):
        msg = "[state] url names no file. Use sqlite:////folder/state.db."
        raise StateTrouble(msg)
    return parsed.set(drivername=driver)


def ready(url: URL) -> None:
    """Make the file of SQLite at need, readable for this user only: it tells who asked what.

    Raises:
        StateTrouble: it cannot be made or written.
    """
    if url.get_backend_name() != "sqlite":
        return
    path = str(url.database)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        msg = f"The database {path} cannot be opened: {error.strerror}. Set [state] url."
        raise StateTrouble(msg) from None


def engine_for(url: URL, wait_s: float, *, foreign_keys: bool = True) -> AsyncEngine:
    """An engine that waits `wait_s` for locks. Without foreign keys: for migrations of SQLite."""
    if url.get_backend_name() == "postgresql":
        milliseconds = str(max(1, round(wait_s * 1000)))
        asked = {"lock_timeout": milliseconds, "application_name": "docent", "timezone": "UTC"}
        return create_async_engine(
            url,
            pool_pre_ping=True,
            pool_timeout=wait_s * PATIENCE,
            connect_args={"server_settings": asked, "timeout": wait_s},
            hide_parameters=True,
        )
    engine = create_async_engine(url, pool_timeout=wait_s * PATIENCE, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        # The driver begins no transaction by itself: `begin` below does, and DDL is part of it.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={max(1, round(wait_s * 1000))}",
            "synchronous=NORMAL",
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.run_async(lambda driver: _write_ahead(driver, wait_s))

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


async def _write_ahead(driver: aiosqlite.Connection, wait_s: float) -> None:
    """Have the file keep a write-ahead log.

    Of connections that turn a new file to it at once, SQLite refuses all but one without minding
    `busy_timeout`: <https://www.sqlite.org/c3ref/busy_handler.html>.
    """
    last_try = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            async with driver.execute("PRAGMA journal_mode=WAL"):
                return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            if not busy or asyncio.get_running_loop().time() > last_try:
                raise
        await asyncio.sleep(0.02)


@contextmanager
def told() -> Iterator[None]:
    """Trouble of the database, as `StateTrouble` with a sentence."""
    try:
        yield
    except IntegrityError as error:
        msg = "What this belongs to has been removed in the meantime. Load the page again."
        raise StateTrouble(msg) from error
    except DBAPIError as error:
        raise StateTrouble(_sentence(str(error.orig))) from error
    except (SQLAlchemyTimeout, TimeoutError) as error:
        raise StateTrouble(_sentence(_BUSY)) from error
    except (SQLAlchemyError, OSError) as error:
        raise StateTrouble(_sentence(str(error))) from error


_BUSY = "busy"
_KNOWN = {
    _BUSY: "has more to do than it can",
    "locked": "is locked by another process",
    "lock timeout": "is locked by another process",
    "disk is full": "has no room left on its disk",
    "No space left": "has no room left on its disk",
    "readonly": "may not be written",
    "malformed": "is damaged: put the last backup back",
    "not a database": "is damaged: put the last backup back",
    "unable to open": "cannot be opened",
}


def _sentence(reason: str) -> str:
    told = next((told for sign, told in _KNOWN.items() if sign in reason), "cannot be reached")
    return f"The database of accounts and conversations {told}. Try again in a minute."
