"""People with accounts and groups of their own, known by a header: who signs in is not the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
from starlette.requests import Request

from ingest.access import Reader
from tests.web.conftest import client_of
from web.services import Services
from web.state import State
from web.who import EVERY_SCOPE, Caller, Role, Scope


@dataclass
class People:
    """A door for those who were let in by `join`; a request names one with `X-Person`."""

    sign_in_url: str = "/auth/login"
    known: dict[str, Caller] = field(default_factory=dict)

    async def caller(self, request: Request) -> Caller | None:
        return self.known.get(request.headers.get("x-person", ""))

    async def join(
        self,
        state: State,
        name: str,
        *groups: str,
        role: Role = Role.READER,
        scopes: frozenset[Scope] = EVERY_SCOPE,
    ) -> Caller:
        user = await state.users.sign_in(
            "https://id.example", name, name=name, email="", groups=groups, role=role.value
        )
        reader = Reader(frozenset(groups), user.id)
        self.known[name] = Caller(user.id, name, "", reader, role, scopes, "session")
        return self.known[name]

    def regroup(self, name: str, *groups: str) -> None:
        """Somebody's groups change."""
        caller = self.known[name]
        reader = Reader(frozenset(groups), caller.user_id)
        self.known[name] = replace(caller, reader=reader)


@asynccontextmanager
async def among(
    services: Services, **groups: tuple[str, ...]
) -> AsyncIterator[tuple[People, httpx.AsyncClient]]:
    """The application as these people find it, by name with their groups."""
    people = People()
    services.door = people
    for name, own in groups.items():
        await people.join(services.state, name, *own)
    async with client_of(services) as client:
        yield people, client


def person(name: str) -> dict[str, str]:
    """The headers of somebody's request."""
    return {"X-Person": name}
