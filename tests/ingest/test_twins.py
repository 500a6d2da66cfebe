from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from ingest.access import ANYBODY, Reader
from ingest.index import EmbeddedIndex, store
from ingest.model import Page, Standing
from ingest.pipeline import sync
from ingest.twins import (
    BANDS,
    HASHES,
    LEAST_WORDS,
    THRESHOLD,
    Face,
    are_twins,
    bands,
    likeness,
    signature,
)
from ingest.workers import parse_and_chunk
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, build, document, put, writer_at

STAFF = Reader(frozenset({"staff"}))
ERROR = 3 * (THRESHOLD * (1 - THRESHOLD) / HASHES) ** 0.5
"""Three standard errors of an estimate near the threshold."""


def words(count, *changed):
    """A text of words that are all different, those at some places replaced."""
    return " ".join(f"new{n}" if n in changed else f"word{n}" for n in range(count))


def face(text, title="Trigger menu", format="html"):  # noqa: A002 - the field's name
    return Face(title, format, signature(text))


def shares_a_band(one, other):
    return not set(bands(signature(one))).isdisjoint(bands(signature(other)))


def test_the_estimate_is_near_the_share_worked_out_by_hand():
    # 200 words have 196 shingles. One changed word takes 5 of them: 191 of 201 are shared.
    assert likeness(signature(words(200)), signature(words(200, 100))) == pytest.approx(
        191 / 201, abs=ERROR
    )
    # Four changed words far from each other take 20: 176 of 216.
    scattered = signature(words(200, 20, 70, 120, 170))
    assert likeness(signature(words(200)), scattered) == pytest.approx(176 / 216, abs=2 * ERROR)
    assert likeness(signature(words(200)), signature(words(200, *range(200)))) < 0.02


def test_a_signature_is_the_same_everywhere():
    # Written down once: if it changes, PARSE has to be raised, or old and new would be compared.
    assert sha256(signature(words(100))).hexdigest()[:16] == "62344a219425c6db"
    assert len(signature(words(LEAST_WORDS - 1))) == 16
    assert len(signature(words(LEAST_WORDS))) == 16 + 2 * HASHES
    assert len(set(bands(signature(words(LEAST_WORDS))))) == BANDS + 1


def test_white_space_is_no_difference_and_order_is_one():
    text = words(150)

    assert signature(text) == signature(text.replace(" ", "\n\n  "))
    # The same shingles, the first of them twice: alike, but not the same text.
    again = f"{text} {words(150)}"
    assert likeness(signature(f"{again} {text}"), signature(again)) == 0.999
    assert likeness(b"", b"") == 0
    assert list(bands(b"")) == []


def test_a_very_long_text_is_hashed_in_parts():
    # 10,000 words and ten more: 9,996 shingles of 10,006 are shared.
    assert likeness(signature(words(10_000)), signature(words(10_010))) > 0.98


def test_a_copy_with_a_few_changed_words_is_a_twin():
    one, other = words(400), words(400, 10, 200)

    assert are_twins(face(one), face(other))
    assert are_twins(face(one, "Trigger  Menu"), face(other, "trigger menu"))
    assert shares_a_band(one, other)


def test_a_form_filled_in_twice_is_none():
    # A report of 300 words: date, run, names and numbers stand in ten places.
    filled = words(300, *range(15, 300, 30))
    assert not are_twins(face(words(300), "Shift report"), face(filled, "Shift report"))
    # A longer form with fewer fields is 96 % the same; then its title tells.
    one, other = words(1000, 10, 500), words(1000, 11, 501)
    assert likeness(signature(one), signature(other)) > 0.95
    assert not are_twins(face(one, "Report of run 1"), face(other, "Report of run 2"))


def test_tickets_mails_and_events_are_twins_only_word_for_word():
    one, other = words(400), words(400, 200)

    for kind in ("jira", "mbox", "indico", "gitlab", "discourse"):
        assert not are_twins(face(one, format=kind), face(other, format=kind))
        assert are_twins(face(one, format=kind), face(one, format=kind))
        assert not are_twins(face(one, "A", kind), face(one, "B", kind))


def test_short_texts_are_twins_only_when_text_and_title_are_the_same():
    assert are_twins(face("To be written."), face("To be  written."))
    assert not are_twins(face("To be written.", "Cooling"), face("To be written.", "Gas"))
    assert not are_twins(face(words(99)), face(words(99, 0)))
    # The same long text under two names is one page at two places.
    assert are_twins(face(words(100), "Cooling"), face(words(100), "Home"))
    assert not are_twins(face("x"), Face("Trigger menu", "html", b""))


# --- in the index --------------------------------------------------------------------------------


@pytest.fixture
def embedder():
    return HashEmbedder()


