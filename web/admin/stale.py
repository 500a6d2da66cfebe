"""Pages that answers rest on although they are old, or that others contradict.

What readers were warned of is in the audit log; `web.warned` says how.
"""

from collections import Counter
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from assistant.model import NoticeKind
from ingest.model import Document
from web.admin.maintainer import Maintainer, Shelf, iso, keepers_of
from web.admin.usage import Days
from web.problems import declared
from web.schema import ContactOut, Moment, StandingOut
from web.services import Given
from web.warned import DOORS

MOST = 50
TRIED = 400
"""So many entries are looked up to find those whose pages the maintainer may read."""

router = APIRouter()


class WornOut(BaseModel):
    """A page that a warning was about."""

    document_id: str
    title: str
    url: str
    source: str
    updated_at: Moment | None
    standing: StandingOut


class StaleOut(BaseModel):
    """An old page that was cited, or pages that say different things."""

    kind: NoticeKind
    count: int = Field(description="In how many answers readers were warned of it.")
    pages: list[WornOut] = Field(description="Of two pages the one that holds first, if one does.")
    contacts: list[ContactOut]


class StalesOut(BaseModel):
    """What readers were warned of most."""

    since: Moment
    stale: list[StaleOut]


@router.get("/stale", response_model=StalesOut, responses=declared(HTTPStatus.SERVICE_UNAVAILABLE))
async def stale(services: Given, caller: Maintainer, days: Days = 30) -> Any:
    """Old and contradicting pages that answers of the last days rest on.

    Only those of whose pages the caller may read every one.
    """
    await services.count("search", caller)
    since = services.state.database.clock() - timedelta(days=days)
    told = await services.state.audit.tally(since, DOORS)
    shelf = Shelf(services.assistant, caller.reader)
    found: list[StaleOut] = []
    shown: list[str] = []
    for (door, documents), count in _most(told)[:TRIED]:
        pages = await shelf.first(documents, len(documents))
        if len(pages) == len(documents) and len(found) < MOST:
            shown += documents
            found.append(
                StaleOut(
                    kind=DOORS[door],
                    count=count,
                    pages=[_page(page) for page in pages],
                    contacts=[
                        ContactOut(name=one.name, why=one.why, url=one.url)
                        for one in keepers_of(pages, services.settings)
                    ],
                )
            )
    services.shown(caller, "admin", shown)
    return StalesOut(since=since.isoformat(timespec="seconds"), stale=found)


def _most(
    told: Counter[tuple[str, tuple[str, ...]]],
) -> list[tuple[tuple[str, tuple[str, ...]], int]]:
    return sorted(told.items(), key=lambda item: (-item[1], item[0]))


def _page(document: Document) -> WornOut:
    said = document.standing
    return WornOut(
        document_id=document.id,
        title=document.title,
        url=document.url,
        source=document.source,
        updated_at=iso(document.updated_at),
        standing=StandingOut(archived=said.archived, superseded_by=said.superseded_by),
    )
