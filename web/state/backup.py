"""The database as one file: SQLite's own copy, or PostgreSQL's own dump, and the way back.

PostgreSQL's tools do it: `pg_dump`, `pg_restore` and `psql`, not older than the server. They learn
the password from the environment, since everybody on a machine can read their arguments.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, inspect

from web.state.database import Database
from web.state.errors import StateTrouble
from web.state.migrate import version, versions
from web.state.rows import Base

SQLITE, POSTGRES = "state.db", "state.dump"
OURS = (*Base.metadata.tables, "alembic_version")
"""Tables of accounts and conversations, of this version and of those before it."""


async def save(url: str, folder: Path) -> tuple[str, str | None]:
    """Write the database into a folder, as it is at one moment, while servers go on.

    Gives the name of the file and the version of the tables; None where there are none.

    Raises:
        StateTrouble: it cannot be read, or PostgreSQL's tools are missing or fail.
    """
    database = Database(url)
    try:
        found = await version(database)
    finally:
        await database.close()
    if database.url.get_backend_name() == "sqlite":
        await asyncio.to_thread(_copy, str(database.url.database), folder / SQLITE)
        return SQLITE, found
    # Ours alone: an index may lie in the same database.
    tables = [f"--table={table}" for table in OURS]
    target = folder / POSTGRES
    await _tool(
        "pg_dump", f"--dbname={_plain(database.url)}", "--format=custom", "--no-owner",
        f"--file={target}", *tables, password=database.url.password,
    )  # fmt: skip
    return POSTGRES, found


async def load(url: str, file: Path, of: str | None, stamp: datetime, *, replace: bool) -> str:
    """Put a saved database back; a sentence on where the one before it is.

    `of` is the version of its tables. Servers must be stopped.

    Raises:
        StateTrouble: it is of a newer Docent or of the other kind of database, there is one and
            `replace` is False, or it cannot be written.
    """
    if of is not None and of not in versions():
        msg = (
            f"The backup has tables of version {of}, and this Docent knows them up to "
            f"{versions()[-1]}. Restore it with the Docent that made it, or a newer one."
        )
        raise StateTrouble(msg)
    database = Database(url)
    kind = database.url.get_backend_name()
    try:
        if (kind == "sqlite") != (file.name == SQLITE):
            msg = (
                f"The backup is of {'SQLite' if file.name == SQLITE else 'PostgreSQL'}, and [state]"
                f" url names {kind}: name a database of the same kind."
            )
            raise StateTrouble(msg)
        if kind == "sqlite":
            return _put(Path(str(database.url.database)), file, stamp, replace=replace)
        found = await _tables(database)
    finally:
        await database.close()
    if found and not replace:
        msg = (
            f"The database already has {len(found)} tables. Name an empty one, or put the backup "
            "in their place: --replace"
        )
        raise StateTrouble(msg)
    await _replay(database.url, file, found)
    return "What the database held before is replaced." if found else ""


def _copy(path: str, target: Path) -> None:
    try:
        # Of a file that is not there, nothing shall be made.
        source = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=rw", uri=True)
        with closing(source), closing(sqlite3.connect(target)) as copy:
            source.execute("PRAGMA busy_timeout = 30000")
            source.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        msg = f"The database {path} cannot be copied: {error}."
        raise StateTrouble(msg) from None
    target.chmod(0o600)


def _put(path: Path, file: Path, stamp: datetime, *, replace: bool) -> str:
    beside = [path, Path(f"{path}-wal"), Path(f"{path}-shm")]
    moved = ""
    if path.exists():
        if not replace:
            msg = f"There is a database at {path}. To put the backup in its place: --replace"
            raise StateTrouble(msg)
        for one in beside:
            if one.exists():
                one.rename(f"{one}.before-{stamp:%Y-%m-%dT%H%M%SZ}")
        moved = f"The database before it is {path}.before-{stamp:%Y-%m-%dT%H%M%SZ}."
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.restoring")
    partial.touch(0o600)
    shutil.copyfile(file, partial)
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.rename(path)
    return moved


async def _tables(database: Database) -> list[str]:
    async with database.read() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    return [name for name in names if name in OURS]


async def _replay(url: URL, file: Path, found: list[str]) -> None:
    """Drop the tables that are there and make those of the dump, all in one transaction."""
    with tempfile.TemporaryDirectory() as folder:
        dump, script = Path(folder) / "dump.sql", Path(folder) / "script.sql"
        await _tool("pg_restore", "--no-owner", f"--file={dump}", str(file))
        drop = f"DROP TABLE {', '.join(found)} CASCADE;\n" if found else ""
        with script.open("wb") as whole, dump.open("rb") as made:
            whole.write(drop.encode())
            shutil.copyfileobj(made, whole)
        await _tool(
            "psql", f"--dbname={_plain(url)}", "--no-psqlrc", "--quiet", "--single-transaction",
            "--set=ON_ERROR_STOP=1", f"--file={script}", password=url.password,
        )  # fmt: skip


def _plain(url: URL) -> str:
    """The address as PostgreSQL's tools take it, without the password."""
    return url.set(drivername="postgresql", password=None).render_as_string()


async def _tool(name: str, *arguments: str, password: object = None) -> None:
    program = shutil.which(name)
    if program is None:
        msg = f"{name} is not installed: install the client programs of PostgreSQL."
        raise StateTrouble(msg)
    environment = dict(os.environ)
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    if process.returncode:
        first = said.decode(errors="replace").strip().splitlines()[:1] or ["it does not say why"]
        msg = f"{name} failed: {first[0]}"
        raise StateTrouble(msg)
