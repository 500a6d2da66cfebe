"""Answers in discussions: to whom, to what, and once."""

import pytest

from tests.servers.gitlab_bot import BEN, BOT, MACHINE, Effects
from tests.web.gitlab_bot.conftest import ASK, ISSUE, MUONS, OPEN, REQUEST, World, a_bot, answered
from web.gitlab_bot.gitlab import Place
from web.gitlab_bot.hooks import Heard


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
