"""What axe-core finds on every main state of the page, and on some in the dark and on a phone.

With DOCENT_SCREENSHOTS naming a folder, a picture of each state is kept there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from ingest.source_settings import FilesSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build
from tests.web.conftest import serving
from tests.web.documents import BOARD, MENU, SHIFTS
from tests.web.e2e.conftest import PATIENCE_MS, shot
from web.pages import DIST

AXE = DIST.parent / "node_modules" / "axe-core" / "axe.min.js"
ALL = "{resultTypes: ['violations']}"
COLOURS = "{resultTypes: ['violations'], runOnly: ['color-contrast', 'link-in-text-block']}"
TELLING = {"serious", "critical"}

DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class State:
    """Where it is, what is there when it is drawn, and what to do to come to it."""

    name: str
    path: str
    drawn: str
    act: Callable[[Page], object] = bool


def _menu(page: Page) -> None:
    if page.locator(".account").count() == 0:
        page.get_by_role("button", name="Open the navigation").click()
    page.locator(".account").click()


def _not_helpful(page: Page) -> None:
    page.get_by_role("button", name="Not helpful").first.click()
    expect(page.locator("dialog textarea")).to_be_visible()


def _cited(page: Page) -> None:
    page.locator(".checked .marker").first.click()
    expect(page.locator(".panel mark")).to_be_in_viewport()


STATES = (
    State("welcome", "/", "#suggestions button"),
    State("menu", "/", "#suggestions button", _menu),
    State("answer", "/c/{answered}", ".checked"),
    State("panel", "/c/{answered}", ".checked", _cited),
    State("feedback", "/c/{answered}", ".checked", _not_helpful),
    State("extracts", "/c/{extracts}", ".extracts"),
    State("not-found", "/c/{missing}", ".turn .notice"),
    State("search", "/search?q=muon+trigger", ".hit"),
    State("nothing-found", "/search?q=nothinglikethis", ".notice"),
    State("document", "/documents/twiki%3ATrigger%2FMuonMenu.txt", "#panel-title"),
    State("tokens", "/tokens", "tbody tr"),
    State("data", "/data", "main .actions"),
    State("api", "/docs", ".operation"),
    State("maintain-sources", "/maintain/sources", "tbody tr"),
    State("maintain-index", "/maintain/generations", "tbody tr"),
    State("maintain-usage", "/maintain/usage", ".plot"),
    State("maintain-feedback", "/maintain/feedback", ".item"),
    State("maintain-gaps", "/maintain/gaps", ".item"),
    State("maintain-stale", "/maintain/stale", ".item"),
    State("maintain-candidates", "/maintain/candidates", ".item"),
)
EVERYWHERE = tuple(state.name for state in STATES)
IN_THE_DARK = (
    "welcome", "menu", "answer", "panel", "feedback", "not-found", "search", "document", "tokens",
    "maintain-sources", "maintain-usage", "maintain-feedback",
)  # fmt: skip
"""One of each kind of thing that has colours of its own; the other states are made of these."""
ON_A_PHONE = ("welcome", "menu", "answer", "panel", "search", "tokens", "maintain-sources")


@pytest.fixture
def used(settings, assistant, tmp_path) -> Iterator[tuple[str, dict[str, str]]]:
    """A server that has been asked this and that: its address, and its conversations."""
    build(settings.index.path, HashEmbedder(), MENU, SHIFTS, BOARD).close()
    kept = {"kind": "files", "path": tmp_path, "access": ["public"], "keeper": "the trigger group"}
    sources = {name: FilesSettings.model_validate(kept) for name in ("twiki", "docs")}
    sourced = settings.model_copy(update={"sources": sources})
    with serving(sourced, assistant) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield address, _use(http)


def _use(http: httpx.Client) -> dict[str, str]:
    def post(path: str, **body: Any) -> Any:
        return http.post(f"/api/v1{path}", json=body).raise_for_status().json()

    asked = {
        "answered": post("/ask", question="At how many GeV does the L1_MU4 trigger fire?"),
        "extracts": post("/ask", question="away L1_MU4 trigger GeV"),
        "missing": post("/ask", question="missing L1_MU4 trigger"),
    }
    http.post(
        f"/api/v1/messages/{asked['answered']['message_id']}/feedback",
        json={
            "helpful": False,
            "wrong_sentences": [2],
            "text": "Since 2025 only.",
            "right_page": "https://wiki.example.org/Trigger/New",
        },
    ).raise_for_status()
    post("/search", query="muon trigger", k=5, filter={})
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    post("/tokens", name="laptop", scopes=["ask", "search"], expires_at=until)
    listed = http.get("/api/v1/conversations").raise_for_status().json()["conversations"]
    by_title = {one["title"]: one["id"] for one in listed}
    return {name: by_title[answer["question"]] for name, answer in asked.items()}


def troubles(page: Page, rules: str = ALL) -> list[str]:
    """What axe calls serious or critical, one line for each element."""
    # By the debugger, which the content policy does not bind.
    page.evaluate(AXE.read_text())
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in page.evaluate(f"axe.run({rules})")["violations"]
        if found["impact"] in TELLING
        for node in found["nodes"]
    ]


@pytest.mark.parametrize(
    ("look", "scheme", "size", "names", "rules"),
    [
        ("light", "light", DESK, EVERYWHERE, ALL),
        # Only the colours are others.
        ("dark", "dark", DESK, IN_THE_DARK, COLOURS),
        ("phone", "light", PHONE, ON_A_PHONE, ALL),
    ],
    ids=["light", "dark", "phone"],
)
def test_no_main_state_has_a_serious_fault(
    chrome: Browser, watch, used, look, scheme, size, names, rules
):
    address, conversations = used
    context = chrome.new_context(
        viewport=size, color_scheme=scheme, locale="en-GB", reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    watch.over(page)
    found = {}
    for state in (state for state in STATES if state.name in names):
        page.goto(address + state.path.format(**conversations))
        expect(page.locator(state.drawn).first).to_be_visible()
        state.act(page)
        shot(page, f"{state.name}-{look}")
        found[state.name] = troubles(page, rules)
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found[state.name].append("It is wider than the window.")
    context.close()
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_axe_would_find_a_serious_fault(page: Page):
    page.evaluate("document.querySelector('label[for=question]').remove()")
    page.evaluate("document.querySelector('#question').removeAttribute('placeholder')")

    assert any(line.startswith("label:") for line in troubles(page))
