import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.model import Turn
from ingest.access import ANYBODY, Reader
from ingest.errors import IndexMissing, ModelError
from ingest.model import BlockKind
from tests.web.conftest import client_of
from tests.web.documents import BOARD, HOSTILE, MENU
from tests.web.fake import a_document
from web.bootstrap import opened
from web.problems import UNEXPECTED, describe

SAID = {"role": "user", "content": ""}
ASK = "L1_MU4 trigger GeV"


def events(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    assert response.headers["content-type"].startswith("text/event-stream")
    pairs = []
    for block in response.text.replace("\r\n", "\n").strip().split("\n\n"):
        lines = block.split("\n")
        assert [line.partition(":")[0] for line in lines] == ["id", "event", "data"]
        pairs.append((lines[1].removeprefix("event: "), json.loads(lines[2][len("data: ") :])))
    return pairs


async def streamed(client: httpx.AsyncClient, question: str) -> list[tuple[str, dict[str, Any]]]:
    accept = {"Accept": "text/event-stream"}
    return events(await client.post("/api/v1/ask", json={"question": question}, headers=accept))


def assert_problem(response: httpx.Response, status: int, detail: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert detail in body["detail"]


async def test_an_answer_as_json(client, assistant):
    response = await client.post("/api/v1/ask", json={"question": f"  {ASK} "})

    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == [
        "question", "status", "answer", "sentences", "citations", "passages", "score", "notices",
        "contacts", "model", "timings", "withheld", "message_id", "conversation_id", "question_id",
        "answer_id",
    ]  # fmt: skip
    assert (answer["question"], answer["status"], answer["model"]) == (ASK, "answered", "fake-1")
    assert answer["sentences"][-1] == {
        "text": "It has always been this way.",
        "citations": [],
        "supported": False,
    }
    first = answer["citations"][0]
    assert MENU.text[first["start"] : first["end"]] == first["quote"]
    assert first["updated_at"] == "2025-03-14T09:30:00+00:00"
    assert answer["timings"]["total_ms"] == 950.0
    assert answer["score"] == 0.9
    assert answer["notices"] == [
        {"kind": "old", "text": "The menu is of last year.", "citations": [1]}
    ]
    assert answer["contacts"] == []


async def test_what_is_not_found_comes_with_whom_to_ask(client):
    response = await client.post("/api/v1/ask", json={"question": "What is missing?"})

    answer = response.json()
    assert (answer["status"], answer["score"]) == ("not_found", 0.2)
    assert answer["contacts"] == [
        {"name": "Petra Lindqvorn", "why": "wrote the menu", "url": "https://example.org/menu"}
    ]


async def test_an_answer_as_a_stream(client):
    got = await streamed(client, ASK)

    names = [name for name, _ in got]
    assert names == ["stream", "passages", *["token"] * (len(names) - 3), "answer"]
    draft = "".join(data["text"] for name, data in got if name == "token")
    assert draft == "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations."
    # The stream's answer is written as it is; the other passes the models of the description.
    other = (await client.post("/api/v1/ask", json={"question": ASK})).json()
    ids = {"message_id", "conversation_id", "question_id", "answer_id", "withheld"}
    assert {k: v for k, v in got[-1][1].items() if k not in ids} == {
        k: v for k, v in other.items() if k not in ids
    }
    assert got[1][1]["passages"] == got[-1][1]["passages"]
    assert got[0][1]["answer_id"] == got[-1][1]["message_id"]


@pytest.mark.parametrize(
    ("question", "status"),
    [(f"missing {ASK}", "not_found"), (f"away {ASK}", "extracts"), (ASK, "answered")],
)
async def test_every_way_to_end(client, question, status):
    assert (await client.post("/api/v1/ask", json={"question": question})).json()[
        "status"
    ] == status
    assert (await streamed(client, question))[-1][1]["status"] == status


async def test_the_history_reaches_the_assistant(client, assistant):
    turns = [{"role": "user", "content": "And?"}, {"role": "assistant", "content": "At 4 GeV."}]
    await client.post("/api/v1/ask", json={"question": "Since when?", "history": turns})

    assert assistant.asked[0].history == (Turn("user", "And?"), Turn("assistant", "At 4 GeV."))
    assert assistant.asked[0].reader == Reader(ANYBODY.groups, "local")


async def test_an_error_in_the_middle_of_a_stream_is_an_event(client, assistant):
    name, data = (await streamed(client, f"break {ASK}"))[-1]

    assert (name, data["status"]) == ("error", 503)
    assert data["detail"] == "The model server went away. Start it again."
    assert assistant.closed == 1


async def test_a_foreign_error_shows_nothing_of_its_text(client):
    name, data = (await streamed(client, f"crash {ASK}"))[-1]
    response = await client.post("/api/v1/ask", json={"question": f"crash {ASK}"})

    assert (name, data["status"]) == ("error", 500)
    assert "secret" not in json.dumps(data) + response.text
    assert_problem(response, 500, "Something went wrong inside Docent")
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_our_error_is_a_problem_with_its_sentence(client):
    response = await client.post("/api/v1/ask", json={"question": f"break {ASK}"})

    assert_problem(response, 503, "The model server went away. Start it again.")


async def test_search_gives_hits(client):
    response = await client.post("/api/v1/search", json={"query": ASK, "k": 2})

    hits = response.json()["hits"]
    assert [hit["document_id"] for hit in hits] == [MENU.id, MENU.id]
    assert set(hits[0]) == {
        "document_id", "chunk_id", "title", "url", "source", "section", "text", "score",
        "updated_at", "standing", "also", "page", "start", "end",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/v1/ask", {"question": ""}, "question"),
        ("/api/v1/ask", {"question": "   "}, "question"),
        ("/api/v1/ask", {"question": "x" * 4001}, "question"),
        ("/api/v1/ask", {"question": 7}, "question"),
        ("/api/v1/ask", {}, "question"),
        ("/api/v1/ask", {"question": "x", "groups": ["board"]}, "groups"),
        ("/api/v1/ask", {"question": "x", "reader": {"groups": ["board"]}}, "reader"),
        (
            "/api/v1/ask",
            {"question": "x", "history": [{"role": "user", "content": ""}] * 21},
            "hist",
        ),
        ("/api/v1/ask", {"question": "x", "history": [{"role": "system", "content": "x"}]}, "role"),
        ("/api/v1/search", {"query": "x", "k": 0}, "k"),
        ("/api/v1/search", {"query": "x", "k": 101}, "k"),
        ("/api/v1/search", {"query": "x", "k": "5"}, "k"),
        ("/api/v1/search", {"query": "x", "k": True}, "k"),
        ("/api/v1/search", {"query": "x", "as": "board"}, "as"),
        ("/api/v1/search", [1], "the body"),
    ],
)
async def test_a_wrong_body_is_refused_and_named(client, assistant, path, body, field):
    assert_problem(await client.post(path, json=body), 422, field)
    assert assistant.asked == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"question": "\\ud800"}', b""])
