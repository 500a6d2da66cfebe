"""`/streams/{id}`: to go on reading an answer after a cut, and to stop it."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse

from web import events, relay
from web.problems import Refused, declared
from web.services import Given
from web.streams import ENDED_BY_ASKER
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
    """Read an answer from its beginning, or behind the event that `Last-Event-ID` names.

    Where another server of the same database writes it, or did, only its end is told.
    """
    stream = services.streams.find(stream_id, caller.user_id)
    place = _PLACE.fullmatch(last_event_id)
    if isinstance(stream, relay.TakenOver):
        after = int(place["number"]) if place and place["stream"] == stream.label else 0
        return events.sent(relay.without_draft(stream, after), services.heartbeat_s)
    if stream is not None:
        after = int(place["number"]) if place and place["stream"] == stream.id else 0
        return events.response(stream, services.heartbeat_s, after)
    if not await relay.known(services, caller, stream_id):
        raise Refused(HTTPStatus.NOT_FOUND, NO_STREAM)
    return events.sent(relay.elsewhere(services, caller, stream_id), services.heartbeat_s)


@router.delete(
    "/streams/{stream_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=declared(HTTPStatus.NOT_FOUND),
)
async def stop(
    stream_id: str, services: Given, caller: Annotated[Caller, needs(Scope.ASK)]
) -> Response:
    """Stop an answer, and the model that writes it."""
    stream = services.streams.find(stream_id, caller.user_id)
    if stream is not None:
        await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)
    elif not await relay.stop(services, caller, stream_id):
        raise Refused(HTTPStatus.NOT_FOUND, NO_STREAM)
    return Response(status_code=HTTPStatus.NO_CONTENT)
