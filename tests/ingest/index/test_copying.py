"""An index from one engine to another and back: the same index, with nothing embedded again."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

import docent
from ingest.access import ANYBODY, Reader
from ingest.chunk import chunk
from ingest.copying import Copied, copy_index
from ingest.errors import IndexBusy, IndexMissing, IndexTrouble
from ingest.index import engine_at, generations, managing, store, text_digest, visits, whole
from ingest.index.places import place_of
from ingest.model import Acronym, Cut, Failure, Page, Standing
from ingest.twins import signature
from tests.ingest.corpus import document, put
from tests.ingest.index.conftest import House
from tests.ingest.index.test_conformance import found, ids
from tests.ingest.index.test_conformance_search import QUESTIONS, READERS, corpus

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OTHER = {True: "postgresql", False: "folder"}


def fill(house: House) -> None:
    """Documents of all kinds in two generations, with what is known of their source."""
    house.add(*corpus(120), document("gone", "gone again"))
    words = " ".join(f"word{number}" for number in range(150))
    one = document(
        "odd", words, "Second. " * 40, access=frozenset({"staff", "all"}), updated_at=NOW,
        author="Ada", url="https://w.example/odd", standing=Standing(archived=True),
    )  # fmt: skip
    pieces = chunk(one, 300)
    vectors = house.embedder.embed_documents([p.indexed for p in pieces])
    named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
    with house.writing(keep=3) as writer:
        writer.remove("test:gone")
        cut = Cut(one, pieces, signature(one.text), [Acronym("SSO", "single sign-on")])
        writer.put(one.page_id, [cut], named)
        page = Page("test:odd", "test", "u", "text", b"bytes", NOW, one.access, "v1")
        visits.save_page(writer.db, page, b"digest")
        visits.save_failure(writer.db, Failure("p2", "test", "broken"), NOW, NOW)
        visits.save_cursor(writer.db, "test", "c1")
        visits.save_run(writer.db, "test", NOW, {"n": 1}, well=True)
        writer.commit()


def test_a_copy_is_the_same_index_and_the_copy_of_the_copy_too(house, beside):
    fill(house)
    before = len(house.embedder.embedded)
    away, back = beside(OTHER[house.is_folder]), beside(OTHER[not house.is_folder])
    told: list[tuple[int, int]] = []
    first = copy_index(house.place, away.place, lambda done, of: told.append((done, of)))
    second = copy_index(away.place, back.place)

    assert told[-1] == (121, 121)
    assert (first.documents, first.pages, first.published) == (121, 1, True)
    assert (first.chunks, first.digest) == (second.chunks, second.digest)
    assert first.generation == second.generation == 1
    assert min(first.dense, first.lexical, second.dense, second.lexical) >= 0.9
    assert len(house.embedder.embedded) == before
    reader = READERS["all"]
    with house.reading() as a, away.reading() as b, a.snapshot() as old, b.snapshot() as new:
        assert new.document("test:odd", reader) == old.document("test:odd", reader)
        assert new.glossary(reader) == old.glossary(reader) != ()
        assert new.facets(reader) == old.facets(reader)
        for text in QUESTIONS:
            vector = house.embedder.embed_query(text)
            scores = [
                [round(h.score, 5) for h in one.search_dense(vector, 10, reader)]
                for one in (old, new)
            ]
            assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    with engine_at(away.place).rows() as db:
        assert visits.cursor(db, "test") == "c1"
        assert [one.attempts for one in visits.failures(db)] == [1]
        assert visits.runs(db)["test"].report == {"n": 1}
        assert [page.content for page in visits.stored_pages(db, "test")] == [b"bytes"]
        assert visits.page_states(db, "test")["test:odd"].digest == b"digest"
    # It goes on being written where it is now.
    assert away.add(document("more", "quenchword", access=frozenset({"all"}))) == 2
    assert found(away, "quenchword", reader)[1] == ["test:more"]


def test_an_index_is_put_back_from_a_copy_of_an_earlier_day(house, beside):
    fill(house)
    kept = beside("folder")
    copy_index(house.place, kept.place)
    with house.writing() as writer:  # the day that goes wrong
        for page in whole.page_ids(writer.db):
            writer.remove(page)
        writer.commit()
    assert found(house, "w3", READERS["all"]) == (set(), [])
    restored = beside("folder" if house.is_folder else "postgresql")
    copy_index(kept.place, restored.place)
    assert found(restored, "w3", READERS["all"])[1]


def test_a_generation_that_does_not_serve_is_copied_and_does_not_serve_there(house, beside):
    house.add(document("a", "first"))
    house.add(document("a", "second"), publish=False)
    away = beside(OTHER[house.is_folder])
    assert not copy_index(house.place, away.place).published
    assert [(g.number, g.serving) for g in generations(away.place)] == [(1, False)]
    with pytest.raises(IndexMissing):
        found(away, "second")
    with managing(away.place) as writer:
        writer.publish(1)
    assert found(away, "second")[1] == ["test:a"]
    # The original keeps what it kept.
    assert [g.number for g in generations(house.place)] == [1, 2]


def test_what_cannot_be_copied_is_refused_in_a_sentence(house, beside):
    away = beside(OTHER[house.is_folder])
    with pytest.raises(IndexMissing, match="Run: docent ingest"):
        copy_index(house.place, away.place)
    house.add(document("a", "pixel"))
    away.add(document("b", "muon"))
    with pytest.raises(IndexTrouble, match=r"There is an index at .* already"):
        copy_index(house.place, away.place)
    empty = beside("folder")
    with house.writing(), pytest.raises(IndexBusy, match="Another process"):
        copy_index(house.place, empty.place)
    assert found(away, "muon")[1] == ["test:b"]


def test_the_command_copies_and_tells(house, beside):
    house.add(document("a", "pixel"), publish=False)
    folder, again = beside("folder"), beside("folder")
    runner = CliRunner()
    done = runner.invoke(docent.app, ["index", "copy", str(house.place), str(folder.place)])
    assert done.exit_code == 0, done.output
    assert "Copied 1 documents in 1 chunks and 0 stored pages" in done.output
    assert "docent generations publish 1" in done.output
    arguments = ["index", "copy", str(house.place), f"file:{again.place}", "--json"]
    told = json.loads(runner.invoke(docent.app, arguments).stdout)
    assert (told["documents"], told["chunks"], told["published"]) == (1, 1, False)
    assert place_of("var/index") == Path("var/index")


def test_the_fingerprint_changes_with_a_text_a_place_and_a_document(house):
    told = set()
    for names in (["a"], ["b"], ["a", "b"]):
        with house.writing() as writer:
            for name in ("a", "b"):
                writer.remove(f"test:{name}")
            put(writer, house.embedder, *(document(name, "pixel") for name in names))
            told.add(whole.fingerprint(writer.db, writer.commit()))
    assert len(told) == 3
    with engine_at(house.place).rows() as db:
        assert store.documents_by_source(db, 3) == {"test": (2, 2)}


def test_a_reader_of_a_copy_sees_what_he_saw(house, beside):
    fill(house)
    away = beside(OTHER[house.is_folder])
    assert isinstance(copy_index(house.place, away.place), Copied)
    for reader in (*READERS.values(), ANYBODY, Reader(frozenset({"staff"}))):
        with house.reading() as a, away.reading() as b, a.snapshot() as old, b.snapshot() as new:
            assert old.counts(reader).chunks == new.counts(reader).chunks
            seen = [
                set(
                    ids(
                        one, one.search_dense(house.embedder.embed_query("w1"), 200, reader), reader
                    )
                )
                for one in (old, new)
            ]
            assert seen[0] == seen[1]
