"""Who calls, and what he may do: every route asks `needs` for a `Caller`, and gets no other way.

    @router.post("/search")
    async def search(body: SearchIn, caller: Annotated[Caller, needs(Scope.SEARCH)]) -> HitsOut: ...

How callers are known is the business of a `Door`, chosen when the application is made:
`LocalDoor` on a machine of one's own, `web.signin.door` where people sign in.
"""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Literal, Protocol

from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ingest.access import Reader
from web.problems import Refused

LOCAL_USER = "local"
SIGN_IN_URL = "/auth/login"


class Role(StrEnum):
    """What somebody is; each may do what those before it may, and `<` compares in this order."""

    READER = "reader"
    MAINTAINER = "maintainer"
    ADMIN = "admin"

    # As text, "reader" would be more than "admin".
    def __lt__(self, other: str) -> bool:
        return _RANK[self] < _RANK[Role(other)]

    def __le__(self, other: str) -> bool:
        return _RANK[self] <= _RANK[Role(other)]

    def __gt__(self, other: str) -> bool:
        return _RANK[self] > _RANK[Role(other)]

    def __ge__(self, other: str) -> bool:
        return _RANK[self] >= _RANK[Role(other)]


_RANK = {role: rank for rank, role in enumerate(Role)}


class Scope(StrEnum):
    """What an API token may be used for. A signed-in page has them all, as far as the role goes."""

    ASK = "ask"
    SEARCH = "search"
    READ = "read"
    FEEDBACK = "feedback"
    HISTORY = "history"
    TOKENS = "tokens"
    ADMIN = "admin"
    METRICS = "metrics"


EVERY_SCOPE = frozenset(Scope)
LEAST_ROLE = {Scope.ADMIN: Role.MAINTAINER, Scope.METRICS: Role.MAINTAINER}
"""Scopes that are of no use below a role, whatever a route asks for."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in. `reader` is what every read of the index is done as."""

    user_id: str
    name: str
    email: str
    reader: Reader
    role: Role
    scopes: frozenset[Scope]
    via: Literal["local", "session", "token", "bot"]


class Door(Protocol):
    """How requests are told whose they are."""

    @property
    def sign_in_url(self) -> str:
        """Where somebody unknown goes; empty where there is no sign-in."""

    async def caller(self, request: Request) -> Caller | None:
        """Who sent it; None for nobody.

        Raises:
            Refused: it carries something that does not hold: an ended session, a wrong token.
        """


def local_caller(reader: Reader) -> Caller:
    """The one user of a machine of his own, who reads as `reader`."""
    return Caller(
        user_id=LOCAL_USER,
        name="Local user",
        email="",
        reader=Reader(reader.groups, LOCAL_USER),
        role=Role.ADMIN,
        scopes=EVERY_SCOPE,
        via="local",
    )


class LocalDoor:
    """Everybody who reaches the port is the one local user. For loopback, and nothing else."""

    sign_in_url = ""

    def __init__(self, reader: Reader) -> None:
        self._caller = local_caller(reader)

    async def caller(self, request: Request) -> Caller | None:
        return self._caller


def install(app: FastAPI, door: Door) -> None:
    """Let `door` say who calls the routes of `app`."""
    app.state.door = door


_bearer = HTTPBearer(
    auto_error=False, description="An API token (`docent_...`), or the session of the page."
)
_Shown = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def needs(scope: Scope, role: Role = Role.READER) -> Any:
    """The dependency that gives the `Caller`, or answers 401 or 403.

    Raises:
        Refused: nobody signed in; a token without the scope; somebody without the role.
    """
    least = max(role, LEAST_ROLE.get(scope, Role.READER))

    async def caller(request: Request, shown: _Shown) -> Caller:
        door: Door = request.app.state.door
        found = await door.caller(request)
        if found is None:
            raise nobody(door.sign_in_url)
        if scope not in found.scopes:
            raise Refused(
                HTTPStatus.FORBIDDEN, f'This token is not for that: it lacks the scope "{scope}".'
            )
        if found.role < least:
            raise Refused(HTTPStatus.FORBIDDEN, f"This is for those with the role {least}.")
        return found

    return Depends(caller)


async def _whoever(request: Request) -> Caller | None:
    try:
        door: Door = request.app.state.door
        return await door.caller(request)
    except Refused:
        return None


Whoever = Annotated[Caller | None, Depends(_whoever)]
"""For what must answer those as well who are not signed in, such as `/api/v1/me`."""


def nobody(sign_in_url: str, detail: str = "Sign in first.") -> Refused:
    """The refusal of somebody unknown, with the way in."""
    return Refused(
        HTTPStatus.UNAUTHORIZED,
        detail,
        headers={"WWW-Authenticate": "Bearer"},
        sign_in_url=sign_in_url or None,
    )
