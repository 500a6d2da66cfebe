"""Breaks, lost and doubled events, a busy server: no answer doubled, none lost."""

import asyncio
import random
import time

import pytest

from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from tests.web.mattermost.conftest import bot_on
from web.line import Line
from web.mattermost.job import RESTARTING, Job
from web.mattermost.listening import Listening
from web.mattermost.nouns import Mark, post_of
from web.mattermost.reply import Reply
from web.mattermost.server import ChatTrouble, Server
from web.streams import Running, Sent

WHO = "@docent Who looks after the muon trigger?"
EVENTS = 500


async def asked(world, *more):
    ada = await world.person("ada")
    channel = world.chat.channel("P", ada, world.chat.bot)
    return ada, channel, [world.chat.say(ada, channel, text) for text in (WHO, *more)]


async def test_nothing_is_doubled_or_lost_in_500_events_with_random_breaks(world):
    chat, dice = world.chat, random.Random(20261122)
    people = [await world.person(name, linked=False) for name in ("ada", "ben", "eva")]
    channels = [chat.channel("P", *people, chat.bot) for _ in range(5)]
    wanted: dict[str, str] = {}
    gone: set[str] = set()
    silent = []
    for number in range(EVENTS):
        user, channel = dice.choice(people), dice.choice(channels)
        alive = [one for one in wanted if one not in gone]
        match dice.choices(
            ("ask", "talk", "edit", "remove", "again", "thread"), (40, 15, 10, 5, 20, 10)
        )[0]:
            case "edit" if alive:
                changed = dice.choice(alive)
                chat.edit(changed, f"{WHO} {number}")
                wanted[changed] = str(number)
            case "remove" if len(alive) > 5:
                removed = dice.choice(alive)
                chat.remove(removed)
                gone |= {one for one in wanted if chat.posts[one]["delete_at"]}
            case "again" if alive:
                chat.again(dice.choice(alive))
            case "thread" if alive:
                root = dice.choice(alive)
                if not chat.posts[root]["root_id"]:
                    place = chat.posts[root]["channel_id"]
                    wanted[chat.say(user, place, f"{WHO} {number}", root)] = str(number)
            case "talk":
                silent.append(chat.say(user, channel, "Good morning."))
            case _:
                wanted[chat.say(user, channel, f"{WHO} {number}")] = str(number)
        fault = dice.random()
        if fault < 0.02:
            chat.drop()
        elif fault < 0.03:
            chat.restart()
        elif fault < 0.04:
            chat.lose(dice.randint(1, 4))
        elif fault < 0.06:
            chat.cut(dice.choice(["POST /posts", "PUT *", "GET *"]), 1, done=dice.random() < 0.5)
        elif fault < 0.07:
            chat.busy("*", 2, "0")
        if dice.random() < 0.5:
            await asyncio.sleep(0)
        if dice.random() < 0.1:
            await asyncio.sleep(0.01)
    # One more that is heard of tells that something was lost just before.
    ending = chat.say(people[0], channels[0], WHO)
    chat.drop()
    wanted[ending] = ""
    alive = [one for one in wanted if one not in gone]
    await world.until(lambda: all(chat.replies(one) for one in alive))
    await world.answered(*alive)
    await world.quiet()

    assert len(wanted) > 200
    assert len(gone) > 5
    assert [len(chat.replies(one)) for one in alive] == [1] * len(alive)
    assert all("Ines Okafor" in chat.text(one) for one in alive)
    assert not any(chat.replies(one) for one in (*gone, *silent))
    # Each says what it was asked last.
    last = {}
    for question in world.assistant.asked:
        last[question.text.rpartition(" ")[2]] = True
    assert all(wanted[one] in last for one in alive if wanted[one])


async def test_a_reply_that_an_edit_finds_gone_ends_the_work_though_the_model_is_silent(world):
    class Gone(Reply):
        async def show(self, text, mark):
            raise ChatTrouble("The post is not there.", 404)

    class Silent(Running):
        async def follow(self, after=0):
            yield 1, Sent("token", {"text": "Ines"})
            await asyncio.Event().wait()

    ada, channel, (question,) = await asked(world)
    post = post_of(world.chat.posts[question])
    assert post is not None
    job = Job(world.desk, await world.desk.server.channel(channel), post, ada)

    reply, mark = Gone(world.desk, post, None), Mark(question, "", ada, done=False)

    with pytest.raises(ChatTrouble, match="not there"):
        async with asyncio.timeout(10):
            await job._follow(Silent(ada, 1), reply, mark)


async def test_a_break_in_the_middle_of_an_answer_changes_nothing(world):
    chat = world.chat
    world.assistant.pause = 0.01
    _, _, (question,) = await asked(world)
    await world.until(lambda: chat.replies(question))

    chat.drop()
    await world.answered(question)
    await world.quiet()

    assert len(chat.replies(question)) == 1
    assert len(world.assistant.asked) == 1
    # Taken up where it was: the server was told the connection and the next number.
    first, second = chat.handshakes[:2]
    assert first == {"connection_id": "", "sequence_number": "0"}
    assert second["connection_id"]
    assert int(second["sequence_number"]) > 1


async def test_what_was_asked_while_the_server_forgot_us_is_looked_up(world):
    chat = world.chat
    ada, channel, (first,) = await asked(world)
    await world.answered(first)

    chat.restart()
    second = chat.say(ada, channel, WHO)
    edited = chat.say(ada, channel, "Who?")
    chat.edit(edited, WHO)
    chat.remove(first)
    await world.answered(second, edited)
    await world.quiet()

    assert chat.replies(first) == []
    assert len(world.assistant.asked) == 3


