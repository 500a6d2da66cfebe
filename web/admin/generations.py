"""Generations of the index: what is kept, publish one, roll back."""

from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, Field

from ingest.errors import IndexBusy, IndexMissing
from ingest.index import Generation, generations, managing, previous
from ingest.settings import IndexSettings
from web.admin.maintainer import Maintainer, iso
from web.problems import Refused, declared
from web.schema import Moment
from web.services import Given

BUSY = "Another process is writing the index, such as a night. Wait for it, or stop it."
NOT_KEPT = "That generation is not kept."
NONE_BEFORE = "No generation that was published before is kept; [index] keep says how many are."

router = APIRouter()

Change = Callable[[Sequence[Generation]], int | None]
"""Which of the generations shall serve; None: there is none such."""


class GenerationOut(BaseModel):
    """A state of the index."""

    number: int
    created_at: Moment
    published_at: Moment | None
    serving: bool = Field(description="Readers have this one.")
    newest: bool
    documents: int


class GenerationsOut(BaseModel):
    """Those that are kept, the newest first."""

    generations: list[GenerationOut]


_CHANGED = declared(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get(
    "/generations",
    response_model=GenerationsOut,
    responses=declared(HTTPStatus.SERVICE_UNAVAILABLE),
)
async def kept(services: Given, caller: Maintainer) -> Any:
    """What is kept of the index, and which generation readers have."""
    place = services.settings.index.place
    try:
        found = await anyio.to_thread.run_sync(partial(generations, place))
    except IndexMissing:
        found = []
    return _listed(found)


@router.post("/generations/{number}/publish", response_model=GenerationsOut, responses=_CHANGED)
async def publish(
    number: Annotated[int, InPath(ge=1, le=2**31)], services: Given, caller: Maintainer
) -> Any:
    """Let readers have a generation, newer or older than theirs. Rights are those of today."""

    def named(found: Sequence[Generation]) -> int | None:
        return number if any(one.number == number for one in found) else None

    return await _serve(services.settings.index, named, NOT_KEPT)


@router.post("/generations/rollback", response_model=GenerationsOut, responses=_CHANGED)
async def roll_back(services: Given, caller: Maintainer) -> Any:
    """Publish the generation that was published before the one that readers have."""
    return await _serve(services.settings.index, previous, NONE_BEFORE)


async def _serve(index: IndexSettings, change: Change, otherwise: str) -> GenerationsOut:
    def work() -> list[Generation] | None:
        with managing(index.place, keep=index.keep) as writer:
            number = change(writer.generations())
            if number is None:
                return None
            writer.publish(number)
            return writer.generations()

    try:
        found = await anyio.to_thread.run_sync(work)
    except IndexBusy:
        raise Refused(HTTPStatus.CONFLICT, BUSY) from None
    except IndexMissing:
        found = None
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, otherwise)
    return _listed(found)


def _listed(found: Sequence[Generation]) -> GenerationsOut:
    return GenerationsOut(
        generations=[
            GenerationOut(
                number=one.number,
                created_at=one.created_at.isoformat(timespec="seconds"),
                published_at=iso(one.published_at),
                serving=one.serving,
                newest=one.newest,
                documents=one.documents,
            )
            for one in reversed(found)
        ]
    )
