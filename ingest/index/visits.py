"""What is known of the sources: stored pages, cursors, failures, runs. In the index's database."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import zstandard

from ingest.index.rows import Rows
from ingest.index.store import access_id, access_lists, date, iso, standing_from, standing_text
from ingest.model import AccessList, Failure, Page


@dataclass(frozen=True, slots=True)
class PageState:
    """A page as it was seen last."""

    digest: bytes
    access: int
    """The number of its access list."""
    version: str


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page that could not be read, how often, and when it is tried again.

    `next_try` is None where asking again is of no use until the page changes.
    """

    failure: Failure
    at: datetime
    attempts: int
    next_try: datetime | None
    access: AccessList = frozenset()
    """Who may read it as it was read last; nobody where it never was."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """A source's last run, and when one last ended well."""

    finished_at: datetime
    succeeded_at: datetime | None
    report: dict[str, object]


def save_page(db: Rows, page: Page, digest: bytes) -> None:
    """Keep a page as fetched, so that it can be parsed again without asking its source."""
    db.execute("DELETE FROM pages WHERE id = ?", (page.id,))
    db.execute(
        "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            page.id,
            page.source,
            digest,
            page.url,
            page.format,
            iso(page.updated_at),
            access_id(db, page.access),
            page.version,
            page.author,
            standing_text(page.standing),
            page.title,
            zstandard.compress(page.content),
        ),
    )


def forget_page(db: Rows, page_id: str) -> None:
    """Drop the stored page and what was said of it."""
    db.execute("DELETE FROM pages WHERE id = ?", (page_id,))
    db.execute("DELETE FROM failures WHERE page_id = ?", (page_id,))


def touch_page(db: Rows, page_id: str, access: AccessList, version: str | None) -> None:
    """Note who may read an unchanged page now, and (unless None) its version; it did not fail."""
    db.execute(
        "UPDATE pages SET access = ?, version = COALESCE(?, version) WHERE id = ?",
        (access_id(db, access), version, page_id),
    )
    if version is not None:
        db.execute("DELETE FROM failures WHERE page_id = ? AND next_try IS NOT NULL", (page_id,))


def save_failure(db: Rows, failure: Failure, at: datetime, next_try: datetime | None) -> None:
    """Remember why a page could not be read, how often by now, and when it is tried again."""
    db.execute(
        "INSERT INTO failures VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT(page_id) DO UPDATE SET"
        " source = excluded.source, reason = excluded.reason, at = excluded.at,"
        " attempts = failures.attempts + 1, next_try = excluded.next_try",
        (failure.page_id, failure.source, failure.reason, at.isoformat(), iso(next_try)),
    )


def save_cursor(db: Rows, source: str, value: str) -> None:
    """Remember where a source goes on next time."""
    db.execute(
        "INSERT INTO cursors VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET"
        " value = excluded.value",
        (source, value),
    )


def forget_source(db: Rows, source: str) -> None:
    """Drop what is kept of a source besides its pages."""
    for table in ("cursors", "failures", "runs"):
        db.execute(f"DELETE FROM {table} WHERE source = ?", (source,))


def save_run(
    db: Rows,
    source: str,
    finished: datetime,
    report: Mapping[str, object],
    *,
    well: bool,
) -> None:
    """Remember what the last run of a source did, and whether it ended well."""
    db.execute(
        "INSERT INTO runs VALUES (:source, :at, :well, :report) ON CONFLICT(source) DO UPDATE SET"
        " finished_at = excluded.finished_at,"
        " succeeded_at = COALESCE(excluded.succeeded_at, runs.succeeded_at),"
        " report = excluded.report",
        {
            "source": source,
            "at": finished.isoformat(),
            "well": finished.isoformat() if well else None,
            "report": json.dumps(report),
        },
    )


def page_states(db: Rows, source: str) -> dict[str, PageState]:
    """Each known page of a source."""
    rows = db.execute("SELECT id, digest, access, version FROM pages WHERE source = ?", (source,))
    return {page: PageState(bytes(digest), int(list_), v) for page, digest, list_, v in rows}


def stored_pages(db: Rows, source: str) -> Iterator[Page]:
    """Every page of a source as it was fetched, one at a time."""
    lists = access_lists(db)
    found = db.execute("SELECT id FROM pages WHERE source = ? ORDER BY id", (source,))
    ids = [page_id for (page_id,) in found]
    for page_id in ids:
        row = db.execute("SELECT * FROM pages WHERE id = ?", (page_id,)).fetchone()
        yield Page(
            id=row[0],
            source=row[1],
            url=row[3],
            format=row[4],
            updated_at=date(row[5]),
            access=lists[row[6]],
            version=row[7],
            author=row[8],
            standing=standing_from(row[9]),
            title=row[10],
            content=zstandard.decompress(row[11]),
        )


def failures(db: Rows, source: str | None = None) -> list[FailedPage]:
    """Pages that could not be read, for operators: never shown to readers."""
    lists = access_lists(db)
    rows = db.execute(
        "SELECT f.page_id, f.source, f.reason, f.at, f.attempts, f.next_try, p.access"
        " FROM failures f LEFT JOIN pages p ON p.id = f.page_id"
        " WHERE CAST(:source AS TEXT) IS NULL OR f.source = :source ORDER BY f.source, f.page_id",
        {"source": source},
    )
    return [
        FailedPage(
            Failure(page_id, name, reason),
            datetime.fromisoformat(at),
            attempts,
            date(next_try),
            lists.get(access, frozenset()),
        )
        for page_id, name, reason, at, attempts, next_try, access in rows
    ]


def attempts(db: Rows, page_id: str) -> int:
    """How often a page has failed since it was last read."""
    row = db.execute("SELECT attempts FROM failures WHERE page_id = ?", (page_id,)).fetchone()
    return int(row[0]) if row else 0


def cursor(db: Rows, source: str) -> str:
    """Where a source goes on; empty on the first run."""
    row = db.execute("SELECT value FROM cursors WHERE source = ?", (source,)).fetchone()
    return str(row[0]) if row else ""


def runs(db: Rows) -> dict[str, LastRun]:
    """The last run of each source."""
    rows = db.execute("SELECT source, finished_at, succeeded_at, report FROM runs ORDER BY source")
    return {
        name: LastRun(datetime.fromisoformat(at), date(well), json.loads(report))
        for name, at, well, report in rows
    }


def sources(db: Rows) -> list[str]:
    """Names of all sources that something is kept of."""
    rows = db.execute(
        "SELECT source FROM pages UNION SELECT source FROM failures"
        " UNION SELECT source FROM cursors ORDER BY 1"
    )
    return [name for (name,) in rows]
