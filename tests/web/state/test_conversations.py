"""Conversations, their messages and the links to them."""

import pytest

from tests.web.state.conftest import START
from web.state.conversations import TITLE_CHARS, title_of

ANSWER = {"status": "answered", "answer": "Ines Okafor.", "citations": [{"marker": 1}]}


async def ask(state, user, question, answer="It is so.", **where):
    """Ask and have it answered."""
    begun = await state.conversations.begin(user.id, question, **where)
    assert await state.conversations.finish(user.id, begun, answer)
    return begun


async def said(state, user, conversation_id):
    return [m.text for m in await state.conversations.messages(user.id, conversation_id)]


async def test_a_question_opens_a_conversation_and_its_answer_is_kept_as_it_was_shown(state, ada):
    begun = await state.conversations.begin(ada.id, "Who looks after\nthe muon trigger?")
    assert begun.history == ()

    assert await state.conversations.finish(
        ada.id, begun, "Ines Okafor.", answer=ANSWER, documents=["b", "a", "b"]
    )

    conversation = await state.conversations.get(ada.id, begun.conversation_id)
    assert conversation.title == "Who looks after the muon trigger?"
    question, answer = await state.conversations.messages(ada.id, begun.conversation_id)
    assert (question.id, question.role, question.answer) == (begun.question_id, "user", None)
    assert question.text == "Who looks after\nthe muon trigger?"
    assert (answer.id, answer.role, answer.text) == (begun.answer_id, "assistant", "Ines Okafor.")
    assert (answer.answer, answer.documents) == (ANSWER, ("b", "a"))


async def test_an_answer_that_was_cut_off_keeps_the_text_so_far(state, ada):
    begun = await state.conversations.begin(ada.id, "Who?")

    assert await state.conversations.finish(ada.id, begun, "Ines Ok")

    _, answer = await state.conversations.messages(ada.id, begun.conversation_id)
    assert (answer.text, answer.answer) == ("Ines Ok", None)


async def test_a_follow_up_is_given_what_was_said_before_it(state, ada):
    first = await ask(state, ada, "Who?", "Ines.")
    second = await ask(state, ada, "Where?", "In B40.", conversation_id=first.conversation_id)
    third = await state.conversations.begin(ada.id, "When?", conversation_id=first.conversation_id)

    assert [m.text for m in second.history] == ["Who?", "Ines."]
    assert [m.text for m in third.history] == ["Who?", "Ines.", "Where?", "In B40."]


async def test_of_a_long_conversation_the_last_twenty_messages_come_back(state, ada):
    first = await ask(state, ada, "Question 0", "Answer 0")
    for n in range(1, 12):
        last = await ask(
            state, ada, f"Question {n}", f"Answer {n}", conversation_id=first.conversation_id
        )

    # Eleven pairs came before the last question; the oldest pair is left out.
    assert len(last.history) == 20
    assert (last.history[0].text, last.history[-1].text) == ("Question 1", "Answer 10")


async def test_editing_a_question_removes_it_and_all_that_follows(state, ada):
    first = await ask(state, ada, "Who?", "Ines.")
    second = await ask(state, ada, "Where?", "B40.", conversation_id=first.conversation_id)
    await ask(state, ada, "When?", "Now.", conversation_id=first.conversation_id)

    edited = await ask(
        state,
        ada,
        "Where to?",
        "To B41.",
        conversation_id=first.conversation_id,
        replaces=second.question_id,
    )

    assert [m.text for m in edited.history] == ["Who?", "Ines."]
    assert await said(state, ada, first.conversation_id) == [
        "Who?",
        "Ines.",
        "Where to?",
        "To B41.",
    ]


async def test_editing_the_first_question_makes_a_new_title_unless_it_was_renamed(state, ada):
    plain = await ask(state, ada, "Who?")
    named = await ask(state, ada, "Who?")
    await state.conversations.rename(ada.id, named.conversation_id, "My trigger notes")

    for begun in (plain, named):
        await ask(
            state,
            ada,
            "Who else?",
            conversation_id=begun.conversation_id,
            replaces=begun.question_id,
        )

    titles = {c.id: c.title for c in await state.conversations.page(ada.id)}
    assert titles == {
        plain.conversation_id: "Who else?",
        named.conversation_id: "My trigger notes",
    }


