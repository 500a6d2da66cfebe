"""Signing in from the editor: a code that is confirmed on the page, behind a real provider."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.servers import oidc
from tests.web.conftest import serving
from tests.web.e2e.test_signed_in import BUDGET, QUESTION, SECRET
from tests.web.fake import FakeAssistant
from tests.web.signin.conftest import listen, settings_for
from tests.web.vscode.conftest import PATIENCE_MS, Editor, Window


@dataclass(frozen=True)
class Site:
    address: str
    assistant: FakeAssistant


@pytest.fixture(scope="module")
def provider() -> Iterator[oidc.OidcProvider]:
    with oidc.running() as found:
        yield found


@pytest.fixture
def site(provider, settings, monkeypatch, editor: Editor) -> Iterator[Site]:
    with listen() as free:
        port = free.getsockname()[1]
    client = provider.register(f"http://127.0.0.1:{port}")
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", client.secret)
    guarded = settings.model_copy(update={"signin": settings_for(provider.issuer, client.id)})
    assistant = FakeAssistant([BUDGET])
    with serving(guarded, assistant, port, heartbeat_s=0.05) as address:
        editor.points_to(address)
        yield Site(address, assistant)


@pytest.fixture
def browser_page(chrome: Browser) -> Iterator[Page]:
    """A browser besides the editor's, where nobody has signed in."""
    context = chrome.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def confirm(page: Page, site: Site, code: str) -> None:
    page.goto(f"{site.address}/device")
    page.locator("main").get_by_role("link", name="Sign in").click()
    page.get_by_label("Account").fill("ada")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.address}/device")
    page.get_by_label("The code that it shows").fill(code.lower())
    page.get_by_role("button", name="Continue").click()
    card = page.get_by_role("group", name="Let a program in")
    expect(card).to_contain_text("code-server")
    expect(card.get_by_role("listitem")).to_have_text(
        ["ask questions", "give feedback", "read documents", "search"]
    )
    page.get_by_role("button", name="Let it in").click()
    expect(page.get_by_role("status").first).to_contain_text("The program is let in.")


def test_a_code_signs_in_and_the_question_that_waited_is_answered(
    site: Site, window: Window, browser_page: Page
):
    panel, page = window.panel, window.page
    expect(panel.locator("#who")).to_contain_text("You are not signed in.")
    window.ask(QUESTION)
    trouble = panel.locator(".trouble")
    expect(trouble).to_contain_text("Your question is kept: sign in, then ask again.")

    panel.locator(".turn").get_by_role("button", name="Sign in").click()
    expect(page.locator(".quick-input-list .focused")).to_contain_text("In the browser")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("give it to nobody")
    code = re.search(r"[B-Z]{4}-[B-Z]{4}", dialog.inner_text())
    assert code
    dialog.get_by_role("button", name="Open the page").click()
    confirm(browser_page, site, code[0])

    # The editor asks every five seconds whether it is let in.
    expect(panel.locator("#who")).to_contain_text("Signed in as Ada Reader.")
    panel.get_by_role("button", name="Ask again").click()
    expect(panel.locator(".checked")).to_contain_text(SECRET)

    window.command("Docent: Sign Out")
    expect(panel.locator("#who")).to_contain_text("You are not signed in.")
    expect(panel.locator(".turn")).to_have_count(0)


def test_a_token_is_looked_at_before_it_is_kept(site: Site, window: Window):
    page = window.page
    expect(window.panel.locator("#who")).to_contain_text("You are not signed in.")
    window.panel.locator("#who").get_by_role("button", name="Sign in").click()
    page.locator(".quick-input-list").get_by_text("With an API token").click()
    box = page.locator(".quick-input-widget input.input")
    expect(box).to_have_attribute("type", "password")
    box.fill(f"docent_{'0' * 16}_{'1' * 64}")
    page.keyboard.press("Enter")
    expect(page.locator(".notifications-toasts")).to_contain_text("expired or was revoked")
    expect(window.panel.locator("#who")).to_contain_text("You are not signed in.")
