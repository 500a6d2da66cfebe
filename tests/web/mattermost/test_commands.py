"""Slash commands, the button and its form, thumbs: real requests to the bot's own port."""

import httpx
import pytest

from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from tests.web.mattermost.conftest import bot_on
from web.mattermost import SERVICE
from web.mattermost.hooks import LOOKING, NOT_IN

WHO = "Who looks after the muon trigger?"
SECRET = "Where does the board move L1_MU4?"


async def place(world, *groups):
    ada = await world.person("ada", *groups)
    return ada, world.chat.channel("P", ada, world.chat.bot)


async def feedback(world):
    return await world.services.state.review.feedback()


async def test_a_question_by_command_is_written_down_and_answered_below(world):
    chat = world.chat
    ada, channel = await place(world)

    response = await chat.slash(world.door, ada, channel, WHO)
    assert (response.status_code, response.json()) == (200, {})
    await world.until(lambda: any(one["props"].get("docent_asked") for one in chat.posts.values()))
    (root,) = [one for one in chat.posts.values() if one["props"].get("docent_asked")]
    await world.answered(root["id"])

    assert root["message"] == f"**ada asks:** {WHO}"
    assert "Ines Okafor" in chat.text(root["id"])
    # What follows knows what was asked by command.
    second = chat.say(ada, channel, "@docent And who calls her?", root=root["id"])
    await world.answered(second)
    assert [turn.role for turn in world.assistant.asked[-1].history] == ["user", "assistant"]
    assert world.assistant.asked[-1].history[0].content == WHO


async def test_a_command_in_a_shared_channel_opens_nobodys_own_door(world):
    chat = world.chat
    ada, channel = await place(world, "board")
    zoe = await world.person("zoe", linked=False)
    chat.join(channel, zoe)

    await chat.slash(world.door, ada, channel, SECRET)
    await world.until(lambda: world.assistant.asked)
    await world.quiet()

    assert world.assistant.asked[0].reader.groups == frozenset()
    assert not any("5 GeV" in one["message"] for one in chat.posts.values())


async def test_a_private_question_is_answered_to_its_asker_alone(world):
    chat = world.chat
    ada, channel = await place(world, "board")
    zoe = await world.person("zoe", linked=False)
    chat.join(channel, zoe)

    response = await chat.slash(world.door, ada, channel, f"private {SECRET}")
    assert response.json()["response_type"] == "ephemeral"
    assert response.json()["text"] == LOOKING
    await world.until(lambda: chat.ephemeral)

    (told,) = chat.ephemeral
    assert told["response_type"] == "ephemeral"
    assert "5 GeV" in told["attachments"][0]["text"]
    assert [one for one in chat.posts.values() if one["user_id"] == chat.bot] == []
    account = await world.services.state.links.user_of(SERVICE, ada)
    (talk,) = await world.services.state.conversations.page(account.id)
    assert talk.title == SECRET


async def test_a_private_question_outlives_a_bot_that_is_stopped_or_killed(chat, settings):
    async with bot_on(chat, settings, FakeAssistant(list(DOCUMENTS))) as world:
        ada, channel = await place(world, "board")
        response = await chat.slash(world.door, ada, channel, f"private hold {SECRET}")
        assert response.json()["text"] == LOOKING
        # It is written down before its asker is told that it will be answered.
        (kept,) = await world.services.state.pending.all("mattermost:private")
        await world.until(lambda: world.assistant.asked)
    assert chat.ephemeral == []
    assert kept.told["text"] == f"private hold {SECRET}"

    patient = FakeAssistant(list(DOCUMENTS), holds=False)
    async with bot_on(chat, settings, patient) as world:
        await world.until(lambda: chat.ephemeral)
        await chat.slash(world.door, ada, channel, "private Who?", trigger_id=kept.key)
        await world.until(lambda: world.made.idle)

        assert await world.services.state.pending.all("mattermost:private") == []
    assert ["5 GeV" in one["attachments"][0]["text"] for one in chat.ephemeral] == [True]


@pytest.mark.parametrize("done", [True, False])
async def test_a_private_answer_is_brought_though_the_line_is_cut(world, done):
    chat = world.chat
    ada, channel = await place(world)
    chat.cut("POST /hooks/commands/*", 2, done=done)

    await chat.slash(world.door, ada, channel, f"private {WHO}")
    await world.until(lambda: chat.ephemeral and world.made.idle)

    assert "Ines Okafor" in chat.ephemeral[0]["attachments"][0]["text"]
    assert await world.services.state.pending.all("mattermost:private") == []


