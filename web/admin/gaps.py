"""What the documents lack: questions without an answer, by what they ask for.

Each group comes with the pages that came nearest and whom to ask about them, as far as the
maintainer who looks may read these pages.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Protocol

import anyio.to_thread
import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ingest.errors import ModelError
from web.admin.clusters import clusters
from web.admin.maintainer import Maintainer, Shelf, keepers_of
from web.admin.usage import Days
from web.problems import declared
from web.schema import ContactOut, Moment
from web.services import Given, Services
from web.state import Gap, GapState

MOST_QUESTIONS = 500
"""The latest so many are put together; a merge of all pairs of more would take seconds."""
MOST_GROUPS = 50
PAGES = 3
TRIED = 10
"""So many of the nearest pages are looked up to find those that the maintainer may read."""
KEPT_VECTORS = 2000
BATCH = 16

log = logging.getLogger(__name__)


class GapOut(BaseModel):
    """A question that found no answer; nothing tells who asked."""

    id: str
    question: str
    at: Moment
    score: float | None = Field(description="How sure it was, 0 to 1.")


class NearOut(BaseModel):
    """A page that came near."""

    document_id: str
    title: str
    url: str
    source: str
    count: int = Field(description="For how many of the questions.")


class GroupOut(BaseModel):
    """Questions that ask for the same."""

    question: str = Field(description="The most typical of them.")
    count: int
    questions: list[GapOut]
    pages: list[NearOut]
    contacts: list[ContactOut]


class GapsOut(BaseModel):
    """What the documents lack, the most asked first."""

    since: Moment
    questions: int
    groups: list[GroupOut]
    by_meaning: bool = Field(description="False: the embedder is away, only equal ones are joined.")


class SettleIn(BaseModel):
    """What becomes of some questions."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=64)]] = Field(
        min_length=1, max_length=MOST_QUESTIONS
    )
    state: Annotated[GapState, Field(strict=False)]


class SettledOut(BaseModel):
    """How many there were."""

    settled: int


class Embedding(Protocol):
    """What gives a vector for each text."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class Vectors:
    """Vectors of questions that were looked at before, so that each is embedded once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    async def of(self, texts: Sequence[str], assistant: Embedding) -> NDArray[np.float32]:
        """Unit vectors, a row each.

        Raises:
            ModelError: the embedder is away.
        """
        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        for start in range(0, len(new), BATCH):  # small, so that searches come in between
            some = new[start : start + BATCH]
            self._kept.update(zip(some, await assistant.embed(some), strict=True))
        found = np.stack([self._kept[text] for text in texts])
        while len(self._kept) > KEPT_VECTORS:
            self._kept.popitem(last=False)
        return found


def router_for() -> APIRouter:
    """The routes, with what they remember."""
    router = APIRouter()
    vectors = Vectors()

    @router.get("/gaps", response_model=GapsOut, responses=declared(HTTPStatus.SERVICE_UNAVAILABLE))
    async def gaps(services: Given, caller: Maintainer, days: Days = 30) -> Any:
        """Questions of the last days that the documents did not answer, put together."""
        await services.count("search", caller)
        since = services.state.database.clock() - timedelta(days=days)
        asked = await services.state.gaps.since(since, limit=MOST_QUESTIONS)
        rows, by_meaning = await _grouped(asked, vectors, services.assistant)
        shelf = Shelf(services.assistant, caller.reader)
        groups = [
            await _group([asked[row] for row in some], shelf, services)
            for some in rows[:MOST_GROUPS]
        ]
        services.shown(caller, "admin", shelf.seen)
        return GapsOut(
            since=since.isoformat(timespec="seconds"),
            questions=len(asked),
            groups=groups,
            by_meaning=by_meaning,
        )

    @router.patch(
        "/gaps", response_model=SettledOut, responses=declared(HTTPStatus.SERVICE_UNAVAILABLE)
    )
    async def settle(body: SettleIn, services: Given, caller: Maintainer) -> Any:
        """Say what became of questions: a page was written, or they are none of ours."""
        return SettledOut(settled=await services.state.gaps.settle(body.ids, body.state))

    return router


async def _grouped(
    asked: Sequence[Gap], vectors: Vectors, assistant: Embedding
) -> tuple[list[list[int]], bool]:
    """Rows of questions that ask for the same, and whether that is told by their meaning."""
    if not asked:
        return [], True
    try:
        found = await vectors.of([gap.question for gap in asked], assistant)
    except ModelError as error:
        log.warning("Questions are put together by their words alone: %s", error)
        same: dict[str, list[int]] = {}
        for row, gap in enumerate(asked):
            same.setdefault(" ".join(gap.question.casefold().split()), []).append(row)
        return sorted(same.values(), key=lambda rows: (-len(rows), rows)), False
    return await anyio.to_thread.run_sync(partial(clusters, found)), True


async def _group(gaps: Sequence[Gap], shelf: Shelf, services: Services) -> GroupOut:
    near = Counter(document_id for gap in gaps for document_id in gap.nearest)
    places = {name: place for gap in reversed(gaps) for place, name in enumerate(gap.nearest)}
    order = sorted(near, key=lambda name: (-near[name], places[name], name))
    pages = await shelf.first(order[:TRIED], PAGES)
    return GroupOut(
        question=gaps[0].question,
        count=len(gaps),
        questions=[
            GapOut(
                id=gap.id,
                question=gap.question,
                at=gap.at.isoformat(timespec="seconds"),
                score=gap.score,
            )
            for gap in gaps
        ],
        pages=[
            NearOut(
                document_id=page.id,
                title=page.title,
                url=page.url,
                source=page.source,
                count=near[page.id],
            )
            for page in pages
        ],
        contacts=[
            ContactOut(name=one.name, why=one.why, url=one.url)
            for one in keepers_of(pages, services.settings)
        ],
    )
