"""All that is kept about somebody: to take along, and to erase."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from web.problems import Refused, declared
from web.services import Given
from web.shown import Sight
from web.state import Account, Feedback, Message, account_to_dict
from web.who import Caller, Scope, needs

router = APIRouter(tags=["account"])

Own = Annotated[Caller, needs(Scope.HISTORY)]


@router.get(
    "/account/export",
    response_class=JSONResponse,
    responses={
        **declared(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        HTTPStatus.OK.value: {"content": {"application/json": {"schema": {"type": "object"}}}},
    },
)
async def export(services: Given, caller: Own) -> Any:
    """Everything that is kept about the caller, without what he may no longer read."""
    await services.count("ask", caller)
    account = await services.state.accounts.export(caller.user_id)
    if account is None:
        raise Refused(HTTPStatus.NOT_FOUND, "Nothing is kept about you.")
    sight = Sight(services.assistant, caller.reader)
    left = await checked(account, sight)
    services.shown(caller, "account", sight.seen)
    headers = {"Content-Disposition": 'attachment; filename="docent-account.json"'}
    return JSONResponse(account_to_dict(left), headers=headers)


@router.delete(
    "/account",
    status_code=HTTPStatus.NO_CONTENT,
    responses=declared(HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def erase(services: Given, caller: Own) -> Response:
    """Erase the account and all that belongs to it; the audit log keeps no name."""
    if caller.via == "token":
        detail = "A token cannot erase an account. Sign in with the browser to do it."
        raise Refused(HTTPStatus.FORBIDDEN, detail)
    # What is still being answered or written down would bear his name after it.
    await services.streams.stop_all(caller.user_id)
    await services.settled()
    await services.state.accounts.erase(caller.user_id)
    if caller.via == "local":
        # Where nobody signs in, there is nobody else to make the account anew.
        await services.state.users.local(groups=caller.reader.groups)
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def checked(account: Account, sight: Sight) -> Account:
    """The account, without texts and names of documents that its owner may not see now."""
    return replace(
        account,
        messages={
            key: tuple([await _message(one, sight) for one in messages])
            for key, messages in account.messages.items()
        },
        feedback=tuple([await _feedback(one, sight) for one in account.feedback]),
        unanswered=tuple(
            [replace(one, nearest=await sight.readable(one.nearest)) for one in account.unanswered]
        ),
        audit=tuple(
            [replace(one, documents=await sight.readable(one.documents)) for one in account.audit]
        ),
    )


async def _message(message: Message, sight: Sight) -> Message:
    part = await sight.message(message)
    documents = await sight.readable(message.documents)
    return replace(message, text=part.text, answer=part.answer, documents=documents)


async def _feedback(feedback: Feedback, sight: Sight) -> Feedback:
    answer = feedback.answer
    if answer is not None:
        answer, _ = await sight.answer(answer)
    return replace(feedback, answer=answer, documents=await sight.readable(feedback.documents))
