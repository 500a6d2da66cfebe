"""Answers on their way: whose server lives, who takes over, who is told to stop."""

import pytest

from web.state.underway import SILENT_S, WANTED_S, Wish

ANSWER = {"answer": "Ines.", "citations": []}


@pytest.fixture
async def begun(state, ada):
    return await state.conversations.begin(ada.id, "Who?", asked={"filter": {"sources": ["wiki"]}})


async def test_an_answer_is_waited_for_until_it_is_written_down(state, ada, begun):
    assert await state.underway.waiting(ada.id, begun.answer_id)
    assert await state.underway.ended(ada.id, begun.answer_id) is None

    await state.conversations.finish(ada.id, begun, "Ines.", answer=ANSWER)

    assert not await state.underway.waiting(ada.id, begun.answer_id)
    ended = await state.underway.ended(ada.id, begun.answer_id)
    assert (ended.conversation_id, ended.question_id) == (begun.conversation_id, begun.question_id)
    assert (ended.message.text, ended.message.answer) == ("Ines.", ANSWER)
    assert await state.underway.ended(ada.id, begun.question_id) is None


async def test_what_is_anothers_looks_missing(state, ben, begun, clock):
    clock.pass_(seconds=60)

    assert not await state.underway.waiting(ben.id, begun.answer_id)
    assert not await state.underway.want(ben.id, begun.answer_id)
    assert not await state.underway.stop(ben.id, begun.answer_id)
    assert await state.underway.take(ben.id, begun.answer_id) is None
    assert await state.underway.beat([begun.answer_id]) == []


async def test_an_answer_is_taken_from_a_silent_server_once_and_with_all_that_was_asked(
    state, ada, begun, clock
):
    await state.conversations.finish(ada.id, begun, "Ines.", answer=ANSWER)
    where = begun.conversation_id
    second = await state.conversations.begin(
        ada.id, "And when?", conversation_id=where, asked={"filter": {"sources": ["wiki"]}}
    )
    clock.pass_(seconds=SILENT_S)
    assert await state.underway.take(ada.id, second.answer_id) is None
    await state.underway.beat([second.answer_id])
    clock.pass_(seconds=SILENT_S + 1)

    taken = await state.underway.take(ada.id, second.answer_id)

    assert taken.begun == second
    assert [message.text for message in taken.begun.history] == ["Who?", "Ines."]
    assert (taken.question, taken.asked) == ("And when?", {"filter": {"sources": ["wiki"]}})
    assert await state.underway.take(ada.id, second.answer_id) is None
    assert await state.underway.take(ada.id, begun.answer_id) is None


async def test_a_reader_elsewhere_is_told_to_the_server_that_writes(state, ada, begun, clock):
    assert await state.underway.beat([]) == []
    assert await state.underway.beat([begun.answer_id, "nothing"]) == []

    assert await state.underway.want(ada.id, begun.answer_id)
    assert await state.underway.beat([begun.answer_id]) == [Wish(begun.answer_id, stopped=False)]
    clock.pass_(seconds=WANTED_S + 1)
    assert await state.underway.beat([begun.answer_id]) == []

    assert await state.underway.stop(ada.id, begun.answer_id)
    assert await state.underway.beat([begun.answer_id]) == [Wish(begun.answer_id, stopped=True)]
    clock.pass_(seconds=60)
    assert await state.underway.take(ada.id, begun.answer_id) is None


async def test_it_goes_with_its_question_and_after_a_day(state, ada, begun, clock):
    replaced = await state.conversations.begin(
        ada.id, "Who else?", conversation_id=begun.conversation_id, replaces=begun.question_id
    )
    assert not await state.underway.waiting(ada.id, begun.answer_id)
    assert await state.underway.waiting(ada.id, replaced.answer_id)

    clock.pass_(days=1, seconds=1)
    await state.purge(90)
    assert not await state.underway.waiting(ada.id, replaced.answer_id)
