"""Asking in the editor: the stream, the citation's file and line, selections, errors, hovers."""

import re

import pytest
from playwright.sync_api import expect

from tests.web.conftest import serving
from tests.web.fake import FakeAssistant
from tests.web.signin.conftest import listen
from tests.web.vscode.conftest import Editor, Window

QUESTION = "At how many GeV does the L1_MU4 trigger fire?"
QUOTE = "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations."
SENTENCE = "fires at 4 GeV in the barrel and needs two stations."


@pytest.fixture
def docent(settings, assistant, editor: Editor):
    with serving(settings, assistant, heartbeat_s=0.05) as address:
        editor.points_to(address)
        yield address


def test_ask_stream_click_a_citation_and_see_the_file_at_the_line(
    docent, window: Window, assistant: FakeAssistant
):
    panel, page = window.panel, window.page
    # The draft is there before the answer, which here never comes; stopping stops the model.
    window.ask("hold the L1_MU4 trigger GeV")
    expect(panel.locator(".draft")).to_have_text(QUOTE + " ")
    expect(panel.locator(".label")).to_have_text("Draft, not yet checked")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator(".state")).to_contain_text("You stopped this answer.")
    assert assistant.ended.wait(20)

    window.ask(QUESTION)
    turn = panel.locator(".turn").nth(1)
    expect(turn.locator(".checked")).to_contain_text(SENTENCE)
    expect(turn.locator(".unsupported")).to_have_text("It has always been this way.")
    expect(turn.locator(".notice")).to_contain_text("The menu is of last year.")

    # The quote stands in lines 9 and 10, marked up; all of it is selected.
    turn.locator(".checked .marker").first.click()
    expect(page.get_by_role("tab", name="MuonMenu.txt")).to_be_visible()
    expect(window.position).to_contain_text("Ln 10, Col 23 (")
    assert "fires at `4 GeV` in the barrel" in "\n".join(window.lines)

    # As a comment, above the line where the cursor is.
    window.open_file("barrel.py", 4)
    turn.get_by_role("button", name="Insert source 1 as comment").click()
    expect(page.locator(".editor-instance .view-lines")).to_contain_text("# Source:")
    lines = window.lines
    at = lines.index('Threshold("L1_MU4", gev=5).check()')
    assert lines[at - 3 : at] == [
        f"# {QUOTE}",
        "# Source: Muon trigger menu, Thresholds",
        "# https://wiki.example.org/Trigger/MuonMenu",
    ]

    turn.get_by_role("button", name="Helpful", exact=True).click()
    expect(turn.get_by_role("button", name="Helpful", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )

    # What is not in the folder is opened in the browser, which asks first.
    window.ask("When the rate of a muon trigger doubles")
    panel.locator(".turn").nth(2).locator(".title", has_text="Run coordination").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("https://docs.example.org/shifts/run-coordination/")
    dialog.get_by_role("button", name="Cancel").click()


def test_selections_errors_and_hovers(docent, window: Window, assistant: FakeAssistant):
    page = window.page
    window.open_file("menu.py", 4)
    page.keyboard.press("Shift+End")
    window.command("Docent: Ask about Selection")
    box = page.locator(".quick-input-widget input.input")
    expect(page.locator(".quick-input-widget")).to_contain_text("about these lines")
    box.fill("Is 5 GeV right for L1_MU4?")
    page.keyboard.press("Enter")
    expect(window.panel.locator(".turn")).to_have_class("turn answered")
    # The lines that were chosen, and nothing else of the file; no password of the repository.
    assert assistant.asked[-1].text == (
        "Is 5 GeV right for L1_MU4?\n\nFile: src/menu.py, line 4 (python)\n"
        "Repository: https://git.example.org/muon/menu\n\n"
        '```python\nThreshold("L1_MU4", gev=5).check()\n```'
    )

    window.open_file("broken.json", 3)
    expect(page.locator("#status\\.problems")).to_contain_text("1")
    window.command("Docent: Explain This Error")
    expect(window.panel.locator(".turn")).to_have_count(2)
    expect(window.panel.locator(".turn").nth(1).locator(".question")).to_contain_text("comma")
    expect(window.panel.locator(".turn").nth(1)).to_have_class("turn answered")
    asked = assistant.asked[-1].text
    assert asked.startswith("What does this error mean, and what is to be done?")
    assert '"stations": 2' in asked
    assert "threshold" not in asked

    window.open_file("menu.py", 3)
    page.locator(".editor-instance .view-line span", has_text="GRL").last.hover()
    hover = page.locator(".monaco-hover").first
    expect(hover).to_contain_text("GRL: good run list")
    expect(hover.get_by_role("link", name="Muon trigger menu")).to_be_visible()
    assert hover.locator("img").count() == 0

    # A name, of which a page says something.
    page.keyboard.press("Escape")
    page.locator(".editor-instance .view-line span", has_text="L1_MU4").last.hover()
    expect(page.locator(".monaco-hover").first).to_contain_text("fires at 4 GeV in the barrel")


def test_a_server_that_is_away_loses_no_question(
    settings, assistant: FakeAssistant, editor: Editor, window: Window
):
    with listen() as free:
        port = free.getsockname()[1]
    editor.points_to(f"http://127.0.0.1:{port}")
    expect(window.panel.locator("#who")).to_contain_text("cannot be reached")
    window.ask(QUESTION)
    expect(window.panel.locator(".trouble")).to_contain_text("Your question is kept")

    # It outlives that the window is closed.
    window.page.reload()
    expect(window.panel.locator(".question")).to_have_text(QUESTION)
    expect(window.panel.locator(".trouble")).to_contain_text("The editor was closed")
    with serving(settings, assistant, port, heartbeat_s=0.05):
        window.panel.get_by_role("button", name="Ask again").click()
        expect(window.panel.locator(".checked")).to_contain_text(SENTENCE)


def test_hostile_text_stays_text(docent, window: Window):
    window.ask("A hostile page and nothing else")
    checked = window.panel.locator(".checked")
    expect(checked).to_contain_text("<img src=x onerror=")
    assert window.panel.locator("img, [onerror]").count() == 0
    assert window.page.title() != "owned"
    # Its address is none to open. The server's own page is, and an editor trusts its own machine.
    with window.page.context.expect_page() as opened:
        window.panel.locator(".title").first.click()
    assert re.search(r"/documents/mail(:|%3A)hostile\?start=0&end=\d+$", opened.value.url)
