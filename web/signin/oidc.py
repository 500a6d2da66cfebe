"""The OpenID Connect provider: where it is, whom it vouches for, whom it has signed out.

Nothing that a provider sends is believed before its signature, issuer, audience and times were
checked; the keys are those it publishes now.
"""

import asyncio
import hmac
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet, import_key
from joserfc.jws import JWSRegistry

from ingest.web_settings import SignInSettings, is_loopback
from web.signin.access import LEEWAY_S, is_number, wrong_access
from web.signin.attempt import Attempt
from web.signin.errors import ProviderAway, SignInError

FRESH_S = 3600
"""So long the provider's own description of itself is not asked for again."""
KEYS_AGAIN_S = 10
"""Tokens with unknown keys make us ask for the keys at most so often."""
LOGOUT_FRESH_S = 600
"""A logout token older than this is refused; so long its id is remembered."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What the provider says about itself; optional addresses are empty."""

    authorization: str
    token: str
    jwks: str
    userinfo: str
    end_session: str
    sends_issuer: bool
    posts_secret: bool


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """Whom the provider has signed out: a session, or a person everywhere."""

    subject: str
    sid: str


class Provider:
    """The provider of the settings. It is first asked when somebody signs in."""

    def __init__(
        self,
        settings: SignInSettings,
        secret: str,
        *,
        clock: Callable[[], float] = time.time,
        timeout_s: float = 10.0,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._timeout_s = timeout_s
        self._asking = asyncio.Lock()
        self._endpoints: Endpoints | None = None
        self._endpoints_at = 0.0
        self._keys: KeySet | None = None
        self._keys_at = 0.0
        self._heard: dict[str, float] = {}

    @property
    def issuer(self) -> str:
        """Its name, as the settings have it."""
        return self._settings.issuer

    async def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to sign in.

        Raises:
            ProviderAway: it does not answer.
        """
        endpoints = await self.endpoints()
        async with self._client(redirect_uri=redirect_uri) as client:
            url, _ = client.create_authorization_url(
                endpoints.authorization,
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url)

    async def claims(
        self, code: str, issuer: str | None, attempt: Attempt, redirect_uri: str,
        enough: Callable[[Mapping[str, Any]], bool],
    ) -> Mapping[str, Any]:  # fmt: skip
        """The checked claims about whoever came back with `code`.

        What the id token does not tell is asked of the userinfo endpoint, unless it is `enough`.

        Raises:
            SignInError: the code is refused, or what it gives does not hold.
            ProviderAway: it does not answer.
        """
        endpoints = await self.endpoints()
        # RFC 9207: an answer of another provider must not be taken to this one.
        if issuer != self.issuer and (issuer is not None or endpoints.sends_issuer):
            msg = "The answer is not of the sign-in server of Docent. Sign in again."
            raise SignInError(msg)
        token = await self._exchange(endpoints, code, attempt, redirect_uri)
        claims = await self._checked_id_token(token, attempt)
        if enough(claims) or not endpoints.userinfo:
            return claims
        return {**await self._userinfo(endpoints, token, claims["sub"]), **claims}

    async def logged_out(self, logout_token: str) -> LoggedOut:
        """Whom a logout token is about (OpenID Connect Back-Channel Logout 1.0, section 2.6).

        Raises:
            SignInError: it does not hold, or it was here before.
            ProviderAway: its keys cannot be had.
        """
        header, claims = await self._verified(logout_token)
        now = self._clock()
        trouble = _wrong_logout(header, claims, now)
        if trouble:
            msg = f"The logout token {trouble}."
            raise SignInError(msg)
        self._heard = {jti: at for jti, at in self._heard.items() if at > now}
        if claims["jti"] in self._heard:
            msg = "The logout token was here before."
            raise SignInError(msg)
        self._heard[claims["jti"]] = now + LOGOUT_FRESH_S + 2 * LEEWAY_S
        return LoggedOut(claims.get("sub", ""), claims.get("sid", ""))

    async def access_claims(self, token: str, audience: str, lasts_s: float) -> Mapping[str, Any]:
        """The checked claims of an access token for `audience` (RFC 9068, section 4).

        `lasts_s`: so long after it was made what it tells of rights is believed.

        Raises:
            SignInError: it does not hold, is of another kind, or is for another service.
            ProviderAway: its keys cannot be had.
        """
        header, claims = await self._verified(token, audience)
        trouble = wrong_access(header, claims, self._clock(), lasts_s)
        if trouble:
            msg = f"The access token {trouble}."
            raise SignInError(msg)
        return claims

    async def end_session_url(self, back_to: str) -> str:
        """Where the browser goes to be signed out there too; empty where the provider has none.

        No id token is kept, so none is sent as a hint: the provider knows us by our id and asks
        whether that is meant (OpenID Connect RP-Initiated Logout 1.0, section 2).
        """
        endpoints = await self.endpoints()
        if not endpoints.end_session:
            return ""
        query = urlencode(
            {"client_id": self._settings.client_id, "post_logout_redirect_uri": back_to}
        )
        return f"{endpoints.end_session}{'&' if '?' in endpoints.end_session else '?'}{query}"

    async def endpoints(self) -> Endpoints:
        """What the provider says about itself, asked for once an hour.

        Raises:
            ProviderAway: it never answered, or is not the provider of the settings.
        """
        async with self._asking:
            if self._endpoints is None or self._clock() - self._endpoints_at > FRESH_S:
                address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
                try:
                    self._endpoints = self._read(await self._get(address))
                except ProviderAway:
                    # Yesterday's description is better than none, and keys have their own rule.
                    if self._endpoints is None:
                        raise
                self._endpoints_at = self._clock()
            return self._endpoints

    def _read(self, told: Any) -> Endpoints:
        if not isinstance(told, dict) or told.get("issuer") != self.issuer:
            other = told.get("issuer") if isinstance(told, dict) else None
            msg = (
                f"The sign-in server calls itself {other!r} and not {self.issuer!r}: "
                "[signin] issuer must be the same to the letter."
            )
            raise ProviderAway(msg)
        methods = told.get("token_endpoint_auth_methods_supported") or ()
        return Endpoints(
            authorization=_address(told, "authorization_endpoint"),
            token=_address(told, "token_endpoint"),
            jwks=_address(told, "jwks_uri"),
            userinfo=_address(told, "userinfo_endpoint", optional=True),
            end_session=_address(told, "end_session_endpoint", optional=True),
            sends_issuer=told.get("authorization_response_iss_parameter_supported") is True,
            posts_secret="client_secret_post" in methods,
        )

    async def _exchange(
        self, endpoints: Endpoints, code: str, attempt: Attempt, redirect_uri: str
    ) -> Mapping[str, Any]:
        method = "client_secret_post" if endpoints.posts_secret else "client_secret_basic"
        try:
            async with self._client(
                redirect_uri=redirect_uri, token_endpoint_auth_method=method
            ) as client:
                token: Mapping[str, Any] = await client.fetch_token(
                    endpoints.token, code=code, code_verifier=attempt.verifier
                )
        except OAuthError as error:
            msg = f"The sign-in server does not take the answer ({error.error}). Sign in again."
            raise SignInError(msg) from error
        except (httpx2.HTTPError, ValueError) as error:
            raise self._away() from error
        return token

    async def _checked_id_token(
        self, token: Mapping[str, Any], attempt: Attempt
    ) -> Mapping[str, Any]:
        header, claims = await self._verified(token.get("id_token"))
        params = {
            "nonce": attempt.nonce,
            "client_id": self._settings.client_id,
            "access_token": token.get("access_token"),
        }
        try:
            checked = CodeIDToken(claims, header, params=params)
            checked.validate(now=int(self._clock()), leeway=LEEWAY_S)
        except JoseError as error:
            msg = f"What the sign-in server says does not hold ({_why(error)}). Sign in again."
            raise SignInError(msg) from error
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            msg = "The sign-in server does not say who you are."
            raise SignInError(msg)
        return claims

    async def _verified(
        self, token: Any, wanted: str = ""
    ) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Header and claims of a token of this provider: signature, issuer, audience `wanted`.

        Without an audience it is the one of the sign-in.
        """
        if not isinstance(token, str) or not token:
            msg = "The sign-in server gave no token."
            raise SignInError(msg)
        try:
            header, claims = await self._decoded(token)
        except (JoseError, ValueError) as error:
            msg = f"A token's signature does not hold ({_why(error)}). Sign in again."
            raise SignInError(msg) from error
        audience = claims.get("aud")
        wanted = wanted or self._settings.audience or self._settings.client_id
        if claims.get("iss") != self.issuer or wanted not in (
            audience if isinstance(audience, list) else [audience]
        ):
            msg = "A token of the sign-in server is not of the issuer, or not for Docent."
            raise SignInError(msg)
        return header, claims

    async def _decoded(self, token: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        registry = JWSRegistry(
            algorithms=list(self._settings.algorithms), strict_check_header=False
        )
        try:
            decoded = jwt.decode(token, await self._key_set(), registry=registry)
        except InvalidKeyIdError:
            # The provider may have changed its keys since.
            decoded = jwt.decode(token, await self._key_set(anew=True), registry=registry)
        return decoded.header, decoded.claims

    async def _key_set(self, *, anew: bool = False) -> KeySet:
        endpoints = await self.endpoints()
        async with self._asking:
            age = self._clock() - self._keys_at
            if self._keys is None or age > FRESH_S or (anew and age > KEYS_AGAIN_S):
                self._keys = _keys(await self._get(endpoints.jwks))
                self._keys_at = self._clock()
            return self._keys

    async def _userinfo(
        self, endpoints: Endpoints, token: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        told = await self._get(
            endpoints.userinfo, {"Authorization": f"Bearer {token.get('access_token')}"}
        )
        # Section 5.3.2 of OpenID Connect Core: or it may be about somebody else.
        if not isinstance(told, dict) or not hmac.compare_digest(
            str(told.get("sub")).encode(), subject.encode()
        ):
            msg = "The sign-in server tells about somebody else. Sign in again."
            raise SignInError(msg)
        return told

    async def _get(self, address: str, headers: Mapping[str, str] | None = None) -> Any:
        try:
            async with self._client() as client:
                response = await client.request(
                    "GET", address, headers=headers, withhold_token=True
                )
                response.raise_for_status()
                return response.json()
        except (httpx2.HTTPError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self._away() from error

    def _client(self, **options: Any) -> Any:
        return AsyncOAuth2Client(
            client_id=self._settings.client_id,
            client_secret=self._secret,
            scope=" ".join(self._settings.scopes),
            code_challenge_method="S256",
            timeout=self._timeout_s,
            verify=_trust(self._settings.ca_file),
            **options,
        )

    def _away(self) -> ProviderAway:
        return ProviderAway(
            f"The sign-in server {urlsplit(self.issuer).netloc} does not answer as it should. "
            "Try again in a moment; who is signed in may go on."
        )


@cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    # Reading the authorities takes longer than a request.
    return ssl.create_default_context(cafile=ca_file)


def _address(told: Mapping[str, Any], key: str, *, optional: bool = False) -> str:
    value = told.get(key)
    if value is None and optional:
        return ""
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    ):
        msg = f"The sign-in server's {key} is {value!r}, which is no https address."
        raise ProviderAway(msg)
    return str(value)


def _keys(told: Any) -> KeySet:
    """The published keys that may sign. Kinds that we do not know are for others."""
    keys: list[Key] = []
    for given in told.get("keys", ()) if isinstance(told, dict) else ():
        if isinstance(given, dict) and given.get("use") != "enc" and given.get("kty") != "oct":
            try:
                keys.append(import_key(given))
            except (JoseError, ValueError, TypeError):
                continue
    return KeySet(keys)


def _wrong_logout(header: Mapping[str, Any], claims: Mapping[str, Any], now: float) -> str:
    """What is wrong with a logout token whose signature holds; empty for nothing."""
    events = claims.get("events")
    if str(header.get("typ", "logout+jwt")).lower() not in ("logout+jwt", "jwt"):
        return "is a token of another kind"
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        return "does not tell of a logout"
    if "nonce" in claims:
        return "has a nonce, as an id token has"
    for key in ("sub", "sid"):
        if not isinstance(claims.get(key, ""), str):
            return f"has a {key} that is no text"
    if not (claims.get("sub") or claims.get("sid")):
        return "names neither a person nor a session"
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        return "has no id of its own"
    if not is_number(claims.get("iat")) or not is_number(claims.get("exp")):
        return "does not say from when till when it holds"
    if claims["exp"] <= now - LEEWAY_S:
        return "has expired"
    if not now - LOGOUT_FRESH_S - LEEWAY_S < claims["iat"] < now + LEEWAY_S:
        return "is not of now"
    return ""


def _why(error: Exception) -> str:
    """The library's word for it, which quotes nothing of the token."""
    told = getattr(error, "error", "") or type(error).__name__
    claim = getattr(error, "claim", "")
    return f"{told}: {claim}" if claim else str(told)
