"""What somebody says about an answer he was given."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response

from web.problems import Refused, declared
from web.schema import FeedbackIn, FeedbackOut
from web.services import Given
from web.who import Caller, Scope, needs

NO_ANSWER = "There is no such answer in your conversations."

router = APIRouter(tags=["feedback"])

_FOUND = declared(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)


@router.post("/messages/{message_id}/feedback", response_model=FeedbackOut, responses=_FOUND)
async def judge(
    message_id: str,
    body: FeedbackIn,
    services: Given,
    caller: Annotated[Caller, needs(Scope.FEEDBACK)],
) -> Any:
    """Say what is right or wrong about an answer; a second time replaces the first."""
    await services.count("search", caller)
    given = await services.state.feedback.give(caller.user_id, message_id, **body.model_dump())
    if given is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_ANSWER)
    services.judged(body.helpful)
    return given


@router.delete(
    "/messages/{message_id}/feedback", status_code=HTTPStatus.NO_CONTENT, responses=_FOUND
)
async def withdraw(
    message_id: str, services: Given, caller: Annotated[Caller, needs(Scope.FEEDBACK)]
) -> Response:
    """Take back what was said, unless it is in the test set already."""
    if not await services.state.feedback.withdraw(caller.user_id, message_id):
        raise Refused(HTTPStatus.NOT_FOUND, NO_ANSWER)
    return Response(status_code=HTTPStatus.NO_CONTENT)
