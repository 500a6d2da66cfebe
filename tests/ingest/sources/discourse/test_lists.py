"""The lists of topics and categories, and what they pass over."""

import json
from datetime import timedelta

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Page, Unchanged
from tests.ingest.sources.discourse.conftest import EXPERTS, NOW, OPEN, many, source_of
from tests.ingest.sources.memory import Memory
from tests.servers import Fault, json_answer
from tests.servers.discourse import DiscourseServer


def test_a_run_stops_at_what_was_seen_and_pinned_topics_do_not_stop_it(forum):
    forum.per_page = 5
    forum.topics[7]["pinned_globally"] = True
    many(forum, 20)
    memory = Memory()
    first = memory.run(source_of(forum))
    forum.requests.clear()
    for number in (100, 101, 102, 103, 104, 105):
        forum.reply(number, "<p>More.</p>")
    run = memory.run(source_of(forum))

    assert len(first.ids(Page)) == 24
    assert run.ids(Page) == [f"forum:t/{number}" for number in range(100, 106)]
    # The second page is the first on which there is nothing new but what overlaps.
    assert forum.asked("/latest.json") == 3


def test_a_first_page_of_old_pinned_topics_does_not_end_the_list(forum):
    forum.per_page = 2
    forum.topics[7]["pinned_globally"] = forum.topics[8]["pinned_globally"] = True
    memory = Memory()
    memory.run(source_of(forum))
    forum.reply(9, "<p>More.</p>")

    assert memory.run(source_of(forum)).ids(Page) == ["forum:t/9"]


def test_a_moved_topic_gets_the_readers_of_its_new_category(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.topics[7]["category_id"] = 9
    run = memory.run(source_of(forum))

    assert (run.ids(Page), memory.access["forum:t/7"]) == (["forum:t/7"], EXPERTS)


def test_a_move_far_down_the_list_is_found_by_the_counts(forum):
    forum.per_page = 5
    many(forum, 20)
    memory = Memory()
    memory.run(source_of(forum))
    forum.topics[7]["category_id"] = 9
    run = memory.run(source_of(forum))

    assert (run.ids(Page), memory.access["forum:t/7"]) == (["forum:t/7"], EXPERTS)
    assert run.removed == set()


def test_one_topic_for_another_is_noticed_though_the_count_is_the_same(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.trash(10)
    forum.topic(12, 1, "Tea", ["<p>At four.</p>"])
    run = memory.run(source_of(forum))

    assert (run.ids(Page), run.removed) == (["forum:t/12"], {"forum:t/10"})


def test_a_topic_that_vanished_altogether_or_was_hidden_is_removed(forum):
    memory = Memory()
    memory.run(source_of(forum))
    del forum.topics[10]
    forum.topics[8]["visible"] = False
    forum.topics[7]["archetype"] = "private_message"
    run = memory.run(source_of(forum))

    assert run.removed == {"forum:t/7", "forum:t/8", "forum:t/10"}
    assert sorted(memory.pages) == ["forum:t/9"]


def test_all_topics_are_listed_once_a_week(forum):
    forum.per_page = 1
    memory = Memory()
    memory.run(source_of(forum))
    forum.requests.clear()
    memory.run(source_of(forum, now=NOW + timedelta(days=6)))
    assert forum.asked("/latest.json") == 2
    forum.requests.clear()
    run = memory.run(source_of(forum, now=NOW + timedelta(days=7)))

    assert forum.asked("/latest.json") == 4
    assert (run.ids(Page), run.removed) == ([], set())


def test_a_topic_that_no_list_names_and_that_is_there_is_kept(forum):
    """In a category that the account has muted, say."""
    memory = Memory()
    memory.run(source_of(forum))
    quiet = forum.answer
    hidden = {7, 8}

    def answer(request):
        given = quiet(request)
        if request.path == "/latest.json":
            value = json.loads(given.content)
            topics = value["topic_list"]["topics"]
            value["topic_list"]["topics"] = [t for t in topics if t["id"] not in hidden]
            return json_answer(value)
        return given

    forum.answer = answer
    forum.topics[8]["category_id"] = 9
    run = memory.run(source_of(forum))

    assert run.removed == set()
    assert (run.ids(Page), memory.access["forum:t/8"]) == (["forum:t/8"], EXPERTS)


def test_only_some_categories_with_those_below_them(forum):
    memory = Memory()
    run = memory.run(source_of(forum, categories=["computing"]))
    assert run.ids(Page) == ["forum:t/7", "forum:t/8"]
    assert memory.run(source_of(forum, categories=["computing"])).requests == 3

    wider = memory.run(source_of(forum, categories=["computing", "general"]))
    assert (wider.ids(Page), wider.removed) == (["forum:t/10"], set())

    narrower = memory.run(source_of(forum, categories=["computing/grid"]))
    assert narrower.removed == {"forum:t/7", "forum:t/10"}
    assert sorted(memory.pages) == ["forum:t/8"]
    # Nobody has to be asked whether what is no longer wanted is still there.
    assert narrower.requests == 3


def test_a_category_that_is_not_there_is_trouble(forum):
    with pytest.raises(SourceTrouble, match=r"no category 'nope'.*computing/grid"):
        Memory().run(source_of(forum, categories=["nope"]))


def test_forums_with_very_many_categories_tell_them_in_pages():
    with DiscourseServer(lazy=True) as server:
        server.category(5, "computing")
        server.category(6, "grid", parent=5)
        server.category(7, "trigger", groups={"trigger_experts": 1})
        server.topic(8, 6, "Grid is slow", ["<p>Very.</p>"])
        server.topic(9, 7, "Menu", ["<p>New.</p>"])
        memory = Memory()
        memory.run(source_of(server))
        named = Memory()
        named.run(source_of(server, categories=["computing/grid"]))

    assert memory.access == {"forum:t/8": OPEN, "forum:t/9": EXPERTS}
    assert sorted(named.pages) == ["forum:t/8"]


def test_a_category_that_no_list_names_is_asked_for(forum):
    hidden = forum.categories
    given = forum._site
    forum._site = lambda: (
        given() | {"categories": [forum._counted(number) for number in hidden if number != 9]}
    )
    memory = Memory()
    memory.run(source_of(forum))

    assert memory.access["forum:t/9"] == EXPERTS


def test_a_category_that_the_account_no_longer_sees_is_closed(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.fault("/c/9/show.json", Fault.FORBIDDEN)
    run = memory.run(source_of(forum))

    assert (run.ids(Unchanged), memory.access["forum:t/9"]) == (["forum:t/9"], frozenset())
