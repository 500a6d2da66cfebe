"""Files, wikis and releases."""

import json

import pytest

from ingest.model import Gone, Page
from tests.ingest.sources.gitlab.conftest import ALL, KINDS, NOTHING_NEW, TREE_PAGES, Odd, small
from tests.ingest.sources.gitlabruns import Nights
from tests.servers import Fault
from tests.servers.gitlab import COMPASS, DOCS, POLARIS, SAMPLE
from tests.servers.gitlab_repository import blob_id

CODE = sorted(f"gl:16/files/code/{file.name}" for file in (SAMPLE / "code").iterdir())


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
