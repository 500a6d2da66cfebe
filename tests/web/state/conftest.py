"""One suite over both databases: SQLite in a file and a real PostgreSQL, started once."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.postgres import server_in
from web.state import State, User
from web.state.database import Database
from web.state.migrate import upgrade
from web.state.rows import Base

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **length: float) -> None:
        self.now += timedelta(**length)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest tables and nothing in them."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    asyncio.run(_made(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL that runs for these tests; gives the URL of a database by its name."""
    with server_in() as server:
        yield lambda name: server.url(database=name)


@pytest.fixture(scope="session")
def postgres_newest(postgres: Callable[[str], str]) -> str:
    """The URL of one PostgreSQL database with the newest tables, emptied before each test."""
    asyncio.run(sql(postgres("postgres"), "CREATE DATABASE newest"))
    asyncio.run(_made(postgres("newest")))
    return postgres("newest")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the newest tables and nothing in them."""
    if request.param == "sqlite":
        path = tmp_path / "state.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    newest: str = request.getfixturevalue("postgres_newest")
    tables = ", ".join(Base.metadata.tables)
    asyncio.run(sql(newest, f"TRUNCATE {tables} RESTART IDENTITY"))
    return newest


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    postgres: Callable[[str], str] = request.getfixturevalue("postgres")
    name = f"empty_{os.urandom(4).hex()}"
    asyncio.run(sql(postgres("postgres"), f"CREATE DATABASE {name}"))
    return postgres(name)


@pytest.fixture
async def state(url: str, clock: FakeClock) -> AsyncIterator[State]:
    state = await State.open(url, clock=clock, wait_s=0.2)
    yield state
    await state.close()


@pytest.fixture
async def ada(state: State) -> User:
    return await sign_in(state, "ada")


@pytest.fixture
async def ben(state: State) -> User:
    return await sign_in(state, "ben")


async def sign_in(state: State, name: str) -> User:
    return await state.users.sign_in(
        "https://sso.example.org",
        f"subject-of-{name}",
        name=name.title(),
        email=f"{name}@example.org",
        groups=["muon", "collaboration"],
        role="reader",
    )


async def _made(url: str) -> None:
    database = Database(url)
    await upgrade(database)
    await database.close()


async def sql(url: str, *statements: str) -> None:
    """Run statements in a PostgreSQL, each on its own."""
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
