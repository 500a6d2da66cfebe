"""The routes of the maintainers over a real index, a real assistant and a real database."""

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request

from assistant.answer import Assistant
from assistant.model import Question
from assistant.render import answer_to_dict
from assistant.retrieve import Retriever
from ingest.access import Reader
from ingest.index import EmbeddedIndex
from ingest.model import Standing
from ingest.settings import AnswerSettings, RetrievalSettings, Settings
from ingest.source_settings import FilesSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document
from web.admin import admin_for
from web.admin.runner import Runner
from web.app import create_app
from web.bootstrap import opened
from web.services import Services
from web.who import EVERY_SCOPE, Caller, Role, Scope

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
STAFF = frozenset({"staff"})
OLD = datetime(2020, 1, 1, tzinfo=UTC)

DOCUMENTS = (
    document(
        "quota", "The storage quota of a user is 50 GB.\n\nContact: Ada Kroll", source="wiki",
        title="Quotas", url="https://wiki.example.org/quota", updated_at=START,
    ),
    document(
        "plan", "The storage quota of a user will be 80 GB next year.", source="board",
        title="Secret plan", access=STAFF, author="Bo Lund", updated_at=START,
    ),
    document(
        "attic", "The storage quota of a user is 10 GB.", source="wiki", title="Old quotas",
        standing=Standing(archived=True), author="Cy Mora", updated_at=OLD,
    ),
)  # fmt: skip

SCRIPT = """
import json, sys
source = sys.argv[-1].removeprefix("--source=")
print(f"{source}: 12 pages parsed", file=sys.stderr, flush=True)
sys.stdin.read()
HOW
"""


class HeaderDoor:
    """Lets in whom the test names: `X-As: maintainer`, `X-Groups: staff`."""

    sign_in_url = ""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id

    async def caller(self, request: Request) -> Caller | None:
        if "x-as" not in request.headers:
            return None
        groups = frozenset(request.headers.get("x-groups", "").split())
        scopes = EVERY_SCOPE
        if "x-scopes" in request.headers:
            scopes = frozenset(Scope(one) for one in request.headers["x-scopes"].split())
        role = Role(request.headers["x-as"])
        return Caller(self._user_id, "Mai", "", Reader(groups), role, scopes, "token")


class FakeClock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **length: float) -> None:
        self.now += timedelta(**length)


def a_run(how: str) -> tuple[str, ...]:
    """The command of a run that says how far it is and then does what `how` says."""
    return (sys.executable, "-c", SCRIPT.replace("HOW", how))


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def index(settings: Settings, embedder: HashEmbedder) -> Iterator[EmbeddedIndex]:
    made = build(settings.index.path, embedder, *DOCUMENTS)
    yield made
    made.close()


@pytest.fixture
def real(index: EmbeddedIndex, embedder: HashEmbedder) -> Assistant:
    retriever = Retriever(index, embedder, RetrievalSettings(reranker="none"))
    certain = AnswerSettings(refuse_below=0, warn_below=0)
    return Assistant(retriever, embedder, None, certain)


@pytest.fixture
def sourced(settings: Settings, tmp_path: Path) -> Settings:
    kept = {
        name: FilesSettings.model_validate(
            {"kind": "files", "path": tmp_path, "access": ["public"], "keeper": f"{name} people"}
        )
        for name in ("wiki", "board")
    }
    nightly = settings.nightly.model_copy(update={"reports": tmp_path / "reports"})
    return settings.model_copy(update={"sources": kept, "nightly": nightly})


@pytest.fixture
def runner() -> Runner:
    return Runner(a_run("sys.exit(1)"))


@pytest.fixture
async def services(sourced: Settings, real: Assistant, runner: Runner) -> AsyncIterator[Services]:
    async with opened(sourced, real, routers=(admin_for(runner),)) as services:
        services.state.database.clock = FakeClock()
        user = await services.state.users.sign_in(
            "https://id.example.org", "mai", name="Mai", email="", groups=(), role="maintainer"
        )
        services.door = HeaderDoor(user.id)
        yield services
    await runner.close()


@asynccontextmanager
async def calling(
    services: Services, role: str = "maintainer", **headers: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of somebody; `groups="staff"`, `scopes="ask"`. An empty role: nobody."""
    who = {"X-As": role} if role else {}
    who |= {f"X-{name.title()}": value for name, value in headers.items()}
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost:8000/api/v1/admin", headers=who
    ) as client:
        yield client


async def told(services: Services, path: str, role: str = "maintainer", **headers: str):
    """What somebody is told there."""
    async with calling(services, role, **headers) as client:
        response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def answered(services: Services, user_id: str, question: str, reader: Reader):
    """An answer of the assistant, kept in a conversation; gives the id of its message."""
    begun = await services.state.conversations.begin(user_id, question)
    assert begun
    answer = await services.assistant.ask(Question(question, reader))
    documents = [citation.document_id for citation in answer.citations]
    await services.state.conversations.finish(
        user_id, begun, answer.text, answer=answer_to_dict(answer), documents=documents
    )
    return begun.answer_id
