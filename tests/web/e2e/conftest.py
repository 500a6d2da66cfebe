"""The built page in the Chromium of this machine, over the real application and a fake assistant.

Without a Chromium these tests are deselected, and the head of the report says so.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.servers import oidc
from tests.web.browser import chromium
from web.pages import DIST, NOT_BUILT

# No name but ours may resolve: a page that tries to reach anything else fails.
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PATIENCE_MS = 20_000
"""A machine under load draws slowly; nothing waits longer than it has to."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if chromium():
        return
    here = [item for item in items if item.path.parent.name == "e2e"]
    if here:
        config.hook.pytest_deselected(items=here)
        items[:] = [item for item in items if item not in here]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    assert (DIST / "index.html").is_file(), NOT_BUILT
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        browser.close()


class Watch:
    """What a page wrote to its console: policy violations and uncaught errors among it."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def over(self, page: Page, of: str = "") -> None:
        """Listen to a page; with `of` only to what comes from that address."""

        def note(message: ConsoleMessage) -> None:
            if message.location["url"].startswith(of):
                self.messages.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: self.messages.append(str(error)))

    def forgive(self, text: str) -> None:
        """The browser itself notes refused requests; what else was written stays a failure."""
        self.messages = [message for message in self.messages if text not in message]


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    # A script error or a breach of the content policy is a failure, whatever was seen.
    assert watch.messages == []


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    context = chrome.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", color_scheme="light"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, watch: Watch, address: str) -> Page:
    page = context.new_page()
    watch.over(page)
    page.goto(f"{address}/")
    expect(page.locator("#suggestions button").first).to_be_visible()
    return page


@pytest.fixture(scope="module")
def provider() -> Iterator[oidc.OidcProvider]:
    with oidc.running() as found:
        yield found


SignIn = Callable[..., Page]


@pytest.fixture
def signed_in(chrome: Browser, watch: Watch, site: Any) -> Iterator[SignIn]:
    """`signed_in(account, path)` is a page of a browser of its own, where somebody signed in.

    `lands` is the path where the sign-in ends, if it is another. The `site` of the test has the
    `address` of an application behind the sign-in.
    """
    opened: list[BrowserContext] = []

    def sign_in(account: str, path: str = "/", lands: str = "") -> Page:
        context = chrome.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        page = context.new_page()
        page.goto(site.address + path)
        expect(page.get_by_role("heading", name="Sign in to ask")).to_be_visible()
        page.locator("main").get_by_role("link", name="Sign in").click()
        page.get_by_label("Account").fill(account)
        # What the page was refused before is noted by the browser, now or a little later, until it
        # has left the page for the provider's.
        page.on(
            "console",
            lambda message: (
                watch.messages.append(message.text)
                if message.location["url"].startswith(site.address)
                else None
            ),
        )
        shot(page, "at-the-provider")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: url == site.address + (lands or path))
        expect(page.locator(".account")).to_be_visible()
        return page

    yield sign_in
    for context in opened:
        context.close()


def ask(page: Page, question: str) -> None:
    page.locator("#question").fill(question)
    page.keyboard.press("Enter")


def shot(page: Page, name: str) -> None:
    """Keep a picture of what is seen now, in the folder that DOCENT_SCREENSHOTS names, if any."""
    folder = os.environ.get("DOCENT_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
