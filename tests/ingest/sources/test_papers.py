import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from ingest.errors import SourceTrouble
from ingest.http import Reply
from ingest.model import CURRENT, Cursor, Failure, Gone, Page, Past, Standing, Unchanged
from ingest.parse import parse
from ingest.source_settings import PapersSettings
from ingest.sources.papers import PapersSource, access_of
from ingest.sources.papers.inspire import InspireSearch
from ingest.sources.papers.records import Mark, Record
from ingest.sources.papers.search import SearchListing, day_of
from tests.ingest.sources.memory import Memory
from tests.servers import Fault, client_for, settings_for
from tests.servers.papers import PDF, ArxivServer, CdsServer, InspireServer, Paper

OTHER_PDF = PDF + b"\n% another version"


def source(server, service, path="", **more):
    settings = {
        "kind": "papers",
        "access": ["public"],
        "arxiv_pdf": f"{server.url}/pdf/{{id}}",
        **({"query": "collaboration:MERIDIAN"} if service == "inspire" else {"sets": ["atlas"]}),
        **more,
    }
    made = settings_for(server, PapersSettings, path, service=service, **settings)
    return PapersSource("papers", made, client_for(made, source="papers"))


def cds(server, **more):
    return source(server, "cds", **more)


def arxiv(server, **more):
    return source(server, "arxiv", "/oai", **{"sets": ["physics:hep-ex"], **more})


def inspire(server, **more):
    return source(server, "inspire", **more)


def papers(count, **more):
    """Papers 1 to `count`, of a set that all three services take for the one asked for."""
    sets = ("atlas", "physics:hep-ex", "MERIDIAN")
    return [Paper(str(n), f"Paper {n}", sets=sets, **more) for n in range(1, count + 1)]


def told(run):
    """What a run gave besides marks of how far it came."""
    return [item for item in run.items if not isinstance(item, Cursor)]


SERVICES = pytest.mark.parametrize(
    ("kind", "made", "first", "second"),
    [
        # Requests: two records a page, five PDFs, robots.txt; then what says that nothing is new.
        (CdsServer, cds, 3 + 5 + 1, 2),
        (ArxivServer, arxiv, 3 + 5 + 1, 1),
        # One page of hits and their number.
        (InspireServer, inspire, 1 + 1 + 5 + 1, 2),
        # The same for a search of CDS.
        (CdsServer, lambda server: cds(server, query="atlas", sets=[]), 1 + 1 + 5 + 1, 2),
    ],
    ids=["cds", "arxiv", "inspire", "cds-search"],
)


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


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault.CUT_BODY, "the list of records cannot be read"),
        (Fault.SERVER_ERROR, "500"),
        (Fault.VANISHED, "404"),
        (Fault.BAD_UTF8, "not well-formed XML|another shape|not JSON"),
    ],
)
@SERVICES
def test_a_list_that_cannot_be_read_ends_the_run_and_removes_nothing(
    kind, made, first, second, fault, told
):
    with kind(papers(5)) as server:
        memory = Memory()
        memory.run(made(server))
        server.tomorrow(3)
        server.fault("/o*", fault)
        server.fault("/api*", fault)
        server.fault("/search*", fault)
        with pytest.raises(SourceTrouble, match=told):
            memory.run(made(server))
        server.mend()
        assert memory.run(made(server)).removed == set()
        assert len(memory.pages) == 10


def test_xml_that_is_cut_off_by_a_proxy_is_not_the_end_of_the_list():
    class Cutting(ArxivServer):
        def answer(self, request):
            answer = super().answer(request)
            return replace(answer, content=answer.raw[:-100])

    with Cutting(papers(1)) as server, pytest.raises(SourceTrouble, match="not well-formed XML"):
        Memory().run(arxiv(server))


def test_what_the_repository_refuses_is_told():
    class Refusing(ArxivServer):
        path = "/elsewhere"

        def answer(self, request):
            self.path = request.path
            request.query["verb"] = "Nonsense"
            return super().answer(request)

    with Refusing() as server, pytest.raises(SourceTrouble, match=r"BadVerb.*Look at url and sets"):
        Memory().run(arxiv(server))


