import json
from datetime import UTC, date, datetime

import pytest

from ingest.chunk import chunk
from ingest.errors import FetchError, SourceTrouble
from ingest.model import Page, Past, Unchanged
from ingest.parse import parse
from ingest.source_settings import IndicoSettings
from ingest.sources.indico import BATCH, IndicoSource
from ingest.sources.indico.export import FIRST_WINDOW, Export
from ingest.sources.indico.rights import attachment_access, event_access, talk_access
from tests.ingest.sources.memory import Memory
from tests.servers import Fault, client_for, json_answer, settings_for
from tests.servers.indico import (
    IndicoServer,
    attached,
    folder,
    made_event,
    sample_events,
    sample_files,
    talk,
    when,
)

TODAY = date(2026, 9, 15)
STAFF = frozenset({"staff"})
PUBLIC = frozenset({"public"})
LISTING = "/export/categ/*"
WHOLE = "/export/event/*"


def source_of(server, today=TODAY, **settings):
    chosen = {"kind": "indico", "categories": [7], "refresh_days": 0, "days_back": 365, **settings}
    told = settings_for(server, IndicoSettings, **chosen)
    return IndicoSource("indico", told, client_for(told), today=lambda: today)


def run(server, memory=None, **settings):
    """One run, after those that the memory knows."""
    return (memory or Memory()).run(source_of(server, **settings))


def page_of(run, page_id):
    (found,) = [item for item in run.items if isinstance(item, Page) and item.id == page_id]
    return found


def slides(number=5, name="menu.pdf", **more):
    """A meeting in May with one talk that has slides."""
    file = attached(50 + number, name, **more)
    menu = talk(1, "Status of menu v8", "Kroll, Ada", folders=folder(file))
    return made_event(number, "2026-05-19", title="Trigger meeting", contributions=[menu])


