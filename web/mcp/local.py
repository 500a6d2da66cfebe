"""The tools in this process, for the one who has started it.

The client is answered at once, while index and models are still being opened: clients give up a
server that is silent for long. What cannot be opened is told by the next call, and tried again.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from mcp.server.stdio import stdio_server

from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import Settings
from web.mcp.server import server_for
from web.mcp.tools import Desk
from web.services import Assistant, Services
from web.who import local_caller


def _assistant(settings: Settings) -> Assistant:
    from assistant.bootstrap import assistant_from  # models and indexes are slow to import

    return assistant_from(settings)


class Local:
    """The services of this process, opened when they are first needed. Use it as a context."""

    def __init__(
        self,
        settings: Settings,
        reader: Reader,
        make: Callable[[Settings], Assistant] = _assistant,
    ) -> None:
        self._settings = settings
        self._caller = local_caller(reader)
        self._make = make
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._services: Services | None = None

    async def __aenter__(self) -> "Local":
        return self

    async def __aexit__(self, *told: object) -> None:
        await self._open.aclose()

    async def desk(self, context: Any = None) -> Desk:
        """Where the tools work.

        Raises:
            DocentError: the index or the database cannot be opened; the next call tries again.
        """
        async with self._opening:
            if self._services is None:
                self._services = await self._opened()
        return Desk(self._services, self._caller)

    async def _opened(self) -> Services:
        from web.bootstrap import opened

        assistant = await asyncio.to_thread(self._make, self._settings)
        # An index that cannot be read is told now, and not as an answer that nothing was found.
        await assistant.counts(self._caller.reader)
        services = opened(self._settings, assistant, self._caller.reader)
        return await self._open.enter_async_context(services)


async def serve(local: Local) -> None:
    """Answer on standard input and output until the client closes them."""
    server = server_for(local.desk)
    async with local:
        ahead = asyncio.create_task(_ahead(local))
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
        ahead.cancel()
        await asyncio.wait([ahead])


async def _ahead(local: Local) -> None:
    # Whoever asks first should not be the one who waits; and trouble is told to him.
    with suppress(DocentError):
        await local.desk()
