"""Answers in discussions: once, none lost, and made of what all who see them may read."""

import asyncio
from datetime import timedelta

import pytest

from ingest.access import Reader
from ingest.errors import IndexTrouble
from tests.servers import Fault
from tests.servers.gitlab_bot import ADA, BEN, BOT, EVA, MACHINE, Effects
from tests.web.gitlab_bot.conftest import ASK, ISSUE, MUONS, REQUEST, World, a_bot
from web.gitlab_bot.gitlab import Place
from web.gitlab_bot.hooks import Heard
from web.state import StateTrouble

OPEN = "The L1_MU4 trigger 🧲 fires at 4 GeV"
SECRET_TEXT = "The board moves the L1"


def answered(texts: list[str]) -> bool:
    return len(texts) == 1 and OPEN in texts[0].replace("\\", "")


def saw(world: World, number: int) -> bool:
    return (f"{MUONS}/issues/7/{number}", "eyes") in world.server.awards


async def test_who_calls_is_answered_in_his_thread_with_sources(world):
    said = await world.ask(f"@docent {ASK}")

    assert answered(said)
    assert "1. [Muon trigger menu › Thresholds](<https://wiki.example.org/Trigger/MuonMenu>)" in (
        said[0].replace("\\", "")
    )
    threads = world.server.projects[MUONS].discussions["issues", 7]
    assert [len(thread["notes"]) for thread in threads] == [2]
    assert world.server.effects == Effects()
    assert saw(world, threads[0]["notes"][0]["id"])


async def test_a_merge_request_is_answered_too(world):
    assert answered(await world.ask(f"/docent {ASK}", REQUEST))


async def test_a_description_that_calls_is_answered_below_it(world):
    world.server.change(MUONS, "issues", 7, description=f"@docent {ASK}")
    await world.tell(world.server.thing_hook(MUONS, "issues", 7, "open"))

    assert answered(world.said())
    assert world.assistant.asked[0].text == f"Rate of the muon trigger\n{ASK}"


async def test_a_bare_call_asks_what_the_issue_says(world):
    world.server.change(MUONS, "issues", 7, title="L1_MU4", description="It fires at 4 GeV?")
    await world.ask("@docent")

    assert world.assistant.asked[0].text == "L1_MU4\nIt fires at 4 GeV?"


async def test_the_thread_is_the_talk_before(world):
    await world.ask(f"@docent {ASK}")
    thread = world.server.projects[MUONS].discussions["issues", 7][0]["id"]
    await world.ask("Thanks, all!", thread=thread)
    await world.ask("@docent And in the barrel?", thread=thread)

    turns = [(turn.role, turn.content) for turn in world.assistant.asked[1].history]
    assert turns[0] == ("user", "Rate of the muon trigger")
    assert turns[1] == ("user", ASK)
    assert turns[2][0] == "assistant"
    assert turns[2][1].startswith(OPEN)
    assert "wiki.example.org" not in turns[2][1]
    assert len(turns) == 3


async def test_the_same_is_not_answered_twice(world):
    hook = world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    await world.tell(hook)
    number = world.server.projects[MUONS].discussions["issues", 7][0]["notes"][0]["id"]
    for _ in range(3):
        world.bot.hear(Heard(ISSUE, number))
    await world.bot.settled()

    assert len(world.said()) == 1
    assert len(world.assistant.asked) == 1


async def test_an_edited_question_gets_its_answer_edited(world):
    await world.ask("@docent missing")
    number = world.server.projects[MUONS].discussions["issues", 7][0]["notes"][0]["id"]
    assert "do not say" in world.said()[0]

    await world.tell(world.server.rewrite(MUONS, "issues", 7, number, f"@docent {ASK}"))
    assert answered(world.said())
    await world.tell(world.server.rewrite(MUONS, "issues", 7, number, f"@docent  {ASK} "))
    assert len(world.assistant.asked) == 2


