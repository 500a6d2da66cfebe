"""Several servers over one database: nobody loses a word, and nobody reads half of one."""

import asyncio
import sqlite3

import pytest
from sqlalchemy.pool import QueuePool

from web.state import State

ROUNDS = 6
PATIENT_S = 60


@pytest.fixture
async def servers(url):
    states = [await State.open(url, wait_s=PATIENT_S) for _ in range(2)]
    yield states
    for state in states:
        await state.close()


async def test_two_writers_and_readers_at_once(servers):
    users = [await servers[0].users.local(groups=[])]
    users.append(
        await servers[1].users.sign_in("i", "s", name="Ada", email="", groups=[], role="reader")
    )
    writing = asyncio.Event()

    async def write(state, user):
        for n in range(ROUNDS):
            begun = await state.conversations.begin(user.id, f"Question {n}")
            assert await state.conversations.finish(user.id, begun, f"Answer {n}", documents=["d"])
            assert await state.audit.record(user.id, "ask", ["d"]) is None
            state.usage.count("ask.answered")
            assert await state.usage.flush() is None

    async def read(state, user):
        seen = 0
        while not writing.is_set():
            account = await state.accounts.export(user.id)
            # One moment of the database: every conversation has its question, and never grows less.
            assert set(account.messages) == {c.id for c in account.conversations}
            assert len(account.conversations) >= seen
            seen = len(account.conversations)
            await asyncio.sleep(0)

    readers = [asyncio.create_task(read(state, user)) for state in servers for user in users]
    await asyncio.gather(*[write(s, u) for s, u in zip(servers, users, strict=True)])
    writing.set()
    await asyncio.gather(*readers)

    for user in users:
        account = await servers[0].accounts.export(user.id)
        said = sorted(m.text for messages in account.messages.values() for m in messages)
        assert said == sorted(f"{k} {n}" for n in range(ROUNDS) for k in ("Question", "Answer"))
        assert len(account.audit) == ROUNDS
    (hour, *more) = await servers[1].usage.since(servers[0].database.clock())
    assert sum(one.count for one in (hour, *more)) == 2 * ROUNDS


async def test_questions_asked_at_once_in_one_conversation_get_a_place_each(servers):
    user = await servers[0].users.local(groups=[])
    first = await servers[0].conversations.begin(user.id, "Question 0")

    begun = await asyncio.gather(
        *[
            servers[n % 2].conversations.begin(
                user.id, f"Question {n}", conversation_id=first.conversation_id
            )
            for n in range(1, 7)
        ]
    )
    done = await asyncio.gather(
        *[
            servers[n % 2].conversations.finish(user.id, one, f"to {n}")
            for n, one in enumerate([first, *begun])
        ]
    )

    assert all(done)
    messages = await servers[0].conversations.messages(user.id, first.conversation_id)
    pairs = {(q.text, a.text) for q, a in zip(messages[::2], messages[1::2], strict=True)}
    assert pairs == {(f"Question {n}", f"to {n}") for n in range(7)}


async def test_one_edit_of_a_question_wins_over_another_at_once(servers):
    user = await servers[0].users.local(groups=[])
    first = await servers[0].conversations.begin(user.id, "Who?")

    edits = await asyncio.gather(
        *[
            state.conversations.begin(
                user.id,
                "Who else?",
                conversation_id=first.conversation_id,
                replaces=first.question_id,
            )
            for state in servers
        ]
    )

    assert sorted(edit is None for edit in edits) == [False, True]
    messages = await servers[0].conversations.messages(user.id, first.conversation_id)
    assert [m.text for m in messages] == ["Who else?"]


async def test_somebody_who_signs_in_twice_at_once_has_one_account(servers):
    users = await asyncio.gather(
        *[
            servers[n % 2].users.sign_in("i", "s", name="Ada", email="", groups=[], role="reader")
            for n in range(6)
        ]
    )

    assert len({user.id for user in users}) == 1


async def test_a_crowd_that_writes_stands_in_line_and_leaves_readers_alone(
    sqlite_template, tmp_path
):
    path = tmp_path / "state.db"
    path.write_bytes(sqlite_template.read_bytes())
    state = await State.open(f"sqlite:///{path}", wait_s=PATIENT_S)
    user = await state.users.local(groups=[])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    crowd = [
        asyncio.create_task(state.conversations.begin(user.id, f"Question {n}")) for n in range(40)
    ]
    # More than there are connections; each would hold one while it waits for the lock.
    for _ in range(3):
        assert await state.conversations.page(user.id) == []
        pool = state.database.engine.pool
        assert isinstance(pool, QueuePool)
        assert pool.checkedout() <= 1
    other.execute("ROLLBACK")
    other.close()

    assert all(await asyncio.gather(*crowd))
    assert len(await state.conversations.page(user.id, limit=100)) == 40
    await state.close()


async def test_a_line_that_does_not_move_is_left_with_a_sentence(sqlite_template, tmp_path):
    path = tmp_path / "state.db"
    path.write_bytes(sqlite_template.read_bytes())
    state = await State.open(f"sqlite:///{path}", wait_s=0.01)

    async with state.database.write():
        trouble = await state.audit.record("ada", "ask", [])

    assert "has more to do than it can" in str(trouble)
    assert await state.audit.record("ada", "ask", []) is None
    await state.close()


async def test_a_caller_who_goes_away_leaves_nothing_half_written(servers, url):
    state, other = servers
    user = await state.users.local(groups=[])

    async with other.database.write() as connection:
        if url.startswith("postgresql"):
            await connection.exec_driver_sql("LOCK TABLE messages IN EXCLUSIVE MODE")
        asking = asyncio.create_task(state.conversations.begin(user.id, "Who?"))
        done, _ = await asyncio.wait([asking], timeout=0.05)
        assert not done
        asking.cancel()
        await asyncio.wait([asking], timeout=0.05)

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await state.conversations.page(user.id) == []
    assert await state.conversations.begin(user.id, "Where?")