@pytest.mark.parametrize("status", [200, 422])
def test_an_empty_set_is_no_trouble(status):
    with ArxivServer() as server:
        server.error_status = status
        memory = Memory()
        assert memory.run(arxiv(server)).ids(Page) == []
        server.tomorrow()
        server.add(papers(1)[0])
        assert memory.run(arxiv(server)).ids(Page) == ["papers:1", "papers:1/fulltext.pdf"]


def test_a_record_that_leaves_one_of_two_sets_stays():
    class TwoSets(ArxivServer):
        """Says that a record is deleted in a set that it has left, as Invenio does."""

        left: dict[str, str] = {}  # noqa: RUF012 - one server, one test

        def _chosen(self, set_, since):
            yield from super()._chosen(set_, since)
            yield from (self.papers[one] for one, was in self.left.items() if was == set_)

        def _record(self, verb, paper, set_):
            gone = self.left.get(paper.id) == set_
            return super()._record(verb, replace(paper, deleted=gone or paper.deleted), set_)

    sets = {"sets": ["atlas", "cms"], "full_text": False}
    with TwoSets([replace(paper, sets=("atlas",)) for paper in papers(4)]) as server:
        memory = Memory()
        memory.run(arxiv(server, **sets))
        server.tomorrow(3)
        server.change("1", sets=("cms",))
        server.change("2", sets=("elsewhere",))
        server.change("3", deleted=True)
        server.left = {"1": "atlas", "2": "atlas"}
        run = memory.run(arxiv(server, **sets))
        assert run.removed == {"papers:2", "papers:3"}
        # Listed anew, it is still in the one and out of the other.
        run = memory.run(arxiv(server, **sets, access=["staff"]))
        assert (run.removed, sorted(memory.pages)) == (set(), ["papers:1", "papers:4"])


def test_a_run_that_is_killed_in_its_second_set_goes_on_there():
    sets = {"sets": ["atlas", "cms"], "full_text": False}
    two = [Paper("1", "A", sets=("atlas",)), Paper("2", "B", sets=("cms",))]
    with ArxivServer(two) as server:
        memory = Memory()
        # A record, the end of its list, the end of its set, and the other record.
        memory.run(arxiv(server, **sets), stop_after=4)
        server.requests.clear()
        run = memory.run(arxiv(server, **sets))
        assert run.ids(Unchanged) == ["papers:2"]
        assert [request.query["set"] for request in server.requests] == ["cms"]


def test_a_pdf_that_fails_is_asked_for_again_and_its_record_stays():
    with ArxivServer(papers(3)) as server:
        server.fault("/pdf/1", Fault.VANISHED)
        server.fault("/pdf/2", Fault.FORBIDDEN)
        memory = Memory()
        run = memory.run(arxiv(server))
        assert [(one.page_id, one.forbidden) for one in run.failures] == [
            ("papers:1/fulltext.pdf", False),
            ("papers:2/fulltext.pdf", True),
        ]
        server.mend()
        server.tomorrow(3)
        memory.patient = True
        run = memory.run(arxiv(server))
        assert (told(run), run.requests) == ([], 1)
        memory.patient = False
        run = memory.run(arxiv(server))
        assert run.ids(Page) == ["papers:1/fulltext.pdf", "papers:2/fulltext.pdf"]
        # What changed, two records again, robots.txt and two PDFs.
        assert run.requests == 1 + 2 + 1 + 2


def test_waiting_pages_are_left_alone_also_when_they_changed():
    with ArxivServer(papers(1)) as server:
        server.fault("/pdf/1", Fault.VANISHED)
        memory = Memory(patient=True)
        memory.run(arxiv(server))
        server.tomorrow(3)
        server.change("1", title="Other")
        assert memory.run(arxiv(server)).ids(Page) == ["papers:1"]
        assert server.asked("/pdf/1") == 1
        server.mend()
        past = Past(memory.cursor, memory.versions, waiting=frozenset({"papers:1"}))
        server.change("1", title="Another")
        given = list(arxiv(server).pages(past))
        assert [item.id for item in given if isinstance(item, Page)] == ["papers:1/fulltext.pdf"]


