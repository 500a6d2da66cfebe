"""Permissions, and what becomes of projects."""

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Failure, Page, Standing, Unchanged
from tests.ingest.sources.gitlab.conftest import DOCS_PAGES, NOTHING_NEW
from tests.ingest.sources.gitlabruns import Nights
from tests.servers import Fault
from tests.servers.gitlab import COMPASS, DOCS, EXAMPLES, POLARIS


def test_a_changed_visibility_lands_without_reading_anything(nights):
    nights.server.set(DOCS, visibility="private")

    run = nights.run()

    assert run.ids(Unchanged) == sorted(i for i in nights.memory.pages if i.startswith("gl:14/"))
    assert run.requests == NOTHING_NEW
    assert nights.memory.access["gl:14/files/docs/index.md"] == {"insiders"}
    assert nights.memory.access["gl:14/issues/58"] == {"members", "insiders"}
    assert nights.memory.access["gl:12/issues/212"] == {"collaboration", "members", "insiders"}
    assert nights.run().items == []


def test_a_feature_for_members_closes_its_part_only(nights):
    nights.server.set(POLARIS, wiki_access_level="private")

    run = nights.run()

    assert run.ids(Unchanged) == ["gl:11/wikis/ci-pipeline", "gl:11/wikis/pixel-cooling-settings"]
    assert nights.memory.access["gl:11/wikis/ci-pipeline"] == {"members", "insiders"}


def test_a_feature_that_is_switched_off_has_nothing(nights):
    nights.server.set(DOCS, repository_access_level="disabled")
    nights.server.set(POLARIS, wiki_access_level="disabled", issues_access_level="disabled")
    run = nights.run()
    assert len(run.removed) == DOCS_PAGES + 2 + 2
    assert run.requests == NOTHING_NEW - 3  # neither head nor releases of docs, no wiki

    nights.server.set(DOCS, repository_access_level="enabled")
    nights.server.set(POLARIS, wiki_access_level="enabled", issues_access_level="enabled")
    assert len(nights.run().ids(Page)) == DOCS_PAGES + 2 + 2


def test_other_groups_in_the_settings_land_everywhere(nights):
    run = nights.run(signed_in=["everybody"], groups={})

    assert run.ids(Unchanged) == sorted(nights.memory.pages)
    assert run.requests == NOTHING_NEW
    assert set(nights.memory.access.values()) == {frozenset({"everybody"})}


def test_people_are_asked_for_when_the_settings_name_some(server):
    server.set(DOCS, visibility="private")
    server.projects[DOCS].members += [
        {"id": n, "username": f"user{n}", "access_level": 30, "state": "active"} for n in range(120)
    ]
    nights = Nights(server, groups={"@user119": ["ada"], "@user5": ["bo"], "@nobody": ["cy"]})
    nights.run()
    assert nights.memory.access["gl:14/files/docs/index.md"] == {"ada", "bo"}
    assert nights.run().requests == NOTHING_NEW + 7  # a page of members each, two of the docs

    server.projects[DOCS].members[5]["access_level"] = 10
    nights.run()
    assert nights.memory.access["gl:14/files/docs/index.md"] == {"ada"}
    assert nights.memory.access["gl:14/issues/58"] == {"ada", "bo"}

    server.fault("*/14/members/all*", Fault.SERVER_ERROR)
    run = nights.run()
    assert [failure.page_id for failure in run.failures] == ["gl:14/members"]
    assert nights.memory.access["gl:14/issues/58"] == frozenset()
    server.mend()
    nights.run()
    assert nights.memory.access["gl:14/issues/58"] == {"ada", "bo"}
    assert nights.memory.failed == set()


def test_without_a_sign_in_all_that_is_answered_is_public(server):
    server.token = ""
    server.set(DOCS, visibility="public")
    nights = Nights(server, auth=None, groups={})
    nights.run()

    assert {page_id.split("/")[0] for page_id in nights.memory.pages} == {"gl:14"}
    assert set(nights.memory.access.values()) == {frozenset({"public"})}
    assert not any("private-token" in request.headers for request in server.requests)


def test_pages_of_an_archived_project_say_so(nights):
    nights.server.set(COMPASS, archived=True)
    of_compass = sorted(i for i in nights.memory.pages if i.startswith("gl:12/"))

    run = nights.run()

    assert run.ids(Page) == of_compass
    assert all(nights.memory.pages[i].standing == Standing(archived=True) for i in of_compass)
    assert run.removed == set()
    assert nights.run().items == []

    nights.server.set(COMPASS, archived=False)
    assert nights.run().ids(Page) == of_compass
    assert not any(page.standing.archived for page in nights.memory.pages.values())