def rows(snapshot, reader=ANYBODY):
    found = snapshot.chunks([int(row) for row in snapshot.rows], reader)
    return {stored.chunk.document_id.removeprefix("test:"): stored.document for stored in found}


def twins(index, name, reader=ANYBODY):
    """Names of a document's twins. Its row is looked up by somebody who sees everything."""
    with index.snapshot() as snapshot:
        row = rows(snapshot, STAFF)[name]
        found = snapshot.twins([row], reader)[row]
    return [twin.document_id.removeprefix("test:") for twin in found]


def copy(name, *changed, **more):
    return document(name, words(300, *changed), **({"title": "Menu"} | more))


def test_an_index_tells_the_twins_of_a_document(tmp_path, embedder):
    day = datetime(2026, 1, 2, tzinfo=UTC)
    index = build(
        tmp_path,
        embedder,
        copy("a"),
        copy("b", 7, url="https://x/b", updated_at=day, standing=Standing(archived=True)),
        copy("c", *range(0, 300, 10)),
        copy("d", title="Another"),
    )

    assert twins(index, "a") == ["b", "d"]
    assert twins(index, "b") == ["a"]
    assert twins(index, "c") == []
    with index.snapshot() as snapshot:
        row = rows(snapshot)["a"]
        twin = snapshot.twins([row], ANYBODY)[row][0]
    assert (twin.url, twin.updated_at, twin.standing) == (
        "https://x/b",
        day,
        Standing(archived=True),
    )
    index.close()


def test_a_twin_that_the_reader_may_not_see_is_none(tmp_path, embedder):
    staff = frozenset({"staff"})
    index = build(tmp_path, embedder, copy("a", access=staff | {"public"}), copy("b", access=staff))

    assert twins(index, "a") == []
    assert twins(index, "a", STAFF) == ["b"]
    # Knowing a row is not a way in.
    assert twins(index, "b") == []
    index.close()


def test_bands_live_and_die_with_their_documents(tmp_path, embedder):
    index = build(tmp_path, embedder, copy("a"), copy("b", 7))
    with index.snapshot() as old:
        with writer_at(tmp_path, embedder) as writer:
            writer.remove("test:b")
            put(writer, embedder, copy("c", 8))
            writer.commit()
        row = rows(old)["a"]
        assert [twin.document_id for twin in old.twins([row], ANYBODY)[row]] == ["test:b"]
    assert twins(index, "a") == ["c"]
    index.close()
    db = store.connect(tmp_path)
    assert db.execute("SELECT COUNT(*), COUNT(DISTINCT document) FROM bands").fetchone() == (
        2 * (BANDS + 1),
        2,
    )
    db.close()


def test_an_older_generation_has_its_own_twins(tmp_path, embedder):
    with writer_at(tmp_path, embedder, keep=2) as writer:
        put(writer, embedder, copy("a"), copy("b", 7))
        writer.commit()
        writer.remove("test:b")
        writer.commit()
    old = EmbeddedIndex(tmp_path, embedder=embedder.name, generation=1)
    new = EmbeddedIndex(tmp_path, embedder=embedder.name)

    assert (twins(old, "a"), twins(new, "a")) == (["b"], [])
    old.close()
    new.close()


def test_the_lookup_stays_within_the_bands(tmp_path, embedder):
    build(tmp_path, embedder, copy("a")).close()
    db = store.connect(tmp_path)
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT other.document FROM bands one"
        " JOIN bands other ON other.key = one.key WHERE one.document = 1"
    ).fetchall()
    db.close()

    assert [step[-1].split(" ")[0] for step in plan] == ["SEARCH", "SEARCH"]


# --- in the pipeline -----------------------------------------------------------------------------


def a_page(name, text, access=frozenset({"public"})):
    return Page(f"test:{name}", "test", "", "text", text.encode(), None, access, title="Menu")


def test_workers_sign_what_they_parse():
    (cut,) = parse_and_chunk(a_page("a", words(300)), 300)

    assert cut.signature == signature(cut.document.text)


def test_a_changed_access_list_keeps_the_signature(tmp_path, embedder):
    def run(*pages):
        pool = HerePool()
        with writer_at(tmp_path, embedder) as writer:
            sync([ListSource(pages)], writer, embedder, pool)
        return pool.parsed

    one, other = a_page("a", words(300)), a_page("b", words(300, 7))
    run(one, other)
    closed = replace(other, access=frozenset({"staff"}))
    assert run(one, closed) == []
    index = EmbeddedIndex(tmp_path, embedder=embedder.name)

    assert twins(index, "a") == []
    assert twins(index, "b", Reader(frozenset({"staff"}))) == ["a"]
    index.close()
