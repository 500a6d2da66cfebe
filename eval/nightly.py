"""The night: ingest everything, check what came of it, publish it if it holds, and tell people.

lock → ingest of all sources, not published → gold questions against what serves and what is new
     → publish, or let the old generation go on serving → report
"""

import fcntl
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assistant.answer import Assistant
from assistant.bootstrap import retrieval_from
from assistant.engines import llm_from
from assistant.llm import LLM
from assistant.retrieve import Retriever
from eval.datasets import AskedQuestion, read_questions
from eval.gate import Opened, check
from eval.night import Night, Size, keep
from eval.tell import tell
from ingest.embed import Embedder
from ingest.errors import DocentError, IndexBusy, IndexMissing, IndexTrouble
from ingest.following import embedder_of
from ingest.http import Hosts
from ingest.index import (
    Generation,
    Place,
    engine_at,
    generations,
    managing,
    open_index,
    store,
)
from ingest.run import run_ingest
from ingest.settings import Settings
from ingest.workers import PagePool

LOCK = "nightly.lock"

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(UTC)


def _embedder(settings: Settings) -> Embedder:
    return embedder_of(settings)


def _llm(settings: Settings) -> LLM | None:
    return llm_from(settings.llm, settings.models)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a night is made with; tests have others."""

    embedder_from: Callable[[Settings], Embedder] = _embedder
    llm_from: Callable[[Settings], LLM | None] = _llm
    pool: PagePool | None = None
    """What parses pages; None for processes of their own."""
    hosts: Hosts = field(default_factory=Hosts)
    """For the webhook."""
    now: Callable[[], datetime] = _now


def nightly(settings: Settings, parts: Parts | None = None) -> Night:
    """One night. What goes wrong in it is told in its report and not raised.

    Raises:
        IndexBusy: another night is at work; says which process.
    """
    parts = parts or Parts()
    night = Night(parts.now())
    began = time.monotonic()
    with _alone(settings.index.path, night.started):
        try:
            _Nightly(settings, parts, night).run()
        except DocentError as error:
            night.outcome, night.why = "failed", str(error)
        except Exception as error:
            # Nobody watches at night: what nobody foresaw has to reach the report too.
            logger.exception("The night failed")
            night.outcome = "failed"
            night.why = f"In a way that nobody foresaw ({type(error).__name__}: {error})."
        night.seconds = time.monotonic() - began
        _report(night, settings, parts)
    return night


class _Nightly:
    """One night at work; what it finds out goes into `night`."""

    def __init__(self, settings: Settings, parts: Parts, night: Night) -> None:
        self.settings = settings
        self.place = settings.index.place
        self.night = night
        # A mistake in the settings or in the questions shows before hours were spent.
        file = settings.nightly.questions
        self.questions: Sequence[AskedQuestion] = read_questions(file) if file else []
        self.embedder = parts.embedder_from(settings)
        self.pool = parts.pool
        self.llm = parts.llm_from(settings) if settings.nightly.answers and file else None

    def run(self) -> None:
        """Ingest, check, publish."""
        night = self.night
        night.served = _serving(self.place)
        night.sources, night.newest = run_ingest(
            self.settings, [], embedder=self.embedder, pool=self.pool, publish=False
        )
        night.before, night.after = self._sizes(night.served), self._sizes(night.newest)
        if night.newest == night.served:
            night.outcome, night.why = "unchanged", "Nothing changed for readers."
            return
        try:
            if self._may_publish(generations(self.place)[-1]):
                self._serve(night.newest)
                night.outcome = "published"
            else:
                night.outcome = "held"
        finally:
            if night.outcome != "published" and night.served:
                # Rights that were taken away tonight hold for the old generation from now on.
                self._serve(night.served)

    def _may_publish(self, newest: Generation) -> bool:
        """Decide, and say why."""
        night, number = self.night, newest.number
        by_hand = f"To publish it all the same, run: `docent generations publish {number}`."
        if not newest.documents:
            night.why = f"Generation {number} holds no document at all."
        elif newest.published_at:
            night.why = f"Somebody rolled back from generation {number}, and nothing is newer."
        elif night.served is None:
            night.why = "It is the first generation, so there was nothing to check it against."
            return True
        elif not self.questions:
            night.why = "There are no questions in the settings, so nothing was checked."
            return True
        else:
            night.check = check(
                self.questions, self._opened, night.served, number, self.settings.nightly
            )
            if night.check.passed:
                night.why = "The check of the questions allows it."
                return True
            night.why = "The check of the questions found that it falls too far."
        night.why = f"{night.why} {by_hand}"
        return False

    @contextmanager
    def _opened(self, generation: int) -> Iterator[Opened]:
        settings, embedder = self.settings, self.embedder
        index = open_index(self.place, embedder=embedder.name, generation=generation)
        with closing(index):
            retriever = Retriever(index, embedder, retrieval_from(settings))
            assistant = None
            if self.llm:
                limit = settings.llm.max_tokens
                assistant = Assistant(retriever, embedder, self.llm, settings.answer, limit)
            yield Opened(retriever, assistant)

    def _serve(self, number: int) -> None:
        night = self.night
        with managing(self.place, keep=self.settings.index.keep) as writer:
            found = writer.generations()
            if (_number(found), found[-1].number) != (night.served, night.newest):
                msg = (
                    f"While generation {night.newest} was checked, somebody else wrote to the "
                    f"index at {self.settings.index.shown} or published. It was left as it is."
                )
                raise IndexTrouble(msg)
            writer.publish(number)

    def _sizes(self, generation: int | None) -> dict[str, Size]:
        if generation is None:
            return {}
        with engine_at(self.place).rows() as db:
            found = store.documents_by_source(db, generation)
        return {source: Size(*counts) for source, counts in found.items()}


def _serving(place: Place) -> int | None:
    """The generation that serves; None where nothing was published yet."""
    try:
        return _number(generations(place))
    except IndexMissing:
        return None


def _number(found: Sequence[Generation]) -> int | None:
    return next((one.number for one in found if one.serving), None)


@contextmanager
def _alone(folder: Path, now: datetime) -> Iterator[None]:
    """Only one night at a time for an index, whoever starts it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "one that has just begun"
            msg = f"Another night is at work on {folder}: {holder}. Wait for it, or stop it."
            raise IndexBusy(msg) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {platform.node()}, since {now:%Y-%m-%d %H:%M} UTC")
        lock.flush()
        yield


def _report(night: Night, settings: Settings, parts: Parts) -> None:
    """Keep the report and tell people; then keep it again with those who could not be told."""
    _keep(night, settings.nightly.reports)
    if failed := tell(night, settings, parts.hosts):
        night.untold += failed
        _keep(night, settings.nightly.reports)


def _keep(night: Night, folder: Path) -> None:
    try:
        keep(night, folder)
    except OSError as error:
        told = f"The report cannot be kept in {folder}: {error.strerror}."
        night.untold += [told] if told not in night.untold else []
