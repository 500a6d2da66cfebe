"""Issues and merge requests of a GitLab, listed for a whole group."""

import json

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Page, Standing, Unchanged
from ingest.parse import parse
from tests.ingest.sources.gitlabruns import Nights
from tests.servers import Fault
from tests.servers.gitlab import GitlabServer, note

NOTHING_NEW = 3
"""Projects, issues and merge requests; the other parts are switched off here."""


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-sample")


@pytest.fixture
def server():
    with GitlabServer() as running:
        running.project(1, "lab/tool")
        running.project(2, "lab/deep/other")
        yield running


@pytest.fixture
def nights(server):
    """After a night with ten issues and two merge requests."""
    for iid in range(1, 11):
        server.add(1, "issues", iid)
    for iid in (1, 2):
        server.add(2, "merge_requests", iid)
    begun = lab(server)
    assert len(begun.run().ids(Page)) == 12
    return begun


def lab(server, **settings):
    groups = {"lab": ["members"], "lab:reporter": ["insiders"]}
    only = {"wiki": False, "releases": False, "files": [], "groups": groups, "rate": 100_000}
    return Nights(server, **{"project_groups": ["lab"], **only, **settings})


def issues(*numbers, project=1):
    return [f"gl:{project}/issues/{number}" for number in sorted(numbers, key=str)]


# What changes.


def test_nothing_new_costs_one_request_a_list(nights):
    run = nights.run()

    assert run.items == []
    assert run.requests == NOTHING_NEW


def test_a_changed_issue_is_read_with_its_discussion(nights):
    nights.server.change(1, "issues", 4, title="Other")
    nights.server.say(2, "merge_requests", 1, note(7, "Why?"), note(8, "Because."))

    run = nights.run()

    assert run.ids(Page) == ["gl:1/issues/4", "gl:2/merge_requests/1"]
    # Issue 4 has nothing that was said, and GitLab tells so.
    assert run.requests == NOTHING_NEW + 1
    (document,) = parse(nights.memory.pages["gl:2/merge_requests/1"])
    assert "Why?" in document.text
    assert "Because." in document.text
    assert nights.run().items == []


def test_a_new_issue_costs_its_discussion_only(nights):
    nights.server.add(2, "issues", 1, user_notes_count=3)

    run = nights.run()

    assert run.ids(Page) == issues(1, project=2)
    assert nights.asked.count("groups/lab/issues") == 1
    assert "projects/2/issues/1/discussions" in nights.asked


def test_a_deleted_issue_is_missed_in_the_count(nights):
    nights.server.remove(1, "issues", 3)
    nights.server.remove(2, "merge_requests", 2)

    run = nights.run()

    assert run.removed == {"gl:1/issues/3", "gl:2/merge_requests/2"}
    assert run.ids(Page) == []
    assert run.requests == NOTHING_NEW + 2
    assert nights.run().requests == NOTHING_NEW


def test_an_issue_that_appears_with_an_old_date_is_found_by_the_count(nights):
    nights.server.add(1, "issues", 99, updated_at="2020-01-01T00:00:00.000Z")

    assert nights.run().ids(Page) == issues(99)
    assert nights.run().requests == NOTHING_NEW


def test_without_a_total_the_last_record_is_asked_for(nights):
    nights.server.counted = 1
    run = nights.run()
    assert run.items == []
    assert run.requests == NOTHING_NEW + 2  # one more a list

    nights.server.remove(1, "issues", 3)
    nights.server.add(2, "merge_requests", 9)
    run = nights.run()
    assert run.removed == {"gl:1/issues/3"}
    assert run.ids(Page) == ["gl:2/merge_requests/9"]


def test_where_offsets_end_everything_is_listed(server):
    for iid in range(1, 131):
        server.add(1, "issues", iid)
    nights = lab(server, merge_requests=False)
    nights.run()
    server.counted, server.deepest = 1, 100
    server.remove(1, "issues", 3)

    run = nights.run()

    assert run.removed == {"gl:1/issues/3"}
    assert run.failures == []


