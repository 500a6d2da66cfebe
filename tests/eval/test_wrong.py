"""Each case that the rule is known to decide, and which way."""

import pytest

from eval.wrong import says_wrong, sentences

QUESTION = "At what time is the daily run meeting?"


def said(text, keys=("08:30", "8:30"), question=QUESTION, present=2026):
    return says_wrong(text, list(keys), question, present)


@pytest.mark.parametrize(
    "text",
    [
        "The meeting is at 08:30.",
        "At 8:30 in the control room",
        "It is 09:15. It was moved. It is 08:30 on Sundays.",
        "The old meeting is over. It is at 08:30.",
        "The meeting is at 08:30, which was decided in May.",
        "It was moved to 08:30.",
        "The meeting was announced and is 08:30.",
        "Since 12 May 2025 it is at 08:30.",
        "In 2026 it is at 08:30.",
        "In 2027 it is at 08:30.",
        "Not later than noon, in the hall, at 08:30.",
        "The bell is older than 30 days; the meeting is at 08:30.",
        "It is not at 09:15 but 08:30.",
        "Until the bell rings at 08:30 all wait.",
        "| time | 08:30 |",
    ],
)
def test_a_wrong_value_that_nothing_marks_is_said(text):
    assert said(text)


@pytest.mark.parametrize(
    "text",
    [
        "The meeting is at 09:15.",
        "The meeting is at 18:30.",
        "The meeting was at 08:30.",
        "At 09:15 (the 2024 page says 08:30, which is out of date).",
        "In 2025 it is at 08:30.",
        "The former time is 08:30; it is 09:15.",
        "It is at 09:15 instead of 08:30.",
        "It is at 09:15, not at 08:30.",
        "08:30 is no longer true.",
        "The meeting moved from 08:30 to 09:15.",
        "08:30 was the time.",
        "8:30 in winter was the time.",
        "08:30 until May, 09:15 now.",
        "The pages disagree: 08:30 here, 09:15 there.",
        "| old time | 08:30 |",
        "At 09:15 (before: 07:00 to 08:30).",
    ],
)
def test_a_wrong_value_that_is_marked_or_absent_is_not_said(text):
    assert not said(text)


def test_was_marks_nothing_where_the_past_is_asked_for():
    assert said("The meeting was at 08:30.", question="When was the first meeting?")


def test_what_stands_in_the_question_marks_nothing():
    text = "The old farm has 40 nodes in 2025."
    assert not said(text, ["40"], "How many nodes has the farm?")
    assert not said(text, ["40"], "How many nodes has the old farm?")
    assert said(text, ["40"], "How many nodes has the old farm in 2025?")


CODE = "What does SXT-117 mean for run 343990?"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("It means no payload.", True),
        ("SXT-117 means no payload.", True),
        ("SXT-131 means no payload.", False),
        ("SXT-131, like SXT-117, means no payload.", True),
        ("Run 344560 gives no payload.", False),
        ("At 900 GeV in hall 14 it means no payload.", True),
        ("ALM-17 means no payload.", True),  # of another kind: it may be said of anything
        ("SXT-131 | no payload", False),
        ("| 131 | no payload |", False),
        ("| SXT-117 | no payload |", True),
        ("| Message 117 of SXT | no payload |", False),
        ("meaning | no payload", True),
        ("HTC on-call | no payload", False),
        ("no payload | SXT | 3", True),
        ("D | no payload", False),
    ],
)
def test_a_value_of_another_of_its_kind_is_marked_by_that_name(text, wrong):
    assert said(text, ["no payload"], CODE) is wrong


def test_without_a_present_no_year_marks_anything():
    assert said("In 2025 it is at 08:30.", present=None)


def test_the_year_in_the_value_itself_is_no_mark():
    assert said("The campaign is mc 2024.", ["mc 2024"], "Which campaign?")


def test_sentences_end_at_stops_before_capitals_at_semicolons_and_at_lines():
    text = "Formerly approx. 4 GB. Now 6 GB; soon 8 GB.\nWhy? 9."
    assert sentences(text) == ["Formerly approx. 4 GB.", "Now 6 GB;", "soon 8 GB.", "Why? 9."]
