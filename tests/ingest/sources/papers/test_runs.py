"""A run after a run, of each repository."""

import json
from dataclasses import replace

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Gone, Page, Unchanged
from ingest.parse import parse
from ingest.source_settings import PapersSettings
from ingest.sources.papers import access_of
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.papers.conftest import SERVICES, arxiv, cds, inspire, papers, told
from tests.servers.papers import PDF, ArxivServer, CdsServer, InspireServer, Paper

OTHER_PDF = PDF + b"\n% another version"


@SERVICES
def test_what_changed_lands_and_nothing_else_is_touched(kind, made, first, second):
    with kind(papers(5)) as server:
        memory = Memory()
        run = memory.run(made(server))
        assert run.ids(Page) == sorted(
            f"papers:{n}{end}" for n in range(1, 6) for end in ("", "/fulltext.pdf")
        )
        assert run.requests == first

        server.tomorrow(3)
        run = memory.run(made(server))
        assert (told(run), run.removed, run.requests) == ([], set(), second)

        server.tomorrow(3)
        server.change("2", title="Another title")
        server.change("3", pdf=OTHER_PDF)
        server.add(replace(papers(1)[0], id="6"))
        server.change("4", deleted=True, hidden=kind is InspireServer)
        run = memory.run(made(server))
        # What is called otherwise is called so in its PDF too.
        assert run.ids(Page) == [
            *("papers:2", "papers:2/fulltext.pdf"),
            *("papers:3", "papers:3/fulltext.pdf"),
            *("papers:6", "papers:6/fulltext.pdf"),
        ]
        assert (run.ids(Unchanged), run.failures) == ([], [])
        assert run.removed == {"papers:4", "papers:4/fulltext.pdf"}
        assert memory.pages["papers:3/fulltext.pdf"].content == OTHER_PDF

        server.tomorrow(3)
        assert (memory.run(made(server)).removed, len(memory.pages)) == (set(), 10)


def test_pages_have_what_a_reader_needs():
    report = ("MER-CONF-2026-09", "CERN-EP-2026-001")
    with CdsServer([Paper("29", "Search for a thing", reports=report, sets=("atlas",))]) as server:
        memory = Memory()
        memory.run(cds(server))
        record, file = memory.pages["papers:29"], memory.pages["papers:29/fulltext.pdf"]

        assert (record.url, record.format) == (f"{server.url}/record/29", "marcxml")
        (document,) = parse(record)
        assert document.title == "Search for a thing (MER-CONF-2026-09)"
        assert (file.url, file.format) == (f"{server.url}/record/29/files/paper.pdf", "pdf")
        (document,) = parse(file)
        assert document.title == "Search for a thing (MER-CONF-2026-09)"
        assert str(document.updated_at) == "2025-06-01 00:00:00+00:00"
        assert len(document.text) > 1000
    with ArxivServer(papers(1)) as arxiv_server, InspireServer(papers(1)) as inspire_server:
        memory = Memory()
        memory.run(arxiv(arxiv_server))
        assert memory.pages["papers:1"].url == "https://arxiv.org/abs/1"
        assert memory.pages["papers:1/fulltext.pdf"].author == "Ada Kroll"
        memory = Memory()
        memory.run(inspire(inspire_server))
        assert memory.pages["papers:1"].url == f"{inspire_server.url}/literature/1"
        assert parse(memory.pages["papers:1"])[0].title == "Paper 1"


@pytest.mark.parametrize(
    ("collections", "restricted_to", "readers"),
    [
        ([], None, {"everybody"}),
        (["ARTICLE"], None, {"everybody"}),
        (["ATLAS_INT"], None, {"atlas"}),
        (["ARTICLE", "ATLAS_INT"], None, {"atlas"}),
        (["OPEN"], None, {"public"}),
        (["OPEN", "ATLAS_INT"], None, {"atlas"}),
        (["ATLAS_INT", "SHARED"], None, {"atlas"}),
        (["ATLAS_INT", "CMS_INT"], None, set()),
        (["OPEN"], ["atlas-readers"], {"atlas"}),
        (["ARTICLE"], ["atlas-readers", "cms-readers"], {"atlas", "cms"}),
        (["ARTICLE"], ["atlas-readers", "unknown"], {"atlas"}),
        (["ARTICLE"], ["unknown"], set()),
        (["ARTICLE"], [], set()),
    ],
)
def test_who_may_read(collections, restricted_to, readers):
    settings = PapersSettings(
        kind="papers",
        url="https://cds.example.org",
        service="cds",
        sets=("x",),
        access={"everybody"},
        groups={
            "OPEN": {"public"},
            "ATLAS_INT": {"atlas"},
            "CMS_INT": {"cms"},
            "SHARED": {"atlas", "cms"},
            "atlas-readers": {"atlas"},
            "cms-readers": {"cms"},
        },
    )
    assert access_of(collections, restricted_to, settings) == readers


def test_without_access_nothing_is_open_and_no_pdf_is_fetched():
    with CdsServer(papers(1)) as server:
        memory = Memory()
        run = memory.run(cds(server, access=[]))
        assert memory.access == {"papers:1": frozenset()}
        assert run.requests == 1


