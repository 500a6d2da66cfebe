"""What every engine must do alike: the whole suite runs over each."""

import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime

import numpy as np
import pytest

from ingest.access import ANYBODY, Reader
from ingest.chunk import chunk
from ingest.errors import IndexBusy, IndexMismatch, IndexMissing, IndexTrouble
from ingest.filters import Facet, Filter
from ingest.index import (
    Hit,
    Snapshot,
    engine_at,
    generations,
    managing,
    open_index,
    store,
    text_digest,
    visits,
    writing,
)
from ingest.model import Acronym, Cut, Failure, Page, Standing
from ingest.pipeline import parts_of
from ingest.twins import signature
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, put
from tests.ingest.index.conftest import House

STAFF = Reader(frozenset({"staff"}))
HOSTILE = [
    "'; DROP TABLE documents; --", '" OR 1=1', "a\\'b", "%", "_", "$1", "?", ":name", "\0", "a\0b",
    "\ud800", "{}", "{a,b}", "NULL", "\\u0000", '["public"]', "public'", "🦊", "\u202e", "x" * 5000,
]  # fmt: skip


def ids(snapshot: Snapshot, hits: Sequence[Hit], reader: Reader = ANYBODY) -> list[str]:
    return [one.chunk.document_id for one in snapshot.chunks([h.row for h in hits], reader)]


def found(house: House, text: str, reader: Reader = ANYBODY) -> tuple[set[str], list[str]]:
    with house.reading() as index, index.snapshot() as snapshot:
        dense = snapshot.search_dense(house.embedder.embed_query(text), 9, reader)
        lexical = snapshot.search_lexical(text, 9, reader)
        return set(ids(snapshot, dense, reader)), ids(snapshot, lexical, reader)


def test_what_is_put_again_replaces_what_was_there_and_what_is_removed_is_gone(house):
    house.add(document("a", "pixel tracker"), document("b", "muon chamber"))
    house.add(document("a", "calorimeter"))
    assert found(house, "pixel calorimeter") == ({"test:a", "test:b"}, ["test:a"])

    with house.writing() as writer:
        put(writer, house.embedder, document("c", "pixel again"))
        writer.remove("test:c")  # in the same generation
        writer.remove("test:b")
        writer.remove("test:never-there")
        writer.commit()
    assert found(house, "pixel muon calorimeter") == ({"test:a"}, ["test:a"])


def test_a_document_comes_back_whole_with_its_chunks(house):
    updated = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    one = document(
        "a", "First.", "Second. " * 36, "Third. 🦊 ü", url="https://w.example/a", author="Ada",
        updated_at=updated, standing=Standing(archived=True),
    )  # fmt: skip
    house.add(one)
    with house.reading() as index, index.snapshot() as snapshot:
        assert snapshot.document("test:a", ANYBODY) == one
        assert snapshot.document("test:none", ANYBODY) is None
        hit = snapshot.search_lexical("third", 1, ANYBODY)[0]
        [stored] = snapshot.chunks([hit.row, 99_999], ANYBODY)
        assert stored.chunk.text == "Third. 🦊 ü" == one.text[stored.chunk.start : stored.chunk.end]
        assert (stored.title, stored.url, stored.source) == ("a", "https://w.example/a", "test")
        assert (stored.updated_at, stored.standing) == (updated, Standing(archived=True))
        [cover] = snapshot.covers([hit.row], ANYBODY).values()
        assert (cover.document_id, cover.page_id, cover.title) == ("test:a", "test:a", "a")
        assert snapshot.rows.tolist() == sorted(snapshot.rows.tolist())
        vectors = snapshot.vectors([hit.row, hit.row], ANYBODY)
        assert vectors.shape == (2, 64)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_nothing_of_what_a_reader_may_not_see_comes_through_any_door(house):
    house.add(
        document("open", "quota of storage"),
        document("closed", "quota of storage, secret", access=frozenset({"staff"}), source="hr"),
        document("nobody", "quota for nobody", access=frozenset()),
    )
    assert found(house, "quota") == ({"test:open"}, ["test:open"])
    assert found(house, "quota", STAFF)[0] == {"test:open", "test:closed"}
    with house.reading() as index, index.snapshot() as snapshot:
        rows = snapshot.rows.tolist()
        vector = house.embedder.embed_query("quota")
        [mine] = [h.row for h in snapshot.search_dense(vector, 9, ANYBODY)]
        # Knowing a row is not a way in.
        assert [h.row for h in snapshot.search_dense(vector, 9, ANYBODY, rows=rows)] == [mine]
        assert [h.row for h in snapshot.search_lexical("quota", 9, ANYBODY, rows=rows)] == [mine]
        assert ids(snapshot, snapshot.search_lexical("quota", 9, STAFF), ANYBODY) == ["test:open"]
        assert list(snapshot.covers(rows, ANYBODY)) == [mine]
        with pytest.raises(KeyError):
            snapshot.vectors(rows, ANYBODY)
        assert snapshot.document("test:closed", ANYBODY) is None
        assert snapshot.document("test:closed", STAFF) is not None
        assert [snapshot.counts(r).documents for r in (ANYBODY, STAFF)] == [1, 2]
        assert [f.value for f in snapshot.facets(ANYBODY).sources] == ["test"]
        assert snapshot.counts(ANYBODY, Filter(sources=frozenset({"hr"}))).documents == 0