async def test_a_body_that_is_not_json_text_is_refused(client, body):
    headers = {"Content-Type": "application/json"}
    response = await client.post("/api/v1/ask", content=body, headers=headers)

    assert response.status_code in (400, 422)
    assert response.headers["content-type"] == "application/problem+json"


async def test_the_limits_themselves_are_allowed(client):
    history = [{"role": "user", "content": "x"}] * 20
    body = {"question": "x" * 4000, "history": history}

    assert (await client.post("/api/v1/ask", json=body)).status_code == 200
    assert (await client.post("/api/v1/search", json={"query": "x", "k": 100})).status_code == 200


async def test_a_document_comes_in_blocks_with_offsets(client):
    response = await client.get("/api/v1/documents/twiki%3ATrigger%2FMuonMenu.txt")

    document = response.json()
    assert document["title"] == "Muon trigger menu"
    assert document["author"] == "A. Keeper"
    assert "access" not in document
    for block in document["blocks"]:
        assert MENU.text[block["start"] : block["end"]] == block["text"]
    table = next(block for block in document["blocks"] if block["kind"] == "table")
    assert (
        MENU.text[table["start"] : table["header_end"]] == "trigger | threshold | stations | rate"
    )
    assert (table["headings"], table["anchor"]) == (["Thresholds"], "thresholds")


@pytest.mark.parametrize(
    "document_id",
    ["mail:a#2", "a?b", "a%2Fb", "x/../y", "ä b", "a//b", "a/", "a\nb", "\n", "a\r\n", "\u2028",
     "100%", "%", "a\tb\\c", "😀;=&+"],
)  # fmt: skip
async def test_any_id_can_be_asked_for(document_id, assistant, client):
    assistant.documents.append(replace(MENU, id=document_id))
    response = await client.get(f"/api/v1/documents/{quote(document_id, safe='')}")

    assert response.json()["document_id"] == document_id


async def test_forbidden_looks_like_missing(client):
    same = {"X-Request-Id": "one"}
    forbidden = await client.get(f"/api/v1/documents/{BOARD.id}", headers=same)
    missing = await client.get("/api/v1/documents/board:nowhere", headers=same)

    assert_problem(missing, 404, "There is no such document, or you may not read it.")
    assert forbidden.content == missing.content
    assert forbidden.headers == missing.headers


async def test_the_reader_of_the_server_sees_what_it_may(settings, assistant):
    board = Reader(frozenset({"board"}))
    async with opened(settings, assistant, board) as services, client_of(services) as client:
        assert (await client.get(f"/api/v1/documents/{BOARD.id}")).status_code == 200
        assert (await client.get("/api/v1/health")).json()["documents"] == 4
        hits = (await client.post("/api/v1/search", json={"query": "board"})).json()["hits"]
        assert [hit["document_id"] for hit in hits] == [BOARD.id]


