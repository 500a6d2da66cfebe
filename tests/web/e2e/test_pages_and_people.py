"""Searching, conversations and their links, tokens, settings: what is there besides asking."""

import re

from playwright.sync_api import Page, expect

from ingest.model import BlockKind
from tests.web.e2e.conftest import ask
from tests.web.fake import a_document

QUESTION = "At how many GeV does the L1_MU4 trigger fire?"


def test_search_with_facets_and_the_passage_highlighted(page: Page, address):
    page.keyboard.press("s")
    page.locator("#search").fill("muon trigger shifter")
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_be_visible()
    count = page.locator(".facets .check", has_text="docs").locator(".count")
    expect(count).to_have_text("1")

    page.locator(".facets .check", has_text="docs").locator("input").check()
    expect(page).to_have_url(re.compile(r"source=docs"))
    expect(page.locator(".hit .title")).to_have_text([re.compile("Run coordination")])
    page.locator(".hit a").first.click()
    expect(page.locator(".panel mark")).to_contain_text("When the rate of a muon trigger doubles")

    # The address is the search: it can be linked, and gone back from.
    page.go_back()
    expect(page.locator(".facets input:checked")).to_have_count(0)
    page.goto(f"{address}/search?q=nothinglikethis&type=text")
    expect(page.locator(".notice")).to_contain_text("No page has anything near this.")

    # What looks like an escape of an address is what was typed.
    page.locator("#search").fill("100%41 muon")
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("100%41 muon"))
    expect(page.locator("#search")).to_have_value("100%41 muon")


def test_a_question_kept_to_a_source(page: Page, assistant):
    page.locator(".chip-label").first.click()
    page.locator(".popover .check", has_text="docs").locator("input").check()
    page.keyboard.press("Escape")
    expect(page.locator(".chip.set")).to_have_text("docs")
    ask(page, "muon trigger")
    expect(page.locator(".checked")).to_contain_text("When the rate of a muon trigger doubles")
    assert assistant.asked[0].filter.sources == frozenset({"docs"})


def test_a_conversation_is_found_renamed_shared_exported_and_deleted(page: Page, address):
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_be_visible()
    menu = page.get_by_role("button", name="Actions for")

    menu.click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_label("Title of the conversation").fill("Thresholds")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".side-line")).to_contain_text("Thresholds")
    expect(page).to_have_title("Thresholds · Docent")
    page.get_by_placeholder("Search conversations").fill("nowhere")
    expect(page.locator(".side-line")).to_have_count(0)
    page.get_by_placeholder("Search conversations").fill("gev")
    expect(page.locator(".side-line")).to_have_count(1)

    menu.click()
    page.get_by_role("menuitem", name="Share").click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("dialog input").input_value()
    page.keyboard.press("Escape")
    menu.click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="Export as Markdown").click()
    assert download.value.suggested_filename == "conversation.md"

    own = page.url
    page.goto(link)
    expect(page.locator("h1")).to_have_text("Thresholds")
    expect(page.locator(".checked .marker").first).to_be_visible()
    # What is not one's own cannot be judged or changed.
    expect(page.get_by_role("button", name="Helpful")).to_have_count(0)
    expect(page.locator("#question")).to_have_count(0)

    page.goto(own)
    expect(page.locator(".checked")).to_be_visible()
    menu.click()
    page.get_by_role("menuitem", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".side-line")).to_have_count(0)
    expect(page.locator("#suggestions")).to_be_visible()


def test_feedback_says_which_sentence_is_wrong(page: Page):
    ask(page, QUESTION)
    page.get_by_role("button", name="Not helpful").click()
    page.locator("dialog .check", has_text="It has always been this way.").locator("input").check()
    page.get_by_label("What should it say?").fill("Since 2025 only.")
    page.get_by_label("The right page").fill("https://wiki.example.org/Trigger/New")
    with page.expect_request("**/feedback") as sent:
        page.get_by_role("button", name="Send").click()
    assert sent.value.post_data_json == {
        "helpful": False,
        "wrong_sentences": [2],
        "text": "Since 2025 only.",
        "right_page": "https://wiki.example.org/Trigger/New",
    }
    expect(page.locator(".turn-actions [role=status]").first).to_contain_text("Thank you.")