async def test_a_private_question_that_goes_wrong_says_so(world):
    chat = world.chat
    zoe = await world.person("zoe", linked=False)
    channel = chat.channel("P", zoe, chat.bot)

    await chat.slash(world.door, zoe, channel, f"private break {WHO}")
    await chat.slash(world.door, zoe, channel, f"private {WHO}")
    await world.until(lambda: len(chat.ephemeral) == 2)

    said = sorted(one["attachments"][0]["text"] for one in chat.ephemeral)
    assert said[0] == "The model server went away. Start it again."
    assert "not linked with your sign-in" in said[1]


async def test_search_sources_help_and_links_are_for_the_asker_alone(world):
    chat = world.chat
    ada, channel = await place(world, "board")
    eva = await world.person("eva", linked=False)
    chat.join(channel, eva)

    async def told(user, text):
        response = (await chat.slash(world.door, user, channel, text)).json()
        assert response["response_type"] == "ephemeral"
        return response["text"] + "".join(one["text"] for one in response["attachments"])

    assert "Board minutes" in await told(ada, "search board trigger GeV")
    assert "Board minutes" not in await told(eva, "search board trigger GeV")
    assert "Nothing was found" in await told(eva, "search quetzalcoatl")
    assert "- board: 1" in await told(ada, "sources")
    assert "board" not in await told(eva, "sources")
    assert "/docent private" in await told(eva, "help")
    assert "/link#" in await told(eva, "link")
    assert await told(eva, "unlink") == "This account is not linked."
    assert await told(ada, "unlink") == "This account is linked no more."
    assert "Board minutes" not in await told(ada, "search board trigger GeV")
    assert [one for one in chat.posts.values() if one["user_id"] == chat.bot] == []


async def test_where_the_bot_is_not_it_says_how_to_ask(world):
    chat = world.chat
    ada = await world.person("ada")
    there = chat.channel("P", ada)

    for kind in "PO":
        chat.channels[there]["type"] = kind
        response = await chat.slash(world.door, ada, there, WHO)
        assert response.json()["text"] == NOT_IN


async def test_the_same_command_twice_is_asked_once(world):
    chat = world.chat
    ada, channel = await place(world)

    for _ in range(2):
        await chat.slash(world.door, ada, channel, WHO, trigger_id="one-and-the-same")
    await world.until(lambda: world.assistant.asked)
    await world.quiet()

    assert len(world.assistant.asked) == 1


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"token": "wrong"}, 401), ({"token": ""}, 401), ({"user_id": "ada"}, 400),
        ({"channel_id": "../x"}, 400), ({"team_id": ""}, 400), ({"trigger_id": ""}, 400),
    ],
)  # fmt: skip
async def test_commands_that_do_not_come_from_our_server_are_refused(world, other, status):
    ada, channel = await place(world)

    response = await world.chat.slash(world.door, ada, channel, WHO, **other)
    await world.quiet()

    assert response.status_code == status
    assert world.assistant.asked == []


async def test_an_answer_goes_only_to_the_server_that_is_set(world):
    chat = world.chat
    ada, channel = await place(world)

    for address in ("http://169.254.169.254/latest", "https://evil.example/hooks/commands/x", ""):
        await chat.slash(world.door, ada, channel, f"private {WHO}", response_url=address)
    await world.until(lambda: len(world.assistant.asked) == 3)
    await world.quiet()

    assert chat.ephemeral == []


async def test_what_is_no_form_or_too_long_is_refused(world):
    async with httpx.AsyncClient(base_url=world.door) as client:
        answers = [
            await client.post("/command", content=b"\xff\xfe"),
            await client.post("/action", content=b"[]"),
            await client.post("/dialog", content=b"nothing"),
            await client.post("/dialog", content=b"x" * 300_000),
            await client.post("/action", json={"context": {"question": "q", "seal": "x"}}),
            await client.post("/dialog", json={"state": "a.b.c", "user_id": "b"}),
            await client.get("/command"),
            await client.get("/livez"),
            await client.get("/readyz"),
        ]
    assert [one.status_code for one in answers] == [400, 400, 400, 413, 403, 403, 405, 200, 200]


