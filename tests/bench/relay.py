"""A relay before a model server that notes when each question came and when each piece went.

What a program in front of the engine adds is then known exactly, however unsteady the engine is:
from the question until the relay was asked, and from the relay's piece until the reader had it.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_WORDS = re.compile(rb'"content": ?"[^"]')
"""Also behind an empty piece: an engine may send several at once."""


@dataclass
class Exchange:
    """Times of `time.monotonic`, in seconds."""

    asked: float
    """The whole request was there."""
    pieces: list[float] = field(default_factory=list)
    """When each part of the reply was passed on that holds words of the answer."""


class Relay:
    """Passes connections on to the server at `url`, byte by byte."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self.exchanges: list[Exchange] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What is asked in the server's place."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            body = await reader.readexactly(length)
            exchange = Exchange(time.monotonic())
            if b"/chat/completions" in head.split(b"\r\n", 1)[0]:
                self.exchanges.append(exchange)
            await self._pass_on(head + body, exchange, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked has left: an answer that says enough is stopped
        finally:
            writer.close()

    async def _pass_on(
        self,
        request: bytes,
        exchange: Exchange,
        asker: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        from_engine, to_engine = await asyncio.open_connection(self._to.hostname, self._to.port)
        left = asyncio.ensure_future(asker.read(1))
        try:
            to_engine.write(request)
            while not left.done():
                part = asyncio.ensure_future(from_engine.read(65536))
                await asyncio.wait({part, left}, return_when=asyncio.FIRST_COMPLETED)
                if not part.done():
                    part.cancel()
                    return
                if not (data := part.result()):
                    return
                if _WORDS.search(data):
                    exchange.pieces.append(time.monotonic())
                writer.write(data)
                await writer.drain()
        finally:
            left.cancel()
            # The engine stops writing when its reader is gone.
            to_engine.close()
