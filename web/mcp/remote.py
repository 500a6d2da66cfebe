"""The tools of a server elsewhere, for clients that only start programs.

Each call is one request: a server that was away a moment ago is asked anew by the next call.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import httpx2
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.server.stdio import stdio_server

from web.mcp.server import (
    INSTRUCTIONS,
    NAME,
    TOOLS,
    VERSION,
    Context,
    failed,
    no_resources,
    templates,
)
from web.mcp.shapes import line

PROTOCOL = "2026-07-28"
"""The first version that needs no handshake: a request stands alone."""
CONNECT_S = 20.0
ANSWER_S = 600.0
"""A question may wait in line and for a slow model; progress is told meanwhile."""

Result = TypeVar("Result")


class NoAnswer(Exception):
    """The server gave none; the sentence says why, and what to do."""


async def forward(url: str, token: str) -> None:
    """Answer on standard input and output with what `url` answers, until the client closes them."""
    server = forwarding(url, token)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def forwarding(url: str, token: str, answer_s: float = ANSWER_S) -> Server[Any]:
    """A server whose answers are those of `url`, asked with an API token of Docent.

    A server that has not sent a word for `answer_s` seconds is given up for that call.
    """
    remote = _Remote(url, token, answer_s)
    return Server(
        NAME,
        version=VERSION,
        title="Docent",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=remote.call_tool,
        on_list_resources=no_resources,
        on_list_resource_templates=templates,
        on_read_resource=remote.read_resource,
    )


async def _list_tools(
    context: Context, given: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    # Ours, so that the tools are there also while the server is away: a call says so.
    return types.ListToolsResult(tools=[tool.described() for tool in TOOLS])


class _Remote:
    def __init__(self, url: str, token: str, answer_s: float) -> None:
        self._url = url
        self._token = token
        self._answer_s = answer_s

    async def call_tool(
        self, context: Context, given: types.CallToolRequestParams
    ) -> types.CallToolResult:
        async def told(progress: float, total: float | None, message: str | None) -> None:
            await context.session.report_progress(progress, total, message)

        async def call(client: Client) -> types.CallToolResult:
            return await client.call_tool(given.name, given.arguments or {}, progress_callback=told)

        try:
            return await self._asked(call)
        except NoAnswer as error:
            return failed(str(error))

    async def read_resource(
        self, context: Context, given: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        try:
            return await self._asked(lambda client: client.read_resource(given.uri))
        except NoAnswer as error:
            raise MCPError(types.INTERNAL_ERROR, str(error)) from None

    async def _asked(self, ask: Callable[[Client], Awaitable[Result]]) -> Result:
        """What the server answers.

        Raises:
            NoAnswer: it gave none.
            MCPError: it says that it cannot, such as for a document that is not there.
        """
        refusals: list[str] = []
        try:
            async with self._client(refusals) as client:
                try:
                    return await ask(client)
                except MCPError as error:
                    said = error
        except Exception as error:
            raise NoAnswer(self._why(refusals)) from error
        if refusals or said.code == types.CONNECTION_CLOSED:
            raise NoAnswer(self._why(refusals)) from said
        raise said

    @asynccontextmanager
    async def _client(self, refusals: list[str]) -> AsyncIterator[Client]:
        async def note(response: httpx2.Response) -> None:
            if response.status_code >= HTTPStatus.BAD_REQUEST:
                await response.aread()
                refusals.extend(_refusals(response))

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        timeout = httpx2.Timeout(CONNECT_S, read=self._answer_s)
        async with httpx2.AsyncClient(
            headers=headers, timeout=timeout, event_hooks={"response": [note]}
        ) as http:
            transport = streamable_http_client(self._url, http_client=http)
            async with Client(transport, mode=PROTOCOL, cache=None) as client:
                yield client

    def _why(self, refusals: list[str]) -> str:
        if refusals:
            return f"{refusals[-1]} Nothing is lost: call again when that is mended."
        return (
            f"Docent at {self._url} does not answer. Nothing is lost: call again in a minute. If "
            "it stays away, ask those who run it."
        )


def _refusals(response: httpx2.Response) -> list[str]:
    """Why a request was refused, in the server's own sentence; nothing where the tools say it."""
    try:
        told = response.json()
    except ValueError:
        told = None
    if not isinstance(told, dict):
        told = {}
    if "jsonrpc" in told:
        return []
    detail = line(str(told.get("detail") or f"The server answered {response.status_code}."))
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        detail += " Make one on Docent's page (API tokens) and put it into DOCENT_TOKEN."
    return [detail]
