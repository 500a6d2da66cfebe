"""Nothing is lost: GitLab away, the index in trouble, the bot stopped or killed, the line full."""

import asyncio
from datetime import timedelta

import pytest

from ingest.errors import IndexTrouble
from tests.servers import Fault
from tests.servers.gitlab_bot import EVA, MACHINE
from tests.web.gitlab_bot.conftest import ASK, MUONS, REQUEST, World, a_bot, answered
from web.gitlab_bot.gitlab import Place
from web.state import StateTrouble


async def test_what_was_asked_while_the_bot_was_down_is_answered_once(world):
    world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    world.server.write(MUONS, "merge_requests", 3, f"@docent {ASK}")
    await world.bot.catch_up()
    await world.bot.catch_up()
    await a_bot(world.services, world.server, []).catch_up()

    assert answered(world.said())
    assert answered(world.said(REQUEST))
    assert [todo["state"] for todo in world.server.todos] == ["done", "done"]


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.HANG_UP, Fault.TOO_MANY_SECONDS, Fault.UNAVAILABLE]
)
async def test_an_answer_is_written_when_gitlab_is_back(world, fault):
    world.server.fault("*/discussions/*/notes", fault, times=2)
    said = await world.ask(f"@docent {ASK}")

    assert answered(said)
    assert len(world.assistant.asked) == 1


async def test_an_answer_that_arrived_without_a_word_is_not_written_twice(world):
    world.server.fault("*/discussions/*/notes", Fault.CUT_BODY, times=1)
    assert answered(await world.ask(f"@docent {ASK}"))


async def test_a_question_is_kept_while_gitlab_is_away(world):
    world.server.fault("*/issues/7", Fault.SERVER_ERROR)
    assert await world.ask(f"@docent {ASK}") == []
    assert world.bot.trouble
    world.server.mend()
    await world.bot.catch_up()

    assert answered(world.said())
    assert not world.bot.trouble


async def test_a_lost_token_is_trouble_and_loses_no_question(world):
    world.server.token, token = "another", world.server.token
    await world.ask(f"@docent {ASK}")
    assert "401" in world.bot.trouble
    world.server.token = token
    await world.bot.catch_up()

    assert answered(world.said())


async def test_an_index_in_trouble_is_said_and_the_answer_comes_later(world):
    world.assistant.failure = IndexTrouble("The index cannot be read. Run docent ingest.")
    said = await world.ask(f"@docent {ASK}")
    assert "cannot answer at the moment: The index cannot be read" in said[0]
    assert "question is kept" in said[0]

    world.assistant.failure = None
    await world.bot.catch_up()
    assert answered(world.said())


async def test_a_question_is_given_up_after_an_hour(world):
    world.assistant.failure = IndexTrouble("The index cannot be read.")
    await world.ask(f"@docent {ASK}")
    for _ in range(11):
        await world.bot.catch_up()
    assert len(world.said()) == 1
    assert "ask again later" in world.said()[0]
    world.assistant.failure = None
    await world.bot.catch_up()

    assert "ask again later" in world.said()[0]


async def test_a_model_that_breaks_is_tried_again(world):
    said = await world.ask(f"@docent {ASK} break")
    assert "The model server went away" in said[0]
    assert len(world.bot._left) == 1


async def test_a_slow_answer_is_announced_and_then_stands_there(bot_settings, server, world):
    slow = a_bot(world.services, server, [], slow_s=0.0)
    world.assistant.pause = 0.02
    server.write(MUONS, "issues", 7, f"@docent {ASK}")
    told: list[str] = []
    server.before = lambda request: (
        told.append(request.method) if b"other questions" in (request.body) else None
    )
    await slow.catch_up()

    assert answered(world.said())
    assert told == ["POST"]


async def test_a_full_line_is_waited_for(world):
    places = [world.services.enter(lambda place: None) for _ in range(10 + 50)]
    slept = []

    async def others_are_answered(seconds: float) -> None:
        slept.append(seconds)
        for place in places:
            place.leave()

    bot = a_bot(world.services, world.server, [], sleep=others_are_answered)
    world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    await bot.catch_up()

    assert answered(world.said())
    assert len(slept) == 1


