"""Linking accounts over HTTP: whose it is is told before, and only the signed-in may do it."""

from dataclasses import replace

import pytest

from tests.web.people import among, person
from web.who import Scope


@pytest.fixture
async def two(services):
    async with among(services, ada=("muon",), ben=()) as (people, client):
        yield people, client, services.state.links


async def test_a_code_is_told_about_and_then_links(two):
    people, client, links = two
    code = await links.code("mattermost", "m1", "@ada")

    told = (
        await client.post("/api/v1/links/about", json={"code": code}, headers=person("ada"))
    ).json()
    assert (told["service"], told["name"]) == ("mattermost", "@ada")
    assert (await client.get("/api/v1/links", headers=person("ada"))).json() == {"links": []}
    made = await client.post("/api/v1/links", json={"code": code}, headers=person("ada"))

    assert made.status_code == 201
    assert made.json()["name"] == "@ada"
    listed = (await client.get("/api/v1/links", headers=person("ada"))).json()["links"]
    assert [one["service"] for one in listed] == ["mattermost"]
    assert (await links.user_of("mattermost", "m1")).id == people.known["ada"].user_id


async def test_a_code_that_does_not_hold_is_refused_with_what_to_do(two):
    _, client, links = two
    code = await links.code("mattermost", "m1", "@ada")
    await links.redeem(
        (await client.get("/api/v1/me", headers=person("ben"))).json()["user_id"], code
    )

    for address in ("/api/v1/links", "/api/v1/links/about"):
        refused = await client.post(address, json={"code": code}, headers=person("ada"))
        assert refused.status_code == 404
        assert "Ask for a new one" in refused.json()["detail"]


async def test_a_token_cannot_link_and_nobody_can_who_is_not_signed_in(two):
    people, client, links = two
    code = await links.code("mattermost", "m1", "@ada")
    people.known["ada"] = replace(people.known["ada"], via="token")
    people.known["ben"] = replace(people.known["ben"], scopes=frozenset({Scope.ASK}))

    answers = [
        (await client.post("/api/v1/links", json={"code": code}, headers=headers)).status_code
        for headers in (person("ada"), person("ben"), {})
    ]

    assert answers == [403, 403, 401]
    assert await links.user_of("mattermost", "m1") is None
    assert await links.about(code) is not None


async def test_a_link_is_ended_by_its_owner_alone(two):
    people, client, links = two
    await links.put(people.known["ada"].user_id, "gitlab:git.example", "7", "@ada")
    address = "/api/v1/links/gitlab:git.example"

    assert (await client.delete(address, headers=person("ben"))).status_code == 404
    assert (await client.delete(address, headers=person("ada"))).status_code == 204
    assert (await client.delete(address, headers=person("ada"))).status_code == 404
    assert await links.user_of("gitlab:git.example", "7") is None
