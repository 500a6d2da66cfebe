"""The first run, the second, and one that was killed."""

from datetime import UTC, datetime

from ingest.model import Page, Unchanged
from ingest.sources import SOURCES
from tests.ingest.sources.discourse.conftest import EXPERTS, OPEN, source_of, texts
from tests.ingest.sources.memory import Memory


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
