"""Who may see an answer: every mixture of people, and what changes while it is being written."""

from datetime import timedelta
from itertools import combinations

import pytest

from ingest.model import PUBLIC, BlockKind
from tests.web.fake import FakeAssistant, a_document
from tests.web.mattermost.conftest import bot_on
from web.state import StateTrouble

QUESTION = "Which quota has the storage?"
MENTION = f"@docent {QUESTION}"


def page(group: str, says: str):
    text = f"The storage quota of {group} is {says}."
    return a_document(
        f"wiki:{group}", group, (BlockKind.PROSE, text), access=frozenset({group}),
        url=f"https://wiki.example.org/{group}",
    )  # fmt: skip


SAID = {PUBLIC: "ten", "muon": "twenty", "board": "thirty"}
PEOPLE: dict[str, tuple[str, ...]] = {
    "ada": ("board", "muon"),
    "ben": ("muon",),
    "cyd": ("board",),
    "eva": (),
}


@pytest.fixture
def assistant() -> FakeAssistant:
    return FakeAssistant([page(group, says) for group, says in SAID.items()])


def told(text: str) -> set[str]:
    return {group for group, says in SAID.items() if says in text}


async def people(world) -> dict[str, str]:
    found = {name: await world.person(name, *groups) for name, groups in PEOPLE.items()}
    found["gus"] = await world.person("gus", "board", "muon", guest=True)
    found["zoe"] = await world.person("zoe", linked=False)
    found["rob"] = world.chat.user("rob", bot=True)
    return found


def may_read(*names: str) -> set[str]:
    """By hand: guests, strangers and programs are the public; else what all have."""
    groups = [set(PEOPLE.get(name, ())) for name in names]
    return {PUBLIC} | set.intersection(*groups)


@pytest.mark.parametrize("kind", ["P", "G"])
async def test_no_mixture_of_people_sees_what_one_of_them_may_not(world, kind):
    chat = world.chat
    ids = await people(world)
    mixtures = [
        names
        for size in (1, 2, 3)
        for names in combinations(ids, size)
        if names[0] not in ("rob", "gus")
    ]
    asked = {}
    for names in mixtures:
        channel = chat.channel(kind, *(ids[name] for name in names), chat.bot)
        asked[names] = chat.say(ids[names[0]], channel, MENTION)
    await world.answered(*asked.values())

    assert len(mixtures) > 40
    seen = {names: told(chat.text(question)) for names, question in asked.items()}
    assert seen == {names: may_read(*names) for names in mixtures}
    # Nobody's own door is opened for what several see.
    assert not any(question.reader.user for question in world.assistant.asked)


async def test_what_is_written_to_the_bot_alone_is_read_with_ones_own_rights(world):
    chat = world.chat
    ids = await people(world)
    asked = {
        name: chat.say(ids[name], chat.channel("D", ids[name], chat.bot), QUESTION)
        for name in ids
        if name != "rob"
    }
    await world.answered(*asked.values())

    seen = {name: told(chat.text(question)) for name, question in asked.items()}
    # A guest of the channels is still whoever signed in.
    own = {**PEOPLE, "gus": ("board", "muon"), "zoe": ()}
    assert seen == {name: {PUBLIC, *groups} for name, groups in own.items()}


async def test_an_open_channel_is_read_by_all_of_its_team(world):
    chat = world.chat
    small = chat.a_team("small")
    chat._join(small, chat.bot, "team")
    ada = await world.person("ada", "board", "muon", team=small)
    ben = await world.person("ben", "muon", team=small)
    channel = chat.channel("O", ada, chat.bot, team=small)

    within = chat.say(ada, channel, MENTION)
    await world.answered(within)
    assert told(chat.text(within)) == {PUBLIC, "muon"}
    assert ben not in chat.members[channel]

    await world.person("zoe", linked=False, team=small)
    world.desk.audience.forget()
    later = chat.say(ada, channel, MENTION)
    await world.answered(later)
    assert told(chat.text(later)) == {PUBLIC}


async def test_many_members_are_all_looked_at(world):
    chat = world.chat
    ada = await world.person("ada", "board", "muon")
    account = await world.services.state.links.user_of("mattermost", ada)
    crowd = [chat.user(f"x{number}") for number in range(230)]
    for one in crowd:
        await world.services.state.links.put(account.id, "mattermost", one)
    channel = chat.channel("P", ada, chat.bot, *crowd)
    first = chat.say(ada, channel, MENTION)
    await world.answered(first)
    assert told(chat.text(first)) == {PUBLIC, "board", "muon"}

    zoe = chat.user("zoe")
    chat.join(channel, zoe)
    second = chat.say(ada, channel, MENTION)
    await world.answered(second)
    assert told(chat.text(second)) == {PUBLIC}


