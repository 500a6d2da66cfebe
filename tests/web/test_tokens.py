"""API tokens over HTTP: what they may, who may make them, and how many."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.web.people import People, among, person
from web.state.tokens import MOST
from web.who import Role, Scope


@pytest.fixture
async def two(services) -> AsyncIterator[tuple[People, httpx.AsyncClient]]:
    async with among(services, ada=(), bob=()) as found:
        yield found


async def get(client: httpx.AsyncClient, path: str, name: str = "ada"):
    response = await client.get(f"/api/v1{path}", headers=person(name))
    assert response.status_code == 200
    return response.json()


async def test_tokens_can_do_no_more_than_their_maker(two, services):
    people, client = two
    soon = (datetime.now(UTC) + timedelta(days=30)).isoformat()

    async def make(name, *scopes, until=soon):
        body = {"name": "script", "scopes": list(scopes), "expires_at": until}
        return await client.post("/api/v1/tokens", json=body, headers=person(name))

    made = await make("ada", "ask", "search")
    assert made.status_code == 201
    told = made.json()
    assert told["token"].startswith(f"docent_{told['id']}_")
    listed = await get(client, "/tokens")
    assert [one["id"] for one in listed["tokens"]] == [told["id"]]
    assert "token" not in listed["tokens"][0]
    found = await services.state.tokens.verify(told["token"])
    assert found is not None
    assert found[0].scopes == ("ask", "search")

    assert (await make("ada", "admin")).status_code == 403  # a reader
    await people.join(services.state, "eve", scopes=frozenset({Scope.TOKENS, Scope.ASK}))
    assert (await make("eve", "history")).status_code == 403
    await people.join(services.state, "max", role=Role.MAINTAINER)
    assert (await make("max", "admin", "metrics")).status_code == 201
    for until in ("2020-01-01T00:00:00Z", "2126-01-01T00:00:00Z", "2026-01-01T00:00:00", 1.5):
        assert (await make("ada", "ask", until=until)).status_code == 422

    at = f"/api/v1/tokens/{told['id']}"
    assert (await client.delete(at, headers=person("bob"))).status_code == 404
    assert (await client.delete(at, headers=person("ada"))).status_code == 204
    assert await services.state.tokens.verify(told["token"]) is None


async def test_a_token_makes_no_tokens(two, services):
    people, client = two
    caller = await people.join(services.state, "script")
    people.known["script"] = replace(caller, via="token")
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    body = {"name": "for ever", "scopes": ["ask"], "expires_at": until}
    refused = await client.post("/api/v1/tokens", json=body, headers=person("script"))
    assert (refused.status_code, "cannot make tokens" in refused.text) == (403, True)
    assert (await get(client, "/tokens", "script"))["tokens"] == []


async def test_who_has_fifty_tokens_is_told_to_revoke_one(two, services):
    _, client = two
    soon = datetime.now(UTC) + timedelta(days=30)
    me = (await get(client, "/me"))["user_id"]
    for _ in range(MOST):
        token, _ = await services.state.tokens.make(me, "a run", ["ask"], soon)
    body = {"name": "one more", "scopes": ["ask"], "expires_at": soon.isoformat()}
    refused = await client.post("/api/v1/tokens", json=body, headers=person("ada"))

    assert refused.status_code == 409
    assert refused.json()["detail"] == (
        "You have 50 API tokens that still hold, and nobody may have more. "
        "Revoke one that is no longer used."
    )
    assert (await client.post("/api/v1/tokens", json=body, headers=person("bob"))).is_success
    await client.delete(f"/api/v1/tokens/{token.id}", headers=person("ada"))
    assert (await client.post("/api/v1/tokens", json=body, headers=person("ada"))).is_success
