import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ingest.access import ANYBODY, Reader
from ingest.errors import IndexBusy, IndexDamaged, IndexMismatch, IndexMissing, IndexTrouble
from ingest.index import EmbeddedIndex, disk_bytes, store, text_digest, visits
from ingest.index.manifest import MANIFEST, read_manifest
from ingest.model import Page, Standing
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document, put, writer_at

STAFF = Reader(frozenset({"staff"}))


@pytest.fixture
def embedder():
    return HashEmbedder()


def names(snapshot, hits, reader=ANYBODY):
    return [stored.chunk.document_id for stored in snapshot.chunks([h.row for h in hits], reader)]


def found(index, embedder, text, reader=ANYBODY):
    with index.snapshot() as snapshot:
        dense = names(
            snapshot, snapshot.search_dense(embedder.embed_query(text), 9, reader), reader
        )
        return set(dense), names(snapshot, snapshot.search_lexical(text, 9, reader), reader)


def test_what_was_put_is_found_by_both_arms(tmp_path, embedder):
    index = build(tmp_path, embedder, document("a", "pixel tracker"), document("b", "muon chamber"))

    dense, lexical = found(index, embedder, "pixel")
    assert dense == {"test:a", "test:b"}
    assert lexical == ["test:a"]
    index.close()


def test_a_chunk_comes_back_whole(tmp_path, embedder):
    index = build(tmp_path, embedder, document("a", "First.", "Second. " * 36, "Third."))

    with index.snapshot() as snapshot:
        hits = snapshot.search_lexical("third", 1, ANYBODY)
        stored = snapshot.chunks([hits[0].row], ANYBODY)[0]
        whole = snapshot.document("test:a", ANYBODY)
    assert whole == document("a", "First.", "Second. " * 36, "Third.")
    assert stored.chunk.text == "Third." == whole.text[stored.chunk.start : stored.chunk.end]
    assert stored.title == "a"
    index.close()


def test_readers_see_only_their_lists_and_counts_of_them(tmp_path, embedder):
    index = build(
        tmp_path,
        embedder,
        document("open", "quota of storage"),
        document("closed", "quota of storage, secret", access=frozenset({"staff"})),
        document("nobody", "quota for nobody", access=frozenset()),
    )

    assert found(index, embedder, "quota") == ({"test:open"}, ["test:open"])
    assert found(index, embedder, "quota", STAFF)[0] == {"test:open", "test:closed"}
    with index.snapshot() as snapshot:
        assert snapshot.document("test:closed", ANYBODY) is None
        assert snapshot.document("test:closed", STAFF) is not None
        assert (snapshot.counts(ANYBODY).documents, snapshot.counts(STAFF).documents) == (1, 2)
        rows = [h.row for h in snapshot.search_lexical("quota", 9, STAFF)]
        # Knowing a row is not a way in.
        assert names(snapshot, snapshot.search_lexical("quota", 9, STAFF), ANYBODY) == ["test:open"]
        dense = snapshot.search_dense(embedder.embed_query("quota"), 9, ANYBODY, rows=rows)
        assert names(snapshot, dense, STAFF) == ["test:open"]
    index.close()


def test_a_removed_page_leaves_no_trace_in_any_of_the_three(tmp_path, embedder):
    index = build(tmp_path, embedder, document("a", "pixel"), document("b", "quenchword muon"))
    with writer_at(tmp_path, embedder) as writer:
        writer.remove("test:b")
        writer.commit()

    assert found(index, embedder, "quenchword") == ({"test:a"}, [])
    with index.snapshot() as snapshot:
        assert len(snapshot.rows) == 1
        assert snapshot._dense.vectors([1]).shape == (1, 64)
        with pytest.raises(KeyError):
            snapshot._dense.vectors([2])
        assert snapshot._lexical._searcher.num_docs == 1
    index.close()
    db = store.connect(tmp_path)
    assert db.execute("SELECT COUNT(*) FROM chunks").fetchone() == (1,)
    assert db.execute("SELECT COUNT(*) FROM documents").fetchone() == (1,)
    db.close()


