"""Follow-ups by rule."""

import pytest

from assistant.history import leans, stand_alone
from assistant.model import Question, Turn

FIRST = Turn("user", "What is the rate of HLT_mu22_medium in menu v8?")
REPLY = Turn("assistant", "245 Hz; its seed is L1_MU14.")


@pytest.mark.parametrize(
    "text",
    ["And for the muons?", "What about it?", "Which stream does it go to?", "Why?", "the endcap?"],
)
def test_a_follow_up_is_joined_to_the_question_before(text):
    made = stand_alone(Question(text, history=(FIRST, REPLY)))

    assert made.search == f"{FIRST.content} {text} L1_MU14"
    assert (made.text, made.earlier) == (text, FIRST.content)
    assert made.full == f"{FIRST.content} {text}"


@pytest.mark.parametrize(
    "text",
    [
        "What is the latency budget of the Level-1 muon trigger?",
        "What is the HLT?",
        "Rate of L1_MU4?",
        "Is there a scale factor for muons above 2.4?",
    ],
)
def test_a_whole_question_stands_alone(text):
    assert not leans(text)
    assert stand_alone(Question(text, history=(FIRST, REPLY))).search == text


def test_without_history_every_question_stands_alone():
    made = stand_alone(Question("  And   then? "))
    assert (made.search, made.earlier) == ("And then?", "")


def test_a_chain_of_follow_ups_keeps_the_question_that_began_it():
    history = (FIRST, REPLY, Turn("user", "And its stream?"), Turn("assistant", "Main."))
    made = stand_alone(Question("And its seed?", history=history))
    assert made.earlier == f"{FIRST.content} And its stream?"


def test_empty_turns_are_passed_over():
    assert stand_alone(Question("And then?", history=(Turn("user", " "),))).search == "And then?"


def test_a_very_long_earlier_question_is_cut():
    made = stand_alone(Question("And then?", history=(Turn("user", "word " * 500),)))
    assert len(made.earlier) == 300
