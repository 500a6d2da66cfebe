"""A site with a map, an index of its own, and links."""

from datetime import UTC, datetime

import pytest

from ingest.source_settings import SiteSettings
from ingest.sources.site import SiteSource
from tests.servers import client_for, settings_for
from tests.servers.site import SiteServer

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def source_of(server, path="/", now=NOW, **settings):
    given = settings_for(
        server, SiteSettings, path, **{"kind": "site", "access": ["staff"], "retries": 0} | settings
    )
    return SiteSource("site", given, client_for(given), lambda: now)


@pytest.fixture
def sample():
    with SiteServer() as server:
        server.put_sample()
        yield server


@pytest.fixture
def linked():
    """A site of five pages without any listing: / → a, b; a → c; c → d."""
    with SiteServer(sitemap=False) as server:
        server.page("/", "Home", "/a/", "/b/", "/a/#part", "mailto:x@y.example", "/logo.png")
        server.page("/a/", "Page a", "../c/", "/")
        server.page("/b/", "Page b", "https://elsewhere.example/")
        server.page("/c/", "Page c", "/d/")
        server.page("/d/", "Page d")
        yield server
