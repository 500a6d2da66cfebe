"""A mention, a thread, a direct message: asked, edited, deleted; the answer while it grows."""

from itertools import pairwise

from assistant.model import Turn
from tests.web.mattermost.conftest import bot_on
from web.mattermost.words import WAITING

WHO = "@docent Who looks after the muon trigger?"
SECRET = "@docent Where does the board move L1_MU4?"


async def test_a_mention_gets_one_reply_in_its_thread_with_its_sources_as_links(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)

    question = chat.say(ada, channel, WHO)
    await world.answered(question)

    (reply,) = chat.replies(question)
    assert reply["root_id"] == question
    assert reply["channel_id"] == channel
    assert "[\\[1\\]](<https://" in reply["message"]
    assert "\n1. [" in reply["message"]
    assert chat.typed == [(channel, question)]
    assert world.assistant.asked[0].text == "Who looks after the muon trigger?"


async def test_what_does_not_mention_the_bot_stays_without_a_word(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)

    for text in ("Who?", "@docents Who?", "`@docent` is code", "> @docent said", "a@docent.org"):
        chat.say(ada, channel, text)
    await world.quiet()

    assert [one for one in chat.posts.values() if one["user_id"] == chat.bot] == []


async def test_programs_the_server_itself_and_the_bot_are_not_answered(world):
    chat = world.chat
    ada = await world.person("ada")
    robot = chat.user("robot", bot=True)
    channel = chat.channel("P", ada, robot, chat.bot)

    chat.say(robot, channel, WHO)
    chat.say(ada, channel, WHO, from_webhook="true")
    chat.say(ada, channel, "@docent added to the channel by ada", type="system_add_to_channel")
    chat.say(chat.bot, channel, WHO)
    # Older servers do not mark what a bot says.
    unmarked = chat.say(robot, channel, WHO)
    del chat.posts[unmarked]["props"]["from_bot"]
    chat.edit(unmarked, f"{WHO} Please.")
    await world.quiet()

    assert world.assistant.asked == []


async def test_a_thread_is_the_conversation(world):
    chat = world.chat
    ada = await world.person("ada")
    ben = await world.person("ben")
    channel = chat.channel("P", ada, ben, chat.bot)
    first = chat.say(ada, channel, WHO)
    await world.answered(first)
    chat.say(ben, channel, "I think it is Ines.", root=first)

    second = chat.say(ben, channel, "@docent And who calls her?", root=first)
    await world.answered(second)

    history = world.assistant.asked[-1].history
    assert [turn.role for turn in history] == ["user", "assistant", "user"]
    assert history[0] == Turn("user", "Who looks after the muon trigger?")
    assert history[1].content.startswith("The muon trigger is looked after by Ines Okafor.")
    assert "](" not in history[1].content
    assert history[2] == Turn("user", "I think it is Ines.")
    assert chat.replies(second)[0]["root_id"] == first


async def test_a_direct_message_needs_no_mention_and_is_read_with_ones_own_rights(world):
    chat = world.chat
    ada = await world.person("ada", "board")
    direct = chat.channel("D", ada, chat.bot)

    question = chat.say(ada, direct, SECRET.removeprefix("@docent "))
    await world.answered(question)

    assert "5 GeV" in chat.text(question)
    assert world.assistant.asked[0].reader.user


async def test_whoever_is_not_linked_reads_the_public_and_is_told_how_to_link(world):
    chat = world.chat
    eva = await world.person("eva", linked=False)
    direct = chat.channel("D", eva, chat.bot)

    question = chat.say(eva, direct, SECRET)
    await world.answered(question)
    way = chat.say(eva, direct, "link")
    await world.answered(way)

    assert "5 GeV" not in chat.text(question)
    assert "Write `link` to link it" in chat.text(question)
    address = chat.text(way).partition("(<")[2].partition(">)")[0]
    assert address.startswith("http://localhost:8000/link#")
    about = await world.services.state.links.about(address.partition("#")[2])
    assert (about.service, about.external_id, about.name) == ("mattermost", eva, "@eva")


async def test_a_link_is_told_in_a_direct_message_only_and_ended_there(world):
    chat = world.chat
    ada = await world.person("ada", "board")
    channel, direct = chat.channel("P", ada, chat.bot), chat.channel("D", ada, chat.bot)

    openly = chat.say(ada, channel, "@docent link")
    ended = chat.say(ada, direct, "unlink!")
    await world.answered(openly, ended)
    again = chat.say(ada, direct, "unlink")
    await world.answered(again)

    assert "direct message" in chat.text(openly)
    assert "#" not in chat.text(openly)
    assert chat.text(ended) == "This account is linked no more."
    assert chat.text(again) == "This account is not linked."
    assert await world.services.state.links.user_of("mattermost", ada) is None


async def test_the_bot_says_what_it_can_do_when_nothing_is_asked(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)

    question = chat.say(ada, channel, "@docent")
    await world.answered(question)

    assert "/docent private" in chat.text(question)
    assert world.assistant.asked == []


