"""Topics and their files, one by one."""

from dataclasses import replace
from pathlib import Path

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Gone
from ingest.parse import parse
from tests.ingest.sources.twiki.conftest import (
    ALL,
    DAY,
    Reader,
    closed,
    fill,
    given,
    sign_in,
    source_for,
)
from tests.servers import Answer, Fault
from tests.servers.twiki import TwikiServer

SAMPLE = Path(__file__).parents[4] / "sample" / "twiki"


def test_the_rendered_page_is_taken_where_raw_text_is_refused(clock, monkeypatch):
    with TwikiServer(foswiki=True, wall=clock.wall) as server:
        fill(server)
        reader = Reader(server, clock, auth=None)
        run = reader.night()  # as a guest: raw text is for those who have signed in

        found = given(run)
        assert found.keys() == {"wiki:Main/WebHome", "wiki:Main/ShiftTypes", "wiki:Ops/PhoneList"}
        home = found["wiki:Main/WebHome"]
        assert (home.format, home.url) == ("html", f"{server.url}/bin/view/Main/WebHome")
        assert home.access == {"collaboration"}  # what a guest is shown, anybody is
        assert "To the wiki." in parse(home)[0].text
        assert server.asked("*raw=all*") == 2  # only WebPreferences, once a web
        assert not given(reader.night())

        sign_in(server, monkeypatch)
        signed_in = Reader(server, clock)
        server.raw_for = "none"
        found = given(signed_in.night())
        assert {page.access for page in found.values()} == {frozenset()}
        signed_in.night(rendered_access=["readers"])
        assert set(signed_in.memory.access.values()) == {frozenset({"readers"})}

        server.raw_for = "members"
        raw = signed_in.night(rendered_access=["readers"])
        assert given(raw).keys() == ALL
        assert {page.format for page in given(raw).values()} == {"twiki", ""}
        assert signed_in.memory.access["wiki:Ops/CrashBook"] == {"trigger-ops"}

        server.raw_for = "none"
        server.save("Main", "ShiftTypes", "---+ Shifts\nFour.")
        shown = signed_in.night(rendered_access=["readers"])
        assert given(shown).keys() == {"wiki:Main/ShiftTypes"}
        assert signed_in.memory.access["wiki:Main/ShiftTypes/rota.pdf"] == {"readers"}
        assert not shown.removed


def test_a_page_instead_of_one_raw_text_is_taken_as_it_is(wiki, clock):
    wiki.save("Ops", "Odd", "   * Set ALLOWTOPICVIEW = *")
    answer = wiki.answer

    def odd(request):
        plain = request.path.endswith("/Odd")
        return answer(replace(request, query={}) if plain else request)

    wiki.answer = odd

    page = given(Reader(wiki, clock, rendered_access=["readers"]).night())["wiki:Ops/Odd"]

    assert (page.format, page.access) == ("html", {"readers"})


def test_attachments_change_vanish_fail_and_come_back(wiki, clock):
    rota = "wiki:Main/ShiftTypes/rota.pdf"
    reader = Reader(wiki, clock)
    reader.night()
    wiki.attach("Main", "ShiftTypes", "rota.pdf", b"%PDF-1.4 new rota", version=2)
    wiki.attach("Main", "ShiftTypes", "notes.md", b"# Notes")
    wiki.fault("/pub/*/notes.md", Fault.VANISHED, times=1)

    second = reader.night()

    assert given(second).keys() == {"wiki:Main/ShiftTypes", rota}
    assert given(second)[rota].content == b"%PDF-1.4 new rota"
    (failure,) = second.failures
    assert failure.page_id == "wiki:Main/ShiftTypes/notes.md"
    assert "404" in failure.reason
    assert not failure.forbidden

    third = reader.night()  # the topic is as it was, but leads to the one that failed

    assert given(third).keys() == {"wiki:Main/ShiftTypes/notes.md"}
    assert not third.failures

    wiki.detach("Main", "ShiftTypes", "rota.pdf")
    fourth = reader.night()
    assert fourth.ids(Gone) == [rota]
    assert fourth.removed == {rota}


def test_attachments_can_be_left_out_and_taken_in_again(wiki, clock):
    rota = "wiki:Main/ShiftTypes/rota.pdf"
    reader = Reader(wiki, clock)
    reader.night()

    assert reader.night(attachments=False).removed == {rota}
    assert given(reader.night()).keys() == {rota}


def test_a_file_that_is_too_large_is_not_asked_for(wiki, clock):
    reader = Reader(wiki, clock, max_bytes=5000)
    wiki.attach("Main", "ShiftTypes", "rota.pdf", b"%PDF" + bytes(5000))

    (failure,) = reader.night().failures

    assert failure.reason.endswith("has 5,004 bytes, more than max_bytes = 5,000 allows.")
    assert wiki.asked("/pub/*") == 0


