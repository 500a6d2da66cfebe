"""The first view of the page in the real Chromium: its weight, and when what is to be seen.

Over the real server with an assistant in memory that answers at once, so that what is measured is
the page and the way of the first token, neither search nor model. The cache is empty and the
processor is not slowed down; DOCENT_BENCH_VIEWS (5) loads, of each number the middle one and the
worst.
"""

import os
import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.web.browser import chromium
from tests.web.conftest import assistant, new_state, serving, settings  # noqa: F401 - fixtures
from tests.web.e2e.conftest import FLAGS
from web.pages import DIST, NOT_BUILT

pytestmark = pytest.mark.bench

VIEWS = int(os.environ.get("DOCENT_BENCH_VIEWS", "5"))
MOST_KB = 500
"""Of the first view, as it is transferred."""

OBSERVE = """
  globalThis.seen = { lcp: 0, shift: 0, blocked: 0, longest: 0 };
  const watch = (type, each) => new PerformanceObserver((list) => list.getEntries().forEach(each))
    .observe({ type, buffered: true });
  watch("largest-contentful-paint", (it) => { seen.lcp = it.startTime; });
  watch("layout-shift", (it) => { if (!it.hadRecentInput) seen.shift += it.value; });
  watch("longtask", (it) => {
    seen.blocked += Math.max(0, it.duration - 50);
    seen.longest = Math.max(seen.longest, it.duration);
  });
"""
PAINTED = """() => ({
  ...seen,
  fcp: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
  loaded: performance.getEntriesByType("navigation")[0].loadEventEnd,
})"""
FIRST_TOKEN = """(question) => new Promise((done) => {
  const field = document.querySelector("#question");
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, question);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => {
    const begin = performance.now();
    new MutationObserver((_, observer) => {
      const text = document.querySelector(".draft .prose, .checked")?.textContent;
      if (!text) return;
      observer.disconnect();
      requestAnimationFrame(() => done(performance.now() - begin));
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    field.form.requestSubmit();
  });
})"""


class Weight:
    """Bytes that came over the wire, headers among them, as Chromium counts them."""

    def __init__(self, session: CDPSession) -> None:
        self.bytes = 0
        self.requests = 0
        session.on("Network.loadingFinished", self._add)
        session.send("Network.enable")

    def _add(self, told: dict[str, Any]) -> None:
        self.bytes += told["encodedDataLength"]
        self.requests += 1


@pytest.fixture
def chrome() -> Iterator[Browser]:
    found = chromium()
    assert found, "There is no Chromium on this machine: install one, or set its path."
    assert (DIST / "index.html").is_file(), NOT_BUILT
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


def view(chrome: Browser, address: str) -> dict[str, float]:
    """One first visit: a new profile, the page until it is quiet, then a question."""
    context = chrome.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    weight = Weight(context.new_cdp_session(page))
    page.add_init_script(OBSERVE)
    page.goto(f"{address}/")
    page.locator("#suggestions button").first.wait_for()
    page.wait_for_load_state("networkidle")
    told = page.evaluate(PAINTED)
    kilobytes, requests = weight.bytes / 1000, weight.requests
    token_ms = asked(page)
    context.close()
    return {
        "page weight, kB": kilobytes,
        "requests": requests,
        "first contentful paint, ms": told["fcp"],
        "largest contentful paint, ms": told["lcp"],
        "total blocking time, ms": told["blocked"],
        "longest task, ms": told["longest"],
        "layout shift": told["shift"],
        "loaded, ms": told["loaded"],
        "question to first token, ms": token_ms,
    }


def asked(page: Page) -> float:
    """Milliseconds from Enter until the first word of the answer is painted."""
    took: float = page.evaluate(FIRST_TOKEN, "At how many GeV does the L1_MU4 trigger fire?")
    return took


def test_the_first_view(chrome, settings, assistant):  # noqa: F811 - fixtures
    with serving(settings, assistant) as address:
        views = [view(chrome, address) for _ in range(VIEWS)]
    load = os.getloadavg()[0]
    print(f"\nFirst view, {VIEWS} visits with an empty cache, load average {load:.1f}:")
    print(f"  {'':32}{'middle':>10}{'worst':>10}")
    for name in views[0]:
        all_of = [one[name] for one in views]
        digits = 3 if name == "layout shift" else 0
        print(f"  {name:32}{statistics.median(all_of):>10.{digits}f}{max(all_of):>10.{digits}f}")
    assert max(one["page weight, kB"] for one in views) < MOST_KB
    assert max(one["layout shift"] for one in views) < 0.1
