"""What a hostile page may do in the browser of its reader: nothing."""

from playwright.sync_api import Page, expect

from tests.web.documents import HOSTILE
from tests.web.e2e.conftest import ask


def test_a_hostile_title_is_shown_and_does_not_run(page: Page, address):
    ask(page, "hostile page")
    expect(page.locator(".sources .title").first).to_have_text(HOSTILE)
    page.locator(".checked .marker").first.click()
    expect(page.locator(".panel mark").first).to_be_visible()

    expect(page.locator("#panel-title")).to_have_text(HOSTILE)
    # A javascript: address of the original is no link.
    expect(page.get_by_text("Open the original")).to_have_count(0)
    assert page.locator("[href^=javascript]").count() == 0
    assert page.locator("img").count() == 0
    page.goto(f"{address}/documents/mail%3Ahostile?start=0&end=5")
    expect(page.locator("#panel-title")).to_have_text(HOSTILE)
    assert "owned" not in page.title().replace(HOSTILE, "")
