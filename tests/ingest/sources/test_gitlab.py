"""Projects of a GitLab, their files, wikis and releases."""

import json
from copy import deepcopy
from math import ceil

import pytest

from ingest.errors import SettingsError, SourceTrouble
from ingest.model import Failure, Gone, Page, Standing, Unchanged
from ingest.parse import parse
from ingest.sources import Source
from tests.ingest.sources.gitlabruns import Nights, source
from tests.servers import Answer, Fault
from tests.servers.gitlab import COMPASS, DOCS, EXAMPLES, POLARIS, SAMPLE, GitlabServer, blob_id

DOCS_PAGES = len(list((SAMPLE / "mkdocs").rglob("*.md")))
NOTEBOOKS = len(list((SAMPLE / "notebooks").glob("*.ipynb")))
CODE = sorted(f"gl:16/files/code/{file.name}" for file in (SAMPLE / "code").iterdir())
KINDS = {
    "files": DOCS_PAGES + NOTEBOOKS + 1,  # and the README of Compass
    **{
        part: len(json.loads((SAMPLE / "gitlab" / f"{part}.json").read_text()))
        for part in ("issues", "merge_requests", "wikis")
    },
    "releases": 1,
}
ALL = sum(KINDS.values())
TREE_PAGES = ceil(len(list((SAMPLE / "mkdocs").rglob("*"))) / 100)
FIRST = 32 + KINDS["files"] + NOTEBOOKS - 1 + TREE_PAGES
"""Of each page one request, of each of nine issues and six merge requests the discussion, and the
lists, that of the documentation's tree in pages of a hundred; the commits of all files but the
notebooks before the last came along with the heads."""

NOTHING_NEW = 15
"""The group's projects, issues and merge requests; 6 wikis; head and releases of 3 projects."""


@pytest.fixture(autouse=True)
def token(monkeypatch):
    monkeypatch.setenv("GITLAB_TOKEN", "glpat-sample")


@pytest.fixture
def server():
    with GitlabServer.of_sample() as running:
        yield running


@pytest.fixture(scope="module")
def first_night():
    """What the first run over the sample left, there and here. Only to be copied."""
    with pytest.MonkeyPatch.context() as patch, GitlabServer.of_sample() as running:
        patch.setenv("GITLAB_TOKEN", "glpat-sample")
        nights = Nights(running)
        nights.run()
        return running.projects, nights.memory


@pytest.fixture
def nights(first_night):
    """After the first night."""
    projects, memory = deepcopy(first_night)
    with GitlabServer() as running:
        running.projects = projects
        yield Nights(running, memory)


def small(server_class=GitlabServer, **more):
    """A server with one project without issues: `lab/tool`."""
    made = server_class(**more)
    made.project(1, "lab/tool", visibility="public")
    return made


class Odd(GitlabServer):
    """Answers one address with something else."""

    at, value, kind = "", b"", "application/json"

    def answer(self, request):
        if self.at and request.path.endswith(self.at):
            return Answer(self.value, type=self.kind)
        return super().answer(request)


# A whole group.


