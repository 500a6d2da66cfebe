"""Asking: the stream, the checked answer, its citations, and what can go wrong."""

import re
from dataclasses import replace

from playwright.sync_api import Page, Route, expect

from ingest.model import Standing
from tests.web.documents import MENU, SHIFTS
from tests.web.e2e.conftest import ask

QUESTION = "At how many GeV does the L1_MU4 trigger fire?"
QUOTE = "The L1_MU4 trigger 🧲 fires at 4 GeV in the barrel and needs two stations."


def test_a_question_its_answer_and_the_highlighted_passage(page: Page):
    expect(page.locator("#standing")).to_contain_text("3 documents")
    page.locator("#suggestions button").first.click()

    # The checked answer with its numbers; no draft is left.
    checked = page.locator(".checked")
    expect(checked).to_contain_text(QUOTE)
    expect(page.locator(".draft")).to_have_count(0)
    assert checked.locator(".marker").first.inner_text() == "1"
    # A sentence without support looks different and says so.
    expect(page.locator(".unsupported")).to_have_text("It has always been this way.")
    expect(checked).to_contain_text("(not found in any page)")
    expect(page.locator("#news")).to_contain_text(QUOTE)
    assert "/c/" in page.url

    # The quote on focus, then the page with exactly the quote highlighted and in view.
    page.locator(".checked .marker").first.focus()
    expect(page.get_by_role("tooltip")).to_contain_text(QUOTE)
    page.locator(".checked .marker").first.click()
    expect(page.locator(".panel mark")).to_have_text(f"Quoted: {QUOTE}")
    expect(page.locator(".panel mark")).to_be_in_viewport()
    expect(page.locator(".panel .where")).to_have_text("Thresholds")
    expect(page.locator(".panel .facts").last).to_contain_text("A. Keeper")
    original = page.locator(".panel .links a").first
    assert original.get_attribute("rel") == "noopener noreferrer"
    expect(original).to_have_attribute("href", re.compile(rf"^{re.escape(MENU.url)}#"))
    expect(page.locator(".panel table thead th")).to_have_count(4)
    assert page.locator(".panel tbody tr").nth(2).locator("td").nth(1).inner_text() == ""
    assert page.locator(".panel tbody tr").nth(3).locator("td").nth(1).inner_text() == "a|b"
    expect(page.locator(".panel pre").first).to_contain_text("from menu import")

    # Escape closes it and gives the focus back.
    page.keyboard.press("Escape")
    expect(page.locator(".panel")).to_have_count(0)
    expect(page.locator(".checked .marker").first).to_be_focused()


def test_pages_and_draft_are_shown_while_the_model_writes_and_stop_keeps_them(page, assistant):
    ask(page, "hold the L1_MU4 trigger GeV")

    expect(page.locator(".draft .prose")).to_have_text(QUOTE)
    expect(page.locator(".draft .label")).to_have_text("Draft, not yet checked")
    page.locator("#stop").click()
    expect(page.locator(".turn .notice")).to_have_text("You stopped this answer.")
    expect(page.locator(".draft .label")).to_have_text("Unfinished draft, not checked")
    expect(page.locator(".draft .prose")).to_have_text(QUOTE)
    expect(page.locator("#stop")).to_have_count(0)
    # The model was told to stop, too.
    assert assistant.ended.wait(10)


def test_not_found_extracts_and_trouble_say_what_they_are(page: Page):
    turn = page.locator(".turn")
    ask(page, "missing L1_MU4 trigger")
    expect(turn.nth(0).locator(".notice")).to_have_text("The documents do not say.")
    expect(turn.nth(0).locator(".sources").first).to_contain_text("Muon trigger menu")
    expect(turn.nth(0).locator(".sources").last).to_contain_text("wrote the menu")

    ask(page, "away L1_MU4 trigger GeV")
    expect(turn.nth(1).locator(".notice")).to_have_text("The model is away.")
    expect(turn.nth(1).locator(".extracts")).to_contain_text(QUOTE)

    ask(page, "break L1_MU4 trigger GeV")
    expect(turn.nth(2).locator(".trouble")).to_have_text(
        "The model server went away. Start it again."
    )
    # The text so far stays.
    expect(turn.nth(2).locator(".draft .prose")).to_have_text(QUOTE)


