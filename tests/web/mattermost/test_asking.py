"""A mention, a thread, a direct message; edited, deleted, growing."""


WHO = "@docent Who looks after the muon trigger?"


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


async def test_a_direct_message_needs_no_mention(world):
    chat = world.chat
    ada = await world.person("ada")
    direct = chat.channel("D", ada, chat.bot)

    question = chat.say(ada, direct, "Who looks after the muon trigger?")
    await world.answered(question)

    assert "not linked" not in chat.text(question)