async def test_a_question_that_was_deleted_is_not_answered(world):
    hook = world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    number = world.server.projects[MUONS].discussions["issues", 7][0]["notes"][0]["id"]
    world.server.erase(MUONS, "issues", 7, number)
    await world.tell(hook)

    assert world.said() == []
    assert world.assistant.asked == []


async def test_a_webhook_that_lies_changes_nothing(world):
    """Its text and author are not believed: only what GitLab itself says."""
    hook = world.server.write(MUONS, "issues", 7, "Good morning.")
    number = world.server.projects[MUONS].discussions["issues", 7][0]["notes"][0]["id"]
    forged = hook.body.replace(b"Good morning.", b"@docent What does the board say?")
    lowered = {name.lower(): value for name, value in hook.headers.items()}
    heard = world.hooks.take(lowered, forged)

    assert heard == Heard(ISSUE, number)
    world.bot.hear(heard)
    await world.bot.settled()
    assert world.said() == []


@pytest.mark.parametrize("author", [BOT, MACHINE])
async def test_it_is_silent_to_itself_and_other_machines(world, author):
    assert len(await world.ask(f"@docent {ASK}", author=author)) == (author == BOT)
    assert world.assistant.asked == []


async def test_only_named_projects_are_answered(world):
    narrow = world.services.settings.gitlab_bot.model_copy(update={"projects": ("lab/other", "la")})
    world.services.settings = world.services.settings.model_copy(update={"gitlab_bot": narrow})
    bot = a_bot(world.services, world.server, [])
    world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    await bot.catch_up()
    assert world.said() == []

    wide = narrow.model_copy(update={"projects": ("Lab",)})
    world.services.settings = world.services.settings.model_copy(update={"gitlab_bot": wide})
    world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    await a_bot(world.services, world.server, []).catch_up()
    assert answered(world.said())


# Who may see it.


@pytest.mark.parametrize("visibility", ["private", "internal", "public"])
async def test_no_answer_holds_what_one_of_those_who_see_it_may_not_read(world, visibility):
    """Who has linked his account, who of them is not of the board, and who may look."""
    world.server.set(MUONS, visibility=visibility)
    for linked in ((), (ADA,), (ADA, BEN), (ADA, BEN, EVA)):
        for lacking in (None, ADA, BEN, EVA):
            for one in (ADA, BEN, EVA):
                await world.services.state.links.forget(world.bot.service, str(one))
            await world.link(*(one for one in linked if one != lacking))
            if lacking in linked:
                await world.link(lacking, groups=("shifters",))
            seen = await ask_board(world)

            all_of_them = len(linked) == 3 and lacking is None and visibility == "private"
            reader = world.assistant.asked[-1].reader
            assert seen == all_of_them
            assert reader == Reader(frozenset({"board"} if all_of_them else ()))
            assert ("Made of what all 3 people may read" in world.said()[-1]) == all_of_them


async def ask_board(world) -> bool:
    said = await world.ask("@docent The board moves the L1_MU4 trigger to how many GeV?")
    return SECRET_TEXT in said[-1].replace("\\", "")


async def test_a_member_who_comes_is_counted_after_a_minute(world):
    await world.link(ADA, BEN, EVA)
    assert await ask_board(world)
    world.server.member(MUONS, MACHINE)
    clock = world.services.state.database
    before = clock.clock
    clock.clock = lambda: before() + timedelta(seconds=61)

    assert not await ask_board(world)


async def test_a_sign_in_of_long_ago_counts_for_nothing(world):
    await world.link(ADA, BEN, EVA)
    database = world.services.state.database
    before = database.clock
    database.clock = lambda: before() + timedelta(days=30, seconds=1)

    assert not await ask_board(world)
    assert "their sign-in is too long ago" in world.said()[-1]


async def test_whoever_opened_the_issue_or_works_on_it_is_counted(world):
    await world.link(ADA, BEN, EVA)
    world.server.change(MUONS, "issues", 7, assignees=[world.server.accounts[MACHINE]])
    assert not await ask_board(world)
    world.server.change(MUONS, "issues", 7, assignees=[world.server.accounts[BEN]])
    assert await ask_board(world)


