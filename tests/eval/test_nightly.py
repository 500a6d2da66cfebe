"""Nights over real folders and a real index; only the embedder is a fake."""

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

import docent
from assistant.retrieve import Retriever
from eval.night import Night
from eval.nightly import Parts, _alone, nightly
from ingest.access import ANYBODY, Reader
from ingest.errors import IndexBusy
from ingest.http import Hosts
from ingest.index import EmbeddedIndex, generations, managing
from ingest.settings import load_settings
from tests.fakes import FakeLLM, HashEmbedder
from tests.ingest.corpus import HerePool
from tests.servers import Fault, StillClock
from tests.servers.mattermost import MattermostServer

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
STAFF = Reader(frozenset({"staff"}))
TOPICS = ("muon", "photon", "pixel", "storage", "calibration", "luminosity", "alarm", "release")
SHELL = "# Loading\n\nPlease switch on scripts to read this page.\n"

SETTINGS = """
[index]
path = "index"

[llm]
model = "none"

[nightly]
questions = "questions.jsonl"
k = 3
max_drop_facts = {facts}
reports = "reports"
{more}

[sources.wiki]
kind = "files"
path = "wiki"
access = ["staff"]

[sources.docs]
kind = "files"
path = "docs"
access = ["public"]
"""


class House:
    """A collaboration's folders, its settings, and what a night makes of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.embedder = HashEmbedder()
        self.llm: FakeLLM | None = None
        self.nights = 0
        self.clock = StillClock()
        self.pool: HerePool | None = HerePool(1000)
        self.first = 0
        """The generation of the first night; a night of two sources may take two numbers."""

    def furnish(self) -> None:
        for number, topic in enumerate(TOPICS):
            self.write(f"wiki/{topic}.md", f"The {topic} shifter answers at 7123{number}.")
        self.write("docs/guide.md", "The guide to the detector is kept by the secretariat.")
        questions = [self.question(topic, number) for number, topic in enumerate(TOPICS)]
        questions.append(
            {
                "id": "guide",
                "question": "Who keeps the guide to the detector?",
                "documents": ["docs/guide.md", "docs:guide.md"][1:],
                "facts": [{"text": "the secretariat", "keys": ["secretariat"]}],
            }
        )
        lines = "".join(json.dumps(question) + "\n" for question in questions)
        (self.root / "questions.jsonl").write_text(lines)
        self.settle()

    @staticmethod
    def question(topic: str, number: int) -> dict[str, object]:
        return {
            "id": topic,
            "question": f"Where does the {topic} shifter answer?",
            "groups": ["staff"],
            "documents": [f"{topic}.md"],
            "facts": [{"text": "the phone", "keys": [f"7123{number}"]}],
        }

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"# {place.stem.title()}\n\n{text}\n")

    def settle(self, more: str = "", facts: float = 0.2) -> None:
        (self.root / "docent.toml").write_text(SETTINGS.format(more=more, facts=facts))

    @property
    def settings(self):
        return load_settings(self.root / "docent.toml")

    @property
    def parts(self) -> Parts:
        self.nights += 1
        at = AT + timedelta(days=self.nights)
        hosts = Hosts(self.clock)
        return Parts(
            embedder_from=lambda settings: self.embedder,
            llm_from=lambda settings: self.llm,
            pool=self.pool,
            hosts=hosts,
            now=lambda: at,
        )

    def night(self) -> Night:
        self.embedder.embedded.clear()
        return nightly(self.settings, self.parts)

    def serving(self) -> int | None:
        return next((g.number for g in generations(self.root / "index") if g.serving), None)

    def ask(self, text: str = "Where does the muon shifter answer?", reader: Reader = STAFF):
        with closing(EmbeddedIndex(self.root / "index", embedder=self.embedder.name)) as index:
            found = Retriever(index, self.embedder, self.settings.retrieval)
            return [(p.chunk_id, p.text, p.score) for p in found.search(text, reader, 3)]

    def report(self) -> str:
        return max((self.root / "reports").glob("*.md")).read_text()

    def empty_wiki(self) -> None:
        for topic in TOPICS:
            (self.root / "wiki" / f"{topic}.md").write_text(SHELL)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory):
    """A house after its first night, which parses in processes as nights do."""
    house = House(tmp_path_factory.mktemp("first"))
    house.furnish()
    house.pool = None
    return house, house.night()


@pytest.fixture
def house(furnished, tmp_path):
    root = tmp_path / "house"
    shutil.copytree(furnished[0].root, root)
    shutil.rmtree(root / "reports")
    copy = House(root)
    copy.first = furnished[1].newest
    return copy


def test_the_first_generation_is_published_when_it_holds_documents(furnished):
    house, night = furnished

    assert (night.outcome, night.served, night.newest, night.status) == (
        "published",
        None,
        house.serving(),
        0,
    )
    assert night.why == "It is the first generation, so there was nothing to check it against."
    assert f"generation {night.newest} serves now" in house.report()
    assert [report.new for report in night.sources] == [1, 8]


def test_a_night_with_nothing_new_embeds_and_checks_nothing(house):
    night = house.night()

    assert (night.outcome, night.newest, night.status) == ("unchanged", house.first, 0)
    assert night.check is None
    assert house.embedder.embedded == []
    assert f"nothing new, generation {house.first} goes on serving" in house.report()
    assert "- 8 unchanged; 0 requests" in house.report()


def test_a_source_whose_pages_were_emptied_is_caught_and_not_published(house):
    before = house.ask()
    house.empty_wiki()

    night = house.night()

    wiki = next(report for report in night.sources if report.source == "wiki")
    assert (wiki.changed, wiki.removed, wiki.kept_back, wiki.well) == (8, 0, 0, True)
    assert (night.outcome, night.status) == ("held", 2)
    assert house.serving() == house.first
    assert house.ask() == before
    assert night.check is not None
    measures = {m.name: (m.before, m.after, m.holds) for m in night.check.measures}
    assert measures["still found of docs"] == (1.0, 1.0, True)
    assert measures["facts@3"] == (1.0, 1 / 9, False)
    assert measures["still found of wiki"] == (1.0, 0.0, False)
    report = house.report()
    old, new = night.served, night.newest
    assert f"generation {new} was NOT published, generation {old} goes on serving" in report
    assert "- `muon` `Where does the muon shifter answer?`: found" in report
    assert "lost `wiki:muon.md` (says nothing more of what was asked; changed tonight)" in report
    assert f"`docent generations publish {new}`" in report


def test_what_was_held_back_is_held_back_again_until_the_source_is_well(house):
    house.empty_wiki()
    held = house.night()

    again = house.night()
    assert (again.outcome, again.newest, again.status) == ("held", held.newest, 2)
    assert house.embedder.embedded == []

    for number, topic in enumerate(TOPICS):
        house.write(f"wiki/{topic}.md", f"The {topic} shifter answers at 7123{number}, as ever.")
    mended = house.night()
    assert (mended.outcome, mended.served, mended.status) == ("published", house.first, 0)
    assert house.serving() == mended.newest
    assert "as ever" in house.ask()[0][1]


def test_a_roll_back_restores_yesterdays_answers_and_the_night_does_not_undo_it(house):
    yesterday = house.ask()
    house.write("wiki/muon.md", "The muon shifter answers at 99999.")
    night = house.night()
    assert (night.outcome, house.serving()) == ("published", night.newest)
    assert "99999" in house.ask()[0][1]

    done = CliRunner().invoke(
        docent.app, ["generations", "rollback", "--config", str(house.root / "docent.toml")]
    )
    assert done.stdout == f"Generation {night.served} serves now instead of {night.newest}.\n"
    assert house.ask() == yesterday

    night = house.night()
    assert (night.outcome, night.status) == ("held", 2)
    assert night.why.startswith(f"Somebody rolled back from generation {night.newest}, and nothing")
    assert house.ask() == yesterday


def test_a_right_that_was_taken_away_holds_for_the_old_generation_too(house):
    index = EmbeddedIndex(house.root / "index", embedder=house.embedder.name)
    with closing(index), index.snapshot() as snapshot:
        assert snapshot.document("docs:guide.md", ANYBODY) is not None
    house.empty_wiki()
    settings = (house.root / "docent.toml").read_text()
    (house.root / "docent.toml").write_text(settings.replace('["public"]', '["staff"]'))

    index = EmbeddedIndex(house.root / "index", embedder=house.embedder.name)
    assert house.night().outcome == "held"

    with closing(index), index.snapshot() as snapshot:
        assert snapshot.manifest.generation == house.first
        assert snapshot.document("docs:guide.md", ANYBODY) is None
        assert snapshot.document("docs:guide.md", STAFF) is not None


def test_what_falls_within_the_margins_is_published_and_told(house):
    house.settle("max_drop_recall = 0.2\nmax_drop_source = 0.2")
    (house.root / "wiki" / "alarm.md").unlink()

    night = house.night()

    assert (night.outcome, night.status) == ("published", 0)
    report = house.report()
    assert "`recall@3` (9): 1.000 → 0.889, may fall by 0.2\n" in report
    assert "lost `wiki:alarm.md` (gone, or closed to who asks; removed tonight)" in report
    assert "- removed: `wiki:alarm.md`\n" in report
    assert "- 8 → 7 documents, 8 → 7 chunks\n" in report


def test_without_questions_it_is_published_and_the_report_says_that_nothing_was_checked(house):
    text = (house.root / "docent.toml").read_text()
    (house.root / "docent.toml").write_text(text.replace('questions = "questions.jsonl"', ""))
    house.empty_wiki()

    assert house.night().outcome == "published"
    assert "There are no questions in the settings, so nothing was checked." in house.report()


def test_a_generation_without_any_document_is_never_published(tmp_path):
    house = House(tmp_path)
    house.furnish()
    for folder in ("wiki", "docs"):
        shutil.rmtree(tmp_path / folder)
        (tmp_path / folder).mkdir()

    night = house.night()

    assert (night.outcome, night.status, house.serving()) == ("held", 2, None)
    assert night.why.startswith(f"Generation {night.newest} holds no document at all.")
    assert "was NOT published, nothing serves" in house.report()


def test_a_source_in_trouble_goes_through_the_gate_and_is_told(house):
    house.write("docs/guide.md", "The guide to the detector is kept by the secretariat, room 4.")
    (house.root / "wiki").rename(house.root / "elsewhere")

    night = house.night()

    assert (night.outcome, night.status) == ("published", 1)
    assert night.check is not None
    assert "- **stopped**: `[sources.wiki] path" in house.report()
    assert "71230" in house.ask()[0][1]


def test_pages_that_were_kept_back_are_told(house):
    for topic in TOPICS[:4]:
        (house.root / "wiki" / f"{topic}.md").unlink()

    night = house.night()

    assert (night.outcome, night.status) == ("unchanged", 1)
    assert "- **kept back**: 4 pages are no longer at the source" in house.report()


def test_answers_are_checked_when_they_are_asked_for(house):
    house.settle("answers = true\nmax_drop_recall = 1\nmax_drop_source = 1", facts=1)
    house.llm = FakeLLM()  # away: every answer is made of extracts
    house.empty_wiki()

    night = house.night()

    assert night.check is not None
    measures = {m.name: (m.count, m.before, m.after) for m in night.check.measures}
    assert measures["right answers"] == (9, 1.0, 1 / 9)
    assert night.outcome == "held"
    assert "; answer right → wrong_refusal; lost `wiki:muon.md`" in house.report()


def test_a_second_night_says_who_is_at_work(house):
    with (
        _alone(house.root / "index", AT),
        pytest.raises(IndexBusy, match=r"process \d+ on .*, since 2026-11-22 03:00 UTC. Wait"),
    ):
        house.night()
    assert house.night().outcome == "unchanged"


def test_an_ingest_that_is_at_work_fails_the_night_and_is_told(house):
    with managing(house.root / "index", keep=3):
        night = house.night()

    assert (night.outcome, night.status) == ("failed", 2)
    assert f"the night FAILED, generation {house.first} goes on serving" in house.report()
    assert "Another process is writing the index" in house.report()


def test_a_mistake_in_the_questions_shows_before_anything_is_read(house):
    (house.root / "questions.jsonl").write_text("{}\n")
    house.write("wiki/muon.md", "Something else.")

    night = house.night()

    assert (night.outcome, night.status, night.sources) == ("failed", 2, [])
    assert "questions.jsonl, line 1: id: Field required" in house.report()


class Meddler(HashEmbedder):
    """Somebody who does something while the questions are asked."""

    def __init__(self, deed) -> None:
        super().__init__()
        self.deed = deed

    def embed_query(self, text):
        if "?" in text and self.deed:
            deed, self.deed = self.deed, None
            deed()
        return super().embed_query(text)


def test_what_somebody_else_published_meanwhile_is_left_alone(house):
    def publish():
        with managing(house.root / "index", keep=3) as writer:
            writer.publish(writer.generations()[-1].number)

    house.write("wiki/muon.md", "The muon shifter answers at 71230 or 99999.")
    house.embedder = Meddler(publish)

    night = house.night()

    assert (night.outcome, night.status) == ("failed", 2)
    assert "somebody else wrote to the index" in night.why
    assert house.serving() == night.newest


def test_what_nobody_foresaw_reaches_the_report(house, caplog):
    def fall():
        raise RuntimeError("out of ideas")

    house.write("wiki/muon.md", "The muon shifter answers at 99999.")
    house.embedder = Meddler(fall)

    night = house.night()

    assert (night.outcome, night.status, house.serving()) == ("failed", 2, house.first)
    assert "nobody foresaw (RuntimeError: out of ideas)" in house.report()
    assert "The night failed" in caplog.text


def test_the_channel_is_told_and_its_silence_does_not_fail_the_night(house, monkeypatch):
    house.settle('webhook_env = "DOCENT_WEBHOOK"\nallow_private = ["127.0.0.0/8"]')
    with MattermostServer() as server:
        monkeypatch.setenv("DOCENT_WEBHOOK", server.hook)
        told = house.night()
        server.fault("/hooks/*", Fault.SERVER_ERROR)
        untold = house.night()

        assert len(server.posts) == 1
    assert f"nothing new, generation {house.first} goes on serving" in server.posts[0]
    assert (told.untold, told.status, untold.status) == ([], 0, 0)
    assert "## Not told\n\n- `The webhook was not told: nightly: " in house.report()
    assert "answered 500" in house.report()


def test_a_report_that_cannot_be_kept_does_not_fail_the_night(house):
    (house.root / "reports").write_text("a file")

    night = house.night()

    assert night.status == 0
    assert night.untold == [f"The report cannot be kept in {house.root / 'reports'}: File exists."]


def test_the_command_prints_the_report_and_its_status_says_how_it_came_out(house):
    def run(*words: str):
        config = ["--config", str(house.root / "docent.toml")]
        return CliRunner().invoke(docent.app, ["nightly", *words, *config], obj=house.parts)

    plain = run()
    assert plain.exit_code == 0
    assert plain.stdout.startswith("# Docent, night of 2026-11-23 03:00 UTC: nothing new")

    house.empty_wiki()
    exact = run("--json")
    assert exact.exit_code == 2
    told = json.loads(exact.stdout)
    assert (told["outcome"], told["status"], told["check"]["passed"]) == ("held", 2, False)

    with _alone(house.root / "index", AT):
        busy = run()
    assert busy.exit_code == 2
    assert busy.stderr.startswith("docent: Another night is at work on ")

    (house.root / "docent.toml").write_text("[nightly]\nk = 0\n")
    wrong = run()
    assert wrong.exit_code == 2
    assert "[nightly] k is 0" in wrong.stderr
