"""`docent ingest` and `docent status`."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingest.errors import SettingsError
from ingest.pipeline import Pace, parts_of, remove_source, sync
from ingest.report import Progress, Report, Watch
from ingest.settings import Settings, load_settings
from ingest.source_settings import SourceSettings

if TYPE_CHECKING:
    from ingest.index.visits import FailedPage, LastRun

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; else DOCENT_CONFIG, else ./docent.toml."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def ingest(
    config: Config = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source (repeatable).")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Parse, cut and embed every stored page anew first.")
    ] = False,
    accept_removals: Annotated[
        bool,
        typer.Option("--accept-removals", help="Remove also what is a large share of a source."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the index to what the sources hold now. What is unchanged costs nothing."""
    settings = load_settings(config)
    started = time.monotonic()
    reports, generation = run_ingest(
        settings, source or [], rebuild=rebuild, accept_removals=accept_removals
    )
    well = all(report.well for report in reports)
    if as_json:
        told = {"generation": generation, "sources": [asdict(report) for report in reports]}
        print(json.dumps(told, indent=1))
        raise typer.Exit(0 if well else 1)
    for report in reports:
        print(summary(report))
        for line in remarks(report):
            print(f"  {line}")
    seconds = time.monotonic() - started
    print(f"Generation {generation} is in use ({settings.index.path}, {seconds:.1f} s).")
    raise typer.Exit(0 if well else 1)


