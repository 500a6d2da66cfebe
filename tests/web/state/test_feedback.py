"""Feedback, what maintainers make of it, tokens, the audit log, gaps and usage."""

import asyncio
from datetime import timedelta

import pytest

from tests.web.state.conftest import START
from web.state import FeedbackState, GapState, Hourly, TooManyTokens, Verdict
from web.state.usage import BUCKETS_MS

ANSWER = {"answer": "Ines.", "sentences": [{"text": "Ines."}]}


@pytest.fixture
async def asked(state, ada):
    begun = await state.conversations.begin(ada.id, "Who?")
    await state.conversations.finish(ada.id, begun, "Ines.", answer=ANSWER, documents=["d1"])
    return begun


async def test_feedback_keeps_a_copy_of_what_it_is_about(state, ada, asked):
    given = await state.feedback.give(
        ada.id,
        asked.answer_id,
        helpful=False,
        wrong_sentences=[2, 0, 2],
        text="She left.",
        right_page="https://wiki.example.org/People",
    )
    await state.conversations.delete(ada.id, asked.conversation_id)

    kept = await state.review.get(given.id)
    assert (kept.question, kept.answer, kept.documents) == ("Who?", ANSWER, ("d1",))
    assert (kept.helpful, kept.wrong_sentences, kept.text) == (False, (0, 2), "She left.")
    assert (kept.right_page, kept.state, kept.verdict) == (
        "https://wiki.example.org/People",
        FeedbackState.NEW,
        Verdict.OPEN,
    )
    assert kept.message_id is None


async def test_a_second_opinion_replaces_the_first_and_is_new_again(state, ada, asked, clock):
    first = await state.feedback.give(ada.id, asked.answer_id, helpful=False, text="Wrong.")
    await state.review.settle(first.id, FeedbackState.DONE)
    clock.pass_(minutes=1)

    second = await state.feedback.give(ada.id, asked.answer_id, helpful=True)

    assert second.id == first.id
    assert (second.helpful, second.text, second.state) == (True, "", FeedbackState.NEW)
    assert (second.created_at, second.updated_at) == (START, START + timedelta(minutes=1))
    assert await state.feedback.all(ada.id) == [second]


async def test_only_an_answer_can_be_judged(state, ada, asked):
    assert await state.feedback.give(ada.id, asked.question_id, helpful=True) is None
    assert await state.feedback.give(ada.id, "nothing", helpful=True) is None


async def test_feedback_can_be_taken_back_until_it_is_in_the_test_set(state, ada, asked):
    await state.feedback.give(ada.id, asked.answer_id, helpful=True)
    assert await state.feedback.withdraw(ada.id, asked.answer_id)
    assert not await state.feedback.withdraw(ada.id, asked.answer_id)

    given = await state.feedback.give(ada.id, asked.answer_id, helpful=True)
    await state.review.judge(ada.id, given.id, Verdict.ACCEPTED, {"question": "Who?"})
    assert not await state.feedback.withdraw(ada.id, asked.answer_id)


async def test_feedback_is_a_candidate_until_it_is_judged_or_dismissed(state, ada, clock):
    given = []
    for n in range(4):
        begun = await state.conversations.begin(ada.id, f"Question {n}")
        await state.conversations.finish(ada.id, begun, "Answer")
        given.append(await state.feedback.give(ada.id, begun.answer_id, helpful=False))
        clock.pass_(minutes=1)
    kept, accepted, rejected, dismissed = given

    gold = {"question": "Question 1", "documents": ["d1"]}
    assert (await state.review.judge(ada.id, accepted.id, Verdict.ACCEPTED, gold)).gold == gold
    assert (await state.review.judge(ada.id, rejected.id, Verdict.REJECTED)).gold is None
    await state.review.settle(dismissed.id, FeedbackState.DISMISSED)

    assert [f.id for f in await state.review.candidates()] == [kept.id]
    assert [f.gold for f in await state.review.accepted()] == [gold]
    assert await state.review.counts() == {
        FeedbackState.NEW: 3,
        FeedbackState.SEEN: 0,
        FeedbackState.DONE: 0,
        FeedbackState.DISMISSED: 1,
    }


