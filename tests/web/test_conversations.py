"""Conversations over HTTP: kept, found, shared, judged, exported; each his own, checked again."""

import json
import logging
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assistant.model import Question
from ingest.errors import IndexMissing
from tests.web.documents import BOARD, HOSTILE, MENU
from tests.web.people import among, person
from web import answers
from web.state import State
from web.state.database import FILE_NAME
from web.who import Role

ASK = "L1_MU4 trigger GeV"
ON_THE_BOARD = "board minutes moves the trigger"
SECRET = "5 GeV"


@pytest.fixture
async def two(services):
    """Ada is on the board, Bob is not."""
    async with among(services, ada=("board",), bob=()) as found:
        yield found


async def asked(client, question, name="ada", **others):
    body = {"question": question, **others}
    response = await client.post("/api/v1/ask", json=body, headers=person(name))
    assert response.status_code == 200, response.text
    return response.json()


async def get(client, path, name="ada", status=200):
    response = await client.get(f"/api/v1{path}", headers=person(name))
    assert response.status_code == status, response.text
    return response.json()


async def test_a_conversation_is_kept_and_goes_on(two, assistant):
    _, client = two
    first = await asked(client, ASK)
    second = await asked(client, "Since when?", conversation_id=first["conversation_id"])

    assert second["conversation_id"] == first["conversation_id"]
    assert [turn.role for turn in assistant.asked[1].history] == ["user", "assistant"]
    assert assistant.asked[1].history[1].content == first["answer"]
    kept = await get(client, f"/conversations/{first['conversation_id']}")
    assert [message["role"] for message in kept["messages"]] == ["user", "assistant"] * 2
    assert (kept["title"], kept["withheld"]) == (ASK, False)
    told = kept["messages"][1]
    assert told["id"] == first["message_id"] == first["answer_id"]
    assert kept["messages"][0]["id"] == first["question_id"]
    assert told["answer"]["sentences"] == first["sentences"]
    assert told["answer"]["citations"] == first["citations"]

    # The first question is asked again in other words: what followed it is gone.
    await asked(
        client, f"Another {ASK}", conversation_id=first["conversation_id"],
        replaces=first["question_id"],
    )  # fmt: skip
    kept = await get(client, f"/conversations/{first['conversation_id']}")
    assert [message["text"] for message in kept["messages"]][::2] == [f"Another {ASK}"]
    assert assistant.asked[2].history == ()


async def test_what_is_not_to_be_kept_is_not(two, services):
    _, client = two
    answer = await asked(client, f"missing {ASK}", keep=False)

    assert (answer["conversation_id"], answer["message_id"]) == (None, None)
    assert (await get(client, "/conversations"))["conversations"] == []
    await services.settled()
    assert await services.state.gaps.since(datetime(2020, 1, 1, tzinfo=UTC)) == []


async def test_they_are_listed_searched_renamed_and_deleted(two):
    _, client = two
    ids = [(await asked(client, f"{ASK} {n}"))["conversation_id"] for n in "abc"]
    page = await get(client, "/conversations?limit=2")
    assert [one["id"] for one in page["conversations"]] == ids[:0:-1]
    rest = await get(client, f"/conversations?limit=2&before={page['next']}")
    assert [one["id"] for one in rest["conversations"]] == ids[:1]
    assert rest["next"] is None

    body = {"title": "  My trigger "}
    renamed = await client.patch(
        f"/api/v1/conversations/{ids[0]}", json=body, headers=person("ada")
    )
    assert renamed.json()["title"] == "My trigger"
    found = await get(client, "/conversations?query=my")
    assert [one["id"] for one in found["conversations"]] == ids[:1]

    gone = await client.delete(f"/api/v1/conversations/{ids[0]}", headers=person("ada"))
    assert gone.status_code == 204
    await get(client, f"/conversations/{ids[0]}", status=404)


