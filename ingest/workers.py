"""Parsing and chunking in processes of their own, each page with a deadline.

A page is somebody else's data: it may be a bomb, or run into a loop in a library. The worker that
does not finish in time, or takes too much memory, is ended; its page becomes a `Failure` and the
others go on. Pebble keeps the processes (LGPL-3.0, used as it is; the standard library's pool
cannot end one task).
"""

import multiprocessing
import pickle
import resource
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as DeadlineError
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from pebble import ProcessExpired, ProcessPool

from ingest.chunk import chunk
from ingest.errors import ParseError
from ingest.glossary import acronyms
from ingest.model import Cut, Page
from ingest.parse import parse
from ingest.twins import signature

MEMORY_BYTES = 4 << 30
"""Address space of one worker: far more than any honest page needs."""

Parsed = list[Cut]


class DeadlineExceeded(ParseError):
    """A page took too long or too much. It may be the machine's fault: tried again next time."""


class Pending(Protocol):
    """A page on its way."""

    def result(self) -> Parsed:
        """Wait for it. Raises ParseError."""
        ...


class PagePool(Protocol):
    """What the pipeline needs of a pool."""

    @property
    def max_chars(self) -> int:
        """Limit of a chunk."""
        ...

    def submit(self, page: Page) -> Pending:
        """Start on a page as soon as a worker is free."""
        ...


@dataclass(frozen=True, slots=True)
class ParsePool:
    """Hands pages to worker processes."""

    pool: ProcessPool
    seconds: float
    max_chars: int

    def submit(self, page: Page) -> "Parsing":
        """Start on a page as soon as a worker is free."""
        future = self.pool.schedule(_packed, args=(page, self.max_chars), timeout=self.seconds)
        return Parsing(page.id, self.seconds, future)


@dataclass(frozen=True, slots=True)
class Parsing:
    """A page that one of the processes has, or will have."""

    page_id: str
    seconds: float
    future: Future[bytes]

    def result(self) -> Parsed:
        """Wait for it. Raises ParseError."""
        return unpacked(self.packed())

    def packed(self) -> bytes:
        """The same, to be sent on as it came: there are thousands of objects in a long page."""
        try:
            return self.future.result()
        except DeadlineError:
            msg = f"{self.page_id} was not parsed in {self.seconds:g} s; the next run tries again."
            raise DeadlineExceeded(msg) from None
        except (ProcessExpired, MemoryError):
            msg = f"{self.page_id} ended the process that parsed it. It is tried again next time."
            raise DeadlineExceeded(msg) from None


@contextmanager
def parse_pool(workers: int, seconds: float, max_chars: int) -> Iterator[ParsePool]:
    """Worker processes for as long as the block runs."""
    # A fork would copy the threads' locks of the embedder in whatever state they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPool(max_workers=workers, context=context, initializer=_limit_memory) as pool:
        try:
            yield ParsePool(pool, seconds, max_chars)
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call] # Pebble's own
            raise


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def unpacked(found: bytes) -> Parsed:
    """What a process of ours has packed."""
    parsed: Parsed = pickle.loads(found)  # noqa: S301 - it would come as a pickle from there anyway
    return parsed


def _packed(page: Page, max_chars: int) -> bytes:
    return pickle.dumps(parse_and_chunk(page, max_chars), pickle.HIGHEST_PROTOCOL)


def parse_and_chunk(page: Page, max_chars: int) -> Parsed:
    """What a worker does with one page."""
    return [
        Cut(document, chunk(document, max_chars), signature(document.text), acronyms(document))
        for document in parse(page)
    ]
