"""Feedback as maintainers see it, and the questions of the test set that come of it."""

import json

import pytest

from eval.datasets import read_questions
from ingest.access import ANYBODY, Reader
from tests.web.admin.conftest import STAFF, START, answered, calling, told
from web.state import Verdict

ASKED = "What is the storage quota of a user?"
GOLD = {
    "question": "How much may a user store?",
    "documents": ["test:quota"],
    "facts": [{"text": "50 GB", "keys": ["50 GB"]}],
    "wrong": [{"text": "10 GB, the old quota", "keys": ["10 GB"], "where": ["test:attic"]}],
    "answer": "A user may store 50 GB.",
}


@pytest.fixture
async def user(services):
    return await services.state.users.local(groups=())


async def given(services, user, reader=ANYBODY, **said):
    message_id = await answered(services, user.id, ASKED, reader)
    services.state.database.clock.pass_(seconds=1)
    return await services.state.feedback.give(user.id, message_id, **said)


async def test_feedback_is_shown_with_its_answer_and_without_its_author(services, user):
    await given(services, user, helpful=False, wrong_sentences=[0], text="Old.", right_page="/new")
    found = await told(services, "/feedback")
    (one,) = found["feedback"]

    assert (one["question"], one["helpful"], one["text"]) == (ASKED, False, "Old.")
    assert (one["right_page"], one["wrong_sentences"], one["verdict"]) == ("/new", [0], "open")
    assert one["answer"]["withheld"] is False
    assert one["answer"]["citations"]
    assert found["counts"] == {"new": 1, "seen": 0, "done": 0, "dismissed": 0}
    assert user.id not in json.dumps(found)


async def test_what_the_maintainer_may_not_read_is_withheld(services, user):
    kept = await given(services, user, Reader(STAFF), helpful=False, wrong_sentences=[0, 1, 2, 9])
    secret = [s for s in kept.answer["sentences"] if "80 GB" in s["text"]]
    assert secret
    (public,) = (await told(services, "/feedback"))["feedback"]
    (staff,) = (await told(services, "/feedback", groups="staff"))["feedback"]

    assert "80 GB" not in json.dumps(public)
    assert "plan" not in json.dumps(public)
    assert public["answer"]["withheld"] is True
    shown = [one["text"] for one in public["answer"]["sentences"]]
    left = [one["text"] for one in kept.answer["sentences"] if one not in secret]
    assert shown == left
    # The places are those among what is shown, so that nothing tells that one is missing between.
    assert public["wrong_sentences"] == list(range(len(left)))
    assert len(staff["answer"]["sentences"]) == len(kept.answer["sentences"])


async def test_pages_of_feedback_follow_each_other(services, user):
    for n in range(3):
        await given(services, user, text=f"number {n}")
    first = await told(services, "/feedback?limit=2")
    second = await told(services, f"/feedback?limit=2&before={first['next']}")

    assert [one["text"] for one in first["feedback"]] == ["number 2", "number 1"]
    assert [one["text"] for one in second["feedback"]] == ["number 0"]
    assert second["next"] is None


async def test_feedback_is_settled(services, user):
    kept = await given(services, user, helpful=False)
    async with calling(services) as client:
        done = await client.patch(f"/feedback/{kept.id}", json={"state": "done"})
        missing = await client.patch("/feedback/none", json={"state": "done"})
        odd = await client.patch(f"/feedback/{kept.id}", json={"state": "read"})

    assert (done.json()["state"], missing.status_code, odd.status_code) == ("done", 404, 422)
    assert (await told(services, "/feedback?state=new"))["feedback"] == []
    assert len((await told(services, "/feedback?state=done"))["feedback"]) == 1


async def test_a_candidate_begins_with_what_helped(services, user):
    await given(services, user, helpful=True)
    await given(services, user, helpful=False)
    first, second = (await told(services, "/candidates"))["candidates"]

    assert first["draft"]["question"] == ASKED
    assert "test:quota" in first["draft"]["documents"]
    assert "50 GB" in first["draft"]["answer"]
    assert second["draft"] == {"question": ASKED, "documents": [], "answer": ""}