async def test_maintainers_page_through_feedback_of_a_state(state, ada, ben, clock):
    given = []
    for n, user in enumerate((ada, ben, ada, ben)):
        begun = await state.conversations.begin(user.id, f"Question {n}")
        await state.conversations.finish(user.id, begun, "Answer")
        given.append(await state.feedback.give(user.id, begun.answer_id, text=str(n)))
        clock.pass_(minutes=n % 2)
    await state.review.settle(given[3].id, FeedbackState.SEEN)

    first = await state.review.feedback(state=FeedbackState.NEW, limit=2)
    rest = await state.review.feedback(state=FeedbackState.NEW, before=first[-1].id)

    assert first[0].text == "2"
    assert {f.text for f in [*first, *rest]} == {"0", "1", "2"}
    assert len(first) + len(rest) == 3
    assert await state.review.feedback(before="nothing") == []
    assert await state.review.settle("nothing", FeedbackState.SEEN) is None
    assert await state.review.judge(ada.id, "nothing", Verdict.REJECTED) is None
    assert await state.review.get("nothing") is None


async def test_a_token_is_known_by_its_text_until_it_ends(state, ada, clock):
    token, text = await state.tokens.make(
        ada.id, "laptop", ["search", "ask", "ask"], START + timedelta(days=30)
    )
    assert text.startswith(f"docent_{token.id}_")
    assert token.scopes == ("ask", "search")

    assert await state.tokens.verify(text) == (token, ada)
    clock.pass_(days=30)
    assert await state.tokens.verify(text) is None


async def test_a_revoked_token_ends_at_once_and_stays_listed(state, ada, clock):
    token, text = await state.tokens.make(ada.id, "laptop", ["ask"], START + timedelta(days=30))

    assert await state.tokens.revoke(ada.id, token.id)
    assert not await state.tokens.revoke(ada.id, token.id)

    assert await state.tokens.verify(text) is None
    assert [t.revoked_at for t in await state.tokens.all(ada.id)] == [START]


async def test_texts_that_are_no_token_open_nothing(state, ada):
    token, text = await state.tokens.make(ada.id, "laptop", ["ask"], START + timedelta(days=1))
    secret = text.rpartition("_")[2]
    other = ("0" if secret[0] != "0" else "1") + secret[1:]

    for wrong in (
        "",
        secret,
        text + "0",
        text.upper(),
        f"docent_{token.id}_{other}",
        f"docent_{'0' * 16}_{secret}",
        f"docent_{token.id}_" + "%" * 64,
    ):
        assert await state.tokens.verify(wrong) is None, wrong


@pytest.mark.parametrize("days", [0, -1, 367])
async def test_a_token_lasts_no_longer_than_a_year(state, ada, days):
    with pytest.raises(ValueError, match="A token may last until 2027-03-03"):
        await state.tokens.make(ada.id, "laptop", ["ask"], START + timedelta(days=days))


async def test_nobody_has_more_than_fifty_tokens_that_hold(state, ada, ben, clock):
    async def make(user, days):
        return await state.tokens.make(user.id, "a run", ["ask"], START + timedelta(days=days))

    made = [await make(ada, 1 + number % 2) for number in range(50)]
    with pytest.raises(TooManyTokens, match="You have 50 API tokens that still hold"):
        await make(ada, 3)
    assert len(await state.tokens.all(ada.id)) == 50
    # Those of others are others', and what holds no more makes room.
    await make(ben, 3)
    await state.tokens.revoke(ada.id, made[0][0].id)
    await make(ada, 3)
    with pytest.raises(TooManyTokens):
        await make(ada, 3)
    clock.pass_(days=1)
    for _ in range(24):
        await make(ada, 3)
    with pytest.raises(TooManyTokens):
        await make(ada, 3)


