"""`docent mcp`: the tools on standard input and output, as editors and agents start them."""

import asyncio
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import load_settings
from ingest.web_settings import SignInSettings, is_loopback

TOKEN = "DOCENT_TOKEN"  # noqa: S105 - a name


def mcp(
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
    as_: Annotated[
        list[str] | None,
        typer.Option("--as", metavar="GROUP", help="Read as a member of this group; repeatable."),
    ] = None,
    url: Annotated[
        str, typer.Option(help=f"Ask this server instead, with the API token in {TOKEN}.")
    ] = "",
) -> None:
    """Give an editor or an agent the tools of Docent (Model Context Protocol, on stdio)."""
    if url:
        if config or as_:
            msg = "docent mcp --url asks a server with settings of its own: leave out the others."
            raise DocentError(msg)
        from web.mcp.remote import forward

        asyncio.run(forward(_address(url), os.environ.get(TOKEN, "").strip()))
        return
    from web.mcp.local import Local, serve

    # Who may start a program on the index's machine reads its files; nobody is asked to sign in.
    settings = load_settings(config).model_copy(update={"signin": SignInSettings()})
    asyncio.run(serve(Local(settings, Reader(frozenset(as_ or ())))))


def _address(url: str) -> str:
    """Where the tools of a server are.

    Raises:
        DocentError: the token could be read on the way there.
    """
    parts = urlsplit(url)
    plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if not parts.hostname or parts.username or not (parts.scheme == "https" or plain):
        msg = f"docent mcp --url {url}: give an https address such as https://docent.example.org."
        raise DocentError(msg)
    return f"{parts.scheme}://{parts.netloc}/mcp"
