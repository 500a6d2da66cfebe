"""What fails, and what is kept."""

import json

import pytest

from ingest.errors import SettingsError, SourceTrouble
from ingest.model import Page
from ingest.sources import Source
from tests.ingest.sources.gitlab.conftest import ALL, FIRST, Odd, small
from tests.ingest.sources.gitlabruns import Nights, source
from tests.servers import Fault
from tests.servers.gitlab import COMPASS


def test_a_part_that_fails_leaves_the_rest_as_it_was(nights):
    nights.server.fault("*/projects/11/wikis*", Fault.SERVER_ERROR)
    nights.server.wiki(COMPASS, "new", "# New")

    run = nights.run()

    assert run.ids(Page) == ["gl:12/wikis/new"]
    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:11/wikis", False)]
    assert run.removed == set()
    assert nights.memory.access["gl:11/wikis/ci-pipeline"]


def test_a_group_that_fails_leaves_the_others_as_they_were(server):
    server.project(30, "other/tools")
    server.wiki(30, "home", "Hello")
    nights = Nights(server, project_groups=["meridian", "other"])
    nights.run()
    server.fault("*/groups/other/projects*", Fault.SERVER_ERROR)
    server.wiki(COMPASS, "new", "# New")

    run = nights.run()

    assert run.ids(Page) == ["gl:12/wikis/new"]
    assert [failure.page_id for failure in run.failures] == ["gl:groups/other"]
    assert run.removed == set()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.SERVER_ERROR, "None of the groups and projects could be listed"),
        (Fault.VANISHED, "None of the groups and projects could be listed"),
        (Fault.FORBIDDEN, "has the scope read_api"),
        (Fault.LOGIN_PAGE, "Renew the token"),
    ],
)
def test_a_gitlab_that_lists_nothing_pauses_the_source(nights, fault, told):
    nights.server.fault("*/groups/*", fault)

    with pytest.raises(SourceTrouble, match=told):
        nights.run()
    assert len(nights.memory.pages) == ALL


def test_a_wrong_token_pauses_the_source(server, monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-old")

    with pytest.raises(SourceTrouble, match=r"401 .*Renew the token of \[sources.gl\] auth"):
        Nights(server).run()


@pytest.mark.parametrize("value", [b"{}", b"[3]", b"[{}]", b"<p>hello</p>"])
@pytest.mark.parametrize(
    "at", ["/wikis", "/releases", "/branches/main", "/tree", "/issues", "/merge_requests"]
)
def test_an_answer_of_another_shape_removes_nothing(at, value):
    with small(Odd) as server:
        server.commit(1, {"a.md": b"# A\n"})
        server.wiki(1, "home", "Hello")
        server.release(1, "v1", description="First")
        server.add(1, "issues", 1)
        server.add(1, "merge_requests", 1)
        nights = Nights(server, project_groups=["lab"])
        nights.run()
        server.commit(1, {"b.md": b"# B\n"})
        server.most_diffs = 0
        server.at, server.value = at, value

        run = nights.run()

        # A release without a tag is one whose repository we may not read.
        assert run.removed == (
            {"gl:1/releases/v1"} if (at, value) == ("/releases", b"[{}]") else set()
        )
        assert run.failures or run.removed


def test_an_object_that_is_none_and_a_project_without_a_number_are_told():
    with small(Odd) as server:
        server.at, server.value = "/projects", b'[{"path": "x"}]'
        with pytest.raises(SourceTrouble, match="without a number"):
            Nights(server, project_groups=["lab"]).run()
        server.at, server.value, server.kind = "lab/tool", b"hello", "text/plain"
        with pytest.raises(SourceTrouble, match="is not the JSON object"):
            Nights(server, projects=["lab/tool"]).run()


def test_a_cursor_that_cannot_be_read_lists_everything_again(nights):
    nights.memory.cursor = json.dumps({"projects": [], "other": 1})
    nights.server.remove(COMPASS, "issues", 198)

    run = nights.run()

    assert run.ids(Page) == []
    assert run.removed == {"gl:12/issues/198"}
    assert nights.run().items == []


def test_a_killed_run_goes_on_where_it_was(server):
    whole = Nights(server)
    whole.run()
    nights = Nights(server)
    asked = 0
    for stop_after in range(1, 12):
        asked += nights.run(stop_after=stop_after).requests
    last = nights.run()

    assert sorted(nights.memory.pages) == sorted(whole.memory.pages)
    assert nights.memory.access == whole.memory.access
    assert nights.memory.versions == whole.memory.versions
    assert nights.run().items == []
    assert last.removed == set()


def test_settings_that_name_nothing_or_an_unknown_role_are_refused(server):
    with pytest.raises(SettingsError, match=r"\[sources.gl\] names nothing to read"):
        source(server, project_groups=[])
    for key in ("meridian:boss", "@ada:reporter"):
        with pytest.raises(SettingsError, match="is no name of readers"):
            source(server, groups={key: ["x"]})


def test_all_requests_go_through_the_client_and_are_counted(server):
    made: Source = source(server)
    list(made.pages(Nights(server).memory.past))

    assert made.requests == len(server.requests) == FIRST
    assert made.live_ids() is None
