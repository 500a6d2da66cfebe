"""A TWiki and a Foswiki with three webs."""

from datetime import UTC, datetime

import pytest

from ingest.model import Page
from ingest.source_settings import TwikiSettings
from ingest.sources.twiki import TwikiSource
from tests.ingest.sources.memory import Memory
from tests.servers import StillClock, client_for, settings_for
from tests.servers.twiki import TwikiServer

DAY = 86_400.0
GROUPS = {
    "Main.TriggerOpsGroup": ["trigger-ops"],
    "PhysicsBoardGroup": ["physics-board"],
    "Main.ShiftGroup": ["shifters"],
}


@pytest.fixture
def clock():
    return StillClock(datetime(2026, 11, 1, tzinfo=UTC))


@pytest.fixture(params=["twiki", "foswiki"])
def wiki(request, clock, monkeypatch):
    """Three webs, read by an account that is in all groups."""
    with TwikiServer(foswiki=request.param == "foswiki", wall=clock.wall) as server:
        fill(server)
        sign_in(server, monkeypatch)
        clock.sleep(DAY)
        yield server


def fill(server):
    server.save("Main", "WebHome", "---+ Welcome\nTo the wiki.")
    server.save("Main", "ShiftTypes", "---+ Shifts\nThere are three.")
    server.attach("Main", "ShiftTypes", "rota.pdf", b"%PDF-1.4 rota")
    server.attach("Main", "ShiftTypes", "plot.png", b"\x89PNG")
    server.save("Ops", "CrashBook", "   * Set ALLOWTOPICVIEW = Main.TriggerOpsGroup\nRecover.")
    server.save("Ops", "PhoneList", "---+ Phones\n| *Who* | *Number* |\n| Desk | 5521 |")


def sign_in(server, monkeypatch):
    monkeypatch.setenv("WIKI_PASSWORD", "s3cret")
    server.password = "s3cret"
    server.member_of = {"TriggerOpsGroup", "PhysicsBoardGroup", "ShiftGroup"}


def source_for(server, clock, **settings):
    given = {
        "kind": "twiki",
        "webs": ["Main", "Ops"],
        "auth": {"kind": "basic", "user": "crawler", "env": "WIKI_PASSWORD"},
        "default_access": ["collaboration"],
        "signed_in": ["members"],
        "groups": GROUPS,
        **settings,
    }
    made = settings_for(server, TwikiSettings, "/bin", **given)
    return TwikiSource("wiki", made, client_for(made, clock, "wiki"))


class Reader:
    """Reads a wiki night after night, each time with a new client."""

    def __init__(self, server, clock, **settings):
        self.server, self.clock, self.settings = server, clock, settings
        self.memory = Memory()

    def night(self, stop_after=None, **settings):
        self.clock.sleep(DAY)
        source = source_for(self.server, self.clock, **(self.settings | settings))
        return self.memory.run(source, stop_after)


def given(run):
    return {item.id: item for item in run.items if isinstance(item, Page)}


def closed(run):
    return {failure.page_id for failure in run.failures if failure.forbidden}


ALL = {
    "wiki:Main/WebHome",
    "wiki:Main/ShiftTypes",
    "wiki:Main/ShiftTypes/rota.pdf",
    "wiki:Ops/CrashBook",
    "wiki:Ops/PhoneList",
}
