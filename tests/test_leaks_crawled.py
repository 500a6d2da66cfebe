"""The leak test over an index that was crawled: what a source lets whom read, and nothing more.

Four systems with pages of every kind of permission are read, then their permissions are changed and
they are read again. Who may read what is written down here by hand, beside what the source is told.
"""

import random
from contextlib import ExitStack, closing
from datetime import timedelta

from assistant.answer import Assistant
from assistant.retrieve import Retriever
from ingest.http import Hosts
from ingest.index import EmbeddedIndex, writing
from ingest.pipeline import parts_of, sync
from ingest.settings import AnswerSettings, IngestSettings, RetrievalSettings
from ingest.source_settings import (
    DiscourseSettings,
    GitlabSettings,
    JiraSettings,
    SourceSettings,
    TwikiSettings,
)
from ingest.sources import source_from
from ingest.spool import Spool
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool
from tests.servers import StillClock, settings_for
from tests.servers.discourse import KEY, USER, DiscourseServer
from tests.servers.gitlab import GitlabServer
from tests.servers.jira import JiraServer, made_issue
from tests.servers.twiki import TwikiServer
from tests.test_leaks import EchoLLM, everything, reader_of

DAY_S = timedelta(days=1).total_seconds()
NOBODY: tuple[str, ...] = ()
READERS = 40

# How each system says it, and who that is.
TOPICS = {
    "": ("staff",),
    "   * Set ALLOWTOPICVIEW = Main.TriggerGroup\n": ("trigger",),
    "   * Set ALLOWTOPICVIEW = Main.BoardGroup, Main.TriggerGroup\n": ("board", "trigger"),
    "   * Set ALLOWTOPICVIEW = Main.OtherGroup\n": NOBODY,
    "   * Set DENYTOPICVIEW = Main.SomeBody\n": NOBODY,
}
LEVELS = {"": ("tracker",), "Board only": ("board",), "Level of nobody": NOBODY}
CATEGORIES = {1: ("public",), 2: ("trigger",), 3: NOBODY}
PROJECTS = {
    # Members of a group read what is internal also where they are no members of the laboratory.
    "lab": {"public": ("public",), "internal": ("staff", "tracker"), "private": ("tracker",)},
    "far": {"public": ("public",), "internal": ("staff",), "private": NOBODY},
}


