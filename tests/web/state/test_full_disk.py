"""A disk that is full under a real PostgreSQL: the answer goes out, the log says what is lost.

The table of the audit log is made to lie on /dev/full, the device on which nothing has room: the
kernel says ENOSPC to PostgreSQL, as it does for a file of a disk that is full.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from ingest.settings import Settings
from tests.web.conftest import client_of
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from tests.web.state.conftest import sql
from web.bootstrap import opened
from web.services import Services
from web.state import State

FULL = "The database of accounts and conversations has no room left on its disk."
ASK = {"question": "At how many GeV does the L1_MU4 trigger fire?"}


@pytest.fixture
def own_database(postgres: Callable[[str], str]) -> Iterator[str]:
    """A database of its own: what is done to its files is done to nobody else's."""

    async def make() -> None:
        await sql(postgres("postgres"), "CREATE DATABASE full_disk")
        await (await State.open(postgres("full_disk"))).close()

    asyncio.run(make())
    yield postgres("full_disk")
    asyncio.run(sql(postgres("postgres"), "DROP DATABASE full_disk WITH (FORCE)"))


async def fill_the_disk_of(table: str, url: str) -> None:
    """Let an empty table lie where there is no room; whoever is connected is connected anew."""
    connection = await asyncpg.connect(url)
    folder = await connection.fetchval("SHOW data_directory")
    # What is not written yet would be written there.
    await connection.execute("CHECKPOINT")
    file = Path(folder) / await connection.fetchval("SELECT pg_relation_filepath($1)", table)
    assert file.stat().st_size == 0
    file.unlink()
    file.symlink_to("/dev/full")
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'docent'"
    )
    await connection.close()


async def ask(client: httpx.AsyncClient, services: Services) -> dict[str, object]:
    response = await client.post("/api/v1/ask", json=ASK)
    assert response.status_code == 200, response.text
    await services.settled()
    told: dict[str, object] = response.json()
    return told


async def test_a_full_disk_of_postgresql_loses_lines_of_the_audit_log_and_no_answer(
    settings: Settings, own_database, caplog
):
    assert Path("/dev/full").exists(), "This machine has no /dev/full; it is no Linux."
    assistant = FakeAssistant(list(DOCUMENTS))
    stored = settings.model_copy(
        update={"state": settings.state.model_copy(update={"url": own_database})}
    )
    async with opened(stored, assistant) as services, client_of(services) as client:
        await fill_the_disk_of("audit", own_database)
        with caplog.at_level(logging.ERROR):
            told = await ask(client, services)

        assert told["status"] == "answered"
        lost = [one for one in caplog.records if "audit log" in one.getMessage()]
        assert [one.getMessage() for one in lost] == [
            f"A row of the audit log ({door}) is lost: {FULL} Try again in a minute."
            for door in ("warned.old", "ask")
        ]
        # Plain lines: nothing of a trace, of SQL or of what was shown.
        assert [one.exc_info for one in lost] == [None, None]
        assert "docent_audit_lost_total 2.0" in services.metrics.text().decode()
        assert await services.state.audit.page() == []
        # What lies elsewhere is kept: the conversation is there, with its answer.
        kept = (await client.get(f"/api/v1/conversations/{told['conversation_id']}")).json()
        assert kept["messages"][1]["answer"]["answer"] == told["answer"]

        # Somebody makes room: the server needs no restart.
        await services.settled()
        await sql(own_database, "TRUNCATE audit")
        caplog.clear()
        await ask(client, services)
        doors = [one.door for one in await services.state.audit.page()]
        assert doors == ["ask", "warned.old"]
        assert not [one for one in caplog.records if "audit log" in one.getMessage()]
