"""What a link to a conversation shows: to each of its readers what he may read himself."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter

from web.problems import NO_CONVERSATION, Refused, declared
from web.schema import SharedOut
from web.services import Given
from web.shown import Sight
from web.who import Caller, Scope, needs

router = APIRouter(tags=["conversations"])


@router.get(
    "/shares/{share_id}",
    response_model=SharedOut,
    responses=declared(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def shared(
    share_id: str, services: Given, caller: Annotated[Caller, needs(Scope.READ)]
) -> Any:
    """A shared conversation. Whose it is is not told, nor how much of it is not shown."""
    await services.count("search", caller)
    found = await services.state.shares.open(share_id)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_CONVERSATION)
    own = found.owner_id == caller.user_id
    sight = Sight(services.assistant, caller.reader, owner=own)
    parts = [await sight.message(message) for message in found.messages]
    services.shown(caller, "share", sight.seen)
    return {
        "id": share_id,
        "title": found.title,
        "created_at": found.created_at.isoformat(),
        "messages": [asdict(part) for part in parts],
        "withheld": any(part.withheld for part in parts),
    }
