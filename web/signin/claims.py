"""From a provider's claims to a person with groups and a role."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingest.web_settings import RolesSettings, SignInSettings
from web.signin.errors import SignInError, SignInRefused
from web.who import Role

MAX_TEXT = 300


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for. `sid` is the session there, if it tells."""

    subject: str
    name: str
    email: str
    groups: frozenset[str]
    role: Role
    sid: str
    email_verified: bool
    """Only where the provider says so."""


def person(claims: Mapping[str, Any], settings: SignInSettings) -> Person:
    """Who these checked claims are about.

    Raises:
        SignInRefused: he belongs to none of the groups that may use Docent.
        SignInError: groups or roles are not a list of names.
    """
    groups = names_at(claims, settings.groups_claim) or frozenset()
    roles = names_at(claims, settings.roles_claim) or frozenset()
    name = claims.get("name") or claims.get("preferred_username") or claims["sub"]
    return Person(
        subject=claims["sub"],
        name=str(name)[:MAX_TEXT],
        email=str(claims.get("email") or "")[:MAX_TEXT],
        groups=groups,
        role=_role(groups | roles, settings.roles),
        sid=str(claims.get("sid") or ""),
        email_verified=claims.get("email_verified") is True,
    )


def tells_rights(claims: Mapping[str, Any], settings: SignInSettings) -> bool:
    """Whether the claims hold what the settings want to know, be it an empty list."""
    wanted = [path for path in (settings.groups_claim, settings.roles_claim) if path]
    return all(names_at(claims, path) is not None for path in wanted)


def names_at(claims: Mapping[str, Any], path: str) -> frozenset[str] | None:
    """The names at a path such as `realm_access.roles`; None where there is nothing.

    Raises:
        SignInError: there is something else than names.
    """
    found = _at(claims, path)
    if found is None:
        return None
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        msg = f'The sign-in server\'s claim "{path}" is not a list of names; nobody was signed in.'
        raise SignInError(msg)
    return frozenset(names) - {""}


def _at(claims: Any, path: str) -> Any:
    """What stands at a path. A key may itself have dots in it: `https://example.org/groups`."""
    if not isinstance(claims, Mapping) or not path:
        return None
    if path in claims:
        return claims[path]
    dots = [at for at, character in enumerate(path) if character == "."]
    deeper = (_at(claims.get(path[:dot]), path[dot + 1 :]) for dot in dots)
    return next((found for found in deeper if found is not None), None)


def _role(names: frozenset[str], roles: RolesSettings) -> Role:
    if not names.isdisjoint(roles.admin):
        return Role.ADMIN
    if not names.isdisjoint(roles.maintainer):
        return Role.MAINTAINER
    if roles.reader and names.isdisjoint(roles.reader):
        msg = (
            "You are signed in, but you are in none of the groups that may use Docent. "
            "Ask those who run it."
        )
        raise SignInRefused(msg)
    return Role.READER
