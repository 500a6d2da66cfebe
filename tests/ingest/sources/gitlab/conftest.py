"""A GitLab with the projects of the sample, and the night after the first."""

import json
from copy import deepcopy
from math import ceil

import pytest

from tests.ingest.sources.gitlabruns import Nights
from tests.servers import Answer
from tests.servers.gitlab import SAMPLE, GitlabServer

DOCS_PAGES = len(list((SAMPLE / "mkdocs").rglob("*.md")))
NOTEBOOKS = len(list((SAMPLE / "notebooks").glob("*.ipynb")))
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


@pytest.fixture(scope="session")
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
