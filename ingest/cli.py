"""`docent ingest` and `docent status`."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ingest.errors import SettingsError
from ingest.pipeline import Progress, Report, Watch, parts_of, remove_source, sync
from ingest.settings import Settings, load_settings

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
    deadline: Annotated[float, typer.Option(help="Seconds that parsing one page may take.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Bring the index to what the sources hold now. What is unchanged costs nothing."""
    settings = load_settings(config)
    started = time.monotonic()
    reports, generation = run_ingest(settings, source or [], rebuild=rebuild, deadline=deadline)
    if as_json:
        told = {"generation": generation, "sources": [asdict(report) for report in reports]}
        print(json.dumps(told, indent=1))
        return
    for report in reports:
        print(summary(report))
        for failure in report.failed:
            print(f"  failed: {failure.reason}")
    seconds = time.monotonic() - started
    print(f"Generation {generation} is in use ({settings.index.path}, {seconds:.1f} s).")


def run_ingest(
    settings: Settings, only: list[str], *, rebuild: bool = False, deadline: float = 60.0
) -> tuple[list[Report], int]:
    """The reports of all sources, and the generation that is current afterwards."""
    # Imported here: the engines take a second that `docent --help` need not wait for.
    from ingest.embed import embedder_from
    from ingest.http import Hosts
    from ingest.index import store, writing
    from ingest.sources import source_from
    from ingest.stored import StoredSource
    from ingest.workers import parse_pool

    unknown = sorted(set(only) - set(settings.sources))
    if unknown or not settings.sources:
        known = ", ".join(settings.sources) or "none: add a section [sources.NAME] to the settings"
        msg = f"--source {', '.join(unknown)} is not in the settings; known are {known}."
        raise SettingsError(
            msg if unknown else "There is no source in the settings. Add [sources.NAME]."
        )
    embedder = embedder_from(settings.embedder, settings.models)
    parts = parts_of(embedder, settings.chunk.max_chars)
    workers = max(1, (os.cpu_count() or 2) - 1)
    chosen = {n: s for n, s in settings.sources.items() if not only or n in only}
    with (
        writing(settings.index.path, parts, rebuild=rebuild) as writer,
        parse_pool(workers, deadline, settings.chunk.max_chars) as pool,
        _watching() as watch,
    ):
        reports = []
        if rebuild:
            stored = [StoredSource(name, writer.db) for name in store.sources(writer.db)]
            sync(stored, writer, embedder, pool, watch=watch)
            writer.commit()
        if not only:
            gone = sorted(set(store.sources(writer.db)) - set(settings.sources))
            reports += [remove_source(writer, name) for name in gone]
        hosts = Hosts()
        sources = [source_from(n, s, settings.ingest, hosts) for n, s in chosen.items()]
        reports += sync(sources, writer, embedder, pool, watch=watch)
        generation = writer.commit()
    return reports, generation


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


def status(config: Config = None, as_json: AsJson = False) -> None:
    """What the index holds, from which sources, and which pages could not be read."""
    from ingest.index import disk_bytes, read_manifest, store

    settings = load_settings(config)
    folder = settings.index.path
    manifest = read_manifest(folder)
    db = store.connect(folder)
    try:
        documents = store.documents_by_source(db, manifest.generation)
        runs = store.runs(db)
        failures = store.failures(db)
    finally:
        db.close()
    names = sorted({*documents, *runs, *settings.sources})
    if as_json:
        told = {
            "index": str(folder),
            "generation": manifest.generation,
            "built_at": manifest.created_at.isoformat(),
            "parts": asdict(manifest.parts),
            "bytes": disk_bytes(folder),
            "sources": [_source_status(name, documents, runs) for name in names],
            "failures": [asdict(failure) for failure in failures],
        }
        print(json.dumps(told, indent=1))
        return
    console = Console(highlight=False)
    size = disk_bytes(folder) / 1e6
    console.print(
        f"Generation {manifest.generation} of {manifest.created_at:%Y-%m-%d %H:%M} UTC, "
        f"{size:.1f} MB, embedder {manifest.parts.embedder}",
        markup=False,
    )
    table = Table("source", "documents", "chunks", "last run", "failed")
    for row in (_source_status(name, documents, runs) for name in names):
        failed = sum(f.source == row["name"] for f in failures)
        cells = (row["name"], row["documents"], row["chunks"], row["last_run"] or "never", failed)
        table.add_row(*(escape(str(cell)) for cell in cells))
    console.print(table)
    for failure in failures:
        console.print(f"failed: {failure.reason}", markup=False)


def _source_status(
    name: str,
    documents: dict[str, tuple[int, int]],
    runs: dict[str, tuple[datetime, dict[str, object]]],
) -> dict[str, object]:
    count, chunks = documents.get(name, (0, 0))
    finished, report = runs.get(name, (None, {}))
    return {
        "name": name,
        "documents": count,
        "chunks": chunks,
        "last_run": finished.isoformat(timespec="seconds") if finished else None,
        "report": report,
    }
