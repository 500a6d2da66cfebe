from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest.access import ANYBODY, Reader
from ingest.errors import ModelError, ParseError, SourceTrouble
from ingest.index import EmbeddedIndex, store, visits
from ingest.model import Cursor, Failure, Gone, Item, Page, Past, Unchanged
from ingest.pipeline import Pace, parts_of, remove_source, sync
from ingest.spool import Spool
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

    def sync(self, *items, live=(), pace=SMALL, **more):
        return self.sync_source(ListSource(items, live=live), pace=pace, **more)

    def sync_source(self, source, pace=SMALL, **more):
        self.embedder.embedded.clear()
        self.pool.parsed.clear()
        with (
            writer_at(self.folder, self.embedder) as writer,
            closing(Spool(self.folder)) as spool,
        ):
            self.spooled = [item for _, item in spool.items("test")]
            (report,) = sync(
                [source], writer, self.embedder, self.pool, pace=pace, spool=spool, **more
            )
            self.left = [item for _, item in spool.items("test")]
        return report

    def visits(self):
        with closing(store.connect(self.folder)) as db:
            return (
                visits.cursor(db, "test"),
                {page: state.version for page, state in visits.page_states(db, "test").items()},
            )

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
        assert pool.submit(PAGES[0]).result()[0].document.text == "Page number 0 of many."
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


@dataclass
class Remote:
    """A source that asks a server: gives what `script` yields for its past."""

    script: Callable[[Past], Iterator[Item]]
    live: tuple[str, ...] | None = ()
    name: str = "test"
    requests: int = 0

    def pages(self, past):
        self.past = past
        self.requests += 1
        yield from self.script(past)

    def live_ids(self):
        return None if self.live is None else iter(self.live)


def test_an_unchanged_page_is_not_fetched_and_its_changed_access_lands(bench):
    bench.sync(*PAGES[:2])
    staff = frozenset({"staff"})
    report = bench.sync(
        Unchanged("test:p0", "test", staff, "7"),
        Unchanged("test:p1", "test", PAGES[1].access, "8"),
    )

    assert (report.access_changed, report.unchanged, report.removed) == (1, 1, 0)
    assert bench.pool.parsed == bench.embedder.embedded == []
    assert list(bench.texts()) == ["test:p1"]
    assert set(bench.texts(Reader(staff))) == {"test:p0", "test:p1"}
    assert bench.visits()[1] == {"test:p0": "7", "test:p1": "8"}
    assert bench.sync(Unchanged("test:p0", "test", staff, "7"), live=["test:p1"]).unchanged == 1


def test_what_may_no_longer_be_read_is_closed_and_comes_back(bench):
    bench.sync(*PAGES[:2])
    report = bench.sync(Failure("test:p0", "test", "It says 403.", forbidden=True), PAGES[1])

    assert (report.access_changed, len(report.failed)) == (1, 1)
    assert list(bench.texts()) == ["test:p1"]
    assert bench.failures() == {"test:p0": "It says 403."}

    bench.sync(*PAGES[:2])
    assert set(bench.texts()) == {"test:p0", "test:p1"}
    assert bench.failures() == {}


def test_a_source_is_told_where_it_stopped_and_what_it_gave(bench):
    versioned = [replace(page, version=f"v{n}") for n, page in enumerate(PAGES[:3])]
    source = Remote(lambda past: iter([*versioned, Cursor("test", "three")]))
    report = bench.sync_source(source)

    assert source.past == Past()
    assert report.requests == 1
    assert bench.left == []
    ids = tuple(page.id for page in versioned)
    again = Remote(lambda past: iter([]), live=ids)
    bench.sync_source(again)
    assert again.past == Past("three", {"test:p0": "v0", "test:p1": "v1", "test:p2": "v2"})
    assert set(bench.texts()) == set(ids)


def test_a_killed_run_is_taken_up_from_the_spool_and_asks_for_the_rest_only(bench):
    with writer_at(bench.folder, bench.embedder), closing(Spool(bench.folder)) as spool:
        for item in (replace(PAGES[0], version="1"), Cursor("test", "one"), PAGES[1]):
            spool.put(item)
    source = Remote(lambda past: iter([PAGES[2], Cursor("test", "all")]))
    report = bench.sync_source(source)

    assert source.past == Past("one", {"test:p0": "1", "test:p1": ""})
    assert report.new == 3
    assert set(bench.texts()) == {"test:p0", "test:p1", "test:p2"}
    assert bench.visits()[0] == "all"
    assert bench.left == []


