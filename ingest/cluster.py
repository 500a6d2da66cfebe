"""Parsing, cutting and embedding on Dask workers, where one machine has too little of them.

Sources are still read here, at their pace, and one writer here takes what comes back in the order
in which it was given: an index does not show who made its parts. A worker that dies costs its
tasks, which Dask gives to another one; without the scheduler the run ends, and the next goes on.

What travels are frozen dataclasses, bytes and arrays. Whoever reaches a scheduler can run what he
likes on its workers: its network must be closed, or speak TLS (docs/cluster.md).
"""

import asyncio
import atexit
import logging
import multiprocessing
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ingest.chunk import CHUNKER
from ingest.embed import Embedder, Vectors
from ingest.errors import DocentError, ModelError, SettingsError
from ingest.model import Page
from ingest.parse import PARSE
from ingest.workers import DeadlineExceeded, Parsed, ParsePool, parse_pool, unpacked

if TYPE_CHECKING:
    from distributed import Client, Future

SCHEMES = {"dask": "tcp", "tls": "tls"}
VERSION = f"{PARSE} {CHUNKER}"
"""What makes documents of pages: the same here and there, or the index would be of two kinds."""
CONNECT_S = 30.0
CLOSE_S = 5.0
POLL_S = 1.0
PATIENCE_S = 900.0
"""How long a run waits for the first worker, or for another one: batch systems have queues."""
TEXTS = 256
"""Texts of one task, at most; fewer where that leaves workers without any."""
FEWEST_TEXTS = 16
LARGE = "1GB"
"""Dask warns of tasks larger than so much. A page is part of its task, so that it is not lost with
the worker that had it, and a page may be a book."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker sends back. An error is a value: Dask logs what is raised, arguments and all,
    and here these are somebody's page."""

    value: Any
    error: DocentError | None = None


# ---- On a worker ----

_here = threading.local()
_open = ExitStack()
atexit.register(_open.close)
_embedders: dict[str, Embedder] = {}
_embedding = threading.Lock()
"""One task at a time uses all cores, or the GPU; several would only meet."""


def parse_there(page: Page, max_chars: int, seconds: float, version: str) -> Outcome:
    """One page parsed and cut, in a process of its own that is ended after `seconds`."""
    try:
        if version != VERSION:
            msg = (
                f"The Dask worker on {platform.node()} parses with {VERSION}, and here it is "
                f"{version}. Install the same Docent there."
            )
            raise SettingsError(msg)
        return Outcome(_parsers(seconds, max_chars).submit(page).packed())
    except DocentError as error:
        return Outcome(None, error)


def embed_there(texts: list[str], name: str, make: Callable[[], Embedder]) -> Outcome:
    """Vectors of texts by the embedder that `make` gives, once a process; it must be `name`."""
    try:
        with _embedding:
            if name not in _embedders:
                _embedders[name] = _made(name, make)
            return Outcome(_embedders[name].embed_documents(texts))
    except DocentError as error:
        return Outcome(None, error)


def _made(name: str, make: Callable[[], Embedder]) -> Embedder:
    try:
        found = make()
    except DocentError as error:
        msg = f"On the Dask worker {platform.node()}: {error}"
        raise ModelError(msg) from None
    if found.name != name:
        msg = (
            f"The Dask worker on {platform.node()} embeds with {found.name}, and here it is "
            f"{name}. Give it the same files under [models] dir."
        )
        raise ModelError(msg)
    return found


def _parsers(seconds: float, max_chars: int) -> ParsePool:
    """The one process of this thread: as many parse at once as the worker has threads."""
    if multiprocessing.current_process().daemon:
        msg = (
            f"The Dask worker on {platform.node()} may not start processes, and pages are parsed "
            "in some of their own. Start it with: dask worker --no-nanny"
        )
        raise SettingsError(msg)
    kept: dict[tuple[float, int], ParsePool] = _here.__dict__.setdefault("pools", {})
    if (seconds, max_chars) not in kept:
        pool = _open.enter_context(parse_pool(1, seconds, max_chars))
        kept[seconds, max_chars] = pool
    return kept[seconds, max_chars]


# ---- Where the run is ----


