"""The windows of the listing, and servers that answer oddly."""

import json
from datetime import date

import pytest

from ingest.errors import FetchError, SourceTrouble
from ingest.model import Page, Past
from ingest.sources.indico.export import FIRST_WINDOW, Export
from tests.ingest.sources.indico.conftest import STAFF, TODAY, page_of, run, slides, source_of
from tests.ingest.sources.memory import Memory
from tests.servers import Fault, json_answer
from tests.servers.indico import IndicoServer, made_event, when

LISTING = "/export/categ/*"


def test_events_are_listed_in_windows_that_suit_their_number():
    days = [date.fromordinal(TODAY.toordinal() - 1 - n // 40).isoformat() for n in range(1200)]
    with IndicoServer([made_event(n, day) for n, day in enumerate(days)], most=1000) as server:
        told = source_of(server, days_back=100, days_ahead=0)
        export = Export("indico", told.settings, told.client, TODAY)
        listed = [event.id for event in export.events()]
        asked = [(request.query["from"], request.query["to"]) for request in server.requests]
        again = [event.id for event in export.events()]

    assert len(listed) == len(set(listed)) == len(again) == 1200
    # 32 days are too many events for one answer, 8 days are well; where there are none the next
    # windows are four times as long.
    assert asked == [
        ("2026-08-15", "2026-09-15"),
        ("2026-09-08", "2026-09-15"),
        ("2026-08-31", "2026-09-07"),
        ("2026-08-23", "2026-08-30"),
        ("2026-08-15", "2026-08-22"),
        ("2026-08-07", "2026-08-14"),
        ("2026-07-06", "2026-08-06"),
        ("2026-06-07", "2026-07-05"),
    ]
    assert export.window == 8
    assert told.requests == 8 + 7


def test_events_over_several_windows_are_told_once():
    long = made_event(1, "2026-01-01")
    long["endDate"] = when("2026-09-01")
    with IndicoServer([long]) as server:
        assert run(server).ids(Page) == ["indico:1"]


def test_events_that_the_account_may_not_see_any_more_are_removed():
    memory = Memory()
    with IndicoServer([made_event(1, "2026-05-19"), made_event(2, "2026-05-19")]) as server:
        run(server, memory)
        server.hidden.add("2")
        assert run(server, memory).removed == {"indico:2"}


def test_the_sign_in_has_to_be_known(monkeypatch):
    monkeypatch.setenv("INDICO_TOKEN", "old")
    auth = {"kind": "token", "env": "INDICO_TOKEN"}
    with IndicoServer([made_event(1, "2026-05-19")], token="new") as server:
        with pytest.raises(FetchError, match="answered 401"):
            run(server, auth=auth)
        monkeypatch.setenv("INDICO_TOKEN", "new")
        assert run(server, auth=auth).ids(Page) == ["indico:1"]


class Odd(IndicoServer):
    """Says what a function says."""

    def __init__(self, say):
        super().__init__()
        self.say = say

    def answer(self, request):
        return json_answer(self.say(request))


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ([], "is not an object"),
        ({"count": 0}, "has no list of results"),
        ({"results": [{"title": "x"}]}, "an event with the id ''"),
        ({"results": [{"id": "../../x"}]}, "an event with the id '../../x'"),
        ({"results": [4]}, "an event with the id ''"),
        ({"results": [], "complete": False}, "of 2026-11-14 leaves events out"),
    ],
)
def test_a_listing_that_is_none_ends_the_run_of_the_source(answer, what):
    with Odd(lambda request: answer) as server, pytest.raises(SourceTrouble, match=what):
        run(server)


def test_a_server_that_chokes_on_a_window_is_asked_for_less():
    with IndicoServer([made_event(1, "2026-09-15")]) as server:
        server.fault(LISTING, Fault.SERVER_ERROR, times=2)  # for 21 days and for 5
        first = run(server, retries=0, days_back=20, days_ahead=0)
        assert first.ids(Page) == ["indico:1"]
        server.fault(LISTING, Fault.SERVER_ERROR)
        with pytest.raises(FetchError, match="500"):
            run(server, retries=0)
        server.mend()
        server.fault(LISTING, Fault.VANISHED, times=1)
        with pytest.raises(FetchError, match="404"):
            run(server, retries=0)


def test_events_of_old_indicos_tell_less_and_are_read_all_the_same():
    old = {
        "_type": "Conference",
        "id": 137346,
        "title": "Export Test",
        "startDate": None,
        "categoryId": 7,
        "contributions": [
            {"_type": "Contribution", "id": "1", "title": "d1c2", "folders": "none"},
            "odd",
        ],
        "folders": [
            {"attachments": [{"filename": "a/b:c.pdf", "download_url": "/files/x.pdf"}, {}]},
        ],
    }
    files = {"x.pdf": b"text"}

    class Old(IndicoServer):
        def answer(self, request):
            if request.path.startswith("/export/"):
                return json_answer({"results": [old]})
            return super().answer(request)

    memory = Memory()
    with Old(files=files) as server:
        first = run(server, memory, groups={"category:7": ["staff"]})
        again = run(server, memory, groups={"category:7": ["staff"]})

    (attachment,) = [page for page in memory.pages if "attachment" in page]
    assert attachment.endswith("/a_b_c.pdf")
    assert first.ids(Page) == sorted(["indico:137346", attachment])
    assert set(memory.access.values()) == {STAFF}
    assert memory.pages["indico:137346"].url == f"{server.url}/event/137346/"
    # Without a checksum or a date a file has to be fetched each time.
    assert again.ids(Page) == [attachment]


def test_what_exists_is_not_said_before_it_was_listed():
    with IndicoServer() as server:
        source = source_of(server)
        assert source.live_ids() is None
        assert source.requests == 0
        list(source.pages(Past(cursor="soon")))
        assert list(source.live_ids()) == []


def test_a_listing_begins_with_a_small_window():
    with IndicoServer() as server:
        run(server, days_back=3650)
        since, until = (date.fromisoformat(server.requests[0].query[n]) for n in ("from", "to"))
        assert (until - since).days == FIRST_WINDOW - 1
        assert len(server.requests) == 5


def test_pages_of_an_event_are_json_that_a_person_can_read():
    with IndicoServer([slides()], files={"menu.pdf": b"first"}) as server:
        first = run(server)

    told = json.loads(page_of(first, "indico:5").content)
    assert told["contributions"][0]["speakers"] == ["Ada Kroll"]
    assert told["contributions"][0]["folders"] == [
        {"attachments": [{"title": "menu", "filename": "menu.pdf"}]}
    ]
