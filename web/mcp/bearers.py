"""Whose a token is that comes to `/mcp`: the rules of an OAuth 2.0 resource server.

Two kinds are taken: API tokens of Docent, and access tokens of the sign-in server that were made
for this resource (RFC 9068, RFC 8707). A token for another service is refused, and what is taken
here opens no other address of Docent: `web.signin.door` knows no token but its own.
"""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from starlette.requests import Request

from ingest.access import Reader
from ingest.web_settings import SignInSettings
from web.problems import Refused
from web.signin.claims import Person, person, tells_rights
from web.signin.errors import ProviderAway, SignInError, SignInRefused
from web.signin.oidc import Provider
from web.state import State, User
from web.who import Caller, Door, Role, Scope

# Only the form of a JSON Web Token; whether it holds is asked of its signature.
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
NO_TOKEN = "This address needs a token, such as an API token of Docent."  # noqa: S105 - a sentence
UNKNOWN = "This token is unknown."
JWT_SCOPES = frozenset({Scope.ASK, Scope.SEARCH, Scope.READ})
"""What an access token of the sign-in server may be used for: the tools, and nothing else."""


class Bearers:
    """Tokens at one resource, whose name is `resource`; empty: it has no address of its own.

    `audience` is for whom access tokens must be made, if not for the resource.
    """

    def __init__(
        self,
        state: State,
        settings: SignInSettings,
        provider: Provider,
        metadata_url: str,
        resource: str,
        audience: str,
    ) -> None:
        self.resource = resource
        self._state = state
        self._settings = settings
        self._provider = provider
        self._metadata_url = metadata_url
        self._audience = audience or resource

    def metadata(self) -> dict[str, Any]:
        """What this resource says of itself (RFC 9728, section 2)."""
        return {
            "resource": self.resource,
            "resource_name": "Docent",
            "authorization_servers": [self._provider.issuer],
            "scopes_supported": list(self._settings.scopes),
            "bearer_methods_supported": ["header"],
        }

    async def caller(self, request: Request, door: Door) -> Caller:
        """Whose the token of a request is; `door` knows Docent's own.

        Raises:
            Refused: 401 with the way to a token; 403 for somebody who may not come in; 503 when
                the sign-in server has to be asked and does not answer.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise self._unauthorized(NO_TOKEN)
        try:
            if _JWT.fullmatch(token):
                return await self._of_jwt(token)
            known = await door.caller(request)
        except ProviderAway as error:
            raise Refused(error.status, str(error)) from None
        except SignInRefused as error:
            raise Refused(error.status, str(error)) from None
        except SignInError as error:
            raise self._unauthorized(str(error), error="invalid_token") from None
        except Refused as refused:
            if refused.status_code != HTTPStatus.UNAUTHORIZED:
                raise
            raise self._unauthorized(refused.detail, error="invalid_token") from None
        if known is None:
            raise self._unauthorized(UNKNOWN, error="invalid_token")
        return known

    async def _of_jwt(self, token: str) -> Caller:
        if not self._audience:
            msg = "Only API tokens are taken here: Docent has no public_url that one is made for."
            raise SignInError(msg)
        lasts = timedelta(hours=self._settings.session_hours)
        claims = await self._provider.access_claims(token, self._audience, lasts.total_seconds())
        known = person(claims, self._settings) if tells_rights(claims, self._settings) else None
        user = await self._state.users.of(self._provider.issuer, claims["sub"])
        if user is None and known is not None:
            user = await self._first_seen(known)
        if user is None or (known is None and not self._fresh(user)):
            msg = (
                "The token does not tell your groups. Sign in to Docent once in the browser, and "
                "go on here with the groups that are told then."
            )
            raise SignInError(msg)
        return _caller(user, _groups(user, known, claims["iat"]))

    async def _first_seen(self, known: Person) -> User:
        return await self._state.users.sign_in(
            self._provider.issuer,
            known.subject,
            name=known.name,
            email=known.email,
            groups=known.groups,
            role=known.role.value,
        )

    def _fresh(self, user: User) -> bool:
        age = self._state.database.clock() - user.signed_in_at
        return age <= timedelta(days=self._settings.token_days)

    def _unauthorized(self, detail: str, *, error: str = "") -> Refused:
        """401 as RFC 6750 and RFC 9728 have it: why, and where to read how to get a token."""
        told = [f'error="{error}"'] if error else []
        if self.resource:
            told += [
                f'resource_metadata="{self._metadata_url}"',
                f'scope="{" ".join(self._settings.scopes)}"',
            ]
        challenge = f"Bearer {', '.join(told)}".strip()
        return Refused(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})


def _groups(user: User, known: Person | None, issued_at: float) -> frozenset[str]:
    """His groups: as the token tells, but no more than a later sign-in has told."""
    if known is None:
        return frozenset(user.groups)
    if datetime.fromtimestamp(issued_at, UTC) > user.signed_in_at:
        return known.groups
    return known.groups & frozenset(user.groups)


def _caller(user: User, groups: frozenset[str]) -> Caller:
    return Caller(
        user_id=user.id,
        name=user.name,
        email=user.email,
        reader=Reader(groups, user.id),
        role=Role.READER,
        scopes=JWT_SCOPES,
        via="token",
    )
