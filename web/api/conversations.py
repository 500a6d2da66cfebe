"""Somebody's own conversations: found, read, renamed, exported, shared and deleted."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from web.export import markdown
from web.problems import NO_CONVERSATION, Refused, declared
from web.schema import (
    ConversationLineOut,
    ConversationOut,
    ConversationsOut,
    NothingIn,
    RenameIn,
    ShareOut,
)
from web.services import Given, Services
from web.shown import Sight
from web.state import Conversation
from web.who import Caller, Scope, needs

router = APIRouter(tags=["conversations"])

Own = Annotated[Caller, needs(Scope.HISTORY)]
_FOUND = declared(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/conversations", response_model=ConversationsOut, responses=declared())
async def conversations(
    services: Given,
    caller: Own,
    query: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[str, Query(max_length=80)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 30,
) -> Any:
    """The latest first; with `query`, those in which its words stand. `next` goes on behind."""
    found = await services.state.conversations.page(
        caller.user_id, query=query, before=before, limit=limit + 1
    )
    shown = found[:limit]
    return {
        "conversations": [_line(one) for one in shown],
        "next": shown[-1].cursor if len(found) > limit else None,
    }


@router.get("/conversations/{conversation_id}", response_model=ConversationOut, responses=_FOUND)
async def conversation(conversation_id: str, services: Given, caller: Own) -> Any:
    """A conversation, without what its owner may no longer see of it."""
    found, parts, sight = await _read(services, caller, conversation_id)
    services.shown(caller, "conversation", sight.seen)
    judged = {one.message_id: one for one in await services.state.feedback.all(caller.user_id)}
    return {
        **_line(found),
        "messages": [{**asdict(part), "feedback": judged.get(part.id)} for part in parts],
        "withheld": any(part.withheld for part in parts),
    }


@router.patch(
    "/conversations/{conversation_id}", response_model=ConversationLineOut, responses=_FOUND
)
async def rename(conversation_id: str, body: RenameIn, services: Given, caller: Own) -> Any:
    """Give a conversation another title."""
    renamed = await services.state.conversations.rename(caller.user_id, conversation_id, body.title)
    return _line(_there(renamed))


@router.delete(
    "/conversations/{conversation_id}", status_code=HTTPStatus.NO_CONTENT, responses=_FOUND
)
async def delete(conversation_id: str, services: Given, caller: Own) -> Response:
    """Delete a conversation, with its messages and the link to it."""
    if not await services.state.conversations.delete(caller.user_id, conversation_id):
        raise Refused(HTTPStatus.NOT_FOUND, NO_CONVERSATION)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get(
    "/conversations/{conversation_id}/export",
    response_class=Response,
    responses={
        **_FOUND,
        HTTPStatus.OK.value: {"content": {"text/markdown": {"schema": {"type": "string"}}}},
    },
)
async def export(conversation_id: str, services: Given, caller: Own) -> Response:
    """A conversation as Markdown, without what its owner may no longer see of it."""
    found, parts, sight = await _read(services, caller, conversation_id)
    services.shown(caller, "export", sight.seen)
    return Response(
        markdown(found.title, parts),
        media_type="text/markdown; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="conversation.md"'},
    )


@router.post("/conversations/{conversation_id}/share", response_model=ShareOut, responses=_FOUND)
async def share(
    conversation_id: str, services: Given, caller: Own, body: NothingIn | None = None
) -> Any:
    """Make a link to a conversation as it is now. Its readers see of it what they may read."""
    made = _there(await services.state.shares.make(caller.user_id, conversation_id))
    return {"share_id": made.id, "created_at": made.created_at.isoformat()}


@router.delete(
    "/conversations/{conversation_id}/share", status_code=HTTPStatus.NO_CONTENT, responses=_FOUND
)
async def unshare(conversation_id: str, services: Given, caller: Own) -> Response:
    """Let the link to a conversation lead nowhere."""
    if not await services.state.shares.withdraw(caller.user_id, conversation_id):
        raise Refused(HTTPStatus.NOT_FOUND, NO_CONVERSATION)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _read(
    services: Services, caller: Caller, conversation_id: str
) -> tuple[Conversation, list[Any], Sight]:
    state = services.state.conversations
    found = _there(await state.get(caller.user_id, conversation_id))
    sight = Sight(services.assistant, caller.reader)
    messages = await state.messages(caller.user_id, conversation_id)
    return found, [await sight.message(message) for message in messages], sight


def _there(found: Any) -> Any:
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_CONVERSATION)
    return found


def _line(one: Conversation) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "created_at": one.created_at.isoformat(),
        "updated_at": one.updated_at.isoformat(),
        "share_id": one.share_id,
    }
