"""Sources, how they are, their runs, and the reports of the nights."""

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import APIRouter
from pydantic import BaseModel, Field

from ingest.errors import IndexMissing
from ingest.health import Condition, SourceHealth, health, unread
from ingest.index.visits import FailedPage
from web.admin.maintainer import Maintainer, iso
from web.admin.runner import Run, Runner, RunState
from web.problems import Refused, declared
from web.schema import Moment
from web.services import Given
from web.who import Caller, Role

NIGHTS = 14
NAMED = 100
"""So many failures of a source are named; all of them are counted."""
BUSY = "Another run is going on; one at a time. Wait for it to end."

log = logging.getLogger(__name__)


class FailureOut(BaseModel):
    """A page that could not be read."""

    page_id: str
    reason: str
    at: Moment
    attempts: int
    next_try: Moment | None = Field(description="Null where nothing is tried until it changes.")


class SourceOut(BaseModel):
    """A source: what the index holds of it, and how its last run went."""

    name: str
    kind: str = Field(description="Empty for one that the settings no longer name.")
    condition: Condition
    keeper: str
    documents: int
    chunks: int
    last_run: Moment | None
    last_success: Moment | None
    next_try: Moment | None
    requests: int
    new: int = Field(description="Pages of the last run, as the next ones.")
    changed: int
    unchanged: int
    removed: int
    seconds: float
    kept_back: int
    trouble: str
    failed: int = Field(description="Pages that could not be read.")
    failures: list[FailureOut] = Field(
        description="Those whose pages the caller may read; to an admin, all."
    )


class SourcesOut(BaseModel):
    """All sources, by name."""

    generation: int | None = Field(description="The one that readers have; null: no index yet.")
    newest: int | None
    sources: list[SourceOut]


class RunOut(BaseModel):
    """A run that was started here."""

    id: str
    source: str
    by: str
    started_at: Moment
    finished_at: Moment | None
    state: RunState
    progress: str
    message: str
    generation: int | None
    new: int
    changed: int
    unchanged: int
    removed: int
    failed: int


class NightOut(BaseModel):
    """A night, as its report tells."""

    started: Moment
    outcome: str
    why: str
    served: int | None
    newest: int | None
    seconds: float


class RunsOut(BaseModel):
    """What was started here since the server began, and the last nights; the latest first."""

    running: RunOut | None
    runs: list[RunOut]
    nights: list[NightOut]


def router_for(runner: Runner) -> APIRouter:
    """The routes; `runner` starts the runs."""
    router = APIRouter()

    @router.get(
        "/sources",
        response_model=SourcesOut,
        responses=declared(HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def sources(services: Given, caller: Maintainer) -> Any:
        """How each source is."""
        settings = services.settings
        serving = newest = None
        try:
            found = await anyio.to_thread.run_sync(partial(health, settings))
            serving, newest, each = found.serving.generation, found.newest, found.sources
        except IndexMissing:
            each = unread(settings)
        return SourcesOut(
            generation=serving,
            newest=newest,
            sources=[_source(one, settings.sources.get(one.name), caller) for one in each],
        )

    @router.post(
        "/sources/{name}/run",
        status_code=HTTPStatus.ACCEPTED,
        response_model=RunOut,
        responses=declared(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    async def run(name: str, services: Given, caller: Maintainer) -> Any:
        """Bring one source up to date now; the answer does not wait for it, `runs` tells."""
        if name not in services.settings.sources:
            raise Refused(HTTPStatus.NOT_FOUND, "The settings name no such source.")
        begun = runner.start(name, caller.name)
        if begun is None:
            raise Refused(HTTPStatus.CONFLICT, BUSY)
        log.info("run", extra={"fields": {"source": name, "user_id": caller.user_id}})
        return _run(begun)

    @router.get("/runs", response_model=RunsOut, responses=declared())
    async def runs(services: Given, caller: Maintainer) -> Any:
        """What runs, what ran, and how the last nights went."""
        folder = services.settings.nightly.reports
        running = runner.running
        return RunsOut(
            running=_run(running) if running else None,
            runs=[_run(one) for one in runner.runs],
            nights=await anyio.to_thread.run_sync(partial(_nights, folder)),
        )

    return router


def _source(one: SourceHealth, settings: Any, caller: Caller) -> SourceOut:
    return SourceOut(
        name=one.name,
        kind=settings.kind if settings else "",
        condition=one.condition,
        keeper=settings.keeper if settings else "",
        documents=one.documents,
        chunks=one.chunks,
        last_run=iso(one.finished_at),
        last_success=iso(one.succeeded_at),
        next_try=iso(one.next_try),
        requests=one.requests,
        seconds=float(one.report.get("seconds", 0)),
        kept_back=one.kept_back,
        trouble=one.trouble,
        failed=len(one.failures),
        failures=[_failure(row) for row in _open(one.failures, caller)][:NAMED],
        **_pages(one.report),
    )


def _open(failures: Iterable[FailedPage], caller: Caller) -> list[FailedPage]:
    """Failures that somebody may know of. Whose page was never read is known to admins only: they
    keep the machine that asked for it, and nobody can say who else may read it.
    """
    if caller.role >= Role.ADMIN:
        return list(failures)
    return [row for row in failures if caller.reader.may_read(row.access)]


def _failure(row: FailedPage) -> FailureOut:
    return FailureOut(
        page_id=row.failure.page_id,
        reason=row.failure.reason,
        at=row.at.isoformat(timespec="seconds"),
        attempts=row.attempts,
        next_try=iso(row.next_try),
    )


def _run(run: Run) -> RunOut:
    return RunOut(
        id=run.id,
        source=run.source,
        by=run.by,
        started_at=run.started_at.isoformat(timespec="seconds"),
        finished_at=iso(run.finished_at),
        state=run.state,
        progress=run.progress,
        message=run.message,
        generation=run.generation,
        failed=len(run.report.get("failed", ())),
        **_pages(run.report),
    )


def _pages(report: Mapping[str, Any]) -> dict[str, int]:
    return {kind: int(report.get(kind, 0)) for kind in ("new", "changed", "unchanged", "removed")}


def _nights(folder: Path) -> list[NightOut]:
    """The last reports of `docent nightly` that can be read; without names of pages."""
    found = []
    for path in sorted(folder.glob("nightly-*.json"), reverse=True)[:NIGHTS]:
        try:
            found.append(NightOut.model_validate_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            log.warning("The report %s cannot be read: %s", path.name, type(error).__name__)
    return found
