"""The judge by rules: one test for each thing that it can tell, on a page of its own."""

import pytest

from eval.judges import Said, Support
from eval.judges.rules import RuleJudge, says, supports

PAGE = """\
Pump station
Limits
The main pump runs at 40 Hz and needs 6 l of oil. Pump P-12 is not heated.
The valve must be closed within 90 s, or the alarm AL-7 comes.
"""
TABLE = """\
Pumps
Pump | Rate (Hz) | Owner
P-12 | 40 | vacuum group
P-13 | 25 | cooling group
Spare pump | 10 | stores
"""


@pytest.mark.parametrize(
    "sentence",
    [
        "The main pump needs 6 l of oil.",
        "Main pumps run at 40 Hz.",
        # 90 s in another unit.
        "The valve must be closed within 1.5 minutes.",
        "P-12 is not heated.",
        "Nobody heats pump P-12.",
    ],
)
def test_what_the_source_says_in_its_words_is_supported(sentence):
    assert supports(PAGE, sentence)[0] == "supported"


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("The main pump runs at 45 Hz.", "'45 Hz' is not in the source"),
        ("The main pump runs at 40 kHz.", "'40 kHz' is not in the source"),
        ("The alarm AL-8 comes after 90 s.", "'al-8' is not in the source"),
        ("The DCS closes the valve within 90 s.", "'dcs' is not in the source"),
        ("The main pump of Halden runs at 40 Hz.", "'halden' is not in the source"),
        ("Pump P-12 is heated.", "the source denies 'heat'"),
        ("The main pump does not run at 40 Hz.", "the source affirms 'run'"),
        ("The kitchen serves soup for guests.", "the source is about something else"),
        (
            "The main pump needs 6 l of oil and its green paint was renewed.",
            "nothing in the source is like 'its green paint was renewed'",
        ),
    ],
)
def test_what_the_source_does_not_say_is_told_with_the_reason(sentence, why):
    assert supports(PAGE, sentence) == ("not", why)


@pytest.mark.parametrize(
    "sentence",
    [
        "Oil of 6 l is what keeps the big pump alive.",
        "Two pumps need oil.",
        "The alarm AL-7 comes when the valve is not closed within 90 s.",
        "It does.",
        "The oil is never filled.",
        "The HWP is a main pump.",
    ],
)
def test_what_needs_understanding_is_left_undecided(sentence):
    assert supports(PAGE + "Have warm places.", sentence)[0] == "undecided"


def test_no_source_supports_nothing():
    assert supports("", "The pump runs at 40 Hz.") == ("not", "there is no source")


def test_a_value_of_another_row_is_not_that_of_the_named_one():
    assert supports(TABLE, "Pump P-12 has a rate of 40 Hz.")[0] == "supported"
    assert supports(TABLE, "Pump P-12 has a rate of 25 Hz.") == ("not", "'25 Hz' is of 'P-13'")
    assert supports(TABLE, "P-13 is with the vacuum group.") == ("not", "'vacuum' is of 'P-12'")
    # Which pump is meant is not said.
    assert supports(TABLE, "The pump has a rate of 25 Hz.")[0] == "undecided"


def test_a_single_row_needs_no_key():
    assert supports("Rate | 25 Hz", "It is 25 Hz, the rate.")[0] == "supported"


def test_a_value_that_another_clause_gives_to_something_else_is_misplaced():
    source = "The gain of the left arm is 7 mV; for the right arm 9 mV."

    assert supports(source, "The gain of the left arm is 7 mV.")[0] == "supported"
    assert supports(source, "The gain of the right arm is 7 mV.") == (
        "not",
        "'7 mV' is said of something else",
    )


def test_a_value_with_its_year_in_brackets_belongs_to_that_year():
    source = "Share of good runs: 99.4% (2026), 99.1% (2025)."

    assert supports(source, "In 2025 the share of good runs was 99.1%.")[0] == "supported"
    assert supports(source, "In 2026 the share of good runs is 99.1%.")[0] == "not"