def test_a_renamed_project_keeps_its_pages(nights):
    nights.server.set(DOCS, path_with_namespace="meridian/handbook")

    assert nights.run().items == []


def test_a_project_that_left_its_group_is_gone(nights):
    moved = {i for i in nights.memory.pages if i.startswith("gl:14/")}
    gone = {i for i in nights.memory.pages if i.startswith("gl:16/")}
    nights.server.set(DOCS, path_with_namespace="archive/docs")
    del nights.server.projects[EXAMPLES]

    run = nights.run()

    assert run.removed == moved | gone
    # Each was asked for once by its number: the list itself may have overlooked it.
    assert [path for path in nights.asked if path in ("projects/14", "projects/16")] == [
        "projects/14",
        "projects/16",
    ]


def test_a_project_that_a_list_overlooked_is_kept(nights):
    def hide_in_list(request):
        nights.server.hidden = {DOCS} if request.path.endswith("/meridian/projects") else set()

    nights.server.before = hide_in_list

    assert nights.run().removed == set()


def test_a_project_that_is_not_shown_any_more_is_closed_and_kept(server):
    nights = Nights(server, projects=["meridian/docs", "meridian/compass"])
    nights.run()
    server.hidden.add(DOCS)

    run = nights.run()

    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:projects/meridian/docs", True)]
    assert "closed to everybody until it can be read" in run.failures[0].reason
    assert run.removed == set()
    docs = [i for i in nights.memory.pages if i.startswith("gl:14/")]
    assert all(nights.memory.access[i] == frozenset() for i in docs)
    assert nights.memory.access["gl:12/files/README.md"]

    server.hidden.clear()
    run = nights.run()
    assert run.ids(Page) == []
    assert all(nights.memory.access[i] for i in docs)
    assert nights.memory.failed == set()

    nights.run(projects=["meridian/compass"])
    assert not any(i.startswith("gl:14/") for i in nights.memory.pages)


def test_a_part_that_is_denied_is_closed_until_it_is_shown_again(nights):
    nights.server.deny(POLARIS, "wikis")
    run = nights.run()
    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:11/wikis", True)]
    assert nights.memory.access["gl:11/wikis/ci-pipeline"] == frozenset()

    # Who may read it changes meanwhile: still closed, and not asked for while it waits.
    nights.server.set(POLARIS, visibility="public")
    nights.memory.patient = True
    nights.run()
    assert "projects/11/wikis" not in nights.asked
    assert nights.memory.access["gl:11/wikis/ci-pipeline"] == frozenset()

    nights.memory.patient = False
    nights.server.denied.clear()
    nights.run()
    assert nights.memory.access["gl:11/wikis/ci-pipeline"] == {"public"}
    assert nights.memory.failed == set()


def test_a_page_that_failed_is_not_opened_by_other_rights(nights):
    nights.server.commit(DOCS, {"docs/index.md": b"# Secret\n"})
    nights.server.fault("*docs/index.md/raw*", Fault.FORBIDDEN)
    nights.run()
    nights.memory.patient = True
    nights.server.set(DOCS, visibility="public")

    run = nights.run()

    assert nights.memory.access["gl:14/files/docs/index.md"] == frozenset()
    assert nights.memory.access["gl:14/files/docs/public/visits.md"] == {"public"}
    assert run.ids(Failure) == ["gl:14/files/docs/index.md"]
    # Told once: each telling puts the next try off.
    assert nights.run().items == []

    nights.memory.patient = False
    nights.server.mend()
    assert nights.run().ids(Page) == ["gl:14/files/docs/index.md"]
    assert nights.memory.access["gl:14/files/docs/index.md"] == {"public"}


def test_closed_pages_open_again_though_the_cursor_was_kept_back(nights):
    # So it is when removals of the same night are held by the brake, or a list fails at once.
    nights.server.fault("*", Fault.VANISHED)
    with pytest.raises(SourceTrouble):
        nights.run()
    assert set(nights.memory.access.values()) == {frozenset()}
    nights.server.mend()

    run = nights.run()

    assert run.ids(Unchanged) == sorted(nights.memory.pages)
    assert frozenset() not in nights.memory.access.values()
    assert nights.run().items == []


def test_readers_that_change_forth_and_back_around_a_kill_do_not_stay(nights):
    nights.server.set(DOCS, visibility="public")
    nights.run(stop_after=10)
    assert list(nights.memory.access.values()).count(frozenset({"public"})) == 10

    nights.server.set(DOCS, visibility="internal")
    run = nights.run()

    assert len(run.ids(Unchanged)) == 10
    assert frozenset({"public"}) not in nights.memory.access.values()
