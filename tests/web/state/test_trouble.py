"""Locked, full, cut off, damaged: a plain sentence, nothing half written, and well again after."""

import sqlite3
import time
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import event

from tests.web.state.conftest import START, sign_in
from web.state import State, StateTrouble, url_for

LOCKED = "is locked by another process"
FULL = "has no room left on its disk"


@asynccontextmanager
async def locked(url):
    """While another program holds the lock that writes need."""
    if url.startswith("sqlite"):
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
    else:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            for table in ("audit", "conversations", "gaps", "tokens", "usage", "users"):
                await connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
            yield
        await connection.close()


async def test_while_the_database_is_locked_reads_go_on_and_writes_say_so(state, ada, url, clock):
    begun = await state.conversations.begin(ada.id, "Who?")
    token, text = await state.tokens.make(ada.id, "n", ["ask"], START.replace(month=4))
    clock.pass_(minutes=10)

    async with locked(url):
        assert len(await state.conversations.messages(ada.id, begun.conversation_id)) == 1
        assert await state.tokens.verify(text)
        with pytest.raises(StateTrouble, match=LOCKED):
            await state.conversations.begin(ada.id, "Where?")
        # What must not stop an answer gives the trouble to whoever logs it.
        state.usage.count("ask.answered")
        for trouble in (
            await state.audit.record(ada.id, "ask", ["d1"]),
            await state.gaps.record(ada.id, "Who?", [], None),
            await state.tokens.used(token),
            await state.users.seen(ada),
            await state.usage.flush(),
        ):
            assert LOCKED in str(trouble)

    assert await state.audit.page() == []
    assert len(await state.conversations.page(ada.id)) == 1
    assert await state.audit.record(ada.id, "ask", ["d1"]) is None
    assert await state.usage.flush() is None
    # What was counted while it was locked is not lost.
    assert [hour.count for hour in await state.usage.since(START)] == [1]


async def test_a_lock_is_not_waited_for_longer_than_was_said(state, ada, url):
    async with locked(url):
        begun = time.monotonic()
        assert LOCKED in str(await state.audit.record(ada.id, "ask", []))
        took = time.monotonic() - begun

    # The driver of SQLite waits 0.2 s in steps; without our setting it would be five seconds.
    assert 0.15 < took < 4


async def test_a_full_disk_stops_no_answer_and_damages_nothing(
    sqlite_template: Path, tmp_path: Path, clock
):
    path = tmp_path / "state.db"
    path.write_bytes(sqlite_template.read_bytes())
    state = await State.open(f"sqlite:///{path}", clock=clock)
    ada = await sign_in(state, "ada")
    begun = await state.conversations.begin(ada.id, "Who?")
    assert begun
    room = {"pages": 1}

    @event.listens_for(state.database.engine.sync_engine, "begin")
    def limit(connection):
        # SQLite's own limit gives the very error of a full disk. Less than there is means no more.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {room['pages']}")

    stored = 0
    while (trouble := await state.audit.record(ada.id, "ask", ["d" * 3000])) is None:
        stored += 1
    assert FULL in str(trouble)
    with pytest.raises(StateTrouble, match=FULL):
        await state.conversations.finish(ada.id, begun, "A" * 10_000)

    assert len(await state.audit.page()) == stored
    assert len(await state.conversations.messages(ada.id, begun.conversation_id)) == 1
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    other.close()

    # Somebody makes room: the server needs no restart.
    room["pages"] = 10_000
    assert await state.audit.record(ada.id, "ask", ["d" * 3000]) is None
    assert await state.conversations.finish(ada.id, begun, "A" * 10_000)
    await state.close()


async def test_a_postgresql_that_cut_us_off_is_asked_again(postgres_newest, clock):
    state = await State.open(postgres_newest, clock=clock)
    await state.users.local(groups=[])
    other = await asyncpg.connect(postgres_newest)
    await other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'docent'"
    )
    await other.close()

    again = await state.users.get("local")
    assert again
    assert again.role == "admin"
    await state.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://me:hunter2@host/db", "is not one that Docent knows"),
        ("nonsense", "is not one that Docent knows"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        (
            "sqlite:////nowhere/at/all/state.db",
            "/nowhere/at/all/state.db cannot be opened: No such",
        ),
        ("postgresql://me:hunter2@/db?host=/nowhere/at/all", "cannot be reached"),
    ],
)
async def test_what_cannot_be_opened_is_said_in_a_sentence_without_a_password(url, sentence):
    with pytest.raises(StateTrouble, match=sentence) as caught:
        await State.open(url, wait_s=0.2)

    assert "hunter2" not in str(caught.value)


async def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "state.db"
    path.write_text("minutes of the last meeting\n" * 100)

    with pytest.raises(StateTrouble, match="is damaged: put the last backup back"):
        await State.open(f"sqlite:///{path}")

    assert path.read_text() == "minutes of the last meeting\n" * 100


async def test_what_belongs_to_an_erased_account_is_not_written(state, ada):
    await state.accounts.erase(ada.id)

    with pytest.raises(StateTrouble, match="has been removed in the meantime"):
        await state.conversations.begin(ada.id, "Who?")


async def test_nobody_else_on_the_machine_may_read_the_file(tmp_path):
    path = tmp_path / "state.db"
    state = await State.open(f"sqlite:///{path}")
    await state.users.local(groups=[])

    assert {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {
        "state.db": "0o600",
        "state.db-shm": "0o600",
        "state.db-wal": "0o600",
    }
    await state.close()


def test_without_a_url_the_file_lies_beside_the_index(tmp_path):
    assert url_for("", tmp_path / "var" / "index") == f"sqlite:///{tmp_path}/var/state.db"
    assert url_for("postgresql://host/db", tmp_path) == "postgresql://host/db"