def test_a_run_that_stops_keeps_what_it_gave_and_removes_nothing(bench):
    bench.sync(*PAGES)

    def stops(past):
        yield page("new", "A new page.")
        yield Cursor("test", "here")
        raise SourceTrouble("test looks as if it had banned us.")

    report = bench.sync_source(Remote(stops))
    assert report.trouble == "test looks as if it had banned us."
    assert (report.new, report.removed, report.well) == (1, 0, False)
    assert len(bench.texts()) == 11
    assert bench.visits()[0] == "here"
    with closing(store.connect(bench.folder)) as db:
        last = visits.runs(db)["test"]
    assert last.report["trouble"] == report.trouble
    assert last.succeeded_at is not None
    assert last.succeeded_at < last.finished_at


def test_a_run_that_would_remove_too_much_keeps_it_and_says_so(bench):
    bench.sync(*PAGES)
    report = bench.sync(*PAGES[:7], brakes={"test": 0.2})
    assert (report.kept_back, report.removed, report.well) == (3, 0, False)
    assert len(bench.texts()) == 10

    report = bench.sync(*PAGES[:8], brakes={"test": 0.2})
    assert (report.kept_back, report.removed) == (0, 2)
    report = bench.sync(brakes={"test": 1.0})
    assert (report.kept_back, report.removed) == (0, 8)


def test_what_was_kept_back_is_told_again_because_the_cursor_waits(bench):
    bench.sync_source(Remote(lambda past: iter([*PAGES, Cursor("test", "first")])))

    def empties(past):
        yield Cursor("test", "before")
        for one in PAGES[:5]:
            yield Gone(one.id, "test")
        yield page("new", "A new page.")
        yield Cursor("test", "after")

    report = bench.sync_source(Remote(empties, live=None), brakes={"test": 0.2})
    assert (report.kept_back, report.new) == (5, 1)
    assert bench.visits()[0] == "before"

    report = bench.sync_source(Remote(empties, live=None))
    assert (report.removed, report.kept_back, report.unchanged) == (5, 0, 1)
    assert bench.visits()[0] == "after"
    assert len(bench.texts()) == 6


def test_a_failed_page_is_not_asked_for_until_its_time_has_come(bench):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    source = Remote(lambda past: iter([Failure("test:p0", "test", "500.")]))
    pasts = []
    for hours in (0, 0.5, 1, 2, 3.5):
        at = start + timedelta(hours=hours)
        bench.sync_source(source, now=lambda at=at: at)
        pasts.append((sorted(source.past.waiting), sorted(source.past.retry)))

    nothing: list[str] = []
    due, not_due = (nothing, ["test:p0"]), (["test:p0"], nothing)
    # The second failure at 0.5 h makes it wait until 2.5 h, the third at 1 h until 5 h.
    assert pasts == [([], []), not_due, not_due, not_due, not_due]
    bench.sync_source(source, now=lambda: start + timedelta(days=9))
    assert (sorted(source.past.waiting), sorted(source.past.retry)) == due


def test_a_page_that_failed_and_is_well_again_is_no_failure_any_more(bench):
    bench.sync(*PAGES[:2])
    bench.sync(Failure("test:p0", "test", "500."), PAGES[1])
    assert list(bench.failures()) == ["test:p0"]
    bench.sync(*PAGES[:2])
    assert bench.failures() == {}


def test_a_page_given_twice_in_a_run_ends_as_it_was_last(bench):
    staff = frozenset({"staff"})
    second = page("p0", "A second version.")
    report = bench.sync(PAGES[0], second, Unchanged("test:p0", "test", staff))

    assert report.access_changed == 1
    index = EmbeddedIndex(bench.folder, embedder=bench.embedder.name)
    with index.snapshot() as snapshot:
        assert snapshot.search_lexical("second version", 5, ANYBODY) == []
        assert len(snapshot.search_lexical("second version", 5, Reader(staff))) == 1
    index.close()
    assert bench.texts() == {}
    assert bench.texts(Reader(staff)) == {"test:p0": "A second version."}


def test_readers_keep_their_generation_when_it_is_not_published(bench):
    bench.sync(*PAGES[:1])
    bench.sync(*PAGES, publish=False)
    assert list(bench.texts()) == ["test:p0"]
    bench.sync(*PAGES)
    assert len(bench.texts()) == 10
