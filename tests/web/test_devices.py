"""A program is let in by a code: asked, confirmed on the page, and what it may do then."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.web.people import among, person
from web.signin.device import device_routes
from web.state.devices import MOST_WAITING, Codes
from web.who import Scope

PUBLIC = "https://docent.example.org"
WAITING = "authorization_pending"


@pytest.fixture
async def two(services):
    services.routers = (*services.routers, device_routes(services.state, lambda _: PUBLIC))
    async with among(services, ada=("muon",), ben=()) as (people, client):
        yield people, client, services.state


async def begun(client, name="VS Code on laptop"):
    told = await client.post("/auth/device", json={"name": name})
    assert told.status_code == 200
    return told.json()


async def polled(client, codes):
    told = await client.post("/auth/device/token", json={"device_code": codes["device_code"]})
    return told.status_code, told.json()


async def test_a_program_gets_a_token_of_the_one_who_confirmed_its_code(two):
    people, client, state = two
    codes = await begun(client)
    assert codes["verification_uri"] == f"{PUBLIC}/device"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    assert (await polled(client, codes))[1]["error"] == WAITING

    code = {"user_code": codes["user_code"]}
    about = await client.post("/api/v1/devices/about", json=code, headers=person("ada"))
    assert about.json()["name"] == "VS Code on laptop"
    assert about.json()["scopes"] == ["ask", "feedback", "read", "search"]
    allowed = {**code, "allow": True}
    decided = await client.post("/api/v1/devices", json=allowed, headers=person("ada"))
    assert decided.status_code == 204

    status, told = await polled(client, codes)
    assert (status, told["token_type"], told["scope"]) == (
        200,
        "Bearer",
        "ask feedback read search",
    )
    token, user = await state.tokens.verify(told["access_token"])
    assert user.id == people.known["ada"].user_id
    assert set(token.scopes) == {"ask", "search", "read", "feedback"}
    lasts = token.expires_at - token.created_at
    assert timedelta(days=90) - timedelta(seconds=30) < lasts <= timedelta(days=90)
    assert token.name == "VS Code on laptop"
    assert told["expires_in"] == 90 * 24 * 3600
    # It is told once.
    assert (await polled(client, codes))[1]["error"] == "expired_token"
    assert len(await state.tokens.all(user.id)) == 1


async def test_a_refused_program_gets_nothing(two):
    people, client, state = two
    codes = await begun(client)
    refused = {"user_code": codes["user_code"], "allow": False}

    await client.post("/api/v1/devices", json=refused, headers=person("ada"))

    status, told = await polled(client, codes)
    assert (status, told["error"]) == (400, "access_denied")
    assert "refused" in told["error_description"]
    assert await state.tokens.all(people.known["ada"].user_id) == []


async def test_a_hasty_program_is_slowed_down_and_an_unknown_one_told_to_begin_again(two):
    _, client, _ = two
    codes = await begun(client)
    await polled(client, codes)

    assert (await polled(client, codes))[1]["error"] == "slow_down"
    status, told = await polled(client, {"device_code": "no such code"})
    assert (status, told["error"]) == (400, "expired_token")


async def test_only_somebody_signed_in_on_the_page_lets_a_program_in(two):
    people, client, _ = two
    codes = await begun(client)
    people.known["ada"] = replace(people.known["ada"], via="token")
    people.known["ben"] = replace(people.known["ben"], scopes=frozenset({Scope.ASK}))
    body = {"user_code": codes["user_code"], "allow": True}

    answers = [
        (await client.post("/api/v1/devices", json=body, headers=headers)).status_code
        for headers in (person("ada"), person("ben"), {})
    ]

    assert answers == [403, 403, 401]
    assert (await polled(client, codes))[1]["error"] == WAITING


async def test_a_code_is_decided_once_and_a_wrong_one_never(two):
    _, client, _ = two
    codes = await begun(client)
    body = {"user_code": codes["user_code"], "allow": True}
    await client.post("/api/v1/devices", json=body, headers=person("ada"))

    for code in (codes["user_code"], "BCDF-GHJK", codes["device_code"][:20]):
        told = await client.post(
            "/api/v1/devices", json={"user_code": code, "allow": True}, headers=person("ben")
        )
        assert told.status_code == 404
        assert "does not hold" in told.json()["detail"]
        about = await client.post(
            "/api/v1/devices/about", json={"user_code": code}, headers=person("ben")
        )
        assert about.status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/device", {}),
        ("/auth/device", {"name": " "}),
        ("/auth/device", {"name": "x" * 201}),
        ("/auth/device", {"name": "x", "groups": ["board"]}),
        ("/auth/device/token", {}),
        ("/auth/device/token", {"device_code": 1}),
    ],
)
async def test_what_is_no_request_is_refused(two, path, body):
    _, client, _ = two

    assert (await client.post(path, json=body)).status_code == 422


async def test_another_sites_page_can_ask_for_no_code(two):
    _, client, _ = two

    told = await client.post(
        "/auth/device", json={"name": "x"}, headers={"Origin": "https://evil.example"}
    )

    assert told.status_code == 403


async def test_too_many_that_wait_are_told_so(two):
    _, client, state = two

    class Full:
        async def begin(self, name: str) -> Codes | None:
            return None

    state.devices = Full()
    told = await client.post("/auth/device", json={"name": "x"})

    assert told.status_code == 503
    assert "API token" in told.json()["detail"]
    assert MOST_WAITING == 1000
