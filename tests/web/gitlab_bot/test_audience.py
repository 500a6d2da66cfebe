"""Who may see it: answers are made of what all may read who see them."""

from datetime import timedelta

import pytest

from ingest.access import Reader
from tests.servers.gitlab_bot import ADA, BEN, EVA, MACHINE
from tests.web.gitlab_bot.conftest import ASK, MUONS, a_bot

SECRET_TEXT = "The board moves the L1"


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
