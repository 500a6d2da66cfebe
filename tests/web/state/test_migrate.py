"""Old databases become new ones, and old again, with all that is in them."""

import asyncio
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, inspect, select, text

from tests.web.state.conftest import START
from web.state import State, StateTrouble
from web.state.database import Database
from web.state.migrate import downgrade, upgrade, version, versions
from web.state.rows import Base

FIRST = "0001"
ADDED = {"folded", "email_verified"}
"""Columns that later versions add to tables of the first."""
REMOVED = {"csrf"}
"""Columns of the first version that later ones take away, with what was in them."""

ANSWER = {"answer": "Ines Okafor.", "citations": [{"marker": 1, "quote": "Ä"}]}


def filling():
    """Two people with one of everything, as the tables of the first version hold it."""
    for who in ("ada", "ben"):
        ids = {"user_id": who}
        yield "users", {
            "id": who, "issuer": "https://sso.example.org", "subject": who, "name": who.title(),
            "email": "", "groups": ["muon"], "role": "reader", "created_at": START,
            "signed_in_at": START, "seen_at": START,
        }  # fmt: skip
        yield "sessions", {
            **ids, "digest": f"digest-{who}", "csrf": "c", "oidc_sid": "s", "created_at": START,
            "expires_at": START,
        }  # fmt: skip
        yield "conversations", {
            **ids, "id": f"c-{who}", "title": f"ÜBERGABE {who}", "renamed": who == "ben",
            "created_at": START, "updated_at": START,
        }  # fmt: skip
        for position, (role, said) in enumerate([("user", "Who?"), ("assistant", "Lange Straße")]):
            yield "messages", {
                "id": f"m-{who}-{position}", "conversation_id": f"c-{who}", "position": position,
                "role": role, "text": said, "answer": ANSWER if position else None,
                "documents": ["d1", "d2"], "created_at": START,
            }  # fmt: skip
        yield "shares", {"id": f"s-{who}", "conversation_id": f"c-{who}", "created_at": START}
        yield "feedback", {
            **ids, "id": f"f-{who}", "message_id": f"m-{who}-1", "question": "Who?",
            "answer": ANSWER, "documents": ["d1"], "helpful": who == "ada", "wrong_sentences": [1],
            "text": "t", "right_page": "", "state": "new", "verdict": "open", "gold": None,
            "judged_by": "ada", "created_at": START, "updated_at": START,
        }  # fmt: skip
        yield "tokens", {
            **ids, "id": f"t-{who}", "name": "n", "digest": "d", "scopes": ["ask"],
            "created_at": START, "expires_at": START, "revoked_at": None, "used_at": START,
        }  # fmt: skip
        yield "audit", {
            **ids, "at": START, "door": "ask", "documents": ["d1"], "request_id": "r",
        }  # fmt: skip
        yield "usage", {"hour": START, "name": who, "bucket": 0, "count": 7}


async def fill(database):
    async with database.write() as connection:
        tables = await connection.run_sync(_reflected)
        for name, row in filling():
            moments = {key: _naive(database, value) for key, value in row.items()}
            await connection.execute(tables[name].insert().values(**moments))


async def rows(database):
    """All rows of all tables of the first version, in the columns that every version has."""
    async with database.read() as connection:
        tables = await connection.run_sync(_reflected)
        return {
            name: sorted(
                repr({key: value for key, value in row.items() if key not in ADDED | REMOVED})
                for row in (await connection.execute(select(tables[name]))).mappings()
            )
            for name in {name for name, _ in filling()}
        }


