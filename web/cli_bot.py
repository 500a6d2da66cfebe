"""`docent bot`: answers on a Mattermost."""

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.settings import Settings
from web.bots import start
from web.cli import SHUTDOWN_S, Server, warm

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
    start.run(config, port, lambda settings: settings.mattermost, check_start, serve_bot)


def check_start(settings: Settings) -> None:
    """Whether the bot may start with these settings.

    Raises:
        DocentError: it may not; says why and what to do.
    """
    chat = settings.mattermost
    door = ("[mattermost] callback_url", chat.callback_url)
    start.check("mattermost", "Mattermost", chat, door, DOCS)


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
    from ingest.access import ANYBODY
    from web.bootstrap import opened
    from web.mattermost.server import Server as Chat
    from web.mattermost.whole import whole

    chat = settings.mattermost
    server = Chat(chat.url, start.secret_in(chat.token_env), chat.ca_file, pause)
    try:
        me = await server.me()
        async with opened(settings, assistant) as services:
            # An index that cannot be read stops the start, and not the first question.
            await assistant.counts(ANYBODY)
            door = chat.callback_url or start.address_of(listening)
            command_token = start.secret_in(chat.command_token_env)
            made = whole(services, server, me, door, command_token, pause)
            await made.hooks.resume()

            def ready() -> None:
                typer.echo(f"Docent answers as @{me.username} on {chat.url}")
                typer.echo(f"  and takes slash commands at {door}/command")
                warm(services, assistant)

            async def ending() -> None:
                await services.close()
                await made.close(SHUTDOWN_S)

            serving = Server(made.app, ready, settings.server.trusted_proxies, ending)
            await _until_either(serving, listening, made.bot)
    finally:
        await server.close()


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
