"""Which tokens open `/mcp` where people sign in, and that none opens more than it should."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request

from ingest.model import BlockKind
from ingest.web_settings import RolesSettings, ServerSettings, SignInSettings
from tests.web.conftest import client_of
from tests.web.fake import FakeAssistant, a_document
from tests.web.signin import forger as forging
from tests.web.signin.forger import CLIENT, a_key
from web.bootstrap import opened
from web.who import Scope

PUBLIC = "https://docent.example.org"
RESOURCE = f"{PUBLIC}/mcp"
METADATA = f"{PUBLIC}/.well-known/oauth-protected-resource/mcp"
BOARD = a_document(
    "wiki:Board",
    "Board",
    (BlockKind.PROSE, "The trigger budget is 7 kEUR."),
    access=frozenset({"board"}),
)
IMPOSTOR = a_key("one")
"""Calls itself what the provider's key is called."""
ACCEPT = {"Accept": "application/json, text/event-stream", "Host": "docent.example.org"}


@pytest.fixture(scope="module")
def shared_forger():
    with forging.running() as found:
        yield found


@pytest.fixture
def forger(shared_forger):
    shared_forger.reset()
    return shared_forger


@pytest.fixture
def settings_of(settings, forger, monkeypatch):
    def make(public_url=PUBLIC, audience="", **more):
        monkeypatch.setenv("DOCENT_SIGNIN_SECRET", "Zk3vQ9rT1xW7bN5mC2pL8sD4")
        return settings.model_copy(
            update={
                "signin": SignInSettings(issuer=forger.issuer, client_id=CLIENT, **more),
                "server": ServerSettings(public_url=public_url),
                "mcp": settings.mcp.model_copy(update={"audience": audience}),
            }
        )

    return make


@pytest.fixture
async def services(settings_of):
    async with opened(settings_of(), FakeAssistant([BOARD])) as services:
        yield services


def claims(forger, **more):
    """Moments, such as `exp`, are given in seconds from now."""
    told = {
        "iss": forger.issuer, "aud": RESOURCE, "sub": "ada", "iat": 0, "exp": 300,
        "client_id": "editor", "groups": ["board"], "name": "Ada", **more,
    }  # fmt: skip
    now = int(time.time())
    for name in {"iat", "exp", "nbf"} & told.keys():
        if isinstance(told[name], int):
            told[name] += now
    return {name: value for name, value in told.items() if value is not None}


def access(forger, key=None, header=None, **more):
    return forger.signed(claims(forger, **more), key, **(header or {"typ": "at+jwt"}))


async def call(services, token=None, tool="search", headers=None, **arguments):
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments or {"query": "trigger budget"}},
    }
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    async with client_of(services) as client:
        return await client.post("/mcp", json=body, headers=ACCEPT | bearer | (headers or {}))


async def token_of(services, *scopes, name="ada", groups=("board",), days=1):
    user = await services.state.users.sign_in(
        services.settings.signin.issuer, name, name=name, email="", groups=groups, role="reader"
    )
    ends = datetime.now(UTC) + timedelta(days=days)
    _, text = await services.state.tokens.make(user.id, "laptop", scopes, ends)
    return text


async def test_what_this_resource_says_of_itself(services, forger):
    async with client_of(services) as client:
        response = await client.get(
            "/.well-known/oauth-protected-resource/mcp", headers={"Host": "docent.example.org"}
        )

    assert response.json() == {
        "resource": RESOURCE,
        "resource_name": "Docent",
        "authorization_servers": [forger.issuer],
        "scopes_supported": ["openid", "profile", "email"],
        "bearer_methods_supported": ["header"],
    }


async def test_without_a_token_it_is_told_where_to_get_one(services):
    for headers in (
        {},
        {"Cookie": "__Host-docent=x", "X-Docent": "1"},
        {"Authorization": "Basic x"},
    ):
        response = await call(services, headers=headers)

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == (
            f'Bearer resource_metadata="{METADATA}", scope="openid profile email"'
        )
        assert response.headers["content-type"] == "application/problem+json"


