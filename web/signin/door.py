"""Who sends a request, where people sign in: the session of a browser, or an API token."""

from contextlib import suppress
from datetime import timedelta
from http import HTTPStatus
from typing import Literal

from starlette.requests import Request

from ingest.access import Reader
from ingest.web_settings import SignInSettings
from web.problems import Refused
from web.signin.cookies import Cookies
from web.state import State, StateTrouble, User
from web.who import EVERY_SCOPE, SIGN_IN_URL, Caller, Role, Scope, nobody

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = "X-Docent"
"""A form cannot set it, and a script of another site would have to ask first."""

NO_TOKEN = "This API token is unknown, has expired or was revoked."  # noqa: S105 - a sentence


class SignInDoor:
    """Knows callers by the state. A request with a token is never taken for its cookie's."""

    sign_in_url = SIGN_IN_URL

    def __init__(self, state: State, settings: SignInSettings, cookies: Cookies) -> None:
        self._state = state
        self._cookies = cookies
        self._rights_last = timedelta(days=settings.token_days)

    async def caller(self, request: Request) -> Caller | None:
        """Who sent it; None for nobody.

        Raises:
            Refused: a session that has ended, a token that does not hold, a request that another
                site may have caused.
        """
        shown = request.headers.get("authorization")
        if shown is not None:
            return await self._of_token(shown)
        secret = self._cookies.session(request)
        return await self._of_session(request, secret) if secret else None

    async def _of_session(self, request: Request, secret: str) -> Caller:
        found = await self._state.sessions.find(secret)
        if found is None:
            raise nobody(SIGN_IN_URL, "Your session has ended. Sign in again to go on.")
        from_our_page(request)
        _, user = found
        # Nobody is turned away because the database cannot be written for a moment.
        with suppress(StateTrouble):
            await self._state.users.seen(user)
        return _caller(user, EVERY_SCOPE, "session")

    async def _of_token(self, shown: str) -> Caller:
        scheme, _, text = shown.partition(" ")
        # Another scheme costs the same look-up, and the answer is the same.
        found = await self._state.tokens.verify(text.strip() if scheme.lower() == "bearer" else "")
        if found is None:
            raise nobody(SIGN_IN_URL, NO_TOKEN)
        token, user = found
        if self._state.database.clock() - user.signed_in_at > self._rights_last:
            raise nobody(
                SIGN_IN_URL,
                f"You have not signed in for {self._rights_last.days} days. Do so once in the "
                "browser, and your API tokens go on.",
            )
        await self._state.tokens.used(token)
        scopes = frozenset(Scope(scope) for scope in token.scopes if scope in EVERY_SCOPE)
        return _caller(user, scopes, "token")


def from_our_page(request: Request) -> None:
    """Let a request pass that acts on the session of a cookie.

    Raises:
        Refused: it changes something, and may come from a form of another site.
    """
    if request.method not in SAFE and CSRF_HEADER not in request.headers:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            f"A request that changes something needs the header {CSRF_HEADER}, with any value; "
            "a script should use an API token instead of the session of a page.",
        )


def _caller(user: User, scopes: frozenset[Scope], via: Literal["session", "token"]) -> Caller:
    return Caller(
        user_id=user.id,
        name=user.name,
        email=user.email,
        reader=Reader(frozenset(user.groups), user.id),
        role=Role(user.role),
        scopes=scopes,
        via=via,
    )