def test_who_has_no_group_in_any_list_finds_nothing_and_learns_nothing(house):
    house.add(document("closed", "quota", access=frozenset({"staff"})))
    with house.reading() as index, index.snapshot() as snapshot:
        vector = house.embedder.embed_query("quota")
        assert snapshot.search_dense(vector, 9, ANYBODY) == []
        assert snapshot.search_lexical("quota", 9, ANYBODY) == []
        assert snapshot.reach("quota", ANYBODY) == 0.0
        assert (snapshot.counts(ANYBODY).documents, snapshot.counts(ANYBODY).chunks) == (0, 0)
        assert snapshot.glossary(ANYBODY) == ()


def test_near_duplicates_and_short_forms_are_told_to_those_who_may_see_them(house):
    words = " ".join(f"word{number}" for number in range(200))
    cuts = []
    for name, access in (("a", "public"), ("copy", "public"), ("secret", "staff")):
        one = document(name, words, access=frozenset({access}), title="Manual")
        said = [Acronym("SSO", "single sign-on")] if name != "copy" else []
        cuts.append((one, said))
    with house.writing() as writer:
        for one, said in cuts:
            pieces = chunk(one, 300)
            vectors = house.embedder.embed_documents([p.indexed for p in pieces])
            named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
            writer.put(one.page_id, [Cut(one, pieces, signature(one.text), said)], named)
        writer.commit()
    with house.reading() as index, index.snapshot() as snapshot:
        rows = {
            s.chunk.document_id: s.document for s in snapshot.chunks(snapshot.rows.tolist(), STAFF)
        }
        first, copy, secret = (rows[f"test:{name}"] for name in ("a", "copy", "secret"))
        assert {t.document_id for t in snapshot.twins([first], ANYBODY)[first]} == {"test:copy"}
        seen = snapshot.twins([first, secret], STAFF)
        assert {t.document_id for t in seen[first]} == {"test:copy", "test:secret"}
        assert {t.row for t in seen[secret]} == {first, copy}
        assert snapshot.twins([secret], ANYBODY) == {secret: []}
        for reader, count in ((ANYBODY, 1), (STAFF, 2)):
            [entry] = snapshot.glossary(reader)
            assert (entry.short, entry.long, len(entry.sources)) == ("SSO", "single sign-on", count)
        assert snapshot.glossary(STAFF) == snapshot.glossary(STAFF)