def test_the_first_run_reads_every_project_of_the_group(server):
    nights = Nights(server)
    run = nights.run()

    kinds = [page_id.split("/")[1] for page_id in run.ids(Page)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == KINDS
    assert run.failures == []
    assert run.requests == FIRST
    assert all(request.headers["private-token"] == "glpat-sample" for request in server.requests)


def test_every_page_of_the_first_run_can_be_parsed(server):
    nights = Nights(server, code=True)
    nights.run()

    titles = {page.id: parse(page)[0].title for page in nights.memory.pages.values()}

    assert titles["gl:12/issues/212"].startswith("MuonCalib: sagitta map applied twice")
    assert titles["gl:12/merge_requests/640"].startswith("MuonCalib: choose sagitta map")
    assert titles["gl:12/wikis/error-codes"] == "Error codes of Compass"
    assert titles["gl:12/releases/v3.1.2"] == "Release v3.1.2"
    assert titles["gl:12/files/README.md"] == "Compass"
    assert titles["gl:16/files/code/slim_skim.py"] == "slim_skim.py"
    assert nights.memory.pages["gl:16/files/code/CecTransparency.cc"].format == "code"


def test_a_night_with_nothing_new_gives_nothing(nights):
    run = nights.run()

    assert run.items == []
    assert run.requests == NOTHING_NEW
    assert not any("tree" in path or "files" in path for path in nights.asked)


def test_a_page_says_where_it_is_from(nights):
    page = nights.memory.pages["gl:14/files/docs/index.md"]

    assert page.url == "https://gitlab.meridian.example/meridian/docs/-/blob/main/docs/index.md"
    assert (page.author, page.updated_at.isoformat()) == ("Ada Kroll", "2026-11-01T12:01:00+00:00")
    assert page.version.startswith(f"{blob_id(page.content)}|")
    assert page.access == {"collaboration", "members", "insiders"}
    wiki = nights.memory.pages["gl:12/wikis/error-codes"]
    assert wiki.url == "https://gitlab.meridian.example/meridian/compass/-/wikis/error-codes"
    release = nights.memory.pages["gl:12/releases/v3.1.2"]
    assert release.url == "https://gitlab.meridian.example/meridian/compass/-/releases/v3.1.2"


def test_single_projects_and_groups_inside_groups_are_read_once(server):
    server.project(30, "other/tools")
    server.wiki(30, "home", "Hello")
    server.project(31, "meridian/deep/down")
    server.wiki(31, "home", "Hello")
    nights = Nights(
        server, project_groups=["meridian", "meridian/deep"], projects=["meridian/docs"]
    )
    nights.run()
    assert nights.asked.count("projects/14/wikis") == 1
    assert "gl:31/wikis/home" in nights.memory.pages
    assert "groups/meridian%2Fdeep/projects" not in nights.asked

    run = nights.run(project_groups=[], projects=["meridian/docs", "other/tools"])
    assert "gl:30/wikis/home" in run.ids(Page)
    assert {page_id.split("/")[0] for page_id in nights.memory.pages} == {"gl:14", "gl:30"}
    assert run.ids(Page) == ["gl:30/wikis/home"]


def test_what_is_switched_off_in_the_settings_is_removed(nights):
    run = nights.run(wiki=False, merge_requests=False, releases=False, issues=False, files=[])
    assert nights.memory.pages == {}
    assert run.requests == 1

    run = nights.run(wiki=True, merge_requests=True, releases=True, issues=True, files=["**/*.md"])
    assert len(run.ids(Page)) == ALL - NOTEBOOKS


# Files.


def test_changed_files_come_from_a_comparison_of_commits(nights):
    nights.server.commit(
        DOCS,
        {
            "docs/index.md": b"# Other\n",
            "docs/new.md": b"# New\n",
            "docs/computing/storage.md": None,
            "mkdocs.yml": b"site_name: x\n",
        },
        author="Bo Lind",
    )

    run = nights.run()

    assert run.ids(Page) == ["gl:14/files/docs/index.md", "gl:14/files/docs/new.md"]
    assert run.removed == {"gl:14/files/docs/computing/storage.md"}
    assert run.requests == NOTHING_NEW + 3
    assert "projects/14/repository/tree" not in nights.asked
    assert nights.memory.pages["gl:14/files/docs/new.md"].author == "Bo Lind"
    assert nights.run().requests == NOTHING_NEW


def test_a_renamed_file_is_another_page(nights):
    files = nights.server.projects[DOCS].commits[-1].files
    nights.server.commit(
        DOCS, {"docs/a.md": files["docs/index.md"], "docs/index.md": None, "docs/b.txt": b"x"}
    )

    run = nights.run()

    assert run.ids(Page) == ["gl:14/files/docs/a.md"]
    assert run.removed == {"gl:14/files/docs/index.md"}


def test_a_file_that_takes_the_place_of_a_removed_one_is_kept():
    with small() as server:
        server.commit(1, {"a.md": b"# A\n", "b.md": b"# B\n"})
        nights = Nights(server, project_groups=["lab"])
        nights.run()

        server.commit(1, {"a.md": b"# B\n", "b.md": None, "c.md": b"# A\n"})
        run = nights.run()

        assert run.ids(Page) == ["gl:1/files/a.md", "gl:1/files/c.md"]
        assert run.removed == {"gl:1/files/b.md"}


def test_a_commit_that_was_taken_back_is_undone(nights):
    nights.server.commit(DOCS, {"docs/index.md": b"# Draft\n", "docs/draft.md": b"# Draft\n"})
    nights.run()
    nights.server.rewind(DOCS)
    nights.server.commit(DOCS, {"docs/new.md": b"# New\n"})

    run = nights.run()

    assert run.ids(Page) == ["gl:14/files/docs/index.md", "gl:14/files/docs/new.md"]
    assert run.removed == {"gl:14/files/docs/draft.md"}
    assert "projects/14/repository/tree" not in nights.asked


def test_files_that_changed_places_are_both_there():
    with small(Odd) as server:
        server.commit(1, {"a.md": b"# A\n", "b.md": b"# B\n"})
        nights = Nights(server, project_groups=["lab"])
        nights.run()
        server.commit(1, {"a.md": b"# B\n", "b.md": b"# A\n"})
        swapped = [
            {"old_path": old, "new_path": new, "renamed_file": True, "deleted_file": False}
            for old, new in (("a.md", "b.md"), ("b.md", "a.md"))
        ]
        told = {"commits": [], "diffs": swapped, "compare_timeout": False}
        server.at, server.value = "/compare", json.dumps(told).encode()

        run = nights.run()

        assert run.ids(Page) == ["gl:1/files/a.md", "gl:1/files/b.md"]
        assert run.removed == set()


@pytest.mark.parametrize("how", ["force push", "truncated", "too slow", "odd"])
def test_without_a_comparison_the_tree_is_listed(nights, how):
    server = nights.server
    files = server.projects[DOCS].commits[-1].files
    changed = {"docs/index.md": b"# Other\n", "docs/new.md": b"# New\n"}
    if how == "force push":
        rest = {path: content for path, content in files.items() if "storage" not in path}
        server.force_push(DOCS, {**rest, **changed})
    else:
        server.commit(DOCS, {**changed, "docs/computing/storage.md": None})
    if how == "truncated":
        server.most_diffs = 2
    elif how == "too slow":
        server.fault("*/repository/compare*", Fault.SERVER_ERROR)
    elif how == "odd":
        server.fault("*/repository/compare*", Fault.LOGIN_PAGE)

    run = nights.run()

    assert run.ids(Page) == ["gl:14/files/docs/index.md", "gl:14/files/docs/new.md"]
    assert run.removed == {"gl:14/files/docs/computing/storage.md"}
    assert nights.asked.count("projects/14/repository/tree") == TREE_PAGES
    assert run.failures == []


def test_a_large_tree_is_listed_page_after_page_from_key_to_key():
    with small() as server:
        server.commit(1, {f"docs/{n:03}.md": b"# %d\n" % n for n in range(250)})
        nights = Nights(server, project_groups=["lab"], rate=100_000)

        assert len(nights.run().ids(Page)) == 250
        # 251 with the folder. The links name another host than the one that was asked.
        assert nights.asked.count("projects/1/repository/tree") == 3


def test_links_are_not_followed_and_pointers_are_told():
    with small() as server:
        pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
        server.commit(1, {"big.md": pointer, "link.md": b"../secret.md"}, links=["link.md"])
        nights = Nights(server, project_groups=["lab"])

        run = nights.run()
        assert run.ids(Page) == []
        assert [failure.page_id for failure in run.failures] == ["gl:1/files/big.md"]
        assert "lies in Git LFS" in run.failures[0].reason

        server.commit(1, {"big.md": b"# Small\n", "x.md": b"x.md"}, links=["x.md"])
        assert nights.run().ids(Page) == ["gl:1/files/big.md"]


def test_other_globs_list_the_tree_again(nights):
    run = nights.run(files=["docs/index.md", "mkdocs.yml"])
    assert run.ids(Page) == ["gl:14/files/mkdocs.yml"]
    assert len(run.removed) == KINDS["files"] - 1

    run = nights.run(code=True)
    assert run.ids(Page) == CODE


def test_an_emptied_repository_loses_its_pages(nights):
    nights.server.set(COMPASS, empty_repo=True)

    assert nights.run().removed == {"gl:12/files/README.md", "gl:12/releases/v3.1.2"}


def test_a_file_that_cannot_be_read_is_tried_again(server):
    server.fault("*docs/index.md/raw*", Fault.SERVER_ERROR)
    nights = Nights(server)
    run = nights.run()
    assert [failure.page_id for failure in run.failures] == ["gl:14/files/docs/index.md"]
    assert not run.failures[0].forbidden
    assert len(run.ids(Page)) == ALL - 1

    nights.memory.patient = True
    assert nights.run().items == []
    assert nights.run().requests == NOTHING_NEW

    nights.memory.patient = False
    server.mend()
    run = nights.run()
    assert run.ids(Page) == ["gl:14/files/docs/index.md"]
    page = nights.memory.pages["gl:14/files/docs/index.md"]
    assert page.version.startswith(f"{blob_id(page.content)}|")
    assert nights.run().requests == NOTHING_NEW


def test_a_file_that_is_denied_is_closed(nights):
    nights.server.commit(DOCS, {"docs/index.md": b"# Secret\n"})
    nights.server.fault("*docs/index.md/raw*", Fault.FORBIDDEN)

    run = nights.run()

    assert [(f.page_id, f.forbidden) for f in run.failures] == [("gl:14/files/docs/index.md", True)]
    assert nights.memory.access["gl:14/files/docs/index.md"] == frozenset()


def test_a_date_that_is_not_to_be_had_keeps_nothing_back(server):
    server.fault("*/repository/commits/*", Fault.SERVER_ERROR)
    nights = Nights(server)
    nights.run()

    page = nights.memory.pages["gl:16/files/notebooks/dimuon_open.ipynb"]
    assert (page.updated_at, page.author) == (None, "")


# Wikis and releases.


def test_a_wiki_comes_whole_and_only_when_it_changed(nights):
    nights.server.wiki(POLARIS, "new", "# New")
    nights.server.wiki(POLARIS, "ci-pipeline", "# Other")
    nights.server.remove(POLARIS, "wikis", "pixel-cooling-settings")

    run = nights.run()

    assert run.ids(Page) == ["gl:11/wikis/ci-pipeline", "gl:11/wikis/new"]
    assert run.removed == {"gl:11/wikis/pixel-cooling-settings"}
    assert run.requests == NOTHING_NEW
    known = [one for one in nights.server.requests if "if-none-match" in one.headers]
    assert len(known) == 6  # projects


def test_releases_are_compared_one_by_one(nights):
    nights.server.release(COMPASS, "v3.1.2", description="Other")
    nights.server.release(COMPASS, "v3.2", description="New")
    assert nights.run().ids(Page) == ["gl:12/releases/v3.1.2", "gl:12/releases/v3.2"]

    nights.server.remove(COMPASS, "releases", "v3.1.2")
    nights.server.release(COMPASS, "v3.3", tag_name=None)
    run = nights.run()
    assert run.removed == {"gl:12/releases/v3.1.2"}
    assert run.items == [Gone("gl:12/releases/v3.1.2", "gl")]


# Permissions and what becomes of projects.


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


# Trouble.


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