def test_a_record_that_cannot_be_asked_for_again_fails_and_one_that_is_gone_goes():
    past = Past("", {}, retry=frozenset({"papers:8/fulltext.pdf", "papers:9"}))
    with ArxivServer() as server:
        server.fault("*GetRecord*arXiv.org%3A9*", Fault.SERVER_ERROR)
        items = list(arxiv(server).pages(past))
        assert Gone("papers:8/fulltext.pdf", "papers") in items
        (failure,) = (item for item in items if isinstance(item, Failure))
        assert (failure.page_id, "500" in failure.reason) == ("papers:9", True)
    for kind, made in ((InspireServer, inspire), (CdsServer, lambda s: cds(s, query="atlas"))):
        with kind() as server:
            items = list(made(server).pages(past))
            gone = {item.page_id for item in items if isinstance(item, Gone)}
            assert gone == {"papers:8/fulltext.pdf", "papers:9"}


def test_what_is_no_pdf_and_what_robots_forbid_is_told():
    with CdsServer(papers(1, pdf=b"<html>not here</html>")) as server:
        (failure,) = Memory().run(cds(server)).failures
        assert "something that is not a PDF" in failure.reason

    class Forbidding(CdsServer):
        def answer(self, request):
            if request.path == "/robots.txt":
                return type(super().answer(request))("User-agent: *\nDisallow: /record/")
            return super().answer(request)

    with Forbidding(papers(1)) as server:
        (failure,) = Memory().run(cds(server)).failures
        assert "robots.txt does not allow" in failure.reason
        assert Memory().run(cds(server, robots=False)).failures == []


@pytest.mark.parametrize(
    ("comments", "standing", "files"),
    [
        ("12 pages", CURRENT, 1),
        ("Withdrawn due to an error in eq. 3", Standing(archived=True), 0),
        ("This paper has been withdrawn by the authors", Standing(archived=True), 0),
        ("Not withdrawn. 3 pages", CURRENT, 1),
        ("Superseded by arXiv:2601.00002", Standing(superseded_by="papers:2601.00002"), 1),
        ("replaced by hep-ex/0601002", Standing(superseded_by="papers:hep-ex/0601002"), 1),
    ],
)
def test_withdrawn_and_superseded_papers_of_arxiv(comments, standing, files):
    with ArxivServer(papers(1, comments=comments)) as server:
        memory = Memory()
        memory.run(arxiv(server))
        assert memory.pages["papers:1"].standing == standing
        assert len(memory.pages) == 1 + files


def test_a_withdrawn_paper_loses_its_full_text():
    with ArxivServer(papers(1)) as server:
        memory = Memory()
        memory.run(arxiv(server))
        server.tomorrow(3)
        server.change("1", comments="Withdrawn.")
        assert memory.run(arxiv(server)).removed == {"papers:1/fulltext.pdf"}


def marc(tag, first=" ", **parts):
    inner = "".join(f'<subfield code="{code}">{value}</subfield>' for code, value in parts.items())
    return f'<datafield tag="{tag}" ind1="{first}" ind2=" ">{inner}</datafield>'


@pytest.mark.parametrize(
    ("extra", "standing"),
    [
        (marc("785", w="77"), Standing(superseded_by="papers:77")),
        (marc("787", i="Superseded by", w="77"), Standing(superseded_by="papers:77")),
        (marc("787", i="Now replaced by", w="77"), Standing(superseded_by="papers:77")),
        (marc("780", w="66") + marc("785", w="77"), Standing(False, "papers:77", "papers:66")),
        (marc("785", i="Continued by", w="77"), CURRENT),
        (marc("787", i="See also", w="77"), CURRENT),
        (marc("785", i="Superseded by"), CURRENT),
    ],
)
def test_superseded_records_of_cds(extra, standing):
    with CdsServer(papers(1, extra=extra)) as server:
        memory = Memory()
        memory.run(cds(server))
        assert memory.pages["papers:1"].standing == standing
        assert memory.pages["papers:1/fulltext.pdf"].standing == standing