def test_counts_and_facets_follow_filter_and_reader(house):
    days = [datetime(2024, 12, 31, 23, 30, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC), None]
    house.add(
        *(
            document(f"{source}{number}", "pixel", source=source, updated_at=day, format=format_)
            for source, format_ in (("wiki", "twiki"), ("git", "markdown"))
            for number, day in enumerate(days)
        ),
        document("s", "pixel", source="wiki", format="pdf", access=frozenset({"staff"})),
    )
    wiki = Filter(sources=frozenset({"wiki"}))
    since = Filter(since=date(2025, 1, 1))
    day = Filter(since=date(2024, 12, 31), until=date(2024, 12, 31))
    with house.reading() as index, index.snapshot() as snapshot:
        counted = [
            snapshot.counts(reader, only).documents
            for only in (None, wiki, since, day, Filter(formats=frozenset({"none"})))
            for reader in (ANYBODY, STAFF)
        ]
        assert counted == [6, 7, 3, 4, 2, 2, 2, 2, 0, 0]
        told = snapshot.facets(ANYBODY, wiki)
        # Each under the other parts of the filter, not under its own.
        assert told.sources == (Facet("git", 3), Facet("wiki", 3))
        assert told.formats == (Facet("twiki", 3),)
        assert told.years == (Facet("2025", 1), Facet("2024", 1))
        assert snapshot.facets(STAFF).formats == (
            Facet("markdown", 3), Facet("twiki", 3), Facet("pdf", 1),
        )  # fmt: skip
        assert len(snapshot.facets(ANYBODY, since).years) == 2
        for search in (
            lambda only: snapshot.search_lexical("pixel", 9, ANYBODY, only=only),
            lambda only: snapshot.search_dense(
                house.embedder.embed_query("pixel"), 9, ANYBODY, only=only
            ),
        ):
            assert sorted(ids(snapshot, search(since))) == ["test:git1", "test:wiki1"]
            assert len(search(wiki)) == 3
            assert search(Filter(sources=frozenset({"none"}))) == []


def test_hostile_texts_are_texts_in_every_value(house):
    told = ["plain" if "\ud800" in one else one for one in HOSTILE]
    house.add(
        document("open", "pixel"),
        *(
            document(f"odd{n}", f"pixel {text}", title=text, source=text, format=text,
                     access=frozenset({group}))
            for n, (group, text) in enumerate(zip(HOSTILE, told, strict=True))
        ),
    )  # fmt: skip
    with house.reading() as index, index.snapshot() as snapshot:
        vector = house.embedder.embed_query("pixel")
        assert found(house, "pixel") == ({"test:open"}, ["test:open"])
        for number, hostile in enumerate(HOSTILE):
            reader = Reader(frozenset({hostile}), user=hostile)
            mine = {"test:open", f"test:odd{number}"}
            assert set(ids(snapshot, snapshot.search_dense(vector, 9, reader), reader)) == mine
            assert set(ids(snapshot, snapshot.search_lexical("pixel", 9, reader), reader)) == mine
            assert snapshot.counts(reader).documents == 2
            snapshot.search_lexical(hostile, 9, reader)
            assert snapshot.document(hostile, reader) is None
            only = Filter(sources=frozenset({hostile}), formats=frozenset({hostile}))
            seen = ids(snapshot, snapshot.search_dense(vector, 9, reader, only=only), reader)
            assert set(seen) <= {f"test:odd{number}"}
            # PostgreSQL holds no NUL: such a source is found under another spelling, or not.
            assert bool(seen) == ("\ud800" not in hostile) or "\0" in hostile
            assert snapshot.counts(ANYBODY, only).documents == 0
            assert snapshot.search_lexical("pixel", 9, ANYBODY, only=only) == []
            snapshot.facets(reader, only)
    with house.writing() as writer:
        for hostile in told:
            writer.remove(hostile)
        assert not writer.changed
        assert writer.known_vectors([b"\0" * 16, b"'"]) == {}


def test_the_public_cannot_be_named_by_another_spelling(house):
    house.add(document("closed", "quota", access=frozenset({"staff\0", "Staff", " staff", "sta"})))
    assert found(house, "quota", STAFF) == (set(), [])
    assert found(house, "quota", Reader(frozenset({"staff\0"}))) == (
        {"test:closed"},
        ["test:closed"],
    )


def test_readers_keep_their_generation_while_another_is_committed(house):
    house.add(document("a", "pixel tracker"))
    with house.reading() as index, index.snapshot() as old:
        with house.writing() as writer:
            writer.remove("test:a")
            put(writer, house.embedder, document("b", "pixel chamber"))
            writer.commit()
        assert ids(old, old.search_lexical("pixel", 9, ANYBODY)) == ["test:a"]
        vector = house.embedder.embed_query("pixel")
        assert ids(old, old.search_dense(vector, 9, ANYBODY)) == ["test:a"]
        with index.snapshot() as new:
            assert new.manifest.generation == old.manifest.generation + 1
            assert ids(new, new.search_lexical("pixel", 9, ANYBODY)) == ["test:b"]


