from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI

from ingest.access import Reader
from web import problems, who
from web.who import Caller, LocalDoor, Role, Scope, Whoever, needs, nobody


class FakeDoor:
    sign_in_url = "/auth/login"

    def __init__(self, caller=None, refusal=None):
        self._caller = caller
        self._refusal = refusal

    async def caller(self, request):
        if self._refusal:
            raise self._refusal
        return self._caller


def a_caller(role=Role.READER, scopes=frozenset({Scope.READ})):
    return Caller("u1", "Ada", "ada@example.org", Reader(), role, scopes, "token")


async def get(door, path):
    app = FastAPI()
    problems.install(app)
    who.install(app, door)

    @app.get("/read")
    async def read(caller: Annotated[Caller, needs(Scope.READ)]) -> dict[str, str]:
        return {"user": caller.user_id, "groups": " ".join(caller.reader.groups)}

    @app.get("/publish")
    async def publish(caller: Annotated[Caller, needs(Scope.READ, Role.ADMIN)]) -> None: ...

    @app.get("/metrics")
    async def metrics(caller: Annotated[Caller, needs(Scope.METRICS)]) -> None: ...

    @app.get("/me")
    async def me(caller: Whoever) -> bool:
        return caller is not None

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


def test_roles_are_ordered_by_what_they_may_do_and_not_as_text():
    assert Role.READER < Role.MAINTAINER < Role.ADMIN
    assert Role.ADMIN > Role.MAINTAINER >= Role.MAINTAINER >= Role.READER
    assert Role.READER <= Role.READER
    assert not Role.READER >= Role.MAINTAINER
    assert max(Role.READER, Role.ADMIN, Role.MAINTAINER) is Role.ADMIN


async def test_locally_everybody_is_the_local_user_with_the_groups_that_were_given():
    door = LocalDoor(Reader(frozenset({"trigger"})))

    response = await get(door, "/read")

    assert response.json() == {"user": "local", "groups": "trigger"}
    assert (await get(door, "/publish")).status_code == 200
    assert (await get(door, "/metrics")).status_code == 200


async def test_nobody_is_told_where_to_sign_in():
    response = await get(FakeDoor(), "/read")

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Sign in first.",
        "sign_in_url": "/auth/login",
    }


async def test_a_token_is_good_for_its_scopes_only():
    response = await get(FakeDoor(a_caller(scopes=frozenset({Scope.ASK}))), "/read")

    assert response.status_code == 403
    assert response.json()["detail"] == 'This token is not for that: it lacks the scope "read".'


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        (Role.READER, "/publish", 403),
        (Role.MAINTAINER, "/publish", 403),
        (Role.ADMIN, "/publish", 200),
        # The scope alone demands a role, whatever the route says.
        (Role.READER, "/metrics", 403),
        (Role.MAINTAINER, "/metrics", 200),
    ],
)
async def test_a_role_is_needed(role, path, status):
    response = await get(FakeDoor(a_caller(role, frozenset(Scope))), path)

    assert response.status_code == status


async def test_some_addresses_answer_anybody_and_know_who_it_is():
    assert (await get(FakeDoor(a_caller()), "/me")).json() is True
    assert (await get(FakeDoor(), "/me")).json() is False
    assert (await get(FakeDoor(refusal=nobody("/auth/login")), "/me")).json() is False
