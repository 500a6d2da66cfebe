"""The rules without which the server does not start: who may be let near it, and with what."""

import os
import re
from collections.abc import Collection
from urllib.parse import unquote, urlsplit

from ingest.errors import DocentError
from ingest.settings import Settings
from ingest.web_settings import is_loopback

SHORTEST_SECRET = 16

_PLACEHOLDER = re.compile(
    r"[\W\d_]*(?:(?:change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|this)|(?:client[-_ ]?)?secret|"
    r"password|passw0rd|example|placeholder|default|dummy|todo|test(?:ing)?|none|null|docent|x|"
    r"(?:your|my|the|some|an?)[-_ ].*(?:secret|password|token|key).*)[\W\d_]*)+|<.*>|\$\{.*\}",
    re.IGNORECASE,
)


def check_start(settings: Settings, host: str, groups: Collection[str]) -> None:
    """Whether a server with these settings may listen on `host`; `groups` are those of `--as`.

    Raises:
        DocentError: it may not; says why and what to do.
    """
    signin, public_url = settings.signin, settings.server.public_url
    if not signin.configured and not is_loopback(host):
        msg = (
            f"docent serve --host {host}: without a sign-in, Docent listens on this machine only. "
            "Use 127.0.0.1, ::1 or localhost, or set [signin]."
        )
        raise DocentError(msg)
    if not is_loopback(host) and not public_url.startswith("https:"):
        msg = (
            f"docent serve --host {host}: where other machines reach it, [server] public_url must "
            "be the https address that people use, or their sign-in could be read on the way."
        )
        raise DocentError(msg)
    if not signin.configured and public_url and not is_loopback(_host_of(public_url)):
        msg = (
            f"[server] public_url is {public_url}, but there is no [signin]: everybody who reaches "
            "that address would read as the local user. Set [signin], or leave public_url empty."
        )
        raise DocentError(msg)
    if signin.configured and groups:
        msg = (
            "--as is for a server without sign-in: with [signin], each person reads with the "
            "groups that the sign-in server tells. Leave --as out."
        )
        raise DocentError(msg)
    if signin.configured:
        sign_in_secret(settings)
    _check_database(settings)


def sign_in_secret(settings: Settings) -> str:
    """The secret that the provider has given Docent, from the environment.

    Raises:
        DocentError: there is none, or something stands in its place.
    """
    name = settings.signin.client_secret_env
    secret = os.environ.get(name, "").strip()
    if not secret:
        msg = (
            f"The environment variable {name} is empty: set it to the client secret that "
            f"{settings.signin.issuer} has given Docent ([signin] client_secret_env names it)."
        )
        raise DocentError(msg)
    if len(secret) < SHORTEST_SECRET or is_placeholder(secret):
        msg = (
            f"What the environment variable {name} holds is a placeholder or shorter than "
            f"{SHORTEST_SECRET} characters: set it to the client secret that "
            f"{settings.signin.issuer} has given Docent."
        )
        raise DocentError(msg)
    return secret


def state_url(settings: Settings) -> str:
    """The database of the settings or of the environment; empty for the file beside the index."""
    return os.environ.get(settings.state.url_env, "").strip() or settings.state.url


def is_placeholder(secret: str) -> bool:
    """True for what people write who mean to come back to it."""
    return _PLACEHOLDER.fullmatch(secret) is not None or len(set(secret)) < 5


def _check_database(settings: Settings) -> None:
    # Only with a sign-in: a database that one person tries things out with may have any password.
    try:
        password = urlsplit(state_url(settings)).password
    except ValueError:
        return
    if settings.signin.configured and password is not None and is_placeholder(unquote(password)):
        msg = (
            "The password of the database in [state] url is a placeholder: give the database a "
            f"password of its own, and Docent its address in {settings.state.url_env}."
        )
        raise DocentError(msg)


def _host_of(address: str) -> str:
    return urlsplit(address).hostname or ""