def test_readers_beside_a_writer_see_only_whole_generations(house):
    house.add(document("d", "pixel number0"), document("e", "pixel number0"))
    wrong: list[object] = []
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        try:
            with house.reading() as index:
                while not done.is_set():
                    with index.snapshot() as snapshot:
                        hits = snapshot.search_lexical("pixel", 9, ANYBODY)
                        stored = snapshot.chunks([h.row for h in hits], ANYBODY)
                        texts = {one.chunk.text for one in stored}
                        seen.add(snapshot.manifest.generation)
                        if len(hits) != 2 or len(texts) != 1 or len(stored) != 2:
                            wrong.append((snapshot.manifest.generation, texts))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in readers:
        one.start()
    with house.writing() as writer:
        for number in range(1, 6):
            put(
                writer, house.embedder,
                document("d", f"pixel number{number}"), document("e", f"pixel number{number}"),
            )  # fmt: skip
            writer.commit()
    done.set()
    for one in readers:
        one.join()
    assert wrong == []
    assert len(seen) > 1


def test_generations_are_held_published_rolled_back_and_pruned(house):
    first = house.add(document("a", "first"))
    second = house.add(document("a", "second"), publish=False)
    assert found(house, "first second")[1] == ["test:a"]
    with house.reading() as index, index.snapshot() as snapshot:
        assert snapshot.manifest.generation == first
    with house.reading(second) as index, index.snapshot() as snapshot:
        assert snapshot.chunks(snapshot.rows.tolist(), ANYBODY)[0].chunk.text == "second"

    with house.reading() as index:
        with managing(house.place, keep=3) as writer:
            assert writer.publish(second) == second
        with index.snapshot() as snapshot:
            assert snapshot.manifest.generation == second
        with managing(house.place, keep=3) as writer:
            writer.publish(first)
        with index.snapshot() as snapshot:
            assert snapshot.manifest.generation == first
            assert snapshot.search_lexical("second", 9, ANYBODY) == []
    kept = generations(house.place)
    assert [(g.number, g.serving, g.newest, g.documents) for g in kept] == [
        (first, True, False, 1), (second, False, True, 1),
    ]  # fmt: skip
    assert engine_at(house.place).serving().generation == first
    with managing(house.place, keep=3) as writer:
        with pytest.raises(
            IndexTrouble, match=r"Generation 99 is not kept at .*; there are 1, 2\."
        ):
            writer.publish(99)
        writer.publish(second)
        writer.prune()
        assert [one.number for one in writer.generations()] == [second]
    with pytest.raises(IndexMissing, match="Generation 1 is not kept"), house.reading(first):
        pass
    assert found(house, "second")[1] == ["test:a"]
    assert engine_at(house.place).bytes() > 0


def test_rights_that_were_taken_away_do_not_come_back_by_a_roll_back(house):
    with house.writing(keep=3) as writer:
        put(writer, house.embedder, document("a", "pixel"))
        page = Page("test:a", "test", "", "text", b"pixel", None, frozenset({"public"}))
        visits.save_page(writer.db, page, b"1")
        first = writer.commit()
        put(writer, house.embedder, document("a", "pixel", access=frozenset({"staff"})))
        visits.touch_page(writer.db, "test:a", frozenset({"staff"}), "")
        writer.commit()
    with managing(house.place, keep=3) as writer:
        writer.publish(first)
    assert found(house, "pixel") == (set(), [])
    assert found(house, "pixel", STAFF) == ({"test:a"}, ["test:a"])
    with house.reading() as index, index.snapshot() as snapshot:
        assert snapshot.counts(ANYBODY).documents == 0
        assert snapshot.document("test:a", ANYBODY) is None


def test_two_writers_and_other_parts_are_refused_in_a_sentence(house):
    house.add(document("a", "pixel"))
    with house.writing(), pytest.raises(IndexBusy, match="Another process is writing the index"):
        house.add(document("b", "muon"))
    other = HashEmbedder()
    other.name = "another"
    with (
        pytest.raises(IndexMismatch, match=r"other parts \(embedder 'fake-64', now 'another'\)"),
        writing(house.place, parts_of(other, 300)),
    ):
        pass
    with pytest.raises(IndexMismatch, match="built with the embedder 'fake-64'"):
        open_index(house.place, embedder="another")
    # Neither refusal left a lock behind.
    house.add(document("b", "muon"))
    assert found(house, "muon")[1] == ["test:b"]


def test_where_there_is_no_index_one_is_told_how_to_make_it(house):
    for ask in (
        lambda: open_index(house.place, embedder="x"),
        lambda: generations(house.place),
        lambda: engine_at(house.place).serving(),
    ):
        with pytest.raises(IndexMissing, match="Run: docent ingest"):
            ask()


