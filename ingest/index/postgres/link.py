"""A connection to PostgreSQL as the index uses it: plain calls over asyncpg, errors as sentences.

The only file that imports asyncpg for the index. asyncpg runs in a thread of its own, since
searches run in worker threads and ingestion in none. What goes wrong becomes an `IndexTrouble`
that names the address without its password.
"""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
import numpy as np

from ingest.errors import IndexTrouble, SettingsError
from ingest.index.rows import Values

T = TypeVar("T")

SCHEMA = "docent_index"
CONNECT_S = 10.0
READ_S = 60.0
"""So long a read may take; a writer waits as long as its statement needs."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_MARK = re.compile(r"\?|(?<![:\w]):([a-z_]+)")
_SESSION = {
    "application_name": "docent",
    "timezone": "UTC",
    "jit": "off",  # compiling a search takes longer than the search
    "plan_cache_mode": "force_custom_plan",  # one reader sees ten passages, another ten million
}


class StillRead(IndexTrouble):
    """A table is in use: caught by who would drop it."""


class TableGone(IndexTrouble):
    """A table is not there any more: caught by who looks for the next one."""


class LinkLost(IndexTrouble):
    """The connection broke or cannot be made: caught where a second try is of use."""


class Use(Enum):
    """What a connection is for, and which of several servers it goes to."""

    SEARCH = "prefer-standby"
    """A replica if there is one, so that the server itself has its hands free to write."""
    OPERATE = "primary"
    """Reading what holds now."""
    WRITE = "primary, writing"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an index lies: `postgresql://USER@HOST/DATABASE?schema=NAME`; libpq's options hold.

    Several hosts (`HOST1,HOST2`) are a server with replicas of it, in any order.
    """

    url: str
    """Without the schema: what the driver understands."""
    schema: str
    shown: str
    """Without a password."""
    several: bool
    """A server with replicas."""

    def session(self, use: Use) -> dict[str, str]:
        """Which of several servers is meant."""
        return {"target_session_attrs": use.value.partition(",")[0]} if self.several else {}

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises SettingsError for a schema that is no plain name."""
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        schema = options.pop("schema", SCHEMA)
        if not _NAME.fullmatch(schema):
            msg = f"[index] url: the schema {schema!r} is no name of a-z, 0-9 and _."
            raise SettingsError(msg)
        scheme = "postgresql"  # also of `postgresql+asyncpg`, as SQLAlchemy has it
        plain = urlunsplit((scheme, parts.netloc, parts.path, urlencode(options), ""))
        host = parts.netloc.rpartition("@")[2] or options.get("host", "")
        shown = f"{scheme}://{host}{parts.path} (schema {schema})"
        return cls(plain, schema, shown, "," in host)


class Loop:
    """asyncpg's event loop, in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="postgresql", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def run(self, work: Awaitable[T]) -> T:
        """Wait for something that asyncpg does."""

        async def waited() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(waited(), self._loop).result()

    def close(self) -> None:
        """End the thread; what it still had to do is dropped."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


_FAILED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises; the last when the other side is gone in the midst of what it says."""


class Records:
    """What a statement gave, as SQLite's cursor gives it."""

    def __init__(self, records: Sequence[Any]) -> None:
        self._left = iter(records)

    def __iter__(self) -> Iterator[Any]:
        return self._left

    def fetchone(self) -> Any:
        return next(self._left, None)

    def fetchall(self) -> list[Any]:
        return list(self._left)


