"""The real assistant over a real socket, and a model server that hangs, dies and comes back."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from assistant.answer import AWAY, Assistant
from assistant.engines import llm_from
from assistant.retrieve import Retriever
from ingest.settings import AnswerSettings, LLMSettings, ModelsSettings, RetrievalSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document
from tests.servers.model import ModelServer
from tests.web.conftest import serving
from web.streams import ENDED_BY_ASKER, Streams

FACT = "The muon trigger fires at 40 MHz in the barrel."
ASK = "At how many MHz does the muon trigger fire?"
STREAM = {"Accept": "text/event-stream"}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(text=FACT) as server:
        yield server


@pytest.fixture
def real(tmp_path, model) -> Iterator[Assistant]:
    """The assistant as it is, over a small index and the model behind the socket."""
    embedder = HashEmbedder()
    index = build(tmp_path / "corpus", embedder, document("trigger", FACT, title="Muon trigger"))
    llm = llm_from(LLMSettings(url=model.url, model="stub", timeout_s=300), ModelsSettings())
    yield Assistant(
        Retriever(index, embedder, RetrievalSettings()), embedder, llm, AnswerSettings()
    )
    index.close()


@pytest.fixture
def client(settings, real) -> Iterator[httpx.Client]:
    with (
        serving(settings, real, streams=Streams(grace_s=0.01)) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def asking(client: httpx.Client) -> Any:
    return client.stream("POST", "/api/v1/ask", json={"question": ASK}, headers=STREAM)


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def until(response: httpx.Response, wanted: str) -> dict[str, Any]:
    return next(data for name, data in events(response) if name == wanted)


def test_an_answer_of_the_model_behind_the_socket(client):
    with asking(client) as response:
        answer = until(response, "answer")

    assert (answer["status"], answer["answer"]) == ("answered", FACT)
    assert client.get("/api/v1/health").json()["model_state"] == "ready"


def test_a_reader_who_leaves_stops_the_model_itself(client, model):
    model.model.hold_after = 3
    with asking(client) as response:
        until(response, "token")
        assert model.model.holding.wait(20)
        assert not model.model.left.is_set()

    assert model.model.left.wait(20)


def test_a_stopped_answer_stops_the_model_itself(client, model):
    model.model.hold_after = 3
    with asking(client) as response:
        following = events(response)
        stream = next(data for name, data in following if name == "stream")["stream_id"]
        assert model.model.holding.wait(20)
        assert client.delete(f"/api/v1/streams/{stream}").status_code == 204
        assert model.model.left.wait(20)
        rest = list(following)

    assert rest[-1][0] == "error"
    assert rest[-1][1]["detail"] == ENDED_BY_ASKER


def test_a_reader_of_v1_who_leaves_stops_the_model_itself(client, model):
    model.model.hold_after = 3
    body = {"model": "docent", "messages": [{"role": "user", "content": ASK}], "stream": True}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines)[6:])["choices"][0]["delta"]["role"] == "assistant"
        assert model.model.holding.wait(20)

    assert model.model.left.wait(20)


def test_a_model_server_that_dies_in_mid_answer_and_comes_back(client, model):
    model.model.hold_after = 3
    with asking(client) as response:
        until_held = events(response)
        assert next(name for name, _ in until_held if name == "token") == "token"
        assert model.model.holding.wait(20)
        model.kill()
        answer = next(data for name, data in until_held if name == "answer")

    # What the documents say is shown all the same, and why it is no answer.
    assert answer["status"] == "extracts"
    assert answer["answer"].startswith(AWAY)
    assert FACT in answer["answer"]
    assert client.get("/api/v1/health").json()["model_state"] == "away"
    assert client.post("/api/v1/ask", json={"question": ASK}).json()["status"] == "extracts"

    model.model.hold_after = None
    model.start()
    assert client.post("/api/v1/ask", json={"question": ASK}).json()["status"] == "answered"
    assert client.get("/api/v1/health").json()["model_state"] == "ready"


def test_who_is_told_his_place_gets_his_turn(settings, real, model):
    model.model.hold_after = 3
    one = settings.model_copy(
        update={"limits": settings.limits.model_copy(update={"slots": 1, "waiting": 1})}
    )
    with (
        serving(one, real) as address,
        httpx.Client(base_url=address, timeout=60) as client,
        asking(client) as first,
    ):
        stream = until(first, "stream")["stream_id"]
        assert model.model.holding.wait(20)
        with asking(client) as second:
            following = events(second)
            assert [next(following)[0], next(following)] == ["stream", ("queued", {"place": 1})]
            full = client.post("/api/v1/ask", json={"question": ASK})
            assert full.status_code == 503
            assert int(full.headers["retry-after"]) >= 1
            assert "Too many questions are waiting" in full.json()["detail"]
            model.model.hold_after = None
            client.delete(f"/api/v1/streams/{stream}")
            assert next(data for name, data in following if name == "answer")["status"]


def test_a_limit_is_told_with_the_time_to_wait(settings, real):
    one = settings.model_copy(
        update={"limits": settings.limits.model_copy(update={"asks_per_minute": 1})}
    )
    with serving(one, real) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert client.post("/api/v1/ask", json={"question": ASK}).status_code == 200
        often = client.post("/api/v1/ask", json={"question": ASK})
        other = client.post(
            "/v1/chat/completions",
            json={"model": "docent", "messages": [{"role": "user", "content": ASK}]},
        )

    assert (often.status_code, other.status_code) == (429, 429)
    assert 1 <= int(often.headers["retry-after"]) <= 120
    assert "1 questions in a minute" in often.json()["detail"]
    assert other.json()["error"]["message"] == other.json()["detail"]
