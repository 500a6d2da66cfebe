"""sync(): the whole ingest told in one readable file.

Sources side by side → spool → (parse, chunk: worker processes) → batch → (embed what is new) →
index → generation. Work is saved every `checkpoint_s`, so a killed run goes on where it was.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ingest.chunk import CHUNKER, chunk
from ingest.crawl import Ended, Job, crawl
from ingest.embed import Embedder
from ingest.errors import ParseError
from ingest.glossary import acronyms
from ingest.index import Parts, Writer, store, text_digest, visits
from ingest.index.tokens import TOKENS
from ingest.index.visits import PageState
from ingest.model import AccessList, Cursor, Cut, Failure, Gone, Item, Page, Unchanged
from ingest.parse import PARSE
from ingest.report import Progress, Report, Watch
from ingest.sources import Source
from ingest.spool import Spool
from ingest.state import Need, need, next_try, page_digest, past_of
from ingest.workers import DeadlineExceeded, PagePool, Parsed, Pending

CLOSED: AccessList = frozenset()


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is in flight at once."""

    pages: int = 64
    """Items taken ahead of the page that is waited for."""
    texts: int = 2048
    """Texts embedded together: enough to sort by length, little enough to hold."""
    items: int = 1000
    """Items settled together at the latest."""
    checkpoint_s: float = 60.0
    stall_s: float = 900.0
    """A source that gives nothing for so long is given up."""


DEFAULT_PACE = Pace()


def _now() -> datetime:
    return datetime.now(UTC)


def sync(
    sources: Sequence[Source],
    writer: Writer,
    embedder: Embedder,
    pool: PagePool,
    *,
    spool: Spool | None = None,
    brakes: Mapping[str, float] | None = None,
    publish: bool = True,
    pace: Pace = DEFAULT_PACE,
    watch: Watch = lambda progress: None,
    now: Callable[[], datetime] = _now,
) -> list[Report]:
    """Bring the index to what the sources hold now; one report a source.

    What is unchanged costs no parsing and no embedding. A page that fails becomes a row of the
    report, a source that fails ends alone. What a source no longer has is removed, unless that is
    more than its share in `brakes` (1 when it is not named). What `spool` holds of a killed run is
    taken up first. Without `publish` readers keep the generation they have.
    """
    return _Sync(writer, embedder, pool, spool, publish, pace, watch, now).run(
        sources, brakes or {}
    )


def parts_of(embedder: Embedder, max_chars: int) -> Parts:
    """With what an index is built: written into its manifest, compared before it is changed."""
    return Parts(embedder.name, embedder.dim, f"{CHUNKER}/{max_chars}", TOKENS, PARSE)


def remove_source(writer: Writer, source: str) -> Report:
    """Drop everything of a source that the settings no longer name."""
    report = Report(source)
    for page_id in sorted(_known_ids(writer, source)):
        writer.remove(page_id)
        visits.forget_page(writer.db, page_id)
        report.removed += 1
        report.name("removed", page_id)
    visits.forget_source(writer.db, source)
    return report


@dataclass(slots=True)
class _Run:
    """One source, once."""

    source: Source
    report: Report
    known: dict[str, PageState]
    ids: frozenset[str]
    """What the index knows of the source, failed pages too."""
    brake: float
    seen: set[str] = field(default_factory=set)
    gone: list[str] = field(default_factory=list)
    pages: int = 0
    settled: int = 0
    """Number in the spool of the last item that the index holds, and need not be kept."""
    last: int = 0
    cursor: str | None = None
    """Waits for the removals before it: they may be kept back."""


@dataclass(slots=True)
class _Entry:
    """An item on its way, with what was found out about it."""

    run: _Run
    number: int
    item: Item
    digest: bytes = b""
    pending: Pending | None = None
    parsed: Parsed | None = None


