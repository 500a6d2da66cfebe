"""`docent state`: the database of accounts and conversations, for the operator.

Whoever may run these may read the file or the database anyway; what is exported for somebody is
still only what he himself may see.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingest.access import Reader
from ingest.errors import DocentError
from ingest.settings import Settings, load_settings

if TYPE_CHECKING:
    from web.services import Assistant
    from web.state import State, User

Config = Annotated[Path | None, typer.Option("--config", help="Settings file.")]
Somebody = Annotated[
    str, typer.Argument(metavar="USER", help="Id, mail address, or subject at the sign-in.")
]

state_app = typer.Typer(
    help="Migrate, export, erase and purge accounts and conversations.", no_args_is_help=True
)


@state_app.command()
def upgrade(config: Config = None) -> None:
    """Bring the tables to the newest version, as `docent serve` does when it starts."""

    async def run(state: "State", _: Settings) -> None:
        from web.state.migrate import version

        typer.echo(f"The tables are of version {await version(state.database)}.")

    _with_state(config, run)


@state_app.command()
def downgrade(
    version: Annotated[str, typer.Argument(help="Such as 0001; what came later is lost.")],
    config: Config = None,
) -> None:
    """Bring the tables back to an older version, for an older Docent. Stop the server first."""
    from web.state import url_for
    from web.state.database import Database
    from web.state.migrate import downgrade

    settings = load_settings(config)

    async def run() -> None:
        from web.start import state_url

        database = Database(url_for(state_url(settings), settings.index.path))
        try:
            await downgrade(database, version)
        finally:
            await database.close()

    asyncio.run(run())
    typer.echo(f"The tables are of version {version}.")


@state_app.command()
def export(
    user: Somebody,
    out: Annotated[Path | None, typer.Option(help="A file; without it, standard output.")] = None,
    config: Config = None,
) -> None:
    """Write all that is kept about a user as one JSON document, to be handed to him.

    What he may no longer read is withheld, so it takes the index.
    """

    async def run(state: "State", settings: Settings) -> None:
        from assistant.bootstrap import assistant_from

        found = await _named(state, user)
        text = json.dumps(await exported(state, assistant_from(settings), found), indent=2)
        if out is None:
            typer.echo(text)
        else:
            out.write_text(text + "\n", encoding="utf-8")

    _with_state(config, run)


async def exported(state: "State", assistant: "Assistant", user: "User") -> dict[str, Any]:
    """All that is kept about a user, as he may see it with the groups of his last sign-in."""
    from web.api.account import checked
    from web.shown import Sight
    from web.state import account_to_dict

    account = await state.accounts.export(user.id)
    if account is None:
        msg = f"The account {user.id} has been erased in the meantime."
        raise DocentError(msg)
    sight = Sight(assistant, Reader(frozenset(user.groups), user.id))
    left = account_to_dict(await checked(account, sight))
    trouble = await state.audit.record(user.id, "account", sight.seen)
    if trouble is not None:
        raise trouble
    return left


@state_app.command()
def erase(
    user: Somebody,
    config: Config = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase an account and all that belongs to it; the audit log stays, without the name."""

    async def run(state: "State", _: Settings) -> None:
        found = await _named(state, user)
        told = f"{found.name} <{found.email}>, subject {found.subject}"
        if not yes:
            typer.confirm(f"Erase {told} for good?", abort=True)
        await state.accounts.erase(found.id)
        typer.echo(f"Erased: {told}.")

    _with_state(config, run)


@state_app.command()
def link(
    service: Annotated[str, typer.Argument(help="Such as gitlab:gitlab.example.org.")],
    external_id: Annotated[str, typer.Argument(metavar="ID", help="The account's id there.")],
    user: Somebody,
    name: Annotated[str, typer.Option(help="Its name there, for people.")] = "",
    config: Config = None,
) -> None:
    """Say that an account of another service is a user's: bots then know his groups."""

    async def run(state: "State", _: Settings) -> None:
        found = await _named(state, user)
        await state.links.put(found.id, service, external_id, name)
        typer.echo(f"{service} {external_id} is {found.name} <{found.email}>.")

    _with_state(config, run)


@state_app.command()
def unlink(
    service: Annotated[str, typer.Argument(help="Such as gitlab:gitlab.example.org.")],
    external_id: Annotated[str, typer.Argument(metavar="ID", help="The account's id there.")],
    config: Config = None,
) -> None:
    """End the link of an account of another service."""

    async def run(state: "State", _: Settings) -> None:
        if not await state.links.forget(service, external_id):
            msg = f"{service} {external_id} is linked with nobody."
            raise DocentError(msg)
        typer.echo(f"{service} {external_id} is nobody's now.")

    _with_state(config, run)


@state_app.command()
def purge(config: Config = None) -> None:
    """Remove what is past its date, as the server does once a day."""

    async def run(state: "State", settings: Settings) -> None:
        removed = asdict(await state.purge(settings.state.audit_days))
        typer.echo(json.dumps(removed))

    _with_state(config, run)


@state_app.command()
def audit(
    user: Annotated[str | None, typer.Option(help="Only what this user was shown.")] = None,
    document: Annotated[str | None, typer.Option(help="Only where this document was.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many entries, the latest first.")] = 100,
    config: Config = None,
) -> None:
    """Print who was shown which documents, one JSON object a line."""

    async def run(state: "State", _: Settings) -> None:
        user_id = None if user is None else (await _named(state, user)).id
        entries = state.audit.entries(user_id=user_id, document=document)
        left = limit
        async with aclosing(entries):
            async for entry in entries:
                typer.echo(json.dumps({**asdict(entry), "at": entry.at.isoformat()}))
                left -= 1
                if not left:
                    break

    _with_state(config, run)


def _with_state(config: Path | None, run: Callable[["State", Settings], Awaitable[None]]) -> None:
    settings = load_settings(config)

    async def opened() -> None:
        # The database's libraries are loaded only by a command that needs them.
        from web.start import state_url
        from web.state import State, url_for

        state = await State.open(url_for(state_url(settings), settings.index.path))
        try:
            await run(state, settings)
        finally:
            await state.close()

    asyncio.run(opened())


async def _named(state: "State", text: str) -> "User":
    found = await state.users.named(text)
    if len(found) == 1:
        return found[0]
    if not found:
        msg = f"There is no account with the id, mail address or subject {text}."
    else:
        msg = f"{len(found)} accounts are {text}: name one by its id, of " + ", ".join(
            one.id for one in found
        )
    raise DocentError(msg)
