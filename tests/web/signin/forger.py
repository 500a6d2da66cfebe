"""A provider that says whatever a test wants it to, on a real socket. For what a real one never
says: forged, stale and senseless tokens."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "docent"
NOW = int(time.time())
"""The time in these tests, which stands still."""


def part(value: Any) -> str:
    """A part of a JSON Web Token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def a_key(kid: str) -> RSAKey:
    """A new key for signatures; making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"}, private=True)


@dataclass
class Forger:
    """`answers` by path: a status with JSON or text. `asked` keeps what came."""

    issuer: str
    key: RSAKey
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def reset(self) -> None:
        self.asked.clear()
        self.forms.clear()
        self.headers.clear()
        self.answers = {
            "/.well-known/openid-configuration": (200, self.description()),
            "/jwks": (200, {"keys": [self.key.as_dict(private=False)]}),
        }

    def description(self, **more: Any) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/me",
            "end_session_endpoint": f"{self.issuer}/out",
            **more,
        }

    def describe(self, **more: Any) -> None:
        told = {name: value for name, value in self.description(**more).items() if value != ""}
        self.answers["/.well-known/openid-configuration"] = (200, told)

    def signed(self, claims: dict[str, Any], key: RSAKey | None = None, **header: Any) -> str:
        key = key or self.key
        whole = {"alg": "RS256", "kid": key.kid, **header}
        return jwt.encode(whole, claims, key, algorithms=[whole["alg"]])

    def id_claims(self, nonce: str, **more: Any) -> dict[str, Any]:
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "ada", "iat": NOW, "exp": NOW + 300,
            "nonce": nonce, "groups": ["trigger"], **more,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def logout_claims(self, **more: Any) -> dict[str, Any]:
        event = "http://schemas.openid.net/event/backchannel-logout"
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "ada", "iat": NOW, "exp": NOW + 120,
            "jti": "once", "events": {event: {}}, **more,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def gives(self, id_token: str | None) -> None:
        """What the token endpoint answers."""
        token = {"access_token": "at", "token_type": "Bearer", "id_token": id_token}
        self.answers["/token"] = (200, token)


@contextmanager
def running() -> Iterator[Forger]:
    """The forger on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            forger.asked.append(self.path)
            forger.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, told = forger.answers.get(self.path, (404, "nothing"))
            body = (told if isinstance(told, str) else json.dumps(told)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            forger.forms.append(dict(parse_qsl(body.decode())))
            self.do_GET()

        def log_message(self, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forger = Forger(f"http://127.0.0.1:{server.server_port}", a_key("one"))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield forger
        finally:
            server.shutdown()
            thread.join(10)