async def test_who_asks_too_much_waits_and_is_told_so(world):
    world.services.limits = type(world.services.limits)(1, 100, 100)
    await world.ask(f"@docent {ASK}")
    said = await world.ask("@docent Who looks after the muon trigger?")

    assert "which is the limit" in said[1]
    assert len(world.slept) == 5
    assert all(1 <= seconds <= 60 for seconds in world.slept)


async def test_what_no_webhook_told_of_is_found_among_the_comments(world):
    """A `/docent` without the name leaves no to-do, and GitLab sends nothing twice."""
    state, server = world.services.state, world.server
    state.database.clock = lambda: server.moment
    server.project(31, "lab/strangers", visibility="private")
    server.add(31, "issues", 1, author=server.accounts[EVA])
    server.write(31, "issues", 1, f"/docent {ASK}")
    server.write(MUONS, "issues", 7, f"/docent {ASK} Long ago.")
    server.moment += timedelta(minutes=90)
    server.write(MUONS, "issues", 7, f"/docent {ASK}")
    server.write(MUONS, "issues", 7, "Good morning.")
    server.write(MUONS, "merge_requests", 3, f"/docent {ASK}", author=MACHINE)
    await world.bot.catch_up()
    assert answered(world.said())

    # Each is answered once, however often it is looked at.
    asked = server.asked("*/issues/7")
    server.moment += timedelta(minutes=30)
    server.write(MUONS, "merge_requests", 3, f"/docent {ASK}")
    await world.bot.catch_up()
    await a_bot(world.services, server, []).catch_up()
    assert answered(world.said())
    assert answered(world.said(REQUEST))
    assert server.asked("*/issues/7") == asked + 2
    assert world.said(Place(31, "issues", 1)) == []


async def held(world: World, text: str) -> "asyncio.Task[None]":
    """A question that is being answered."""
    hook = world.server.write(MUONS, "issues", 7, text)
    task = asyncio.create_task(world.tell(hook))
    while not world.assistant.asked:
        await asyncio.sleep(0.01)
    return task


async def test_a_command_outlives_a_bot_that_is_stopped(world):
    """GitLab keeps a to-do only for those who call the bot by its name."""
    task = await held(world, f"/docent {ASK} hold")
    await world.services.close()
    await task
    assert "was stopped before the answer was complete" in world.said()[0]
    assert "question is kept" in world.said()[0]

    world.services.streams.closing = world.assistant.holds = False
    await a_bot(world.services, world.server, []).catch_up()
    assert answered(world.said())
    assert await world.services.state.pending.all(world.bot.service) == []


async def test_a_command_outlives_a_bot_that_is_killed(world):
    task = await held(world, f"/docent {ASK} hold")
    (working,) = world.bot._working.values()
    working.cancel()
    await task
    assert world.said() == []

    world.assistant.holds = False
    await a_bot(world.services, world.server, []).catch_up()
    assert answered(world.said())


async def test_what_is_edited_while_it_is_answered_is_answered_as_it_is_now(world):
    world.assistant.pause = 0.02
    task = await held(world, "@docent Who looks after the muon trigger?")
    number = int(world.server.todos[0]["target_url"].rpartition("_")[2])

    await world.tell(world.server.rewrite(MUONS, "issues", 7, number, f"@docent {ASK}"))
    await task

    assert answered(world.said())


async def test_a_database_that_is_away_keeps_nobody_from_being_answered(world):
    async def away(*_):
        raise StateTrouble("The database cannot be reached.")

    world.services.state.pending.put = away
    assert answered(await world.ask(f"/docent {ASK}"))


async def test_after_a_restart_in_mid_answer_it_is_answered(world):
    hook = world.server.write(MUONS, "issues", 7, f"@docent {ASK} hold")
    task = asyncio.create_task(world.tell(hook))
    while not world.assistant.asked:
        await asyncio.sleep(0.01)
    await world.services.close()
    await task
    assert "question is kept" in world.said()[0]

    number = world.server.todos[0]["target_url"].rpartition("_")[2]
    world.server.rewrite(MUONS, "issues", 7, int(number), f"@docent {ASK}")
    world.services.streams.closing = False
    await a_bot(world.services, world.server, []).catch_up()
    assert answered(world.said())
