"""What hostile authors, readers and models wrote, on every page that shows it: nothing runs.

Over a hundred payloads in every place where foreign text can stand, in the real Chromium; the guard
fails on a call of `pwned`, a breach of the policy, a message on the console, a request or a
navigation elsewhere, a dialog, a second page, and on anything in the page that could run.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pypdf
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

TOLD = batches(EVERY, 900)
KEPT = [one.replace("\0", "\ufffd") for one in EVERY]
"""As the database keeps them: PostgreSQL takes no NUL in a text."""
ASKED = batches(KEPT, 900)
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
    broken, coded = (EVERY.index(one) for one in (MARKUP[14], LINKS[7]))
    assert "\n" in id_of(broken)
    assert "%0a" in id_of(coded)
    for number in (0, 11, broken, coded, len(MARKUP), len(MARKUP) + 10, len(MARKUP) + 17):
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

    def do(self, method: str, path: str, **body: object) -> dict[str, Any]:
        response = self.client.request(method, path, json=body)
        assert response.status_code < 300, (path, body, response.text)
        told: dict[str, Any] = response.json()
        return told

    def asked(self, question: str, **more: object) -> dict[str, Any]:
        return self.do("POST", "/ask", question=question, **more)


@pytest.fixture
def lives(address: str) -> Iterator[Lives]:
    lives = Lives(address)
    yield lives
    lives.client.close()


@pytest.fixture
def kept(lives: Lives) -> tuple[str, str]:
    """A conversation of all payloads, with a hostile title, and the share of it: their ids.

    They stand in its questions, in answers that repeat them and in one answer that cites them all.
    """
    own = lives.asked("everything")["conversation_id"]
    for payloads in TOLD:
        lives.asked(payloads, conversation_id=own)
    lives.do("PATCH", f"/conversations/{own}", title=MARKUP[11])
    return own, lives.do("POST", f"/conversations/{own}/share")["share_id"]


def _looks_at_the_whole(page: Page, guard: Guard) -> None:
    """At all questions and answers of the kept conversation, and at the panel beside it."""
    expect(page.locator(".turn")).to_have_count(1 + len(ASKED))
    expect(page.locator(".formula math").first).to_be_attached()
    guard.looks(page, ".question", ASKED)
    for shown in (".sources .title", ".sources .quote", ".notices", ".made"):
        guard.looks(page, shown, EVERY)
    # The source of a number of a stored answer, and all that follow it.
    page.locator(".turn").first.locator(".sources .source").first.click()
    assert "\n".join(page.evaluate(WALK, [list(EVERY[:12]), "Next source"])) == ""
    page.locator(".panel .close").click()
    expect(page.locator(".panel")).to_have_count(0)


def _addresses_in(printed: bytes) -> list[str]:
    """Where the links of a PDF lead; a test of its own kind says that there is nothing else."""
    found = []
    for sheet in pypdf.PdfReader(io.BytesIO(printed)).pages:
        for annotation in sheet.get("/Annots", []):
            action = annotation.get_object().get("/A", {})
            assert action.get("/S", "/URI") == "/URI", action
            found += [str(action["/URI"])] if "/URI" in action else []
    return found


def test_a_stored_conversation_and_its_print_view(page: Page, guard: Guard, address, lives, kept):
    titled = batches(KEPT, 200)
    for payloads in titled:
        other = lives.asked("missing")["conversation_id"]
        lives.do("PATCH", f"/conversations/{other}", title=payloads)

    page.goto(f"{address}/c/{kept[0]}")
    _looks_at_the_whole(page, guard)
    expect(page).to_have_title(f"{MARKUP[11]} · Docent")
    expect(page.locator(".side-line")).to_have_count(1 + len(titled))
    guard.looks(page, ".side-line", [MARKUP[11], *titled])
    page.get_by_role("button", name="Actions for").first.click()
    guard.looks(page)
    page.keyboard.press("Escape")

    page.emulate_media(media="print")
    guard.looks(page, ".question", ASKED)
    printed = page.pdf()
    assert b"/JavaScript" not in printed
    links = _addresses_in(printed)
    assert links
    assert {link.partition(":")[0] for link in links} <= {"http", "https"}


def test_a_share_of_it(page: Page, guard: Guard, address, kept):
    page.goto(f"{address}/shared/{kept[1]}")
    _looks_at_the_whole(page, guard)
    guard.looks(page, "h1", [MARKUP[11]])
    page.emulate_media(media="print")
    guard.looks(page, ".question", ASKED)


def _hostile_sources_and_runs(page: Page) -> None:
    """What the maintainers are told of sources, as a hostile system would name its pages."""
    hostile, now = " ".join(EVERY), datetime.now(UTC).isoformat()
    numbers = dict.fromkeys(("documents", "chunks", "new", "changed", "unchanged", "removed"), 1)
    failures = [
        {"page_id": one, "reason": one, "at": now, "attempts": 1, "next_try": None}
        for one in EVERY
    ]  # fmt: skip
    source = {
        **numbers, "name": hostile, "kind": hostile, "condition": "trouble", "keeper": hostile,
        "last_run": now, "last_success": None, "next_try": None, "seconds": 1, "kept_back": 0,
        "trouble": hostile, "failed": len(EVERY), "failures": failures,
    }  # fmt: skip
    run = {
        **numbers, "id": "1", "source": hostile, "by": hostile, "started_at": now,
        "finished_at": None, "state": "trouble", "progress": hostile, "message": hostile,
        "generation": 1, "failed": 1,
    }  # fmt: skip
    night = {
        "started": now, "outcome": hostile, "why": hostile, "served": 1, "newest": 1, "seconds": 1,
    }  # fmt: skip
    runs = {"running": run, "runs": [run], "nights": [night]}
    page.route("**/api/v1/admin/sources", lambda it: it.fulfill(json={"sources": [source]}))
    page.route("**/api/v1/admin/runs*", lambda it: it.fulfill(json=runs))


def test_what_maintainers_see(page: Page, guard: Guard, address, lives):
    for number, link in enumerate(LINKS):
        told = TOLD[number % len(TOLD)]
        asked = lives.asked(told)
        given = {"helpful": False, "wrong_sentences": [0], "text": told, "right_page": link}
        lives.do("POST", f"/messages/{asked['message_id']}/feedback", **given)
    # What pages are worn and which are lacking is told of questions and answers alike.
    lives.asked("everything")
    for payloads in TOLD:
        lives.asked(f"{payloads} missing")
    _hostile_sources_and_runs(page)

    for tab, shown in (
        ("sources", EVERY), ("feedback", [*ASKED, *LINKS]), ("candidates", [*ASKED, *LINKS]),
        ("gaps", [*ASKED, EVERY[0]]), ("usage", ()), ("generations", ()),
    ):  # fmt: skip
        page.goto(f"{address}/maintain/{tab}")
        expect(page.locator(".maintain > :nth-child(3)")).to_be_attached()
        page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
        guard.looks(page, "main", shown)
    # The audit log takes its time: what the page was told now is what it has to show.
    with page.expect_response("**/api/v1/admin/stale*") as answered:
        page.goto(f"{address}/maintain/stale")
    worn = [it["title"] for one in answered.value.json()["stale"] for it in one["pages"]]
    assert len(worn) > 10
    guard.looks(page, "main", worn)
    page.goto(f"{address}/maintain/candidates")
    page.get_by_role("button", name="Accept").first.click()
    expect(page.locator("dialog")).to_be_visible()
    guard.looks(page)


def test_names_of_people_groups_and_tokens(page: Page, guard: Guard, address, lives):
    names = batches([one for one in EVERY if "\x00" not in one], 200)
    assert len(names) <= 50
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
