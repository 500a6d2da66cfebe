"""A conversation as Markdown, read back by a real Markdown parser that lets tags through."""

import pytest
from markdown_it import MarkdownIt

from tests.web.e2e.payloads import LINKS, MARKDOWN, MARKUP
from web.export import markdown
from web.shown import Part

HOSTILE = (*MARKUP, *(form.format(link=link) for form in MARKDOWN for link in LINKS))


def answered(text: str, *sentences: str) -> Part:
    said = [{"text": one, "citations": [1], "supported": True} for one in sentences]
    citation = {
        "marker": 1, "title": "Menu", "url": "https://wiki.example/Menu", "quote": "Two stations.",
    }  # fmt: skip
    answer = {"answer": text, "sentences": said, "citations": [citation], "notices": []}
    return Part("a", "assistant", text, answer, "2026-01-01T00:00:00+00:00", withheld=False)


def opened(text: str) -> list[str]:
    """What a reader's browser would open, load or run: addresses of links and pictures, tags."""
    found = []
    for block in MarkdownIt("commonmark", {"html": True}).parse(text):
        for token in (block, *(block.children or ())):
            if token.type in ("html_block", "html_inline"):
                found.append(token.content)
            found += [str(v) for k, v in token.attrs.items() if k in ("href", "src")]
    return found


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_model_writes_opens_nothing(hostile):
    text = markdown(
        "Title", [answered(f"Two stations.\n{hostile}\nOr \\{hostile}", "Two stations.")]
    )

    assert opened(text) == ["https://wiki.example/Menu"]  # the source, and nothing else
    assert "Two stations. [1]" in text


def test_formulas_lists_and_lines_stay_as_they_are():
    said = "- $p_T > 20$ GeV\n- *two* stations"

    assert said in markdown("Title", [answered(said)])


@pytest.mark.parametrize("url", ["http://[", "javascript:alert(1)", ""])
def test_a_source_without_an_address_to_open_is_named_without_a_link(url):
    part = answered("Two stations.", "Two stations.")
    assert part.answer
    part.answer["citations"][0]["url"] = url
    text = markdown("Title", [part])

    assert opened(text) == []
    assert "Menu" in text
