"""Somebody's accounts of other services. Who links one reads there with the rights he has here."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Response

from web.problems import Refused, declared
from web.schema_access import LinkAboutOut, LinkIn, LinkOut, LinksOut
from web.services import Given
from web.state import Link
from web.who import Caller, Scope, needs

NO_CODE = "This code does not hold: it was used, or is older than ten minutes. Ask for a new one."
NO_LINK = "You have no account of this service linked."

router = APIRouter(tags=["links"])

Own = Annotated[Caller, needs(Scope.TOKENS)]


@router.get("/links", response_model=LinksOut, responses=declared())
async def links(services: Given, caller: Own) -> Any:
    """The latest first."""
    return {"links": [_shown(one) for one in await services.state.links.all(caller.user_id)]}


@router.post(
    "/links/about",
    response_model=LinkAboutOut,
    responses=declared(HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
)
async def about(body: LinkIn, services: Given, caller: Own) -> Any:
    """Whose account a code would link, so that nobody links a stranger's."""
    await services.count("search", caller)
    found = await services.state.links.about(body.code)
    if found is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_CODE)
    expires = found.expires_at.isoformat()
    return {"service": found.service, "name": found.name, "expires_at": expires}


@router.post(
    "/links",
    response_model=LinkOut,
    status_code=HTTPStatus.CREATED,
    responses=declared(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
)
async def make(body: LinkIn, services: Given, caller: Own) -> Any:
    """Link the account that the code was told to. A code is used once."""
    if caller.via == "token":
        detail = "A token cannot link accounts. Sign in on the page and do it there."
        raise Refused(HTTPStatus.FORBIDDEN, detail)
    await services.count("search", caller)
    made = await services.state.links.redeem(caller.user_id, body.code)
    if made is None:
        raise Refused(HTTPStatus.NOT_FOUND, NO_CODE)
    return _shown(made)


@router.delete(
    "/links/{service}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=declared(HTTPStatus.NOT_FOUND),
)
async def remove(service: str, services: Given, caller: Own) -> Response:
    """End the links with a service: from now on it takes the caller for a stranger."""
    if not await services.state.links.remove(caller.user_id, service):
        raise Refused(HTTPStatus.NOT_FOUND, NO_LINK)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _shown(link: Link) -> dict[str, Any]:
    return {"service": link.service, "name": link.name, "linked_at": link.linked_at.isoformat()}
