"""A whole group, night after night."""

from ingest.model import Page
from ingest.parse import parse
from tests.ingest.sources.gitlab.conftest import ALL, FIRST, KINDS, NOTEBOOKS, NOTHING_NEW
from tests.ingest.sources.gitlabruns import Nights
from tests.servers.gitlab_repository import blob_id


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