def test_the_last_issue_can_go(server):
    server.add(1, "issues", 1)
    nights = lab(server)
    nights.run()
    server.remove(1, "issues", 1)

    assert nights.run().removed == {"gl:1/issues/1"}
    server.counted = -1
    assert nights.run().items == []


# Long lists.


def test_a_long_list_is_read_in_the_order_of_changes(server):
    for iid in range(1, 251):
        server.add(1, "issues", iid)
    nights = lab(server)

    assert len(nights.run().ids(Page)) == 250
    # Each page begins with the last record of the one before: 100 + 99 + 51.
    assert nights.asked.count("groups/lab/issues") == 3
    for iid in range(1, 131):
        server.change(1, "issues", iid)
    run = nights.run()
    assert len(run.ids(Page)) == 130
    # The newest hundred are all changed, and the list from the last change on has two pages.
    assert nights.asked.count("groups/lab/issues") == 3


def test_many_changes_in_one_instant_are_all_read(server):
    for iid in range(1, 251):
        server.add(1, "issues", iid, updated_at="2026-01-01T00:00:00.000Z")
    server.add(1, "issues", 999)
    nights = lab(server)

    assert len(nights.run().ids(Page)) == 251
    assert nights.run().items == []


def test_an_edit_while_the_list_is_read_hides_nothing(server):
    for iid in range(1, 251):
        server.add(1, "issues", iid)
    edited = iter(range(1, 4))

    def edit(request):
        if request.path.endswith("/lab/issues") and (iid := next(edited, 0)):
            server.change(1, "issues", iid, title="Edited")

    server.before = edit
    nights = lab(server)
    nights.run()

    assert len(nights.memory.pages) == 250
    for iid in (1, 2, 3):
        told = json.loads(nights.memory.pages[f"gl:1/issues/{iid}"].content)
        assert told["title"] == "Edited"
    assert nights.run().items == []


@pytest.mark.parametrize("stop_after", [1, 99, 101, 120])
def test_a_killed_run_reads_no_page_twice(server, stop_after):
    for iid in range(1, 131):
        server.add(1, "issues", iid, user_notes_count=1)
    nights = lab(server)
    first = nights.run(stop_after=stop_after)
    once = sum("discussions" in path for path in nights.asked)

    second = nights.run()

    again = sum("discussions" in path for path in nights.asked)
    # At the most the page that was being read when the run was killed.
    assert once + again <= 131
    assert not set(first.ids(Page)) & set(second.ids(Page))
    assert len(nights.memory.pages) == 130
    assert nights.run().items == []


# What does not belong to the group's projects as they are listed.


def test_a_project_that_comes_late_brings_its_old_issues(nights):
    server = nights.server
    server.project(3, "lab/late", archived=True)
    server.add(3, "issues", 1, updated_at="2019-01-01T00:00:00.000Z")

    run = nights.run()

    assert run.ids(Page) == ["gl:3/issues/1"]
    assert nights.memory.pages["gl:3/issues/1"].standing.archived
    assert nights.asked.count("projects/3/issues") == 1
    assert nights.asked.count("groups/lab/issues") == 1
    assert nights.run().requests == NOTHING_NEW


def test_a_late_project_whose_issues_fail_is_listed_the_next_time(nights):
    server = nights.server
    server.project(3, "lab/late")
    server.add(3, "issues", 1, updated_at="2019-01-01T00:00:00.000Z")
    server.fault("*/projects/3/issues*", Fault.SERVER_ERROR)
    run = nights.run()
    assert [failure.page_id for failure in run.failures] == ["gl:3/issues"]

    server.mend()
    nights.memory.patient = True
    nights.run()
    assert "projects/3/issues" not in nights.asked
    nights.memory.patient = False
    nights.run()
    assert "gl:3/issues/1" in nights.memory.pages
    assert nights.memory.failed == set()
    assert nights.run().requests == NOTHING_NEW


