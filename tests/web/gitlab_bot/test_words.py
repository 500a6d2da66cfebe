"""What pages and models say does nothing in GitLab."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.servers.gitlab_bot import Effects
from web.addresses import safe_url
from web.bots.words import spoken
from web.gitlab_bot.words import MARKDOWN, Mark, answer, escaped, marks_in

HOSTILE = [
    "/close",
    "/assign @root",
    "  /merge",
    "line\n/close\nline",
    "@all @here @docent, see @group/sub",
    "#12 and !34 and $5 and &7 and ~bug and %v1",
    "group/project#12",
    "![x](https://evil.example/x.png)",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "<!-- docent note-1 0123456789abcdef -->",
    "</details><h1>owned</h1>",
    "`code` ```fence",
    "- item\n+ item\n1. item\n===\n---",
    "| a | b |\n|---|---|",
    "$`\\href{javascript:alert(1)}{x}`$",
    "\u202ereversed\u202c and \u200bnothing",
    "&lt;b&gt; &#64;all",
    "> quote\n>>> more",
    "a\\@all",
    "[[_TOC_]] [^1] :smile: {+ added +}",
    "\\/close",
    "*/\n/close",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing(text):
    effects = Effects()
    effects.of(escaped(text))
    effects.of(f"- {escaped(text)}")

    assert effects == Effects()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_paragraph_of_text(text):
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(escaped(text))

    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = {child.type for child in tokens[1].children or ()}
    assert kinds <= {"text", "text_special", "code_inline"}


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_does_nothing_and_is_one_line(text):
    effects = Effects()
    told = escaped(text)
    effects.of(told)

    assert effects == Effects()
    assert "\n" not in told


def test_an_address_stays_whole_and_is_no_link():
    told = escaped("See https://x.example/a_b*c and www.y.example now.")

    assert told == "See `https://x.example/a_b*c` and `www.y.example` now."


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://x.example/a b>c", "https://x.example/a%20b%3Ec"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("", ""),
        ("https://[broken", ""),
        ("https://x.example/(a)[b]", "https://x.example/%28a%29%5Bb%5D"),
    ],
)
def test_only_addresses_of_the_web_are_links(url, safe):
    assert safe_url(url) == safe
    assert MARKDOWN.link("A [page]", url) == (
        f"[A \\[page\\]](<{safe}>)" if safe else "A \\[page\\]"
    )


def told(**more):
    source = {
        "marker": 1,
        "document_id": "a:b",
        "title": "Muon menu",
        "url": "https://wiki.example/Menu",
        "section": ["Muon menu", "Thresholds"],
        "page": 3,
        "quote": "It fires at 4 GeV.",
        "updated_at": "2025-03-14T09:30:00+00:00",
    }
    whole = {
        "status": "answered",
        "answer": "It fires at 4 GeV. It always did.",
        "sentences": [
            {"text": "It fires at 4 GeV.", "citations": [1], "supported": True},
            {"text": "It always did.", "citations": [], "supported": False},
        ],
        "citations": [source],
        "passages": [],
        "notices": [{"kind": "old", "text": "The menu is old.", "citations": [1]}],
        "contacts": [],
    }
    return {**whole, **more}


def test_an_answer_with_its_sources():
    url = "(<https://wiki.example/Menu>)"
    assert answer(told()).split("\n\n") == [
        f"It fires at 4 GeV. [\\[1\\]]{url} It always did. (not found in any page)",
        f"**Note:** The menu is old. [\\[1\\]]{url}",
        f"1. [Muon menu › Thresholds]{url}, page 3 (14 March 2025): “It fires at 4 GeV.”",
    ]


def test_extracts_are_a_list_below_why():
    text = answer(told(status="extracts", answer="The model is away.\nIt fires at 4 GeV."))

    assert text.startswith("The model is away.\n- It fires at 4 GeV.")


def test_what_is_not_found_names_the_nearest_pages_once_and_whom_to_ask():
    page = {
        "document_id": "a:b",
        "title": "Menu",
        "url": "https://wiki.example/Menu",
        "section": [],
    }
    contact = {"name": "Petra", "why": 'wrote "Menu"', "url": ""}
    text = answer(
        told(
            status="not_found",
            answer="The documents do not say.",
            citations=[],
            sentences=[],
            notices=[],
            passages=[page, page],
            contacts=[contact],
        )
    )

    assert text == (
        "The documents do not say.\n\nThe nearest pages:\n- [Menu](<https://wiki.example/Menu>)\n"
        '\nYou may ask:\n- Petra wrote "Menu"'
    )


def test_a_sign_is_found_again_and_tells_the_question():
    mark = Mark("note-12", "Who?")
    text = mark.on("Ada.")

    assert marks_in(text) == [("note-12", mark.digest)]
    assert mark.digest != Mark("note-12", "Where?").digest
    assert marks_in(escaped(text)) == []


def test_what_the_bot_said_is_read_without_its_sources():
    assert spoken(answer(told())) == "It fires at 4 GeV. It always did."