def test_restrictions_land_without_fetching_the_pdf_again():
    with CdsServer(papers(3)) as server:
        groups = {"ATLAS_INT": ["atlas"], "atlas-members": ["atlas"]}
        memory = Memory()
        memory.run(cds(server, groups=groups))
        server.tomorrow(3)
        server.change("1", restricted=("atlas-members [CERN]",))
        server.change("2", restricted=())
        server.change("3", collections=("ATLAS_INT",))
        run = memory.run(cds(server, groups=groups))

        atlas = frozenset({"atlas"})
        assert memory.access == {
            "papers:1": atlas,
            "papers:1/fulltext.pdf": atlas,
            "papers:2": frozenset(),
            "papers:2/fulltext.pdf": frozenset(),
            "papers:3": atlas,
            "papers:3/fulltext.pdf": atlas,
        }
        # Each PDF is asked for once, and is as it was.
        assert run.ids(Unchanged) == [f"papers:{n}/fulltext.pdf" for n in (1, 2, 3)]
        assert run.removed == set()


def test_what_vanishes_from_the_lists_of_cds_without_a_word_is_removed():
    with CdsServer(papers(5)) as server:
        memory = Memory()
        memory.run(cds(server))
        server.tomorrow(3)
        server.papers["2"] = replace(server.papers["2"], hidden=True)
        # One more and one less: the number is what it was, and still it is seen.
        server.add(replace(papers(1)[0], id="6"))
        run = memory.run(cds(server))
        assert run.removed == {"papers:2", "papers:2/fulltext.pdf"}
        assert run.ids(Page) == ["papers:6", "papers:6/fulltext.pdf"]
        server.tomorrow(3)
        assert memory.run(cds(server)).requests == 2


def test_lists_that_do_not_tell_their_size_or_tell_of_unknown_deletions_are_read_whole():
    with CdsServer(papers(5, pdf=None)) as server:
        server.tells_size = False
        memory = Memory()
        memory.run(cds(server))
        server.tomorrow(3)
        run = memory.run(cds(server))
        # What changed; identifiers once to see that no size is told, and then all of them.
        assert (run.requests, run.removed) == (1 + 1 + 3, set())

        server.tells_size = True
        server.tomorrow(3)
        server.add(replace(papers(1)[0], id="7", deleted=True))
        run = memory.run(cds(server))
        assert (run.requests, run.removed, run.ids(Gone)) == (1 + 3, set(), [])


def test_when_the_settings_change_everything_is_listed_and_nothing_fetched():
    with CdsServer(papers(4)) as server:
        memory = Memory()
        memory.run(cds(server))
        server.change("4", sets=("other",))
        run = memory.run(cds(server, access=["staff"]))
        assert len(run.ids(Unchanged)) == 6
        assert set(memory.access.values()) == {frozenset({"staff"})}
        # Two pages of three records; one has left the set, which the whole list shows.
        assert (run.requests, run.removed) == (2, {"papers:4", "papers:4/fulltext.pdf"})

        run = memory.run(cds(server, access=["staff"], full_text=False))
        assert run.removed == {f"papers:{n}/fulltext.pdf" for n in (1, 2, 3)}


def test_a_killed_run_with_new_settings_still_removes_what_is_out():
    with CdsServer(papers(5, pdf=None)) as server:
        memory = Memory()
        memory.run(cds(server))
        server.change("5", sets=("other",))
        memory.run(cds(server, access=["staff"]), stop_after=4)
        run = memory.run(cds(server, access=["staff"]))
        assert run.removed == {"papers:5"}


@SERVICES
def test_a_killed_run_goes_on_where_it_was(kind, made, first, second):
    with kind(papers(5)) as server:
        whole = Memory()
        whole.run(made(server))
        for stop in (1, 4, 6, 9, 11):
            server.requests.clear()
            memory = Memory()
            memory.run(made(server), stop_after=stop)
            memory.run(made(server))
            assert memory.pages.keys() == whole.pages.keys(), stop
            # At most the PDF that was on its way is fetched twice.
            assert server.asked("*.pdf") + server.asked("/pdf/*") + server.asked("/files/*") <= 6


def test_tokens_that_are_no_longer_taken_begin_the_list_again():
    with ArxivServer(papers(6, pdf=None), page_size=2) as server:
        memory = Memory()
        memory.run(arxiv(server, full_text=False), stop_after=3)
        assert "resumption" not in memory.cursor
        assert json.loads(memory.cursor)["listing"]["run"]["token"]
        server.tokens.clear()
        run = memory.run(arxiv(server, full_text=False))
        assert run.ids(Page) == [f"papers:{n}" for n in (3, 4, 5, 6)]
        assert run.ids(Unchanged) == ["papers:1", "papers:2"]

        # In the middle of a run: what was given already is not given twice.
        server.requests.clear()
        server.before = lambda request: server.tokens.clear() if len(server.requests) == 3 else None
        run = Memory().run(arxiv(server, full_text=False))
        assert run.ids(Page) == [f"papers:{n}" for n in range(1, 7)]

        server.before = lambda request: server.tokens.clear()
        with pytest.raises(SourceTrouble, match="refused its own resumption tokens 4 times"):
            Memory().run(arxiv(server))
