"""sync(): the whole ingest told in one readable file.

Source → Page → (parse, chunk: worker processes) → batch → (embed what is new) → index → generation.
Work is saved every `checkpoint_s`, so a killed run goes on where it was.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ingest.chunk import CHUNKER, chunk
from ingest.embed import Embedder
from ingest.errors import ParseError
from ingest.index import Parts, Writer, store, text_digest
from ingest.index.tokens import TOKENS
from ingest.model import AccessList, Document, Failure, Gone, Page, Past
from ingest.parse import PARSE
from ingest.sources import Source
from ingest.state import Known, Need, need, page_digest
from ingest.workers import DeadlineExceeded, PagePool, Parsed, Pending


@dataclass(slots=True)
class Report:
    """What one source gave in one run, in pages unless another noun is named."""

    source: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    access_changed: int = 0
    removed: int = 0
    failed: list[Failure] = field(default_factory=list)
    documents: int = 0
    chunks: int = 0
    embedded: int = 0
    """Chunks whose text had to be embedded; the others' vectors were known."""
    seconds: float = 0.0
    embed_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is in flight at once."""

    pages: int = 64
    """Pages given to the workers ahead of the one that is waited for."""
    texts: int = 2048
    """Texts embedded together: enough to sort by length, little enough to hold."""
    checkpoint_s: float = 60.0


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: told after every step."""

    source: str
    pages: int
    embedded: int
    waiting: int
    """Texts that wait for the embedder."""


Watch = Callable[[Progress], None]


def sync(
    sources: Iterable[Source],
    writer: Writer,
    embedder: Embedder,
    pool: PagePool,
    *,
    pace: Pace = DEFAULT_PACE,
    watch: Watch = lambda progress: None,
) -> list[Report]:
    """Bring the index to what the sources hold now; one report a source.

    What is unchanged costs no parsing and no embedding. A page that fails becomes a row of the
    report. What a source no longer has is removed. The last commit is made before it returns.
    """
    reports = []
    for source in sources:
        run = _Run(source, writer, embedder, pool, pace, watch)
        reports.append(run.sync())
        _save_run(writer, reports[-1])
        # A rebuild shows only when it is whole: its parts do not go together with the old ones.
        if not writer.fresh:
            writer.commit()
    return reports


def parts_of(embedder: Embedder, max_chars: int) -> Parts:
    """With what an index is built: written into its manifest, compared before it is changed."""
    return Parts(embedder.name, embedder.dim, f"{CHUNKER}/{max_chars}", TOKENS, PARSE)


def remove_source(writer: Writer, source: str) -> Report:
    """Drop everything of a source that the settings no longer name."""
    report = Report(source)
    for page_id in _known_ids(writer, source):
        writer.remove(page_id)
        store.forget_page(writer.db, page_id)
        report.removed += 1
    _save_run(writer, report)
    writer.commit()
    return report