async def test_a_missing_number_is_noticed_and_what_it_was_looked_up(world):
    chat = world.chat
    ada, channel, (first,) = await asked(world)
    await world.answered(first)
    await world.quiet()

    chat.lose(1)
    lost = chat.say(ada, channel, WHO)
    heard = chat.say(ada, channel, WHO)
    await world.answered(lost, heard)
    await world.quiet()

    assert chat.handshakes[-1]["connection_id"] == ""
    assert [len(chat.replies(one)) for one in (first, lost, heard)] == [1, 1, 1]
    assert len(world.assistant.asked) == 3


async def test_more_was_missed_than_the_server_tells_at_once(world):
    chat = world.chat
    ada, channel, (first,) = await asked(world)
    await world.answered(first)
    await world.quiet()

    chat.restart()
    early = chat.say(ada, channel, WHO)
    for number in range(1100):
        chat.say(ada, channel, f"Talk {number}.")
    await world.answered(early)


async def test_a_post_that_was_made_although_the_line_was_cut_is_not_made_again(world):
    chat = world.chat
    chat.cut("POST /posts", 3, done=True)

    _, _, (question,) = await asked(world)
    await world.answered(question)

    assert len(chat.replies(question)) == 1
    assert len([one for one in chat.posts.values() if one["user_id"] == chat.bot]) == 1


async def test_a_post_whose_name_was_forgotten_meanwhile_is_found_in_its_thread(world):
    chat = world.chat
    # All tries of two requests. The server knows the name of a post for half a minute only.
    chat.cut("POST /posts", 10, done=True)
    tries = ("POST", "/posts")

    def forget(_):
        if [one[1:] for one in chat.requests].count(tries) == 10:
            chat._pending.clear()

    world.waiter.told = forget

    _, _, (question,) = await asked(world)
    await world.answered(question)

    assert len([one for one in chat.posts.values() if one["user_id"] == chat.bot]) == 1
    assert "Ines Okafor" in chat.text(question)


async def test_an_answer_is_held_back_until_the_server_takes_it(world):
    chat = world.chat
    chat.cut("P* /posts*", 30, done=False)

    _, _, (question,) = await asked(world)
    await world.answered(question)

    assert "Ines Okafor" in chat.text(question)
    assert len(world.assistant.asked) == 1


async def test_after_429_everything_waits_as_long_as_the_server_says(world):
    chat = world.chat
    world.waiter.real = True
    ada, channel, (question,) = await asked(world)
    await world.answered(question)

    chat.busy("POST /posts", 1, "1")
    began = time.monotonic()
    second = chat.say(ada, channel, WHO)
    await world.answered(second)

    made = [at for at, method, path in chat.requests if (method, path) == ("POST", "/posts")]
    assert made[-1] - made[-2] >= 1
    assert time.monotonic() - began >= 1
    assert len(chat.replies(second)) == 1


async def test_a_server_that_is_busy_for_long_loses_no_question(world):
    chat = world.chat
    chat.busy("*", 40, None)

    _, _, (question,) = await asked(world)
    await world.answered(question)

    assert "Ines Okafor" in chat.text(question)


async def test_a_bot_that_was_stopped_goes_on_where_it_was(chat, settings):
    async with bot_on(chat, settings, FakeAssistant(list(DOCUMENTS))) as world:
        ada, channel, (done,) = await asked(world)
        await world.answered(done)
        undone = chat.say(ada, channel, "@docent hold the muon trigger")
        await world.until(lambda: chat.replies(undone))

    assert chat.text(undone) == RESTARTING
    assert not chat.done(undone)
    missed = chat.say(ada, channel, WHO)
    chat.edit(undone, WHO)
    again = FakeAssistant(list(DOCUMENTS))
    async with bot_on(chat, settings, again) as world:
        await world.answered(undone, missed)
        await world.quiet()

        assert len(again.asked) == 2
        assert [len(chat.replies(one)) for one in (done, undone, missed)] == [1, 1, 1]


async def test_only_what_was_asked_lately_is_answered_late(chat, settings, assistant):
    ada = chat.user("ada")
    channel = chat.channel("P", ada, chat.bot)
    old = chat.say(ada, channel, WHO)
    chat.posts[old]["create_at"] -= 3 * 3_600_000
    chat.posts[old]["update_at"] -= 3 * 3_600_000
    fresh = chat.say(ada, channel, WHO)
    async with bot_on(chat, settings, assistant) as world:
        await world.answered(fresh)
        await world.quiet()

        assert chat.replies(old) == []


async def test_a_line_that_is_full_is_waited_for(world):
    chat, line = world.chat, Line(1, 0)
    world.services.line, world.waiter.go_on = line, asyncio.Event()
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    holding = chat.say(ada, channel, "@docent hold the muon trigger")
    await world.until(lambda: world.assistant.asked)

    waiting = chat.say(ada, channel, WHO)
    await world.until(lambda: chat.replies(waiting))
    assert "I try again by myself" in chat.text(waiting)
    chat.remove(holding)
    await world.until(lambda: not line.served)
    world.waiter.go_on.set()
    await world.answered(waiting)

    assert "Ines Okafor" in chat.text(waiting)


async def test_a_token_that_holds_no_more_ends_the_bot_with_a_sentence(world):
    world.chat.token = "another" * 3
    server = Server(world.chat.url, "old", pause=world.waiter)
    with pytest.raises(ChatTrouble, match="does not know the bot's token"):
        await server.me()
    with pytest.raises(ChatTrouble, match="does not know the bot's token"):
        await anext(Listening(world.chat.url, "old", None, world.waiter).events())
    await server.close()
