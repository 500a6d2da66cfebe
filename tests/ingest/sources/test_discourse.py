import json
from datetime import UTC, datetime, timedelta

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Failure, Gone, Page, Unchanged
from ingest.parse import parse
from ingest.source_settings import DiscourseSettings
from ingest.sources import SOURCES
from ingest.sources.discourse import DiscourseSource, Mark, Notes
from ingest.sources.discourse.categories import access_of
from tests.ingest.sources.memory import Memory
from tests.servers import Answer, Fault, client_for, json_answer, settings_for
from tests.servers.discourse import KEY, USER, DiscourseServer

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
MEMBERS = frozenset({"members"})
EXPERTS = frozenset({"trigger-ops"})
OPEN = frozenset({"public"})


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("FORUM_KEY", KEY)


@pytest.fixture
def forum():
    with DiscourseServer() as server:
        server.category(1, "general")
        server.category(5, "computing")
        server.category(6, "grid", parent=5)
        server.category(9, "trigger", groups={"trigger_experts": 1, "auditors": 3})
        server.topic(7, 5, "How to renew the proxy?", ["<p>It expired.</p>"])
        server.topic(8, 6, "Grid is slow", ["<p>Very.</p>", "<p>Yes.</p>"])
        server.topic(9, 9, "Menu 2026", ["<p>New thresholds.</p>"])
        server.topic(10, 1, "Coffee", ["<p>At ten.</p>"])
        yield server


def source_of(server, now=NOW, **settings):
    given = {
        "kind": "discourse",
        "auth": {"kind": "token", "env": "FORUM_KEY", "header": "Api-Key", "prefix": ""},
        "username": USER,
        "signed_in": ["members"],
        "groups": {"trigger_experts": ["trigger-ops"]},
        "retries": 0,
    } | settings
    made = settings_for(server, DiscourseSettings, **given)
    return DiscourseSource("forum", made, client_for(made), lambda: now)


def texts(page):
    (document,) = parse(page)
    return document.text


def test_the_table_of_sources_leads_here():
    assert SOURCES["discourse"] == "ingest.sources.discourse:DiscourseSource"


def test_the_first_run_reads_every_topic_with_its_posts(forum):
    memory = Memory()
    run = memory.run(source_of(forum))

    assert run.ids(Page) == ["forum:t/10", "forum:t/7", "forum:t/8", "forum:t/9"]
    # site.json, basic-info, the permissions of one category, one list, four topics.
    assert run.requests == 8
    page = memory.pages["forum:t/8"]
    assert (page.url, page.format) == (f"{forum.url}/t/grid-is-slow/8", "discourse")
    assert page.updated_at == datetime(2026, 1, 1, 15, tzinfo=UTC)
    assert texts(page).startswith(
        "field | value\ntitle | Grid is slow\ncategory | Computing / Grid"
    )
    assert texts(page).endswith("Post by User 2, 2026-01-01\n\nYes.")
    assert memory.access == {
        "forum:t/7": OPEN,
        "forum:t/8": OPEN,
        "forum:t/9": EXPERTS,
        "forum:t/10": OPEN,
    }


def test_a_second_run_with_nothing_new_asks_for_the_list_and_the_rights(forum):
    memory = Memory()
    memory.run(source_of(forum))
    run = memory.run(source_of(forum))

    assert run.requests == 4
    assert (run.ids(Page), run.ids(Unchanged), run.removed) == ([], [], set())


