"""What fails, what is tried again, and what stops."""

from datetime import timedelta

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Failure, Gone, Page
from ingest.sources.discourse import Mark, Notes
from tests.ingest.sources.discourse.conftest import EXPERTS, NOW, OPEN, many, source_of
from tests.ingest.sources.memory import Memory
from tests.servers import Answer, Fault, json_answer


def test_failures_are_told_tried_again_and_the_rest_is_read(forum):
    forum.fault("/t/7.json", Fault.CUT_BODY)
    forum.fault("/t/8.json", Fault.FORBIDDEN)
    forum.fault("/t/9.json", Fault.VANISHED)
    memory = Memory()
    run = memory.run(source_of(forum))
    assert {failure.page_id: failure.forbidden for failure in run.failures} == {
        "forum:t/7": False,
        "forum:t/8": True,
        "forum:t/9": False,
    }
    memory.patient = True
    assert memory.run(source_of(forum)).requests == 3
    memory.patient = False
    forum.mend()
    del forum.topics[9]
    run = memory.run(source_of(forum))

    assert (run.ids(Page), run.removed) == (["forum:t/7", "forum:t/8"], {"forum:t/9"})
    assert memory.run(source_of(forum)).ids(Page) == []


def test_a_failed_topic_below_the_first_page_is_tried_again_and_known_then(forum):
    forum.per_page = 5
    many(forum, 20)
    forum.fault("/t/7.json", Fault.SERVER_ERROR)
    memory = Memory()
    memory.run(source_of(forum))
    forum.mend()
    run = memory.run(source_of(forum))
    assert run.ids(Page) == ["forum:t/7"]
    # Its state was remembered: the weekly list does not read it once more.
    assert memory.run(source_of(forum, now=NOW + timedelta(days=8))).ids(Page) == []


def test_a_failed_topic_is_closed_when_its_readers_change(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.reply(7, "<p>More.</p>")
    forum.fault("/t/7.json", Fault.SERVER_ERROR)
    memory.run(source_of(forum))
    assert memory.access["forum:t/7"] == OPEN
    memory.patient = True
    forum.category(5, "computing", groups={"trigger_experts": 1})
    run = memory.run(source_of(forum))

    assert (run.ids(Failure), memory.access["forum:t/7"]) == (["forum:t/7"], frozenset())
    forum.mend()
    run = memory.run(source_of(forum))
    assert (run.ids(Page), memory.access["forum:t/7"]) == (["forum:t/7"], EXPERTS)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/site.json", "the categories cannot be read"),
        ("/site/basic-info.json", "whether the forum is open"),
        ("/c/9/show.json", "who may read category 9"),
        ("/latest.json", "the list of topics cannot be read"),
    ],
)
def test_what_all_depends_on_is_trouble_when_it_cannot_be_read(forum, place, reason):
    forum.fault(place, Fault.SERVER_ERROR)

    with pytest.raises(SourceTrouble, match=reason):
        Memory().run(source_of(forum))


def test_a_wrong_key_is_trouble(forum, monkeypatch):
    monkeypatch.setenv("FORUM_KEY", "wrong")

    with pytest.raises(SourceTrouble, match="403"):
        Memory().run(source_of(forum))


@pytest.mark.parametrize("value", [[], {}, {"topic_list": []}, {"topic_list": {"topics": [{}]}}])
def test_a_list_of_another_shape_is_trouble(forum, value):
    right = forum.answer
    forum.answer = lambda request: (
        json_answer(value) if request.path == "/latest.json" else right(request)
    )

    with pytest.raises(SourceTrouble, match="list of topics"):
        Memory().run(source_of(forum))


@pytest.mark.parametrize("stream", [None, [], {"stream": ["x"], "posts": []}, {"stream": [1]}])
def test_a_topic_of_another_shape_is_a_failure(forum, stream):
    forum._topic = lambda number: json_answer({**forum.topics[number], "post_stream": stream})
    run = Memory().run(source_of(forum))

    assert len(run.failures) == 4
    assert "has not the shape of a topic" in run.failures[0].reason


def test_a_killed_first_run_goes_on_and_reads_no_topic_twice(forum):
    forum.per_page = 5
    many(forum, 20)
    whole = Memory()
    count = len(whole.run(source_of(forum)).items)
    for stop in range(1, count, 3):
        memory = Memory()
        first = memory.run(source_of(forum), stop_after=stop)
        forum.requests.clear()
        rest = memory.run(source_of(forum))

        assert sorted(memory.pages) == sorted(whole.pages), stop
        assert len(first.ids(Page)) + len(rest.ids(Page)) == 24, stop
        assert forum.asked("/latest.json") <= 6 - (stop - 1) // 6, stop
        assert forum.asked("/t/*") == len(rest.ids(Page)), stop
        assert memory.run(source_of(forum)).ids(Page) == [], stop


def test_what_is_bumped_while_the_first_run_is_away_is_read_by_the_second(forum):
    forum.per_page = 5
    many(forum, 20)
    memory = Memory()
    memory.run(source_of(forum), stop_after=15)
    forum.reply(119, "<p>Meanwhile.</p>")
    memory.run(source_of(forum))
    memory.run(source_of(forum))

    assert "Meanwhile" in memory.pages["forum:t/119"].content.decode()
    assert len(memory.pages) == 24


def test_removals_are_told_and_not_listed(forum):
    source = source_of(forum)

    assert source.live_ids() is None
    assert source.requests == 0


def test_notes_and_marks_that_nobody_wrote_are_empty():
    assert Notes.read("") == Notes.read("[1]") == Notes.read('{"x": 1}') == Notes()
    assert Mark.read("") == Mark.read("x|y|z") == Mark.read("5|y") == Mark()
    mark = Mark(5, "2026-01-01T00:00:00.000Z 0123", "a|b,c")
    assert Mark.read(str(mark)) == mark


def test_an_answer_that_is_no_object_is_a_failure(forum):
    right = forum.answer
    forum.answer = lambda request: (
        Answer("[1]", type="application/json") if request.path == "/t/7.json" else right(request)
    )

    assert Memory().run(source_of(forum)).ids(Failure) == ["forum:t/7"]


def test_gone_is_said_of_known_topics_only(forum):
    forum.topics[7]["visible"] = False

    assert Memory().run(source_of(forum)).ids(Gone) == []
