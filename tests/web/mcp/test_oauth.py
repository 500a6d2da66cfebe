"""The official client gets itself an access token of a real sign-in server, as an editor does."""

import base64
import hashlib
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from ingest.model import BlockKind
from ingest.web_settings import ServerSettings
from tests.servers import oidc
from tests.web.conftest import serving
from tests.web.fake import FakeAssistant, a_document
from tests.web.signin.conftest import App, another_browser, listen, settings_for

EDITOR = "http://127.0.0.1:1"
"""Where the editor would listen for its code."""
BOARD = a_document(
    "wiki:Board",
    "Board",
    (BlockKind.PROSE, "The trigger budget is 7 kEUR."),
    access=frozenset({"collaboration"}),
)


@pytest.fixture(scope="module")
def provider():
    with oidc.running() as found:
        yield found


@pytest.fixture
def address(provider, settings, monkeypatch):
    with listen() as free:
        port = free.getsockname()[1]
    public = f"http://127.0.0.1:{port}"
    client = provider.register(public)
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", client.secret)
    signed = settings.model_copy(
        update={
            "signin": settings_for(provider.issuer, client.id),
            "server": ServerSettings(public_url=public),
        }
    )
    with serving(signed, FakeAssistant([BOARD]), port) as address:
        yield address


class Stored:
    """What an editor keeps: its tokens, and what it is known as."""

    tokens: Any = None
    client: Any = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info


@asynccontextmanager
async def editor(address, account, stored):
    """An editor in which somebody signs in, in the browser that it opens."""
    answer = {}

    async def browse(url):
        with another_browser(App(EDITOR)) as browser:
            back = browser.at_provider(url, account)
        answer.update({name: values[0] for name, values in parse_qs(urlsplit(back).query).items()})

    async def code():
        return AuthorizationCodeResult.model_validate(answer)

    # Of a native application the provider would ask whether it may, each time; this one is known.
    known = OAuthClientMetadata(
        redirect_uris=[f"{EDITOR}/callback"],
        client_name="An editor",
        grant_types=["authorization_code"],
        application_type="web",
    )
    auth = OAuthClientProvider(f"{address}/mcp", known, stored, browse, code)
    http = httpx2.AsyncClient(auth=auth, timeout=60)
    transport = streamable_http_client(f"{address}/mcp", http_client=http)
    async with http, Client(transport) as client:
        yield client


async def test_an_editor_signs_in_and_reads_with_the_groups_of_its_user(address, provider):
    stored, found = Stored(), {}
    for account, keep in (("ada", stored), ("ben", Stored())):
        async with editor(address, account, keep) as client:
            told = await client.call_tool("search", {"query": "trigger budget"})
            found[account] = [hit["title"] for hit in told.structured_content["hits"]]

    assert found == {"ada": ["Board"], "ben": []}
    bearer = {"Authorization": f"Bearer {stored.tokens.access_token}"}
    api = httpx.get(f"{address}/api/v1/tokens", headers=bearer)
    assert api.status_code == 401


async def test_a_real_token_for_another_service_is_refused(address, provider):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    statuses = {}
    resources = {"this": f"{address}/mcp", "other": "https://gitlab.example.org", "none": None}
    for name, resource in resources.items():
        token = access_token(provider, resource)
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
        }
        response = httpx.post(f"{address}/mcp", json=body, headers=headers, timeout=60)
        statuses[name] = (response.status_code, token.count("."))

    # Without a resource the token is one of the provider's own, which only the provider can read.
    assert statuses == {"this": (200, 2), "other": (401, 2), "none": (401, 0)}


def access_token(provider, resource):
    """An access token of ada for a resource, got by hand."""
    verifier = "v" * 43
    client = provider.register(EDITOR)
    asked = {
        "client_id": client.id,
        "response_type": "code",
        "redirect_uri": f"{EDITOR}/auth/callback",
        "scope": "openid",
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    named = {"resource": resource} if resource else {}
    with another_browser(App(EDITOR)) as browser:
        url = httpx.URL(f"{provider.issuer}/auth", params=asked | named)
        back = browser.at_provider(str(url), "ada")
    given = {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": asked["redirect_uri"],
        "client_id": client.id,
        "client_secret": client.secret,
        "code_verifier": verifier,
    }
    token = httpx.post(f"{provider.issuer}/token", data=given | named, timeout=60)
    return token.raise_for_status().json()["access_token"]


def challenge(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