async def test_the_port_says_when_the_bot_hears_nothing(world):
    await world.quiet()
    world.made.listening.connected = False
    async with httpx.AsyncClient(base_url=world.door) as client:
        assert (await client.get("/readyz")).status_code == 503


async def answered(world, *groups):
    ada, channel = await place(world, *groups)
    question = world.chat.say(ada, channel, f"@docent {WHO}")
    await world.answered(question)
    return ada, channel, world.chat.replies(question)[0]["id"]


async def test_a_thumb_of_the_asker_is_kept_in_his_name_and_taken_back(world):
    chat = world.chat
    ada, _, reply = await answered(world)

    chat.react(ada, reply, "+1_dark_skin_tone")
    await world.quiet()
    (said,) = await feedback(world)
    assert (said.helpful, said.question, said.answer["status"]) == (True, WHO, "answered")
    account = await world.services.state.links.user_of(SERVICE, ada)
    assert len(await world.services.state.feedback.all(account.id)) == 1

    chat.react(ada, reply, "thumbsdown")
    await world.quiet()
    assert [one.helpful for one in await feedback(world)] == [False]
    chat.react(ada, reply, "thumbsdown", added=False)
    await world.quiet()
    assert await feedback(world) == []


async def test_thumbs_of_others_are_kept_without_a_name_once_each(world):
    chat = world.chat
    _, channel, reply = await answered(world)
    ben = await world.person("ben")
    zoe = await world.person("zoe", linked=False)
    for one in (ben, zoe):
        chat.join(channel, one)
    for user, emoji in ((ben, "-1"), (zoe, "+1"), (zoe, "+1"), (zoe, "tada"), (chat.bot, "+1")):
        chat.react(user, reply, emoji)
    chat.react(zoe, chat.say(zoe, channel, "Thanks."), "+1")
    await world.quiet()

    said = await feedback(world)
    assert sorted(one.helpful for one in said) == [False, True]
    account = await world.services.state.links.user_of(SERVICE, ben)
    assert await world.services.state.feedback.all(account.id) == []
    chat.react(zoe, reply, "+1", added=False)
    await world.quiet()
    assert [one.helpful for one in await feedback(world)] == [False]


async def test_the_button_opens_a_form_and_what_is_written_there_is_kept(world):
    chat = world.chat
    ada, _, reply = await answered(world)

    assert (await chat.press(ada, reply)).json() == {}
    (opened,) = chat.dialogs
    assert opened["url"] == f"{world.door}/dialog"
    response = await chat.submit(ada, {"because": " It was Petra. "})

    assert (response.status_code, response.json()) == (200, {})
    (said,) = await feedback(world)
    assert (said.helpful, said.text) == (False, "It was Petra.")


async def test_a_form_is_taken_only_from_whom_it_was_opened_for(world):
    chat = world.chat
    ada, channel, reply = await answered(world)
    ben = await world.person("ben")
    chat.join(channel, ben)
    await chat.press(ada, reply)

    stolen = await chat.submit(ben, {"because": "Mine."})
    forged = await chat.submit(ada, {"because": "x"}, state=f"{'p' * 26}.{ada}.x")
    nothing = await chat.submit(ada, {"because": "  "})
    cancelled = await chat.submit(ada, {"because": "No."}, cancelled=True)
    pressed = await chat.press(ada, reply, user_id="ada")

    assert [one.status_code for one in (stolen, forged, nothing, cancelled, pressed)] == [
        403, 403, 200, 200, 400,
    ]  # fmt: skip
    assert await feedback(world) == []


async def test_a_form_that_cannot_be_opened_any_more_is_said_so(world):
    chat = world.chat
    ada, _, reply = await answered(world)

    response = await chat.press(ada, reply, trigger_id="old")

    assert "status 400" in response.json()["ephemeral_text"]


async def test_an_answer_of_an_earlier_day_is_judged_as_far_as_it_is_known(world):
    chat = world.chat
    ada, channel, reply = await answered(world)
    zoe = await world.person("zoe", linked=False)
    chat.join(channel, zoe)
    world.desk.answers.pop(reply)

    chat.react(ada, reply, "+1")
    await world.quiet()
    world.desk.answers.pop(reply)
    chat.react(zoe, reply, "-1")
    await world.quiet()

    said = {one.helpful: one for one in await feedback(world)}
    assert said[True].answer["status"] == "answered"
    assert (said[False].answer, WHO in said[False].question) == (None, True)
