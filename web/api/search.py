"""Search without a model, and what a search can be narrowed to."""

import time
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter

from assistant.render import facets_to_dict, passages_to_list
from web.problems import declared
from web.schema import FacetsOut, FoundOut, SearchIn
from web.services import Given
from web.who import Caller, Scope, needs

router = APIRouter(tags=["search"])


@router.post(
    "/search",
    response_model=FoundOut,
    responses=declared(
        HTTPStatus.FORBIDDEN,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
async def search(
    body: SearchIn, services: Given, caller: Annotated[Caller, needs(Scope.SEARCH)]
) -> Any:
    """Find the passages closest to a query, and how many documents there are to narrow it to."""
    await services.count("search", caller)
    began = time.perf_counter()
    only = body.filter.made() if body.filter else None
    reader, last = caller.reader, body.offset + body.k
    with services.tracing.span("search"):
        found = await services.assistant.search(body.query, reader, last, only=only)
        facets = await services.assistant.facets(reader, only)
        counts = await services.assistant.counts(reader, only)
    shown = found[body.offset :]
    services.searched(time.perf_counter() - began)
    services.shown(caller, "search", (passage.document_id for passage in shown))
    return {
        "hits": passages_to_list(shown),
        "facets": facets_to_dict(facets),
        "total": counts.documents,
    }


@router.get(
    "/facets",
    response_model=FacetsOut,
    responses=declared(HTTPStatus.SERVICE_UNAVAILABLE),
)
async def facets(services: Given, caller: Annotated[Caller, needs(Scope.SEARCH)]) -> Any:
    """How many documents of each source, format and year the reader may see."""
    return facets_to_dict(await services.assistant.facets(caller.reader))