def test_odd_records_of_cds():
    lookup = marc("785", r="CERN-EP-2026-1 a")
    elsewhere = marc("856", u="https://elsewhere.example/x.pdf")
    with CdsServer(
        [
            Paper("1", "A", sets=("atlas",), extra=lookup, pdf=None),
            Paper("2", "B", sets=("atlas",), extra=elsewhere, pdf=None),
            Paper("3", "C", sets=("atlas",), extra=marc("980", c="DELETED"), pdf=None),
            Paper("4", "D", sets=("atlas",), extra=marc("506", "1", a="")),
            Paper("5", "E", sets=("atlas",), extra=marc("506", m="who@may.edit"), pdf=None),
            Paper("6", "F", sets=("atlas",), extra=marc("506", a="Restricted to some"), pdf=None),
        ],
        page_size=10,
    ) as server:
        memory = Memory()
        memory.run(cds(server))
        assert sorted(memory.pages) == [f"papers:{n}" for n in (1, 2, 4, 5, 6)]
        assert memory.pages["papers:1"].standing.superseded_by == (
            f"{server.url}/search?f=reportnumber&p=CERN-EP-2026-1%20a"
        )
        closed = [page for page, access in memory.access.items() if not access]
        assert closed == ["papers:4", "papers:6"]


@pytest.mark.parametrize(
    ("metadata", "standing"),
    [
        ({"withdrawn": True}, Standing(archived=True)),
        ({"related_records": "odd"}, CURRENT),
        (
            {
                "related_records": [
                    {"relation": "successor", "record": {"$ref": "https://x/api/literature/7"}},
                    {"relation": "predecessor", "record": {"$ref": "https://x/api/literature/3"}},
                    {"relation": "commented", "record": "odd"},
                ]
            },
            Standing(False, "papers:7", "papers:3"),
        ),
        (
            {"deleted": True, "new_record": {"$ref": "https://x/api/literature/7"}},
            Standing(archived=True, superseded_by="papers:7"),
        ),
    ],
)
def test_withdrawn_superseded_and_merged_records_of_inspire(metadata, standing):
    with InspireServer(papers(1, metadata=metadata)) as server:
        memory = Memory()
        memory.run(inspire(server))
        assert memory.pages["papers:1"].standing == standing


def test_a_record_that_inspire_marks_as_deleted_goes():
    with InspireServer(papers(2)) as server:
        memory = Memory()
        memory.run(inspire(server))
        server.tomorrow(3)
        server.change("1", metadata={"deleted": True})
        assert memory.run(inspire(server)).removed == {"papers:1", "papers:1/fulltext.pdf"}


def test_the_full_text_that_inspire_shows():
    documents = [
        {"url": "/files/hidden", "filename": "a.pdf", "hidden": True},
        {"url": "/files/plot", "filename": "plot.png"},
        {"url": "/files/9", "filename": "B.PDF", "key": "k"},
    ]
    eprints = [{"value": "2601.00001"}]
    nine = replace(papers(1)[0], id="9")
    with InspireServer(
        [
            *papers(1, pdf=None, metadata={"documents": documents}),
            Paper("2", "B", sets=("MERIDIAN",), pdf=None, metadata={"arxiv_eprints": eprints}),
            Paper("3", "C", sets=("MERIDIAN",), pdf=None, metadata={"arxiv_eprints": [{}, 1]}),
            nine,
        ]
    ) as server:
        memory = Memory()
        run = memory.run(inspire(server))
        assert memory.pages["papers:1/fulltext.pdf"].url == f"{server.url}/files/9"
        assert [one.page_id for one in run.failures] == ["papers:2/fulltext.pdf"]
        assert server.asked("/pdf/2601.00001") == 1
        assert "papers:3/fulltext.pdf" not in memory.pages


class NarrowServer(InspireServer):
    """An INSPIRE that shows few hits of a search."""

    window = 1000


def narrow(server):
    """And the listing that knows it."""
    made = inspire(server)
    search = InspireSearch("papers", made.settings, made.client, window=1000)
    return SearchListing("papers", search)


def ids(items):
    return sorted(item.id for item in items if isinstance(item, Record))