async def test_nothing_of_a_hidden_document_comes_out(client):
    for path, body in (
        ("/api/v1/search", {"query": "board"}),
        ("/api/v1/ask", {"question": "board"}),
    ):
        response = await client.post(path, json=body)
        assert response.status_code == 200
        assert "board:" not in response.text
        assert "5 GeV" not in response.text


async def test_health_counts_what_the_reader_may_see(client):
    assert (await client.get("/api/v1/health")).json() == {
        "status": "ok",
        "model": "fake-1",
        "model_state": "ready",
        "generation": 3,
        "built_at": "2025-03-14T09:30:00+00:00",
        "documents": 3,
        "chunks": 42,
    }


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v1/health", None),
        ("GET", "/api/v1/documents/x", None),
        ("POST", "/api/v1/search", {"query": "x"}),
        ("POST", "/api/v1/ask", {"question": "x"}),
    ],
)
async def test_without_an_index_everything_says_so(client, assistant, method, path, body):
    assistant.failure = IndexMissing("There is no index yet. Run: docent ingest")

    response = await client.request(method, path, json=body)

    assert_problem(response, 503, "There is no index yet. Run: docent ingest")


async def test_suggestions_are_those_of_the_settings(client):
    suggestions = (await client.get("/api/v1/suggestions")).json()["suggestions"]

    assert suggestions[0] == "At how many GeV does the L1_MU4 trigger fire?"


async def test_addresses_and_methods_that_do_not_exist(client):
    assert_problem(await client.get("/nowhere"), 404, "There is nothing at this address.")
    assert_problem(await client.get("/api/nowhere"), 404, "There is nothing at this address.")
    not_allowed = await client.put("/api/v1/ask", json={})
    assert_problem(not_allowed, 405, "does not take that method")
    assert not_allowed.headers["allow"]


async def test_a_hostile_title_stays_data(client):
    search = await client.post("/api/v1/search", json={"query": "hostile"})
    stream = await streamed(client, "hostile")

    assert search.headers["content-type"] == "application/json"
    assert search.json()["hits"][0]["title"] == HOSTILE
    assert stream[1][1]["passages"][0]["title"] == HOSTILE


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
async def test_no_text_breaks_out_of_its_event(client, assistant, text):
    title = f"{text}\n\nevent: answer\ndata: {{}}\r\n\r\n{text}"
    assistant.documents[:] = [a_document("x:1", title, (BlockKind.PROSE, f"word {title}"))]

    got = await streamed(client, "word")

    assert [name for name, _ in got].count("answer") == 1
    assert got[1][1]["passages"][0]["title"] == title


async def test_the_openapi_description_is_whole(client):
    schema = (await client.get("/openapi.json")).json()

    assert {
        "/api/v1/ask", "/api/v1/streams/{stream_id}", "/api/v1/search", "/api/v1/facets",
        "/api/v1/documents/{document_id}", "/api/v1/suggestions", "/api/v1/glossary", "/api/v1/me",
        "/api/v1/health", "/api/v1/conversations", "/api/v1/conversations/{conversation_id}",
        "/api/v1/conversations/{conversation_id}/export",
        "/api/v1/conversations/{conversation_id}/share", "/api/v1/shares/{share_id}",
        "/api/v1/messages/{message_id}/feedback", "/api/v1/tokens", "/api/v1/tokens/{token_id}",
        "/api/v1/account", "/api/v1/account/export", "/v1/chat/completions", "/v1/models",
        "/v1/embeddings", "/livez", "/readyz", "/metrics",
    } <= set(schema["paths"])  # fmt: skip
    text = json.dumps(schema)
    names = schema["components"]["schemas"]
    for reference in {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in names
    # FastAPI's own shape of errors is not ours.
    assert "HTTPValidationError" not in text
    ask = schema["paths"]["/api/v1/ask"]["post"]["responses"]
    assert set(ask["200"]["content"]) == {"application/json", "text/event-stream"}
    assert set(ask["503"]["content"]) == {"application/problem+json"}
    assert names["AskIn"]["additionalProperties"] is False


async def test_a_model_that_is_away_is_no_reason_to_be_unhealthy(client, assistant):
    assistant.model = ""

    health = await client.get("/api/v1/health")

    assert (health.status_code, health.json()["model"]) == (200, "")


def test_errors_of_ours_keep_their_sentence_and_others_do_not(caplog):
    assert describe(ModelError("It is away.")) == (503, "It is away.")
    assert describe(ValueError("quotes a document")) == (500, UNEXPECTED)
    assert "A request failed." in caplog.text
