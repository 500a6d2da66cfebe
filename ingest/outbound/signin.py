"""Signing in at a source.

Credentials are headers, laid only on requests to the source's own origin. Nothing here asks a
server: the token of a client-credentials sign-in is fetched by the client that is handed in.
"""

import base64
import json
import os
import threading
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from http.cookiejar import Cookie, LoadError, MozillaCookieJar
from typing import Protocol
from urllib.parse import urlsplit

from ingest.errors import SettingsError, SourceTrouble
from ingest.source_settings import Auth, BasicAuth, CookieAuth, OidcAuth, TokenAuth

FetchToken = Callable[[str, Mapping[str, str]], bytes]
"""Token address and form → the answer's body. Raises FetchError."""


class SignIn(Protocol):
    """How requests to the source's own origin are made ours."""

    def dress(self, headers: MutableMapping[str, str], path: str) -> None:
        """Lay the credentials on; raises SourceTrouble when there are none to be had now."""
        ...

    def refresh(self) -> bool:
        """Called when the server says 401: True when another try has new credentials."""
        ...

    def doubts(self) -> str:
        """What may be wrong with the credentials, as a sentence for the message; or ''."""
        ...


class _Fixed:
    """Headers that stay as they are."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def dress(self, headers: MutableMapping[str, str], path: str) -> None:
        headers.update(self._headers)

    def refresh(self) -> bool:
        return False

    def doubts(self) -> str:
        return ""


class _Cookies(_Fixed):
    """Cookies of a file, which go stale: those that have are not sent but named."""

    def __init__(
        self, source: str, url: str, settings: CookieAuth, now: Callable[[], float]
    ) -> None:
        super().__init__({})
        self._source, self._file, self._now = source, settings.file, now
        jar = MozillaCookieJar(str(settings.file))
        try:
            jar.load(ignore_discard=True, ignore_expires=True)
        except (LoadError, OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not in Netscape format"
            msg = f"[sources.{source}] auth: the cookie file {settings.file} cannot be read: {why}."
            raise SettingsError(msg) from None
        for cookie in jar:
            cookie.expires = cookie.expires or None  # 0, as curl writes it: as long as the session
        parts = urlsplit(url)
        self._cookies = [
            cookie
            for cookie in jar
            if _belongs(cookie, (parts.hostname or "").lower(), parts.scheme)
        ]

    def dress(self, headers: MutableMapping[str, str], path: str) -> None:
        fresh = [cookie for cookie in self._cookies if not cookie.is_expired(int(self._now()))]
        if not fresh:
            sentence = self.doubts() or f"{self._file} has no cookie for this host."
            msg = f"{self._source}: not signed in: {sentence}"
            raise SourceTrouble(msg)
        given = [part.strip() for part in headers.get("Cookie", "").split(";") if part.strip()]
        newer = {part.partition("=")[0] for part in given}  # the server has set these since
        ours = [
            f"{cookie.name}={cookie.value}"
            for cookie in fresh
            if cookie.name not in newer and path.startswith(cookie.path)
        ]
        if ours or given:
            headers["Cookie"] = "; ".join(ours + given)

    def doubts(self) -> str:
        old = [cookie for cookie in self._cookies if cookie.is_expired(int(self._now()))]
        if not old:
            return ""
        dates = [datetime.fromtimestamp(cookie.expires or 0, tz=UTC) for cookie in old]
        named = ", ".join(
            f"{cookie.name} ({date:%Y-%m-%d %H:%M} UTC)"
            for cookie, date in zip(old, dates, strict=True)
        )
        return f"Cookies of {self._file} have expired: {named}; get a new file."


def _belongs(cookie: Cookie, host: str, scheme: str) -> bool:
    domain = cookie.domain.lower()
    wide = domain.startswith(".") and not host.replace(".", "").isdigit()  # numbers have no parts
    inside = host.endswith(domain) or host == domain[1:] if wide else host == domain.lstrip(".")
    return inside and (scheme == "https" or not cookie.secure)


class _Oidc:
    """Client credentials: a token that is fetched, kept until shortly before its end, renewed."""

    EARLY_S = 30.0

    def __init__(
        self,
        source: str,
        settings: OidcAuth,
        secret: str,
        fetch: FetchToken,
        now: Callable[[], float],
    ) -> None:
        self._source, self._settings, self._secret = source, settings, secret
        self._fetch, self._now = fetch, now
        self._token, self._until = "", 0.0
        self._lock = threading.Lock()

    def dress(self, headers: MutableMapping[str, str], path: str) -> None:
        with self._lock:
            if not self._token or self._now() >= self._until:
                self._renew()
            headers["Authorization"] = f"Bearer {self._token}"

    def refresh(self) -> bool:
        with self._lock:
            self._token = ""
        return True

    def doubts(self) -> str:
        return ""

    def _renew(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id,
            "client_secret": self._secret,
        }
        if self._settings.audience:
            form["audience"] = self._settings.audience
        if self._settings.scope:
            form["scope"] = self._settings.scope
        body = self._fetch(str(self._settings.token_url), form)
        try:
            answer = json.loads(body)
            self._token = str(answer["access_token"])
            lasts = float(answer.get("expires_in") or 60)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            msg = (
                f"{self._source}: not signed in: {self._settings.token_url} answered without an "
                "access_token."
            )
            raise SourceTrouble(msg) from None
        self._until = self._now() + max(lasts - self.EARLY_S, lasts / 2)


def sign_in_from(
    source: str, auth: Auth | None, url: str, fetch: FetchToken, now: Callable[[], float]
) -> SignIn:
    """What the settings ask for. A secret or file that is missing is a SettingsError."""
    match auth:
        case TokenAuth():
            return _Fixed({auth.header: auth.prefix + _secret(source, auth.env)})
        case BasicAuth():
            pair = f"{auth.user}:{_secret(source, auth.env)}".encode()
            return _Fixed({"Authorization": "Basic " + base64.b64encode(pair).decode()})
        case OidcAuth():
            return _Oidc(source, auth, _secret(source, auth.env), fetch, now)
        case CookieAuth():
            return _Cookies(source, url, auth, now)
        case None:
            return _Fixed({})


def _secret(source: str, env: str) -> str:
    value = os.environ.get(env, "").strip()
    if not value:
        msg = f"[sources.{source}] auth: the environment variable {env} is not set or empty."
        raise SettingsError(msg)
    if not value.isprintable():
        msg = f"[sources.{source}] auth: the environment variable {env} has unprintable characters."
        raise SettingsError(msg)
    return value