class _Run:
    """One source, once."""

    def __init__(
        self,
        source: Source,
        writer: Writer,
        embedder: Embedder,
        pool: PagePool,
        pace: Pace,
        watch: Watch,
    ) -> None:
        self.source = source
        self.writer = writer
        self.embedder = embedder
        self.pool = pool
        self.pace = pace
        self.watch = watch
        self.report = Report(source.name)
        self.in_flight: deque[tuple[Page, bytes, Pending]] = deque()
        self.batch: list[tuple[Page, bytes, Parsed]] = []
        self.texts: dict[bytes, str] = {}
        self.pages = 0
        self.saved_at = time.monotonic()

    def sync(self) -> Report:
        started = time.monotonic()
        states = store.page_states(self.writer.db, self.source.name)
        # A rebuild takes every page as new.
        known = {} if self.writer.fresh else {i: Known(*state) for i, state in states.items()}
        seen = set()
        for item in self.source.pages(Past()):
            if isinstance(item, Page):
                seen.add(item.id)
                self._page(item, known)
            elif isinstance(item, Failure):
                seen.add(item.page_id)
                self._fail(item)
            elif isinstance(item, Gone):
                self._gone(item)
            self._drain(self.pace.pages)
        self._drain(0)
        self._flush()
        self._remove_missing(seen)
        self.report.seconds = time.monotonic() - started
        return self.report

    def _page(self, page: Page, known: dict[str, Known]) -> None:
        digest = page_digest(page)
        access = store.access_id(self.writer.db, page.access)
        match need(page.id, digest, access, known):
            case Need.NOTHING:
                self.report.unchanged += 1
            case Need.ACCESS if documents := store.documents_of_page(self.writer.db, page.id):
                self.report.access_changed += 1
                self._collect(page, digest, self._with_access(documents, page.access))
            case _:
                if page.id in known:
                    self.report.changed += 1
                else:
                    self.report.new += 1
                self.in_flight.append((page, digest, self.pool.submit(page)))

    def _with_access(self, documents: Sequence[Document], access: AccessList) -> Parsed:
        changed = [replace(document, access=access) for document in documents]
        return [(document, chunk(document, self.pool.max_chars)) for document in changed]

    def _drain(self, at_most: int) -> None:
        """Take finished pages in the order they were fetched, until few enough are in flight."""
        while len(self.in_flight) > at_most:
            page, digest, pending = self.in_flight.popleft()
            self.pages += 1
            try:
                parsed = pending.result()
            except ParseError as error:
                # One that merely took too long is forgotten, so that the next run tries it again.
                kept = b"" if isinstance(error, DeadlineExceeded) else digest
                self.writer.remove(page.id)
                store.save_page(self.writer.db, page, kept)
                self._fail(Failure(page.id, page.source, str(error)))
            else:
                self._collect(page, digest, parsed)
            self._tell()

    def _collect(self, page: Page, digest: bytes, parsed: Parsed) -> None:
        self.batch.append((page, digest, parsed))
        for indexed in (piece.indexed for _, chunks in parsed for piece in chunks):
            self.texts.setdefault(text_digest(indexed), indexed)
        if len(self.texts) >= self.pace.texts:
            self._flush()

    def _flush(self) -> None:
        """Embed what is new in the batch, put it into the index, and save if it is time."""
        vectors = self.writer.known_vectors(list(self.texts))
        vectors |= self._embed({d: text for d, text in self.texts.items() if d not in vectors})
        for page, digest, parsed in self.batch:
            self.writer.put(page.id, parsed, vectors)
            store.forget_page(self.writer.db, page.id)
            store.save_page(self.writer.db, page, digest)
            self.report.documents += len(parsed)
            self.report.chunks += sum(len(chunks) for _, chunks in parsed)
        self.batch.clear()
        self.texts.clear()
        due = time.monotonic() - self.saved_at >= self.pace.checkpoint_s
        if due and not self.writer.fresh:
            self.writer.commit()
            self.saved_at = time.monotonic()

    def _embed(self, texts: dict[bytes, str]) -> dict[bytes, NDArray[np.float32]]:
        if not texts:
            return {}
        started = time.monotonic()
        vectors = self.embedder.embed_documents(list(texts.values()), self._embedded)
        self.report.embed_seconds += time.monotonic() - started
        return dict(zip(texts, vectors, strict=True))

    def _embedded(self, count: int) -> None:
        self.report.embedded += count
        self._tell()

    def _fail(self, failure: Failure) -> None:
        self.report.failed.append(failure)
        store.save_failure(self.writer.db, failure, datetime.now(UTC))

    def _gone(self, gone: Gone) -> None:
        self.writer.remove(gone.page_id)
        store.forget_page(self.writer.db, gone.page_id)
        self.report.removed += 1

    def _remove_missing(self, seen: set[str]) -> None:
        missing = [i for i in _known_ids(self.writer, self.source.name) if i not in seen]
        if not missing:
            return
        live = set(self.source.live_ids() or missing)
        for page_id in missing:
            if page_id not in live:
                self._gone(Gone(page_id, self.source.name))

    def _tell(self) -> None:
        waiting = len(self.texts)
        self.watch(Progress(self.source.name, self.pages, self.report.embedded, waiting))


def _known_ids(writer: Writer, source: str) -> Sequence[str]:
    failed = {failure.page_id for failure in store.failures(writer.db) if failure.source == source}
    return sorted(failed | set(store.page_states(writer.db, source)))


def _save_run(writer: Writer, report: Report) -> None:
    store.save_run(writer.db, report.source, datetime.now(UTC), asdict(report))