def test_a_first_run_reads_the_sample_with_its_slides():
    memory = Memory()
    with IndicoServer(sample_events(), files=sample_files()) as server:
        first = run(server, memory, categories=[7, 9], groups={"category:0": ["staff"]})

    events = [item.id for item in first.items if isinstance(item, Page) and "/" not in item.id]
    assert sorted(events) == sorted(f"indico:{event['id']}" for event in sample_events())
    assert len(first.ids(Page)) == len(sample_events()) + len(sample_files())
    assert first.failures == []
    assert memory.access["indico:40466"] == STAFF
    assert memory.access["indico:40211"] == PUBLIC
    # Three windows of the year and of the days ahead, one question a batch of events, each file.
    batches = -(-len(sample_events()) // BATCH)
    assert first.requests == 3 + batches + len(sample_files())
    (document,) = parse(memory.pages["indico:40211"])
    assert (document.id, document.title) == ("indico:40211", "Trigger meeting")
    assert document.url == "https://indico.meridian.example/event/40211/"
    menu = next(page for page in memory.pages if "menu_v8_status.pdf" in page)
    for piece in chunk(parse(memory.pages[menu])[0]):
        assert piece.header.startswith(
            "Trigger meeting › Status of menu v8 after six weeks (Yusuf Bektaroğlu) › Slides"
        )
        assert piece.header.endswith("2026-05-19")


def test_each_piece_of_a_talk_says_event_speaker_and_day():
    minutes = "".join(f"<p>Point {number}: {'rate ' * 50}</p>" for number in range(9))
    menu = talk(1, "Menu v8", "Kroll, Ada", note={"html": minutes})
    event = made_event(5, "2026-05-19", title="Trigger meeting", contributions=[menu])
    with IndicoServer([event]) as server:
        first = run(server)

    pieces = [p for p in chunk(parse(page_of(first, "indico:5"))[0]) if "Point" in p.text]
    assert len(pieces) > 1
    for piece in pieces:
        assert piece.header == "Trigger meeting › Menu v8 (Ada Kroll) › Minutes › 2026-05-19"


def test_a_second_run_with_nothing_new_lists_the_period_and_fetches_nothing():
    memory = Memory()
    events = [slides(number) for number in range(1, 31)]
    with IndicoServer(events, files={"menu.pdf": b"%PDF-1.4"}) as server:
        first = run(server, memory)
        second = run(server, memory)

    assert first.requests == 3 + 2 + 30
    assert second.requests == 1
    assert second.ids(Page) == []
    assert second.ids(Unchanged) == sorted(f"indico:{number}" for number in range(1, 31))
    assert second.removed == set()


def test_one_changed_one_added_one_removed_and_one_restricted_land_exactly():
    memory = Memory()
    groups = {"category:7": ["staff"]}
    events = [slides(number) for number in range(1, 11)]
    with IndicoServer(events, files={"menu.pdf": b"first"}) as server:
        run(server, memory, groups=groups)
        before = dict(memory.pages)
        server.events["2"]["description"] = "Another"
        server.events["11"] = slides(11)
        del server.events["3"]
        server.events["4"]["hasAnyProtection"] = True
        second = run(server, memory, groups=groups)

    eleven = ["indico:11", "indico:11/attachment/61/menu.pdf"]
    # What is restricted is given again with the same bytes: nothing to parse.
    assert second.ids(Page) == sorted(["indico:2", "indico:4", *eleven])
    assert memory.pages["indico:4"].content == before["indico:4"].content
    assert b"Another" in memory.pages["indico:2"].content
    assert second.removed == {"indico:3", "indico:3/attachment/53/menu.pdf"}
    restricted = {page for page, access in memory.access.items() if access != PUBLIC}
    assert restricted == {"indico:4", "indico:4/attachment/54/menu.pdf"}
    assert memory.access["indico:4/attachment/54/menu.pdf"] == STAFF
    assert second.requests == 1 + 1 + 1


def test_another_mapping_in_the_settings_reaches_events_and_files_without_fetching_them():
    memory = Memory()
    closed = [{**slides(number), "hasAnyProtection": True} for number in (1, 2)]
    with IndicoServer(closed, files={"menu.pdf": b"first"}) as server:
        run(server, memory)
        assert set(memory.access.values()) == {frozenset()}
        run(server, memory, groups={"category:7": ["staff"]})

    assert set(memory.access.values()) == {STAFF}
    assert server.asked("*menu.pdf") == 2


def settings(**groups):
    named = {name.replace("category_", "category:"): to for name, to in groups.items()}
    told = {"kind": "indico", "url": "https://i.example", "categories": [1], "groups": named}
    return IndicoSettings.model_validate(told)


MAPPED = settings(trigger=["trig"], category_7=["staff"], category_1=["lab"], category_4=[])
ADA = MAPPED.model_copy(update={"groups": {**MAPPED.groups, "ada@x.example": frozenset({"ada"})}})


@pytest.mark.parametrize(
    ("event", "categories", "expected"),
    [
        ({"hasAnyProtection": False}, "7 1 0", PUBLIC),
        ({"hasAnyProtection": False, "allowed": {"groups": ["trigger"]}}, "7", PUBLIC),
        ({"hasAnyProtection": True}, "7 1 0", STAFF),
        ({"hasAnyProtection": True}, "8 1 0", {"lab"}),
        ({"hasAnyProtection": True}, "4 1 0", set()),
        ({"hasAnyProtection": True}, "8 0", set()),
        ({"hasAnyProtection": True}, "", set()),
        ({"hasAnyProtection": None}, "7", STAFF),
        ({"hasAnyProtection": "no"}, "8", set()),
        ({}, "7 1", STAFF),
        ({}, "8", set()),
        ({"visibility": {"name": "Everywhere"}}, "8", set()),
        (
            {"hasAnyProtection": True, "allowed": {"groups": ["trigger"], "users": []}},
            "7",
            {"trig"},
        ),
        ({"hasAnyProtection": True, "allowed": {"groups": ["others"]}}, "7", set()),
        (
            {"allowed": {"groups": ["trigger"], "users": ["ada@x.example", "bo@x.example"]}},
            "7",
            {"trig", "ada"},
        ),
        ({"hasAnyProtection": True, "allowed": {"users": [], "groups": []}}, "7", set()),
        ({"hasAnyProtection": True, "allowed": None}, "7", set()),
        ({"hasAnyProtection": True, "allowed": {"groups": "trigger", "users": [3]}}, "7", set()),
    ],
)
def test_who_may_read_an_event(event, categories, expected):
    assert event_access(event, categories.split(), ADA) == expected


@pytest.mark.parametrize(
    ("talk", "event", "own", "expected"),
    [
        ({}, {}, PUBLIC, PUBLIC),
        ({"allowed": {"groups": ["a"]}}, {"allowed": {"groups": ["a"]}}, STAFF, STAFF),
        ({"allowed": {"groups": ["trigger"]}}, {"allowed": {"groups": ["a"]}}, STAFF, {"trig"}),
        ({"allowed": {"groups": ["trigger"]}}, {}, PUBLIC, {"trig"}),
        ({"allowed": {"groups": ["others"]}}, {}, PUBLIC, set()),
        ({"allowed": {"groups": []}}, {"allowed": {"groups": ["a"]}}, STAFF, set()),
        ({"allowed": {"groups": []}}, {}, PUBLIC, PUBLIC),
    ],
)
def test_who_may_read_a_talk(talk, event, own, expected):
    assert talk_access(talk, event, own, MAPPED) == expected


@pytest.mark.parametrize(
    ("protected", "event", "owner", "categories", "expected"),
    [
        ((False, False), {}, PUBLIC, "7", PUBLIC),
        ((False, False), {}, STAFF, "7", STAFF),
        ((True, False), {}, PUBLIC, "7", STAFF),
        ((False, True), {}, PUBLIC, "7", STAFF),
        ((None, False), {}, PUBLIC, "7", STAFF),
        ((False, None), {}, PUBLIC, "8", set()),
        ((True, True), {}, {"trig"}, "7", {"trig"}),
        ((True, True), {}, frozenset(), "7", set()),
        ((True, True), {"allowed": {"groups": ["trigger"]}}, {"trig"}, "7", set()),
        ((True, False), {"allowed": {"groups": []}}, PUBLIC, "7", set()),
        ((False, False), {"allowed": {"groups": []}}, PUBLIC, "7", PUBLIC),
    ],
)
def test_who_may_read_an_attachment(protected, event, owner, categories, expected):
    attachment, of = ({"is_protected": told} for told in protected)

    found = attachment_access(attachment, of, event, owner, categories.split(), MAPPED)

    assert found == expected


def test_what_not_every_reader_of_an_event_may_read_stands_apart_or_is_left_out():
    readers = {"users": [], "groups": ["all"]}
    few = {"users": [], "groups": ["few"]}
    secret = attached(60, "secret-plan.pdf", protected=True)
    open_talk = talk(1, "Open", "Kroll, Ada", allowed=readers)
    closed_talk = talk(2, "Closed", "Lund, Bo", allowed=few, description="The plan")
    event = made_event(
        5,
        "2026-05-19",
        hasAnyProtection=True,
        allowed=readers,
        creator={"fullName": "Kroll, Ada", "email": "ada@x.example", "emailHash": "5f1"},
        contributions=[open_talk, closed_talk],
        folders=folder(secret),
    )
    groups = {"all": ["staff"], "few": ["board"]}
    with IndicoServer([event], files={"secret-plan.pdf": b"%PDF"}) as server:
        server.manages.add("5")
        memory = Memory()
        first = run(server, memory, groups=groups)

        assert first.ids(Page) == [
            "indico:5",
            "indico:5/attachment/60/secret-plan.pdf",
            "indico:5/contribution/2",
        ]
        assert memory.access["indico:5"] == STAFF
        assert memory.access["indico:5/contribution/2"] == {"board"}
        assert memory.access["indico:5/attachment/60/secret-plan.pdf"] == frozenset()
        content = memory.pages["indico:5"].content
        for told in (b"secret-plan", b"Closed", b"x.example", b"emailHash", b"groups"):
            assert told not in content
        (apart,) = parse(memory.pages["indico:5/contribution/2"])
        assert apart.id == "indico:5/contribution/2"
        assert (apart.title, apart.author) == ("Meeting 5 › Closed (Bo Lund)", "Bo Lund")
        assert "The plan" in apart.text

        # Given its event's readers, it goes back among the others.
        server.events["5"]["contributions"][1]["allowed"] = readers
        server.events["5"]["description"] = "Changed"
        second = run(server, memory, groups=groups)
        assert second.removed == {"indico:5/contribution/2"}
        assert b"The plan" in memory.pages["indico:5"].content


def test_events_of_the_last_days_are_read_anew_and_older_ones_in_turns():
    memory = Memory()
    events = [made_event(number, "2026-05-19") for number in range(1, 61)]
    events.append(made_event(99, "2026-09-10", contributions=[talk(1, "Recent")]))
    with IndicoServer(events) as server:
        run(server, memory, refresh_days=30)
        server.events["99"]["contributions"][0]["note"] = {"html": "<p>Minutes came.</p>"}
        for number in range(1, 61):
            server.events[str(number)]["contributions"] = [talk(1, "Late")]
        second = run(server, memory, refresh_days=30)
        assert "indico:99" in second.ids(Page)
        assert len(second.ids(Page)) < 15

        changed = {*second.ids(Page)}
        for day in range(1, 30):
            today = date.fromordinal(TODAY.toordinal() + day)
            changed |= set(run(server, memory, refresh_days=30, today=today).ids(Page))
        assert changed == {f"indico:{number}" for number in [*range(1, 61), 99]}


def test_attachments_that_change_are_fetched_and_others_are_not():
    memory = Memory()
    with IndicoServer([slides()], files={"menu.pdf": b"first"}) as server:
        run(server, memory, refresh_days=365)
        assert run(server, memory, refresh_days=365).ids(Page) == []
        server.files["menu.pdf"] = b"second"
        second = run(server, memory, refresh_days=365)

    page_id = "indico:5/attachment/55/menu.pdf"
    assert second.ids(Page) == [page_id]
    page = memory.pages[page_id]
    assert page.content == b"second"
    assert page.title == "Trigger meeting › Status of menu v8 (Ada Kroll) › menu"
    assert (page.author, page.format) == ("Ada Kroll", "")
    assert page.updated_at == datetime(2026, 5, 19, 14, tzinfo=UTC)
    assert page.url == f"{server.url}/event/1/attachments/55/menu.pdf"


def test_attachments_hang_on_events_sessions_talks_and_parts_of_talks():
    part = talk(1, "Muons", "Lund, Bo", folders=folder(attached(4, "d.docx")))
    plenary = talk(
        3, "Plenary", "Kroll, Ada", session="Monday", folders=folder(attached(3, "c.pdf"))
    )
    block = {
        "_type": "SessionSlot",
        "id": 8,
        "title": "Monday morning",
        "startDate": when("2026-05-18"),
        "note": {"html": "<p>Coffee was late.</p>"},
        "conveners": [{"fullName": "Chair, Eve"}],
        "contributions": [plenary],
        "session": {"id": "2", "title": "Monday", "folders": folder(attached(2, "b.pptx"))},
    }
    hidden = {**block, "title": "Board", "note": {"html": "hidden"}, "allowed": {"groups": ["x"]}}
    unplaced = talk(9, "Poster", "Noor, Ida", session="Monday")
    event = made_event(
        5,
        "2026-05-18",
        title="Week",
        type="simple_event",
        chairs=[{"fullName": "Sollheim, Ingrid"}],
        folders=folder(attached(1, "a.pdf"), attached(6, "e.zip"), attached(7, "f.pdf")),
        contributions=[{**plenary, "subContributions": [part]}, unplaced],
        sessions=[block, {**block, "title": "Monday afternoon", "note": None}, hidden],
    )
    event["folders"][0]["attachments"][2].pop("filename")  # as a link, which has no file
    files = dict.fromkeys(["a.pdf", "b.pptx", "c.pdf", "d.docx"], b"text")
    with IndicoServer([event], files=files) as server:
        server.manages.add("5")
        memory = Memory()
        first = run(server, memory)

    names = {page.id.rpartition("/")[2]: page.title for page in memory.pages.values()}
    assert names == {
        "indico:5": "",
        "a.pdf": "Week (Ingrid Sollheim) › a",
        "b.pptx": "Week › Monday morning › b",
        "c.pdf": "Week › Plenary (Ada Kroll) › c",
        "d.docx": "Week › Plenary › Muons (Bo Lund) › d",
    }
    assert memory.pages["indico:5/attachment/4/d.docx"].author == "Bo Lund"
    assert first.requests == 3 + 2 + 4
    text = parse(memory.pages["indico:5"])[0].text
    for told in ("Session: Monday morning", "Conveners: Eve Chair", "Coffee was late.", "Poster"):
        assert told in text
    assert text.count("Plenary (Ada Kroll)") == 1
    assert "hidden" not in text


def test_without_material_there_are_neither_minutes_nor_files():
    event = {**slides(), "note": {"html": "<p>Minutes</p>"}}
    with IndicoServer([event], files={"menu.pdf": b"first"}) as server:
        first = run(server, material=False)

    assert first.ids(Page) == ["indico:5"]
    assert b"Minutes" not in page_of(first, "indico:5").content
    assert b"menu" not in page_of(first, "indico:5").content.replace(b"menu v8", b"")


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
