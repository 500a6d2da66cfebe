"""Several servers of one model as one LLM: the least busy that is well, another if that fails.

A server that has failed rests, longer each time, and is asked whether it is well before it gets a
question again. It is never the last word that all of them rest: then they are tried all the same.
What was begun is not moved: a reply that breaks off in its middle is an error, as of one server.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from assistant.llm import Message, Usage
from assistant.served import trusted
from ingest.errors import ModelError

FIRST_REST_S = 2.0
LONGEST_REST_S = 60.0
"""A server that comes back is found within a minute, and a dead one costs a probe a minute."""


class Streaming(Protocol):
    """An LLM whose stream can be closed."""

    @property
    def name(self) -> str:
        """Which model."""
        ...

    def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncGenerator[str]:
        """The reply piece by piece."""
        ...


Well = Callable[[], Awaitable[bool]]
"""Asks a server whether it is well; never raises, and does not take long."""


@dataclass(slots=True)
class _Server:
    llm: Streaming
    well: Well
    order: int
    busy: int = 0
    rest_s: float = 0.0
    rests_until: float = 0.0

    def failed(self, now: float) -> None:
        self.rest_s = min(LONGEST_REST_S, 2 * self.rest_s or FIRST_REST_S)
        self.rests_until = now + self.rest_s

    def served(self) -> None:
        self.rest_s = self.rests_until = 0.0


class Fleet:
    """Servers of the same model. Used from one event loop."""

    def __init__(
        self, servers: Sequence[tuple[Streaming, Well]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`servers`: each with how it is asked whether it is well; at least one."""
        self._servers = [_Server(llm, well, order) for order, (llm, well) in enumerate(servers)]
        self._clock = clock

    @property
    def name(self) -> str:
        """Which model, as shown with an answer."""
        return self._servers[0].llm.name

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncGenerator[str]:
        """The reply of the first server that begins one.

        Raises:
            ModelError: none began one, with what each said; or the one that began broke off.
        """
        troubles: list[str] = []
        async for server in self._willing():
            server.busy += 1
            began = False
            try:
                async with aclosing(server.llm.stream(messages, usage)) as pieces:
                    async for piece in pieces:
                        began = True
                        yield piece
            except ModelError as error:
                server.failed(self._clock())
                if began:
                    raise
                troubles.append(str(error))
            else:
                server.served()
                return
            finally:
                server.busy -= 1
        raise ModelError(" ".join(troubles))

    async def _willing(self) -> AsyncIterator[_Server]:
        """Each server once: the well by how busy they are, then the others, due first."""
        left = list(self._servers)
        passed: list[_Server] = []
        while left:
            now = self._clock()
            awake = [one for one in left if one.rests_until <= now]
            if not awake:
                break
            server = min(awake, key=lambda one: (one.busy, one.order))
            left.remove(server)
            if server.rest_s and not await server.well():
                server.failed(self._clock())
                passed.append(server)
                continue
            yield server
        for server in sorted([*left, *passed], key=lambda one: (one.rests_until, one.order)):
            yield server


def well_by(url: str, within_s: float = 2.0) -> Well:
    """Whether a server of models answers at all: `GET /health`, as vLLM's, beside its `/v1`.

    A server that does not know that address is taken as well; it did answer.
    """
    base = url.rstrip("/").removesuffix("/v1")

    async def well() -> bool:
        import httpx2

        try:
            client = httpx2.AsyncClient(verify=trusted())
            async with asyncio.timeout(within_s), client:
                reply = await client.get(f"{base}/health")
        except (httpx2.HTTPError, OSError, TimeoutError):
            return False
        return reply.status_code < 500

    return well