def test_records_of_strangers_are_left_out_and_counted(nights):
    # A project that the list of projects does not show, but the list of issues does.
    nights.server.project(7, "lab/ghost")
    nights.server.add(7, "issues", 1)

    def hide(request):
        nights.server.hidden = {7} if request.path.endswith("/projects") else set()

    nights.server.before = hide
    run = nights.run()
    assert run.ids(Page) == []
    assert nights.run().requests == NOTHING_NEW


def test_issues_switched_off_and_on_again_are_found_by_the_count(nights):
    nights.server.set(1, issues_access_level="disabled")
    assert len(nights.run().removed) == 10

    nights.server.set(1, issues_access_level="enabled")
    assert len(nights.run().ids(Page)) == 10


# Readers.


def test_a_confidential_issue_is_for_those_inside(nights):
    nights.server.change(1, "issues", 4, confidential=True)
    nights.server.add(1, "issues", 11, confidential=None)
    run = nights.run()
    assert run.ids(Page) == issues(11, 4)
    assert nights.memory.access["gl:1/issues/4"] == {"insiders"}
    assert nights.memory.access["gl:1/issues/11"] == {"insiders"}
    assert nights.memory.access["gl:1/issues/5"] == {"collaboration", "members", "insiders"}

    nights.server.set(1, visibility="public")
    run = nights.run()
    assert run.ids(Unchanged) == issues(1, 2, 3, 5, 6, 7, 8, 9, 10)
    assert nights.memory.access["gl:1/issues/4"] == {"insiders"}
    assert nights.memory.access["gl:1/issues/5"] == {"public"}

    nights.server.change(1, "issues", 4, confidential=False)
    nights.run()
    assert nights.memory.access["gl:1/issues/4"] == {"public"}


def test_a_merge_request_is_no_more_open_than_the_code(nights):
    nights.server.set(2, repository_access_level="private", visibility="public")

    nights.run()

    assert nights.memory.access["gl:2/merge_requests/1"] == {"insiders"}


# Issues that another one takes the place of.


def test_a_moved_issue_names_its_new_place_wherever_that_is_listed(server):
    server.add(1, "issues", 1, moved_to_id=2001, state="closed")
    server.add(1, "issues", 2)
    server.add(2, "issues", 1)  # the number 2001 in all of GitLab
    nights = lab(server)
    nights.run()
    page = nights.memory.pages["gl:1/issues/1"]
    assert page.standing == Standing(superseded_by="gl:2/issues/1")

    # Later the new place is known from before.
    server.change(1, "issues", 2, moved_to_id=2001)
    assert nights.run().ids(Page) == ["gl:1/issues/2"]
    assert nights.memory.pages["gl:1/issues/2"].standing.superseded_by == "gl:2/issues/1"


def test_a_killed_run_does_not_forget_what_waited(server):
    server.add(1, "issues", 1, moved_to_id=2001, state="closed")
    for iid in range(2, 140):
        server.add(1, "issues", iid)
    server.add(2, "issues", 1)
    nights = lab(server)
    first = nights.run(stop_after=120)
    assert "gl:1/issues/1" not in first.ids(Page)

    second = nights.run()

    assert "gl:1/issues/1" in second.ids(Page)
    assert nights.memory.pages["gl:1/issues/1"].standing.superseded_by == "gl:2/issues/1"
    assert nights.run().items == []


def test_a_move_to_where_we_do_not_read_leaves_an_old_issue(server):
    server.add(1, "issues", 1, moved_to_id=777_000)
    server.add(
        1, "issues", 2, _links={"closed_as_duplicate_of": "https://x/api/v4/projects/9/issues/1"}
    )
    server.add(
        1, "issues", 3, _links={"closed_as_duplicate_of": "https://x/api/v4/projects/2/issues/8"}
    )
    server.add(1, "issues", 4, _links=None)
    nights = lab(server)
    nights.run()

    standing = {page_id[-1]: page.standing for page_id, page in nights.memory.pages.items()}
    assert standing == {
        "1": Standing(archived=True),
        "2": Standing(archived=True),
        "3": Standing(superseded_by="gl:2/issues/8"),
        "4": Standing(),
    }


