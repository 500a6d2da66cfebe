"""One attempt to sign in, from the button to the provider's answer.

The browser keeps it in a cookie, so that it outlives a restart and needs no row. Everything that
is told to the provider is derived from one secret: of `state` and `nonce`, which stand in addresses
and tokens, nobody can compute the verifier of PKCE, and an answer fits only the browser that asked.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Self

MAX_NEXT = 2000
LASTS_S = 600
"""So long somebody may take to type his password."""

# A browser drops tabs and line ends of an address and takes a backslash for a slash.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)


def own_path(wanted: str) -> str:
    """`wanted` where it is a path of ours, `/` where it leads anywhere else."""
    if len(wanted) > MAX_NEXT or not _OWN_PATH.fullmatch(wanted) or wanted.startswith("/auth/"):
        return "/"
    return wanted


@dataclass(frozen=True, slots=True)
class Attempt:
    """`secret` stands in the browser's cookie and nowhere else; `next` is a path of ours."""

    secret: str
    next: str

    @classmethod
    def new(cls, wanted: str) -> Self:
        """An attempt that ends at `wanted`, if that is a path of ours."""
        return cls(secrets.token_urlsafe(32), own_path(wanted))

    @classmethod
    def from_cookie(cls, value: str) -> Self | None:
        """What `cookie` gave; None for anything else."""
        secret, _, path = value.partition(".")
        try:
            wanted = base64.urlsafe_b64decode(path).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        return cls(secret, own_path(wanted)) if len(secret) >= 43 else None

    @property
    def cookie(self) -> str:
        """The attempt as the value of a cookie."""
        return f"{self.secret}.{base64.urlsafe_b64encode(self.next.encode()).decode()}"

    @property
    def state(self) -> str:
        """Ties the provider's answer to the browser."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Ties the id token to the attempt."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Ties the code to us (RFC 7636): 43 characters."""
        return self._derived("verifier")

    def _derived(self, use: str) -> str:
        made = hmac.digest(self.secret.encode(), use.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def name_of(state: str) -> str:
    """The name of the cookie of an attempt: two tabs may sign in at the same time."""
    return hashlib.sha256(state.encode()).hexdigest()[:12]