async def test_anothers_looks_missing_in_every_way(two):
    _, client = two
    mine = await asked(client, ASK)
    at, message = f"/conversations/{mine['conversation_id']}", mine["message_id"]
    ways = [
        ("GET", at, None),
        ("PATCH", at, {"title": "x"}),
        ("DELETE", at, None),
        ("GET", f"{at}/export", None),
        ("POST", f"{at}/share", {}),
        ("DELETE", f"{at}/share", None),
        ("POST", f"/messages/{message}/feedback", {"helpful": True}),
        ("DELETE", f"/messages/{message}/feedback", None),
    ]
    for method, path, body in ways:
        headers = {**person("bob"), "X-Request-Id": "same"}
        nowhere = path.replace(mine["conversation_id"], "0" * 32).replace(message, "0" * 32)
        forbidden, missing = [
            await client.request(method, f"/api/v1{one}", json=body, headers=headers)
            for one in (path, nowhere)
        ]
        assert forbidden.status_code == 404, path
        assert (forbidden.content, forbidden.headers) == (missing.content, missing.headers)
    for conversation_id in (mine["conversation_id"], "0" * 32):
        body = {"question": "x", "conversation_id": conversation_id}
        refused = await client.post("/api/v1/ask", json=body, headers=person("bob"))
        assert refused.status_code == 404
    assert (await get(client, "/conversations", "bob"))["conversations"] == []


async def test_who_has_left_a_group_no_longer_sees_what_it_told_him(two, services, assistant):
    people, client = two
    mine = await asked(client, ON_THE_BOARD)
    at = f"/conversations/{mine['conversation_id']}"
    assert SECRET in json.dumps(await get(client, at))

    people.regroup("ada")
    seen = await get(client, at)
    assert seen["withheld"] is seen["messages"][1]["withheld"] is True
    exported = await client.get(f"/api/v1{at}/export", headers=person("ada"))
    account = await get(client, "/account/export")
    for told in (json.dumps(seen), exported.text, json.dumps(account)):
        assert SECRET not in told
        assert BOARD.title not in told
        assert BOARD.id not in told
    # Nor does it come back by way of the next question.
    await asked(client, "And then?", conversation_id=mine["conversation_id"])
    assert SECRET not in "".join(turn.content for turn in assistant.asked[-1].history)

    people.regroup("ada", "board")
    assert SECRET in json.dumps(await get(client, at))


async def test_a_link_shows_to_each_what_he_may_read(two, services):
    _, client = two
    mine = await asked(client, ON_THE_BOARD)
    at = f"/conversations/{mine['conversation_id']}"
    made = await client.post(f"/api/v1{at}/share", json={}, headers=person("ada"))
    link = f"/shares/{made.json()['share_id']}"
    assert (await get(client, at))["share_id"] == made.json()["share_id"]

    his, hers = await get(client, link, "bob"), await get(client, link)
    assert his["title"] == hers["title"] == ON_THE_BOARD
    assert hers["withheld"] is False
    assert his["withheld"] is True
    assert SECRET in json.dumps(hers)
    for word in (SECRET, BOARD.title, BOARD.id, "ada"):
        assert word not in json.dumps(his)
    left = his["messages"][1]["answer"]
    assert left["contacts"] == []
    shown = {one["document_id"] for one in (*left["citations"], *left["passages"])}
    assert shown
    assert all(one["also"] == [] for one in left["passages"])
    # What was said after the link was made does not show.
    await asked(client, ASK, conversation_id=mine["conversation_id"])
    assert len((await get(client, link))["messages"]) == 2

    assert (await client.delete(f"/api/v1{at}/share", headers=person("ada"))).status_code == 204
    await get(client, link, "bob", status=404)
    await services.settled()
    doors = [row.door for row in await services.state.audit.page()]
    assert doors.count("share") == 3


async def test_whom_to_ask_is_not_told_where_a_page_is_not_shown(two):
    _, client = two
    mine = await asked(client, f"missing {ON_THE_BOARD}")
    assert mine["contacts"]
    at = f"/api/v1/conversations/{mine['conversation_id']}/share"
    link = (await client.post(at, json={}, headers=person("ada"))).json()["share_id"]

    told = [
        (await get(client, f"/shares/{link}", name))["messages"][1]["answer"]
        for name in ("ada", "bob")
    ]
    assert [bool(one["contacts"]) for one in told] == [True, False]
    assert [one["withheld"] for one in told] == [False, True]


