"""What fails, and what is kept meanwhile."""

from ingest.model import Page
from tests.ingest.sources.indico.conftest import STAFF, run, slides, source_of
from tests.ingest.sources.memory import Memory
from tests.servers import Fault
from tests.servers.indico import IndicoServer, attached, folder, made_event

WHOLE = "/export/event/*"


def test_a_file_that_cannot_be_had_fails_alone_and_is_tried_again_when_due():
    memory = Memory()
    names = ["gone.pdf", "closed.pdf", "large.pdf", "good.pdf"]
    files = folder(
        *(attached(number, name) for number, name in enumerate(names)),
    )
    files[0]["attachments"][2]["size"] = 60_000_000
    event = made_event(5, "2026-05-19", folders=files)
    with IndicoServer([event], files=dict.fromkeys(names, b"text")) as server:
        server.fault("*/gone.pdf", Fault.VANISHED)
        server.fault("*/closed.pdf", Fault.LOGIN_PAGE)
        first = run(server, memory)
        told = [(f.page_id.rpartition("/")[2], f.forbidden) for f in first.failures]
        assert told == [("gone.pdf", False), ("closed.pdf", True), ("large.pdf", False)]
        assert first.failures[0].reason.startswith("gone.pdf of Meeting 5 › gone cannot be fetched")
        assert "60,000,000 bytes, more than max_bytes = 50,000,000" in first.failures[2].reason
        assert first.ids(Page) == ["indico:5", "indico:5/attachment/3/good.pdf"]
        assert server.asked("*/large.pdf") == 0

        server.mend()
        memory.patient = True
        waited = run(server, memory)
        assert (waited.ids(Page), waited.removed, waited.requests) == ([], set(), 1)
        memory.patient = False
        again = run(server, memory)
        near = "indico:5/attachment"
        assert again.ids(Page) == [f"{near}/0/gone.pdf", f"{near}/1/closed.pdf"]
        assert [failure.page_id for failure in again.failures] == [f"{near}/2/large.pdf"]


def test_an_event_that_cannot_be_read_does_not_hold_up_the_others():
    memory = Memory()
    events = [made_event(number, "2026-05-19") for number in (1, 2, 3, 4)]
    with IndicoServer(events) as server:
        server.fault("/export/event/*2*", Fault.SERVER_ERROR)
        first = run(server, memory, retries=0)
        assert first.ids(Page) == ["indico:1", "indico:3", "indico:4"]
        assert [failure.page_id for failure in first.failures] == ["indico:2"]
        assert first.failures[0].reason.startswith("Event 2 cannot be read: ")

        memory.patient = True
        waited = run(server, memory)
        assert (waited.requests, waited.failures, waited.removed) == (1, [], set())
        server.mend()
        memory.patient = False
        assert run(server, memory).ids(Page) == ["indico:2"]


def test_the_files_of_an_event_that_cannot_be_read_any_more_stay():
    memory = Memory()
    with IndicoServer([slides()], files={"menu.pdf": b"first"}) as server:
        run(server, memory)
        server.events["5"]["description"] = "Changed"
        server.fault(WHOLE, Fault.SERVER_ERROR)
        second = run(server, memory, retries=0)

    assert [failure.page_id for failure in second.failures] == ["indico:5"]
    assert second.removed == set()


def test_an_event_that_is_restricted_and_cannot_be_read_is_closed_with_its_files():
    memory = Memory()
    groups = {"category:7": ["staff"]}
    with IndicoServer([slides()], files={"menu.pdf": b"first"}) as server:
        run(server, memory, groups=groups)
        server.events["5"]["hasAnyProtection"] = True
        server.fault(WHOLE, Fault.SERVER_ERROR)
        run(server, memory, groups=groups, retries=0)
        file = "indico:5/attachment/55/menu.pdf"
        assert memory.access == {"indico:5": STAFF, file: frozenset()}
        memory.patient = True
        run(server, memory, groups=groups)
        assert memory.access == {"indico:5": STAFF, file: frozenset()}
        memory.patient = False
        server.mend()
        run(server, memory, groups=groups)
        assert memory.access == {"indico:5": STAFF, file: STAFF}


def test_an_event_that_vanishes_between_listing_and_reading_waits_for_the_next_run():
    memory = Memory()
    with IndicoServer([slides(1), slides(2)], files={"menu.pdf": b"first"}) as server:
        run(server, memory)
        server.events["1"]["description"] = "Changed"

        def vanish(request):
            if request.path.startswith("/export/event"):
                server.events.pop("1", None)

        server.before = vanish
        second = run(server, memory)
        assert (second.ids(Page), second.removed) == ([], set())
        assert run(server, memory).removed == {"indico:1", "indico:1/attachment/51/menu.pdf"}


def test_a_killed_run_goes_on_with_what_it_has_not_given():
    memory = Memory()
    events = [slides(number) for number in range(1, 31)]
    with IndicoServer(events, files={"menu.pdf": b"first"}) as server:
        # After the cursor two items an event: the file of the fifth is given, the event is not.
        killed = memory.run(source_of(server), stop_after=10)
        rest = run(server, memory)

    assert len(killed.ids(Page)) == 9
    assert sorted(killed.ids(Page) + rest.ids(Page)) == sorted(memory.pages)
    assert len(memory.pages) == 60
    assert server.asked("*menu.pdf") == 30
    assert rest.removed == set()
