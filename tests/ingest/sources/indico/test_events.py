"""Which events are read anew, and what hangs on them."""

from datetime import UTC, date, datetime

from ingest.model import Page
from ingest.parse import parse
from tests.ingest.sources.indico.conftest import TODAY, page_of, run, slides
from tests.ingest.sources.memory import Memory
from tests.servers.indico import IndicoServer, attached, folder, made_event, talk, when


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