async def test_only_a_question_of_this_conversation_can_be_replaced(state, ada):
    one, two = await ask(state, ada, "One?"), await ask(state, ada, "Two?")

    for replaces in (two.question_id, one.answer_id, "nothing"):
        assert not await state.conversations.begin(
            ada.id, "Three?", conversation_id=one.conversation_id, replaces=replaces
        )
    assert not await state.conversations.begin(ada.id, "Three?", replaces=one.question_id)
    assert await said(state, ada, one.conversation_id) == ["One?", "It is so."]
    assert await said(state, ada, two.conversation_id) == ["Two?", "It is so."]


async def test_two_questions_asked_at_once_both_get_their_answer(state, ada):
    first = await state.conversations.begin(ada.id, "One?")
    second = await state.conversations.begin(ada.id, "Two?", conversation_id=first.conversation_id)

    assert await state.conversations.finish(ada.id, second, "Second.")
    assert await state.conversations.finish(ada.id, first, "First.")

    assert await said(state, ada, first.conversation_id) == ["One?", "First.", "Two?", "Second."]


async def test_an_answer_to_a_question_that_is_gone_is_not_kept(state, ada):
    begun = await state.conversations.begin(ada.id, "One?")
    edited = await state.conversations.begin(
        ada.id, "Two?", conversation_id=begun.conversation_id, replaces=begun.question_id
    )
    assert not await state.conversations.finish(ada.id, begun, "Too late.")
    assert await state.conversations.finish(ada.id, edited, "In time.")
    assert not await state.conversations.finish(ada.id, edited, "Twice.")
    assert await said(state, ada, begun.conversation_id) == ["Two?", "In time."]

    await state.conversations.delete(ada.id, begun.conversation_id)
    assert not await state.conversations.finish(ada.id, edited, "Too late.")


async def test_pages_go_on_behind_the_last_one_seen(state, ada, clock):
    for n in range(5):
        await ask(state, ada, f"Question {n}")
        # Two of one moment are told apart by their ids.
        clock.pass_(minutes=n % 2)

    seen, before = [], ""
    while page := await state.conversations.page(ada.id, before=before, limit=2):
        seen += [c.title for c in page]
        before = page[-1].cursor

    assert len(seen) == 5
    assert set(seen[:1]) == {"Question 4"}
    assert set(seen[1:3]) == {"Question 2", "Question 3"}
    assert set(seen[3:]) == {"Question 0", "Question 1"}


@pytest.mark.parametrize("before", ["x", "1", "-1", "1-" + "g" * 32, "٣-" + "0" * 32])
async def test_a_cursor_that_is_none_has_nothing_behind_it(state, ada, before):
    await ask(state, ada, "Who?")

    assert await state.conversations.page(ada.id, before=before) == []


async def test_a_cursor_of_the_far_future_has_everything_behind_it(state, ada):
    await ask(state, ada, "Who?")

    assert len(await state.conversations.page(ada.id, before="9" * 17 + "-" + "0" * 32)) == 1


async def test_what_was_asked_last_stands_first(state, ada, clock):
    old = await ask(state, ada, "Old?")
    clock.pass_(minutes=1)
    await ask(state, ada, "New?")
    clock.pass_(minutes=1)
    await ask(state, ada, "More?", conversation_id=old.conversation_id)

    assert [c.title for c in await state.conversations.page(ada.id)] == ["Old?", "New?"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("ÜBERGABE", ["Übergabe im Kontrollraum"]),
        ("straße", ["Who has the key?"]),
        ("STRASSE", ["Who has the key?"]),
        ("key okafor", ["Who has the key?"]),
        ("key kontrollraum", []),
        ("100%", ["What is 100% efficiency?"]),
        ("1_0", []),
        ("%", ["What is 100% efficiency?"]),
        ("\\", []),
        ("Привет", ["привет"]),
    ],
)
async def test_searches_find_words_in_titles_and_texts(state, ada, query, found):
    await ask(state, ada, "Übergabe im Kontrollraum", "Um acht.")
    await ask(state, ada, "Who has the key?", "Ines Okafor, Lange Straße 4.")
    await ask(state, ada, "What is 100% efficiency?", "A dream.")
    await ask(state, ada, "привет", "Hello.")

    assert [c.title for c in await state.conversations.page(ada.id, query=query)] == found


