"""`docent gitlab-bot`: answers in the issues and merge requests of a GitLab."""

import asyncio
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import DocentError
from ingest.settings import Settings, load_settings
from ingest.web_settings import is_loopback
from web.cli import SHUTDOWN_S, Server, listen, until_stopped, warm
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
    settings = load_settings(config)
    check_start(settings)
    bot = settings.gitlab_bot
    with listen(bot.host, bot.port if port is None else port) as listening:
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
    bot = settings.gitlab_bot
    if not bot.configured:
        msg = f"There is no [gitlab_bot] url: name the GitLab to answer on ({DOCS})."
        raise DocentError(msg)
    if not is_loopback(bot.host) and not settings.server.public_url.startswith("https:"):
        msg = (
            f"[gitlab_bot] host is {bot.host}: where other machines reach it, a proxy with https "
            "must stand in front, or the secret of the webhook could be read on the way. Set "
            "[server] public_url to its https address, or host to 127.0.0.1."
        )
        raise DocentError(msg)
    if not os.environ.get(bot.token_env, "").strip():
        msg = (
            f"The environment variable {bot.token_env} is empty: set it to the access token of "
            f"the bot's account on {bot.url} ({DOCS})."
        )
        raise DocentError(msg)
    hook_secret(settings)


def hook_secret(settings: Settings) -> str:
    """The secret of the webhooks, from the environment.

    Raises:
        DocentError: there is none, or something that can be guessed stands in its place.
    """
    name = settings.gitlab_bot.secret_env
    secret = os.environ.get(name, "").strip()
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

    bot_settings = settings.gitlab_bot
    contact = settings.ingest.contact or settings.server.public_url
    gitlab = GitLab(bot_settings, contact, hosts or Hosts())
    me = await run_sync(gitlab.me)
    async with opened(settings, assistant) as services:
        # An index that cannot be read stops the start, and not the first question.
        await assistant.counts(ANYBODY)
        bot = Bot(services, gitlab, me)
        hooks = Hooks(
            hook_secret(settings),
            me.username,
            bot_settings.hooks_per_minute,
            services.state.database.clock,
        )

        def ready() -> None:
            host, port = listening.getsockname()[:2]
            at = f"http://{f'[{host}]' if ':' in host else host}:{port}/hook"
            typer.echo(f"Docent answers as @{me.username} on {bot_settings.url}")
            typer.echo(f"  and takes webhooks at {at}")
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
