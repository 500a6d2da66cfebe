from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import MAX_CODE_CHARS, chunk
from ingest.model import Block, BlockKind, Document, Section
from tests.ingest.corpus import EVERYBODY, document


def structured(*blocks: tuple[BlockKind, str, int, int | None]) -> Document:
    """A document of (kind, text, section, page); sections are called A, B, C."""
    text, made = "", []
    for kind, body, section, page in blocks:
        start = len(text)
        header = start + body.index("\n") if kind is BlockKind.TABLE else None
        made.append(Block(kind, start, start + len(body), section, page, header))
        text += body + "\n\n"
    count = max(section for _, _, section, _ in blocks) + 1
    sections = tuple(Section((letter,), letter.lower()) for letter in "ABC"[:count])
    return Document(
        "s:d", "s:d", "s", "Title", "", "text", text, sections, tuple(made), EVERYBODY,
        updated_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip


def test_neighbouring_paragraphs_share_a_chunk_while_they_fit():
    # 100 + 2 + 100 = 202 fits into 250; with the third it would be 304.
    found = chunk(document("d", "a" * 100, "b" * 100, "c" * 100), 250)

    assert [(c.start, c.end) for c in found] == [(0, 202), (204, 304)]


def test_sections_and_pages_are_never_mixed():
    prose = BlockKind.PROSE
    found = chunk(structured((prose, "one", 0, 1), (prose, "two", 1, 1), (prose, "three", 1, 2)))

    assert [(c.text, c.headings, c.page, c.anchor) for c in found] == [
        ("one", ("A",), 1, "a"),
        ("two", ("B",), 1, "b"),
        ("three", ("B",), 2, "b"),
    ]


def test_the_header_line_says_title_headings_and_date_and_is_not_shown():
    found = chunk(structured((BlockKind.PROSE, "Body.", 0, None)))[0]

    assert found.header == "Title › A › 2026-03-01"
    assert found.indexed == "Title › A › 2026-03-01\nBody."
    assert found.shown == "Body."


def test_a_long_table_repeats_its_header_row_in_every_chunk():
    rows = "\n".join(f"L1_MU{n} | {n} GeV" for n in range(40))
    found = chunk(structured((BlockKind.TABLE, f"Item | Threshold\n{rows}", 0, None)), 200)

    assert len(found) > 2
    assert all(c.shown.startswith("Item | Threshold\n") for c in found)
    assert all(len(c.shown) <= 200 for c in found)
    body = [line for c in found for line in c.text.splitlines() if line.startswith("L1_")]
    assert body == rows.splitlines()


def test_a_code_block_is_not_cut():
    code = "\n".join(f"line {n}" for n in range(300))
    found = chunk(structured((BlockKind.CODE, code, 0, None)), 200)

    assert [c.text for c in found] == [code]


def test_a_code_block_the_size_of_a_file_is_cut_between_lines():
    code = "\n".join(f"line {n}" for n in range(MAX_CODE_CHARS // 5))
    found = chunk(structured((BlockKind.CODE, code, 0, None)), 200)

    assert len(found) == 2
    assert "\n".join(c.text for c in found) == code


def test_a_row_longer_than_a_chunk_is_cut_like_prose():
    row = " ".join(f"word{n}" for n in range(100))
    found = chunk(structured((BlockKind.TABLE, f"A | B\n{row}", 0, None)), 200)

    assert all(len(c.text) <= 200 for c in found)
    assert " ".join(c.text for c in found).split() == f"A | B {row}".split()


def test_a_header_row_that_fills_a_chunk_is_not_repeated():
    wide = " | ".join(f"column{n}" for n in range(20))
    rows = "\n".join("x" * 90 for _ in range(5))
    found = chunk(structured((BlockKind.TABLE, f"{wide}\n{rows}", 0, None)), 300)

    assert all(not c.table_header for c in found)


def test_headings_are_not_part_of_chunks_unless_there_is_nothing_else():
    heading = (BlockKind.HEADING, "A", 0, None)
    assert [c.text for c in chunk(structured(heading, (BlockKind.PROSE, "Body.", 0, None)))] == [
        "Body."
    ]
    assert [c.text for c in chunk(structured(heading))] == ["A"]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=700), max_size=6
    ),
    st.integers(200, 400),
)
def test_chunks_are_exact_slices_in_order_and_lose_no_word(paragraphs, limit):
    whole = document("d", *paragraphs)
    found = chunk(whole, limit)

    assert all(c.text == whole.text[c.start : c.end] for c in found)
    assert all(len(c.text) <= limit for c in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    kept = "".join("".join(c.text.split()) for c in found)
    assert kept == "".join(whole.text.split())
    assert len({c.id for c in found}) == len(found)
