"""The client against a wiki that misbehaves on demand."""

from datetime import UTC, datetime

import pytest

from ingest.http import Client
from ingest.source_settings import WebSettings
from tests.servers import (
    NOT_FOUND,
    Answer,
    Request,
    Server,
    StillClock,
    client_for,
    json_answer,
    settings_for,
)

DATED = datetime(2026, 2, 1, 12, tzinfo=UTC)


class Wiki(Server):
    """A few pages, and echoes of what was asked."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.pages = {
            "/wiki/Home": Answer("<h1>Home</h1>", etag='"home-1"', modified=DATED),
            "/wiki/Dated": Answer("<h1>Dated</h1>", modified=DATED),
            "/wiki/Plain": Answer("plain", type="text/plain"),
            "/api/items": json_answer([{"id": 1}]),
        }

    def answer(self, request: Request) -> Answer:
        if request.path == "/to":
            return Answer("", 302, headers={"Location": request.query["place"]})
        if request.path == "/status":
            return Answer("so", int(request.query["is"]))
        return self.pages.get(request.path, NOT_FOUND)


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def wiki(clock):
    with Wiki(wall=clock.wall) as server:
        yield server


def open_client(server, clock=None, **settings) -> Client:
    return client_for(settings_for(server, WebSettings, "/wiki", **settings), clock, "wiki")
