import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingest.crawl import Ended, Given, Job, crawl
from ingest.errors import SourceTrouble
from ingest.model import Cursor, Gone, Item, Past
from ingest.spool import Spool
from tests.ingest.corpus import ListSource, page

PAGES = [page(f"p{n}", f"Text {n}.") for n in range(5)]


@dataclass
class Scripted:
    """A source that does what the test says."""

    name: str
    give: Callable[[Past], Iterator[Item]]
    live: Callable[[], Iterator[str] | None] = lambda: iter(())
    requests: int | None = 0

    def pages(self, past: Past) -> Iterator[Item]:
        yield from self.give(past)

    def live_ids(self) -> Iterator[str] | None:
        return self.live()


def job(source, known=(), spool=None, past=None):
    return Job(source, past or Past(), frozenset(known), spool)


def run(*jobs, stall_s=30.0, capacity=2):
    with crawl(jobs, capacity, stall_s) as messages:
        return list(messages)


def items(messages, name):
    return [m.item for m in messages if isinstance(m, Given) and m.source == name]


def ends(messages):
    return {m.source: m for m in messages if isinstance(m, Ended)}


def test_sources_run_side_by_side_and_one_that_waits_does_not_hold_the_others():
    others_are_through = threading.Event()

    def slow(past):
        assert others_are_through.wait(20)
        yield page("slow", "x")

    def quick(past):
        yield from PAGES
        others_are_through.set()

    messages = run(job(Scripted("slow", slow)), job(Scripted("test", quick)))

    assert items(messages, "test") == PAGES
    assert len(items(messages, "slow")) == 1
    assert [end.trouble for end in ends(messages).values()] == ["", ""]


def test_a_source_in_trouble_ends_alone_with_what_it_gave():
    def bad(past):
        yield PAGES[0]
        raise SourceTrouble("The forum looks closed.")

    def worse(past):
        yield PAGES[1]
        raise KeyError("surprise")

    messages = run(job(Scripted("bad", bad)), job(Scripted("worse", worse)), job(ListSource(PAGES)))

    assert ends(messages)["bad"] == Ended("bad", None, "The forum looks closed.")
    assert "nobody foresaw (KeyError: 'surprise')" in ends(messages)["worse"].trouble
    assert items(messages, "bad") == [PAGES[0]]
    assert items(messages, "test") == PAGES


def test_a_source_that_gives_nothing_is_given_up_and_cannot_come_back():
    release = threading.Event()

    def hangs(past):
        yield PAGES[0]
        release.wait(60)
        yield PAGES[1]

    messages = run(job(Scripted("hangs", hangs)), job(ListSource(PAGES)), stall_s=0.3)
    release.set()

    assert "gave nothing for 0.3 s" in ends(messages)["hangs"].trouble
    assert items(messages, "hangs") == [PAGES[0]]
    assert items(messages, "test") == PAGES


def test_live_ids_are_asked_only_when_a_known_page_was_not_named():
    asked = []

    def live():
        asked.append(1)
        return iter(["test:p0"])

    source = Scripted("test", lambda past: iter(PAGES), live)
    assert ends(run(job(source, known=[p.id for p in PAGES])))["test"].live is None
    assert asked == []
    gone = Scripted("test", lambda past: iter([Gone("test:p9", "test")]), live)
    assert ends(run(job(gone, known=["test:p9"])))["test"].live is None
    assert ends(run(job(source, known=["test:p9"])))["test"].live == {"test:p0"}
    unsaid = Scripted("test", lambda past: iter(PAGES), lambda: None)
    assert ends(run(job(unsaid, known=["test:p9"])))["test"].live is None


def test_a_listing_that_breaks_removes_nothing():
    def live():
        yield "test:p0"
        raise SourceTrouble("The listing ended early.")

    messages = run(job(Scripted("test", lambda past: iter(PAGES), live), known=["test:p9"]))
    assert ends(messages)["test"] == Ended("test", None, "The listing ended early.")


def test_what_a_killed_run_left_is_given_first_and_what_is_given_is_kept(tmp_path):
    spool = Spool(tmp_path)
    left = spool.put(PAGES[0])
    source = Scripted("test", lambda past: iter([PAGES[1], Cursor("test", "here")]))

    messages = run(job(source, spool=spool))

    numbers = [m.number for m in messages if isinstance(m, Given)]
    assert items(messages, "test") == [PAGES[0], PAGES[1], Cursor("test", "here")]
    assert numbers == [left, left + 1, left + 2]
    assert [number for number, _ in spool.items("test")] == numbers
    spool.close()


def test_leaving_early_ends_the_threads():
    def endless(past):
        while True:
            yield PAGES[0]

    before = threading.active_count()
    with crawl([job(Scripted("test", endless))], 2, 30) as messages:
        assert isinstance(next(messages), Given)
    for thread in threading.enumerate():
        if thread.name == "crawl-test":
            thread.join(10)
    assert threading.active_count() <= before