@dataclass(slots=True)
class Cluster:
    """A scheduler and the workers that it has at the moment."""

    client: "Client"
    shown: str
    patience_s: float
    seen_at: float = field(default_factory=time.monotonic)
    """When there was a worker last."""

    def workers(self) -> int:
        """How many processes there are now."""
        with self._told():
            return len(self.client.nthreads())

    def threads(self) -> int:
        """How many tasks may run at once now."""
        with self._told():
            return sum(self.client.nthreads().values())

    def submit(self, task: Callable[..., Outcome], *args: object, priority: int = 0) -> "Future":
        """Give a task away. It is held until its result was fetched, whoever dies."""
        with self._told():
            return self.client.submit(task, *args, pure=False, priority=priority)

    def fetch(self, futures: Sequence["Future"]) -> list[Outcome]:
        """The results of tasks, all in one request.

        Raises:
            DocentError: the scheduler is lost, or has had no worker for too long.
            KilledWorker: of Dask's: a task was there whenever a worker died, several times.
        """
        with self._told():
            waiting = asyncio.run_coroutine_threadsafe(
                _gathered(self.client, list(futures)),
                self.client.loop.asyncio_loop,
            )
        while not wait([waiting], POLL_S).done:
            self._look()
        with self._told():
            return waiting.result()

    def _look(self) -> None:
        now = time.monotonic()
        if self.workers():
            self.seen_at = now
        elif now - self.seen_at > self.patience_s:
            msg = (
                f"The Dask scheduler at {self.shown} has had no worker for {self.patience_s:g} s. "
                "Start some and run it again: what was committed stays, and the run goes on there."
            )
            raise DocentError(msg)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What Dask raises without its scheduler, as one sentence."""
        from distributed.client import ClosedClientError

        try:
            yield
        except (CancelledError, ClosedClientError, OSError):
            msg = (
                f"The Dask scheduler at {self.shown} was lost. Start it and run this again: what "
                "was committed stays, and the run goes on there."
            )
            raise DocentError(msg) from None


async def _gathered(client: "Client", futures: list["Future"]) -> list[Outcome]:
    found: list[Outcome] = await client.gather(futures, asynchronous=True)
    return found


@dataclass(slots=True, eq=False)
class _Pending:
    pool: "ClusterPool"
    page_id: str
    future: "Future | None"
    outcome: Outcome | None = None

    def result(self) -> Parsed:
        outcome = self.outcome or self.pool.fetch(self)
        if outcome.error:
            raise outcome.error
        return unpacked(outcome.value)


@dataclass(slots=True)
class ClusterPool:
    """A `PagePool` over a cluster."""

    cluster: Cluster
    seconds: float
    max_chars: int
    waiting: list[_Pending] = field(default_factory=list)

    def submit(self, page: Page) -> _Pending:
        """Start on a page as soon as a worker is free."""
        future = self.cluster.submit(parse_there, page, self.max_chars, self.seconds, VERSION)
        self.waiting.append(_Pending(self, page.id, future))
        return self.waiting[-1]

    def fetch(self, wanted: _Pending) -> Outcome:
        """The result of one page, and on the way those that are ready: one request for them all."""
        from distributed import KilledWorker

        done = [one for one in self.waiting if one.future and one.future.status == "finished"]
        both = [wanted, *(one for one in done if one is not wanted)]
        for group in (both, [wanted]):
            try:
                outcomes = self.cluster.fetch([one.future for one in group if one.future])
            except KilledWorker:
                # What was ready may have gone with its worker since, and be the one at fault.
                continue
            for one, outcome in zip(group, outcomes, strict=True):
                self._settle(one, outcome)
            return outcomes[0]
        told = f"{wanted.page_id} was being parsed whenever a worker died. It is tried again."
        killed = Outcome(None, DeadlineExceeded(told))
        self._settle(wanted, killed)
        return killed

    def _settle(self, one: _Pending, outcome: Outcome) -> None:
        one.outcome, one.future = outcome, None
        self.waiting.remove(one)


@dataclass(frozen=True, slots=True)
class ClusterEmbedder:
    """An `Embedder` whose documents are embedded on a cluster, with `make` on each worker."""

    cluster: Cluster
    embedder: Embedder
    """The same one in this process: it has the name, and it embeds queries."""
    make: Callable[[], Embedder]

    @property
    def name(self) -> str:
        """As the embedder's own."""
        return self.embedder.name

    @property
    def dim(self) -> int:
        """Length of one vector."""
        return self.embedder.dim

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        """Shape (len(texts), dim)."""
        from distributed import KilledWorker

        vectors = np.empty((len(texts), self.dim), np.float32)
        # Alike together, as in a pass of the model; the long ones first, so that none is left over.
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        size = task_size(len(texts), self.cluster.workers())
        places = [order[at : at + size] for at in range(0, len(order), size)]
        tasks = [[texts[place] for place in at] for at in places]
        # The writer waits for these, and for no page.
        futures = [
            self.cluster.submit(embed_there, task, self.name, self.make, priority=1)
            for task in tasks
        ]
        for at, future in zip(places, futures, strict=True):
            try:
                (outcome,) = self.cluster.fetch([future])
            except KilledWorker:
                msg = (
                    f"Workers of the Dask scheduler at {self.cluster.shown} die while they embed. "
                    "Give them more memory, or set [embedder] url to an embedding server."
                )
                raise ModelError(msg) from None
            if outcome.error:
                raise outcome.error
            vectors[at] = outcome.value
            progress(len(at))
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Shape (dim,)."""
        return self.embedder.embed_query(text)


def task_size(texts: int, workers: int) -> int:
    """How many texts go into one task: two tasks for each worker, neither tiny nor huge."""
    return min(TEXTS, max(FEWEST_TEXTS, -(-texts // (2 * max(1, workers)))))


@contextmanager
def connected(
    address: str, *, connect_s: float = CONNECT_S, patience_s: float = PATIENCE_S
) -> Iterator[Cluster]:
    """The cluster at `dask://HOST:PORT`, or `tls://HOST:PORT` with the keys of Dask's own settings.

    Raises:
        SettingsError: Dask is not installed, or has no keys for TLS.
        DocentError: there is no scheduler at that address.
    """
    try:
        import dask
        from distributed import Client
    except ImportError:
        msg = "A run on a cluster needs Dask. Install it with: pip install 'docent[cluster]'"
        raise SettingsError(msg) from None
    # What it would log is told by us, in a sentence.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    scheme, _, place = address.partition("://")
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGE}):
        try:
            client = Client(f"{SCHEMES[scheme]}://{place}", timeout=connect_s, set_as_default=False)
        except OSError as error:
            msg = f"There is no Dask scheduler at {address} ({error}). Start one: dask scheduler"
            raise DocentError(msg) from None
        except (TypeError, ValueError) as error:
            msg = f"Dask cannot connect to {address}: {error}. See docs/cluster.md for its keys."
            raise SettingsError(msg) from None
        try:
            yield Cluster(client, address, patience_s)
        finally:
            client.close(timeout=CLOSE_S)