async def test_a_page_that_was_changed_is_not_shown_as_it_was_to_others(two, assistant):
    _, client = two
    mine = await asked(client, ASK)
    at = f"/conversations/{mine['conversation_id']}"
    made = await client.post(f"/api/v1{at}/share", json={}, headers=person("ada"))
    link = f"/shares/{made.json()['share_id']}"
    assert "fires at 4 GeV" in json.dumps(await get(client, link, "bob"))

    assistant.documents[:] = [
        replace(one, text=one.text.replace("fires at 4 GeV", "fires at XX GeV"))
        for one in assistant.documents
    ]
    assert "fires at 4 GeV" not in json.dumps(await get(client, link, "bob"))
    assert "fires at 4 GeV" in json.dumps(await get(client, at))


async def test_feedback_is_kept_replaced_and_taken_back(two, services):
    _, client = two
    mine = await asked(client, ASK)
    at = f"/api/v1/messages/{mine['message_id']}/feedback"
    body = {"helpful": False, "wrong_sentences": [1], "text": "Old.", "right_page": "https://x"}
    given = await client.post(at, json=body, headers=person("ada"))
    assert given.json() == body
    again = await client.post(at, json={"helpful": True}, headers=person("ada"))
    assert again.json()["helpful"] is True

    kept = await get(client, f"/conversations/{mine['conversation_id']}")
    assert kept["messages"][1]["feedback"]["helpful"] is True
    assert [one.question for one in await services.state.review.candidates()] == [ASK]
    assert b'docent_feedback_total{helpful="no"} 1.0' in services.metrics.text()
    assert (await client.delete(at, headers=person("ada"))).status_code == 204
    assert (await client.delete(at, headers=person("ada"))).status_code == 404


async def test_an_export_is_markdown_that_pages_cannot_break_out_of(two):
    _, client = two
    mine = await asked(client, "hostile page")
    at = f"/api/v1/conversations/{mine['conversation_id']}/export"
    response = await client.get(at, headers=person("ada"))

    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "attachment" in response.headers["content-disposition"]
    lines = response.text.splitlines()
    assert lines[0] == "# hostile page"
    cited = next(line for line in lines if line.startswith("1. "))
    assert cited.startswith("1. \\<img src=x")  # no link: its address is a javascript
    assert HOSTILE not in cited
    assert "javascript:" not in response.text

    menu = await asked(client, ASK)
    at = f"/api/v1/conversations/{menu['conversation_id']}/export"
    text = (await client.get(at, headers=person("ada"))).text
    assert "needs two stations. [1]" in text
    assert "It has always been this way. (not found in any page)" in text
    assert "1. [Muon trigger menu](<https://wiki.example.org/Trigger/MuonMenu>)" in text
    assert "*The menu of last year.*" in text or "*The menu is of last year.*" in text


async def test_an_answer_that_was_cut_off_is_kept_as_far_as_it_came(two, services, assistant):
    _, client = two
    response = await client.post(
        "/api/v1/ask", json={"question": f"break {ASK}"}, headers=person("ada")
    )
    assert response.status_code == 503
    await services.settled()
    (line,) = (await get(client, "/conversations"))["conversations"]
    kept = await get(client, f"/conversations/{line['id']}")

    await asked(client, "And then?", conversation_id=line["id"])
    assert [turn.role for turn in assistant.asked[-1].history] == ["user"]  # nothing unchecked
    draft = kept["messages"][1]
    assert draft["answer"] is None
    assert draft["text"].startswith("The L1_MU4 trigger")
    assert (
        "cut off"
        in (
            await client.get(f"/api/v1/conversations/{line['id']}/export", headers=person("ada"))
        ).text
    )