def test_a_token_is_made_shown_once_and_revoked(page: Page, address):
    page.goto(f"{address}/tokens")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator(".secret code")).to_have_text(re.compile(r"^docent_\w+_\w+$"))
    page.get_by_role("button", name="I have copied it").click()
    expect(page.locator(".secret")).to_have_count(0)
    page.get_by_role("button", name="Revoke: laptop").click()
    page.locator("dialog").get_by_role("button", name="Revoke").click()
    expect(page.locator("tbody .badge")).to_have_text("revoked")


def test_language_darkness_and_the_list_of_keys(page: Page):
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.locator("dialog dt").first).to_have_text("Write a question")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)

    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(251, 250, 248)"
    page.locator(".account").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    assert page.evaluate(paper) == "rgb(21, 24, 26)"
    page.get_by_role("menuitemradio", name="Deutsch").click()
    page.keyboard.press("Escape")
    expect(page.locator("h1")).to_have_text("Fragen Sie die Dokumente")
    # Both are remembered in this browser.
    page.reload()
    expect(page.locator("h1")).to_have_text("Fragen Sie die Dokumente")
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.evaluate(paper) == "rgb(21, 24, 26)"


def test_a_link_to_a_place_shows_the_document_alone_with_the_highlight(page, address, watch):
    link = f"{address}/documents/twiki%3ATrigger%2FMuonMenu.txt"
    # The contact line is far below: it must have been scrolled to.
    text = page.evaluate(
        f"fetch('{link.replace('/documents', '/api/v1/documents')}').then(r => r.json())"
        ".then(d => d.blocks.at(-1))"
    )
    page.goto(f"{link}?start={text['start']}&end={text['start'] + 49}")
    mark = page.locator("mark")
    expect(mark).to_have_text("Quoted: The muon trigger is looked after by Ines Okafor. ")
    expect(mark).to_be_in_viewport()
    expect(page).to_have_title("Muon trigger menu · Docent")
    expect(page.locator("#question")).to_have_count(0)

    page.goto(f"{address}/documents/board%3Asecret")
    expect(page.locator("main")).to_contain_text(
        "There is no such document, or you may not read it."
    )
    watch.forgive("404 (Not Found)")


def test_on_a_phone_nothing_overflows_and_the_panel_covers_the_page(page: Page):
    page.set_viewport_size({"width": 390, "height": 844})
    ask(page, QUESTION)
    expect(page.locator(".checked")).to_be_visible()
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    page.locator(".checked .marker").first.click()
    expect(page.locator(".panel mark")).to_be_visible()
    assert page.evaluate("document.querySelector('.panel').getBoundingClientRect().left") == 0
    # What is covered takes no focus.
    assert page.evaluate("document.querySelector('.middle').inert")
    assert page.evaluate(fits)
    page.locator(".panel .close").click()
    assert not page.evaluate("document.querySelector('.middle').inert")
    page.get_by_role("button", name="Open the navigation").click()
    expect(page.locator(".side-line")).to_have_count(1)


def test_the_description_of_the_api_is_written_out(page: Page, address):
    page.goto(f"{address}/docs")
    expect(page.locator(".operation h2", has_text="POST /api/v1/ask")).to_be_visible()


def test_where_nothing_is_the_page_says_so(page: Page, address, watch):
    for path in ("/nowhere", "/c/1/2", "/a%0Ab"):
        shown = page.goto(address + path)
        assert shown
        assert shown.status == 404
        expect(page.locator("main")).to_have_text("There is nothing at this address.")
    page.locator("#fresh").click()
    expect(page.locator("#suggestions button").first).to_be_visible()
    watch.forgive("the server responded with a status of 404")


def test_pages_with_any_name_are_opened_by_their_links(page: Page, assistant, address):
    names = ("odd:a\nb", "odd:100%41/..//x\\y", "odd:?q=#é 😀+&", "odd:\u2028\t")
    for number, name in enumerate(names):
        said = (BlockKind.PROSE, f"Zorple number {number}.")
        assistant.documents.append(a_document(name, f"Odd {number}", said))
    page.goto(f"{address}/search?q=zorple")
    expect(page.locator(".hit")).to_have_count(len(names))
    links = {
        link.locator(".title").inner_text(): link.get_attribute("href")
        for link in page.locator(".hit a.source").all()
    }
    assert len(links) == len(names)
    for title, link in links.items():
        page.goto(f"{address}{link}")
        expect(page.locator("#panel-title")).to_have_text(title)
        expect(page.locator("mark")).to_contain_text("Zorple number")
