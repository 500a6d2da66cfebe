"""Streaming over a real socket."""

import json
from typing import Any

import httpx

from assistant.model import Question
from web.api import _events

STREAM = {"Accept": "text/event-stream"}


def post(question: str) -> dict[str, Any]:
    return {"method": "POST", "url": "/api/ask", "json": {"question": question}, "headers": STREAM}


def test_passages_and_draft_arrive_before_the_answer(address, assistant):
    with (
        httpx.Client(base_url=address) as client,
        client.stream(**post("hold the L1_MU4 trigger")) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "event: passages"
        assert json.loads(next(lines).removeprefix("data: "))["passages"]
        # The model has not ended, and never will: what we read came while it was at work.
        assert next(line for line in lines if line.startswith("event:")) == "event: token"
        assert assistant.closed == 0


def test_the_model_stops_when_the_client_leaves(address, assistant):
    with (
        httpx.Client(base_url=address) as client,
        client.stream(**post("hold the L1_MU4 trigger")) as response,
    ):
        next(line for line in response.iter_lines() if line == "event: token")
        assert not assistant.ended.is_set()

    assert assistant.ended.wait(5)
    assert assistant.closed == 1


async def test_closing_the_stream_between_two_events_closes_the_assistants(assistant):
    # So it goes when the client leaves while the server is sending.
    events = _events(assistant.stream(Question("L1_MU4 trigger")))
    await anext(events)
    await events.aclose()

    assert assistant.closed == 1


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
