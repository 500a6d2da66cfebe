"""Programs that show a code and wait: the person who has it says whether they are let in."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response

from web.problems import Refused, declared
from web.schema_access import DeviceAboutIn, DeviceAboutOut, DeviceDecisionIn
from web.services import Given
from web.signin.device import SCOPES, TOKEN_LASTS
from web.who import Caller, Scope, needs

NO_CODE = "This code does not hold: it was used, is older than ten minutes, or was never given."
BY_TOKEN = "A token cannot let programs in. Sign in on the page and do it there."  # noqa: S105 - a sentence

router = APIRouter(tags=["tokens"])

Own = Annotated[Caller, needs(Scope.TOKENS)]

_REFUSALS = declared(
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


@router.post("/devices/about", response_model=DeviceAboutOut, responses=_REFUSALS)
async def about(body: DeviceAboutIn, services: Given, caller: Own) -> Any:
    """What the program calls itself that shows a code, and what it would be let in for."""
    await services.count("search", caller)
    found = await services.state.devices.about(caller.user_id, body.user_code)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_CODE)
    return {
        "name": found.name,
        "expires_at": found.expires_at.isoformat(),
        "scopes": list(SCOPES),
        "token_days": TOKEN_LASTS.days,
    }


@router.post("/devices", status_code=HTTPStatus.NO_CONTENT, responses=_REFUSALS)
async def decide(body: DeviceDecisionIn, services: Given, caller: Own) -> Response:
    """Let the program in that shows a code, as the caller, or refuse it. A code is used once."""
    if caller.via == "token":
        raise Refused(HTTPStatus.FORBIDDEN, BY_TOKEN)
    await services.count("search", caller)
    if not await services.state.devices.decide(caller.user_id, body.user_code, allowed=body.allow):
        raise Refused(HTTPStatus.NOT_FOUND, NO_CODE)
    return Response(status_code=HTTPStatus.NO_CONTENT)
