"""A GitLab source over a test server, with what an index would remember of it."""

from typing import Any

from ingest.source_settings import GitlabSettings
from ingest.sources.gitlab import GitlabSource
from tests.ingest.sources.memory import Memory, Run
from tests.servers import client_for, settings_for
from tests.servers.gitlab import GitlabServer

SIGN_IN = {"kind": "token", "env": "GITLAB_TOKEN", "header": "PRIVATE-TOKEN", "prefix": ""}
GROUPS = {"meridian": ["members"], "meridian:reporter": ["insiders"]}


def source(server: GitlabServer, **settings: Any) -> GitlabSource:
    """A source that reads the group `meridian`, unless told otherwise."""
    given = {"auth": SIGN_IN, "signed_in": ["collaboration"], "groups": GROUPS, **settings}
    if "projects" not in given:
        given.setdefault("project_groups", ["meridian"])
    made = settings_for(server, GitlabSettings, kind="gitlab", **given)
    return GitlabSource("gl", made, client_for(made))


class Nights:
    """One source, night after night: each run with a new client."""

    def __init__(self, server: GitlabServer, memory: Memory | None = None, **settings: Any) -> None:
        self.server = server
        self.settings = settings
        self.memory = memory or Memory()

    def run(self, stop_after: int | None = None, **changed: Any) -> Run:
        """Tonight's run; `changed` settings stay."""
        self.settings |= changed
        self.server.requests.clear()
        return self.memory.run(source(self.server, **self.settings), stop_after)

    @property
    def asked(self) -> list[str]:
        """What tonight's run asked for, without the query and what all addresses begin with."""
        return [
            request.target.partition("?")[0].removeprefix("/api/v4/")
            for request in self.server.requests
        ]
