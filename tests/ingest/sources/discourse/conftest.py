"""A forum with open and restricted categories."""

from datetime import UTC, datetime

import pytest

from ingest.parse import parse
from ingest.source_settings import DiscourseSettings
from ingest.sources.discourse import DiscourseSource
from tests.servers import client_for, settings_for
from tests.servers.discourse import KEY, USER, DiscourseServer

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
EXPERTS = frozenset({"trigger-ops"})
OPEN = frozenset({"public"})


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("FORUM_KEY", KEY)


@pytest.fixture
def forum():
    with DiscourseServer() as server:
        server.category(1, "general")
        server.category(5, "computing")
        server.category(6, "grid", parent=5)
        server.category(9, "trigger", groups={"trigger_experts": 1, "auditors": 3})
        server.topic(7, 5, "How to renew the proxy?", ["<p>It expired.</p>"])
        server.topic(8, 6, "Grid is slow", ["<p>Very.</p>", "<p>Yes.</p>"])
        server.topic(9, 9, "Menu 2026", ["<p>New thresholds.</p>"])
        server.topic(10, 1, "Coffee", ["<p>At ten.</p>"])
        yield server


def source_of(server, now=NOW, **settings):
    given = {
        "kind": "discourse",
        "auth": {"kind": "token", "env": "FORUM_KEY", "header": "Api-Key", "prefix": ""},
        "username": USER,
        "signed_in": ["members"],
        "groups": {"trigger_experts": ["trigger-ops"]},
        "retries": 0,
    } | settings
    made = settings_for(server, DiscourseSettings, **given)
    return DiscourseSource("forum", made, client_for(made), lambda: now)


def texts(page):
    (document,) = parse(page)
    return document.text


def many(server, count):
    for number in range(100, 100 + count):
        server.topic(number, 5, f"Topic {number}", [f"<p>Text {number}.</p>"])