async def test_who_comes_in_closes_and_who_leaves_opens_at_once(world):
    chat = world.chat
    ids = await people(world)
    channel = chat.channel("P", ids["ada"], chat.bot)

    async def seen():
        question = chat.say(ids["ada"], channel, MENTION)
        await world.answered(question)
        return told(chat.text(question))

    assert await seen() == {PUBLIC, "board", "muon"}
    chat.join(channel, ids["ben"])
    assert await seen() == {PUBLIC, "muon"}
    chat.join(channel, ids["gus"])
    assert await seen() == {PUBLIC}
    chat.leave(channel, ids["gus"])
    chat.leave(channel, ids["ben"])
    assert await seen() == {PUBLIC, "board", "muon"}


async def test_who_comes_in_while_it_is_answered_sees_nothing_that_he_may_not(world):
    chat = world.chat
    ids = await people(world)
    channel = chat.channel("P", ids["cyd"], chat.bot)
    question = chat.say(ids["cyd"], channel, "@docent Which quota of board has the storage? hold")
    await world.until(lambda: "quota of board" in "".join(t for *_, t in chat.edits))

    chat.edit(question, f"{MENTION} Now.")
    world.assistant.pause = 0.002
    chat.join(channel, ids["zoe"])
    await world.answered(question)
    await world.quiet()

    assert told(chat.text(question)) == {PUBLIC}


async def test_a_thread_brings_nothing_from_the_page_with_more_rights(world):
    chat = world.chat
    ids = await people(world)
    channel = chat.channel("P", ids["ada"], ids["zoe"], chat.bot)
    first = chat.say(ids["ada"], channel, MENTION)
    await world.answered(first)
    account = await world.services.state.links.user_of("mattermost", ids["ada"])
    (talk,) = await world.services.state.conversations.page(account.id)
    # She goes on alone on the page, where she may read more.
    begun = await world.services.state.conversations.begin(
        account.id, "And the board?", conversation_id=talk.id
    )
    await world.services.state.conversations.finish(
        account.id, begun, "The board has thirty.", answer={"answer": "The board has thirty."}
    )

    second = chat.say(ids["ada"], channel, "@docent And how much is it?", root=first)
    await world.answered(second)

    said = " ".join(turn.content for turn in world.assistant.asked[-1].history)
    assert "thirty" not in said
    assert "ten" in said
    # Both stand in the one conversation of whoever asked.
    messages = await world.services.state.conversations.messages(account.id, talk.id)
    assert [one.text for one in messages if one.role == "user"][-1] == "And how much is it?"


async def test_who_is_gone_does_not_close_a_channel_and_old_rights_end(world):
    chat = world.chat
    ids = await people(world)
    channel = chat.channel("P", ids["ada"], ids["zoe"], chat.bot)
    chat.deactivate(ids["zoe"])

    first = chat.say(ids["ada"], channel, MENTION)
    await world.answered(first)
    assert told(chat.text(first)) == {PUBLIC, "board", "muon"}

    database = world.services.state.database
    before = database.clock
    database.clock = lambda: before() + timedelta(days=31)
    world.desk.audience.forget()
    second = chat.say(ids["ada"], channel, MENTION)
    direct = chat.say(ids["ada"], chat.channel("D", ids["ada"], chat.bot), QUESTION)
    await world.answered(second, direct)
    assert told(chat.text(second)) == {PUBLIC}
    assert told(chat.text(direct)) == {PUBLIC}
    # Alone with him it is said why, and what to do.
    assert "your last sign-in is too long ago. [Sign in](<http" in chat.text(direct)
    assert "sign-in" not in chat.text(second)


@pytest.mark.parametrize("trust", [True, False])
async def test_a_verified_mail_address_links_only_where_that_is_wanted(
    chat, settings, assistant, trust
):
    async with bot_on(chat, settings, assistant, trust_email=trust) as world:
        users = world.services.state.users
        for name, verified in (("ada", True), ("ben", False)):
            await users.sign_in(
                "https://id.example", name, name=name, email=f"{name}@example.org",
                groups=("board",), role="reader", email_verified=verified,
            )  # fmt: skip
        ada = chat.user("ada", email="ada@example.org")
        ben = chat.user("ben", email="ben@example.org")
        asked = [chat.say(one, chat.channel("D", one, chat.bot), QUESTION) for one in (ada, ben)]
        alone = chat.say(ada, chat.channel("P", ada, chat.bot), MENTION)
        both = chat.say(ada, chat.channel("P", ada, ben, chat.bot), MENTION)
        await world.answered(*asked, alone, both)

        opened = {PUBLIC, "board"} if trust else {PUBLIC}
        assert [told(chat.text(one)) for one in asked] == [opened, {PUBLIC}]
        assert told(chat.text(alone)) == opened
        assert told(chat.text(both)) == {PUBLIC}


async def test_where_it_cannot_be_told_who_is_there_nothing_is_answered_but_the_public(world):
    chat = world.chat
    ids = await people(world)
    channel = chat.channel("P", ids["ada"], chat.bot)
    direct = chat.channel("D", ids["ada"], chat.bot)

    async def away(*_):
        raise StateTrouble("The database cannot be reached.")

    world.services.state.links.users_of = away
    asked = [chat.say(ids["ada"], channel, MENTION), chat.say(ids["ada"], direct, QUESTION)]
    await world.answered(*asked)

    assert [told(chat.text(one)) for one in asked] == [{PUBLIC}, {PUBLIC}]
