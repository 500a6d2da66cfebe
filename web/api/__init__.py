"""The HTTP API, version 1. A file of routes for each noun; no rule of answering lives here."""

from fastapi import APIRouter, Response

from web.api import (
    account,
    ask,
    conversations,
    devices,
    documents,
    feedback,
    health,
    links,
    me,
    search,
    shares,
    streams,
    tokens,
)
from web.problems import problem

PREFIX = "/api/v1"


def api() -> APIRouter:
    """Every route under `/api/v1`."""
    whole = APIRouter(prefix=PREFIX)
    for noun in (
        ask, streams, search, documents, conversations, shares, feedback, tokens, links, devices,
        account,
        me,
        health,
    ):  # fmt: skip
        whole.include_router(noun.router)
    return whole


nowhere = APIRouter(prefix="/api")


@nowhere.api_route("/{rest:path}", methods=["GET", "POST"], include_in_schema=False)
async def nothing(rest: str) -> Response:
    """What no route of the API answers; the page would answer it otherwise."""
    return problem(404, "There is nothing at this address.")
