"""`/mcp`: the tools over streamable HTTP, as an OAuth resource server where people sign in.

A request is answered by itself: no session is kept, so that any replica may take the next one. Who
sends it is told by the token that it carries and by nothing else, least of all by a cookie. Names
of hosts and pages of other sites are the business of `web.guard`, as for every request.
"""

import logging
from http import HTTPStatus
from typing import cast

from fastapi import APIRouter
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from ingest.settings import Settings
from web.guard import MAX_BODY
from web.mcp.bearers import Bearers
from web.mcp.server import SCOPES, Context, server_for
from web.mcp.tools import Desk
from web.problems import Refused
from web.signin.oidc import Provider
from web.state import State
from web.who import Caller, Door, Scope

PATH = "/mcp"
METADATA = "/.well-known/oauth-protected-resource"


def bearers_for(state: State, settings: Settings, provider: Provider) -> Bearers:
    """How tokens are known at this address, which has a name only where people's address is set."""
    base = settings.server.public_url
    return Bearers(
        state,
        settings.signin,
        provider,
        metadata_url=base and base + METADATA + PATH,
        resource=base and base + PATH,
        audience=settings.mcp.audience,
    )


def mcp_for(bearers: Bearers | None) -> APIRouter:
    """The routes. `bearers`: where people sign in, how their tokens are known."""
    # It tells of each request that it begins and ends; the log has a line of ours for that.
    logging.getLogger("mcp").setLevel(logging.WARNING)
    router = APIRouter()
    router.routes.append(Route(PATH, _Endpoint(bearers), include_in_schema=False))
    if bearers and bearers.resource:
        # RFC 9728, section 3.1: the path of the resource stands behind the well-known one.
        told = JSONResponse(bearers.metadata(), headers={"Cache-Control": "max-age=3600"})

        async def metadata() -> JSONResponse:
            return told

        router.add_api_route(METADATA + PATH, metadata, methods=["GET"], include_in_schema=False)
    return router


class _Endpoint:
    """The ASGI application behind the address."""

    def __init__(self, bearers: Bearers | None) -> None:
        self._bearers = bearers
        self._server = server_for(_desk, _scopes)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.method != "POST":
            # There are no sessions to end, and no news but in the answer to a request.
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Send a POST.", headers={"Allow": "POST"})
        request.state.caller = await self._caller(request)
        # One for each request: nothing is kept, and what is still running ends with the request.
        manager = StreamableHTTPSessionManager(
            self._server, stateless=True, max_request_body_size=MAX_BODY
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _caller(self, request: Request) -> Caller:
        door: Door = request.app.state.door
        if self._bearers is None:
            caller = await door.caller(request)
        else:
            caller = await self._bearers.caller(request, door)
        if caller is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "Sign in first.")
        if caller.scopes.isdisjoint(SCOPES):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"This token is of no use here: it needs one of {', '.join(sorted(SCOPES))}.",
                headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
            )
        return caller


async def _desk(context: Context) -> Desk:
    request = cast("Request", context.request)
    return Desk(request.app.state.services, request.state.caller)


def _scopes(context: Context) -> frozenset[Scope]:
    caller: Caller = cast("Request", context.request).state.caller
    return caller.scopes
