"""A server of a language model: speaks OpenAI's streaming chat format, with fixed token times.

    with ModelServer(interval_s=0) as model:
        llm = llm_from(LLMSettings(url=model.url, model="stub"), ModelsSettings())

Each token is the moment at which it was sent (`time.monotonic`, the same for all processes of a
machine), so that whoever reads it knows how long it took. `python -m tests.servers.model TOKENS
INTERVAL_S` serves in a process of its own and prints its address.
"""

import asyncio
import json
import sys
import threading
import time
from types import TracebackType
from typing import Self

OK, NO = b"200 OK", b"404 Not Found"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Model:
    """What it writes. Used from the event loop that serves it."""

    def __init__(self, tokens: int = 20, interval_s: float = 0.0, text: str = "") -> None:
        self.tokens = tokens
        self.interval_s = interval_s
        self.text = text.split()
        """The words to say; without, moments."""
        self.hold_after: int | None = None
        """Say nothing more after so many tokens, until the client leaves."""
        self.knows_health = True
        """As vLLM does; other servers have no such address."""
        self.asked = 0
        self.left = threading.Event()
        """Set when a client has left in mid-answer."""
        self.holding = threading.Event()
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection, one question."""
        self._open.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET "):
                known = head.startswith(b"GET /health ") and self.knows_health
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (OK if known else NO))
                await writer.drain()
                return
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            self.asked += 1
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            writer.write(HEAD)
            due = time.monotonic()
            for number in range(len(self.text) or self.tokens):
                if number == self.hold_after:
                    self.holding.set()
                    await leaving
                due += self.interval_s
                await asyncio.wait({leaving}, timeout=max(0.0, due - time.monotonic()))
                if leaving.done():
                    self.left.set()
                    return
                word = self.text[number] if self.text else f"{time.monotonic():.6f}"
                await _say(writer, {"content": f"{word} "})
            await _say(writer, {}, "stop")
            writer.write(_chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
        finally:
            leaving.cancel()

    def cut(self) -> None:
        """Hang up on everybody, as a server does that is killed."""
        for writer in list(self._open):
            writer.transport.abort()


async def _say(
    writer: asyncio.StreamWriter, delta: dict[str, str], finish: str | None = None
) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "stub"}
    writer.write(_chunked(f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()))
    await writer.drain()


def _chunked(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class ModelServer:
    """A model behind a loopback socket, in a thread. It may be killed and started again."""

    def __init__(self, port: int = 0, **model: float | int | str) -> None:
        self.model = Model(**model)  # type: ignore[arg-type] # its own fields
        self.port = port
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address, which stays the same when it is started again."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen."""
        self._ready.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        if not self._ready.wait(20):
            msg = "The model server did not start."
            raise RuntimeError(msg)

    def kill(self) -> None:
        """Be gone, in the middle of whatever it says."""
        if self._loop and self._stop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread:
            self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.model.serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        self.model.cut()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


async def main(tokens: int, interval_s: float) -> None:
    """Serve until killed."""
    model = Model(tokens, interval_s)
    server = await asyncio.start_server(model.serve, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