class Link:
    """One connection. Takes statements with SQLite's placeholders (`?`, `:name`) or its own."""

    def __init__(self, loop: Loop, address: Address, use: Use) -> None:
        """Raises LinkLost when the server cannot be reached, IndexTrouble when it refuses."""
        self._loop = loop
        self.address = address
        self._limit = None if use is Use.WRITE else READ_S
        self._raw: Any = self._do("opened", lambda: self._connect(use))

    async def _connect(self, use: Use) -> Any:
        schema = self.address.schema
        settings = _SESSION | {"search_path": f'"{schema}", public'}
        if use is not Use.WRITE:
            settings["default_transaction_read_only"] = "on"
        which = self.address.session(use)
        raw = await asyncpg.connect(
            self.address.url, timeout=CONNECT_S, server_settings=settings, **which
        )
        await _speak_vectors(raw, schema)
        return raw

    def speak(self) -> None:
        """Learn pgvector's types, when they were made after the connection."""
        self._do("opened", lambda: _speak_vectors(self._raw, self.address.schema))

    def fetch(self, sql: str, *values: Any) -> list[Any]:
        """The rows of a statement with `$1` placeholders."""
        clean = [_clean(value) for value in values]
        found: list[Any] = self._do(
            "read", lambda: self._raw.fetch(sql, *clean, timeout=self._limit)
        )
        return found

    def value(self, sql: str, *values: Any) -> Any:
        """The first value of the first row; None without one."""
        found = self.fetch(sql, *values)
        return found[0][0] if found else None

    def run(self, sql: str, *values: Any) -> None:
        """A statement, or without values several of them, whose rows do not matter."""
        clean = [_clean(value) for value in values]
        self._do("changed", lambda: self._raw.execute(sql, *clean, timeout=self._limit))

    def execute(self, sql: str, values: Values = (), /) -> Records:
        """As SQLite's: a statement with `?` or `:name`."""
        own, names = _translated(sql)
        return Records(self.fetch(own, *_ordered(values, names)))

    def executemany(self, sql: str, values: Iterable[Values], /) -> None:
        """As SQLite's."""
        own, names = _translated(sql)
        rows = [[_clean(v) for v in _ordered(one, names)] for one in values]
        self._do("changed", lambda: self._raw.executemany(own, rows))

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Put many rows into a table at once (COPY)."""
        if rows:
            clean = [tuple(_clean(value) for value in row) for row in rows]
            self._do(
                "changed",
                lambda: self._raw.copy_records_to_table(
                    table, records=clean, columns=columns, schema_name=self.address.schema
                ),
            )

    def close(self) -> None:
        """Hang up without waiting for the other side."""
        with suppress(IndexTrouble):
            self._do("closed", self._hang_up)

    async def _hang_up(self) -> None:
        self._raw.terminate()

    def _do(self, done: str, work: Callable[[], Awaitable[T]]) -> T:
        async def now() -> T:
            return await work()

        try:
            return self._loop.run(now())
        except (*_FAILED, OSError, TimeoutError) as error:
            raise trouble(error, self.address, done) from error


async def _speak_vectors(raw: Any, schema: str) -> None:
    where = await raw.fetchval(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'vector'"
    )
    if where is None:
        return
    await raw.execute(f'SET search_path = "{schema}", public, "{where}"')
    await raw.set_type_codec(
        "vector", schema=where, encoder=_vector, decoder=_read_vector, format="binary"
    )
    await raw.set_type_codec(
        "sparsevec", schema=where, encoder=bytes, decoder=bytes, format="binary"
    )


def _vector(value: Any) -> bytes:
    numbers = np.asarray(value, dtype=">f4")
    return np.array([len(numbers), 0], dtype=">u2").tobytes() + numbers.tobytes()


def _read_vector(data: bytes) -> Any:
    return np.frombuffer(data, dtype=">f4", offset=4).astype(np.float32)


@lru_cache(maxsize=500)
def _translated(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with `$1` for `?` or `:name`, and the names in the order of their numbers."""
    names: list[str] = []
    count = 0

    def mark(match: re.Match[str]) -> str:
        nonlocal count
        name = match.group(1)
        if name is None:
            count += 1
            return f"${count}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _MARK.sub(mark, sql), tuple(names)


def _ordered(values: Values, names: tuple[str, ...]) -> list[Any]:
    if isinstance(values, Mapping):
        return [values[name] for name in names]
    return list(values)


def _clean(value: Any) -> Any:
    """A text as PostgreSQL can hold it: neither NUL nor half of a surrogate pair."""
    if type(value) is not str or ("\0" not in value and value.isascii()):
        return value
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def holdable(value: str) -> bool:
    """True when a text can stand in a column as it is."""
    return bool(_clean(value) == value)


def trouble(error: Exception, address: Address, done: str) -> IndexTrouble:
    """What happened to a connection, as a sentence."""
    where = f"The index at {address.shown}"
    lost = (
        asyncpg.PostgresConnectionError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.CannotConnectNowError,
        OSError,
    )
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if isinstance(error, asyncpg.DiskFullError | asyncpg.OutOfMemoryError):
        return IndexTrouble(
            f"{where} cannot be {done}: the database has no room left ({said}). What was committed "
            "is whole; make room and run it again."
        )
    if isinstance(error, asyncpg.SerializationError):
        return IndexTrouble(
            f"{where} was read from a replica that had to go on replaying ({said}). Ask again; if "
            "it happens often, set hot_standby_feedback = on there."
        )
    if isinstance(error, asyncpg.LockNotAvailableError):
        return StillRead(f"{where} cannot be {done}: somebody reads it ({said}).")
    if isinstance(error, asyncpg.UndefinedTableError):
        return TableGone(f"{where} cannot be {done}: {said}.")
    if isinstance(error, TimeoutError):
        return LinkLost(f"{where} cannot be {done}: the database did not answer in time.")
    if isinstance(error, lost) and not isinstance(error, ValueError):  # a value it cannot send
        return LinkLost(
            f"{where} cannot be {done}: there is no connection to the database ({said}). What was "
            "committed is whole; once the database is back, run it again."
        )
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return IndexTrouble(f"{where} cannot be {done}: the database refuses to sign in ({said}).")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return IndexTrouble(f"{where} cannot be {done}: the account may not do that ({said}).")
    return IndexTrouble(f"{where} cannot be {done}: {said}.")
