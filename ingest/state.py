"""What was seen when: what a page needs, when a failed one is tried again, where to go on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256

from ingest.index import visits
from ingest.index.rows import Rows
from ingest.index.visits import PageState
from ingest.model import Cursor, Failure, Gone, Page, Past, Unchanged
from ingest.spool import Spool

LONGEST_WAIT = timedelta(days=7)


class Need(Enum):
    """What has to be done with a page."""

    NOTHING = "unchanged"
    ACCESS = "access changed"
    """Only who may read it changed: no parsing and no embedding."""
    PARSE = "new or changed"


def page_digest(page: Page) -> bytes:
    """Changes when the page has to be parsed again: its bytes or what is told beside them."""
    dated = page.updated_at.isoformat() if page.updated_at else ""
    said = page.standing
    standing = f"{said.archived}\0{said.superseded_by}\0{said.supersedes}"
    told = (page.format, page.url, dated, page.author, page.title, standing, "")
    head = "\0".join(told).encode()
    return sha256(head + page.content).digest()


def need(page_id: str, digest: bytes, access: int, known: Mapping[str, PageState]) -> Need:
    """Compare a page with what is known of it."""
    before = known.get(page_id)
    if before is None or before.digest != digest:
        return Need.PARSE
    return Need.NOTHING if before.access == access else Need.ACCESS


def next_try(attempts: int, now: datetime) -> datetime:
    """When a page that failed for the `attempts`-th time is asked for again: 1, 2, 4 … hours."""
    hours = 1 << min(attempts - 1, 16)
    return now + min(timedelta(hours=hours), LONGEST_WAIT)


def past_of(db: Rows, spool: Spool | None, source: str, now: datetime) -> Past:
    """What a source is told of its earlier runs, with what a killed one left in the spool."""
    versions = {page: state.version for page, state in visits.page_states(db, source).items()}
    cursor = visits.cursor(db, source)
    failed = {
        row.failure.page_id: row.next_try <= now
        for row in visits.failures(db, source)
        if row.next_try
    }
    for _, item in spool.items(source) if spool else ():
        match item:
            case Page():
                versions[item.id] = item.version
                failed.pop(item.id, None)
            case Unchanged():
                versions[item.page_id] = item.version
                failed.pop(item.page_id, None)
            case Failure():
                failed[item.page_id] = False
            case Gone():
                versions.pop(item.page_id, None)
            case Cursor():
                cursor = item.value
    return Past(
        cursor,
        versions,
        retry=frozenset(page for page, due in failed.items() if due),
        waiting=frozenset(page for page, due in failed.items() if not due),
    )
