import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ParseError
from ingest.model import BlockKind, Section, Standing
from ingest.parse.builder import DocumentBuilder, Item
from ingest.parse.clean import clean, fold
from tests.ingest.parse.pages import FETCHED, page, texts

words = st.text(st.characters(), max_size=40)
steps = st.one_of(
    st.tuples(st.just("heading"), st.integers(1, 6), words),
    st.tuples(st.just("prose"), words),
    st.tuples(st.just("lines"), words),
    st.tuples(
        st.just("items"), st.lists(st.builds(Item, words, st.integers(0, 3), words), max_size=4)
    ),
    st.tuples(st.just("code"), words),
    st.tuples(
        st.just("table"),
        st.one_of(st.none(), st.lists(words, max_size=3)),
        st.lists(st.lists(words, max_size=3), max_size=3),
    ),
    st.tuples(st.just("page"), st.integers(1, 9)),
)


def built(given_steps) -> DocumentBuilder:
    builder = DocumentBuilder(page(""))
    for name, *values in given_steps:
        if name == "lines":
            builder.prose(*values, lines=True)
        else:
            getattr(builder, name)(*values)
    return builder


@given(st.lists(steps, max_size=8))
def test_blocks_are_exact_in_order_and_apart_by_a_blank_line(given_steps) -> None:
    builder = built(given_steps)
    if builder.empty:
        with pytest.raises(ParseError, match="holds no text"):
            builder.build()
        return
    document = builder.build()

    position = 0
    for block in document.blocks:
        assert block.start == position
        assert block.end > block.start
        assert "\n\n" not in document.text[block.start : block.end] or block.kind == "code"
        assert 0 <= block.section < len(document.sections)
        if block.header_end is not None:
            assert block.kind is BlockKind.TABLE
            assert block.start < block.header_end <= block.end
            assert document.text[block.header_end : block.header_end + 1] in ("\n", "")
        position = block.end + 2
    assert "\n\n".join(texts(document)) == document.text
    assert [block.section for block in document.blocks] == sorted(
        block.section for block in document.blocks
    )


@given(st.lists(steps, min_size=1, max_size=8))
def test_no_text_holds_a_control_zero_width_or_direction_character(given_steps):
    builder = built(given_steps)
    if not builder.empty:
        text = builder.build().text
        bad = [char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs")]
        assert set(bad) <= {"\n", "\t"}
        assert unicodedata.is_normalized("NFC", text)


@given(st.text(st.characters()))
def test_cleaning_twice_is_cleaning_once(text):
    assert clean(clean(text)) == clean(text)
    assert fold(fold(text)) == fold(text)


def test_a_title_that_opens_the_text_is_not_repeated_above_its_sections():
    builder = DocumentBuilder(page(""))
    builder.heading(1, "Muon trigger", "top")
    builder.prose("One.")
    builder.heading(2, "Rates")
    builder.heading(3, "In 2026", "rates-2026")
    builder.heading(2, "Timing")
    document = builder.build()

    assert document.title == "Muon trigger"
    assert document.sections == (
        Section((), "top"),
        Section(("Rates",)),
        Section(("Rates", "In 2026"), "rates-2026"),
        Section(("Timing",)),
    )


def test_an_explicit_title_keeps_another_first_heading_in_the_path():
    builder = DocumentBuilder(page(""), title="DAQ-7: dead time")
    builder.heading(1, "Summary")

    assert builder.build().sections == (Section(("Summary",)),)


def test_without_title_and_heading_the_file_name_is_the_title():
    builder = DocumentBuilder(page("", "files:docs/run notes.txt"))
    builder.prose("x")

    assert builder.build().title == "run notes.txt"


def test_a_table_is_one_line_a_row_with_its_header_marked():
    builder = DocumentBuilder(page(""))
    builder.table(["item", "rate\nHz"], [["L1_MU4", "1\u200b2"], ["", ""], ["L1_EM9", ""]])
    document = builder.build()

    assert document.text == "item | rate Hz\nL1_MU4 | 12\nL1_EM9 |"
    assert document.text[: document.blocks[0].header_end] == "item | rate Hz"


def test_nested_items_are_indented_and_code_keeps_its_whitespace():
    builder = DocumentBuilder(page(""))
    builder.items(["a  b", Item("c", 1, "1."), Item("more", 1, "")])
    builder.code("\n  if x:\r\n\ty()  \n\n")

    assert texts(builder.build()) == ["- a b\n  1. c\n    more", "  if x:\n\ty()"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://git.example.org/1", "https://git.example.org/1"),
        ("javascript:alert(1)", "https://wiki.example.org/page#a1"),
        ("https://user:secret@host/", "https://wiki.example.org/page#a1"),
        ("http://[broken", "https://wiki.example.org/page#a1"),
        ("", "https://wiki.example.org/page#a1"),
    ],
)
def test_only_plain_web_addresses_of_the_content_are_taken(url, expected):
    builder = DocumentBuilder(page(""), "part", url=url, anchor="a1")
    builder.prose("x")
    document = builder.build()

    assert document.url == expected
    assert document.id == "wiki:Main/Page.txt#part"
    assert document.updated_at == FETCHED


def test_extending_takes_over_blocks_and_deepens_their_headings():
    inner = DocumentBuilder(page(""))
    inner.heading(1, "Inner")
    inner.prose("text")
    outer = DocumentBuilder(page(""), title="T")
    outer.heading(1, "Outer")
    outer.extend(inner, shift=1)

    assert outer.build().sections[-1] == Section(("Outer", "Inner"))


def test_what_the_source_says_of_a_page_fills_gaps_and_comes_first_where_it_names_the_page():
    told = replace(
        page("", "x:talk.pdf"), author="Ada Kroll", standing=Standing(superseded_by="x:new")
    )
    spring, summer = datetime(2021, 3, 1, tzinfo=UTC), datetime(2021, 7, 1, tzinfo=UTC)

    def document(of, author="", updated_at=None):
        builder = DocumentBuilder(of, title="Slides", author=author, updated_at=updated_at)
        builder.prose("Text.")
        return builder.build()

    plain = document(told)
    assert (plain.title, plain.author, plain.updated_at) == ("Slides", "Ada Kroll", FETCHED)
    assert plain.standing == Standing(superseded_by="x:new")
    own = document(told, "Bo Lund", spring)
    assert (own.author, own.updated_at) == ("Bo Lund", spring)
    named = document(replace(told, title="Meeting › Talk", updated_at=summer), "Bo Lund", spring)
    assert (named.title, named.author, named.updated_at) == ("Meeting › Talk", "Ada Kroll", summer)
    unsure = document(replace(told, title="Talk", author="", updated_at=None), "Bo Lund", spring)
    assert (unsure.author, unsure.updated_at) == ("Bo Lund", spring)
