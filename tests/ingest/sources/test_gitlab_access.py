"""Who may read what: what a GitLab says → groups of the sign-in."""

from typing import Any

import pytest

from ingest.source_settings import GitlabSettings
from ingest.sources.gitlab.access import CLOSED, Part, readers, rights_from

PUBLIC = frozenset({"public"})
EVERYBODY = frozenset({"collaboration"})

GROUPS = {
    "lab": ["lab"],
    "Lab/Trigger:Reporter": ["trigger"],
    "lab/trigger/menu:developer": ["menu"],
    "other": ["other"],
    "guests:reporter": ["guests"],
    "@Ada": ["ada"],
}
"""Members of `lab` of any role, of `lab/trigger` from reporter on, of a project, and a person."""

MEMBERS = [
    {"username": "ada", "access_level": 20, "state": "active"},
    {"username": "bo", "access_level": 50},
]


def project(**more: Any) -> dict[str, Any]:
    features = ("repository", "wiki", "releases", "issues", "merge_requests")
    return {
        "path_with_namespace": "lab/trigger/menu",
        "visibility": "private",
        "shared_with_groups": [],
        **{f"{feature}_access_level": "enabled" for feature in features},
        **more,
    }


def rights(**more: Any):
    auth = {"kind": "token", "env": "X"}
    given = {"auth": auth, "groups": GROUPS, "signed_in": ["collaboration"], **more}
    return rights_from(
        "gl", GitlabSettings.model_validate({"kind": "gitlab", "url": "https://x.example", **given})
    )


def shared(path: str, level: int) -> dict[str, Any]:
    return project(shared_with_groups=[{"group_full_path": path, "group_access_level": level}])


INSIDE = frozenset({"trigger", "menu", "ada"})
"""Reporters and more; Ada is one herself."""


@pytest.mark.parametrize(
    ("said", "part", "expected"),
    [
        # Visibility.
        (project(visibility="public"), Part.FILES, PUBLIC),
        (project(visibility="internal"), Part.FILES, EVERYBODY | INSIDE | {"lab"}),
        (project(), Part.WIKIS, INSIDE | {"lab"}),
        (project(), Part.ISSUES, INSIDE | {"lab"}),
        (project(visibility="secret"), Part.FILES, CLOSED),
        (project(visibility=None), Part.WIKIS, CLOSED),
        # Guests of a private project see no code, nor what quotes it.
        (project(), Part.FILES, INSIDE),
        (project(), Part.MERGE_REQUESTS, INSIDE),
        (project(), Part.RELEASES, INSIDE),
        # Features for members only, switched off, or unknown.
        (project(visibility="public", wiki_access_level="private"), Part.WIKIS, INSIDE | {"lab"}),
        (project(visibility="public", wiki_access_level="private"), Part.ISSUES, PUBLIC),
        (
            project(visibility="internal", issues_access_level="private"),
            Part.ISSUES,
            INSIDE | {"lab"},
        ),
        (project(visibility="public", repository_access_level="private"), Part.FILES, INSIDE),
        (project(visibility="public", repository_access_level="private"), Part.RELEASES, INSIDE),
        (
            project(visibility="public", repository_access_level="private"),
            Part.MERGE_REQUESTS,
            INSIDE,
        ),
        (project(visibility="public", releases_access_level="private"), Part.RELEASES, INSIDE),
        (
            project(visibility="public", merge_requests_access_level="public"),
            Part.MERGE_REQUESTS,
            PUBLIC,
        ),
        (project(visibility="public", wiki_access_level="disabled"), Part.WIKIS, None),
        (
            project(visibility="public", repository_access_level="disabled"),
            Part.MERGE_REQUESTS,
            None,
        ),
        (project(visibility="public", issues_access_level="friends"), Part.ISSUES, CLOSED),
        (project(visibility="public", issues_access_level=None), Part.ISSUES, CLOSED),
        ({"visibility": "public"}, Part.FILES, CLOSED),
        ({}, Part.FILES, CLOSED),
        # Other places: beside a group, above it, and one that only begins alike.
        (project(path_with_namespace="other/menu"), Part.WIKIS, {"other", "ada"}),
        (project(path_with_namespace="lab/trigger2/menu"), Part.WIKIS, {"lab", "ada"}),
        (project(path_with_namespace="LAB/Trigger/x"), Part.FILES, {"trigger", "ada"}),
        (project(path_with_namespace="lab"), Part.WIKIS, {"lab", "ada"}),
        (project(path_with_namespace=None), Part.WIKIS, {"ada"}),
        # Groups that a project was shared with, up to the role that they were given.
        (shared("other", 50), Part.WIKIS, INSIDE | {"lab", "other"}),
        (shared("other", 50), Part.FILES, INSIDE),
        (shared("guests", 30), Part.FILES, INSIDE | {"guests"}),
        (shared("guests", 10), Part.FILES, INSIDE),
        (shared("guests", 10), Part.ISSUES, INSIDE | {"lab", "guests"}),
        (shared("guests/inner", 30), Part.FILES, INSIDE),
        (project(shared_with_groups=None), Part.FILES, INSIDE),
        (shared("guests", None), Part.FILES, INSIDE),  # type: ignore[arg-type] # as an answer may be
    ],
)
def test_what_is_said_decides_on_readers(said, part, expected):
    assert readers(said, part, rights(), members=MEMBERS) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (project(visibility="public"), INSIDE),
        (project(visibility="internal"), INSIDE),
        (project(), INSIDE),
        (project(issues_access_level="disabled"), None),
        (project(visibility="secret"), CLOSED),
        (shared("guests", 30), INSIDE | {"guests"}),
        (shared("other", 50), INSIDE),
    ],
)
def test_a_confidential_issue_needs_a_reporter(said, expected):
    found = readers(said, Part.ISSUES, rights(), members=MEMBERS, confidential=True)
    assert found == expected


def test_people_count_by_their_own_role_and_only_when_asked_for():
    assert readers(project(), Part.FILES, rights()) == INSIDE - {"ada"}
    guest = [{"username": "ada", "access_level": 10}]
    assert readers(project(), Part.FILES, rights(), members=guest) == INSIDE - {"ada"}
    assert "ada" in (readers(project(), Part.WIKIS, rights(), members=guest) or ())
    for odd in ({"state": "blocked", "access_level": 50}, {"access_level": None}, {}):
        member = [{"username": "ada", **odd}]
        assert "ada" not in (readers(project(), Part.WIKIS, rights(), members=member) or ())
    assert rights().users
    assert not rights(groups={"lab": ["lab"]}).users


def test_unmapped_groups_and_accounts_see_nothing():
    nobody = rights(groups={}, signed_in=[])
    assert readers(project(visibility="internal"), Part.FILES, nobody) == CLOSED
    assert readers(project(), Part.WIKIS, nobody) == CLOSED
    assert readers(project(visibility="public"), Part.WIKIS, nobody) == PUBLIC


def test_what_is_answered_without_a_sign_in_is_public():
    anonymous = rights(auth=None)
    assert readers({}, Part.FILES, anonymous) == PUBLIC
    assert readers({}, Part.ISSUES, anonymous, confidential=True) == CLOSED
    assert readers({"wiki_access_level": "disabled"}, Part.WIKIS, anonymous) is None
