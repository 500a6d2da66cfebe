"""`POST /ask`: a question, answered as a stream or as one JSON."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request

from web import answers, events, relay
from web.problems import NO_CONVERSATION, Refused, declared
from web.schema import AskedOut, AskIn
from web.services import Given, Services
from web.state import Begun
from web.who import Caller, Scope, needs

router = APIRouter(tags=["ask"])

_RESPONSES = {
    **events.DESCRIBED,
    **declared(
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
}


@router.post("/ask", response_model=AskedOut, responses=_RESPONSES)
async def ask(
    body: AskIn,
    request: Request,
    services: Given,
    caller: Annotated[Caller, needs(Scope.ASK)],
    accept: Annotated[str, Header()] = "",
) -> Any:
    """Answer a question from the documents, with citations that were checked."""
    await services.count("ask", caller)
    services.admit()
    begun = await _begun(services, caller, body) if body.keep else None
    question = relay.question_of(body, caller.reader)
    stream = answers.begin(services, answers.Asked(caller, question, begun))
    if events.MEDIA_TYPE in accept.lower():
        return events.response(stream, services.heartbeat_s)
    return await events.whole(stream, request)


async def _begun(services: Services, caller: Caller, body: AskIn) -> Begun:
    begun = await services.state.conversations.begin(
        caller.user_id,
        body.question,
        conversation_id=body.conversation_id,
        replaces=body.replaces,
        asked=relay.beside(body),
    )
    if begun is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_CONVERSATION)
    return begun
