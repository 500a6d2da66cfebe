"""The chat page in a real Chromium: what a person does with it, and what a hostile page tries."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ingest.model import Standing
from tests.web.browser import Browser, chromium
from tests.web.documents import HOSTILE, MENU, SHIFTS

QUESTION = "At how many GeV does the L1_MU4 trigger fire?"
QUOTE = "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations."
MARKED = "[...document.querySelectorAll('#panel mark')].map(m => m.lastChild.data).join('')"
ARCHIVED = Standing(archived=True)
FOCUSED = "document.activeElement"


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    executable = chromium()
    if executable is None:
        pytest.skip("No Chromium is installed here, so the chat page is not tried in a browser.")
    with Browser(executable) as browser:
        yield browser


@pytest.fixture
def page(chrome: Browser, address: str) -> Iterator[Browser]:
    chrome.messages.clear()
    chrome.resize(1280, 800)
    chrome.open(f"{address}/")
    chrome.wait("document.querySelector('#suggestions button')")
    yield chrome
    # A script error or a breach of the content policy is a failure of the page, whatever was seen.
    chrome.run("0")
    chrome.open("about:blank#left")
    assert chrome.messages == []


def ask(page: Browser, question: str) -> None:
    page.click("#question")
    page.type(question)
    page.press("Enter", 13)


def test_a_question_its_passages_its_answer_and_the_highlight(page):
    page.shows("#standing", "3 documents · fake-1")
    page.click("#suggestions li:first-child button")

    # The answer, with the citation that carries its first sentence.
    page.wait("document.querySelector('.checked')")
    assert page.text(".checked .sentence") == QUOTE
    assert page.text(".marker") == "1"
    assert page.run("document.querySelector('.draft')") is None
    # A sentence without support looks different and says so.
    assert page.text(".unsupported").startswith("It has always been this way.")
    assert "(not found in any page)" in page.run(
        "document.querySelector('.unsupported').textContent"
    )
    page.shows("#news", QUOTE)

    # The quote on focus, then the document with exactly the quote highlighted and in view.
    page.run("document.querySelector('.marker').focus()")
    page.shows("#tip", QUOTE)
    page.click(".marker")
    page.wait("document.querySelector('#panel mark')")
    assert page.run(MARKED) == QUOTE
    assert page.run(f"{FOCUSED}.id") == "panel-title"
    assert page.text("#panel .where") == "Thresholds"
    assert page.run("document.querySelector('#panel .links a').rel") == "noopener noreferrer"
    assert page.run("document.querySelectorAll('#panel table th').length") == 4
    assert page.run("document.querySelectorAll('#panel tbody tr')[2].cells[1].innerText") == ""
    assert page.run("document.querySelectorAll('#panel tbody tr')[3].cells[1].innerText") == "a|b"
    assert page.run("document.querySelector('#panel pre').innerText").startswith("from menu")

    # Escape closes it and gives the focus back.
    page.press("Escape", 27)
    page.wait("document.querySelector('#panel').hidden")
    assert page.run(f"{FOCUSED}.className") == "marker"


def test_passages_and_draft_are_shown_while_the_model_writes_and_stop_keeps_them(page, assistant):
    ask(page, "hold the L1_MU4 trigger GeV")

    page.shows(".state", "Reading:")
    page.shows(".turn .pages", "Muon trigger menu")
    page.shows(".draft .prose", QUOTE)
    assert page.text(".draft .label").lower() == "draft, not yet checked"

    page.click("#stop")
    page.shows(".turn .trouble", "You stopped this answer.")
    assert page.text(".draft .label").lower() == "unfinished draft, not checked"
    assert page.text(".draft .prose") == QUOTE
    assert page.run("document.querySelector('#stop').hidden")
    # The model was told to stop, too.
    assert assistant.ended.wait(5)


def test_not_found_extracts_and_trouble_say_what_they_are(page):
    ask(page, "missing L1_MU4 trigger")
    page.shows(".turn .notice", "The documents do not say.")
    page.shows(".turn .sources .pages", "Muon trigger menu")

    ask(page, "away L1_MU4 trigger GeV")
    page.shows(".turn:nth-child(2) .notice", "The model is away.")
    assert page.text(".turn:nth-child(2) .sentence") == QUOTE

    ask(page, "break L1_MU4 trigger GeV")
    page.shows(".turn:nth-child(3) .trouble", "The model server went away. Start it again.")
    # The text so far stays.
    assert page.text(".turn:nth-child(3) .draft .prose") == QUOTE


def test_a_follow_up_takes_the_conversation_along(page, assistant):
    ask(page, QUESTION)
    page.wait("document.querySelectorAll('.checked').length === 1")
    page.run("document.getElementById('question').focus()")
    page.type("And the")
    page.press("Enter", 13, modifiers=8)
    page.type("barrel?")
    page.press("Enter", 13)
    page.wait("document.querySelectorAll('.checked').length === 2")

    # Shift+Enter was a new line, Enter asked.
    assert assistant.asked[1].text == "And the\nbarrel?"
    assert [turn.role for turn in assistant.asked[1].history] == ["user", "assistant"]
    assert assistant.asked[1].history[0].content == QUESTION

    page.click("#fresh")
    assert page.run("document.querySelectorAll('.turn').length") == 0
    ask(page, QUESTION)
    page.wait("document.querySelector('.checked')")
    assert assistant.asked[2].history == ()


def test_a_server_that_is_gone_is_told_and_the_text_stays(page):
    ask(page, QUESTION)
    page.wait("document.querySelector('.checked')")
    page.call("Network.enable")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", offline=True, **offline)
    try:
        ask(page, "Who looks after the trigger?")
        page.shows(".turn:nth-child(2) .trouble", "The server cannot be reached.")
    finally:
        page.call("Network.emulateNetworkConditions", offline=False, **offline)
    assert page.text(".turn .checked .sentence") == QUOTE

    page.messages.clear()  # the browser itself notes the failed request
    page.click(".turn:nth-child(2) .trouble button")
    page.wait("document.querySelectorAll('.checked').length === 2")


def test_an_old_page_is_called_so_and_other_places_of_a_page_are_links(page, assistant):
    old = Standing(archived=True, superseded_by=SHIFTS.id)
    assistant.documents = [replace(MENU, standing=old), replace(SHIFTS, standing=ARCHIVED)]
    assistant.copies = {
        MENU.id: (
            "https://mirror.example.org/menu",
            "docs:copy",
            "javascript:document.title='owned'",
        )
    }
    ask(page, "missing trigger shifter")
    page.shows(".turn .pages", "Muon trigger menu")
    words = "[...document.querySelectorAll('.turn .pages .stands')].map(m => m.innerText).join()"
    assert page.run(words) == "archived,superseded"

    page.click("#fresh")
    ask(page, QUESTION)
    page.wait("document.querySelector('.checked')")
    assert page.text(".cited .facts").endswith("14 Mar 2025 · superseded")
    assert page.text(".cited .places") == f"Superseded by {SHIFTS.id}"
    line = "document.querySelector('.cited .places:last-child')"
    also = page.run(f"{line}.textContent")
    assert also.startswith("Also at https://mirror.example.org/menu (new tab), docs:copy, java")
    # What may not be opened is taken for the id of a document of ours.
    hrefs = f"[...{line}.querySelectorAll('a')].map(a => a.href)"
    assert page.run(f"{hrefs}[0]") == "https://mirror.example.org/menu"
    assert page.run(f"{hrefs}.slice(1).every(h => h.startsWith(location.origin + '/documents/'))")


def test_a_hostile_title_is_shown_and_does_not_run(page, address):
    ask(page, "hostile page")
    page.wait("document.querySelector('.checked')")
    assert page.text(".sources .title") == HOSTILE
    page.click(".marker")
    page.wait("document.querySelector('#panel mark')")

    assert page.text("#panel-title") == HOSTILE
    # A javascript: address of the original is no link.
    assert "Open the original" not in page.text("#panel")
    assert page.run("document.querySelectorAll('[href^=javascript]').length") == 0
    assert page.run("document.querySelectorAll('img').length") == 0
    page.open(f"{address}/documents/mail%3Ahostile?start=0&end=5")
    assert page.text("#panel-title") == HOSTILE
    assert "owned" not in page.run("document.title").replace(HOSTILE, "")


def test_a_link_to_a_place_shows_the_document_alone_with_the_highlight(page, address):
    link = f"{address}/documents/twiki%3ATrigger%2FMuonMenu.txt"
    # The contact line is far below: it must have been scrolled to.
    text = page.run(
        f"fetch('{link.replace('/documents', '/api/v1/documents')}').then(r => r.json())"
        ".then(d => d.blocks.at(-1))"
    )
    page.open(f"{link}?start={text['start']}&end={text['start'] + 49}")
    page.wait("document.querySelector('#panel mark')")

    assert page.run(MARKED) == "The muon trigger is looked after by Ines Okafor. "
    assert page.run("document.title") == "Muon trigger menu · Docent"
    top = page.wait("document.querySelector('mark').getBoundingClientRect().top")
    assert 0 < top < 800
    assert page.run("document.querySelector('#ask').hidden")

    page.open(f"{address}/documents/board%3Asecret")
    page.shows("#panel", "There is no such document, or you may not read it.")
    page.messages.clear()  # the browser itself notes the 404


def test_on_a_phone_nothing_overflows_and_the_panel_covers_the_page(page):
    page.resize(390, 844, dark=True)
    ask(page, QUESTION)
    page.wait("document.querySelector('.checked')")
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.run(fits)
    page.click(".marker")
    page.wait("document.querySelector('#panel mark')")

    assert page.run("document.querySelector('#panel').getBoundingClientRect().left") == 0
    assert page.run("document.querySelector('#talk').inert")
    assert page.run(fits)
    page.click("#panel .close")
    assert not page.run("document.querySelector('#talk').inert")


def test_the_description_of_the_api_is_written_out(page, address):
    page.open(f"{address}/docs")

    assert "POST /api/v1/ask" in page.text(".operation h2")
    assert page.run("document.querySelectorAll('.operation').length") == 5