async def test_the_session_of_a_page_opens_nothing(services):
    user = await services.state.users.sign_in(
        "https://id.example", "ada", name="Ada", email="", groups=["board"], role="reader"
    )
    secret = await services.state.sessions.begin(user.id, lasts=timedelta(hours=1))
    headers = {"Cookie": f"__Host-docent={secret}", "X-Docent": "1"}

    async with client_of(services) as client:
        page = await client.get("/api/v1/me", headers=headers | {"Host": "docent.example.org"})
    assert page.json()["signed_in"] is True
    assert (await call(services, headers=headers)).status_code == 401


async def test_an_api_token_reads_with_the_rights_of_its_owner(services):
    member = await token_of(services, "search")
    other = await token_of(services, "search", name="ben", groups=("atlas",))

    assert "7 kEUR" in (await call(services, member)).text
    assert "7 kEUR" not in (await call(services, other)).text
    lacks = await call(services, member, tool="read_document", document_id="wiki:Board")
    assert 'lacks the scope \\"read\\"' in lacks.text


async def test_a_token_without_any_scope_of_the_tools_is_of_no_use(services):
    response = await call(services, await token_of(services, "history", "feedback"))

    assert response.status_code == 403
    assert response.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


async def test_api_tokens_that_do_not_hold(services):
    revoked = await token_of(services, "search")
    user = await services.state.users.of(services.settings.signin.issuer, "ada")
    made = (await services.state.tokens.all(user.id))[0]
    await services.state.tokens.revoke(user.id, made.id)

    for token in (revoked, "docent_0123456789abcdef_" + "0" * 64, "local", "x.y"):
        response = await call(services, token)
        assert response.status_code == 401, token
        assert 'error="invalid_token", resource_metadata=' in response.headers["www-authenticate"]


async def test_an_access_token_for_this_resource_reads_with_its_groups(services, forger):
    member = await call(services, access(forger))
    other = await call(services, access(forger, sub="ben", groups=["atlas"]))
    listed = await call(services, access(forger, aud=["https://x.example", RESOURCE]))

    assert "7 kEUR" in member.text
    assert (other.status_code, "7 kEUR" in other.text) == (200, False)
    assert listed.status_code == 200
    account = await services.state.users.of(forger.issuer, "ada")
    assert (account.name, account.groups, account.role) == ("Ada", ("board",), "reader")


async def test_keycloak_marks_access_tokens_in_the_claims(services, forger):
    keycloak = access(forger, header={"typ": "JWT"}, typ="Bearer")

    assert (await call(services, keycloak)).status_code == 200


REFUSED: dict[str, dict[str, Any]] = {
    "another audience": {"aud": "https://gitlab.example.org"},
    "no audience": {"aud": None},
    "the audience of the sign-in": {"aud": CLIENT},
    "an audience that begins alike": {"aud": f"{RESOURCE}/other"},
    "the server and not the resource": {"aud": PUBLIC},
    "another issuer": {"iss": "https://id.example"},
    "expired": {"exp": -61},
    "without an end": {"exp": None},
    "an end that is no number": {"exp": "never"},
    "not yet": {"nbf": 3_600},
    "made tomorrow": {"iat": 86_400, "exp": 90_000},
    "made yesterday, for long": {"iat": -86_400, "exp": 86_400},
    "of nobody": {"sub": None},
    "bound to a key": {"cnf": {"jkt": "x"}},
    "groups that are no names": {"groups": [1]},
}


@pytest.mark.parametrize("why", REFUSED)
async def test_access_tokens_that_do_not_hold(services, forger, why):
    response = await call(services, access(forger, **REFUSED[why]))

    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert await services.state.users.of(forger.issuer, "ada") is None


async def test_only_tokens_of_the_right_kind_and_signature(services, forger):
    refused = [
        access(forger, header={"typ": "JWT"}),
        access(forger, header={"typ": "JWT"}, typ="ID"),
        access(forger, header={"typ": "JWT"}, typ="Refresh"),
        access(forger, header={"typ": "logout+jwt"}),
        access(forger, IMPOSTOR),
        access(forger, a_key("unknown")),
        f"{forging.part({'alg': 'none', 'typ': 'at+jwt'})}.{forging.part(claims(forger))}.x",
    ]
    for token in refused:
        assert (await call(services, token)).status_code == 401, token


