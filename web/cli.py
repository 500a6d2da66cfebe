"""`docent serve`: the HTTP API and the chat page on this machine."""

import asyncio
import errno
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Protocol

import typer
import uvicorn
from fastapi import FastAPI

from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import Settings, load_settings
from ingest.web_settings import is_loopback
from web.api import Assistant
from web.app import create_app

SHUTDOWN_S = 5
"""How long answers in progress may go on after the server was told to stop."""


class ServedAssistant(Assistant, Protocol):
    """What `docent serve` needs of the assistant beyond what the web needs."""

    def warm(self) -> None: ...


def serve(
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; loopback only.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.")] = None,
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="GROUP", help="Answer as a member of this group; repeatable."),
    ] = None,
) -> None:
    """Serve the chat page and the HTTP API on this machine."""
    settings = load_settings(config)
    with listen(
        settings.server.host if host is None else host,
        settings.server.port if port is None else port,
    ) as listening:
        # Engines and models are loaded only by a server that is going to run.
        from assistant.bootstrap import assistant_from

        serve_on(
            listening, settings, lambda: assistant_from(settings), Reader(frozenset(as_ or ()))
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens for connections from this machine.

    Raises:
        DocentError: the address is not one of this machine's own, or it is taken.
    """
    if not is_loopback(host):
        msg = (
            f"docent serve --host {host}: without a sign-in, Docent listens on this machine only. "
            "Use 127.0.0.1, ::1 or localhost."
        )
        raise DocentError(msg)
    # `localhost` may mean both families; the one of version 4 works everywhere.
    name = "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        return socket.create_server((name, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            msg = f"Port {port} of {host} is in use. Stop what uses it, or give another --port."
        else:
            msg = f"Docent cannot listen on {host}, port {port}: {error.strerror}."
        raise DocentError(msg) from None


def serve_on(
    listening: socket.socket,
    settings: Settings,
    make: Callable[[], ServedAssistant],
    reader: Reader,
) -> None:
    """Serve on a listening socket until SIGINT or SIGTERM; streams get a few seconds to end.

    Raises:
        IndexTrouble: before it listens, with the command that makes or mends the index.
    """
    assistant = make()
    server = Server(
        create_app(assistant, reader=reader, suggestions=settings.server.suggestions),
        lambda: _announce(listening, settings.server.suggestions, assistant),
    )
    _run(server, assistant, reader, listening)


def _run(
    server: uvicorn.Server, assistant: Assistant, reader: Reader, listening: socket.socket
) -> None:
    async def run() -> None:
        # An index that cannot be read stops the start, and not the first question.
        await assistant.counts(reader)
        await server.serve(sockets=[listening])

    # uvicorn stops on both signals and raises them again when it is done: to end so is no failure.
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _leave) if in_main_thread else None
    try:
        asyncio.run(run())
    except (KeyboardInterrupt, _Stopped):
        pass
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)


class _Stopped(BaseException):
    """SIGTERM, after the server has shut down."""


def _leave(number: int, frame: FrameType | None) -> None:
    raise _Stopped


class Server(uvicorn.Server):
    """uvicorn that says when it is ready."""

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def _announce(
    listening: socket.socket, suggestions: Sequence[str], assistant: ServedAssistant
) -> None:
    host, port = listening.getsockname()[:2]
    print(f"Docent answers on http://{f'[{host}]' if ':' in host else host}:{port}")
    for question in suggestions[:2]:
        print(f"  Try: {question}")
    sys.stdout.flush()
    # A thread of its own, and a daemon: stopping the server does not wait for a model to load.
    threading.Thread(target=_warm, args=(assistant,), name="warm", daemon=True).start()


def _warm(assistant: ServedAssistant) -> None:
    try:
        assistant.warm()
    except DocentError as error:
        print(f"Answers are extracts for now: {error}", file=sys.stderr, flush=True)
