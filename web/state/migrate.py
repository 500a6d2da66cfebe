"""Bringing a database to another version of its tables, in process and in one transaction."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from web.state.database import Database, engine_for, ready, told
from web.state.errors import StateTrouble

FOLDER = Path(__file__).parent / "migrations"
NEWEST = "head"
NOTHING = "base"
_LOCK = 0x646F63656E74
"""Of PostgreSQL: two servers that start at once migrate one after the other."""


@cache
def versions() -> tuple[str, ...]:
    """The known versions, oldest first."""
    newest_first = ScriptDirectory(str(FOLDER)).walk_revisions()
    return tuple(script.revision for script in newest_first)[::-1]


async def version(database: Database) -> str | None:
    """The version of the tables; None where there are none yet."""
    async with database.read() as connection:
        return await connection.run_sync(_version)


async def upgrade(database: Database, to: str = NEWEST) -> None:
    """Bring the tables to a newer version, from nothing if need be.

    Raises:
        StateTrouble: it is of a version that is not known here, or cannot be used now.
    """
    ready(database.url)
    # Most starts find nothing to do, and need not load every step to see that.
    if to != NEWEST or await version(database) != versions()[-1]:
        await _run(database, lambda config: command.upgrade(config, to))


async def downgrade(database: Database, to: str) -> None:
    """Bring the tables back to an older version; what the newer one added is lost.

    Raises:
        StateTrouble: as of `upgrade`.
    """
    if to not in (NOTHING, *versions()):
        msg = (
            f"There is no version {to}; there are {', '.join(versions())}, and {NOTHING} for none."
        )
        raise StateTrouble(msg)
    ready(database.url)
    await _run(database, lambda config: command.downgrade(config, to))


async def _run(database: Database, step: Callable[[Config], None]) -> None:
    # A table that SQLite copies is dropped on the way: with foreign keys on, that would delete
    # every row that points to it. They are checked at the end instead.
    engine = engine_for(database.url, database.wait_s, foreign_keys=False)
    try:
        with told():
            async with engine.execution_options(write=True).begin() as connection:
                await connection.run_sync(_migrate, step)
    finally:
        await engine.dispose()


def _migrate(connection: Connection, step: Callable[[Config], None]) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    found = _version(connection)
    if found is not None and found not in versions():
        msg = (
            f"The database of accounts and conversations has tables of version {found}, and this "
            f"Docent knows them up to {versions()[-1]}. Run the newer Docent, or take the tables "
            f"back with it: docent state downgrade {versions()[-1]}"
        )
        raise StateTrouble(msg)
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    step(config)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            msg = f"After the migration {len(broken)} rows point to nothing; nothing was changed."
            raise StateTrouble(msg)


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