def test_what_changed_came_and_went_lands_and_nothing_else(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.reply(7, "<p>Renewed.</p>")
    forum.topic(11, 5, "New", ["<p>A new one.</p>"])
    forum.trash(10)
    run = memory.run(source_of(forum))

    assert run.ids(Page) == ["forum:t/11", "forum:t/7"]
    assert run.removed == {"forum:t/10"}
    # As before, two topics, and the one that the list lacks.
    assert run.requests == 4 + 2 + 1
    assert memory.run(source_of(forum)).requests == 4


def test_a_permission_that_changes_lands_without_asking_for_the_topic(forum):
    memory = Memory()
    memory.run(source_of(forum))
    forum.category(9, "trigger")
    forum.category(1, "general", groups={"nobody_we_know": 1})
    run = memory.run(source_of(forum))
    again = memory.run(source_of(forum))

    assert run.ids(Unchanged) == ["forum:t/10", "forum:t/9"]
    assert (memory.access["forum:t/9"], memory.access["forum:t/10"]) == (OPEN, frozenset())
    assert (run.ids(Page), run.requests) == ([], 4)
    assert (again.ids(Unchanged), again.requests) == ([], 4)


def test_a_group_that_is_mapped_anew_lands_too(forum):
    memory = Memory()
    memory.run(source_of(forum))
    run = memory.run(source_of(forum, groups={"auditors": ["audit"]}))

    assert (run.ids(Unchanged), run.ids(Page)) == (["forum:t/9"], [])
    assert memory.access["forum:t/9"] == {"audit"}


def test_a_forum_that_wants_a_sign_in_is_not_public(forum):
    forum.login_required = True
    memory = Memory()
    memory.run(source_of(forum))

    assert memory.access["forum:t/7"] == MEMBERS


def test_a_forum_that_does_not_say_whether_it_is_open_is_not_public(forum):
    forum.login_required = None
    memory = Memory()
    memory.run(source_of(forum))

    assert memory.access["forum:t/7"] == MEMBERS


def test_a_key_that_does_not_see_permissions_closes_restricted_categories(forum):
    forum.admin = False
    memory = Memory()
    memory.run(source_of(forum))

    assert (memory.access["forum:t/9"], memory.access["forum:t/7"]) == (frozenset(), OPEN)


RESTRICTED = {"read_restricted": True}


@pytest.mark.parametrize(
    ("category", "is_open", "access"),
    [
        ({"read_restricted": False}, True, {"public"}),
        ({"read_restricted": False}, False, {"members"}),
        ({"read_restricted": False}, None, {"members"}),
        (RESTRICTED, True, set()),
        (RESTRICTED | {"group_permissions": []}, True, set()),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 1, "group_name": "a"}]},
            True,
            {"x"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 2, "group_name": "a"}]},
            True,
            {"x"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 3, "group_name": "a"}]},
            True,
            {"x"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 4, "group_name": "a"}]},
            True,
            set(),
        ),
        (RESTRICTED | {"group_permissions": [{"group_name": "a"}]}, True, set()),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 1, "group_name": "c"}]},
            True,
            set(),
        ),
        (
            RESTRICTED
            | {
                "group_permissions": [
                    {"permission_type": 1, "group_name": "a"},
                    {"permission_type": 3, "group_name": "b"},
                    "odd",
                ]
            },
            True,
            {"x", "y", "z"},
        ),
        (
            RESTRICTED
            | {"group_permissions": [{"permission_type": 3, "group_name": "trust_level_0"}]},
            True,
            {"members"},
        ),
        (
            RESTRICTED | {"group_permissions": [{"permission_type": 3, "group_name": "everyone"}]},
            True,
            {"members"},
        ),
        (RESTRICTED | {"group_permissions": "all"}, True, set()),
        ({"group_permissions": [{"permission_type": 1, "group_name": "a"}]}, True, set()),
        ({}, True, set()),
        ({"read_restricted": "false"}, True, set()),
    ],
)
def test_who_may_read_a_category(category, is_open, access):
    groups = {"a": frozenset({"x"}), "b": frozenset({"y", "z"})}

    assert access_of(category, groups, MEMBERS, is_open=is_open) == access


def test_long_topics_are_read_in_chunks_and_whole(forum):
    forum.topic(20, 5, "Long", [f"<p>Post number {number}.</p>" for number in range(1, 131)])
    memory = Memory()
    run = memory.run(source_of(forum))

    (document,) = parse(memory.pages["forum:t/20"])
    assert [f"Post number {n}." in document.text for n in (1, 20, 21, 130)] == [True] * 4
    assert document.sections[-1].anchor == "/130"
    # 20 posts come with the topic, 110 in three requests.
    assert run.requests == 8 + 1 + 3


def test_of_an_endless_topic_the_first_and_the_last_posts_are_read(forum):
    forum.topic(20, 5, "Endless", [f"<p>Post number {number}.</p>" for number in range(1, 1101)])
    memory = Memory()
    memory.run(source_of(forum))

    text = memory.pages["forum:t/20"].content.decode()
    kept = [number for number in range(1, 1101) if f"Post number {number}.<" in text]
    assert kept == [*range(1, 21), *range(101, 1101)]


def test_what_only_staff_sees_is_not_even_kept(forum):
    forum.reply(7, "<p>Whispered.</p>", post_type=4)
    forum.reply(7, "<p>Flagged.</p>", hidden=True)
    forum.topic(30, 5, "Unlisted", ["<p>Not for lists.</p>"], visible=False)
    forum.topic(31, 5, "Private", ["<p>Between us.</p>"], archetype="private_message")
    memory = Memory()
    run = memory.run(source_of(forum))

    assert run.ids(Page) == ["forum:t/10", "forum:t/7", "forum:t/8", "forum:t/9"]
    kept = memory.pages["forum:t/7"].content.decode()
    assert ("Whispered" in kept, "Flagged" in kept) == (False, False)
    assert forum.asked("/t/3*") == 0


def test_views_do_not_change_a_page(forum):
    memory = Memory()
    memory.run(source_of(forum))
    before = memory.pages["forum:t/7"]
    memory.versions["forum:t/7"] = ""
    memory.run(source_of(forum))

    assert memory.pages["forum:t/7"].content == before.content
    assert memory.versions["forum:t/7"] == before.version


def test_a_solution_is_read_with_the_next_list(forum):
    """Accepting an answer does not bump, but the list tells of it."""
    forum.reply(8, "<p>Restart it.</p>")
    memory = Memory()
    memory.run(source_of(forum))
    forum.solve(8, 3)
    run = memory.run(source_of(forum))

    assert run.ids(Page) == ["forum:t/8"]
    headings = [line for line in texts(memory.pages["forum:t/8"]).split("\n") if " by User" in line]
    assert [line.split(",")[0] for line in headings] == [
        "Question by User 1",
        "Solution by User 3",
        "Post by User 2",
    ]


def many(server, count):
    for number in range(100, 100 + count):
        server.topic(number, 5, f"Topic {number}", [f"<p>Text {number}.</p>"])


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