async def test_an_account_is_exported_and_erased(two, services):
    _, client = two
    mine = await asked(client, ASK)
    account = await get(client, "/account/export")
    assert account["conversations"][0]["messages"][1]["answer"]["answer"] == mine["answer"]
    await client.get(f"/api/v1/documents/{MENU.id}", headers=person("ada"))
    assert MENU.id in account["conversations"][0]["messages"][1]["documents"]

    assert (await client.delete("/api/v1/account", headers=person("ada"))).status_code == 204
    await get(client, "/account/export", status=404)
    assert (await get(client, "/conversations", "bob"))["conversations"] == []
    await services.settled()
    assert {row.user_id for row in await services.state.audit.page()} == {None}


async def test_feedback_in_an_export_is_checked_again_too(two):
    people, client = two
    mine = await asked(client, ON_THE_BOARD)
    at = f"/api/v1/messages/{mine['message_id']}/feedback"
    await client.post(at, json={"text": "Not quite."}, headers=person("ada"))
    (said,) = (await get(client, "/account/export"))["feedback"]
    assert SECRET in json.dumps(said["answer"])
    assert BOARD.id in said["documents"]

    people.regroup("ada")
    (said,) = (await get(client, "/account/export"))["feedback"]
    assert said["text"] == "Not quite."
    assert SECRET not in json.dumps(said)
    assert BOARD.id not in json.dumps(said)


async def test_a_token_cannot_erase_its_owner(two):
    people, client = two
    people.known["ada"] = replace(people.known["ada"], via="token")
    refused = await client.delete("/api/v1/account", headers=person("ada"))

    assert refused.status_code == 403
    await get(client, "/account/export")


@pytest.mark.parametrize("told", [False, True])
async def test_questions_are_in_the_log_only_when_that_is_set(services, client, caplog, told):
    caplog.set_level(logging.INFO)
    telemetry = services.settings.telemetry.model_copy(update={"log_questions": told})
    services.settings = services.settings.model_copy(update={"telemetry": telemetry})
    await client.post("/api/v1/ask", json={"question": ASK})

    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert (ASK in json.dumps(fields) + caplog.text) is told


async def test_the_local_account_is_there_again_after_it_was_erased(client):
    assert (await client.post("/api/v1/ask", json={"question": ASK})).status_code == 200
    assert (await client.delete("/api/v1/account")).status_code == 204
    assert (await client.get("/api/v1/conversations")).json()["conversations"] == []
    assert (await client.post("/api/v1/ask", json={"question": ASK})).status_code == 200


async def test_who_is_who(two, client):
    _, theirs = two
    me = await get(theirs, "/me")
    assert (me["name"], me["role"], me["groups"]) == ("ada", "reader", ["board"])
    assert (me["via"], me["signed_in"], me["features"]["admin"]) == ("session", True, False)
    nobody = (await theirs.get("/api/v1/me")).json()
    assert (nobody["user_id"], nobody["signed_in"]) == ("", False)
    assert nobody["sign_in_url"] == "/auth/login"
    assert (await theirs.get("/api/v1/health")).status_code == 401


async def test_everything_that_was_shown_is_written_down(two, services):
    _, client = two
    await asked(client, ASK)
    body = {"query": ASK, "k": 1}
    await client.post("/api/v1/search", json=body, headers=person("bob"))
    await client.get(f"/api/v1/documents/{MENU.id}", headers=person("bob"))
    await client.get("/api/v1/documents/nowhere", headers=person("bob"))
    await services.settled()

    rows = [(row.door, row.documents) for row in await services.state.audit.page()][::-1]
    # The answer carries a warning about a page, which has a door of its own.
    assert sorted(door for door, _ in rows) == ["ask", "document", "search", "warned.old"]
    assert all(MENU.id in documents for _, documents in rows)


@pytest.fixture
async def hurried(settings, services):
    """A state that waits 50 ms for a lock."""
    usual = services.state
    # A server begins by removing what is past its date: a lock that is tried for in the same
    # thread must not come in the middle of that.
    async with usual.database.write():
        pass
    services.state = await State.open(str(usual.database.url), wait_s=0.05)
    yield services
    await services.settled()
    await services.state.close()
    services.state = usual


