"""One small filled server for each kind of source, with the settings that lead to it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.settings import IngestSettings
from ingest.source_settings import (
    DiscourseSettings,
    GitlabSettings,
    IndicoSettings,
    JiraSettings,
    MailSettings,
    PapersSettings,
    SiteSettings,
    SourceSettings,
    TwikiSettings,
    WebSettings,
)
from ingest.sources import Source, source_from
from tests.servers import Server, StillClock, settings_for
from tests.servers.discourse import KEY, USER, DiscourseServer
from tests.servers.gitlab import GitlabServer
from tests.servers.indico import IndicoServer, made_event
from tests.servers.jira import JiraServer, made_issue
from tests.servers.mail import HyperkittyServer, PipermailServer, mail
from tests.servers.papers import ArxivServer, CdsServer, InspireServer, Paper
from tests.servers.site import SiteServer
from tests.servers.twiki import TwikiServer

DAY = timedelta(days=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
SECRETS = {"FORUM_KEY": KEY}
"""Environment variables that the settings name."""
QUICK = {"timeout_s": 0.3, "max_bytes": 400_000, "retries": 1, "robots": False}


@dataclass(frozen=True)
class World:
    """A server and the settings of a source that reads it."""

    server: Server
    settings: SourceSettings
    clock: StillClock

    def source(self, name: str = "test") -> Source:
        """The source with a new client, as each run gets one."""
        from ingest.http import Hosts

        ingest = IngestSettings(contact="tests@docent.example")
        return source_from(name, self.settings, ingest, Hosts(self.clock))


def _twiki() -> World:
    clock = StillClock(START)
    server = TwikiServer(wall=clock.wall)
    for name in ("WebHome", "ShiftTypes", "CrashBook", "PhoneList"):
        server.save("Main", name, f"---+ {name}\nWords of the topic {name}.")
    clock.sleep(DAY.total_seconds())
    access: dict[str, Any] = {"webs": ["Main"], "default_access": ["staff"], "attachments": False}
    return _world(server, clock, TwikiSettings, "/bin", kind="twiki", **access)


def _gitlab() -> World:
    clock = StillClock(START)
    server = GitlabServer(token="")
    server.project(1, "lab/tool", visibility="public")
    files = {f"docs/{name}.md": f"# {name}\n\nWords of {name}.\n" for name in ("a", "b", "c")}
    server.commit(1, {path: text.encode() for path, text in files.items()})
    return _world(server, clock, GitlabSettings, kind="gitlab", projects=["lab/tool"])


def _jira() -> World:
    issues = [made_issue(number) for number in range(1, 6)]
    access = {"groups": {"TRIG": ["staff"]}}
    return _world(JiraServer(issues), StillClock(START), JiraSettings, kind="jira", **access)


def _papers(service: str, kind: type[Any], path: str = "", **more: Any) -> Callable[[], World]:
    def made() -> World:
        sets = ("atlas", "physics:hep-ex", "MERIDIAN")
        papers = [Paper(str(n), f"Paper {n}", sets=sets, pdf=None) for n in range(1, 6)]
        server = kind(papers)
        settings = {
            "kind": "papers",
            "service": service,
            "access": ["public"],
            "full_text": False,
            **more,
        }
        return _world(server, StillClock(START), PapersSettings, path, **settings)

    return made


def _discourse() -> World:
    server = DiscourseServer()
    server.category(5, "computing")
    for number in range(1, 6):
        server.topic(number, 5, f"Topic {number}", [f"<p>Words of topic {number}.</p>"])
    sign_in = {"kind": "token", "env": "FORUM_KEY", "header": "Api-Key", "prefix": ""}
    told = {"kind": "discourse", "auth": sign_in, "username": USER, "signed_in": ["staff"]}
    return _world(server, StillClock(START), DiscourseSettings, **told)


def _indico() -> World:
    server = IndicoServer([made_event(number, f"2026-02-1{number}") for number in range(1, 6)])
    told = {"kind": "indico", "categories": [7], "groups": {"category:7": ["staff"]}}
    return _world(server, StillClock(START), IndicoSettings, **told)


def _pipermail() -> World:
    server = PipermailServer({"daq": [mail(number) for number in range(1, 6)]})
    return _mail(server, "/pipermail", "daq")


def _hyperkitty() -> World:
    mails = [mail(number) for number in range(1, 6)]
    server = HyperkittyServer({"daq@lab.example": mails}, "2026-01-01T10:00:00+00:00")
    return _mail(server, "/hyperkitty", "daq@lab.example")


def _mail(server: Server, path: str, name: str) -> World:
    archive = settings_for(server, WebSettings, path, **QUICK)
    made = MailSettings(kind="mail", archive=archive, lists=(name,), access=frozenset({"staff"}))
    return World(server, made, StillClock(START))


def _site(**server: Any) -> Callable[[], World]:
    def made() -> World:
        site = SiteServer(**server)
        site.page("/", "Home", "/a/", "/b/")
        site.page("/a/", "Page a", "/c/")
        site.page("/b/", "Page b", "/d/")
        site.page("/c/", "Page c")
        site.page("/d/", "Page d")
        settings = {"kind": "site", "access": ["public"]}
        return _world(site, StillClock(START), SiteSettings, "/", **settings)

    return made


def _world(
    server: Server, clock: StillClock, kind: type[Any], path: str = "", /, **settings: Any
) -> World:
    return World(server, settings_for(server, kind, path, **QUICK | settings), clock)


WORLDS: dict[str, Callable[[], World]] = {
    "twiki": _twiki,
    "gitlab": _gitlab,
    "jira": _jira,
    "cds": _papers("cds", CdsServer, sets=["atlas"]),
    "inspire": _papers("inspire", InspireServer, query="collaboration:MERIDIAN"),
    "arxiv": _papers("arxiv", ArxivServer, "/oai", sets=["physics:hep-ex"]),
    "discourse": _discourse,
    "indico": _indico,
    "pipermail": _pipermail,
    "hyperkitty": _hyperkitty,
    "site by sitemap": _site(),
    "site by links": _site(sitemap=False),
}
