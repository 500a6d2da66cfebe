"""Streaming over a real socket."""

import json
from typing import Any

import httpx
import pytest

from tests.web.conftest import serving
from web.streams import Streams

STREAM = {"Accept": "text/event-stream"}


def post(question: str) -> dict[str, Any]:
    return {
        "method": "POST",
        "url": "/api/v1/ask",
        "json": {"question": question, "keep": False},
        "headers": STREAM,
    }


def test_passages_and_draft_arrive_before_the_answer(address, assistant):
    with (
        httpx.Client(base_url=address) as client,
        client.stream(**post("hold the L1_MU4 trigger")) as response,
    ):
        lines = response.iter_lines()
        assert next(line for line in lines if line == "event: passages")
        assert json.loads(next(lines).removeprefix("data: "))["passages"]
        # The model has not ended, and never will: what we read came while it was at work.
        assert next(line for line in lines if line.startswith("event:")) == "event: token"
        assert assistant.closed == 0


def test_the_model_stops_when_the_client_leaves_and_stays_away(settings, assistant):
    with serving(settings, assistant, streams=Streams(grace_s=0.01)) as address:
        with (
            httpx.Client(base_url=address) as client,
            client.stream(**post("hold the L1_MU4 trigger")) as response,
        ):
            next(line for line in response.iter_lines() if line == "event: token")
            assert not assistant.ended.is_set()

        assert assistant.ended.wait(5)
    assert assistant.closed == 1


def test_a_client_that_wants_json_and_leaves_stops_the_model(address, assistant):
    with httpx.Client(base_url=address) as client, pytest.raises(httpx.ReadTimeout):
        client.post("/api/v1/ask", json={"question": "hold the L1_MU4 trigger"}, timeout=0.5)

    assert assistant.ended.wait(5)


def test_a_cut_stream_goes_on_where_it_was(address, assistant):
    with httpx.Client(base_url=address) as client:
        with client.stream(**post("hold the L1_MU4 trigger")) as response:
            lines = response.iter_lines()
            stream = next(line for line in lines if line.startswith("id: "))[4:].partition(":")[0]
            next(line for line in lines if line == "event: token")
        at = f"/api/v1/streams/{stream}"
        with client.stream("GET", at, headers={"Last-Event-ID": f"{stream}:3"}) as response:
            first = next(line for line in response.iter_lines() if line.startswith("id: "))
        assert first == f"id: {stream}:4"
        with client.stream("GET", at, headers={"Last-Event-ID": "nonsense:3"}) as response:
            first = next(line for line in response.iter_lines() if line.startswith("id: "))
        assert first == f"id: {stream}:1"
        assert assistant.closed == 0

        # Stopped by its reader: the model is told, and the stream says so.
        with client.stream("GET", at) as response:
            lines = response.iter_lines()
            next(line for line in lines if line == "event: token")
            assert client.delete(at).status_code == 204
            rest = [line for line in lines if line.startswith(("event: error", "data: "))]
        assert assistant.closed == 1
        assert rest[-2] == "event: error"
        assert json.loads(rest[-1][6:])["detail"] == "The answer was stopped."
        assert client.delete(at).status_code == 204
        assert client.get("/api/v1/streams/nowhere").status_code == 404


def test_a_silent_stream_has_a_heart_beat(address):
    with (
        httpx.Client(base_url=address) as client,
        client.stream(**post("hold the L1_MU4 trigger")) as response,
    ):
        comment = next(line for line in response.iter_lines() if line.startswith(":"))

    assert comment.startswith(": ping")


def test_a_whole_answer_over_the_socket(address, assistant):
    with httpx.Client(base_url=address) as client:
        text = client.request(**post("L1_MU4 trigger")).text

    assert text.count("event: answer") == 1
    assert assistant.closed == 1
