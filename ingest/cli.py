"""`docent ingest` and `docent status`."""

import json
import time
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingest.report import Report
from ingest.settings import load_settings

if TYPE_CHECKING:
    from ingest.health import SourceHealth

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
    workers: Annotated[
        str,
        typer.Option(
            "--workers",
            metavar="WHERE",
            help="Who parses and embeds: local:N processes, or the Dask scheduler at "
            "dask://HOST:PORT or tls://HOST:PORT; else as the settings say.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Bring the index to what the sources hold now. What is unchanged costs nothing."""
    # Imported here: the engines take a second that `docent --help` need not wait for.
    from ingest.run import run_ingest

    settings = load_settings(config)
    started = time.monotonic()
    reports, generation = run_ingest(
        settings,
        source or [],
        workers=workers,
        rebuild=rebuild,
        accept_removals=accept_removals,
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
    print(f"Generation {generation} is in use ({settings.index.shown}, {seconds:.1f} s).")
    raise typer.Exit(0 if well else 1)


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
    from ingest.health import health
    from ingest.index import engine_at

    settings = load_settings(config)
    found = health(settings)
    manifest, newest = found.serving, found.newest
    rows = [_source_status(source) for source in found.sources]
    size = engine_at(settings.index.place).bytes()
    noted = engine_at(settings.index.place).remarks()
    if as_json:
        told = {
            "index": settings.index.shown,
            "remarks": noted,
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
    for line in noted:
        console.print(line, markup=False)
    shown = ("name", "documents", "chunks", "last_success", "next_try", "requests")
    table = Table(*(name.replace("_", " ") for name in shown), "failed")
    for row in rows:
        cells = [_cell(row[name]) for name in shown]
        table.add_row(*(escape(str(cell)) for cell in (*cells, len(row["failures"]))))
    console.print(table)
    for row in rows:
        if row["trouble"]:
            console.print(f"{row['name']} stopped: {row['trouble']}", markup=False)
        for failure in row["failures"]:
            again = f" (again after {failure['next_try']})" if failure["next_try"] else ""
            console.print(f"failed: {failure['reason']}{again}", markup=False)


def _cell(value: object) -> str:
    """A moment to the minute, so that it fits; nothing as a dash."""
    if value is None:
        return "–"
    told = str(value)
    return told[:16].replace("T", " ") if told[10:11] == "T" else told


def _source_status(source: "SourceHealth") -> dict[str, Any]:
    return {
        "name": source.name,
        "documents": source.documents,
        "chunks": source.chunks,
        "last_run": _moment(source.finished_at),
        "last_success": _moment(source.succeeded_at),
        "next_try": _moment(source.next_try),
        "requests": source.requests,
        "trouble": source.trouble,
        "kept_back": source.kept_back,
        "failures": [
            {
                "page_id": row.failure.page_id,
                "reason": row.failure.reason,
                "at": _moment(row.at),
                "attempts": row.attempts,
                "next_try": _moment(row.next_try),
            }
            for row in source.failures
        ],
        "report": source.report,
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
