"""Whether this server can do its work: for people, for machines, and as numbers."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from ingest.access import ANYBODY
from ingest.errors import DocentError
from web import metrics
from web.problems import declared
from web.schema import AliveOut, HealthOut
from web.services import Given
from web.who import Caller, Scope, needs

router = APIRouter(tags=["health"])
machines = APIRouter(tags=["health"])
"""Without the prefix of the API: where machines look for them."""


@router.get("/health", response_model=HealthOut, responses=declared(HTTPStatus.SERVICE_UNAVAILABLE))
async def health(services: Given, caller: Annotated[Caller, needs(Scope.SEARCH)]) -> Any:
    """Say whether questions can be answered, by which model, from how many documents."""
    counts = await services.assistant.counts(caller.reader)
    return HealthOut(
        model=services.assistant.model,
        model_state=services.model_state if services.assistant.model else "none",
        generation=counts.generation,
        built_at=counts.built_at.isoformat(),
        documents=counts.documents,
        chunks=counts.chunks,
    )


@machines.get("/livez", response_model=AliveOut, responses=declared())
async def alive() -> Any:
    """The process answers."""
    return AliveOut(status="ok")


@machines.get(
    "/readyz",
    response_model=AliveOut,
    responses={
        **declared(),
        HTTPStatus.SERVICE_UNAVAILABLE.value: {
            "description": "Send people elsewhere.",
            "model": AliveOut,
        },
    },
)
async def ready(services: Given) -> Any:
    """The index and the database can be read, and the server is not stopping."""
    try:
        await services.assistant.counts(ANYBODY)
        await services.state.users.get("")
        there = not services.streams.closing
    except DocentError:
        there = False
    # Whoever asks has not signed in: nothing is told of what is wrong.
    if there:
        return AliveOut(status="ok")
    return JSONResponse({"status": "no"}, HTTPStatus.SERVICE_UNAVAILABLE)


@machines.get(
    "/metrics",
    response_class=Response,
    responses={
        **declared(),
        HTTPStatus.OK.value: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def numbers(services: Given, caller: Annotated[Caller, needs(Scope.METRICS)]) -> Response:
    """The numbers of this server, as Prometheus reads them."""
    return Response(services.metrics.text(), media_type=metrics.MEDIA_TYPE)
