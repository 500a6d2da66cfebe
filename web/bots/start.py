"""How the command of a bot starts, and what stops it."""

import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ingest.errors import DocentError
from ingest.settings import Settings, load_settings
from ingest.web_settings import is_loopback
from web.cli import listen, until_stopped

if TYPE_CHECKING:
    from web.cli import ServedAssistant


class BotSettings(Protocol):
    """What is equal in the settings of all bots."""

    @property
    def url(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def token_env(self) -> str: ...
    @property
    def configured(self) -> bool: ...


Serve = Callable[[socket.socket, Settings, "ServedAssistant"], Coroutine[None, None, None]]


def run(
    config: Path | None,
    port: int | None,
    section: Callable[[Settings], BotSettings],
    may_start: Callable[[Settings], None],
    serve: Serve,
) -> None:
    """Run a bot until it is told to stop.

    Raises:
        DocentError: it may not start, or cannot go on.
    """
    settings = load_settings(config)
    may_start(settings)
    bot = section(settings)
    with listen(bot.host, bot.port if port is None else port) as listening:
        # Engines and models are loaded only by a server that is going to run.
        from assistant.bootstrap import assistant_from
        from web import logs

        logs.set_up()
        assistant = assistant_from(settings)
        until_stopped(lambda: serve(listening, settings, assistant))


def check(name: str, program: str, bot: BotSettings, door: tuple[str, str], docs: str) -> None:
    """Whether a bot may start: `[name]` has an address and a token, and nobody reads its secret.

    `door` is the setting with the https address in front of it, and what it holds.

    Raises:
        DocentError: it may not; says why and what to do.
    """
    if not bot.configured:
        msg = f"There is no [{name}] url: name the {program} to answer on ({docs})."
        raise DocentError(msg)
    key, address = door
    if not is_loopback(bot.host) and not address.startswith("https:"):
        msg = (
            f"[{name}] host is {bot.host}: where other machines reach it, a proxy with https must "
            f"stand in front, or the secret that {program} sends could be read on the way. Set "
            f"{key} to its https address, or host to 127.0.0.1."
        )
        raise DocentError(msg)
    if not secret_in(bot.token_env):
        msg = (
            f"The environment variable {bot.token_env} is empty: set it to the access token of "
            f"the bot's account on {bot.url} ({docs})."
        )
        raise DocentError(msg)


def secret_in(variable: str) -> str:
    """What an environment variable holds; empty for none."""
    return os.environ.get(variable, "").strip()


def address_of(listening: socket.socket) -> str:
    """The address of a socket on this machine."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
