"""The TWiki and Foswiki source against a small wiki on loopback."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Gone, Page, Unchanged
from ingest.parse import parse
from ingest.source_settings import TwikiSettings
from ingest.sources.twiki import TwikiSource
from ingest.sources.twiki.lists import feed_topics, linked_topics
from ingest.sources.twiki.rights import (
    RENDERED,
    UNCLEAR,
    Rights,
    access_of,
    topic_rights,
    web_rights,
)
from tests.ingest.sources.memory import Memory
from tests.servers import Answer, Fault, StillClock, client_for, settings_for
from tests.servers.twiki import TwikiServer

SAMPLE = Path(__file__).parents[3] / "sample" / "twiki"
DAY = 86_400.0
GROUPS = {
    "Main.TriggerOpsGroup": ["trigger-ops"],
    "PhysicsBoardGroup": ["physics-board"],
    "Main.ShiftGroup": ["shifters"],
}


@pytest.fixture
def clock():
    return StillClock(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture(params=["twiki", "foswiki"])
def wiki(request, clock, monkeypatch):
    """Three webs, read by an account that is in all groups."""
    with TwikiServer(foswiki=request.param == "foswiki", wall=clock.wall) as server:
        fill(server)
        sign_in(server, monkeypatch)
        clock.sleep(DAY)
        yield server


def fill(server):
    server.save("Main", "WebHome", "---+ Welcome\nTo the wiki.")
    server.save("Main", "ShiftTypes", "---+ Shifts\nThere are three.")
    server.attach("Main", "ShiftTypes", "rota.pdf", b"%PDF-1.4 rota")
    server.attach("Main", "ShiftTypes", "plot.png", b"\x89PNG")
    server.save("Ops", "CrashBook", "   * Set ALLOWTOPICVIEW = Main.TriggerOpsGroup\nRecover.")
    server.save("Ops", "PhoneList", "---+ Phones\n| *Who* | *Number* |\n| Desk | 5521 |")


def sign_in(server, monkeypatch):
    monkeypatch.setenv("WIKI_PASSWORD", "s3cret")
    server.password = "s3cret"
    server.member_of = {"TriggerOpsGroup", "PhysicsBoardGroup", "ShiftGroup"}


def source_for(server, clock, **settings):
    given = {
        "kind": "twiki",
        "webs": ["Main", "Ops"],
        "auth": {"kind": "basic", "user": "crawler", "env": "WIKI_PASSWORD"},
        "default_access": ["collaboration"],
        "signed_in": ["members"],
        "groups": GROUPS,
        **settings,
    }
    made = settings_for(server, TwikiSettings, "/bin", **given)
    return TwikiSource("wiki", made, client_for(made, clock, "wiki"))


class Reader:
    """Reads a wiki night after night, each time with a new client."""

    def __init__(self, server, clock, **settings):
        self.server, self.clock, self.settings = server, clock, settings
        self.memory = Memory()

    def night(self, stop_after=None, **settings):
        self.clock.sleep(DAY)
        source = source_for(self.server, self.clock, **(self.settings | settings))
        return self.memory.run(source, stop_after)


def given(run):
    return {item.id: item for item in run.items if isinstance(item, Page)}


def closed(run):
    return {failure.page_id for failure in run.failures if failure.forbidden}


ALL = {
    "wiki:Main/WebHome",
    "wiki:Main/ShiftTypes",
    "wiki:Main/ShiftTypes/rota.pdf",
    "wiki:Ops/CrashBook",
    "wiki:Ops/PhoneList",
}


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


def test_of_many_topics_that_are_closed_to_us_only_a_few_are_asked_for(wiki, clock):
    for number in range(40):
        wiki.save("Ops", f"Secret{number:02}", "   * Set ALLOWTOPICVIEW = Main.OtherGroup")
    secret = {f"wiki:Ops/Secret{number:02}" for number in range(40)}
    reader = Reader(wiki, clock)

    run = reader.night()

    assert given(run).keys() == ALL
    assert closed(run) == secret
    assert wiki.asked("/bin/view/Ops/Secret*") == 3

    reader.memory.patient = True
    later = reader.night()
    assert not later.failures
    assert not later.removed
    assert wiki.asked("/bin/view/Ops/Secret*") == 3


def test_a_feed_that_is_cut_short_is_found_out_and_the_list_leads(wiki, clock):
    wiki.feed_limit = 2
    for number in range(10):
        wiki.save("Main", f"Topic{number}", "Text")
    reader = Reader(wiki, clock)

    first = reader.night()

    topics = {f"wiki:Main/Topic{number}" for number in range(10)}
    assert given(first).keys() == ALL | topics

    wiki.save("Main", "Topic3", "Other text")
    second = reader.night()

    assert given(second).keys() == {"wiki:Main/Topic3"}
    # Ops has so few topics that its feed names all.
    assert second.requests == 1 + 3 + 2 + 1
    assert set(second.ids(Unchanged)) == (ALL | topics) - {"wiki:Main/Topic3"}
    assert not second.removed

    # More changes than the feed names: all that it does not name are asked for.
    for number in (5, 6, 7):
        wiki.save("Main", f"Topic{number}", "Other text")
    assert given(reader.night()).keys() == {f"wiki:Main/Topic{n}" for n in (5, 6, 7)}


def test_with_a_short_feed_a_topic_closed_to_us_shows_once_a_week(wiki, clock):
    wiki.feed_limit = 3
    for number in range(8):
        wiki.save("Ops", f"Topic{number}", "Text")
    wiki.webs["Ops"]["Topic4"].text += "   * Set ALLOWTOPICVIEW = TriggerOpsGroup\n"
    reader = Reader(wiki, clock, webs=["Ops"])
    reader.night()
    wiki.member_of.remove("TriggerOpsGroup")  # the topics themselves do not change

    nights = [reader.night() for _ in range(8)]

    assert [len(closed(run)) for run in nights] == [0, 0, 0, 0, 0, 0, 0, 2]
    assert reader.memory.access["wiki:Ops/CrashBook"] == frozenset()
    assert reader.memory.access["wiki:Ops/Topic4"] == frozenset()
    assert not any(given(run) or run.removed for run in nights)


def test_a_topic_made_between_feed_and_list_does_not_make_the_feed_a_short_one(wiki, clock):
    def meanwhile(request):
        if request.path == "/bin/view/Ops/WebTopicList" and "New" not in wiki.webs["Ops"]:
            wiki.save("Ops", "New", "Just now")

    wiki.before = meanwhile
    reader = Reader(wiki, clock)

    assert "wiki:Ops/New" in given(reader.night())
    reader.night()
    assert reader.night().requests == 1 + 2 * 2


def test_a_feed_that_fails_for_a_night_is_whole_again_the_next(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.fault("/bin/view/*/WebRss*", Fault.VANISHED)
    reader.night()
    wiki.mend()

    assert reader.night().requests == 1 + 2 * 2


def test_without_a_feed_every_topic_is_asked_for(wiki, clock):
    wiki.fault("/bin/view/*/WebRss", Fault.VANISHED)
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Ops", "PhoneList", "New numbers")
    wiki.remove("Main", "WebHome")

    run = reader.night()

    assert given(run).keys() == {"wiki:Ops/PhoneList"}
    assert run.removed == {"wiki:Main/WebHome"}
    assert run.requests == 1 + 2 * 3 + 3


def test_topics_that_fail_prove_nothing_about_those_that_were_not_asked_for(wiki, clock):
    for number in range(6):
        wiki.save("Ops", f"Secret{number}", "Text")
    reader = Reader(wiki, clock)
    reader.night()
    for number in range(6):
        wiki.save("Ops", f"Secret{number}", "   * Set ALLOWTOPICVIEW = Main.OtherGroup")
    wiki.fault("/bin/view/Ops/Secret2*", Fault.VANISHED, times=1)

    run = reader.night()

    assert closed(run) == {"wiki:Ops/Secret0", "wiki:Ops/Secret4"}
    assert {failure.page_id for failure in run.failures} - closed(run) == {"wiki:Ops/Secret2"}
    assert not run.removed
    assert closed(reader.night()) == {f"wiki:Ops/Secret{number}" for number in range(6)}


@pytest.mark.parametrize("feed_limit", [0, 1], ids=["whole feed", "short feed"])
def test_a_killed_run_goes_on_where_it_was(wiki, clock, feed_limit):
    wiki.feed_limit = feed_limit
    for number in range(40):
        wiki.save("Main", f"Topic{number:02}", "Text")
    reader = Reader(wiki, clock)
    killed = reader.night(stop_after=35)
    before = wiki.asked("/bin/view/Main/Topic*")

    rest = reader.night()

    assert set(reader.memory.pages) == ALL | {f"wiki:Main/Topic{n:02}" for n in range(40)}
    twice = set(given(killed)) & set(given(rest))
    assert len(twice) == 0
    # Without dates, those since the last note of where it was are asked for again.
    asked = wiki.asked("/bin/view/Main/Topic*") - before
    assert asked <= 40 - len(given(killed)) + (25 if feed_limit else 0) + 3
    assert not rest.removed


def test_a_run_out_of_budget_is_taken_up_by_the_next(wiki, clock):
    for number in range(10):
        wiki.save("Main", f"Topic{number}", "Text")
    reader = Reader(wiki, clock, requests=16)
    with pytest.raises(SourceTrouble, match="budget"):
        reader.night()

    second = reader.night()

    assert len(reader.memory.pages) == 15
    assert second.requests <= 16
    assert not second.removed


def test_a_web_that_is_refused_closes_when_another_is_read(wiki, clock):
    reader = Reader(wiki, clock)
    reader.night()
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.OtherGroup")

    run = reader.night()

    assert closed(run) == {i for i in ALL if i.startswith("wiki:Main/")}
    assert not run.removed
    assert set(run.ids(Unchanged)) == {"wiki:Ops/CrashBook", "wiki:Ops/PhoneList"}


def test_a_lost_sign_in_closes_nothing(wiki, clock, monkeypatch):
    reader = Reader(wiki, clock)
    reader.night()
    for web in ("Main", "Ops"):
        wiki.save(web, "WebPreferences", "   * Set DENYWEBVIEW = WikiGuest, TWikiGuest")
    wiki.password = "changed"

    with pytest.raises(SourceTrouble, match="Main is refused, and no other was read: check the"):
        reader.night()

    assert frozenset() not in reader.memory.access.values()
    with pytest.raises(SourceTrouble, match="not listed to the end"):
        source_for(wiki, clock).live_ids()


def test_a_single_web_closes_only_when_the_wiki_itself_says_so(wiki, clock):
    reader = Reader(wiki, clock, webs=["Main"])
    reader.night()
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.OtherGroup")

    if wiki.foswiki:  # 403 is what a firewall says, too
        with pytest.raises(SourceTrouble, match="is refused"):
            reader.night()
    else:
        assert closed(reader.night()) == {i for i in ALL if i.startswith("wiki:Main/")}


def test_a_web_that_answers_with_an_error_removes_nothing(wiki, clock):
    reader = Reader(wiki, clock, webs=["Ops"])
    reader.night()
    wiki.remove("Ops", "PhoneList")
    for path in ("WebTopicList", "WebPreferences"):
        wiki.fault(f"/bin/view/Ops/{path}*", Fault.VANISHED)
        with pytest.raises(SourceTrouble, match=r"The web Ops cannot be read: wiki: .* 404"):
            reader.night()
        wiki.mend()
    answer = wiki.answer

    def bare(request):
        moved = request.path.endswith("/WebTopicList")
        return Answer("<p>Moved</p>") if moved else answer(request)

    wiki.answer = bare
    with pytest.raises(SourceTrouble, match=r"names no topics; is .* url the script folder"):
        reader.night()
    assert "wiki:Ops/PhoneList" in reader.memory.pages


def test_a_web_whose_preferences_alone_are_closed_is_read_and_closed_by_default(wiki, clock):
    wiki.save("Ops", "WebPreferences", "   * Set ALLOWTOPICVIEW = Main.OtherGroup")

    found = given(Reader(wiki, clock).night())

    assert found["wiki:Ops/CrashBook"].access == {"trigger-ops"}
    assert found["wiki:Ops/PhoneList"].access == frozenset()


def test_a_web_that_is_not_there_does_not_keep_the_others_from_being_read(wiki, clock):
    reader = Reader(wiki, clock, webs=["Nowhere", "Ops"])

    with pytest.raises(SourceTrouble, match=r"The web Nowhere cannot be read: wiki: .* (404|such)"):
        reader.night()

    assert set(reader.memory.pages) == {"wiki:Ops/CrashBook", "wiki:Ops/PhoneList"}


def test_webs_inside_webs_inherit_and_are_not_mixed_up(wiki, clock):
    wiki.save("Main", "WebPreferences", "   * Set ALLOWWEBVIEW = Main.ShiftGroup")
    wiki.save("Main/Old", "ShiftTypes", "---+ Old shifts")
    wiki.attach("Main/Old", "ShiftTypes", "old.pdf", b"%PDF-1.4 old")
    inner = {"wiki:Main/Old/ShiftTypes", "wiki:Main/Old/ShiftTypes/old.pdf"}
    reader = Reader(wiki, clock, webs=["Main", "Main.Old"])

    found = given(reader.night())

    assert found.keys() == {i for i in ALL if "Main" in i} | inner
    assert {page.access for page in found.values()} == {frozenset({"shifters"})}
    assert found["wiki:Main/Old/ShiftTypes"].url == f"{wiki.url}/bin/view/Main/Old/ShiftTypes"
    again = reader.night()
    assert set(again.ids(Unchanged)) == found.keys()
    assert not again.removed
    assert again.requests == 1 + 2 * 2
    assert reader.night(webs=["Main"]).removed == inner


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


ACCESS = [
    # what the topic sets, what the web sets, who may read it
    ("", "", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = Main.ShiftGroup", "", {"shifters"}),
    ("   * Set ALLOWTOPICVIEW = ShiftGroup", "", {"shifters"}),
    ("   * Set ALLOWTOPICVIEW = %USERSWEB%.ShiftGroup, %MAINWEB%.TriggerOpsGroup", "",
     {"shifters", "trigger-ops"}),
    ("   * Set ALLOWTOPICVIEW = <nop>ShiftGroup Main.TriggerOpsGroup", "",
     {"shifters", "trigger-ops"}),
    ("\t* Set ALLOWTOPICVIEW = ShiftGroup,\n      TriggerOpsGroup\nText", "",
     {"shifters", "trigger-ops"}),
    ("   * Set ALLOWTOPICVIEW = ShiftGroup\n   * Set ALLOWTOPICVIEW = TriggerOpsGroup", "",
     {"trigger-ops"}),
    ("<!--\n   * Set ALLOWTOPICVIEW = ShiftGroup\r\n-->", "", {"shifters"}),
    ("   * #Set ALLOWTOPICVIEW = ShiftGroup", "", {"collaboration"}),
    ("* Set ALLOWTOPICVIEW = ShiftGroup", "", {"collaboration"}),
    ("   * Set ALLOWTOPICCHANGE = ShiftGroup", "", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = Main.UnknownGroup", "", set()),
    ("   * Set ALLOWTOPICVIEW = Main.NobodyGroup", "", set()),
    ("   * Set ALLOWTOPICVIEW =", "   * Set ALLOWWEBVIEW = ShiftGroup", {"shifters"}),
    ("   * Set ALLOWTOPICVIEW = *", "   * Set ALLOWWEBVIEW = ShiftGroup", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = AllUsersGroup", "   * Set DENYWEBVIEW = *", {"collaboration"}),
    ("   * Set ALLOWTOPICVIEW = Main.AllAuthUsersGroup", "", {"members"}),
    ("   * Set ALLOWTOPICVIEW = + TriggerOpsGroup", "   * Set ALLOWWEBVIEW = ShiftGroup",
     {"trigger-ops"}),
    ('%META:PREFERENCE{name="ALLOWTOPICVIEW" type="Set" value="%25USERSWEB%25.ShiftGroup"}%', "",
     {"shifters"}),
    ('   * Set ALLOWTOPICVIEW = *\n%META:PREFERENCE{name="ALLOWTOPICVIEW" value="ShiftGroup"}%', "",
     {"shifters"}),
    ('%META:FIELD{name="ALLOWTOPICVIEW" attributes="S" title="x" value="ShiftGroup"}%', "",
     {"shifters"}),
    ('%META:FIELD{name="ALLOWTOPICVIEW" attributes="" title="x" value="ShiftGroup"}%', "",
     {"collaboration"}),
    ("   * Local ALLOWTOPICVIEW = ShiftGroup", "", set()),
    ("   * Set DENYTOPICVIEW = Main.JoeDoe", "", set()),
    ("   * Set DENYTOPICVIEW = JoeDoe\n   * Set ALLOWTOPICVIEW = ShiftGroup", "", set()),
    ("   * Set DENYTOPICVIEW = *", "", set()),
    ("   * Set DENYTOPICVIEW = NobodyGroup", "", {"collaboration"}),
    ("   * Set DENYTOPICVIEW = %USERSWEB%.WikiGuest", "", {"collaboration"}),
    ("   * Set DENYTOPICVIEW = TWikiGuest\n   * Set ALLOWTOPICVIEW = ShiftGroup", "", {"shifters"}),
    ("   * Set DENYTOPICVIEW =", "   * Set ALLOWWEBVIEW = ShiftGroup", {"shifters"}),
    ("", "   * Set ALLOWWEBVIEW = ShiftGroup", {"shifters"}),
    ("", "   * Set ALLOWWEBVIEW =", {"collaboration"}),
    ("", "   * Set DENYWEBVIEW = Main.JoeDoe", set()),
    ("   * Set ALLOWTOPICVIEW = ShiftGroup", "   * Set DENYWEBVIEW = Main.JoeDoe", {"shifters"}),
    ("", "   * Local ALLOWWEBVIEW = ShiftGroup", set()),
    ("   * Set ALLOWTOPICVIEW = *", "   * Set FINALPREFERENCES = X, ALLOWTOPICVIEW", set()),
    ("", "   * Set FINALPREFERENCES = ALLOWTOPICVIEW, DENYTOPICVIEW", {"collaboration"}),
]  # fmt: skip


def rights_settings(**changed):
    given = {
        "kind": "twiki",
        "url": "https://wiki.example.org/bin",
        "webs": ["Main"],
        "default_access": ["collaboration"],
        "signed_in": ["members"],
        "groups": GROUPS,
    }
    return TwikiSettings.model_validate(given | changed)


@pytest.mark.parametrize(("topic", "web", "groups"), ACCESS)
def test_settings_of_topic_and_web_decide_who_may_read(topic, web, groups):
    assert access_of(topic_rights(topic), web_rights(web), rights_settings()) == groups


def test_who_everybody_is_depends_on_the_wiki():
    public = rights_settings(default_access=["public"])
    guests_denied = topic_rights("   * Set DENYTOPICVIEW = WikiGuest")
    assert access_of(Rights(), Rights(), public) == {"public"}
    assert access_of(guests_denied, Rights(), public) == {"members"}
    assert access_of(guests_denied, Rights(), rights_settings(default_access=[])) == frozenset()
    opened = Rights(deny="")
    web = Rights(allow="ShiftGroup")
    old = rights_settings(empty_deny_opens=True)
    assert access_of(opened, web, rights_settings()) == {"shifters"}
    assert access_of(opened, web, old) == {"collaboration"}


def test_a_web_inside_another_inherits_and_overrides():
    outer = web_rights(
        "   * Set ALLOWWEBVIEW = ShiftGroup\n   * Set FINALPREFERENCES = DENYWEBVIEW"
    )
    inherits = web_rights("Nothing", outer)
    overrides = web_rights("   * Set ALLOWWEBVIEW = TriggerOpsGroup", outer)
    may_not = web_rights("   * Set DENYWEBVIEW = WikiGuest", outer)

    assert access_of(Rights(), inherits, rights_settings()) == {"shifters"}
    assert access_of(Rights(), overrides, rights_settings()) == {"trigger-ops"}
    assert access_of(Rights(), may_not, rights_settings()) == frozenset()
    assert access_of(Rights(), web_rights("", UNCLEAR), rights_settings()) == frozenset()


@pytest.mark.parametrize("rights", [Rights(), Rights("A, B", ""), UNCLEAR, RENDERED])
def test_rights_survive_in_a_version(rights):
    assert Rights.from_mark(rights.to_mark()) == rights


FEED = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="x"><title>x</title></channel>
<item><link>https://h/bin/view/Main/A?t=1</link><dc:date>2026-03-01T10:00Z</dc:date></item>
<item><link>https://h/bin/view/Main/B</link><description>a & b &nbsp; <b>
</description><dc:date>2026-02-01T10:00:30Z</dc:date></item>
<item><link>https://h/bin/view/Other/C</link><dc:date>2026-02-01T10:00:30Z</dc:date></item>
<item><link>https://h/bin/view/Main/D</link></item>
<item><link>http://[</link><dc:date>2026-02-01T10:00:30Z</dc:date></item>
</rdf:RDF>"""


