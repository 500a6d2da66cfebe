from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from assistant.copies import MOST_ALSO, says_no_more
from assistant.retrieve import Retriever
from ingest.access import ANYBODY, Reader
from ingest.index import EmbeddedIndex
from ingest.model import CURRENT, Standing
from ingest.settings import RetrievalSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document

STAFF = Reader(frozenset({"staff"}))
OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
ARCHIVED, SUPERSEDED = Standing(archived=True), Standing(superseded_by="test:other")
LIMIT = "The quota of a storage area is 500 GB."
BODY = [" ".join(f"{topic}{n}" for n in range(28)) for topic in ("alpha", "beta", "gamma", "delta")]


def page(name, limit=LIMIT, **more):
    """A page of five passages, of which `limit` alone speaks of a quota."""
    padded = f"{limit} " + " ".join(f"storage{n}" for n in range(20))
    values: dict[str, Any] = {"title": "Storage", "updated_at": OLD} | more
    return document(name, padded, *BODY, **values)


@pytest.fixture
def found(tmp_path):
    """The passages for a question of a reader, from an index of these pages."""
    indexes: list[EmbeddedIndex] = []

    def retrieve(*pages, reader=ANYBODY, query="quota of a storage area", **settings):
        embedder = HashEmbedder()
        folder = tmp_path / str(len(indexes))
        indexes.append(build(folder, embedder, *pages))
        return Retriever(indexes[-1], embedder, RetrievalSettings(**settings)).retrieve(
            query, reader
        )

    yield retrieve
    for index in indexes:
        index.close()


def names(passages):
    return [p.document_id.removeprefix("test:") for p in passages if "quota" in p.text]


def test_the_same_page_under_two_addresses_is_shown_once_with_both(found):
    other = document("other", "Ask for storage.")
    passages = found(page("a", url="https://x/a"), page("b", url="https://x/b"), other)

    assert names(passages) == ["a"]
    assert passages[0].also == ("https://x/b",)
    # Two of one document is the limit, and what the copy repeats does not count as its own.
    assert [p.document_id for p in passages if p.title == "Storage"] == ["test:a"] * 2


def test_a_page_without_a_copy_has_no_other_address(found):
    (passage, *_) = found(page("a"), document("c", "Nothing of the kind."))

    assert (passage.also, passage.standing) == ((), CURRENT)


@pytest.mark.parametrize(
    ("one", "other", "best"),
    [
        ({"standing": ARCHIVED, "updated_at": NEW}, {}, "b"),
        ({"standing": SUPERSEDED, "updated_at": NEW}, {}, "b"),
        ({"standing": ARCHIVED}, {"standing": SUPERSEDED}, "b"),
        ({}, {"standing": ARCHIVED, "updated_at": NEW}, "a"),
        ({}, {"updated_at": NEW}, "b"),
        ({"updated_at": None}, {}, "b"),
        ({"updated_at": NEW}, {}, "a"),
        ({}, {}, "a"),
    ],
)
def test_the_best_is_one_that_holds_then_the_newest_then_the_first(found, one, other, best):
    passages = found(page("a", **one), page("b", **other))

    assert names(passages) == [best]
    assert passages[0].also == ("test:b" if best == "a" else "test:a",)
    assert passages[0].standing == (one if best == "a" else other).get("standing", CURRENT)
    assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)


def test_addresses_are_named_best_first_and_once(found):
    copies = [
        page("b", url="https://x/b", standing=ARCHIVED, updated_at=NEW),
        page("c", url="https://x/c"),
        page("d", url="https://x/c"),
        page("e", url="https://x/a"),
    ]
    passages = found(page("a", url="https://x/a", updated_at=NEW), *copies)

    assert passages[0].also == ("https://x/c", "https://x/b")


def test_so_many_addresses_are_named_and_no_more(found):
    (passage, *_) = found(*(page(f"p{n:02}") for n in range(MOST_ALSO + 3)))

    assert len(passage.also) == MOST_ALSO


def test_another_value_is_shown_beside_its_twin(found):
    other = document("other", "Ask for storage.")
    passages = found(page("a"), page("b", LIMIT.replace("500", "750"), updated_at=NEW), other)

    assert sorted(names(passages)) == ["a", "b"]
    assert {p.document_id: p.also for p in passages if p.also} == {
        "test:a": ("test:b",),
        "test:b": ("test:a",),
    }


def test_an_old_value_gives_way_to_that_of_a_page_that_holds(found):
    for standing in (ARCHIVED, SUPERSEDED):
        passages = found(page("a", standing=standing), page("b", LIMIT.replace("500", "750")))
        assert names(passages) == ["b"]
        assert "750" in passages[0].text


def test_a_reader_gets_the_copy_that_is_for_him_and_hears_of_no_other(found):
    best = page("best", updated_at=NEW, url="https://x/best", access=frozenset({"staff"}))
    old = page("old", standing=ARCHIVED, url="https://x/old")

    (passage, *_) = found(best, old)
    assert (passage.url, passage.also) == ("https://x/old", ())
    (passage, *_) = found(best, old, reader=Reader(frozenset({"staff"})))
    assert (passage.url, passage.also) == ("https://x/best", ("https://x/old",))


def test_copies_leave_room_for_other_pages(found):
    others = [document(f"o{n}", f"storage area number {n}") for n in range(3)]
    passages = found(*(page(name) for name in "abcdef"), *others, k=4)

    assert len({p.document_id for p in passages}) == 4


def test_of_the_only_page_all_that_there_is_is_shown_but_no_copy(found):
    passages = found(page("a"), page("b"), query="quota alpha1 beta1 gamma1 delta1 storage1", k=8)

    assert [p.document_id for p in passages] == ["test:a"] * 5
    assert len({p.text for p in passages}) == 5


TEXT = "The quota of a storage area is 500 GB and it is asked for in the portal every other year."


@pytest.mark.parametrize(
    ("other", "same", "same_when_old"),
    [
        (TEXT, True, True),
        (TEXT.upper(), True, True),
        (TEXT + " More follows.", True, True),
        (TEXT.replace("portal", "office"), True, True),
        (TEXT.replace("500", "750"), False, True),
        (TEXT.replace("is 500", "is not 500"), False, True),
        (TEXT.replace("GB", "TB"), False, True),
        ("The quota of a storage area is 500 GB.", False, False),
        ("", False, False),
    ],
)
def test_what_may_be_left_out(other, same, same_when_old):
    assert says_no_more(TEXT, other) is same
    assert says_no_more(TEXT, other, old=True) is same_when_old


def test_a_negation_is_never_left_out():
    for negated in ("does not need", "never needs", "doesn't need"):
        long = f"Whoever asks for an area {negated} a grid certificate of this or another kind."
        other = long.replace(negated, "also needs")
        assert not says_no_more(long, other)
        assert not says_no_more(other, long)


def test_a_table_counts_with_its_header_row(found):
    rows = "\n".join(f"area{n} | {n} GB" for n in range(40))
    table = document("t", f"name | quota\n{rows}", title="Storage")

    assert found(table, replace(table, id="test:u", page_id="test:u"))[0].also == ("test:u",)