async def shape(database):
    """Tables, columns, keys and indexes as the database tells them."""

    def told(connection):
        seen = inspect(connection)
        return {
            table: (
                sorted((c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(table)),
                seen.get_pk_constraint(table)["constrained_columns"],
                sorted(
                    (f["name"], f["referred_table"], str(f["options"]))
                    for f in seen.get_foreign_keys(table)
                ),
                sorted(u["name"] for u in seen.get_unique_constraints(table)),
                sorted(i["name"] for i in seen.get_indexes(table)),
            )
            for table in seen.get_table_names()
        }

    async with database.read() as connection:
        return await connection.run_sync(told)


def _reflected(connection):
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata.tables


def _naive(database, value):
    if value is START and database.url.get_backend_name() == "sqlite":
        return START.replace(tzinfo=None)
    return value


@pytest.fixture
async def database(empty_url):
    database = Database(empty_url, wait_s=0.2)
    yield database
    await database.close()


async def test_a_filled_database_of_the_first_version_goes_to_the_newest_and_back(
    database, empty_url, clock
):
    await upgrade(database, FIRST)
    shape_before = await shape(database)
    await fill(database)
    rows_before = await rows(database)
    assert sum(len(found) for found in rows_before.values()) == len(list(filling()))

    state = await State.open(empty_url, clock=clock)
    assert await version(database) == versions()[-1]
    assert await rows(database) == rows_before
    # What the newest version adds works on what was there before.
    for query in ("übergabe ada", "STRASSE"):
        assert [c.id for c in await state.conversations.page("ada", query=query)] == ["c-ada"]
    first, second = await state.conversations.messages("ben", "c-ben")
    assert (first.text, second.answer, second.documents) == ("Who?", ANSWER, ("d1", "d2"))
    assert await state.gaps.record("ada", "Why?", ["d1"], 0.5) is None
    await state.close()

    await downgrade(database, FIRST)
    assert await version(database) == FIRST
    assert await rows(database) == rows_before
    assert await shape(database) == shape_before

    await upgrade(database)
    assert await rows(database) == rows_before
    assert await version(database) == versions()[-1]


async def test_the_newest_tables_are_those_of_the_models(url):
    state = await State.open(url)
    async with state.database.read() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata)
        )
    await state.close()

    assert differences == []


async def test_every_step_goes_back_to_nothing(database):
    await upgrade(database)
    for older in versions()[-2::-1]:
        await downgrade(database, older)
        assert await version(database) == older
    await downgrade(database, "base")

    assert await version(database) is None
    assert list(await shape(database)) == ["alembic_version"]


async def test_a_database_of_a_newer_docent_is_refused_with_the_way_back(database, empty_url):
    await upgrade(database)
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StateTrouble, match=f"9999.*docent state downgrade {versions()[-1]}$"):
        await State.open(empty_url)
    with pytest.raises(StateTrouble, match="version 9999"):
        await downgrade(database, FIRST)

    assert await version(database) == "9999"


async def test_a_version_that_there_is_not_is_said_so(database):
    await upgrade(database)

    with pytest.raises(StateTrouble, match="There is no version 0815; there are 0001, 0002"):
        await downgrade(database, "0815")


async def test_servers_that_start_at_once_make_the_tables_once(empty_url):
    states = await asyncio.gather(*[State.open(empty_url, wait_s=30) for _ in range(3)])

    ada = await states[0].users.local(groups=[])
    assert await states[2].users.get(ada.id) == ada
    for state in states:
        await state.close()


async def test_a_new_sqlite_file_that_another_is_turning_is_waited_for(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'state.db'}", wait_s=30)
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    # SQLite would refuse this at once, whatever its busy_timeout.
    opening = asyncio.create_task(version(database))
    assert not (await asyncio.wait({opening}, timeout=0.5))[0]

    other.execute("ROLLBACK")
    assert await opening is None
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    await database.close()


async def test_a_step_that_cannot_be_done_leaves_the_old_version_whole(database, empty_url):
    await upgrade(database, FIRST)
    await fill(database)
    before = await rows(database), await shape(database)

    # Somebody else is writing: in PostgreSQL, holding on to one of the tables.
    async with database.write() as other:
        if database.url.get_backend_name() == "postgresql":
            await other.execute(text("LOCK TABLE messages IN ROW EXCLUSIVE MODE"))
        with pytest.raises(StateTrouble, match="is locked by another process"):
            await State.open(empty_url, wait_s=0.1)

    assert await version(database) == FIRST
    assert (await rows(database), await shape(database)) == before
    await upgrade(database)
    assert await rows(database) == before[0]


async def test_rows_that_point_to_nothing_stop_the_migration_of_a_sqlite_file(tmp_path):
    url = f"sqlite:///{tmp_path / 'state.db'}"
    database = Database(url)
    await upgrade(database, FIRST)
    await database.close()
    # Other programs need not ask for foreign keys.
    other = sqlite3.connect(tmp_path / "state.db")
    other.execute("INSERT INTO shares VALUES ('s', 'nowhere', '2026-03-02 09:30:00.000000')")
    other.commit()
    other.close()

    with pytest.raises(StateTrouble, match="1 rows point to nothing; nothing was changed"):
        await State.open(url)

    database = Database(url)
    assert await version(database) == FIRST
    await database.close()