def test_readers_go_on_with_their_generation_while_another_is_committed(tmp_path, embedder):
    index = build(tmp_path, embedder, document("a", "pixel tracker"))
    with index.snapshot() as old:
        with writer_at(tmp_path, embedder) as writer:
            writer.remove("test:a")
            put(writer, embedder, document("b", "pixel chamber"))
            writer.commit()
        hits = old.search_lexical("pixel", 9, ANYBODY)
        assert names(old, hits) == ["test:a"]
        assert old.document("test:a", ANYBODY) is not None
        assert names(old, old.search_dense(embedder.embed_query("pixel"), 9, ANYBODY)) == ["test:a"]
        with index.snapshot() as new:
            assert new.manifest.generation == old.manifest.generation + 1
            assert names(new, new.search_lexical("pixel", 9, ANYBODY)) == ["test:b"]
    index.close()


def test_many_readers_beside_a_writer_always_see_a_whole_generation(tmp_path, embedder):
    index = build(
        tmp_path, embedder, document("d0", "pixel number0"), document("e0", "pixel number0")
    )
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with index.snapshot() as snapshot:
                hits = snapshot.search_lexical("pixel", 9, ANYBODY)
                texts = {s.chunk.text for s in snapshot.chunks([h.row for h in hits], ANYBODY)}
                if len(hits) != 2 or len(texts) != 1:
                    wrong.append((snapshot.manifest.generation, texts))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for thread in readers:
        thread.start()
    with writer_at(tmp_path, embedder) as writer:
        for n in range(1, 8):
            for letter in "de":
                writer.remove(f"test:{letter}{n - 1}")
                put(writer, embedder, document(f"{letter}{n}", f"pixel number{n}"))
            writer.commit()
    done.set()
    for thread in readers:
        thread.join()
    assert not wrong
    index.close()


