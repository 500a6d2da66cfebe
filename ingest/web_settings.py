"""The sections of the settings file that the web reads. Only shapes, like `settings.py`."""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ingest.source_settings import SettingsSection

Name = Annotated[str, Field(min_length=1)]


def is_loopback(name: str) -> bool:
    """True for `localhost` and for addresses that only this machine can reach."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def safe_address(value: str, *, path: bool) -> str:
    """An address of a server without its last slash; https, but for this machine itself."""
    parts = urlsplit(value)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        msg = "must be an https address (plain http only to this machine itself)"
        raise ValueError(msg)
    if not parts.hostname or parts.username or parts.query or parts.fragment or "\\" in value:
        msg = "must be an address such as https://docent.example.org, without user, ? and #"
        raise ValueError(msg)
    if parts.path.strip("/") and not path:
        msg = "must have no path: Docent has a host name of its own, as its cookies demand"
        raise ValueError(msg)
    return value.rstrip("/")


class ServerSettings(SettingsSection):
    """`[server]`: where the server listens, and under which address people reach it."""

    host: str = "127.0.0.1"
    """Loopback; another address only with `[signin]` and an https `public_url`."""
    port: int = Field(default=8000, ge=0, le=65535)
    public_url: str = ""
    """The address that people use, such as the one of the proxy in front."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Whose `X-Forwarded-For` is believed about who asks; nobody's, unless named."""
    drain_s: float = Field(default=0.0, ge=0, le=3600)
    """So long answers go on after the server was told to stop; it takes no new questions then."""
    suggestions: tuple[Annotated[str, Field(min_length=1, max_length=4000)], ...] = ()
    """Questions to begin with: the chat page offers them, `docent serve` prints two."""

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return safe_address(value, path=False) if value else value


class RolesSettings(SettingsSection):
    """`[signin.roles]`: the groups or roles of the provider that make somebody what he is here."""

    reader: tuple[Name, ...] = ()
    """Who may come in at all; nobody named: everybody whom the provider signs in."""
    maintainer: tuple[Name, ...] = ()
    admin: tuple[Name, ...] = ()


class SignInSettings(SettingsSection):
    """`[signin]`: the OpenID Connect provider; without an issuer there is no sign-in."""

    issuer: str = ""
    client_id: str = ""
    client_secret_env: Name = "DOCENT_SIGNIN_SECRET"  # noqa: S105 - a name
    scopes: tuple[Annotated[str, Field(pattern=r"^[!-~]+$")], ...] = ("openid", "profile", "email")
    groups_claim: Name = "groups"
    """Where a person's groups stand in the claims; dots lead inwards: `realm_access.roles`."""
    roles_claim: str = ""
    """Where roles stand, if not among the groups: `resource_access.docent.roles`."""
    roles: RolesSettings = RolesSettings()
    session_hours: float = Field(default=10.0, gt=0, le=720)
    token_days: int = Field(default=30, ge=1, le=366)
    """API tokens of somebody who has not signed in for so long wait until he does.

    Only a sign-in tells his groups; without this, who has left would read on through a token.
    """
    audience: str = ""
    """For whom the provider's tokens must be; empty: `client_id`."""
    algorithms: tuple[
        Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"],
        ...,
    ] = Field(default=("RS256", "PS256", "ES256"), min_length=1)
    """Signatures that are accepted; only of keys that the provider publishes."""
    ca_file: Path | None = None
    """A certificate authority of one's own, for the provider."""

    @property
    def configured(self) -> bool:
        """Whether people sign in at all."""
        return bool(self.issuer)

    @field_validator("issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        # Compared character by character with what the provider says, so a last slash stays.
        if value:
            safe_address(value, path=True)
        return value

    @field_validator("scopes")
    @classmethod
    def _openid(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            msg = 'must contain "openid", or the provider gives no id token'
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.issuer) != bool(self.client_id):
            msg = "issuer and client_id belong together: give both, or neither for no sign-in"
            raise ValueError(msg)
        return self


class StateSettings(SettingsSection):
    """`[state]`: where conversations, feedback, tokens and the audit log are kept."""

    url: str = Field(default="", pattern=r"^((sqlite|postgresql)(\+[a-z0-9]+)?://.+)?$")
    """SQLite or PostgreSQL; empty: `state.db` in the folder that holds the index folder."""
    url_env: Name = "DOCENT_STATE_URL"
    """The environment variable with the same, for an address with a password; goes before it."""
    audit_days: int = Field(default=90, ge=1, le=3660)
    """So long it is kept who asked and which documents were shown."""


class LimitsSettings(SettingsSection):
    """`[limits]`: how much one person, and all together, may ask for."""

    asks_per_minute: int = Field(default=20, ge=1)
    searches_per_minute: int = Field(default=240, ge=1)
    asks_in_all_per_minute: int = Field(default=600, ge=1)
    slots: int = Field(default=0, ge=0, le=10_000)
    """Answers written at the same time; 0: 1 for a model in this process, 32 for a server."""
    waiting: int = Field(default=50, ge=0, le=100_000)
    """Questions that may wait for a slot; who comes later is told to come again."""


class TelemetrySettings(SettingsSection):
    """`[telemetry]`: what is told about the running server."""

    log_questions: bool = False
    """Write the text of questions to the log."""
    otlp_endpoint: str = Field(default="", pattern=r"^(https?://.+)?$")
    """An OpenTelemetry collector (OTLP over HTTP); empty: no traces."""
