"""How the sources are: what the index holds of each, how its last run went, what it failed at.

For operators: counts are of everything. Pages that failed carry who may read them, so that a door
with people behind it can leave out what somebody may not know of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ingest.index import Manifest, engine_at, store, visits
from ingest.index.visits import FailedPage
from ingest.settings import Settings


class Condition(StrEnum):
    """How a source is, in a word."""

    WELL = "well"
    FAILING = "failing"
    """Its last run went to the end, but pages could not be read."""
    TROUBLE = "trouble"
    """Its last run stopped early, or pages were kept that the source no longer has."""
    NEVER = "never"
    """It was never read to its end."""
    DROPPED = "dropped"
    """The settings no longer name it."""


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One source."""

    name: str
    configured: bool
    """Whether the settings name it."""
    documents: int
    chunks: int
    finished_at: datetime | None
    """When its last run ended."""
    succeeded_at: datetime | None
    """When a run last ended well."""
    report: Mapping[str, Any]
    """`ingest.report.Report` of the last run; empty when there was none."""
    failures: tuple[FailedPage, ...]

    @property
    def condition(self) -> Condition:
        """The worst that holds."""
        if not self.configured:
            return Condition.DROPPED
        if self.trouble or self.kept_back:
            return Condition.TROUBLE
        if self.succeeded_at is None:
            return Condition.NEVER
        return Condition.FAILING if self.failures else Condition.WELL

    @property
    def trouble(self) -> str:
        """Why the last run stopped early; empty when it did not."""
        return str(self.report.get("trouble", ""))

    @property
    def kept_back(self) -> int:
        """Pages that the source no longer has but that were kept."""
        return int(self.report.get("kept_back", 0))

    @property
    def requests(self) -> int:
        """How often the last run asked the source's server."""
        return int(self.report.get("requests") or 0)

    @property
    def next_try(self) -> datetime | None:
        """When the first of the failed pages is asked for again."""
        return min((row.next_try for row in self.failures if row.next_try), default=None)


@dataclass(frozen=True, slots=True)
class Health:
    """All sources, and the generation that readers have."""

    serving: Manifest
    newest: int
    """The newest generation, published or not."""
    sources: tuple[SourceHealth, ...]


def health(settings: Settings) -> Health:
    """How the sources of an index are, by name.

    Raises:
        IndexMissing, IndexDamaged: there is none, or it cannot be read.
    """
    engine = engine_at(settings.index.place)
    serving = engine.serving()
    with engine.rows() as db:
        held = store.documents_by_source(db, serving.generation)
        runs = visits.runs(db)
        failures = visits.failures(db)
        newest = store.generations(db)[-1].id
    found = []
    for name in sorted({*held, *runs, *settings.sources}):
        run = runs.get(name)
        found.append(
            SourceHealth(
                name,
                name in settings.sources,
                *held.get(name, (0, 0)),
                run.finished_at if run else None,
                run.succeeded_at if run else None,
                run.report if run else {},
                tuple(row for row in failures if row.failure.source == name),
            )
        )
    return Health(serving, newest, tuple(found))


def unread(settings: Settings) -> tuple[SourceHealth, ...]:
    """The sources of the settings before anything was read of them."""
    return tuple(SourceHealth(name, True, 0, 0, None, None, {}, ()) for name in settings.sources)
