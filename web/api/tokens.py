"""Somebody's API tokens. A token is told once, when it is made."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response

from web.problems import Refused, declared
from web.schema_access import TokenIn, TokenMadeOut, TokensOut
from web.services import Given
from web.state import Token, TooManyTokens
from web.who import LEAST_ROLE, Caller, Role, Scope, needs

NO_TOKEN = "You have no such token."  # noqa: S105 - a sentence

router = APIRouter(tags=["tokens"])

Own = Annotated[Caller, needs(Scope.TOKENS)]


@router.get("/tokens", response_model=TokensOut, responses=declared())
async def tokens(services: Given, caller: Own) -> Any:
    """The latest first; also those that hold no more. Never their secrets."""
    return {"tokens": [_shown(one) for one in await services.state.tokens.all(caller.user_id)]}


@router.post(
    "/tokens",
    response_model=TokenMadeOut,
    status_code=HTTPStatus.CREATED,
    responses=declared(HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def make(body: TokenIn, services: Given, caller: Own) -> Any:
    """Make a token that may do what its maker may, or less. A token makes none."""
    if caller.via == "token":
        detail = "A token cannot make tokens. Sign in on the page and make it there."
        raise Refused(HTTPStatus.FORBIDDEN, detail)
    beyond = [
        scope
        for scope in body.scopes
        if scope not in caller.scopes or caller.role < LEAST_ROLE.get(scope, Role.READER)
    ]
    if beyond:
        detail = f"You cannot give a token what you may not do yourself: {', '.join(beyond)}."
        raise Refused(HTTPStatus.FORBIDDEN, detail)
    try:
        token, text = await services.state.tokens.make(
            caller.user_id, body.name, body.scopes, body.expires_at
        )
    except TooManyTokens as error:
        raise Refused(HTTPStatus.CONFLICT, str(error)) from None
    except ValueError as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"expires_at: {error}") from None
    return {**_shown(token), "token": text}


@router.delete(
    "/tokens/{token_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=declared(HTTPStatus.NOT_FOUND),
)
async def revoke(token_id: str, services: Given, caller: Own) -> Response:
    """End a token at once."""
    if not await services.state.tokens.revoke(caller.user_id, token_id):
        raise Refused(HTTPStatus.NOT_FOUND, NO_TOKEN)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _shown(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "revoked_at": token.revoked_at and token.revoked_at.isoformat(),
        "last_used_at": token.used_at and token.used_at.isoformat(),
    }
