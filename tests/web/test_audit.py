"""What was shown is written down in its order, many at once, and one bad row loses no other."""

import pytest
from sqlalchemy import event, text

from ingest.access import Reader
from web.who import Caller, Role

READER = Reader(frozenset({"public"}))


@pytest.fixture
def caller():
    return Caller("u1", "Ada", "", READER, Role.READER, frozenset(), "local")


def statements_of(services):
    """What is sent to the database from now on."""
    seen = []
    engine = services.state.database.engine.sync_engine

    @event.listens_for(engine, "before_cursor_execute")
    def sent(connection, cursor, statement, *others):
        seen.append(statement)

    return seen


async def test_what_is_shown_meanwhile_is_written_at_once(services, caller):
    sent = statements_of(services)
    for number in range(20):
        services.shown(caller, "document", [f"d{number}", f"d{number}"])
    await services.settled()

    assert len([one for one in sent if one.startswith("INSERT INTO audit ")]) == 1
    rows = (await services.state.audit.page())[::-1]
    assert [row.documents for row in rows] == [(f"d{number}",) for number in range(20)]


async def test_one_row_that_cannot_be_written_takes_no_other_along(services, caller, caplog):
    async with services.state.database.write() as connection:
        refuse = "BEGIN SELECT RAISE(ABORT, 'no'); END"
        at = "BEFORE INSERT ON audit WHEN NEW.door = 'share'"
        await connection.execute(text(f"CREATE TRIGGER no_share {at} {refuse}"))
    for door in ("document", "share", "export"):
        services.shown(caller, door, ["d1"])
    await services.settled()

    assert [row.door for row in await services.state.audit.page()] == ["export", "document"]
    assert caplog.text.count("A row of the audit log (share) is lost") == 1
    assert b"docent_audit_lost_total 1.0" in services.metrics.text()
