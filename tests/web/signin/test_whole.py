"""The whole application where people sign in."""

import re

import pytest

from ingest.model import BlockKind
from ingest.web_settings import SignInSettings
from tests.web.conftest import client_of, serving
from tests.web.fake import FakeAssistant, a_document
from tests.web.signin.conftest import App, another_browser, listen, settings_for
from web.bootstrap import opened

OPEN = {"/api/v1/me", "/livez", "/readyz"}
"""What answers everybody, and tells nobody anything."""
SECRET = "Zk3vQ9rT1xW7bN5mC2pL8sD4"
BOARD = a_document(
    "wiki:Board",
    "Board",
    (BlockKind.PROSE, "The trigger budget is 7 kEUR."),
    access=frozenset({"collaboration"}),
)


@pytest.fixture
async def locked(settings, assistant, monkeypatch):
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", SECRET)
    signin = SignInSettings(issuer="http://127.0.0.1:1", client_id="docent")
    guarded = settings.model_copy(update={"signin": signin})
    async with opened(guarded, assistant) as services, client_of(services) as client:
        yield client


async def test_nothing_answers_somebody_who_has_not_signed_in(locked):
    description = (await locked.get("/openapi.json")).json()
    asked = 0
    for path, methods in description["paths"].items():
        for method in set(methods) - {"parameters"}:
            address = re.sub(r"{[^}]*}", "1", path)
            response = await locked.request(method, address)
            if path not in OPEN:
                asked += 1
                assert response.status_code == 401, (method, path, response.text)
    assert asked > 30
    me = (await locked.get("/api/v1/me")).json()
    assert (me["signed_in"], me["sign_in_url"]) == (False, "/auth/login")


async def test_made_up_cookies_and_tokens_open_nothing(locked):
    for headers in (
        {"Cookie": "docent=x; __Host-docent=x"},
        {"Authorization": "Bearer docent_0123456789abcdef_" + "0" * 64},
        {"Authorization": "Bearer local"},
    ):
        response = await locked.post("/api/v1/search", json={"query": "trigger"}, headers=headers)
        assert response.status_code == 401, headers


def test_two_people_with_different_groups_see_different_documents(provider, settings, monkeypatch):
    with listen() as free:
        port = free.getsockname()[1]
    client = provider.register(f"http://127.0.0.1:{port}")
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", client.secret)
    guarded = settings.model_copy(update={"signin": settings_for(provider.issuer, client.id)})
    found = {}
    with serving(guarded, FakeAssistant([BOARD]), port) as address:
        for name in ("ada", "ben"):
            with another_browser(App(address)) as browser:
                assert browser.sign_in(name).status_code == 303
                response = browser.http.post(
                    f"{address}/api/v1/search",
                    json={"query": "trigger budget"},
                    headers={"X-Docent": "1"},
                )
                read = browser.get("/api/v1/documents/wiki:Board")
                found[name] = ([hit["title"] for hit in response.json()["hits"]], read.status_code)
    assert found == {"ada": (["Board"], 200), "ben": ([], 404)}