async def test_a_renamed_conversation_is_found_by_its_new_title(state, ada):
    begun = await ask(state, ada, "Who?")

    renamed = await state.conversations.rename(ada.id, begun.conversation_id, "Notizen ÄÖÜ")

    assert renamed.title == "Notizen ÄÖÜ"
    assert await state.conversations.page(ada.id, query="äöü") == [renamed]


async def test_text_that_no_database_can_hold_is_kept_without_it(state, ada):
    begun = await ask(state, ada, "A\0B \ud800 C", "D\0E")

    assert await said(state, ada, begun.conversation_id) == ["A�B ��� C", "D�E"]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Short?", "Short?"),
        ("two\n  lines", "two lines"),
        ("w" * TITLE_CHARS, "w" * TITLE_CHARS),
        ("w" * (TITLE_CHARS + 1), "w" * (TITLE_CHARS - 1) + "…"),
        ("four " * 20, "four " * 15 + "four…"),
    ],
)
def test_a_title_is_the_beginning_of_the_question_in_whole_words(question, title):
    assert title_of(question) == title
    assert len(title_of(question)) <= TITLE_CHARS


async def test_a_link_shows_what_had_been_said_when_it_was_made(state, ada, clock):
    begun = await ask(state, ada, "Who?", "Ines.")
    share = await state.shares.make(ada.id, begun.conversation_id)
    clock.pass_(minutes=1)
    await ask(state, ada, "My salary?", "Secret.", conversation_id=begun.conversation_id)

    shared = await state.shares.open(share.id)
    assert (shared.owner_id, shared.title, shared.created_at) == (ada.id, "Who?", START)
    assert [m.text for m in shared.messages] == ["Who?", "Ines."]
    conversation = await state.conversations.get(ada.id, begun.conversation_id)
    assert conversation.share_id == share.id

    again = await state.shares.make(ada.id, begun.conversation_id)
    assert again.id == share.id
    assert len((await state.shares.open(share.id)).messages) == 4


async def test_an_edited_question_does_not_appear_behind_an_older_link(state, ada, clock):
    begun = await ask(state, ada, "Who?", "Ines.")
    share = await state.shares.make(ada.id, begun.conversation_id)
    clock.pass_(minutes=1)
    await ask(
        state,
        ada,
        "What do I earn?",
        conversation_id=begun.conversation_id,
        replaces=begun.question_id,
    )

    assert (await state.shares.open(share.id)).messages == ()


async def test_a_withdrawn_link_leads_nowhere(state, ada):
    begun = await ask(state, ada, "Who?")
    share = await state.shares.make(ada.id, begun.conversation_id)

    assert await state.shares.withdraw(ada.id, begun.conversation_id)
    assert not await state.shares.withdraw(ada.id, begun.conversation_id)

    assert await state.shares.open(share.id) is None
    assert (await state.conversations.get(ada.id, begun.conversation_id)).share_id is None
    # A new link is a new address: who was given the old one is not let in again.
    assert (await state.shares.make(ada.id, begun.conversation_id)).id != share.id


async def test_a_deleted_conversation_takes_its_messages_and_its_link_along(state, ada):
    begun = await ask(state, ada, "Who?")
    share = await state.shares.make(ada.id, begun.conversation_id)

    assert await state.conversations.delete(ada.id, begun.conversation_id)
    assert not await state.conversations.delete(ada.id, begun.conversation_id)

    assert await state.conversations.page(ada.id) == []
    assert await said(state, ada, begun.conversation_id) == []
    assert await state.shares.open(share.id) is None