def test_more_hits_than_the_window_are_asked_for_by_dates():
    # 30 a year from 1939 to 1988; half of them before the middle of 1900 and 2027, which is 1963.
    many = [
        replace(paper, day=f"{1939 + n % 50}-01-15")
        for n, paper in enumerate(papers(1500, pdf=None))
    ]
    with NarrowServer(many) as server:
        items = list(narrow(server).records({}, ()))
        assert len(ids(items)) == len(set(ids(items))) == 1500
        # Everything, two halves a hundred hits at a time, and how many there are.
        assert len(server.requests) == 1 + 8 + 8 + 1

        # From any mark on the rest is listed, and nothing else.
        marks = [at for at, item in enumerate(items) if isinstance(item, Mark)]
        at = marks[11]
        state = json.loads(json.dumps(items[at].state))
        rest = ids(narrow(server).records(state, ids(items[:at])))
        assert sorted(ids(items[:at]) + rest) == ids(items)
        assert server.asked("*control_number%3A*") == 0

        server.requests.clear()
        del server.papers["7"]
        listing = narrow(server)
        assert ids(listing.records(items[-1].state, ids(items))) == []
        assert set(ids(items)) - set(listing.live()) == {"7"}
        # What changed, how many there are, and all ids: too many, and two halves.
        assert len(server.requests) == 1 + 1 + 1 + 1 + 1

    same_day = [replace(paper, day="2020-02-02") for paper in many]
    with (
        NarrowServer(same_day) as server,
        pytest.raises(SourceTrouble, match="more than 1,000 records have the date 2020-02-02"),
    ):
        list(narrow(server).records({}, ()))


def test_a_record_that_is_passed_over_while_paging_is_fetched_in_the_end():
    with InspireServer(papers(150, pdf=None)) as server:

        def move(request):
            # Between two pages the first record goes, and all others move up by one.
            if request.query.get("page") == "2":
                server.papers.pop("99", None)

        server.before = move
        memory = Memory()
        # Two pages, their number, all ids, and the one that had moved to the page before.
        assert memory.run(inspire(server)).requests == 2 + 1 + 1 + 1
        assert memory.pages.keys() - {"papers:99"} == {f"papers:{n}" for n in server.papers}
        assert memory.run(inspire(server)).removed == {"papers:99"}

        server.add(replace(papers(1)[0], id="99", pdf=None))
        server.fault("*control_number%3A*", Fault.SERVER_ERROR)
        with pytest.raises(SourceTrouble, match="was passed over and cannot be read"):
            Memory().run(inspire(server))


def test_a_search_that_lists_less_than_it_says_removes_nothing():
    class Short(InspireServer):
        def answer(self, request):
            answer = super().answer(request)
            if request.query.get("size") == "1000":
                return replace(answer, content='{"hits": {"total": 4, "hits": []}}')
            return answer

    with Short(papers(5, pdf=None)) as server:
        memory = Memory()
        memory.run(inspire(server))
        del server.papers["1"]
        server.tomorrow(3)
        with pytest.raises(SourceTrouble, match="finds 4 records and lists another number"):
            memory.run(inspire(server))
        # What is new is not listed again and again meanwhile.
        assert json.loads(memory.cursor)["listing"] == {"since": "2026-03-03"}


@pytest.mark.parametrize(
    ("content", "told"),
    [("<html>", "not JSON"), ('{"message": "x"}', "another shape"), ("[]", "another shape")],
)
def test_other_shapes_than_those_of_inspire_are_told(content, told):
    class Other(InspireServer):
        def answer(self, request):
            return replace(super().answer(request), content=content)

    with Other(papers(1)) as server, pytest.raises(SourceTrouble, match=told):
        Memory().run(inspire(server))


def test_a_search_of_cds_pages_by_what_it_is_given():
    with CdsServer(papers(7, pdf=None)) as server:
        server.group_limit = 3
        memory = Memory()
        run = memory.run(cds(server, query="atlas", sets=[]))
        assert (len(run.ids(Page)), run.requests) == (7, 3 + 1)
        assert run.ids(Page)[0] == "papers:1"


@pytest.mark.parametrize(
    ("service", "more", "key"),
    [
        ("inspire", {"sets": ["x"]}, "query"),
        ("arxiv", {"query": "x"}, "sets"),
        ("cds", {}, "query"),
    ],
)
def test_settings_say_which_records_are_meant(service, more, key):
    with pytest.raises(ValidationError, match=f"{key} must say which records of {service}"):
        PapersSettings(kind="papers", url="https://x.example", service=service, **more)


def test_a_server_without_a_clock_is_given_ours():
    reply = Reply(200, "https://x.example", {"date": "never"}, b"", "")
    assert day_of(reply) == datetime.now(UTC).date().isoformat()