class Lab:
    """Four systems whose pages carry marks, and who may read each mark."""

    def __init__(self, rng, patch, stack):
        self.rng, self.clock = rng, StillClock()
        patch.setenv("FORUM_KEY", KEY)
        patch.setenv("GITLAB_TOKEN", "glpat-sample")
        patch.setenv("WIKI_PASSWORD", "s3cret")
        self.wiki = stack.enter_context(TwikiServer(wall=self.clock.wall))
        self.wiki.member_of = {"TriggerGroup", "BoardGroup", "OtherGroup"}
        self.wiki.password = "s3cret"
        self.jira = stack.enter_context(JiraServer())
        self.forum = stack.enter_context(DiscourseServer())
        self.forum.category(1, "open")
        self.forum.category(2, "experts", groups={"trigger_experts": 1})
        self.forum.category(3, "closed", groups={"nobody_we_know": 1})
        self.gitlab = stack.enter_context(GitlabServer(token="glpat-sample"))
        self.truth = {}

    def fill(self, change):
        """Pages in random places; with `change` those that are there get other readers."""
        for n in range(8):
            said, who = self.rng.choice(list(TOPICS.items()))
            self.wiki.save("Main", f"Topic{n}", f"---+ About zqw{n}y\n{text(f'zqw{n}y')}\n{said}")
            self.truth[f"zqw{n}y"] = who
            level, who = self.rng.choice(list(LEVELS.items()))
            security = {"id": "1", "name": level} if level else None
            said = {"summary": f"About zqj{n}y", "description": text(f"zqj{n}y")}
            if change:
                self.jira.change(f"TRIG-{n}", security=security)
            else:
                self.jira.add(made_issue(n, **said, security=security))
            self.truth[f"zqj{n}y"] = who
            category, who = self.rng.choice(list(CATEGORIES.items()))
            self.forum.topic(n + 1, category, f"About zqd{n}y", [f"<p>{text(f'zqd{n}y')}</p>"])
            self.truth[f"zqd{n}y"] = who
        for n, path in enumerate(("lab/one", "lab/two", "far/three"), start=1):
            kind = self.rng.choice(["public", "internal", "private"])
            if change:
                self.gitlab.set(n, visibility=kind)
            else:
                self.gitlab.project(n, path, visibility=kind)
                body = f"# About zqg{n}y\n\n{text(f'zqg{n}y')}\n"
                self.gitlab.commit(n, {"README.md": body.encode()})
            self.truth[f"zqg{n}y"] = PROJECTS[path.partition("/")[0]][kind]

    def sources(self):
        hosts = Hosts(self.clock)
        token = {"kind": "token", "prefix": ""}
        settings: dict[str, SourceSettings] = {
            "wiki": settings_for(
                self.wiki, TwikiSettings, "/bin",
                kind="twiki", webs=["Main"], default_access=["staff"],
                auth={"kind": "basic", "user": "crawler", "env": "WIKI_PASSWORD"},
                groups={"Main.TriggerGroup": ["trigger"], "Main.BoardGroup": ["board"]},
            ),
            "jira": settings_for(
                self.jira, JiraSettings,
                kind="jira", groups={"TRIG": ["tracker"], "Board only": ["board"]},
            ),
            "forum": settings_for(
                self.forum, DiscourseSettings,
                kind="discourse", username=USER, groups={"trigger_experts": ["trigger"]},
                auth=token | {"env": "FORUM_KEY", "header": "Api-Key"},
            ),
            "gitlab": settings_for(
                self.gitlab, GitlabSettings,
                kind="gitlab", projects=["lab/one", "lab/two", "far/three"],
                signed_in=["staff"], groups={"lab:reporter": ["tracker"]},
                auth=token | {"env": "GITLAB_TOKEN", "header": "PRIVATE-TOKEN"},
            ),
        }  # fmt: skip
        ingest = IngestSettings(contact="tests@docent.example")
        return [source_from(name, one, ingest, hosts) for name, one in settings.items()]

    def night(self, folder, embedder):
        self.clock.sleep(DAY_S)
        with writing(folder, parts_of(embedder, 300)) as writer, closing(Spool(folder)) as spool:
            reports = sync(self.sources(), writer, embedder, HerePool(), spool=spool)
        for report in reports:
            assert report.well, report
            assert not report.failed, report
        return reports


def text(mark):
    return f"The threshold of {mark} is {len(mark)} GeV."


async def check(lab, folder, embedder):
    """Every reader sees exactly what the systems let him see, through every door."""
    index = EmbeddedIndex(folder, embedder=embedder.name)
    assistant = Assistant(
        retriever=Retriever(index, embedder, RetrievalSettings()),
        embedder=embedder,
        llm=EchoLLM(),
        settings=AnswerSettings(),
        max_tokens=200,
    )
    seen = 0
    for _ in range(READERS):
        reader = reader_of(lab.rng)
        open_ = {mark for mark, who in lab.truth.items() if reader.may_read(frozenset(who))}
        mark = lab.rng.choice(list(lab.truth))
        query = lab.rng.choice(["What is the threshold?", f"What is the threshold of {mark}?"])
        told = await everything(assistant, reader, query)
        leaked = [m for m in lab.truth if m not in open_ and m in told and m not in query]
        assert leaked == []
        assert f"About {mark}" not in told or mark in open_
        found = json_of_hits(await assistant.search(f"threshold of {mark}", reader, 50))
        assert (mark in found) == (mark in open_), (mark, lab.truth[mark], reader)
        seen += mark in open_
    index.close()
    assert 0 < seen < READERS


def json_of_hits(hits):
    return " ".join(hit.text for hit in hits)


async def test_a_crawled_index_lets_nobody_read_more_than_the_systems_do(tmp_path, monkeypatch):
    embedder = HashEmbedder()
    with ExitStack() as stack:
        lab = Lab(random.Random(5), monkeypatch, stack)
        lab.fill(change=False)
        lab.night(tmp_path, embedder)
        await check(lab, tmp_path, embedder)
        for _ in range(2):
            lab.fill(change=True)
            lab.night(tmp_path, embedder)
            await check(lab, tmp_path, embedder)