def test_feeds_are_read_also_when_they_are_not_quite_right():
    now = datetime(2026, 3, 1, 10, 1, 59, tzinfo=UTC)

    topics = feed_topics(FEED.encode(), "Main", now)

    assert topics is not None
    assert {name: entry.mark for name, entry in topics.items()} == {
        "A": "2026-03-01T10:00:00Z~",
        "B": "2026-02-01T10:00:30Z",
    }
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="https://h/Main/Sub/E"/>'
        "<updated>2026-01-01T00:00:00Z</updated></entry></feed>"
    )
    assert list(feed_topics(atom.encode(), "Main/Sub", now) or ()) == ["E"]
    assert feed_topics(b"<html><body>No feed</body></html>", "Main", now) is None
    assert feed_topics(FEED[: FEED.index("<item>")].encode(), "Main", now) == {}


def test_a_list_page_names_the_topics_of_its_web_and_nothing_else():
    page = b"""<a href="/bin/view/Main/A">A</a> <A class='x' HREF='https://h/bin/view/Main/B'>B</A>
    <a href="/bin/view/Main/K%C3%A6lder">K</a> <a href="/bin/view/Main/A#Top">x</a>
    <a href="/bin/view/Main/C?rev=2">x</a> <a href="/bin/edit/Main/D">x</a> <a href="Main/E">x</a>
    <a href="/bin/view/Other/F">x</a> <a href="/bin/view/Main/">x</a> <a name="Main/G">x</a>"""

    assert linked_topics(page, "Main") == {"A", "B", "Kælder", "E"}
