"""The two cookies: of a session, and of an attempt to sign in.

`__Host-` makes the browser itself refuse a cookie that another name of the domain has set, or that
came over plain http. Over plain http on this machine there is no such prefix.
"""

from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from web.signin.attempt import LASTS_S, Attempt, name_of

SESSION = "docent"
ATTEMPT = "docent-signin-"
MAX_ATTEMPTS = 8
"""Attempts that somebody may leave half done; the next one drops them."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure`: people come over https."""

    secure: bool

    @property
    def prefix(self) -> Literal["__Host-", ""]:
        """What stands before every name."""
        return "__Host-" if self.secure else ""

    def session(self, request: Request) -> str | None:
        """The secret of the session that the browser says it has."""
        return request.cookies.get(self.prefix + SESSION)

    def keep_session(self, response: Response, secret: str, lasts_s: int) -> None:
        """Let the browser keep a session."""
        self._set(response, SESSION, secret, lasts_s)

    def drop_session(self, response: Response) -> None:
        """Let the browser forget its session."""
        self._set(response, SESSION, "", 0)

    def attempt(self, request: Request, state: str) -> Attempt | None:
        """The attempt of this browser that a provider's answer belongs to."""
        kept = request.cookies.get(self.prefix + ATTEMPT + name_of(state))
        return Attempt.from_cookie(kept) if kept else None

    def keep_attempt(self, request: Request, response: Response, attempt: Attempt) -> None:
        """Let the browser keep an attempt."""
        before = [name for name in request.cookies if name.startswith(self.prefix + ATTEMPT)]
        if len(before) >= MAX_ATTEMPTS:
            for name in before:
                self._set(response, name.removeprefix(self.prefix), "", 0)
        self._set(response, ATTEMPT + name_of(attempt.state), attempt.cookie, LASTS_S)

    def drop_attempt(self, response: Response, state: str) -> None:
        """Let the browser forget an attempt: an answer is good for once."""
        self._set(response, ATTEMPT + name_of(state), "", 0)

    def _set(self, response: Response, name: str, value: str, lasts_s: int) -> None:
        response.set_cookie(
            self.prefix + name, value, max_age=lasts_s, path="/", secure=self.secure,
            httponly=True,
            # Not strict: a link to Docent in a mail must find who follows it signed in.
            samesite="lax",
        )  # fmt: skip