class _Sync:
    """All sources, once."""

    def __init__(
        self,
        writer: Writer,
        embedder: Embedder,
        pool: PagePool,
        spool: Spool | None,
        publish: bool,  # only sync() calls
        pace: Pace,
        watch: Watch,
        now: Callable[[], datetime],
    ) -> None:
        self.writer = writer
        self.embedder = embedder
        self.pool = pool
        self.spool = spool
        self.publish = publish
        self.pace = pace
        self.watch = watch
        self.now = now
        self.runs: dict[str, _Run] = {}
        self.in_flight: deque[_Entry] = deque()
        self.batch: list[_Entry] = []
        self.unsettled: set[str] = set()
        """Pages of the batch, whose documents the index does not have yet."""
        self.texts: dict[bytes, str] = {}
        self.saved_at = time.monotonic()

    def run(self, sources: Sequence[Source], brakes: Mapping[str, float]) -> list[Report]:
        started = time.monotonic()
        jobs = [self._job(source, brakes.get(source.name, 1.0)) for source in sources]
        with crawl(jobs, self.pace.pages, self.pace.stall_s) as messages:
            for message in messages:
                run = self.runs[message.source]
                if isinstance(message, Ended):
                    self._end(run, message)
                    run.report.seconds = time.monotonic() - started
                else:
                    self._take(run, message.number, message.item)
        for run in self.runs.values():
            told = asdict(run.report)
            visits.save_run(self.writer.db, run.source.name, self.now(), told, well=run.report.well)
        self._commit()
        return [run.report for run in self.runs.values()]

    def _job(self, source: Source, brake: float) -> Job:
        db, name = self.writer.db, source.name
        # A rebuild takes every page as new.
        known = {} if self.writer.fresh else visits.page_states(db, name)
        ids = _known_ids(self.writer, name)
        # What asks no server is cheaper to read again than to keep twice.
        spool = self.spool if source.requests is not None else None
        self.runs[name] = _Run(source, Report(name), known, ids, brake)
        return Job(source, past_of(db, spool, name, self.now()), ids, spool)

    def _take(self, run: _Run, number: int, item: Item) -> None:
        entry = _Entry(run, number, item)
        match item:
            case Page():
                run.seen.add(item.id)
                entry.digest = page_digest(item)
                access = store.access_id(self.writer.db, item.access)
                if need(item.id, entry.digest, access, run.known) == Need.PARSE:
                    entry.pending = self.pool.submit(item)
                else:
                    entry.item = Unchanged(item.id, item.source, item.access, item.version)
            case Unchanged() | Failure():
                run.seen.add(item.page_id)
        self.in_flight.append(entry)
        self._drain(self.pace.pages)

    def _drain(self, at_most: int) -> None:
        """Take what is ready in the order it was given, until little enough is in flight."""
        while len(self.in_flight) > at_most:
            entry = self.in_flight.popleft()
            match entry.item:
                case Page() as page:
                    self._parsed(entry, page)
                case Unchanged() as same:
                    self._with_access(entry, same.page_id, same.access)
                case Failure(forbidden=True) as failure:
                    self._with_access(entry, failure.page_id, CLOSED)
            self.batch.append(entry)
            if isinstance(entry.item, Page):
                self.unsettled.add(entry.item.id)
            pieces = [piece.indexed for cut in entry.parsed or () for piece in cut.chunks]
            self.texts.update((text_digest(text), text) for text in pieces)
            if len(self.texts) >= self.pace.texts or len(self.batch) >= self.pace.items:
                self._settle()
            self._tell(entry.run)

    def _parsed(self, entry: _Entry, page: Page) -> None:
        entry.run.pages += 1
        try:
            entry.parsed = entry.pending.result() if entry.pending else None
        except ParseError as error:
            # One that merely took too long is forgotten, so that the next run tries it again.
            late = isinstance(error, DeadlineExceeded)
            entry.digest = b"" if late else entry.digest
            self.writer.remove(page.id)
            self._fail(entry.run, Failure(page.id, page.source, str(error)), again=late)

    def _with_access(self, entry: _Entry, page_id: str, access: AccessList) -> None:
        """Give a page's documents other readers, when they change."""
        if page_id in self.unsettled:
            self._settle()
        before = entry.run.known.get(page_id)
        if before and before.access != store.access_id(self.writer.db, access):
            entry.parsed = [
                Cut(
                    replace(one, access=access),
                    chunk(one, self.pool.max_chars),
                    mark,
                    acronyms(one),
                )
                for one, mark in store.documents_of_page(self.writer.db, page_id)
            ]

    def _settle(self) -> None:
        """Embed what is new in the batch, put it into the index, and save if it is time."""
        vectors = self.writer.known_vectors(list(self.texts))
        new = {d: text for d, text in self.texts.items() if d not in vectors}
        owner = self.batch[-1].run if self.batch else None
        vectors |= self._embed(new, owner)
        for entry in self.batch:
            self._settle_one(entry, vectors)
        self.batch.clear()
        self.unsettled.clear()
        self.texts.clear()
        if time.monotonic() - self.saved_at >= self.pace.checkpoint_s:
            self._commit()
            self.saved_at = time.monotonic()

    def _settle_one(self, entry: _Entry, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        run = entry.run
        match entry.item:
            case Page() as page:
                self._settle_page(entry, page, vectors)
            case Unchanged(page_id, _, access, version):
                if entry.parsed is not None:
                    self._settle_access(entry, page_id, access, vectors)
                else:
                    run.report.unchanged += 1
                visits.touch_page(self.writer.db, page_id, access, version)
            case Failure() as failure:
                if entry.parsed is not None:
                    self._settle_access(entry, failure.page_id, CLOSED, vectors)
                if failure.forbidden:
                    visits.touch_page(self.writer.db, failure.page_id, CLOSED, None)
                self._fail(run, failure, again=True)
            case Gone(page_id, _):
                run.gone.append(page_id)
            case Cursor(_, value):
                run.cursor = value
        run.last = max(run.last, entry.number)
        if not run.gone:
            self._advance(run)
            run.settled = run.last

    def _settle_page(
        self, entry: _Entry, page: Page, vectors: Mapping[bytes, NDArray[np.float32]]
    ) -> None:
        run, db = entry.run, self.writer.db
        if entry.parsed is not None:
            visits.forget_page(db, page.id)
            self.writer.put(page.id, entry.parsed, vectors)
            run.report.documents += len(entry.parsed)
            run.report.chunks += sum(len(cut.chunks) for cut in entry.parsed)
            kind = "changed" if page.id in run.known else "new"
            setattr(run.report, kind, getattr(run.report, kind) + 1)
            run.report.name(kind, page.id)
        visits.save_page(db, page, entry.digest)
        access = store.access_id(db, page.access)
        run.known[page.id] = PageState(entry.digest, access, page.version)

    def _settle_access(
        self,
        entry: _Entry,
        page_id: str,
        access: AccessList,
        vectors: Mapping[bytes, NDArray[np.float32]],
    ) -> None:
        run = entry.run
        self.writer.put(page_id, entry.parsed or [], vectors)
        run.report.access_changed += 1
        run.report.name("access", page_id)
        number = store.access_id(self.writer.db, access)
        run.known[page_id] = replace(run.known[page_id], access=number)

    def _embed(self, texts: dict[bytes, str], run: _Run | None) -> dict[bytes, NDArray[np.float32]]:
        if not texts or run is None:
            return {}

        def told(count: int) -> None:
            run.report.embedded += count
            self._tell(run)

        started = time.monotonic()
        vectors = self.embedder.embed_documents(list(texts.values()), told)
        run.report.embed_seconds += time.monotonic() - started
        return dict(zip(texts, vectors, strict=True))

    def _fail(self, run: _Run, failure: Failure, *, again: bool) -> None:
        run.report.failed.append(failure)
        db, now = self.writer.db, self.now()
        when = next_try(visits.attempts(db, failure.page_id) + 1, now) if again else None
        visits.save_failure(db, failure, now, when)

    def _advance(self, run: _Run) -> None:
        if run.cursor is not None:
            visits.save_cursor(self.writer.db, run.source.name, run.cursor)
            run.cursor = None

    def _end(self, run: _Run, ended: Ended) -> None:
        self._drain(0)
        self._settle()
        run.report.trouble = ended.trouble
        run.report.requests = run.source.requests or 0
        self._remove(run, ended)
        run.settled = run.last
        # A rebuild shows only when it is whole: its parts do not go together with the old ones.
        self._commit()

    def _remove(self, run: _Run, ended: Ended) -> None:
        gone = dict.fromkeys(page for page in run.gone if page in run.ids)
        if ended.live is not None:
            gone |= dict.fromkeys(sorted(run.ids - run.seen - ended.live))
        if _brakes(len(gone), len(run.ids), run.brake):
            # The cursor stays before what is kept back, so that the next run hears of it again.
            run.report.kept_back = len(gone)
            return
        for page_id in gone:
            self.writer.remove(page_id)
            visits.forget_page(self.writer.db, page_id)
            run.report.removed += 1
            run.report.name("removed", page_id)
        self._advance(run)

    def _commit(self) -> None:
        if self.writer.fresh:
            return
        self.writer.commit(publish=self.publish, final=False)
        for run in self.runs.values():
            if self.spool and run.settled:
                self.spool.done(run.source.name, run.settled)

    def _tell(self, run: _Run) -> None:
        waiting = len(self.texts)
        self.watch(Progress(run.source.name, run.pages, run.report.embedded, waiting))


def _brakes(gone: int, known: int, share: float) -> bool:
    """True when a run would remove too much: more than the share, and more than a page or two."""
    return share < 1 and gone > max(2, share * known)


def _known_ids(writer: Writer, source: str) -> frozenset[str]:
    failed = {row.failure.page_id for row in visits.failures(writer.db, source)}
    return frozenset(failed | set(visits.page_states(writer.db, source)))
