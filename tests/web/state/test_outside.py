"""Feedback of people without an account here: kept once, without a name, and taken back."""

from web.state import Verdict

SAID = {"question": "Who?", "answer": {"answer": "Ines."}, "documents": ["d1"]}


async def test_what_is_said_again_replaces_what_was_said_before(state):
    await state.feedback.from_outside("k1", helpful=True, **SAID)
    await state.feedback.from_outside("k1", helpful=False, text="It was Petra.", **SAID)
    await state.feedback.from_outside("k1", helpful=False, **SAID)
    await state.feedback.from_outside("k2", helpful=True, **SAID)

    kept = {one.text: one for one in await state.review.feedback()}

    assert {text: one.helpful for text, one in kept.items()} == {"It was Petra.": False, "": True}
    (first, second) = kept.values()
    assert (first.question, first.documents, first.message_id) == ("Who?", ("d1",), None)
    assert len(first.id) == 32
    assert "k1" not in first.id
    assert first.id != second.id


async def test_it_is_taken_back_unless_it_is_in_the_test_set(state, ada):
    await state.feedback.from_outside("k1", helpful=True, **SAID)
    kept = await state.feedback.from_outside("k2", helpful=True, **SAID)
    await state.review.judge(ada.id, kept.id, Verdict.ACCEPTED, {"question": "Who?"})

    assert await state.feedback.taken_back("k1")
    assert not await state.feedback.taken_back("k1")
    assert not await state.feedback.taken_back("k2")
    assert [one.id for one in await state.review.feedback()] == [kept.id]
