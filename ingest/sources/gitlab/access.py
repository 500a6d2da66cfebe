"""Who may read what in a GitLab: visibility, feature levels and roles → groups of the sign-in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingest.errors import SettingsError
from ingest.model import PUBLIC, AccessList
from ingest.source_settings import GitlabSettings


class Part(StrEnum):
    """What a project holds; the second part of a page id, and mostly GitLab's own path."""

    FILES = "files"
    WIKIS = "wikis"
    RELEASES = "releases"
    ISSUES = "issues"
    MERGE_REQUESTS = "merge_requests"


ROLES = {
    "guest": 10,
    "planner": 15,
    "reporter": 20,
    "developer": 30,
    "maintainer": 40,
    "owner": 50,
}
"""Roles as `settings.groups` names them → GitLab's access levels."""

CLOSED: AccessList = frozenset()

# The settings of a project that guard a part. A release names tags, a merge request quotes code:
# neither is more open than the repository.
_LEVELS = {
    Part.FILES: ("repository_access_level",),
    Part.WIKIS: ("wiki_access_level",),
    Part.RELEASES: ("releases_access_level", "repository_access_level"),
    Part.ISSUES: ("issues_access_level",),
    Part.MERGE_REQUESTS: ("merge_requests_access_level", "repository_access_level"),
}
# What a member needs where only members read: guests of a private project see no code.
_NEEDED = {
    Part.FILES: ROLES["reporter"],
    Part.WIKIS: ROLES["guest"],
    Part.RELEASES: ROLES["reporter"],
    Part.ISSUES: ROLES["guest"],
    Part.MERGE_REQUESTS: ROLES["reporter"],
}


@dataclass(frozen=True, slots=True)
class Key:
    """A line of `settings.groups`, read: members of `name` from `role` on are `groups`."""

    name: str
    """Full path of a group or project in lower case, or a user name."""
    role: int
    """The least role that these people have; 0 for a user, whose role GitLab is asked for."""
    groups: AccessList

    @property
    def user(self) -> bool:
        """True for one person."""
        return not self.role


@dataclass(frozen=True, slots=True)
class Rights:
    """What the settings say of readers."""

    keys: tuple[Key, ...]
    signed_in: AccessList
    anonymous: bool
    """We sign in with nothing: all that is answered is public."""

    @property
    def users(self) -> bool:
        """True when somebody's own role matters."""
        return any(key.user for key in self.keys)


def rights_from(source: str, settings: GitlabSettings) -> Rights:
    """The rights in the settings of a source.

    Raises:
        SettingsError: a key of `groups` names a role that does not exist.
    """
    keys = []
    for written, groups in settings.groups.items():
        name, colon, role = written.lower().partition(":")
        if colon and (role not in ROLES or name.startswith("@")):
            msg = (
                f"[sources.{source}.groups] {written!r} is no name of readers; write a group's or "
                f"project's full path, that with one of {', '.join(f':{role}' for role in ROLES)}, "
                "or @username."
            )
            raise SettingsError(msg)
        least = 0 if name.startswith("@") else ROLES[role or "guest"]
        keys.append(Key(name.removeprefix("@").strip("/"), least, groups))
    return Rights(tuple(keys), settings.signed_in, settings.auth is None)


def readers(
    project: Mapping[str, Any],
    part: Part,
    rights: Rights,
    *,
    members: Iterable[Mapping[str, Any]] = (),
    confidential: bool = False,
) -> AccessList | None:
    """Who may read a part of a project as the API describes it; None where there is nothing.

    `members` is the answer of `members/all`, needed for users only. `confidential` asks for the
    readers of confidential issues. What cannot be determined is closed.
    """
    levels = [project.get(level) for level in _LEVELS[part]]
    if "disabled" in levels:
        return None
    if rights.anonymous:
        # An answer to nobody is an answer for everybody, and does not tell the levels.
        return CLOSED if confidential else frozenset({PUBLIC})
    if any(level not in ("enabled", "public", "private") for level in levels):
        return CLOSED
    visibility = project.get("visibility")
    if visibility not in ("public", "internal", "private"):
        return CLOSED
    needed = ROLES["reporter"] if confidential else _NEEDED[part]
    if confidential or visibility == "private" or "private" in levels:
        return _of_members(project, needed, rights, members)
    if visibility == "public":
        return frozenset({PUBLIC})
    return rights.signed_in | _of_members(project, ROLES["guest"], rights, members)


def _of_members(
    project: Mapping[str, Any],
    needed: int,
    rights: Rights,
    members: Iterable[Mapping[str, Any]],
) -> AccessList:
    """The groups whose people are members with the needed role or more."""
    path = f"{project.get('path_with_namespace') or ''}/".lower()
    people = {
        str(member.get("username", "")).lower(): _level(member.get("access_level"))
        for member in members
        if member.get("state", "active") == "active"
    }
    invited = {
        str(share.get("group_full_path", "")).lower(): _level(share.get("group_access_level"))
        for share in project.get("shared_with_groups") or ()
    }
    found: AccessList = frozenset()
    for key in rights.keys:
        if key.user:
            level = people.get(key.name, 0)
        elif path.startswith(f"{key.name}/"):
            # Members of a group are members of everything below it; nobody can take that away.
            level = key.role
        else:
            level = min(key.role, invited.get(key.name, 0))
        if level >= needed:
            found |= key.groups
    return found


def _level(value: object) -> int:
    return value if isinstance(value, int) else 0
