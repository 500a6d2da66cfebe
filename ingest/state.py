"""What was seen when: decides what a fetched page needs, from what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from ingest.model import Page


class Need(Enum):
    """What has to be done with a page."""

    NOTHING = "unchanged"
    ACCESS = "access changed"
    """Only who may read it changed: no parsing and no embedding."""
    PARSE = "new or changed"


@dataclass(frozen=True, slots=True)
class Known:
    """A page as it was seen last."""

    digest: bytes
    access: int


def page_digest(page: Page) -> bytes:
    """Changes when the page has to be parsed again: its bytes, link, format or date changed."""
    dated = page.updated_at.isoformat() if page.updated_at else ""
    head = "\0".join((page.format, page.url, dated, "")).encode()
    return sha256(head + page.content).digest()


def need(page_id: str, digest: bytes, access: int, known: Mapping[str, Known]) -> Need:
    """Compare a page with what is known of it."""
    before = known.get(page_id)
    if before is None or before.digest != digest:
        return Need.PARSE
    return Need.NOTHING if before.access == access else Need.ACCESS