async def test_an_access_token_opens_no_other_address(services, forger):
    token = access(forger)
    assert (await call(services, token)).status_code == 200
    headers = {"Host": "docent.example.org", "Authorization": f"Bearer {token}"}

    async with client_of(services) as client:
        asked = await client.post("/api/v1/ask", json={"question": "x"}, headers=headers)
        tokens = await client.get("/api/v1/tokens", headers=headers)
        model = await client.get("/v1/models", headers=headers)

    assert [one.status_code for one in (asked, tokens, model)] == [401, 401, 401]


async def test_tokens_for_others_open_no_address_at_all(services, forger):
    """Whatever the sign-in server has signed for somebody else, and for Docent's own sign-in."""
    description = {}
    async with client_of(services) as client:
        host = {"Host": "docent.example.org"}
        description = (await client.get("/openapi.json", headers=host)).json()
        for audience in ("https://gitlab.example.org", CLIENT, RESOURCE):
            bearer = {"Authorization": f"Bearer {access(forger, aud=audience)}"}
            for path, methods in description["paths"].items():
                if path in ("/api/v1/me", "/livez", "/readyz"):
                    continue
                for method in set(methods) - {"parameters"}:
                    response = await client.request(
                        method, path.replace("{", "").replace("}", ""), headers=host | bearer
                    )
                    assert response.status_code == 401, (audience, method, path)


async def test_a_token_that_tells_no_groups_goes_by_the_last_sign_in(services, forger):
    silent = access(forger, groups=None)
    unknown = await call(services, silent)
    await token_of(services, "search")

    assert unknown.status_code == 401
    assert "Sign in to Docent once in the browser" in unknown.json()["detail"]
    assert "7 kEUR" in (await call(services, silent)).text

    later = datetime.now(UTC) + timedelta(days=31)
    services.state.database.clock = lambda: later
    assert (await call(services, silent)).status_code == 401


async def test_a_later_sign_in_takes_away_what_an_older_token_tells(services, forger):
    old = access(forger, iat=-100, groups=["board", "atlas"])
    assert "7 kEUR" in (await call(services, old)).text
    await token_of(services, "search", groups=("atlas",))

    assert "7 kEUR" not in (await call(services, old)).text


async def test_who_may_not_come_in_is_told_so(settings_of, forger):
    settings = settings_of(roles=RolesSettings(reader=("members",)))
    async with opened(settings, FakeAssistant([BOARD])) as services:
        refused = await call(services, access(forger))
        member = await call(services, access(forger, groups=["members", "board"]))

    assert refused.status_code == 403
    assert "none of the groups that may use Docent" in refused.json()["detail"]
    assert member.status_code == 200


async def test_the_audience_may_be_another_name(settings_of, forger):
    async with opened(settings_of(audience="docent-mcp"), FakeAssistant([BOARD])) as services:
        assert (await call(services, access(forger, aud="docent-mcp"))).status_code == 200
        assert (await call(services, access(forger))).status_code == 401


async def test_without_a_public_address_no_token_can_have_been_made_for_it(settings_of, forger):
    async with opened(settings_of(public_url=""), FakeAssistant([BOARD])) as services:
        host = {"Host": "localhost:8000"}
        made = access(forger, aud="http://localhost:8000/mcp")
        refused = await call(services, made, headers=host)
        own = await call(services, await token_of(services, "search"), headers=host)

    assert (refused.status_code, own.status_code) == (401, 200)
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_while_the_sign_in_server_is_away_own_tokens_go_on(services, forger):
    forger.answers.clear()

    away = await call(services, access(forger))
    assert away.status_code == 503
    assert "does not answer as it should" in away.json()["detail"]
    assert (await call(services, await token_of(services, Scope.SEARCH))).status_code == 200


async def test_a_door_that_knows_nobody(services):
    class Nobody:
        sign_in_url = "/auth/login"

        async def caller(self, request: Request):
            return None

    services.door = Nobody()
    response = await call(services, "docent_x")

    assert (response.status_code, response.json()["detail"]) == (401, "This token is unknown.")