@contextmanager
def locked(settings):
    """Another process writes and does not come to an end."""
    with closing(sqlite3.connect(settings.index.path.parent / FILE_NAME)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


async def test_a_locked_database_is_told_and_stops_no_answer(hurried, client, settings, caplog):
    with locked(settings):
        refused = await client.post("/api/v1/ask", json={"question": ASK})
        assert refused.status_code == 503
        assert "is locked by another process. Try again" in refused.json()["detail"]
        assert (await client.get("/api/v1/conversations")).json()["conversations"] == []

        unkept = await client.post("/api/v1/ask", json={"question": ASK, "keep": False})
        assert unkept.json()["status"] == "answered"
        await hurried.settled()
    assert "A row of the audit log (ask) is lost: The database" in caplog.text
    assert b"docent_audit_lost_total" in hurried.metrics.text()

    assert (await client.post("/api/v1/ask", json={"question": ASK})).json()["message_id"]
    assert len((await client.get("/api/v1/conversations")).json()["conversations"]) == 1


async def test_an_answer_that_cannot_be_kept_is_shown(hurried, settings, caplog):
    caller = await hurried.door.caller(None)
    begun = await hurried.state.conversations.begin(caller.user_id, ASK)
    with locked(settings):
        stream = answers.begin(hurried, answers.Asked(caller, Question(ASK), begun))
        end = await stream.last()
        await hurried.settled()

    assert (end.name, end.data["status"], end.data["message_id"]) == ("answer", "answered", None)
    assert "An answer is not kept: The database" in caplog.text


async def test_what_the_documents_lack_is_written_down(two, services):
    _, client = two
    await asked(client, f"missing {ASK}")
    await services.settled()

    (gap,) = await services.state.gaps.since(datetime(2020, 1, 1, tzinfo=UTC))
    assert (gap.question, gap.score) == (f"missing {ASK}", 0.2)
    assert MENU.id in gap.nearest


async def test_machines_are_told_whether_to_send_people_here(client, services, assistant):
    assert (await client.get("/livez")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    assistant.failure = IndexMissing("There is no index at /srv/secret.")
    away = await client.get("/readyz")
    assert (away.status_code, away.json()) == (503, {"status": "no"})
    assistant.failure = None
    await services.streams.close()
    assert (await client.get("/readyz")).status_code == 503
    stopping = await client.post("/api/v1/ask", json={"question": ASK})
    assert (stopping.status_code, "stopped" in stopping.json()["detail"]) == (503, True)


async def test_numbers_are_for_maintainers(two, services, assistant):
    people, client = two
    await people.join(services.state, "max", role=Role.MAINTAINER)
    await asked(client, ASK)

    assert (await client.get("/metrics", headers=person("ada"))).status_code == 403
    told = await client.get("/metrics", headers=person("max"))
    assert 'docent_answers_total{status="answered"} 1.0' in told.text
    assert 'docent_tokens_total{direction="written"} 34.0' in told.text
    assert "docent_queue_served 0.0" in told.text
    assert "L1_MU4" not in told.text


async def test_search_is_narrowed_and_counted(two):
    _, client = two
    body = {"query": "trigger", "k": 5, "filter": {"sources": ["docs"]}}
    found = (await client.post("/api/v1/search", json=body, headers=person("bob"))).json()
    assert {hit["source"] for hit in found["hits"]} == {"docs"}
    assert found["total"] == 1
    facets = await get(client, "/facets", "bob")
    assert "board" not in [one["value"] for one in facets["sources"]]
    assert {"value": "board", "count": 1} in (await get(client, "/facets"))["sources"]

    everything = {"query": "trigger", "k": 100}
    whole = (await client.post("/api/v1/search", json=everything, headers=person("bob"))).json()
    part = {"query": "trigger", "k": 2, "offset": 1}
    second = (await client.post("/api/v1/search", json=part, headers=person("bob"))).json()
    assert second["hits"] == whole["hits"][1:3]


async def test_the_glossary_is_of_what_one_may_read(two):
    _, client = two
    entries = (await get(client, "/glossary", "bob"))["entries"]
    assert (entries[0]["short"], entries[0]["long"]) == ("GRL", "good run list")
    assert len(entries[0]["sources"]) == 3
    assert BOARD.id not in json.dumps(entries)
