"""Maintaining the whole application: real runs of a real source, a real sign-in, a real browser."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

import docent
from assistant.bootstrap import assistant_from
from ingest.settings import load_settings
from tests.servers import embeddings
from tests.web.conftest import serving
from tests.web.signin.conftest import listen, settings_for

SETTINGS = f"""
[index]
path = "index"

[embedder]
url = "URL"
model = "{embeddings.MODEL}"

[llm]
model = "none"

[sources.wiki]
kind = "files"
path = "wiki"
access = ["public"]
keeper = "the keepers of the wiki"
"""
RUN_MS = 300_000
"""A run is a process of its own, which loads engines; on a machine under load that takes long."""
SEARCH = "/search?q=calorimeter+noise"
ROUTES = (
    ("GET", "sources"), ("GET", "runs"), ("POST", "sources/wiki/run"), ("GET", "generations"),
    ("POST", "generations/1/publish"), ("POST", "generations/rollback"), ("GET", "usage"),
    ("GET", "feedback"), ("GET", "gaps"), ("GET", "stale"), ("GET", "candidates"),
    ("GET", "questions"),
)  # fmt: skip
ASK_ALL = """(routes) => Promise.all(routes.map(async ([method, path]) => {
  const headers = { "Content-Type": "application/json", "X-Docent": "1" };
  const given = method === "GET" ? {} : { method, headers, body: "{}" };
  const response = await fetch(`/api/v1/admin/${path}`, given);
  return [response.status, await response.text()];
}))"""


@dataclass(frozen=True)
class Site:
    """The application behind the sign-in, and the folder that its source reads."""

    address: str
    wiki: Path


@pytest.fixture
def site(provider, settings, tmp_path, monkeypatch) -> Iterator[Site]:
    wiki, config = tmp_path / "wiki", tmp_path / "docent.toml"
    wiki.mkdir()
    (wiki / "muons.md").write_text("# Muons\n\nThe muon trigger fires at 40 MHz in the barrel.\n")
    with embeddings.EmbeddingServer() as embedder, listen() as free:
        config.write_text(SETTINGS.replace("URL", embedder.v1))
        done = CliRunner().invoke(docent.app, ["ingest", "--json", "--config", str(config)])
        assert json.loads(done.stdout)["generation"] == 1
        port = free.getsockname()[1]
        free.close()
        client = provider.register(f"http://127.0.0.1:{port}")
        monkeypatch.setenv("DOCENT_SIGNIN_SECRET", client.secret)
        signin = settings_for(provider.issuer, client.id)
        whole = load_settings(config).model_copy(
            update={"signin": signin, "limits": settings.limits}
        )
        with serving(whole, assistant_from(whole), port, config=config) as address:
            yield Site(address, wiki)


def _serves(page: Page, number: int) -> None:
    row = page.locator("tbody tr", has=page.get_by_role("rowheader", name=str(number)))
    expect(row).to_contain_text("published")
    expect(page.locator("tbody .badge")).to_have_count(1)


def _confirm(page: Page, action: str) -> None:
    page.locator("dialog").get_by_role("button", name=action).click()
    expect(page.locator("dialog")).to_have_count(0)


def test_a_maintainer_runs_a_source_publishes_and_rolls_back(signed_in, site: Site, watch):
    reader = signed_in("ada", SEARCH)
    expect(reader.locator(".hit .title")).to_have_text(["Muons"])
    (site.wiki / "calorimeter.md").write_text("# Calorimeter\n\nIts noise is 12 MeV a cell.\n")

    page = signed_in("mia", "/maintain/sources")
    source = page.locator("tbody tr")
    expect(source).to_contain_text("the keepers of the wiki")
    expect(source.locator("td.num")).to_have_text("1")
    page.get_by_role("button", name="Run now: wiki").click()
    run = page.locator("ul.pages li", has_text="Mia Maintainer")
    expect(run).to_contain_text("in order", timeout=RUN_MS)
    expect(run).to_contain_text("+1 ~0 −0")
    # The table tells of it without being asked again.
    expect(source.locator("td.num")).to_have_text("2")
    reader.reload()
    expect(reader.locator(".hit .title").first).to_have_text("Calorimeter")

    page.get_by_role("link", name="Index").click()
    _serves(page, 2)
    page.get_by_role("button", name="Roll back").click()
    _confirm(page, "Roll back")
    _serves(page, 1)
    reader.reload()
    expect(reader.locator(".hit .title")).to_have_text(["Muons"])
    page.get_by_role("button", name="Publish: 2").click()
    _confirm(page, "Publish")
    _serves(page, 2)
    reader.reload()
    expect(reader.locator(".hit .title").first).to_have_text("Calorimeter")

    # A reader gets none of it: no way there, no page, no answer of any route.
    expect(reader.get_by_role("link", name="Maintain")).to_have_count(0)
    for tab in ("sources", "generations", "feedback"):
        reader.goto(f"{site.address}/maintain/{tab}")
        expect(reader.locator("main")).to_have_text("This page is for maintainers.")
    for status, text in reader.evaluate(ASK_ALL, [list(route) for route in ROUTES]):
        assert status == 403
        assert "keepers" not in text
    assert {status for status, _ in page.evaluate(ASK_ALL, [["GET", "generations"]])} == {200}
    watch.forgive("the server responded with a status of 403")