def test_a_topic_that_fails_is_a_failure_and_keeps_what_was_known(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Main", "ShiftTypes", "---+ Shifts\nFive.")
    answer = wiki.answer

    def broken(request):
        if request.path.endswith("/ShiftTypes"):
            return Answer("TWiki detected an internal error - see the log.", type="text/plain")
        return answer(request)

    wiki.answer = broken
    run = reader.night()

    (failure,) = run.failures
    assert failure.reason == (
        f"wiki: {wiki.url}/bin/view/Main/ShiftTypes?raw=all tells of an internal error of the wiki."
    )
    assert not run.removed
    # While it waits for its next try it is left alone, unless it has to be closed.
    reader.memory.patient = True
    asked = wiki.asked("*/ShiftTypes*")
    assert not reader.night().failures
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = NobodyGroup, CrawlerUser")
    assert closed(reader.night()) == {"wiki:Main/ShiftTypes", "wiki:Main/ShiftTypes/rota.pdf"}
    assert wiki.asked("*/ShiftTypes*") == asked


def test_a_topic_that_waits_is_not_asked_for_because_of_its_file(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    asked = wiki.asked("*/ShiftTypes*")
    rota = frozenset({"wiki:Main/ShiftTypes/rota.pdf"})
    topic = frozenset({"wiki:Main/ShiftTypes"})

    list(source_for(wiki, clock).pages(replace(reader.memory.past, retry=rota, waiting=topic)))
    assert wiki.asked("*/ShiftTypes*") == asked
    list(source_for(wiki, clock).pages(replace(reader.memory.past, retry=rota)))
    assert wiki.asked("*/ShiftTypes*") == asked + 2


def test_a_file_that_waits_for_its_next_try_closes_with_its_topic(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.attach("Main", "ShiftTypes", "rota.pdf", b"%PDF-1.4 new", version=2)
    wiki.fault("/pub/*", Fault.VANISHED)
    reader.night()
    reader.memory.patient = True

    assert not reader.night().failures
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = CrawlerUser")
    assert closed(reader.night()) == {"wiki:Main/ShiftTypes/rota.pdf"}
    assert reader.memory.access["wiki:Main/ShiftTypes/rota.pdf"] == frozenset()


def test_robots_txt_is_obeyed_and_named(wiki, clock):
    wiki.robots = "User-agent: *\nDisallow: /pub/\n"
    reader = Reader(wiki, clock)

    (failure,) = reader.night().failures

    assert failure.page_id == "wiki:Main/ShiftTypes/rota.pdf"
    assert "not allowed by the wiki's robots.txt" in failure.reason
    wiki.robots = "User-agent: *\nDisallow: /bin/\n"
    with pytest.raises(SourceTrouble, match=r"set robots = false in \[sources.wiki\]"):
        reader.night()
    assert len(given(reader.night(robots=False))) == 1


def test_a_second_change_in_the_same_minute_is_not_missed(wiki, clock):
    reader = Reader(wiki, clock)
    clock.sleep(DAY)
    wiki.save("Ops", "PhoneList", "First")
    clock.passed -= DAY  # the run begins in the minute of the change
    assert given(reader.night())["wiki:Ops/PhoneList"].version.startswith("2026-11-03T00:00:00Z~")
    wiki.webs["Ops"]["PhoneList"].text += "Second"

    assert given(reader.night()).keys() == {"wiki:Ops/PhoneList"}
    assert not given(reader.night())


def test_guests_are_left_the_view_script_where_the_web_server_signs_people_in(wiki, clock):
    reader = Reader(wiki, clock, script="viewauth")

    assert given(reader.night())["wiki:Ops/CrashBook"].url.endswith("/bin/view/Ops/CrashBook")
    assert wiki.asked("/bin/view/*") == 0


def test_text_of_another_charset_and_hidden_topics(wiki, clock):
    wiki.charset = "iso-8859-1"
    wiki.save("Ops", "Geneva", "---+ Genève\n   * Set ALLOWTOPICVIEW = Main.ShiftGroup")
    wiki.save("Ops", "TopicTemplate", "Not read")
    wiki.save("Ops", "Kælder", "Basement")

    found = given(Reader(wiki, clock).night())

    assert "wiki:Ops/TopicTemplate" not in found
    assert "Genève" in parse(found["wiki:Ops/Geneva"])[0].text
    assert found["wiki:Ops/Geneva"].access == {"shifters"}
    assert found["wiki:Ops/Kælder"].url.endswith("/Ops/K%C3%A6lder")


def test_the_sample_is_read_with_the_rights_its_topics_name(clock, monkeypatch):
    with TwikiServer(wall=clock.wall) as server:
        server.load(SAMPLE)
        sign_in(server, monkeypatch)
        webs = sorted(server.webs)
        reader = Reader(server, clock, webs=webs, attachments=False)

        found = given(reader.night())

        assert len(found) == len(list(SAMPLE.rglob("*.txt")))
        by_web = {
            web: {page.access for i, page in found.items() if i.startswith(f"wiki:{web}/")}
            for web in webs
        }
        assert by_web["PhysicsBoard"] == {frozenset({"physics-board"})}
        assert by_web["TriggerOps"] == {frozenset({"trigger-ops"})}
        assert by_web["Trigger"] == {frozenset({"collaboration"})}
        assert all(parse(page) for page in found.values())
        assert reader.night().requests == 1 + 2 * len(webs)
