"""How much Docent is used and how fast it is, by the hour."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from web.admin.maintainer import Maintainer
from web.problems import declared
from web.schema import Moment
from web.services import Given

router = APIRouter()

Days = Annotated[int, Query(ge=1, le=366, description="So many days back.")]


class HourOut(BaseModel):
    """What was counted under a name in an hour."""

    hour: Moment
    name: str = Field(description="Such as `ask.answered` or `ask.first_token_ms`.")
    count: int
    p50_ms: int | None = Field(description="Upper bound; null for a plain count.")
    p95_ms: int | None


class UsageOut(BaseModel):
    """Counts of everybody together, oldest first; hours without any are left out."""

    since: Moment
    hours: list[HourOut]


@router.get("/usage", response_model=UsageOut, responses=declared(HTTPStatus.SERVICE_UNAVAILABLE))
async def usage(services: Given, caller: Maintainer, days: Days = 7) -> Any:
    """Questions, searches, their outcomes and their times over the last days."""
    since = services.state.database.clock() - timedelta(days=days)
    await services.state.usage.flush()
    return UsageOut(
        since=since.isoformat(timespec="seconds"),
        hours=[
            HourOut(
                hour=one.hour.isoformat(timespec="seconds"),
                name=one.name,
                count=one.count,
                p50_ms=one.p50_ms,
                p95_ms=one.p95_ms,
            )
            for one in await services.state.usage.since(since)
        ],
    )
