"""One ingest with what the settings name: shared by `docent ingest` and the night."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from ingest.crew import Crew, crew
from ingest.embed import Embedder
from ingest.errors import SettingsError
from ingest.following import embedder_of
from ingest.http import Hosts
from ingest.index import engine_at, visits, writing
from ingest.pipeline import Pace, parts_of, remove_source, sync
from ingest.report import Progress, Report, Watch
from ingest.settings import Settings
from ingest.source_settings import SourceSettings
from ingest.sources import source_from
from ingest.spool import Spool
from ingest.stored import StoredSource
from ingest.workers import PagePool


def run_ingest(
    settings: Settings,
    only: list[str],
    *,
    embedder: Embedder | None = None,
    pool: PagePool | None = None,
    workers: str = "",
    rebuild: bool = False,
    accept_removals: bool = False,
    publish: bool = True,
) -> tuple[list[Report], int]:
    """The reports of all sources (or of those in `only`), and the newest generation afterwards.

    Without `publish` readers keep the generation they have. `embedder` and `pool` are for who has
    the settings' own already; without a pool, pages go to `workers`, else to `[ingest] workers`.
    """
    chosen = _chosen(settings, only)
    embedder = embedder or embedder_of(settings)
    parts = parts_of(embedder, settings.chunk.max_chars)
    here = Crew(pool, embedder, Pace(stall_s=settings.ingest.stall_s)) if pool else None
    place, hosts = settings.index.place, Hosts()
    sources = [source_from(n, s, settings.ingest, hosts) for n, s in chosen.items()]
    with (
        writing(place, parts, rebuild=rebuild, keep=settings.index.keep) as writer,
        nullcontext(here) if here else crew(settings, embedder, workers) as by,
        watching() as watch,
        closing(Spool(settings.index.path)) as spool,
    ):
        reports = []
        if rebuild:
            # Their own connection: they are read in threads while the writer changes the rows.
            with engine_at(place).rows() as db:
                stored = [StoredSource(name, db) for name in visits.sources(db)]
                sync(stored, writer, by.embedder, by.parsers, pace=by.pace, watch=watch)
            writer.commit(publish=publish, final=False)
        if not only:
            gone = sorted(set(visits.sources(writer.db)) - set(settings.sources))
            reports += [remove_source(writer, name) for name in gone]
        brakes = {n: 1.0 if accept_removals else s.max_removed for n, s in chosen.items()}
        reports += sync(
            sources, writer, by.embedder, by.parsers,
            spool=spool, brakes=brakes, publish=publish, pace=by.pace, watch=watch,
        )  # fmt: skip
        generation = writer.commit(publish=publish)
    return reports, generation


def _chosen(settings: Settings, only: list[str]) -> dict[str, SourceSettings]:
    if not settings.sources:
        msg = "There is no source in the settings. Add [sources.NAME]."
        raise SettingsError(msg)
    unknown = sorted(set(only) - set(settings.sources))
    if unknown:
        known = ", ".join(settings.sources)
        msg = f"--source {', '.join(unknown)} is not in the settings; known are {known}."
        raise SettingsError(msg)
    return {name: s for name, s in settings.sources.items() if not only or name in only}


@contextmanager
def watching() -> Iterator[Watch]:
    """Says how far it is: a live line on a terminal, elsewhere a plain one every ten seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        told = time.monotonic()

        def plain(progress: Progress) -> None:
            nonlocal told
            if time.monotonic() - told >= 10:
                told = time.monotonic()
                line = f"{progress.source}: {_line(progress)}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield plain
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("Starting")

        def live(progress: Progress) -> None:
            bars.update(task, description=escape(f"{progress.source}: {_line(progress)}"))

        yield live


def _line(progress: Progress) -> str:
    return (
        f"{progress.pages:,} pages parsed, {progress.embedded:,} chunks embedded, "
        f"{progress.waiting:,} waiting"
    )
