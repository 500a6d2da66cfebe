"""`docent bot`: answers on a Mattermost."""

import asyncio
import hmac
import os
import socket
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import DocentError
from ingest.settings import Settings, load_settings
from ingest.web_settings import is_loopback
from web.cli import SHUTDOWN_S, Server, listen, until_stopped, warm

if TYPE_CHECKING:
    from web.cli import ServedAssistant
    from web.mattermost.bot import Bot
    from web.mattermost.server import Pause

DOCS = "docs/mattermost.md"


def bot(
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.")] = None,
) -> None:
    """Answer on the Mattermost that the settings name."""
    settings = load_settings(config)
    check_start(settings)
    chat = settings.mattermost
    with listen(chat.host, chat.port if port is None else port) as listening:
        # Engines and models are loaded only by a server that is going to run.
        from assistant.bootstrap import assistant_from
        from web import logs

        logs.set_up()
        assistant = assistant_from(settings)
        until_stopped(lambda: serve_bot(listening, settings, assistant))


def check_start(settings: Settings) -> None:
    """Whether the bot may start with these settings.

    Raises:
        DocentError: it may not; says why and what to do.
    """
    chat = settings.mattermost
    if not chat.configured:
        msg = f"There is no [mattermost] url: name the Mattermost to answer on ({DOCS})."
        raise DocentError(msg)
    if not is_loopback(chat.host) and not chat.callback_url.startswith("https:"):
        msg = (
            f"[mattermost] host is {chat.host}: where other machines reach it, a proxy with https "
            "must stand in front, or the token of the slash command could be read on the way. Set "
            "[mattermost] callback_url to its https address, or host to 127.0.0.1."
        )
        raise DocentError(msg)
    if not os.environ.get(chat.token_env, "").strip():
        msg = (
            f"The environment variable {chat.token_env} is empty: set it to the access token of "
            f"the bot's account on {chat.url} ({DOCS})."
        )
        raise DocentError(msg)


async def serve_bot(
    listening: socket.socket,
    settings: Settings,
    assistant: "ServedAssistant",
    pause: "Pause" = asyncio.sleep,
) -> None:
    """Answer until the server is told to stop.

    Raises:
        DocentError: Mattermost does not know the token, or the index cannot be read.
    """
    from datetime import timedelta
    from time import monotonic

    from ingest.access import ANYBODY
    from web.bootstrap import opened
    from web.mattermost.app import create_app
    from web.mattermost.audience import Audience, Rules
    from web.mattermost.bot import Bot
    from web.mattermost.desk import Desk
    from web.mattermost.feedback import Judge
    from web.mattermost.hooks import Hooks
    from web.mattermost.listening import Listening
    from web.mattermost.server import Server as Chat

    chat = settings.mattermost
    token = os.environ.get(chat.token_env, "").strip()
    key = sha256(f"docent bot {token}".encode()).digest()

    def seal(text: str) -> str:
        return hmac.new(key, text.encode(), sha256).hexdigest()

    server = Chat(chat.url, token, chat.ca_file, pause)
    try:
        me = await server.me()
        async with opened(settings, assistant) as services:
            # An index that cannot be read stops the start, and not the first question.
            await assistant.counts(ANYBODY)
            rules = Rules(
                timedelta(days=settings.signin.token_days), chat.members_s, chat.trust_email
            )
            audience = Audience(server, services.state, me, rules, monotonic)
            desk = Desk(
                services,
                server,
                audience,
                me,
                chat,
                chat.callback_url or _own(listening),
                seal,
                pause,
            )
            listens = Listening(chat.url, token, server.tls, pause)
            answering = Bot(desk, listens)
            hooks = Hooks(desk, Judge(desk), os.environ.get(chat.command_token_env, "").strip())

            def ready() -> None:
                typer.echo(f"Docent answers as @{me.username} on {chat.url}")
                typer.echo(f"  and takes slash commands at {desk.callback_url}/command")
                warm(services, assistant)

            async def ending() -> None:
                await services.close()
                await answering.close(SHUTDOWN_S)
                await hooks.close(SHUTDOWN_S)

            proxies = settings.server.trusted_proxies
            app = create_app(services, hooks, lambda: listens.connected)
            serving = Server(app, ready, proxies, ending)
            await _until_either(serving, listening, answering)
    finally:
        await server.close()


def _own(listening: socket.socket) -> str:
    """The address of a socket on this machine."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def _until_either(serving: Server, listening: socket.socket, answering: "Bot") -> None:
    """Serve and answer; when one of the two ends, the other does too.

    Raises:
        DocentError: Mattermost does not know the token any more.
    """
    hearing = asyncio.create_task(answering.run())

    def stop(_: object) -> None:
        serving.should_exit = True

    hearing.add_done_callback(stop)
    try:
        await serving.serve(sockets=[listening])
    finally:
        hearing.cancel()
        await asyncio.wait([hearing])
        await answering.close(SHUTDOWN_S)
    if not hearing.cancelled():
        hearing.result()