# Trouble.


def test_a_discussion_that_fails_is_tried_again(nights):
    nights.server.say(1, "issues", 4, note(7, "Why?"))
    nights.server.fault("*/issues/4/discussions*", Fault.SERVER_ERROR)
    run = nights.run()
    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:1/issues/4", False)]

    run = nights.run()
    assert [failure.page_id for failure in run.failures] == ["gl:1/issues/4"]

    nights.server.mend()
    assert nights.run().ids(Page) == ["gl:1/issues/4"]
    assert b"Why?" in nights.memory.pages["gl:1/issues/4"].content
    assert nights.run().items == []


def test_a_discussion_that_is_denied_closes_the_page(nights):
    nights.server.say(1, "issues", 4, note(7, "Why?"))
    nights.server.fault("*/issues/4/discussions*", Fault.VANISHED)

    run = nights.run()

    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:1/issues/4", True)]
    assert nights.memory.access["gl:1/issues/4"] == frozenset()


def test_an_old_failure_is_asked_for_by_itself(nights):
    # So much later that no list of changes names the failed ones.
    nights.server.clock = nights.server.clock.replace(year=2027)
    nights.server.change(1, "issues", 9)
    nights.run()
    nights.memory.failed |= {"gl:1/issues/1", "gl:1/issues/3"}
    nights.server.fault("*/projects/1/issues/3", Fault.FORBIDDEN)

    run = nights.run()

    assert run.ids(Page) == ["gl:1/issues/1"]
    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:1/issues/3", True)]
    assert run.requests == NOTHING_NEW + 2

    nights.server.remove(1, "issues", 3)
    nights.server.mend()
    run = nights.run()
    assert run.failures == []
    assert run.removed == {"gl:1/issues/3"}


def test_a_list_that_fails_leaves_what_is_known(nights):
    nights.server.fault("*/groups/lab/issues*", Fault.SERVER_ERROR)
    nights.server.change(2, "merge_requests", 1)

    run = nights.run()

    assert run.ids(Page) == ["gl:2/merge_requests/1"]
    assert [failure.page_id for failure in run.failures] == ["gl:issues:groups/lab"]
    assert run.removed == set()
    nights.memory.patient = True
    nights.run()
    assert "groups/lab/issues" not in nights.asked

    nights.memory.patient = False
    nights.server.mend()
    nights.run()
    assert nights.memory.failed == set()


def test_a_list_that_is_denied_closes_what_is_known(nights):
    nights.server.fault("*/groups/lab/issues*", Fault.FORBIDDEN)
    run = nights.run()
    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:issues:groups/lab", True)]
    assert nights.memory.access["gl:1/issues/4"] == frozenset()
    assert nights.memory.access["gl:2/merge_requests/1"]

    nights.server.mend()
    nights.run()
    assert nights.memory.access["gl:1/issues/4"] == {"collaboration", "members", "insiders"}


def test_a_sign_in_that_is_lost_on_the_way_pauses_the_source(nights):
    nights.server.fault("*/groups/lab/issues*", Fault.LOGIN_PAGE)

    with pytest.raises(SourceTrouble, match="Renew the token"):
        nights.run()
    assert nights.memory.access["gl:1/issues/4"] == {"collaboration", "members", "insiders"}


def test_a_single_project_is_listed_by_itself(server):
    server.add(1, "issues", 1)
    server.add(2, "issues", 1)
    nights = lab(server, projects=["lab/deep/other"], project_groups=[])

    assert nights.run().ids(Page) == ["gl:2/issues/1"]
    assert nights.asked == [
        "projects/lab%2Fdeep%2Fother",
        "projects/2/issues",
        "projects/2/merge_requests",
    ]
    assert nights.run().requests == 3
    server.set(2, archived=True)
    assert nights.run().ids(Page) == ["gl:2/issues/1"]
