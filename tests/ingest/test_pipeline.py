from dataclasses import replace

import pytest

from ingest.access import ANYBODY, Reader
from ingest.errors import ModelError, ParseError
from ingest.index import EmbeddedIndex, store, visits
from ingest.model import Failure, Gone, Page
from ingest.pipeline import Pace, parts_of, remove_source, sync
from ingest.stored import StoredSource
from ingest.workers import DeadlineExceeded, parse_pool
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, page, writer_at

SMALL = Pace(texts=4)


class Bench:
    """An index folder with everything that a run needs, and what the run did."""

    def __init__(self, folder):
        self.folder = folder
        self.embedder = HashEmbedder()
        self.pool = HerePool()

    def sync(self, *items, live=(), pace=SMALL):
        self.embedder.embedded.clear()
        self.pool.parsed.clear()
        with writer_at(self.folder, self.embedder) as writer:
            (report,) = sync(
                [ListSource(items, live=live)], writer, self.embedder, self.pool, pace=pace
            )
        return report

    def texts(self, reader=ANYBODY):
        index = EmbeddedIndex(self.folder, embedder=self.embedder.name)
        with index.snapshot() as snapshot:
            chunks = snapshot.chunks([int(row) for row in snapshot.rows], reader)
            found = {stored.chunk.document_id: stored.chunk.text for stored in chunks}
        index.close()
        return found

    def failures(self):
        db = store.connect(self.folder)
        try:
            return {row.failure.page_id: row.failure.reason for row in visits.failures(db)}
        finally:
            db.close()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "index")


PAGES = [page(f"p{n}", f"Page number {n} of many.") for n in range(10)]


def test_a_first_run_indexes_everything(bench):
    report = bench.sync(*PAGES)

    assert (report.new, report.documents, report.chunks, report.embedded) == (10, 10, 10, 10)
    assert bench.texts()["test:p3"] == "Page number 3 of many."


def test_an_unchanged_run_parses_and_embeds_nothing(bench):
    bench.sync(*PAGES)
    report = bench.sync(*PAGES)

    assert (report.unchanged, report.new, report.changed, report.embedded) == (10, 0, 0, 0)
    assert bench.pool.parsed == bench.embedder.embedded == []


def test_one_changed_page_is_the_only_one_parsed_and_embedded(bench):
    bench.sync(*PAGES)
    changed = [*PAGES[:4], page("p4", "Something else."), *PAGES[5:]]
    report = bench.sync(*changed)

    assert (report.changed, report.unchanged, report.embedded) == (1, 9, 1)
    assert bench.pool.parsed == ["test:p4"]
    assert bench.texts()["test:p4"] == "Something else."
    assert len(bench.texts()) == 10


def test_only_the_changed_part_of_a_page_is_embedded(bench):
    bench.sync(page("p", "A first paragraph. " * 14 + "\n\n" + "A second one. " * 18))
    report = bench.sync(page("p", "A first paragraph. " * 14 + "\n\n" + "Another end. " * 18))

    assert (report.chunks, report.embedded) == (2, 1)


def test_a_page_that_is_no_longer_there_is_removed(bench):
    bench.sync(*PAGES)
    report = bench.sync(*PAGES[1:], live=["test:p1"])

    assert report.removed == 1
    assert "test:p0" not in bench.texts()


def test_what_an_incremental_source_did_not_mention_stays(bench):
    bench.sync(*PAGES)
    report = bench.sync(Gone("test:p9", "test"), live=[p.id for p in PAGES[:9]])

    assert report.removed == 1
    assert len(bench.texts()) == 9


def test_a_changed_access_list_needs_no_parsing_and_no_embedding(bench):
    bench.sync(*PAGES)
    closed = replace(PAGES[0], access=frozenset({"staff"}))
    report = bench.sync(closed, *PAGES[1:])

    assert (report.access_changed, report.unchanged) == (1, 9)
    assert bench.pool.parsed == bench.embedder.embedded == []
    assert "test:p0" not in bench.texts()
    assert "test:p0" in bench.texts(Reader(frozenset({"staff"})))


def test_a_broken_page_is_a_row_and_its_old_text_goes(bench):
    bench.sync(*PAGES)
    report = bench.sync(replace(PAGES[0], content=b"\x00\x01\x02" * 50, format=""), *PAGES[1:])

    assert [failure.page_id for failure in report.failed] == ["test:p0"]
    assert "test:p0" in bench.failures()
    assert sorted(bench.texts()) == [p.id for p in PAGES[1:]]


