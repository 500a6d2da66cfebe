"""`/auth/*`: in to the provider, back with its answer, and out."""

import html
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from ingest.errors import DocentError
from ingest.web_settings import SignInSettings
from web.problems import problem
from web.signin.attempt import Attempt
from web.signin.claims import person, tells_rights
from web.signin.cookies import Cookies
from web.signin.device import device_routes
from web.signin.door import SignInDoor, from_our_page
from web.signin.errors import ProviderAway, SignInError
from web.signin.oidc import Provider
from web.state import State
from web.who import SIGN_IN_URL

CALLBACK = "/auth/callback"
BACKCHANNEL = "/auth/backchannel"

FORGOTTEN = (
    "This browser did not begin this sign-in, or too long ago. Begin again; Docent needs cookies "
    "for it."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in as the application is given it: who calls, and the routes under `/auth`."""

    door: SignInDoor
    router: APIRouter


def sign_in_for(
    state: State, settings: SignInSettings, provider: Provider, public_url: str
) -> SignIn:
    """The sign-in of `settings`. `public_url` is where people come, empty for this machine only."""
    cookies = Cookies(secure=public_url.startswith("https:"))
    door = SignInDoor(state, settings, cookies)
    desk = _Desk(state, settings, provider, cookies, public_url)
    router = APIRouter(include_in_schema=False)
    router.add_api_route(SIGN_IN_URL, desk.login, methods=["GET"])
    router.add_api_route(CALLBACK, desk.callback, methods=["GET"])
    router.add_api_route("/auth/logout", desk.logout, methods=["POST"])
    router.add_api_route(BACKCHANNEL, desk.backchannel, methods=["POST"])
    router.include_router(device_routes(state, desk.base))
    return SignIn(door, router)


@dataclass(frozen=True, slots=True)
class _Desk:
    state: State
    settings: SignInSettings
    provider: Provider
    cookies: Cookies
    public_url: str

    async def login(self, request: Request) -> Response:
        """Send the browser to the provider."""
        attempt = Attempt.new(request.query_params.get("next", "/"))
        try:
            url = await self.provider.authorization_url(attempt, self._back(request))
        except DocentError as error:
            return _failed(request, error, attempt.next)
        response = RedirectResponse(url, 303)
        self.cookies.keep_attempt(request, response, attempt)
        return response

    async def callback(self, request: Request) -> Response:
        """Take the provider's answer, begin a session and go where the attempt wanted to."""
        told = request.query_params
        state = told.get("state", "")
        attempt = self.cookies.attempt(request, state)
        if attempt is None or attempt.state != state:
            return _failed(request, SignInError(FORGOTTEN), "/")
        try:
            secret = await self._begin(request, told, attempt)
        except DocentError as error:
            response = _failed(request, error, attempt.next)
        else:
            response = RedirectResponse(attempt.next, 303)
            lasts = int(self._lasts.total_seconds())
            self.cookies.keep_session(response, secret, lasts)
        self.cookies.drop_attempt(response, state)
        return response

    async def _begin(self, request: Request, told: Mapping[str, str], attempt: Attempt) -> str:
        """A session of the one that the provider vouches for; gives the secret of its cookie."""
        if "error" in told or "code" not in told:
            raise SignInError(_refusal(told))
        claims = await self.provider.claims(
            told["code"],
            told.get("iss"),
            attempt,
            self._back(request),
            lambda claims: tells_rights(claims, self.settings),
        )
        known = person(claims, self.settings)
        user = await self.state.users.sign_in(
            self.provider.issuer,
            known.subject,
            name=known.name,
            email=known.email,
            groups=known.groups,
            role=known.role.value,
            email_verified=known.email_verified,
        )
        before = self.cookies.session(request)
        if before:
            await self.state.sessions.end(before)
        return await self.state.sessions.begin(user.id, lasts=self._lasts, oidc_sid=known.sid)

    async def logout(self, request: Request) -> Response:
        """End the session here; tells where the browser ends it at the provider."""
        from_our_page(request)
        secret = self.cookies.session(request)
        if secret:
            await self.state.sessions.end(secret)
        try:
            url = await self.provider.end_session_url(f"{self.base(request)}/")
        except ProviderAway:
            url = ""
        response = JSONResponse({"url": url or "/"})
        self.cookies.drop_session(response)
        return response

    async def backchannel(self, request: Request) -> Response:
        """The provider itself says that somebody was signed out."""
        try:
            form = parse_qs((await request.body()).decode(), max_num_fields=20)
            token = form.get("logout_token", [""])[0]
            out = await self.provider.logged_out(token)
        except ProviderAway as error:
            return problem(error.status, str(error))
        except (SignInError, ValueError) as error:
            _log.warning("A back-channel logout was refused: %s", error)
            told = str(error) if isinstance(error, SignInError) else "The form cannot be read."
            return JSONResponse({"error": "invalid_request", "error_description": told}, 400)
        await self.state.sessions.end_at_provider(
            self.provider.issuer, subject=out.subject, sid=out.sid
        )
        return Response(status_code=200)

    @property
    def _lasts(self) -> timedelta:
        return timedelta(hours=self.settings.session_hours)

    def base(self, request: Request) -> str:
        """Where people come."""
        # Without a public address only names of this machine have passed the guard.
        return self.public_url or f"{request.url.scheme}://{request.headers['host']}"

    def _back(self, request: Request) -> str:
        return self.base(request) + CALLBACK


def _refusal(told: Mapping[str, str]) -> str:
    error = told.get("error", "no code")
    if error == "access_denied":
        return "The sign-in was cancelled, or the sign-in server does not let you in here."
    # The provider's codes are words; anything else was written by whoever made the link.
    word = error if error.replace("_", "").isalnum() and len(error) < 50 else "no known reason"
    return f"The sign-in server did not sign you in ({word}). Try again."


def _failed(request: Request, error: DocentError, wanted: str) -> Response:
    """The error as a page for people, as a problem for programs."""
    status = error.status if isinstance(error, SignInError) else 503
    _log.warning("Nobody was signed in: %s", error)
    if "text/html" not in request.headers.get("accept", ""):
        return problem(status, str(error))
    again = f"{SIGN_IN_URL}?next={quote(wanted, safe='/')}"
    return HTMLResponse(_PAGE.format(told=html.escape(str(error)), again=again), status)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Docent: not signed in</title>
<h1>You are not signed in</h1>
<p>{told}</p>
<p><a href="{again}">Try again</a></p>
</html>
"""
