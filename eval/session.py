"""One run of `docent eval answers`: choose questions, ask what is left, keep rows and record."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from rich.console import Console

from eval import report, tracking
from eval.answers import Asking, Assistant, Row, read_rows, run
from eval.arms import askable
from eval.cost import Cost, Meter
from eval.datasets import AskedQuestion, Half, file_digest, read_questions
from eval.tracking import Dataset, RunRecord
from ingest.errors import DocentError
from ingest.settings import Settings

MakeAssistant = Callable[[Settings, Sequence[AskedQuestion], Asking], Assistant]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which questions of a file are asked."""

    path: Path
    half: Half | None = None
    """None: both."""
    classes: tuple[str, ...] = ()
    """Empty: all."""
    limit: int | None = None
    """Of those that are left, the first so many."""

    def questions(self) -> list[AskedQuestion]:
        """Those questions, in the file's order.

        Raises:
            DocentError: the file is wrong, or none is left.
        """
        every = read_questions(self.path)
        known = sorted({one.kind for one in every})
        if unknown := sorted(set(self.classes) - set(known)):
            msg = (
                f"{self.path} has no question of class {', '.join(map(repr, unknown))}. "
                f"It has: {', '.join(known)}."
            )
            raise DocentError(msg)
        left = [
            one
            for one in every
            if (self.half is None or one.half == self.half)
            and (not self.classes or one.kind in self.classes)
        ][: self.limit]
        if not left:
            msg = f"{self.path} has no such question in its {self.half} half."
            raise DocentError(msg)
        return left

    def dataset(self, asked: Sequence[AskedQuestion]) -> Dataset:
        """What the record says of them."""
        return Dataset(
            name=self.path.name,
            digest=file_digest(self.path),
            half=self.half or "",
            classes=self.classes,
            limit=self.limit,
            questions=len(asked),
        )


@dataclass(frozen=True, slots=True)
class Session:
    """How a run is carried out."""

    choice: Choice
    asking: Asking
    out: Path | None = None
    """Where rows and record are kept; None: nowhere."""
    resume: bool = False
    concurrency: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has ended."""

    rows: list[Row]
    record: RunRecord
    cost: Cost
    """Of the rows that are new; also in the record."""
    kept: int
    """Rows that were there already."""


def carry_out(
    session: Session,
    settings: Settings,
    make: MakeAssistant,
    meter: Callable[[], Meter],
    err: Console,
) -> Done:
    """Ask every chosen question that has no row yet; progress and remarks go to `err`.

    Raises:
        DocentError: the questions, the file of rows or the arm do not allow the run.
    """
    chosen = session.choice.questions()
    asked = askable(chosen, session.asking.arm)
    if len(asked) < len(chosen):
        told = f"{len(chosen) - len(asked)} questions that no document answers are not asked."
        err.print(told, markup=False, soft_wrap=True)
    earlier = _earlier(session, asked)
    # Now, not after: somebody may commit, or publish another generation, while it runs.
    record = _record(session, settings, asked, kept=len(earlier))
    assistant = make(settings, asked, session.asking)
    assistant.warm()
    left = [one for one in asked if one.id not in earlier]
    metering = meter()
    with (
        _writing(session.out, record, earlier.values()) as write,
        report.progress(err, "Asking", len(left)) as advance,
    ):

        def keep(row: Row) -> None:
            write(row)
            metering.tick()
            advance(1)

        fresh = asyncio.run(
            run(left, assistant, session.asking, concurrency=session.concurrency, keep=keep)
        )
    cost = metering.stop(fresh)
    record = tracking.ended(record, cost, settings)
    if session.out:
        tracking.write_record(session.out, record)
    found = {**earlier, **{row.id: row for row in fresh}}
    return Done([found[one.id] for one in asked], record, cost, len(earlier))


def _earlier(session: Session, asked: Sequence[AskedQuestion]) -> dict[str, Row]:
    """The rows that are there already, by question."""
    path = session.out
    if path is None:
        if session.resume:
            msg = "--resume needs --out FILE, the file of the run to go on with."
            raise DocentError(msg)
        return {}
    if path.exists() and not session.resume:
        msg = f"{path} exists. Go on with it by --resume, or give another --out."
        raise DocentError(msg)
    return {row.id: row for row in read_rows(path, asked, session.asking)}


def _record(
    session: Session, settings: Settings, asked: Sequence[AskedQuestion], *, kept: int
) -> RunRecord:
    """The record of a run that begins, or that is gone on with."""
    record = tracking.begun(
        settings, session.choice.dataset(asked), session.asking, concurrency=session.concurrency
    )
    if session.out and session.out.exists():
        return tracking.gone_on(tracking.read_record(session.out), record, kept)
    return record


@contextmanager
def _writing(
    path: Path | None, record: RunRecord, earlier: Iterable[Row]
) -> Iterator[Callable[[Row], None]]:
    """What writes a new row. The record is beside the rows before the first one is asked."""
    if path is None:
        yield lambda row: None
        return
    # Written anew: what no longer holds goes, and a line that was cut does not spoil the next.
    with path.open("w", encoding="utf-8") as file:
        tracking.write_record(path, record)
        for row in earlier:
            _write(file, row)
        yield lambda row: _write(file, row)


def _write(file: TextIO, row: Row) -> None:
    file.write(row.model_dump_json() + "\n")
    file.flush()
