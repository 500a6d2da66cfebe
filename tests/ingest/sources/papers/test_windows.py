"""Lists that are longer than a server tells at once, and settings."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from ingest.errors import SourceTrouble
from ingest.http import Reply
from ingest.model import Page
from ingest.source_settings import PapersSettings
from ingest.sources.papers.inspire import InspireSearch
from ingest.sources.papers.records import Mark, Record
from ingest.sources.papers.search import SearchListing, day_of
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.papers.conftest import cds, inspire, papers
from tests.servers import Fault
from tests.servers.papers import CdsServer, InspireServer


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
