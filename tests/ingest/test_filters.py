"""Filters and facets through the index read: with the access lists, before ranking and counting."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ingest.access import ANYBODY, Reader
from ingest.filters import EVERYTHING, Facet, Filter
from ingest.index import visits
from ingest.index.embedded import READERS
from ingest.model import Page
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document, put, writer_at

STAFF = Reader(frozenset({"staff"}))
CLOSED = frozenset({"staff"})


def at(year, month=6, day=15):
    return datetime(year, month, day, 12, tzinfo=UTC)


def only(*sources, formats=(), since=None, until=None):
    return Filter(frozenset(sources), frozenset(formats), since, until)


def page(name, text, source="wiki", format="html", changed=None, **more):  # noqa: A002
    return document(name, text, source=source, format=format, updated_at=changed, **more)


@pytest.fixture
def embedder():
    return HashEmbedder()


@pytest.fixture
def index(tmp_path, embedder):
    made = build(
        tmp_path,
        embedder,
        page("a", "quota of storage", changed=at(2024)),
        page("b", "quota quota quota", changed=at(2025), access=CLOSED),
        page("c", "quota of jobs", "git", "markdown", at(2025)),
        page("d", "quota of tapes", "git", "html"),
        page("e", "secret quota", "board", "pdf", at(2023), access=CLOSED),
    )
    yield made
    made.close()


def found(index, embedder, filter_, reader=ANYBODY, k=9):
    """What both arms find and what is counted; they must agree, as each chunk says quota."""
    with index.snapshot() as snapshot:
        vector = embedder.embed_query("quota")
        dense = snapshot.search_dense(vector, k, reader, only=filter_)
        words = snapshot.search_lexical("quota", k, reader, only=filter_)
        counts = snapshot.counts(reader, filter_)
        names = [
            {one.chunk.document_id[-1] for one in snapshot.chunks([h.row for h in hits], reader)}
            for hits in (dense, words)
        ]
    assert names[0] == names[1]
    assert (counts.documents, counts.chunks) == (len(names[0]), len(names[0]))
    return "".join(sorted(names[0]))


@pytest.mark.parametrize(
    ("filter_", "public", "staff"),
    [
        (None, "acd", "abcde"),
        (EVERYTHING, "acd", "abcde"),
        (only("wiki"), "a", "ab"),
        (only("wiki", "git"), "acd", "abcd"),
        (only("board"), "", "e"),
        (only("nowhere"), "", ""),
        (only(formats=["html"]), "ad", "abd"),
        (only("git", formats=["html"]), "d", "d"),
        (only(since=date(2025, 1, 1)), "c", "bc"),
        (only(until=date(2024, 12, 31)), "a", "ae"),
        (only(since=date(2024, 6, 15), until=date(2024, 6, 15)), "a", "a"),
        (only(since=date(2024, 6, 16), until=date(2025, 6, 14)), "", ""),
        (only(since=date(2026, 1, 1), until=date(2024, 1, 1)), "", ""),
    ],
)
def test_both_arms_and_the_counts_are_of_what_is_taken_and_may_be_seen(
    index, embedder, filter_, public, staff
):
    assert found(index, embedder, filter_) == public
    assert found(index, embedder, filter_, STAFF) == staff


def test_a_filter_holds_before_the_ranking(index, embedder):
    # The best of all is `b`; cut off after the ranking, the one place would stay empty.
    with index.snapshot() as snapshot:
        (best,) = snapshot.search_lexical("quota", 1, STAFF)
        (chunk,) = snapshot.chunks([best.row], STAFF)
        assert chunk.chunk.document_id == "test:b"
        assert len(snapshot.search_lexical("quota", 1, STAFF, only=only("git"))) == 1
        vector = embedder.embed_query("quota")
        assert len(snapshot.search_dense(vector, 1, STAFF, only=only("git"))) == 1


def test_chosen_rows_and_a_filter_hold_together(index, embedder):
    with index.snapshot() as snapshot:
        rows = [hit.row for hit in snapshot.search_lexical("quota", 9, ANYBODY)]
        vector = embedder.embed_query("quota")
        for hits in (
            snapshot.search_dense(vector, 9, ANYBODY, rows[:2], only("git")),
            snapshot.search_lexical("quota", 9, ANYBODY, rows[:2], only("git")),
        ):
            taken = snapshot.search_lexical("quota", 9, ANYBODY, only=only("git"))
            assert {h.row for h in hits} == {h.row for h in taken} & set(rows[:2])


def facets(index, filter_=None, reader=ANYBODY):
    with index.snapshot() as snapshot:
        told = snapshot.facets(reader, filter_)
    return [
        " ".join(f"{one.value}={one.count}" for one in values)
        for values in (told.sources, told.formats, told.years)
    ]


def test_facets_count_only_what_the_reader_may_see(index):
    assert facets(index) == ["git=2 wiki=1", "html=2 markdown=1", "2025=1 2024=1"]
    assert facets(index, reader=STAFF) == [
        "git=2 wiki=2 board=1", "html=3 markdown=1 pdf=1", "2025=2 2024=1 2023=1",
    ]  # fmt: skip


def test_a_facet_is_counted_under_the_other_parts_of_the_filter(index):
    # Of git: the sources stay as they were, formats and years are of git alone.
    assert facets(index, only("git")) == ["git=2 wiki=1", "html=1 markdown=1", "2025=1"]
    # Of html since 2025: sources and formats under the other, the years of all html.
    new = only(formats=["html"], since=date(2025, 1, 1))
    assert facets(index, new, STAFF) == ["wiki=1", "html=1 markdown=1", "2025=1 2024=1"]


def test_a_name_that_is_closed_looks_like_one_that_there_is_not(index):
    assert facets(index, only("board")) == facets(index, only("nowhere"))
    assert facets(index, only(formats=["pdf"])) == facets(index, only(formats=["no such"]))


def test_days_and_years_are_those_of_utc(tmp_path, embedder):
    late = datetime(2024, 12, 31, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    made = build(tmp_path, embedder, page("n", "quota", changed=late))

    assert facets(made)[2] == "2025=1"
    assert found(made, embedder, only(since=date(2025, 1, 1), until=date(2025, 1, 1))) == "n"
    assert found(made, embedder, only(until=date(2024, 12, 31))) == ""
    made.close()


def test_a_new_generation_is_narrowed_by_its_own_documents(tmp_path, embedder):
    made = build(tmp_path, embedder, page("a", "quota"), page("b", "quota", "git"))
    assert found(made, embedder, only("git")) == "b"
    with writer_at(tmp_path, embedder) as writer:
        writer.remove("test:b")
        put(writer, embedder, page("c", "quota", "git"))
        writer.commit()

    assert found(made, embedder, only("git")) == "c"
    assert facets(made)[0] == "git=1 wiki=1"
    made.close()


def test_an_empty_index_has_nothing_to_be_narrowed_to(tmp_path, embedder):
    made = build(tmp_path, embedder)

    assert found(made, embedder, only("git")) == ""
    assert facets(made) == ["", "", ""]
    made.close()


@pytest.mark.parametrize("asked", ["loud", "quiet", "rare"])
def test_few_rows_and_many_give_what_a_search_of_everything_gives_of_them(
    tmp_path, embedder, asked
):
    # Every loud page goes before every quiet one: for the quiet ones one has to read on.
    shares = ["loud"] * 30 + ["quiet"] * 30 + ["rare"] * 2
    pages = [
        page(f"p{n}", "muon " * (n % 9 + 9 if s == "loud" else 1) + f"at {n} " * 3 * (n % 5), s)
        for n, s in enumerate(shares)
    ]
    made = build(tmp_path, embedder, *pages)
    with made.snapshot() as snapshot:
        everything = snapshot.search_lexical("muon", 99, ANYBODY)
        stored = snapshot.chunks([hit.row for hit in everything], ANYBODY)
        of_it = [h for h, one in zip(everything, stored, strict=True) if one.source == asked]
        for k in (1, 3, 99):
            hits = snapshot.search_lexical("muon", k, ANYBODY, only=only(asked))
            assert [h.score for h in hits] == pytest.approx([h.score for h in of_it[:k]])
            assert {h.row for h in hits} <= {h.row for h in of_it}
    made.close()


def test_the_sum_of_a_facet_is_the_count(index):
    with index.snapshot() as snapshot:
        for reader in (ANYBODY, STAFF):
            sources = snapshot.facets(reader).sources
            assert sum(one.count for one in sources) == snapshot.counts(reader).documents
            for one in sources:
                assert snapshot.counts(reader, only(one.value)).documents == one.count
        assert Facet("board", 1) not in snapshot.facets(ANYBODY).sources


def test_a_roll_back_does_not_bring_back_the_right_to_count(tmp_path, embedder):
    made = build(tmp_path, embedder, page("a", "quota"))
    kept = Page("test:a", "wiki", "", "text", b"quota", None, CLOSED)
    with writer_at(tmp_path, embedder, keep=3) as writer:
        put(writer, embedder, page("a", "quota", access=CLOSED))
        visits.save_page(writer.db, kept, b"digest")
        writer.commit()
    with writer_at(tmp_path, embedder, keep=3) as writer:
        writer.publish(1)

    assert found(made, embedder, only("wiki")) == ""
    assert facets(made) == ["", "", ""]
    assert found(made, embedder, only("wiki"), STAFF) == "a"
    made.close()


def test_many_readers_of_different_groups_do_not_fill_the_memory(index):
    with index.snapshot() as snapshot:
        for number in range(2 * READERS):
            reader = Reader(
                frozenset({f"group{number}", "staff"} if number % 2 else {f"g{number}"})
            )
            assert snapshot.counts(reader).documents == (5 if number % 2 else 3)
        assert len(snapshot._allowed) <= READERS
