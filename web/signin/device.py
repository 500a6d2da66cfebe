"""`/auth/device`: programs without a browser of their own get an API token (as RFC 8628 has it).

A program asks for two codes, shows one, and comes back with the other until the person has typed
the first on the page, signed in, and said yes (`web.api.devices`). What it gets is a token of his
that may ask, search, read and judge, and nothing else; he sees and revokes it with his others.
Unlike RFC 8628 it sends JSON, as everything here does.
"""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from web.problems import Refused, declared
from web.schema import Line
from web.state import State
from web.state.devices import INTERVAL, LASTS, Stage
from web.who import Scope

PAGE = "/device"
SCOPES = (Scope.ASK, Scope.FEEDBACK, Scope.READ, Scope.SEARCH)
TOKEN_LASTS = timedelta(days=90)
TOO_MANY = "Too many programs wait to be let in. Try again in ten minutes, or use an API token."

_WAITING: dict[Stage, tuple[str, str]] = {
    Stage.PENDING: ("authorization_pending", "The code is not confirmed yet."),
    Stage.EARLY: ("slow_down", "Ask less often."),
    Stage.DENIED: ("access_denied", "You refused this program on Docent's page."),
    Stage.EXPIRED: ("expired_token", "The code has expired or was used. Sign in again."),
}


class DeviceIn(BaseModel):
    """A program that wants to be let in, by the name that it gives itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Line


class PollIn(BaseModel):
    """The code that a program was given for itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    device_code: str


def device_routes(state: State, base: Callable[[Request], str]) -> APIRouter:
    """The routes of programs that wait. `base` is the address that people use."""
    router = APIRouter(include_in_schema=False)

    @router.post("/auth/device", responses=declared(HTTPStatus.SERVICE_UNAVAILABLE))
    async def begin(body: DeviceIn, request: Request) -> dict[str, Any]:
        codes = await state.devices.begin(body.name)
        if codes is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY)
        page = base(request) + PAGE
        return {
            "device_code": codes.device_code,
            "user_code": codes.user_code,
            "verification_uri": page,
            "expires_in": int(LASTS.total_seconds()),
            "interval": int(INTERVAL.total_seconds()),
        }

    @router.post("/auth/device/token", responses=declared(HTTPStatus.BAD_REQUEST))
    async def token(body: PollIn) -> Response:
        polled = await state.devices.poll(body.device_code)
        if polled.stage is not Stage.GRANTED:
            error, told = _WAITING[polled.stage]
            refused = {"error": error, "error_description": told}
            return JSONResponse(refused, HTTPStatus.BAD_REQUEST)
        expires = state.database.clock() + TOKEN_LASTS
        _, text = await state.tokens.make(polled.user_id, polled.name, SCOPES, expires)
        return JSONResponse(
            {
                "access_token": text,
                "token_type": "Bearer",
                "expires_in": int(TOKEN_LASTS.total_seconds()),
                "scope": " ".join(SCOPES),
            }
        )

    return router
