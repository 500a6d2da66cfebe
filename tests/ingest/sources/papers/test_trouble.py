"""What fails, and what is kept."""

from dataclasses import replace

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Failure, Gone, Page, Past, Unchanged
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.papers.conftest import SERVICES, arxiv, cds, inspire, papers, told
from tests.servers import Fault
from tests.servers.papers import ArxivServer, CdsServer, InspireServer, Paper


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