def run_ingest(
    settings: Settings,
    only: list[str],
    *,
    rebuild: bool = False,
    accept_removals: bool = False,
    publish: bool = True,
) -> tuple[list[Report], int]:
    """The reports of all sources, and the newest generation afterwards."""
    # Imported here: the engines take a second that `docent --help` need not wait for.
    from ingest.embed import embedder_from
    from ingest.http import Hosts
    from ingest.index import store, visits, writing
    from ingest.sources import source_from
    from ingest.spool import Spool
    from ingest.stored import StoredSource
    from ingest.workers import parse_pool

    chosen = _chosen(settings, only)
    embedder = embedder_from(settings.embedder, settings.models)
    parts = parts_of(embedder, settings.chunk.max_chars)
    workers = max(1, (os.cpu_count() or 2) - 1)
    pace = Pace(stall_s=settings.ingest.stall_s)
    folder, hosts = settings.index.path, Hosts()
    sources = [source_from(n, s, settings.ingest, hosts) for n, s in chosen.items()]
    with (
        writing(folder, parts, rebuild=rebuild, keep=settings.index.keep) as writer,
        parse_pool(workers, settings.ingest.deadline_s, settings.chunk.max_chars) as pool,
        _watching() as watch,
        closing(Spool(folder)) as spool,
    ):
        reports = []
        if rebuild:
            # Their own connection: they are read in threads while the writer changes the rows.
            with closing(store.connect(folder)) as db:
                stored = [StoredSource(name, db) for name in visits.sources(db)]
                sync(stored, writer, embedder, pool, pace=pace, watch=watch)
            writer.commit(publish=publish, final=False)
        if not only:
            gone = sorted(set(visits.sources(writer.db)) - set(settings.sources))
            reports += [remove_source(writer, name) for name in gone]
        brakes = {n: 1.0 if accept_removals else s.max_removed for n, s in chosen.items()}
        reports += sync(
            sources, writer, embedder, pool,
            spool=spool, brakes=brakes, publish=publish, pace=pace, watch=watch,
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
def _watching() -> Iterator[Watch]:
    """A live line on a terminal; elsewhere a plain line every ten seconds."""
    console = Console(stderr=True)
    if not console.is_terminal:
        told = time.monotonic()

        def plain(progress: Progress) -> None:
            nonlocal told
            if time.monotonic() - told >= 10:
                told = time.monotonic()
                print(f"{progress.source}: {_line(progress)}", file=sys.stderr)

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


def summary(report: Report) -> str:
    """One line on what a source gave."""
    counts = {
        "new": report.new,
        "changed": report.changed,
        "with other rights": report.access_changed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "failed": len(report.failed),
    }
    told = ", ".join(f"{count:,} {noun}" for noun, count in counts.items() if count) or "no pages"
    rate = report.embedded / report.embed_seconds if report.embed_seconds else 0
    speed = f" ({report.embedded:,} embedded, {rate:.0f}/s)" if report.embedded else ""
    return (
        f"{report.source}: {told}; {report.documents:,} documents and {report.chunks:,} chunks "
        f"written{speed} in {report.seconds:.1f} s."
    )


def remarks(report: Report) -> list[str]:
    """What an operator has to know besides the numbers, a line each."""
    lines = [f"failed: {failure.reason}" for failure in report.failed]
    if report.kept_back:
        lines.append(
            f"kept: {report.kept_back:,} pages are no longer at the source, more than max_removed "
            "allows in one run. If that is right, run: docent ingest --source "
            f"{report.source} --accept-removals"
        )
    if report.trouble:
        lines.append(f"stopped: {report.trouble}")
    return lines


def status(config: Config = None, as_json: AsJson = False) -> None:
    """What the index holds of each source, how the last run went, and what could not be read."""
    from ingest.index import disk_bytes, read_manifest, store, visits

    settings = load_settings(config)
    folder = settings.index.path
    manifest = read_manifest(folder)
    with closing(store.connect(folder)) as db:
        documents = store.documents_by_source(db, manifest.generation)
        runs = visits.runs(db)
        failures = visits.failures(db)
        newest = store.generations(db)[-1].id
    rows = [
        _source_status(name, documents, runs, failures)
        for name in sorted({*documents, *runs, *settings.sources})
    ]
    size = disk_bytes(folder)
    if as_json:
        told = {
            "index": str(folder),
            "generation": manifest.generation,
            "newest_generation": newest,
            "built_at": manifest.created_at.isoformat(),
            "parts": asdict(manifest.parts),
            "bytes": size,
            "sources": rows,
        }
        print(json.dumps(told, indent=1))
        return
    console = Console(highlight=False)
    console.print(
        f"Generation {manifest.generation} of {manifest.created_at:%Y-%m-%d %H:%M} UTC, "
        f"{size / 1e6:.1f} MB, embedder {manifest.parts.embedder}",
        markup=False,
    )
    if newest != manifest.generation:
        console.print(f"Generation {newest} is newer and was not published.", markup=False)
    shown = ("name", "documents", "chunks", "last_success", "next_try", "requests")
    table = Table(*(name.replace("_", " ") for name in shown), "failed")
    for row in rows:
        cells = [row[name] if row[name] is not None else "–" for name in shown]
        table.add_row(*(escape(str(cell)) for cell in (*cells, len(row["failures"]))))
    console.print(table)
    for row in rows:
        if row["trouble"]:
            console.print(f"{row['name']} stopped: {row['trouble']}", markup=False)
        for failure in row["failures"]:
            again = f" (again after {failure['next_try']})" if failure["next_try"] else ""
            console.print(f"failed: {failure['reason']}{again}", markup=False)


def _source_status(
    name: str,
    documents: dict[str, tuple[int, int]],
    runs: "dict[str, LastRun]",
    failures: "list[FailedPage]",
) -> dict[str, Any]:
    count, chunks = documents.get(name, (0, 0))
    run = runs.get(name)
    report = run.report if run else {}
    failed = [row for row in failures if row.failure.source == name]
    tries = [row.next_try for row in failed if row.next_try]
    return {
        "name": name,
        "documents": count,
        "chunks": chunks,
        "last_run": _moment(run.finished_at if run else None),
        "last_success": _moment(run.succeeded_at if run else None),
        "next_try": _moment(min(tries, default=None)),
        "requests": report.get("requests", 0),
        "trouble": report.get("trouble", ""),
        "kept_back": report.get("kept_back", 0),
        "failures": [
            {
                "page_id": row.failure.page_id,
                "reason": row.failure.reason,
                "at": _moment(row.at),
                "attempts": row.attempts,
                "next_try": _moment(row.next_try),
            }
            for row in failed
        ],
        "report": report,
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