def test_a_follow_up_an_edited_question_and_a_new_conversation(page: Page, assistant):
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_have_count(1)
    page.locator("#question").focus()
    page.keyboard.type("And the")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("barrel?")
    page.keyboard.press("Enter")
    expect(page.locator(".checked")).to_have_count(2)

    # Shift+Enter was a new line, Enter asked, and the server knows what was said before.
    assert assistant.asked[1].text == "And the\nbarrel?"
    assert [turn.role for turn in assistant.asked[1].history] == ["user", "assistant"]
    assert assistant.asked[1].history[0].content == QUESTION

    # An edited question takes the place of itself and what followed.
    page.get_by_role("button", name="Edit the question").first.click()
    expect(page.locator("#question")).to_have_value(QUESTION)
    ask(page, "Who looks after the muon trigger?")
    expect(page.locator(".question")).to_have_text(["Who looks after the muon trigger?"])
    expect(page.locator(".checked")).to_have_count(1)
    assert assistant.asked[2].history == ()

    page.locator("#fresh").click()
    expect(page.locator(".turn")).to_have_count(0)
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_have_count(1)
    assert assistant.asked[3].history == ()
    expect(page.locator(".side-line")).to_have_count(2)


def test_a_server_that_is_gone_is_told_and_what_was_said_stays(page: Page, context, watch):
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_have_count(1)
    context.set_offline(True)
    ask(page, "Who looks after the trigger?")
    expect(page.locator(".turn").nth(1).locator(".trouble")).to_contain_text(
        "The server cannot be reached."
    )
    context.set_offline(False)
    watch.forgive("net::ERR_INTERNET_DISCONNECTED")
    expect(page.locator(".checked")).to_contain_text(QUOTE)

    page.locator(".turn").nth(1).get_by_role("button", name="Ask again").click()
    expect(page.locator(".checked")).to_have_count(2)


def test_an_answer_that_was_cut_goes_on_where_it_stopped(page: Page, assistant, watch):
    cut = []

    def once(route: Route) -> None:
        # The first events only: the line breaks in mid-answer.
        whole = route.fetch().text()
        cut.append(whole)
        events = whole.replace("\r\n", "\n").split("\n\n")
        route.fulfill(body="\n\n".join(events[:3]) + "\n\n", content_type="text/event-stream")

    page.route("**/api/v1/ask", once, times=1)
    ask(page, QUESTION)

    expect(page.locator(".checked")).to_contain_text(QUOTE)
    assert len(cut) == 1
    assert len(assistant.asked) == 1


def test_sign_in_that_expired_and_too_many_questions_keep_what_was_typed(page: Page, watch):
    problem = '{"title": "x", "status": 401, "detail": "Sign in.", "type": "about:blank"}'
    page.route("**/api/v1/ask", lambda route: route.fulfill(status=401, body=problem), times=1)
    ask(page, QUESTION)
    expect(page.locator(".trouble")).to_contain_text("Your sign-in has expired.")
    expect(page.locator(".trouble a")).to_have_text("Sign in")
    page.reload()
    # Coming back from the sign-in, the question is there to be asked again.
    expect(page.locator(".question")).to_have_text(QUESTION)
    page.route(
        "**/api/v1/ask",
        lambda route: route.fulfill(status=429, body=problem, headers={"Retry-After": "7"}),
        times=1,
    )
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".trouble")).to_contain_text("Try again in 7 seconds.")
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".checked")).to_contain_text(QUOTE)
    watch.forgive("Failed to load resource")


def test_an_old_page_is_called_so_and_other_places_of_a_page_are_links(page: Page, assistant):
    old = Standing(archived=True, superseded_by=SHIFTS.id)
    assistant.documents = [
        replace(MENU, standing=old), replace(SHIFTS, standing=Standing(archived=True)),
    ]  # fmt: skip
    places = ("https://mirror.example.org/menu", "docs:copy", "javascript:document.title='owned'")
    assistant.copies = {MENU.id: places}
    ask(page, QUESTION)

    cited = page.locator(".cited").first
    expect(cited.locator(".badge")).to_have_text("superseded")
    expect(cited.locator(".places").first).to_have_text(f"Superseded by {SHIFTS.id}")
    also = cited.locator(".places").last.locator("a")
    assert also.nth(0).get_attribute("href") == "https://mirror.example.org/menu"
    # What may not be opened is taken for the id of a document of ours.
    for at in (1, 2):
        expect(also.nth(at)).to_have_attribute("href", re.compile("^/documents/"))
    # The notice stands beside the answer, with the number that it is about.
    expect(page.locator(".notices li")).to_contain_text("The menu is of last year.")
    expect(page.locator(".notices .marker")).to_have_text("1")
