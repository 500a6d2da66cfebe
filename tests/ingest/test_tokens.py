import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.index.tokens import MAX_TERM_CHARS, STOP_WORDS, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L1_MU4", ["l1_mu4", "l1", "mu4", "mu"]),
        ("ATLASRECTS-1234", ["atlasrects-1234", "atlasrect", "1234"]),
        ("Z->ee", ["z->ee", "ee"]),
        ("v2.3.1", ["v2.3.1", "2.3.1"]),
        ("release 2.3.1", ["releas", "2.3.1"]),
        ("TrackingTools", ["trackingtool", "track", "tool"]),
        ("trackingtools", ["trackingtool"]),
        ("JSONReader", ["jsonread", "json", "reader"]),
        ("GeV", ["gev"]),
        ("12,500 events", ["12500", "event"]),
        ("std::vector C++", ["std::vector", "std", "vector", "c++"]),
        ("the trigger's rates", ["trigger", "rate"]),
        ("naïve Müller", ["naiv", "muller"]),
        ("μμ → ττ", ["μμ", "ττ"]),
        ("run4512", ["run4512", "run"]),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


def test_encoded_data_is_not_words():
    assert terms("a1" * MAX_TERM_CHARS) == []


def test_words_that_stand_everywhere_are_left_out():
    assert terms("What is the of and") == []
    assert "what" in STOP_WORDS


@given(st.text())
def test_no_text_breaks_it_and_terms_have_no_spaces(text):
    # Tantivy splits what we give it at white space: a term with one inside would be two.
    assert all(len(term.split()) == 1 and term == term.strip() for term in terms(text))


@given(
    st.text(st.characters(categories=["Lu", "Ll", "Nd"], max_codepoint=127)),
    st.sampled_from("_-.:/"),
)
def test_case_never_matters_for_whole_identifiers(text, joint):
    name = f"{text}{joint}1"
    assert terms(name.upper())[:1] == terms(name.lower())[:1]
