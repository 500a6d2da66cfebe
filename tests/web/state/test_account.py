"""One person's data as one document, its erasure, and the removal of what is past its date."""

import json
from datetime import timedelta

import pytest

from tests.web.state.conftest import START
from web.state import GapState, Purged, Verdict, account_to_dict

ANSWER = {"answer": "Ines.", "citations": []}


async def everything(state, user):
    """One of everything that can be kept about somebody; gives the ids by name."""
    begun = await state.conversations.begin(user.id, f"Who is {user.name}?")
    await state.conversations.finish(
        user.id, begun, f"{user.name} is here.", answer=ANSWER, documents=["d1"]
    )
    later = await state.conversations.begin(user.id, "Else?")
    await state.conversations.finish(user.id, later, "Nothing.", answer=ANSWER)
    secret = await state.sessions.begin(user.id, lasts=timedelta(hours=1), oidc_sid="sid")
    _, token = await state.tokens.make(user.id, "laptop", ["ask"], START + timedelta(days=9))
    plain = await state.feedback.give(user.id, begun.answer_id, text=f"Says {user.name}")
    taken = await state.feedback.give(user.id, later.answer_id, text=f"Says {user.name}")
    await state.review.judge(user.id, taken.id, Verdict.ACCEPTED, {"question": "Else?"})
    share = await state.shares.make(user.id, begun.conversation_id)
    await state.audit.record(user.id, "ask", ["d1"])
    await state.gaps.record(user.id, "Why?", ["d2"], 0.1)
    return {
        "conversation": begun.conversation_id,
        "share": share.id,
        "secret": secret,
        "token": token,
        "plain": plain.id,
        "taken": taken.id,
    }


async def test_an_export_is_one_json_document_with_everything_and_no_secret(state, ada, ben):
    ids = await everything(state, ada)
    await everything(state, ben)

    exported = account_to_dict(await state.accounts.export(ada.id))

    text = json.dumps(exported)
    assert "Ben" not in text
    assert ben.id not in text
    assert ids["secret"] not in text
    assert "digest" not in text
    assert ids["token"].rpartition("_")[2] not in text
    assert exported["format"] == "docent-account-1"
    assert exported["user"]["email"] == "ada@example.org"
    assert exported["user"]["signed_in_at"] == "2026-03-02T09:30:00+00:00"
    said = [
        (conversation["title"], [message["text"] for message in conversation["messages"]])
        for conversation in exported["conversations"]
    ]
    assert sorted(said) == [
        ("Else?", ["Else?", "Nothing."]),
        ("Who is Ada?", ["Who is Ada?", "Ada is here."]),
    ]
    sizes = {key: len(exported[key]) for key in ("sessions", "feedback", "tokens")}
    assert sizes == {"sessions": 1, "feedback": 2, "tokens": 1}
    assert [entry["documents"] for entry in exported["audit"]] == [["d1"]]
    assert [gap["question"] for gap in exported["unanswered"]] == ["Why?"]
    assert ids["share"] in [c["share_id"] for c in exported["conversations"]]


async def test_erasing_leaves_nothing_that_tells_who_it_was(state, ada, ben):
    ids = await everything(state, ada)
    await everything(state, ben)
    before = account_to_dict(await state.accounts.export(ben.id))

    assert await state.accounts.erase(ada.id)
    assert not await state.accounts.erase(ada.id)

    assert await state.users.get(ada.id) is None
    assert await state.accounts.export(ada.id) is None
    assert await state.sessions.find(ids["secret"]) is None
    assert await state.tokens.verify(ids["token"]) is None
    assert await state.shares.open(ids["share"]) is None
    assert await state.conversations.page(ada.id) == []
    assert await state.review.get(ids["plain"]) is None
    taken = await state.review.get(ids["taken"])
    assert (taken.gold, taken.text, taken.answer) == ({"question": "Else?"}, "", None)
    async with state.database.read() as connection:
        for table in ("audit", "gaps", "feedback", "conversations", "messages", "users", "usage"):
            rows = await connection.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
            kept = repr(rows.all())
            assert ada.id not in kept, table
            assert "Ada" not in kept, table
    # What was shown is still known, and what the documents lack; of others nothing is gone.
    assert [entry.user_id for entry in await state.audit.page()] == [ben.id, None]
    assert len(await state.gaps.since(START)) == 2
    assert account_to_dict(await state.accounts.export(ben.id)) == before


async def test_what_is_past_its_date_is_removed_and_nothing_else(state, ada, clock):
    _, revoked = await state.tokens.make(ada.id, "revoked", ["ask"], START + timedelta(days=300))
    await state.tokens.make(ada.id, "expiring", ["ask"], START + timedelta(days=60))
    await state.tokens.make(ada.id, "lasting", ["ask"], START + timedelta(days=300))
    await state.tokens.revoke(ada.id, revoked.split("_")[1])
    await state.sessions.begin(ada.id, lasts=timedelta(hours=10))
    await state.audit.record(ada.id, "ask", ["old"])
    await state.gaps.record(ada.id, "Old?", [], None)
    state.usage.count("ask.answered")
    await state.usage.flush()
    clock.pass_(days=89, hours=23)
    await state.audit.record(ada.id, "ask", ["new"])
    await state.gaps.record(ada.id, "New?", [], None)
    await state.sessions.begin(ada.id, lasts=timedelta(hours=10))

    assert await state.purge(90) == Purged(sessions=1, tokens=1, audit=0, usage=0, unanswered=0)
    clock.pass_(hours=2)
    assert await state.purge(90) == Purged(sessions=0, tokens=1, audit=1, usage=0, unanswered=1)
    assert await state.purge(90) == Purged(sessions=0, tokens=0, audit=0, usage=0, unanswered=0)

    account = await state.accounts.export(ada.id)
    assert [entry.documents for entry in account.audit] == [("new",)]
    assert [gap.question for gap in account.unanswered] == ["New?"]
    assert [token.name for token in account.tokens] == ["lasting"]
    assert len(account.sessions) == 1
    gaps = await state.gaps.since(START, state=GapState.NEW)
    assert [gap.question for gap in gaps] == ["New?", "Old?"]

    clock.pass_(days=311)
    assert (await state.purge(90)).usage == 1


@pytest.mark.parametrize("audit_days", [1, 3660])
async def test_a_purge_of_nothing_removes_nothing(state, ada, audit_days):
    assert await state.purge(audit_days) == Purged(0, 0, 0, 0, 0)
    assert await state.users.get(ada.id) == ada