async def test_an_issue_that_goes_out_by_mail_is_public(world):
    await world.link(ADA, BEN, EVA)
    world.server.change(MUONS, "issues", 7, service_desk_reply_to="someone@mail.example")

    assert not await ask_board(world)
    assert "people outside GitLab" in world.said()[0]


async def test_a_promise_about_a_group_counts_for_its_members_only(world):
    bot = world.services.settings.gitlab_bot
    promised = bot.model_copy(update={"members": {"lab/board": frozenset({"board"})}})
    world.services.settings = world.services.settings.model_copy(update={"gitlab_bot": promised})
    world.server.groups["lab/board"] = [ADA, BEN]
    world.bot = a_bot(world.services, world.server, [])
    assert not await ask_board(world)

    await world.link(EVA)
    assert await ask_board(world)


async def test_people_who_share_no_group_are_told_so(world):
    await world.link(ADA, BEN)
    await world.link(EVA, groups=("shifters",))
    await world.ask(f"@docent {ASK}")

    assert "share no group" in world.said()[0]


async def test_internal_projects_may_have_groups_of_their_own(world):
    bot = world.services.settings.gitlab_bot
    inside = bot.model_copy(update={"signed_in": frozenset({"board"})})
    world.services.settings = world.services.settings.model_copy(update={"gitlab_bot": inside})
    world.bot = a_bot(world.services, world.server, [])
    world.server.set(MUONS, visibility="internal")
    assert await ask_board(world)
    world.server.set(MUONS, visibility="public")
    assert not await ask_board(world)


async def test_an_internal_comment_is_answered_internally(world):
    await world.ask(f"@docent {ASK}", internal=True)

    notes = world.server.projects[MUONS].discussions["issues", 7][0]["notes"]
    assert [one["internal"] for one in notes] == [True, True]


async def test_what_was_shown_is_written_down_under_the_askers_account(world):
    await world.link(ADA)
    await world.ask(f"@docent {ASK}")
    await world.ask(f"@docent {ASK} Please", author=BEN)
    await world.services.settled()

    user = await world.services.state.links.user_of(world.bot.service, str(ADA))
    shown = await world.services.state.audit.page()
    assert [one.user_id for one in shown if one.door == "gitlab"] == [
        f"{world.bot.service}:{BEN}",
        user.id,
    ]


# Nothing is lost.


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


async def test_what_cannot_be_replied_to_gets_a_thread_of_its_own(world):
    hook = world.server.write(MUONS, "issues", 7, f"@docent {ASK}")
    world.server.before = lambda request: (
        world.server.projects[MUONS]
        .discussions["issues", 7][0]["notes"][0]
        .update(system=request.method == "POST" and "award" not in request.path)
    )
    await world.tell(hook)

    threads = world.server.projects[MUONS].discussions["issues", 7]
    assert [len(thread["notes"]) for thread in threads] == [1, 1]


async def test_an_internal_question_that_cannot_be_replied_to_stays_internal(world):
    hook = world.server.write(MUONS, "issues", 7, f"@docent {ASK}", internal=True)
    world.server.before = lambda request: (
        world.server.projects[MUONS]
        .discussions["issues", 7][0]["notes"][0]
        .update(system=request.method == "POST" and "award" not in request.path)
    )
    await world.tell(hook)

    assert world.said() == []


async def test_an_archived_project_is_left_alone(world):
    world.server.set(MUONS, archived=True)
    assert await world.ask(f"@docent {ASK}") == []
    assert world.bot._left == {}


async def test_help(world):
    said = await world.ask("@docent help")

    assert "`/docent duplicates`" in said[0]
    assert world.server.effects == Effects()


async def test_how_to_be_known(world):
    said = await world.ask("/docent link", author=BEN)

    assert f"`docent state link gitlab:127.0.0.1 {BEN}`" in said[0]


async def test_a_place_that_is_not_there_is_let_go(world):
    world.bot.hear(Heard(Place(MUONS, "issues", 99)))
    world.bot.hear(Heard(Place(99, "issues", 1)))
    await world.bot.settled()

    assert world.bot._left == {}