def test_an_unchanged_text_keeps_its_vector(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel"), document("b", "muon")).close()
    with writer_at(tmp_path, embedder) as writer:
        known = writer.known_vectors([text_digest("a\npixel"), text_digest("a\nnever seen")])
        assert list(known) == [text_digest("a\npixel")]
        # A vector that dies in this generation can still be taken over.
        writer.remove("test:a")
        assert text_digest("a\npixel") in writer.known_vectors([text_digest("a\npixel")])
        put(writer, embedder, document("c", "new"))
        assert text_digest("c\nnew") in writer.known_vectors([text_digest("c\nnew")])


def test_a_commit_without_a_change_makes_no_generation(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()
    with writer_at(tmp_path, embedder) as writer:
        assert writer.commit() == 1
    assert read_manifest(tmp_path).generation == 1


def test_an_empty_index_is_an_index(tmp_path, embedder):
    index = build(tmp_path, embedder)

    assert found(index, embedder, "anything") == (set(), [])
    index.close()


def test_two_writers_are_refused(tmp_path, embedder):
    with (
        writer_at(tmp_path, embedder),
        pytest.raises(IndexBusy, match="Another process is writing"),
        writer_at(tmp_path, embedder),
    ):
        pass


def test_what_was_not_committed_is_gone(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()
    with writer_at(tmp_path, embedder) as writer:
        put(writer, embedder, document("b", "muon"))
        writer.remove("test:a")
    index = EmbeddedIndex(tmp_path, embedder=embedder.name)

    assert found(index, embedder, "pixel muon")[1] == ["test:a"]
    index.close()


def test_another_embedder_is_refused_with_the_command_that_mends_it(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()

    with pytest.raises(IndexMismatch, match="docent ingest --rebuild"):
        EmbeddedIndex(tmp_path, embedder="another")
    other = HashEmbedder()
    other.name = "another"
    mended = pytest.raises(IndexMismatch, match="embedder 'fake-64', now 'another'")
    with mended, writer_at(tmp_path, other):
        pass


def test_a_rebuild_replaces_everything_at_once(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel"), document("b", "muon")).close()
    other = HashEmbedder()
    other.name = "another"
    with writer_at(tmp_path, other, rebuild=True) as writer:
        # A vector of the other model must not be taken over.
        assert writer.known_vectors([text_digest("a\npixel")]) == {}
        put(writer, other, document("a", "pixel"))
        writer.commit()
    index = EmbeddedIndex(tmp_path, embedder="another")

    assert found(index, other, "pixel muon") == ({"test:a"}, ["test:a"])
    index.close()


def test_no_index_says_how_to_make_one(tmp_path):
    with pytest.raises(IndexMissing, match="Run: docent ingest"):
        EmbeddedIndex(tmp_path / "none", embedder="x")


@pytest.mark.parametrize("kind", ["dense", "lexical"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_file_is_refused_and_a_rebuild_mends_it(tmp_path, embedder, kind, damage):
    build(tmp_path, embedder, document("a", "pixel")).close()
    entry = next(f for f in read_manifest(tmp_path).files if f.path.startswith(kind))
    path = tmp_path / entry.path
    if damage == "missing":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(IndexDamaged, match=r"docent ingest --rebuild"):
        EmbeddedIndex(tmp_path, embedder=embedder.name)

    with writer_at(tmp_path, embedder, rebuild=True) as writer:
        put(writer, embedder, document("a", "pixel"))
        writer.commit()
    index = EmbeddedIndex(tmp_path, embedder=embedder.name)
    assert found(index, embedder, "pixel") == ({"test:a"}, ["test:a"])
    index.close()


def test_a_damaged_new_generation_leaves_the_old_one_serving(tmp_path, embedder, caplog):
    index = build(tmp_path, embedder, document("a", "pixel"))
    with writer_at(tmp_path, embedder) as writer:
        put(writer, embedder, document("b", "muon"))
        writer.commit()
    (tmp_path / MANIFEST).write_text("{}")

    assert found(index, embedder, "pixel muon")[1] == ["test:a"]
    assert "The old generation keeps serving" in caplog.text
    index.close()


def test_a_commit_cut_off_before_its_manifest_is_finished_by_the_next_writer(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()
    before = (tmp_path / MANIFEST).read_text()
    with writer_at(tmp_path, embedder) as writer:
        put(writer, embedder, document("b", "muon"))
        writer.commit()
    # As it lies on the disk between the commit of the rows and the swap of the manifest; nothing
    # had died in this generation, so cleaning up deleted no row of the old one.
    (tmp_path / MANIFEST).write_text(before)

    with writer_at(tmp_path, embedder) as writer:
        assert writer.generation == 3
    index = EmbeddedIndex(tmp_path, embedder=embedder.name)
    assert sorted(found(index, embedder, "pixel muon")[1]) == ["test:a", "test:b"]
    index.close()


def test_a_damaged_manifest_is_written_again_from_the_rows(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()
    (tmp_path / MANIFEST).write_text("not json")
    with pytest.raises(IndexDamaged, match="is not a manifest"):
        EmbeddedIndex(tmp_path, embedder=embedder.name)

    with writer_at(tmp_path, embedder):
        pass
    EmbeddedIndex(tmp_path, embedder=embedder.name).close()


def test_a_database_of_another_version_is_refused(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()
    db = store.connect(tmp_path)
    db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(IndexMismatch, match="database version 99"):
        EmbeddedIndex(tmp_path, embedder=embedder.name)


def test_orphans_of_a_killed_writer_are_cleaned_up(tmp_path, embedder):
    build(tmp_path, embedder, document("a", "pixel")).close()
    size = disk_bytes(tmp_path)
    (tmp_path / "dense" / "orphan.faiss").write_bytes(b"x" * 10_000)
    (tmp_path / "lexical" / "00000002").mkdir()
    with writer_at(tmp_path, embedder):
        pass

    assert not (tmp_path / "dense" / "orphan.faiss").exists()
    assert not (tmp_path / "lexical" / "00000002").exists()
    assert disk_bytes(tmp_path) < size + 10_000


def generations(folder, embedder):
    with writer_at(folder, embedder) as writer:
        return [(g.number, g.serving, g.newest) for g in writer.generations()]


def titles(index, reader=STAFF):
    with index.snapshot() as snapshot:
        return {
            stored.chunk.document_id
            for stored in snapshot.chunks([int(row) for row in snapshot.rows], reader)
        }


def test_what_is_not_published_is_seen_only_by_who_names_it(tmp_path, embedder):
    index = build(tmp_path, embedder, document("a", "One text."))
    with writer_at(tmp_path, embedder, keep=3) as writer:
        put(writer, embedder, document("b", "Another text."))
        assert writer.commit(publish=False) == 2

    assert titles(index) == {"test:a"}
    new = EmbeddedIndex(tmp_path, embedder=embedder.name, generation=2)
    assert titles(new) == {"test:a", "test:b"}
    new.close()
    assert generations(tmp_path, embedder) == [(1, True, False), (2, False, True)]

    with writer_at(tmp_path, embedder, keep=3) as writer:
        assert writer.publish(2) == 2
    assert titles(index) == {"test:a", "test:b"}
    index.close()


def test_a_roll_back_brings_yesterday_back_and_the_next_commit_builds_on_the_newest(
    tmp_path, embedder
):
    index = build(tmp_path, embedder, document("a", "One text."))
    with writer_at(tmp_path, embedder, keep=3) as writer:
        writer.remove("test:a")
        put(writer, embedder, document("b", "Another text."))
        writer.commit()
    assert titles(index) == {"test:b"}

    with writer_at(tmp_path, embedder, keep=3) as writer:
        writer.publish(1)
    assert titles(index) == {"test:a"}
    with index.snapshot() as snapshot:
        assert len(snapshot.search_lexical("text", 5, STAFF)) == 1

    with writer_at(tmp_path, embedder, keep=3) as writer:
        put(writer, embedder, document("c", "A third text."))
        writer.commit()
    assert titles(index) == {"test:b", "test:c"}
    index.close()


def test_a_stored_page_comes_back_whole(tmp_path, embedder):
    page = Page(
        id="test:a",
        source="test",
        url="https://x.example/a",
        format="text",
        content=b"One text.",
        updated_at=datetime(2026, 3, 1, tzinfo=UTC),
        access=frozenset({"staff"}),
        version="v1",
        standing=Standing(archived=True),
        author="Ada Kroll",
        title="Meeting › Talk",
    )
    with writer_at(tmp_path, embedder) as writer:
        visits.save_page(writer.db, page, b"digest")

        assert list(visits.stored_pages(writer.db, "test")) == [page]


def test_a_roll_back_does_not_bring_back_the_right_to_read(tmp_path, embedder):
    secret = document("a", "One text.")
    index = build(tmp_path, embedder, secret)
    kept = Page("test:a", "test", "", "text", b"One text.", None, frozenset({"staff"}))
    with writer_at(tmp_path, embedder, keep=3) as writer:
        put(writer, embedder, replace(secret, access=frozenset({"staff"})))
        visits.save_page(writer.db, kept, b"digest")
        writer.commit()
    with writer_at(tmp_path, embedder, keep=3) as writer:
        writer.publish(1)

    assert titles(index, ANYBODY) == set()
    assert titles(index, STAFF) == {"test:a"}
    with index.snapshot() as snapshot:
        assert snapshot.search_lexical("text", 5, ANYBODY) == []
        assert snapshot.search_dense(embedder.embed_query("text"), 5, ANYBODY) == []
        assert snapshot.document("test:a", ANYBODY) is None
        assert snapshot.counts(ANYBODY).documents == 0
    index.close()


def test_publishing_what_serves_lets_open_readers_see_todays_rights(tmp_path, embedder):
    index = build(tmp_path, embedder, document("a", "One text."))
    kept = Page("test:a", "test", "", "text", b"One text.", None, frozenset({"staff"}))
    with writer_at(tmp_path, embedder, keep=3) as writer:
        put(writer, embedder, document("a", "One text.", access=frozenset({"staff"})))
        visits.save_page(writer.db, kept, b"digest")
        writer.commit(publish=False)
        assert titles(index, ANYBODY) == {"test:a"}  # an open reader holds what it opened

        assert writer.publish(1) == 1
    assert titles(index, ANYBODY) == set()
    assert titles(index, STAFF) == {"test:a"}
    index.close()


def test_old_generations_are_pruned(tmp_path, embedder):
    for number in range(5):
        with writer_at(tmp_path, embedder, keep=3) as writer:
            put(writer, embedder, document("a", f"Text of day {number}."))
            writer.commit()
    assert [g[0] for g in generations(tmp_path, embedder)] == [5]  # opened with keep=1

    with writer_at(tmp_path, embedder, keep=3) as writer:
        put(writer, embedder, document("a", "Text of day 6."))
        writer.commit()
        put(writer, embedder, document("a", "A step of a run."))
        writer.commit(final=False)
        put(writer, embedder, document("a", "The end of a run."))
        writer.commit()
        assert [g.number for g in writer.generations()] == [5, 6, 8]
        with pytest.raises(IndexTrouble, match="Generation 7 is not kept"):
            writer.publish(7)
        writer.prune()
        assert [g.number for g in writer.generations()] == [8]
    with pytest.raises(IndexMissing, match="Generation 5"):
        EmbeddedIndex(tmp_path, embedder=embedder.name, generation=5)
