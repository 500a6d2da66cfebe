"""`/streams/{id}`: to go on reading an answer after a cut, and to stop it."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse

from web import events
from web.problems import Refused, declared
from web.services import Given, Services
from web.streams import ENDED_BY_ASKER, Running
from web.who import Caller, Scope, needs

NO_STREAM = "This answer is not being written any more. Look into the conversation, or ask again."
_PLACE = re.compile(r"(?P<stream>[A-Za-z0-9_-]{1,64}):(?P<number>[0-9]{1,9})", re.ASCII)

router = APIRouter(tags=["ask"])


@router.get(
    "/streams/{stream_id}",
    response_class=EventSourceResponse,
    responses={**events.DESCRIBED, **declared(HTTPStatus.NOT_FOUND)},
)
async def follow(
    stream_id: str,
    services: Given,
    caller: Annotated[Caller, needs(Scope.ASK)],
    last_event_id: Annotated[str, Header()] = "",
) -> Any:
    """Read an answer from its beginning, or behind the event that `Last-Event-ID` names."""
    stream = _found(services, caller, stream_id)
    place = _PLACE.fullmatch(last_event_id)
    after = int(place["number"]) if place and place["stream"] == stream.id else 0
    return events.response(stream, services.heartbeat_s, after)


@router.delete(
    "/streams/{stream_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=declared(HTTPStatus.NOT_FOUND),
)
async def stop(
    stream_id: str, services: Given, caller: Annotated[Caller, needs(Scope.ASK)]
) -> Response:
    """Stop an answer, and the model that writes it."""
    await _found(services, caller, stream_id).stop(HTTPStatus.GONE, ENDED_BY_ASKER)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _found(services: Services, caller: Caller, stream_id: str) -> Running:
    stream = services.streams.find(stream_id, caller.user_id)
    if stream is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_STREAM)
    return stream
