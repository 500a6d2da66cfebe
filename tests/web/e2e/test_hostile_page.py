"""What a hostile page may do in the browser of its reader: nothing."""

import json

import pytest
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


FORMULAS = (
    r"\fcolorbox{red}{blue}{y}",
    r"\pmb{z}",
    r"\def\a{\pmb{z}}\a",
    r"\newcommand{\b}{\fcolorbox{red}{blue}{x}}\b",
    r"\htmlStyle{color:red}{x}",
    r"\htmlData{onclick=alert(1)}{x}",
    r"\href{javascript:alert(1)}{x}",
    r"\url{javascript:alert(1)}",
    r"\includegraphics{https://evil.example.org/x.png}",
    r"\unknown{x",
    r"\def\x{\x\x}\x",
    r"\frac{a}{b}\begin{pmatrix}a\\b\end{pmatrix}",
)


@pytest.mark.parametrize("status", ["answered", "extracts"])
def test_formulas_neither_link_nor_load_nor_breach_the_policy(page: Page, status):
    sentences = [
        {"text": f"This is ${formula}$ here.", "citations": [], "supported": True}
        for formula in FORMULAS
    ]
    answer: dict[str, object] = {
        "question": "?", "status": status, "sentences": sentences, "citations": [],
        "answer": "\n".join(f"This is ${formula}$ here." for formula in FORMULAS), "passages": [],
        "score": 1, "notices": [], "contacts": [], "model": "m", "timings": {},
    }  # fmt: skip
    stream = {"stream_id": "s", "conversation_id": None, "question_id": None, "answer_id": None}
    events: list[tuple[str, object]] = [("stream", stream), ("answer", answer)]
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    page.route(
        "**/api/v1/ask",
        lambda route: route.fulfill(status=200, content_type="text/event-stream", body=body),
    )
    ask(page, "anything")

    if status == "answered":
        # The last one is a formula as people write them: drawn, and told to those who listen.
        expect(page.locator(".checked p").last.locator("math")).to_have_count(1)
        # What cannot be read stays as it was written.
        expect(page.locator(".checked")).to_contain_text(r"\unknown{x")
    else:
        # Words of a page are no Markdown and no formula.
        expect(page.locator(".checked")).to_contain_text(FORMULAS[0])
    assert page.locator(".checked a, .checked img, .checked [onclick]").count() == 0
