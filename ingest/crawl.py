"""Sources side by side, each in a thread at its own pace, into one bounded queue."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Full, Queue

from ingest.errors import DocentError
from ingest.model import Cursor, Failure, Gone, Item, Page, Past, Unchanged
from ingest.sources import Source
from ingest.spool import Spool

logger = logging.getLogger(__name__)

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Given:
    """An item of a source. `number` is its place in the spool, 0 when it is not kept there."""

    source: str
    number: int
    item: Item


@dataclass(frozen=True, slots=True)
class Ended:
    """A source has nothing more to give in this run."""

    source: str
    live: frozenset[str] | None
    """Ids of all pages that exist; None when it was not asked or cannot say."""
    trouble: str
    """Why it ended before its time; empty when it ended well."""


@dataclass(slots=True)
class Job:
    """One source with what is known of it."""

    source: Source
    past: Past
    known: frozenset[str]
    """Ids of its pages in the index, the failed ones too."""
    spool: Spool | None
    fetching_since: float | None = field(default=None, init=False)
    given_up: bool = field(default=False, init=False)


@contextmanager
def crawl(jobs: Sequence[Job], capacity: int, stall_s: float) -> Iterator[Iterator[Given | Ended]]:
    """What all jobs give, as it comes, until each has ended; the threads end with the block."""
    queue: Queue[Given | Ended] = Queue(capacity)
    stop = threading.Event()
    for job in jobs:
        name = f"crawl-{job.source.name}"
        threading.Thread(target=_run, args=(job, queue, stop), name=name, daemon=True).start()
    try:
        yield _messages(jobs, queue, stall_s)
    finally:
        stop.set()


def _messages(
    jobs: Sequence[Job], queue: Queue[Given | Ended], stall_s: float
) -> Iterator[Given | Ended]:
    running = {job.source.name: job for job in jobs}
    while running:
        try:
            message = queue.get(timeout=POLL_S)
        except Empty:
            for job in [job for job in running.values() if _stalled(job, stall_s)]:
                job.given_up = True
                del running[job.source.name]
                told = f"{job.source.name} gave nothing for {stall_s:g} s and was given up."
                yield Ended(job.source.name, None, told)
            continue
        if message.source not in running:
            continue
        if isinstance(message, Ended):
            del running[message.source]
        yield message


def _stalled(job: Job, stall_s: float) -> bool:
    since = job.fetching_since
    return since is not None and time.monotonic() - since > stall_s


def _run(job: Job, queue: Queue[Given | Ended], stop: threading.Event) -> None:
    name = job.source.name
    try:
        live = _give(job, queue, stop)
        ended = Ended(name, live, "")
    except DocentError as error:
        ended = Ended(name, None, str(error))
    except Exception as error:
        # One source's mistake must not end the others' night.
        logger.exception("The source %s failed", name)
        told = f"{name} failed in a way that nobody foresaw ({type(error).__name__}: {error})."
        ended = Ended(name, None, f"{told} Report it with the log.")
    _put(ended, queue, stop)


def _give(job: Job, queue: Queue[Given | Ended], stop: threading.Event) -> frozenset[str] | None:
    name = job.source.name
    seen: set[str] = set()
    if job.spool:
        for number, item in job.spool.items(name):
            seen.add(_page_of(item))
            _put(Given(name, number, item), queue, stop)
    given = iter(job.source.pages(job.past))
    while not stop.is_set():
        job.fetching_since = time.monotonic()
        item_now = next(given, None)
        job.fetching_since = None
        if item_now is None or job.given_up:
            break
        seen.add(_page_of(item_now))
        number = job.spool.put(item_now) if job.spool else 0
        _put(Given(name, number, item_now), queue, stop)
    if job.known <= seen or stop.is_set() or job.given_up:
        return None
    job.fetching_since = time.monotonic()
    live = job.source.live_ids()
    found = None if live is None else frozenset(live)
    job.fetching_since = None
    return found


def _page_of(item: Item) -> str:
    match item:
        case Page():
            return item.id
        case Unchanged() | Failure() | Gone():
            return item.page_id
        case Cursor():
            return ""


def _put(message: Given | Ended, queue: Queue[Given | Ended], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            queue.put(message, timeout=POLL_S)
        except Full:
            continue
        return
