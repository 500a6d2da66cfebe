"""`docent gitlab-bot`: answers in the issues and merge requests of a GitLab."""

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import DocentError
from ingest.settings import Settings
from web.bots import start
from web.cli import SHUTDOWN_S, Server, warm
from web.start import SHORTEST_SECRET, is_placeholder

if TYPE_CHECKING:
    from ingest.http import Hosts
    from web.cli import ServedAssistant

DOCS = "docs/gitlab.md"


def gitlab_bot(
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 takes a free one.")] = None,
) -> None:
    """Answer in the issues and merge requests of the GitLab that the settings name."""
    start.run(config, port, lambda settings: settings.gitlab_bot, check_start, serve_bot)


def check_start(settings: Settings) -> None:
    """Whether the bot may start with these settings.

    Raises:
        DocentError: it may not; says why and what to do.
    """
    door = ("[server] public_url", settings.server.public_url)
    start.check("gitlab_bot", "GitLab", settings.gitlab_bot, door, DOCS)
    hook_secret(settings)


def hook_secret(settings: Settings) -> str:
    """The secret of the webhooks, from the environment.

    Raises:
        DocentError: there is none, or something that can be guessed stands in its place.
    """
    name = settings.gitlab_bot.secret_env
    secret = start.secret_in(name)
    if len(secret) < SHORTEST_SECRET or is_placeholder(secret):
        msg = (
            f"What the environment variable {name} holds is empty, a placeholder or shorter than "
            f"{SHORTEST_SECRET} characters: set it to a random text, and give GitLab the same as "
            f"the secret token of the webhook ({DOCS})."
        )
        raise DocentError(msg)
    return secret


async def serve_bot(
    listening: socket.socket,
    settings: Settings,
    assistant: "ServedAssistant",
    hosts: "Hosts | None" = None,
) -> None:
    """Answer until the server is told to stop.

    Raises:
        DocentError: GitLab does not know the token, or the index cannot be read.
    """
    from anyio.to_thread import run_sync

    from ingest.access import ANYBODY
    from ingest.http import Hosts
    from web.bootstrap import opened
    from web.gitlab_bot.app import create_app
    from web.gitlab_bot.bot import Bot
    from web.gitlab_bot.gitlab import GitLab
    from web.gitlab_bot.hooks import Hooks

    own = settings.gitlab_bot
    contact = settings.ingest.contact or settings.server.public_url
    gitlab = GitLab(own, contact, hosts or Hosts())
    me = await run_sync(gitlab.me)
    async with opened(settings, assistant) as services:
        # An index that cannot be read stops the start, and not the first question.
        await assistant.counts(ANYBODY)
        bot = Bot(services, gitlab, me)
        clock = services.state.database.clock
        hooks = Hooks(hook_secret(settings), me.username, own.hooks_per_minute, clock)

        def ready() -> None:
            typer.echo(f"Docent answers as @{me.username} on {own.url}")
            typer.echo(f"  and takes webhooks at {start.address_of(listening)}/hook")
            warm(services, assistant)

        async def ending() -> None:
            await services.close()
            await bot.close(SHUTDOWN_S)

        catching_up = asyncio.create_task(bot.run())
        try:
            app = create_app(services, bot, hooks)
            proxies = settings.server.trusted_proxies
            await Server(app, ready, proxies, ending).serve(sockets=[listening])
        finally:
            catching_up.cancel()
            await asyncio.wait([catching_up])
            await bot.close(SHUTDOWN_S)