def test_what_was_before_is_no_support_for_what_is():
    source = "The cycle takes 40 minutes (before: 60 minutes)."

    assert supports(source, "The cycle takes 40 minutes.")[0] == "supported"
    assert supports(source, "The cycle takes 60 minutes.")[0] == "not"
    assert supports(source, "The cycle took 60 minutes before.")[0] == "supported"


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("The new pump is likely to need 6 l of oil.", "not"),
        ("The new pump needs 6 l of oil. No decision.", "not"),
        ("The new pump may need 6 l of oil.", "undecided"),
        ("The new pump needs 6 l of oil.", "supported"),
    ],
)
def test_a_guess_is_no_support_for_a_fact(source, verdict):
    assert supports(source, "The new pump needs 6 l of oil.")[0] == verdict
    assert supports(source, "The new pump probably needs 6 l of oil.")[0] == "supported"


def test_the_most_is_not_the_least():
    source = "A crew has at most 4 people."

    assert supports(source, "A crew has up to 4 people.")[0] == "supported"
    assert supports(source, "A crew has at least 4 people.")[0] == "undecided"


def test_a_number_said_twice_has_to_be_there_twice():
    assert supports("9 votes to 2.", "It got 2 votes to 2.")[0] == "undecided"


def test_dates_agree_in_both_ways_of_writing():
    assert (
        supports("Valid from 2026-09-01.", "It is valid from 1 September 2026.")[0] == "supported"
    )


def test_a_part_of_a_name_is_not_missing():
    source = "Use data26.period2026A.AOD for the first look."

    assert supports(source, "Use the AOD of 2026A for the first look.")[0] != "not"


ANSWER = "The main pump runs at 40 Hz [sic]. Pump P-12 is not heated."


@pytest.mark.parametrize(
    ("answer", "fact", "verdict"),
    [
        (ANSWER, "the main pump runs at 40 Hz", "entailed"),
        (ANSWER, "the main pump runs at 50 Hz", "contradicted"),
        (ANSWER, "P-12 is heated", "contradicted"),
        (ANSWER, "P-12 is not heated", "entailed"),
        (ANSWER, "the oil is changed after 300 h", "not mentioned"),
        (ANSWER, "guests get soup", "not mentioned"),
        (ANSWER, "the tower pump of the lake runs at 50 Hz", "undecided"),
        (ANSWER, "the lake has 50 Hz", "not mentioned"),
        (ANSWER, "two main pumps", "undecided"),
        (ANSWER, "main shaft turns quickly", "undecided"),
        (ANSWER, "the", "undecided"),
        ("Perhaps 40 Hz.", "the main pump runs at 40 Hz", "not mentioned"),
        ("The documents do not say which pump runs at 40 Hz.", "it runs at 40 Hz", "not mentioned"),
        ("I could not find this in the documents.", "it runs at 40 Hz", "not mentioned"),
        ("The rate is 40 Hz (before: 50 Hz).", "the rate is 50 Hz", "contradicted"),
        ("P-12 has 40 Hz and P-13 has 25 Hz.", "P-12 has 25 Hz", "contradicted"),
        ("The alarm is AL-7.", "the alarm is AL-8", "contradicted"),
        ("Pump | Hz\nP-12 | 40\nP-13 | 25", "P-13 has 25 Hz", "entailed"),
        ("They do not paint the door.", "nobody paints the door", "entailed"),
        ("The alarm is red.", "the door is not locked", "undecided"),
    ],
)
def test_facts_against_answers(answer, fact, verdict):
    assert says(answer, fact)[0] == verdict


async def test_the_judge_says_who_it_is_and_why():
    judge = RuleJudge()

    sentence = await judge.rule(Support(PAGE, "The main pump runs at 45 Hz."))
    fact = await judge.rule(Said(ANSWER, "the main pump runs at 40 Hz"))

    assert (sentence.verdict, sentence.by, sentence.decided) == ("not", "rules", True)
    assert sentence.reason == "'45 Hz' is not in the source"
    assert fact.verdict == "entailed"