def test_a_broken_page_is_not_parsed_again_until_it_changes(bench):
    broken = replace(PAGES[0], content=b"\x00\x01\x02" * 50, format="")
    bench.sync(broken)
    bench.sync(broken)
    assert bench.pool.parsed == []
    assert list(bench.failures()) == ["test:p0"]

    bench.sync(PAGES[0])
    assert bench.failures() == {}
    assert list(bench.texts()) == ["test:p0"]


def test_a_broken_page_whose_access_changes_is_tried_again(bench):
    broken = replace(PAGES[0], content=b"\x00\x01\x02" * 50, format="")
    bench.sync(broken)
    bench.sync(replace(broken, access=frozenset({"staff"})))

    assert list(bench.failures()) == ["test:p0"]


def test_a_page_that_could_not_be_fetched_keeps_its_old_text(bench):
    bench.sync(*PAGES)
    bench.sync(Failure("test:p0", "test", "The disk said no."), *PAGES[1:])

    assert bench.failures() == {"test:p0": "The disk said no."}
    assert len(bench.texts()) == 10


def test_a_failed_page_that_vanishes_is_forgotten(bench):
    bench.sync(Failure("test:p0", "test", "The disk said no."), *PAGES[1:])
    bench.sync(*PAGES[1:])

    assert bench.failures() == {}


def test_equal_texts_are_embedded_once(bench):
    same = [page(f"same{n}", "The very same words.") for n in range(3)]
    report = bench.sync(*(replace(p, id=f"test:x{n}/same") for n, p in enumerate(same)))

    assert (report.chunks, report.embedded) == (3, 1)


def test_an_embedder_that_goes_away_loses_nothing_that_was_saved(bench):
    class Tired(HashEmbedder):
        def embed_documents(self, texts, progress=lambda n: None):
            if len(self.embedded) >= 8:
                raise ModelError("The embedder is away.")
            return super().embed_documents(texts, progress)

    bench.embedder = Tired()
    with pytest.raises(ModelError, match="away"):
        bench.sync(*PAGES, pace=Pace(pages=1, texts=4, checkpoint_s=0))
    assert len(bench.texts()) == 8

    bench.embedder = HashEmbedder()
    report = bench.sync(*PAGES)
    assert (report.unchanged, report.new) == (8, 2)


def test_a_source_that_left_the_settings_is_removed(bench):
    bench.sync(*PAGES)
    with writer_at(bench.folder, bench.embedder) as writer:
        report = remove_source(writer, "test")
        writer.commit()

    assert report.removed == 10
    assert bench.texts() == {}


def test_a_rebuild_parses_what_is_stored_and_asks_no_source(bench):
    bench.sync(*PAGES)
    with writer_at(bench.folder, bench.embedder, rebuild=True) as writer:
        stored = StoredSource("test", writer.db)
        (report,) = sync([stored], writer, bench.embedder, bench.pool)
        assert writer.manifest is not None
        assert writer.manifest.generation == 1
        writer.commit()

    # Same model, same texts: the vectors are still good.
    assert (report.new, report.embedded) == (10, 0)
    assert len(bench.texts()) == 10
    assert bench.sync(*PAGES).unchanged == 10


def test_the_parts_name_model_chunker_and_versions():
    parts = parts_of(HashEmbedder(), 300)

    assert (parts.embedder, parts.dim, parts.chunker) == ("fake-64", 64, "blocks-1/300")


def test_worker_processes_give_the_same_and_end_what_hangs(bench):
    slow: Page = page("slow", "x")
    with parse_pool(1, 5.0, 300) as pool:
        assert pool.submit(PAGES[0]).result()[0][0].text == "Page number 0 of many."
        with pytest.raises(ParseError, match="holds no text"):
            pool.submit(replace(slow, content=b"")).result()
    with parse_pool(1, 0.01, 300) as pool:
        # Starting the process alone takes longer than the deadline of its first page.
        pending = pool.submit(replace(slow, content=b"word " * 2_000_000))
        with pytest.raises(DeadlineExceeded, match=r"was not parsed in 0\.01 s"):
            pending.result()


def test_a_page_that_took_too_long_is_tried_again_next_time(bench):
    class Impatient(HerePool):
        def submit(self, page):
            self.parsed.append(page.id)
            return self

        def result(self):
            raise DeadlineExceeded("It took too long.")

    bench.pool = Impatient()
    bench.sync(PAGES[0])
    bench.sync(PAGES[0])
    assert bench.pool.parsed == ["test:p0"]
    assert bench.failures() == {"test:p0": "It took too long."}
