"""A run after a run: what came, changed, went and was restricted."""

from ingest.chunk import chunk
from ingest.model import Page, Unchanged
from ingest.parse import parse
from ingest.sources.indico import BATCH
from tests.ingest.sources.indico.conftest import PUBLIC, STAFF, page_of, run, slides
from tests.ingest.sources.memory import Memory
from tests.servers.indico import IndicoServer, made_event, sample_events, sample_files, talk


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
