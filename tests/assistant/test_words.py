"""Numbers, names and negation, worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.words import (
    Number,
    contrast,
    identifiers,
    known_names,
    numbers,
    polarity_agrees,
    squeezed,
    stems,
)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("12,500 events", 12500, ""),
        ("12 500 events", 12500, ""),
        ("12\u202f500", 12500, ""),
        ("12.5k", 12500, ""),
        ("four stations", 4, ""),
        ("3.2 us", 3.2, "us"),
        ("3.2 µs", 3.2, "us"),
        ("76.1%", 76.1, "%"),
        ("76.1 percent", 76.1, "%"),
        ("1.6e34", 1.6e34, ""),
        ("1.6 x 10^34", 1.6e34, ""),
        ("at -18 C", -18, ""),
        ("a 5th attempt", 5, ""),
        ("2026-02-01", 2026, ""),
        ("7 hours", 7, "h"),
    ],
)
def test_a_number_is_read_by_value(text, value, unit):
    assert Number(float(value), unit) in numbers(text)


def test_a_comma_between_numbers_is_no_thousands_mark():
    assert numbers("runs 12, 34") == (Number(12.0), Number(34.0))


def test_clock_times_are_values_of_their_own():
    assert Number(600.0, "clock") in numbers("at 10:00")
    assert numbers("at 10:00", claims=True) == (Number(600.0, "clock"),)


def test_two_different_units_do_not_agree():
    assert not Number(3.2, "us").agrees(Number(3.2, "ms"))
    assert Number(3.2, "us").agrees(Number(3.2))


def test_one_is_a_pronoun_in_a_claim_and_a_number_in_a_source():
    assert numbers("the one that counts", claims=True) == ()
    assert numbers("one muon") == (Number(1.0),)


@given(st.integers(min_value=1000, max_value=10**12))
def test_any_grouping_of_digits_is_the_same_number(value):
    readings = [str(value), f"{value:,}", f"{value:,}".replace(",", " ")]
    assert all(Number(float(value)) in numbers(text) for text in readings)


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    numbers(text)
    identifiers(text)
    stems(text)
    known_names(text)
    assert polarity_agrees(text, text)


def test_names_are_told_from_words_and_quantities():
    text = "L1_MU4 in v2.3.1, MERRECO-1234, reco_job.py; 20GeV at 10:00, on-call, e.g. 5th, 1.6e34"
    assert identifiers(text) == {"L1_MU4", "v2.3.1", "MERRECO-1234", "reco_job.py"}


@pytest.mark.parametrize("asked", ["L1-MU4", "l1_mu4", "L1 MU4", "L1MU4", "MU4"])
def test_a_name_is_known_in_any_spelling_and_by_part(asked):
    assert squeezed(asked.replace(" ", "")) in known_names("The item L1_MU4 is prescaled.")


def test_a_longer_name_is_not_known_by_a_shorter_one():
    assert squeezed("L1_MU40") not in known_names("The item L1_MU4 is prescaled.")


@pytest.mark.parametrize(
    ("sentence", "source", "agrees"),
    [
        ("GT-17 is valid.", "GT-17 is no longer valid.", False),
        ("GT-17 is not valid.", "GT-17 is no longer valid.", True),
        ("GT-17 isn't valid.", "GT-17 is valid.", False),
        ("Use v2.3.1.", "Do not use v1.4.0, use v2.3.1.", True),
        ("Use v1.4.0.", "Do not use v1.4.0, use v2.3.1.", False),
        ("The threshold is 6 GeV.", "The threshold is not 5 GeV but 6 GeV.", True),
        ("Datasets can not be copied.", "No dataset may be copied.", True),
        ("Never open the rack.", "Open the rack.", False),
    ],
)
def test_a_denial_must_agree(sentence, source, agrees):
    assert polarity_agrees(sentence, source) is agrees


def test_opposites_are_told_apart():
    sentence, source = frozenset(stems("in the endcap")), frozenset(stems("in the barrel"))
    assert contrast(sentence, source)
    assert not contrast(sentence, source | sentence)
    assert not contrast(sentence, frozenset())


def test_stems_take_compounds_and_wiki_words_apart():
    assert stems("the CecCalibration2026 page of muon-chambers isn't v2.3.1") == [
        "ceccalibration2026", "cec", "calibr", "2026", "page", "muon", "chamber", "v2.3.1",
    ]  # fmt: skip