async def decided(services, kept, body, **headers):
    async with calling(services, **headers) as client:
        return await client.post(f"/candidates/{kept.id}", json=body)


async def test_an_accepted_candidate_is_a_line_that_eval_reads(services, user, tmp_path):
    kept = await given(services, user, helpful=True)
    refuse = await given(services, user, helpful=False)
    accepted = await decided(services, kept, {"verdict": "accepted", "gold": GOLD})
    nothing = {"question": "Who pays?", "class": "unanswerable"}
    assert (await decided(services, refuse, {"verdict": "accepted", "gold": nothing})).is_success
    async with calling(services) as client:
        lines = await client.get("/questions")
    path = tmp_path / "questions.jsonl"
    path.write_bytes(lines.content)
    first, second = read_questions(path)

    assert accepted.json()["verdict"] == "accepted"
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert (first.question, first.kind, first.documents) == (
        GOLD["question"], "feedback", ["test:quota"],
    )  # fmt: skip
    assert (first.facts[0].keys, first.facts[0].required) == (["50 GB"], True)
    assert first.wrong[0].where == ["test:attic"]
    assert (second.kind, second.answerable) == ("unanswerable", False)
    assert first.id != second.id
    found = await told(services, "/candidates")
    assert (found["candidates"], found["accepted"]) == ([], 2)


async def test_a_rejected_candidate_is_gone(services, user):
    kept = await given(services, user, helpful=True)
    assert (await decided(services, kept, {"verdict": "rejected"})).json()["verdict"] == "rejected"

    assert (await told(services, "/candidates"))["candidates"] == []
    assert (await services.state.review.get(kept.id)).verdict == Verdict.REJECTED


@pytest.mark.parametrize(
    "body",
    [
        {"verdict": "accepted"},
        {"verdict": "rejected", "gold": GOLD},
        {"verdict": "maybe"},
        {"verdict": "accepted", "gold": {**GOLD, "facts": []}},
        {"verdict": "accepted", "gold": {**GOLD, "documents": []}},
        {"verdict": "accepted", "gold": {**GOLD, "facts": [{"text": "50 GB", "keys": []}]}},
        {"verdict": "accepted", "gold": {**GOLD, "line": 3}},
        {"verdict": "accepted", "gold": {**GOLD, "facts": [
            {"text": "50 GB", "keys": ["50 GB"], "required": False}]}},
    ],
)  # fmt: skip
async def test_what_eval_would_not_read_is_refused(services, user, body):
    kept = await given(services, user, helpful=True)

    assert (await decided(services, kept, body)).status_code == 422


async def test_a_question_names_only_documents_that_the_maintainer_may_read(services, user):
    kept = await given(services, user, helpful=True)
    secret = {**GOLD, "documents": ["test:quota", "test:plan"]}
    refusals = [
        await decided(
            services, kept, {"verdict": "accepted", "gold": {**GOLD, "documents": [name]}}
        )
        for name in ("test:plan", "test:nowhere")
    ]
    assert [one.status_code for one in refusals] == [404, 404]
    assert refusals[0].json() == refusals[1].json()
    assert (
        await decided(services, kept, {"verdict": "accepted", "gold": secret}, groups="staff")
    ).is_success

    async with calling(services) as client:
        assert (await client.get("/questions")).text == ""
    async with calling(services, groups="staff") as client:
        assert "test:plan" in (await client.get("/questions")).text
    missing = await decided(services, type("Kept", (), {"id": "none"}), {"verdict": "rejected"})
    assert missing.status_code == 404


async def test_a_judgement_on_a_draft_that_was_cut_off_has_no_answer(services, user):
    begun = await services.state.conversations.begin(user.id, ASKED)
    await services.state.conversations.finish(user.id, begun, "The quo")
    await services.state.feedback.give(user.id, begun.answer_id, helpful=False)
    (one,) = (await told(services, "/feedback"))["feedback"]

    assert (one["answer"], one["wrong_sentences"]) == (None, [])
    assert one["created_at"] == START.isoformat()