def test_what_was_not_committed_is_dropped_and_what_was_stays(house):
    house.add(document("a", "pixel"))
    with pytest.raises(RuntimeError), house.writing() as writer:  # noqa: PT012 - cut off in it
        put(writer, house.embedder, document("b", "pixel"), document("a", "other"))
        visits.save_cursor(writer.db, "test", "half")
        msg = "the run was cut off"
        raise RuntimeError(msg)
    assert found(house, "pixel")[1] == ["test:a"]
    with house.writing() as writer:
        assert visits.cursor(writer.db, "test") == ""
        assert not writer.changed
        assert writer.commit() == 1
    assert [g.number for g in generations(house.place)] == [1]


def test_a_rebuild_takes_other_parts_and_keeps_serving_until_it_is_whole(house):
    house.add(document("a", "pixel"), document("b", "muon"))
    changed = HashEmbedder()
    changed.name = "another"
    with house.reading() as index:  # noqa: SIM117 - opened before, read meanwhile
        with writing(house.place, parts_of(changed, 300), rebuild=True) as writer:
            was_fresh = writer.fresh
            digest = text_digest("b\nmuon")
            assert writer.known_vectors([digest]) == {}
            put(writer, changed, document("b", "muon again"))
            with index.snapshot() as old:
                assert old.search_lexical("pixel", 9, ANYBODY) != []
            writer.commit()
            assert (was_fresh, writer.fresh) == (True, False)
            assert list(writer.known_vectors([text_digest("b\nmuon again")])) != []
    with (
        closing(open_index(house.place, embedder="another")) as index,
        index.snapshot() as snapshot,
    ):
        assert ids(snapshot, snapshot.search_lexical("muon pixel", 9, ANYBODY)) == ["test:b"]
        assert snapshot.counts(ANYBODY).documents == 1


def test_vectors_are_known_by_their_texts_so_that_nothing_is_embedded_twice(house):
    house.add(document("a", "pixel"))
    digest = text_digest("a\npixel")
    with house.writing() as writer:
        known = writer.known_vectors([digest, b"\1" * 16])
        assert list(known) == [digest]
        assert np.allclose(known[digest], house.embedder.embed_query("a\npixel"), atol=1e-6)
        writer.remove("test:a")
        assert list(writer.known_vectors([digest])) == [digest]
        put(writer, house.embedder, document("b", "muon"))
        assert list(writer.known_vectors([text_digest("b\nmuon")])) == [text_digest("b\nmuon")]


def test_what_is_known_of_the_sources_is_kept_with_the_generation(house):
    access = frozenset({"staff", "public"})
    when = datetime(2026, 1, 2, tzinfo=UTC)
    page = Page("p1", "wiki", "https://x", "text", b"\0bytes", when, access, "v1",
                Standing(archived=True), "Ada", "Title")  # fmt: skip
    with house.writing() as writer:
        db = writer.db
        visits.save_page(db, page, b"digest")
        visits.save_page(db, page, b"digest2")
        for _ in range(2):
            visits.save_failure(db, Failure("p2", "wiki", "broken"), when, None)
        visits.save_cursor(db, "wiki", "c1")
        visits.save_cursor(db, "wiki", "c2")
        visits.save_run(db, "wiki", when, {"n": 1}, well=True)
        visits.save_run(db, "wiki", when, {"n": 2}, well=False)
        writer.commit()
    with engine_at(house.place).rows() as db:
        assert list(visits.stored_pages(db, "wiki")) == [page]
        assert visits.page_states(db, "wiki")["p1"].digest == b"digest2"
        [failed] = visits.failures(db)
        assert (failed.failure.reason, failed.attempts) == ("broken", 2)
        assert visits.failures(db, "other") == []
        assert visits.attempts(db, "p2") == 2
        assert visits.cursor(db, "wiki") == "c2"
        assert visits.runs(db)["wiki"].report == {"n": 2}
        assert visits.runs(db)["wiki"].succeeded_at == when
        assert visits.sources(db) == ["wiki"]
    with house.writing() as writer:
        visits.touch_page(writer.db, "p1", frozenset(), "v2")
        visits.forget_page(writer.db, "p2")
        visits.forget_source(writer.db, "wiki")
        assert visits.sources(writer.db) == ["wiki"]
        assert store.access_lists(writer.db)
