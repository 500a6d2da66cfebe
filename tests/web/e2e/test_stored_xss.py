"""What hostile authors, readers and models wrote, on every page that shows it: nothing runs.

Over a hundred payloads in every place where foreign text can stand, in the real Chromium; the guard
fails on a call of `pwned`, a breach of the policy, a message on the console, a request or a
navigation elsewhere, a dialog, a second page, and on anything in the page that could run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from ingest.settings import Settings
from ingest.web_settings import ServerSettings
from tests.web.e2e.conftest import ask
from tests.web.e2e.hostile import (
    EVERY,
    SWEEP,
    Guard,
    HostileAssistant,
    batches,
    hostile_documents,
    id_of,
)
from tests.web.e2e.payloads import CODE, FORMULAS, LINKS, MARKDOWN, MARKUP

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
TOOLTIPS = """async (scope) => {
  const told = [];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  for (const element of document.querySelectorAll(scope)) {
    element.focus();
    let tip = null;
    for (let n = 0; n < 60 && !(tip = document.querySelector("[role=tooltip]")); n++) await frame();
    told.push(tip ? tip.textContent : "");
    element.blur();
    for (let n = 0; n < 60 && document.querySelector("[role=tooltip]"); n++) await frame();
  }
  return told;
}"""


@pytest.fixture
def assistant() -> HostileAssistant:
    return HostileAssistant(hostile_documents())


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"server": ServerSettings(suggestions=EVERY)})


@pytest.fixture
def guard(context: BrowserContext, address: str) -> Iterator[Guard]:
    guard = Guard(address)
    guard.over(context)
    yield guard
    assert guard.breaches == []


@pytest.fixture
def page(context: BrowserContext, guard: Guard) -> Page:
    return context.new_page()


def test_there_are_enough_of_them():
    assert len({*MARKUP, *LINKS, *FORMULAS, *CODE}) >= 80
    assert all("pwned" in one or ";base64," in one for one in (*MARKUP, *LINKS))
    assert len(EVERY) == len(set(EVERY))
    assert len(MARKDOWN) >= 5


def test_an_answer_its_numbers_its_sources_and_the_panel(page: Page, guard: Guard, address):
    page.goto(f"{address}/")
    expect(page.locator("#suggestions button")).to_have_count(len(EVERY))
    guard.looks(page, "#suggestions", EVERY)

    ask(page, f"everything {MARKUP[0]}")
    expect(page.locator(".checked")).to_be_visible()
    expect(page.locator(".formula math").first).to_be_attached()
    guard.looks(page, ".sources .title", EVERY)
    for shown in (".sources .quote", ".sources .section", ".sources .places", ".notices", ".made"):
        guard.looks(page, shown, EVERY)
    # What of it is Markdown is drawn as such; raw HTML is its own text.
    guard.looks(
        page, ".checked", [one for one in MARKUP if "&" not in one and "\n" not in one][:20]
    )

    quotes = page.evaluate(TOOLTIPS, ".checked .marker")
    assert quotes
    assert all("A plain sentence." in one for one in quotes)
    expect(page.locator(".checked abbr")).to_have_count(len(EVERY))
    meanings = page.evaluate(TOOLTIPS, ".checked abbr")
    assert {one.strip() for one in meanings} >= {one.strip() for one in MARKUP[:10]}
    guard.looks(page)


WALK = f"""async ([titles, next]) => {{
  const sweep = {SWEEP};
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const bad = [];
  for (const title of titles) {{
    const shown = () => document.getElementById("panel-title")?.textContent === title
      && document.querySelector(".panel mark");
    const end = performance.now() + 10000;
    while (!shown() && performance.now() < end) await frame();
    if (!shown()) return [...bad, `not shown: ${{title}}`];
    const cells = [...document.querySelectorAll(".panel .text :is(p, li, td, pre, h3)")];
    const squeezed = (text) => text.replace(/\\s/g, "");
    const there = cells.filter((it) => squeezed(it.textContent).includes(squeezed(title)));
    if (there.length < 2) bad.push(`only ${{there.length}} times: ${{title}}`);
    bad.push(...sweep());
    document.querySelector(`.panel-bar [aria-label="${{next}}"]`).click();
  }}
  return bad;
}}"""


def test_each_hostile_page_in_the_panel(page: Page, guard: Guard, address):
    page.goto(f"{address}/")
    ask(page, "everything")
    page.locator(".sources .source").first.click()
    assert "\n".join(page.evaluate(WALK, [list(EVERY), "Next source"])) == ""
    guard.looks(page)


def test_hostile_pages_by_their_own_addresses(page: Page, guard: Guard, address):
    for number in (0, 11, 23, len(MARKUP), len(MARKUP) + 10, len(MARKUP) + 17):
        named = quote(id_of(number), safe="")
        page.goto(f"{address}/documents/{named}?start=0&end=5")
        guard.looks(page, "#panel-title", [EVERY[number]])
        guard.looks(page, ".document-page .text", [EVERY[number]])


def test_a_draft_extracts_nearest_pages_and_trouble(page: Page, guard: Guard, address):
    page.goto(f"{address}/")
    ask(page, "hold")
    expect(page.locator(".draft .formula math").first).to_be_attached()
    guard.looks(page, ".draft", [CODE[0].split("\n")[1], "[click](javascript:pwned())"[1:6]])
    page.locator("#stop").click()
    expect(page.locator(".turn .notice")).to_be_visible()
    guard.looks(page)
    ask(page, "extracts")
    expect(page.locator(".extracts p").nth(len(EVERY))).to_be_attached()
    guard.looks(page, ".extracts", EVERY)
    ask(page, "nothing")
    expect(page.locator(".turn").nth(2).locator(".notice").first).to_be_visible()
    guard.looks(page, ".turn:nth-of-type(3)", EVERY)
    ask(page, "break")
    expect(page.locator(".turn").nth(3).locator(".trouble")).to_be_visible()
    guard.looks(page, ".trouble", MARKUP)


def test_results_and_facets(page: Page, guard: Guard, address):
    page.goto(f"{address}/search?q={quote(MARKUP[11])}&source={quote(MARKUP[12])}")
    guard.looks(page, ".facets", [MARKUP[12]])
    page.goto(f"{address}/search?q={quote(MARKUP[11])}")
    hits = 20
    while hits < len(EVERY):
        expect(page.locator(".hit")).to_have_count(hits)
        page.get_by_role("button", name="Show more").last.click()
        hits = min(hits + 20, len(EVERY))
    expect(page.locator(".hit")).to_have_count(hits)
    guard.looks(page, ".hits", EVERY)
    guard.looks(page, ".facets", EVERY)


def test_addresses_that_hold_them(page: Page, guard: Guard, address):
    guard.forgive("404 (Not Found)")
    for payload in (MARKUP[11], LINKS[0]):
        named = quote(payload, safe="")
        for path in ("?q=", "c/", "shared/", "documents/", "maintain/", "search?q=x&type=", "x/"):
            page.goto(f"{address}/{path}{named}")
            guard.looks(page)
        page.goto(f"{address}/documents/x#{payload}")
        guard.looks(page)


class Lives:
    """What hostile readers leave behind, told over HTTP."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=f"{address}/api/v1", timeout=60)

    def do(self, method: str, path: str, **body: object) -> dict:
        response = self.client.request(method, path, json=body)
        assert response.status_code < 300, (path, body, response.text)
        return response.json()

    def asked(self, question: str, **more: object) -> dict:
        return self.do("POST", "/ask", question=question, **more)


@pytest.fixture
def lives(address: str) -> Iterator[Lives]:
    lives = Lives(address)
    yield lives
    lives.client.close()


def test_names_of_people_groups_and_tokens(page: Page, guard: Guard, address, lives):
    names = batches([one for one in EVERY if "\x00" not in one], 100)
    for name in names:
        lives.do(
            "POST", "/tokens", name=name, scopes=["ask"], expires_at=TOMORROW,
        )  # fmt: skip
    me = lives.client.get("/me").json()
    me |= {"name": " ".join(EVERY), "groups": list(EVERY)}
    page.route("**/api/v1/me", lambda it: it.fulfill(json=me))
    page.goto(f"{address}/tokens")
    expect(page.locator("tbody tr")).to_have_count(len(names))
    guard.looks(page, "tbody", names)
    guard.looks(page, ".account", EVERY)
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.locator("dialog")).to_be_visible()
    guard.looks(page)
