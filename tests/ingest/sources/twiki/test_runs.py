"""A run after a run: what came, changed and went."""

from datetime import UTC, datetime

from ingest.model import Unchanged
from tests.ingest.sources.twiki.conftest import ALL, Reader, closed, given


def test_the_first_run_gives_topics_and_attachments(wiki, clock):
    found = given(Reader(wiki, clock).night())

    assert found.keys() == ALL
    home = found["wiki:Main/WebHome"]
    assert home.url == f"{wiki.url}/bin/view/Main/WebHome"
    assert (home.format, home.author) == ("twiki", "JoeDoe")
    assert home.updated_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert home.version.split() == ["2026-11-01T00:00:00Z", "r1"]
    assert home.content.startswith(b"%META:TOPICINFO")
    rota = found["wiki:Main/ShiftTypes/rota.pdf"]
    assert (rota.content, rota.format) == (b"%PDF-1.4 rota", "")
    assert rota.url == f"{wiki.url}/pub/Main/ShiftTypes/rota.pdf"
    assert rota.version == "r1 1793491200"
    assert found["wiki:Ops/CrashBook"].access == {"trigger-ops"}
    assert {found[i].access for i in ALL - {"wiki:Ops/CrashBook"}} == {frozenset({"collaboration"})}


def test_a_night_with_nothing_new_asks_twice_a_web(wiki, clock):
    reader = Reader(wiki, clock)
    # robots.txt, preferences, feed and list of each web, four topics, one attachment
    assert reader.night().requests == 1 + 2 * 3 + 4 + 1

    run = reader.night()

    assert set(run.ids(Unchanged)) == ALL
    assert not given(run)
    assert not run.failures
    assert run.requests == 1 + 2 * 2
    assert not run.removed


def test_each_change_lands_and_nothing_else_is_touched(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Main", "WebHome", "---+ Welcome\nTo the new wiki.", author="Main.AnnaKjaer")
    wiki.save("Main", "SafetyContacts", "Call 5500.")
    wiki.remove("Ops", "PhoneList")
    wiki.save("Ops", "CrashBook", "   * Set ALLOWTOPICVIEW = ShiftGroup\nRecover.")

    run = reader.night()

    found = given(run)
    assert found.keys() == {"wiki:Main/WebHome", "wiki:Main/SafetyContacts", "wiki:Ops/CrashBook"}
    assert found["wiki:Main/WebHome"].author == "AnnaKjaer"
    assert found["wiki:Main/WebHome"].version.endswith("r2")
    assert found["wiki:Ops/CrashBook"].access == {"shifters"}
    assert run.ids(Unchanged) == ["wiki:Main/ShiftTypes", "wiki:Main/ShiftTypes/rota.pdf"]
    assert run.removed == {"wiki:Ops/PhoneList"}
    # as in a night with nothing new, the list that tells of the removed one, and what changed
    assert run.requests == 5 + 1 + 3


def test_a_web_that_changes_its_readers_changes_all_topics_without_asking_for_any(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.ShiftGroup")
    wiki.save("Ops", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.ShiftGroup")

    run = reader.night()

    assert run.requests == 5
    assert reader.memory.access == dict.fromkeys(ALL, frozenset({"shifters"})) | {
        "wiki:Ops/CrashBook": {"trigger-ops"}  # says so itself
    }


def test_a_topic_that_is_closed_to_us_closes_with_its_files_and_opens_again(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Main", "ShiftTypes", "   * Set ALLOWTOPICVIEW = Main.OtherGroup")

    shut = reader.night()

    both = {"wiki:Main/ShiftTypes", "wiki:Main/ShiftTypes/rota.pdf"}
    assert closed(shut) == both
    assert not shut.removed
    assert {reader.memory.access[i] for i in both} == {frozenset()}
    assert "may not be read by our account" in shut.failures[0].reason
    assert closed(reader.night()) == both

    wiki.save("Main", "ShiftTypes", "---+ Shifts\nThere are four.")
    opened = reader.night()

    assert set(given(opened)) | set(opened.ids(Unchanged)) >= both
    assert {reader.memory.access[i] for i in both} == {frozenset({"collaboration"})}
