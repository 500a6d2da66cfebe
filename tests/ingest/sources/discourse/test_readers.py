"""Who may read a topic."""

import pytest

from ingest.model import Page, Unchanged
from ingest.sources.discourse.categories import access_of
from tests.ingest.sources.discourse.conftest import OPEN, source_of
from tests.ingest.sources.memory import Memory

MEMBERS = frozenset({"members"})


def test_a_permission_that_changes_lands_without_asking_for_the_topic(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.category(9, "trigger")
    forum.category(1, "general", groups={"nobody_we_know": 1})
    run = memory.run(source_of(forum))
    again = memory.run(source_of(forum))

    assert run.ids(Unchanged) == ["forum:t/10", "forum:t/9"]
    assert (memory.access["forum:t/9"], memory.access["forum:t/10"]) == (OPEN, frozenset())
    assert (run.ids(Page), run.requests) == ([], 4)
    assert (again.ids(Unchanged), again.requests) == ([], 4)


def test_a_group_that_is_mapped_anew_lands_too(forum):
    memory = Memory()
    memory.run(source_of(forum))
    run = memory.run(source_of(forum, groups={"auditors": ["audit"]}))

    assert (run.ids(Unchanged), run.ids(Page)) == (["forum:t/9"], [])
    assert memory.access["forum:t/9"] == {"audit"}


def test_a_forum_that_wants_a_sign_in_is_not_public(forum):
    forum.login_required = True
    memory = Memory()
    memory.run(source_of(forum))

    assert memory.access["forum:t/7"] == MEMBERS


def test_a_forum_that_does_not_say_whether_it_is_open_is_not_public(forum):
    forum.login_required = None
    memory = Memory()
    memory.run(source_of(forum))

    assert memory.access["forum:t/7"] == MEMBERS


def test_a_key_that_does_not_see_permissions_closes_restricted_categories(forum):
    forum.admin = False
    memory = Memory()
    memory.run(source_of(forum))

    assert (memory.access["forum:t/9"], memory.access["forum:t/7"]) == (frozenset(), OPEN)


RESTRICTED = {"read_restricted": True}


@pytest.mark.parametrize(
    ("category", "is_open", "access"),
    [
        ({"read_restricted": False}, True, {"public"}),
        ({"read_restricted": False}, False, {"members"}),
        ({"read_restricted": False}, None, {"members"}),
        (RESTRICTED, True, set()),
        (RESTRICTED | {"group_permissions": []}, True, set()),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 1, "group_name": "a"}]},
            True,
            {"x"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 2, "group_name": "a"}]},
            True,
            {"x"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 3, "group_name": "a"}]},
            True,
            {"x"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 4, "group_name": "a"}]},
            True,
            set(),
        ),
        (RESTRICTED | {"group_permissions": [{"group_name": "a"}]}, True, set()),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 1, "group_name": "c"}]},
            True,
            set(),
        ),
        (
            RESTRICTED
            | {
                "group_permissions": [
                    {"permission_type": 1, "group_name": "a"},
                    {"permission_type": 3, "group_name": "b"},
                    "odd",
                ]
            },
            True,
            {"x", "y", "z"},
        ),
        (
            RESTRICTED
            | {"group_permissions": [{"permission_type": 3, "group_name": "trust_level_0"}]},
            True,
            {"members"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 3, "group_name": "everyone"}]},
            True,
            {"members"},
        ),
        (RESTRICTED | {"group_permissions": "all"}, True, set()),
        ({"group_permissions": [{"permission_type": 1, "group_name": "a"}]}, True, set()),
        ({}, True, set()),
        ({"read_restricted": "false"}, True, set()),
    ],
)
def test_who_may_read_a_category(category, is_open, access):
    groups = {"a": frozenset({"x"}), "b": frozenset({"y", "z"})}

    assert access_of(category, groups, MEMBERS, is_open=is_open) == access
