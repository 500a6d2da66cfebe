"""A fake assistant, the application over it, and the same application behind a real socket."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from ingest.access import ANYBODY
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from web.app import create_app
from web.cli import Server, listen

QUESTIONS = ("At how many GeV does the L1_MU4 trigger fire?", "Who looks after the muon trigger?")


@pytest.fixture
def assistant() -> FakeAssistant:
    return FakeAssistant(list(DOCUMENTS))


@pytest.fixture
async def client(assistant: FakeAssistant) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(assistant, reader=ANYBODY, suggestions=QUESTIONS)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
def address(assistant: FakeAssistant) -> Iterator[str]:
    """Where a real uvicorn serves the application on a loopback socket."""
    ready = threading.Event()
    app = create_app(assistant, reader=ANYBODY, suggestions=QUESTIONS, heartbeat_s=0.05)
    with listen("127.0.0.1", 0) as listening:
        server = Server(app, ready.set)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        assert ready.wait(10)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
        assert not thread.is_alive()
