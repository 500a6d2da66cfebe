"""Units and windows keep exact offsets, whatever the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.windows import UnitKind, body, sentence_ends, units, windows
from tests.assistant.passages import LATENCY, PHONES, QUOTA, passage


def sentences(text):
    ends = sentence_ends(text)
    return [text[a:b].strip() for a, b in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Use v2.3.1. Then stop.", ["Use v2.3.1.", "Then stop."]),
        ("See e.g. Fig. 3 for it. Done.", ["See e.g. Fig. 3 for it.", "Done."]),
        ("It is 3.2 us. More.", ["It is 3.2 us.", "More."]),
        ("Ask P. Lindqvorn. She knows!", ["Ask P. Lindqvorn.", "She knows!"]),
        ("Is it on? Yes.", ["Is it on?", "Yes."]),
        ("1. Call the desk.", ["1. Call the desk."]),
        ("no end mark", ["no end mark"]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert sentences(text) == expected


def test_a_page_is_cut_into_sentences_items_rows_and_lines_of_code():
    text = f"First one. Second one.\n- an item\n- another\n\n{PHONES}\n\n{QUOTA}"

    found = [(unit.kind, text[unit.start : unit.end]) for unit in units(text)]

    assert found[:4] == [
        (UnitKind.PROSE, "First one."),
        (UnitKind.PROSE, "Second one."),
        (UnitKind.ITEM, "- an item"),
        (UnitKind.ITEM, "- another"),
    ]
    assert found[5] == (UnitKind.ROW, "Trigger on-call | 71022 | always")
    assert found[-1] == (UnitKind.CODE, "quay ls --size /quay/user")
    assert units(text)[5].header == "Function | Phone | Hours"


def test_a_hard_wrapped_sentence_is_one_unit_and_short_lines_are_many():
    wrapped = "The latency budget of the whole Level-1 trigger system\nIs counted in crossings."
    assert len(units(wrapped)) == 1
    assert len(units("Status\nOpen")) == 2


def test_markdown_rules_of_a_table_are_no_rows():
    text = "| A | B |\n|---|---|\n| 1 | 2 |"
    assert [text[unit.start : unit.end] for unit in units(text)] == ["| A | B |", "| 1 | 2 |"]


@given(st.text(alphabet="ab.|\n A1-\t", max_size=120), st.sampled_from(["", "A | B"]))
def test_every_window_is_exact_text_at_its_offsets(text, header):
    found = windows([passage(text, table_header=header)])

    for window in found:
        assert text[window.start : window.end] == window.text
        assert window.text.strip() == window.text != ""


def test_a_later_piece_of_a_table_has_its_header_beside_it_and_not_in_the_offsets():
    piece = passage("CEC on-call | 71033", table_header="Function | Phone", start=500)

    (window,) = windows([piece])

    assert body(piece) == "CEC on-call | 71033"
    assert (window.start, window.text) == (0, "CEC on-call | 71033")
    assert window.rows == "Function | Phone"


def test_a_header_row_is_never_quoted_alone():
    assert "Function | Phone | Hours" not in [w.text for w in windows([passage(PHONES)])]


def test_windows_are_at_most_three_sentences_and_do_not_mix_rows_with_prose():
    found = windows([passage(f"{LATENCY}\n\n{PHONES}")])

    assert max(window.units for window in found) == 3
    assert not [w for w in found if "latency" in w.text and "|" in w.text]
