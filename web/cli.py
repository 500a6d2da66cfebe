"""`docent serve`: the HTTP API and the chat page on this machine."""

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
import uvicorn
import uvloop

from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import Settings, load_settings
from web.start import check_start

if TYPE_CHECKING:
    # Only for types: the application takes seconds that other commands need not pay.
    from starlette.types import ASGIApp

    from web.services import Assistant, Services

    class ServedAssistant(Assistant, Protocol):
        """What `docent serve` needs of the assistant beyond what the web needs."""

        def warm(self) -> None: ...


log = logging.getLogger(__name__)

SWITCH_S = 0.0005
"""So long a thread may compute before another gets its turn (Python's own: 5 ms). A search hands
its turn over some forty times, to SQLite and back, and waits as often behind whatever computes."""
SHUTDOWN_S = 5
"""How long answers in progress may take to say goodbye when the server stops."""
LOOK_S = 0.1
"""How often a server that is stopping looks whether all answers have ended."""


def serve(
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; loopback without a sign-in.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.")] = None,
    as_: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="GROUP",
            help="Answer as a member of this group; repeatable, and only without a sign-in.",
        ),
    ] = None,
) -> None:
    """Serve the chat page and the HTTP API on this machine."""
    settings = load_settings(config)
    address = settings.server.host if host is None else host
    check_start(settings, address, as_ or ())
    with listen(address, settings.server.port if port is None else port) as listening:
        # Engines and models are loaded only by a server that is going to run.
        from assistant.bootstrap import assistant_from
        from web import logs

        logs.set_up()
        reader = Reader(frozenset(as_ or ()))
        serve_on(listening, settings, lambda: assistant_from(settings), reader, config)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens for connections; `check_start` has said that it may.

    Raises:
        DocentError: the address is not one of this machine's own, or it is taken.
    """
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
    make: "Callable[[], ServedAssistant]",
    reader: Reader,
    config: Path | None = None,
) -> None:
    """Serve on a listening socket until SIGINT or SIGTERM; streams get a few seconds to end.

    Raises:
        IndexTrouble: before it listens, with the command that makes or mends the index.
    """
    from web.bootstrap import opened

    assistant = make()

    async def run() -> None:
        async with opened(settings, assistant, reader, config) as services:
            # An index that cannot be read stops the start, and not the first question.
            await assistant.counts(reader)
            await _server(services, listening, assistant).serve(sockets=[listening])

    until_stopped(run)


def _server(
    services: "Services", listening: socket.socket, assistant: "ServedAssistant"
) -> "Server":
    from web.app import create_app

    settings = services.settings.server

    def ready() -> None:
        _announce(listening, settings.suggestions)
        warm(services, assistant)

    async def ending() -> None:
        await drained(services, settings.drain_s)
        await services.close()

    return Server(create_app(services), ready, settings.trusted_proxies, ending)


async def drained(services: "Services", most_s: float) -> None:
    """Begin nothing new, and return when all answers have ended, or after `most_s`.

    The port stays open: who asks whether it is ready hears no, and who was cut off comes back.
    """
    services.streams.closing = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(most_s):
            while services.streams.running:
                await asyncio.sleep(LOOK_S)


def until_stopped(run: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run a server until SIGINT or SIGTERM, and end without a trace, also while it starts."""
    stopping = _Stopping()
    with stopping.on(signal.SIGINT), stopping.on(signal.SIGTERM), contextlib.suppress(_Stopped):
        sys.setswitchinterval(SWITCH_S)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(stopping.watched(run()))


class _Stopped(BaseException):
    """A signal to stop, and all is closed."""


class _Stopping:
    """What a signal does to a coroutine.

    uvicorn stops on both signals and raises them again when it is done, in the coroutine's own
    frames: there an exception ends it. Before that a signal comes in the loop's frames, where an
    exception would be logged as a fault of its own: there the coroutine is cancelled.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._told = False

    async def watched(self, running: Coroutine[None, None, None]) -> None:
        """Run it, and tell a stop by a signal from any other end."""
        self._task = asyncio.current_task()
        try:
            await running
        except asyncio.CancelledError:
            if self._told:
                raise _Stopped from None
            raise

    @contextlib.contextmanager
    def on(self, number: signal.Signals) -> Iterator[None]:
        """While this lasts, the signal stops; only the main thread hears signals."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(number, self._leave)
        try:
            yield
        finally:
            signal.signal(number, before)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        self._told = True
        if self._task is None or asyncio.current_task(self._task.get_loop()) is self._task:
            raise _Stopped
        self._task.cancel()


class Server(uvicorn.Server):
    """uvicorn that says when it is ready."""

    def __init__(
        self,
        app: "ASGIApp",
        ready: Callable[[], None],
        trusted_proxies: Sequence[IPv4Network | IPv6Network] = (),
        ending: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`ready` is called when it listens, `ending` before it waits for its streams to end."""
        super().__init__(
            uvicorn.Config(
                app,
                # What it says goes where everything is logged.
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                # By default uvicorn believes what any proxy on this machine says.
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=[str(network) for network in trusted_proxies],
                timeout_graceful_shutdown=SHUTDOWN_S,
            )
        )
        self._ready = ready
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._ending:
            # Each stream sends its last event and closes; uvicorn would only cut them.
            await self._ending()
        await super().shutdown(sockets)


def _announce(listening: socket.socket, suggestions: Sequence[str]) -> None:
    host, port = listening.getsockname()[:2]
    print(f"Docent answers on http://{f'[{host}]' if ':' in host else host}:{port}")
    for question in suggestions[:2]:
        print(f"  Try: {question}")
    sys.stdout.flush()


def warm(services: "Services", assistant: "ServedAssistant") -> None:
    """Load the models while the server listens already."""
    # A thread of its own, a daemon: stopping the server does not wait for a model to load.
    threading.Thread(target=_warm, args=(services, assistant), name="warm", daemon=True).start()


def _warm(services: "Services", assistant: "ServedAssistant") -> None:
    services.model_state = "loading"
    try:
        assistant.warm()
    except DocentError as error:
        services.model_state = "away"
        log.warning("Answers are extracts for now: %s", error)
    else:
        services.model_state = "ready"
    # What is loaded now stays for good. Looked through again with every full collection, it would
    # hold up all answers for a third of a second each time.
    gc.collect()
    gc.freeze()
