"""Of a topic: what is read, and how."""

from ingest.model import Page
from ingest.parse import parse
from tests.ingest.sources.discourse.conftest import source_of, texts
from tests.ingest.sources.memory import Memory


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
