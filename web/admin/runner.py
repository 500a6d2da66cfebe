"""Runs that a maintainer starts: `docent ingest` for one source, in a process of its own.

One at a time; the index lets only one process write anyhow. It is the same command with the same
settings as on a shell, so that a crawl can neither slow down nor bring down the server.
"""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import uuid4

KEPT = 20
"""Runs that are remembered while the server runs; the index remembers the last of each source."""
LINE_CHARS = 1000
STOPPED = "It was stopped, since the server was. The next run goes on where it was."

log = logging.getLogger(__name__)


class RunState(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    WELL = "well"
    TROUBLE = "trouble"
    """It went to its end, but the source had trouble."""
    FAILED = "failed"


@dataclass(slots=True)
class Run:
    """One run of one source."""

    source: str
    by: str
    """The name of who started it."""
    started_at: datetime
    id: str = field(default_factory=lambda: uuid4().hex)
    state: RunState = RunState.RUNNING
    progress: str = ""
    """The last thing that it said."""
    message: str = ""
    """Why it did not end well, in a sentence; empty when it did."""
    generation: int | None = None
    """The newest generation of the index after it."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """`ingest.report.Report` of the source."""
    finished_at: datetime | None = None


def command_for(config: Path | None) -> tuple[str, ...]:
    """What starts an ingest with the settings of this server; the name of the source follows."""
    given = ("--config", str(config.resolve())) if config else ()
    return (sys.executable, "-m", "docent", "ingest", "--json", *given)


class Runner:
    """Starts runs and listens to them. To be used from one event loop."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        grace_s: float = 10.0,
    ) -> None:
        """`grace_s` is how long a run may take to end after it was told to."""
        self._command = tuple(command)
        self._clock = clock
        self._grace_s = grace_s
        self._runs: deque[Run] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> Run | None:
        """The run that is going on."""
        return next((run for run in self._runs if run.state is RunState.RUNNING), None)

    @property
    def runs(self) -> tuple[Run, ...]:
        """What was started here, the latest first."""
        return tuple(self._runs)

    def start(self, source: str, by: str) -> Run | None:
        """Begin a run of a source; None while another one is going on."""
        if self.running is not None:
            return None
        run = Run(source, by, self._clock())
        self._runs.appendleft(run)
        self._task = asyncio.create_task(self._attend(run))
        return run

    async def ended(self) -> None:
        """Returns when no run is going on."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Stop what is running. It loses nothing: a run that was cut off goes on the next time."""
        if self._task is not None:
            self._task.cancel()
            await self.ended()

    async def _attend(self, run: Run) -> None:
        process = None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, f"--source={run.source}",
                # A Ctrl+C at the server's terminal is not for it: the server tells it to stop.
                stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True,
            )  # fmt: skip
            told, _ = await asyncio.gather(_all(process.stdout), _listen(process.stderr, run))
            _conclude(run, await process.wait(), told)
        except OSError as error:
            log.exception("A run of %s cannot be started", run.source)
            run.message = f"It cannot be started: {error.strerror}."
        except asyncio.CancelledError:
            run.message = STOPPED
            raise
        finally:
            if process is not None and process.returncode is None:
                await _stop(process, self._grace_s)
            if run.state is RunState.RUNNING:
                run.state = RunState.FAILED
            run.finished_at = self._clock()


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream else b""


async def _listen(stream: asyncio.StreamReader | None, run: Run) -> None:
    """What it says while it works: how far it is, and at last perhaps why it could not go on."""
    tail = ""
    while stream and (more := await stream.read(LINE_CHARS)):
        tail = (tail + more.decode(errors="replace"))[-LINE_CHARS:]
        if said := tail.strip():
            run.progress = said.splitlines()[-1].strip()


def _conclude(run: Run, status: int, told: bytes) -> None:
    """Read what a run has printed at its end: one JSON object, or nothing where it failed."""
    try:
        whole = json.loads(told)
        reports = {report["source"]: report for report in whole["sources"]}
        run.generation, run.report = whole["generation"], reports[run.source]
    except (ValueError, LookupError, TypeError):
        run.message = run.progress.removeprefix("docent: ") or f"It ended with status {status}."
        return
    run.state = RunState.TROUBLE if status else RunState.WELL
    if status:
        kept = run.report.get("kept_back", 0)
        run.message = str(run.report.get("trouble") or "") or (
            f"{kept} pages that are no longer at the source were kept: more than max_removed."
        )


async def _stop(process: Process, grace_s: float) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace_s)
    except TimeoutError:
        process.kill()
        await process.wait()