async def test_tokens_made_side_by_side_are_not_more_either(state, ada):
    until = START + timedelta(days=1)
    for _ in range(48):
        await state.tokens.make(ada.id, "a run", ["ask"], until)
    made = await asyncio.gather(
        *(state.tokens.make(ada.id, "a run", ["ask"], until) for _ in range(4)),
        return_exceptions=True,
    )
    assert [isinstance(one, TooManyTokens) for one in made].count(True) == 2
    assert len(await state.tokens.all(ada.id)) == 50


async def test_use_of_a_token_is_written_down_at_most_every_five_minutes(state, ada, clock):
    token, _ = await state.tokens.make(ada.id, "laptop", ["ask"], START + timedelta(days=1))
    moments = []
    for _ in range(3):
        assert await state.tokens.used(token) is None
        (token,) = await state.tokens.all(ada.id)
        moments.append(token.used_at - START)
        clock.pass_(minutes=3)

    assert moments == [timedelta(0), timedelta(0), timedelta(minutes=6)]


async def test_the_audit_log_says_who_was_shown_what(state, ada, ben):
    assert await state.audit.record(ada.id, "ask", ["d1", "d2", "d1"], request_id="r1") is None
    assert await state.audit.record(ben.id, "search", []) is None

    second, first = await state.audit.page()
    assert (first.user_id, first.door, first.documents) == (ada.id, "ask", ("d1", "d2"))
    assert (first.request_id, first.at) == ("r1", START)
    assert (second.user_id, second.documents) == (ben.id, ())
    assert await state.audit.page(user_id=ada.id) == [first]
    assert await state.audit.page(before=second.id) == [first]
    assert await state.audit.page(limit=1) == [second]


async def test_unanswered_questions_are_listed_without_their_asker(state, ada, clock):
    assert await state.gaps.record(ada.id, "Old?", [], None) is None
    clock.pass_(days=2)
    assert await state.gaps.record(ada.id, "New?", ["d1", "d1"], 0.25) is None
    clock.pass_(minutes=1)
    await state.gaps.record(ada.id, "Newer?", ["d2"], 0.5)

    newer, new = await state.gaps.since(START + timedelta(days=1))
    assert (new.question, new.nearest, new.score) == ("New?", ("d1",), 0.25)
    assert ada.id not in repr(new)
    assert await state.gaps.settle([new.id, "nothing"], GapState.DONE) == 1
    assert await state.gaps.since(START + timedelta(days=1)) == [newer]
    assert len(await state.gaps.since(START, state=None)) == 3
    assert [g.id for g in await state.gaps.since(START, state=GapState.DONE)] == [new.id]


async def test_usage_is_summed_by_the_hour_over_every_server(state, clock):
    state.usage.count("ask.answered", 2)
    for milliseconds in [40] * 9 + [4000]:
        state.usage.took("ask.first_token_ms", milliseconds)
    assert await state.usage.since(START) == []
    assert await state.usage.flush() is None
    state.usage.count("ask.answered")
    clock.pass_(minutes=30)
    state.usage.count("ask.answered", 10)
    assert await state.usage.flush() is None
    assert await state.usage.flush() is None

    nine, ten = START.replace(minute=0), START.replace(hour=10, minute=0)
    assert await state.usage.since(START) == [
        Hourly(nine, "ask.answered", 3, None, None),
        # Nine of ten took up to 50 ms; the slowest, up to 5000.
        Hourly(nine, "ask.first_token_ms", 10, 50, 5000),
        Hourly(ten, "ask.answered", 10, None, None),
    ]
    assert await state.usage.since(ten) == [Hourly(ten, "ask.answered", 10, None, None)]


async def test_what_takes_for_ever_is_counted_as_the_last_bucket(state):
    state.usage.took("ask.total_ms", 1e9)
    state.usage.took("ask.total_ms", 0)
    await state.usage.flush()

    (hour,) = await state.usage.since(START)
    assert (hour.p50_ms, hour.p95_ms) == (BUCKETS_MS[0], BUCKETS_MS[-1])
