"""A fake assistant, the application over it, and the same application behind a real socket."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.access import ANYBODY
from ingest.settings import IndexSettings, Settings
from ingest.web_settings import LimitsSettings, ServerSettings
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from web.app import create_app
from web.bootstrap import opened
from web.cli import Server, listen
from web.services import Assistant, Services
from web.state import State
from web.state.database import FILE_NAME
from web.who import Door

QUESTIONS = ("At how many GeV does the L1_MU4 trigger fire?", "Who looks after the muon trigger?")


@pytest.fixture
def assistant() -> FakeAssistant:
    return FakeAssistant(list(DOCUMENTS))


@pytest.fixture(scope="session")
def new_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without rows: made once, since making the tables takes longer than a test."""
    path = tmp_path_factory.mktemp("state") / FILE_NAME

    async def make() -> None:
        await (await State.open(f"sqlite:///{path}")).close()

    asyncio.run(make())
    return path


@pytest.fixture
def settings(tmp_path: Path, new_state: Path) -> Settings:
    """Limits that no test reaches by chance, and a database of its own."""
    shutil.copy(new_state, tmp_path / FILE_NAME)
    return Settings(
        index=IndexSettings(path=tmp_path / "index"),
        server=ServerSettings(suggestions=QUESTIONS),
        limits=LimitsSettings(
            asks_per_minute=10_000, searches_per_minute=10_000, asks_in_all_per_minute=10_000,
            slots=10,
        ),
    )  # fmt: skip


@pytest.fixture
async def services(settings: Settings, assistant: FakeAssistant) -> AsyncIterator[Services]:
    async with opened(settings, assistant, ANYBODY) as services:
        yield services


def client_of(services: Services) -> httpx.AsyncClient:
    """A client of the application, in process."""
    transport = httpx.ASGITransport(create_app(services))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(services) as client:
        yield client


@contextmanager
def serving(
    settings: Settings,
    assistant: Assistant,
    port: int = 0,
    door: Door | None = None,
    **others: Any,
) -> Iterator[str]:
    """Where a real uvicorn serves the application on a loopback socket, in a thread."""
    ready = threading.Event()
    stop: list[Callable[[], None]] = []

    async def run() -> None:
        async with opened(settings, assistant, ANYBODY, **others) as services:
            services.door = door or services.door
            server = Server(create_app(services), ready.set, ending=services.close)
            stop.append(lambda: setattr(server, "should_exit", True))
            await server.serve([listening])

    with listen("127.0.0.1", port) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        assert ready.wait(20)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop[0]()
            thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def address(settings: Settings, assistant: FakeAssistant) -> Iterator[str]:
    with serving(settings, assistant, heartbeat_s=0.05) as address:
        yield address
