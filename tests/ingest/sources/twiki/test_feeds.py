"""Feeds that are short, fail or are not there; runs that are cut."""

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Unchanged
from tests.ingest.sources.twiki.conftest import ALL, Reader, closed, given
from tests.servers import Fault


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