async def test_a_deleted_question_stops_the_model_and_takes_the_reply_along(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    root = chat.say(ada, channel, "A talk.")
    question = chat.say(ada, channel, "@docent hold the muon trigger", root=root)
    await world.until(lambda: chat.replies(question))
    assert not chat.done(question)

    chat.remove(question)
    await world.until(lambda: world.assistant.closed == 1 and not chat.replies(question))
    await world.quiet()

    assert world.services.streams.running == 0
    assert not chat.posts[root]["delete_at"]


async def test_a_question_deleted_later_takes_its_reply_along(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    root = chat.say(ada, channel, "A talk.")
    question = chat.say(ada, channel, WHO, root=root)
    await world.answered(question)

    chat.remove(question)

    await world.until(lambda: not chat.replies(question))


async def test_an_edited_question_is_answered_anew_in_the_same_reply(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    question = chat.say(ada, channel, WHO)
    await world.answered(question)
    (before,) = [dict(one) for one in chat.replies(question)]

    chat.edit(question, "@docent At how many GeV does the L1_MU4 trigger fire?")
    await world.until(lambda: "4 GeV" in chat.text(question) and chat.done(question))

    (after,) = chat.replies(question)
    assert after["id"] == before["id"]
    assert len(world.assistant.asked) == 2


async def test_an_edit_while_it_is_answered_stops_what_was_begun(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    question = chat.say(ada, channel, "@docent hold the muon trigger")
    await world.until(lambda: chat.replies(question))

    chat.edit(question, WHO)
    await world.answered(question)

    assert "Ines Okafor" in chat.text(question)
    assert world.assistant.closed == 2
    assert len(chat.replies(question)) == 1


async def test_an_edit_that_changes_nothing_asks_nothing(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    question = chat.say(ada, channel, WHO)
    await world.answered(question)

    chat.edit(question, WHO)
    await world.quiet()

    assert len(world.assistant.asked) == 1


async def test_a_mention_that_is_edited_in_is_answered_and_edited_out_taken_back(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    question = chat.say(ada, channel, "Who looks after the muon trigger?")
    await world.quiet()

    chat.edit(question, WHO)
    await world.answered(question)
    chat.edit(question, "Never mind.")

    await world.until(lambda: not chat.replies(question))


async def test_a_reply_that_somebody_took_away_is_not_written_again(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)
    question = chat.say(ada, channel, "@docent hold the muon trigger")
    await world.until(lambda: chat.replies(question))

    chat.remove(chat.replies(question)[0]["id"])
    await world.until(lambda: world.assistant.closed == 1)
    await world.quiet()

    assert chat.replies(question) == []


async def test_an_answer_grows_in_edits_that_are_no_more_frequent_than_set(world):
    chat = world.chat
    world.waiter.real = True
    world.assistant.pause = 0.02
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)

    question = chat.say(ada, channel, WHO)
    await world.answered(question)

    shown = [text for _, _, text in chat.edits]
    assert shown[-1] == chat.text(question)
    growing = shown[:-1]
    assert 1 <= len(growing) <= 10
    assert all(a == WAITING or b.startswith(a[:-2]) for a, b in pairwise(growing))
    times = [at for at, _, _ in chat.edits][:-1]
    assert all(later - sooner > 0.09 for sooner, later in pairwise(times))
    # Drafts hold no link, so that nothing is loaded for them.
    assert not any("](" in text for text in growing)


async def test_what_goes_wrong_is_said_in_a_sentence(world):
    chat = world.chat
    ada = await world.person("ada")
    channel = chat.channel("P", ada, chat.bot)

    broken = chat.say(ada, channel, "@docent break the muon trigger")
    crashed = chat.say(ada, channel, "@docent crash the muon trigger")
    missing = chat.say(ada, channel, "@docent missing muon trigger")
    away = chat.say(ada, channel, "@docent away with the muon trigger")
    await world.answered(broken, crashed, missing, away)

    assert chat.text(broken) == "The model server went away. Start it again."
    assert "secret" not in chat.text(crashed)
    assert chat.text(missing).startswith("The documents do not say.")
    assert "The nearest pages:" in chat.text(missing)
    assert "Petra Lindqvorn" in chat.text(missing)
    assert chat.text(away).startswith("The model is away.\n- ")


async def test_teams_that_are_not_named_get_no_answer(chat, settings, assistant):
    async with bot_on(chat, settings, assistant, teams=["meridian"]) as world:
        ada = await world.person("ada")
        other = chat.a_team("other")
        here = chat.channel("P", ada, chat.bot)
        there = chat.channel("P", ada, chat.bot, team=other)
        chat._join(other, chat.bot, "team")
        ignored = chat.say(ada, there, WHO)
        answered = chat.say(ada, here, WHO)
        await world.answered(answered)
        await world.quiet()
        refused = await chat.slash(world.door, ada, there, "search muon")

        assert chat.replies(ignored) == []
        assert refused.json()["text"] == "I do not answer in this team."


async def test_who_asks_too_often_is_told_so_and_then_no_more(chat, settings, assistant):
    async with bot_on(chat, settings, assistant, asks_per_minute=2) as world:
        ada = await world.person("ada")
        channel = chat.channel("P", ada, chat.bot)
        questions = [chat.say(ada, channel, f"{WHO} {n}") for n in range(6)]
        await world.quiet()

        said = ["".join(one["message"] for one in chat.replies(q)) for q in questions]
        assert sum("Ines Okafor" in one for one in said) == 2
        assert sum("as often as you may" in one for one in said) == 2
        assert said.count("") == 2
        ben = await world.person("ben")
        chat.join(channel, ben)
        his = chat.say(ben, channel, WHO)
        await world.answered(his)
        assert "Ines Okafor" in chat.text(his)
