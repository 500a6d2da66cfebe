"""The whole API against its own description, by schemathesis: few examples of every operation."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from starlette.requests import Request

from ingest.access import ANYBODY
from ingest.settings import IndexSettings, Settings
from ingest.web_settings import LimitsSettings
from tests.web.conftest import serving
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from web.app import create_app
from web.bootstrap import opened
from web.who import Caller, LocalDoor

EXAMPLES = 6
REFUSES = "positive_data_acceptance"
"""Not asked: a valid moment may have passed, and a valid message may hold no question."""
KEY = {"Authorization": "Bearer good"}


class Keyed(LocalDoor):
    """Lets in who has the key, so that a request without it is one that must be refused."""

    sign_in_url = "/auth/login"

    async def caller(self, request: Request) -> Caller | None:
        shown = request.headers.get("authorization")
        return await super().caller(request) if shown == KEY["Authorization"] else None


def settings_in(folder: Path) -> Settings:
    plenty = LimitsSettings(
        asks_per_minute=10**6, searches_per_minute=10**6, asks_in_all_per_minute=10**6, slots=10
    )
    return Settings(index=IndexSettings(path=folder / "index"), limits=plenty)


async def described(folder: Path) -> dict[str, Any]:
    """The description of the whole application, as a server gives it."""
    async with opened(settings_in(folder), FakeAssistant([])) as services:
        return create_app(services).openapi()


def loaded() -> schemathesis.BaseSchema:
    with TemporaryDirectory() as folder:
        description = asyncio.run(described(Path(folder)))
    # A few random examples rather than every border of every field: those take minutes.
    config = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
    return schemathesis.openapi.from_dict(description, config=config)


api = loaded()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("schema")
    door = Keyed(ANYBODY)
    with serving(settings_in(folder), FakeAssistant(list(DOCUMENTS)), door=door) as address:
        yield address


@api.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_breaks_its_description(case: schemathesis.Case[Any], served: str) -> None:
    excluded: list[Any] = [CHECKS.get_one(REFUSES)]
    case.call_and_validate(base_url=served, headers=KEY, excluded_checks=excluded, timeout=60)


def test_every_route_is_tried():
    assert len(list(api.get_all_operations())) > 25
