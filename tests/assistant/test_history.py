"""Follow-ups by rule."""

import pytest

from assistant.history import Lean, leaning, stand_alone
from assistant.model import Question, Turn

FIRST = Turn("user", "What is the rate of HLT_mu22_medium in menu v8?")
REPLY = Turn("assistant", "245 Hz; its seed is L1_MU14.")


@pytest.mark.parametrize(
    "text",
    [
        "And for the muons?",
        "What about it?",
        "Which stream does it go to?",
        "Why?",
        "the endcap?",
        "What was wrong with the one before?",
        "Which search is excluded by that?",
    ],
)
def test_what_surely_leans_is_joined_to_the_question_and_answer_before(text):
    made = stand_alone(Question(text, history=(FIRST, REPLY)))

    assert made.search == f"{FIRST.content} {text} {REPLY.content}"
    assert [(reading.text, reading.weight) for reading in made.also] == [(text, 0.7)]
    assert (made.text, made.earlier) == (text, FIRST.content)
    assert made.full == f"{FIRST.content} {text}"


@pytest.mark.parametrize(
    "text",
    [
        "jobs killed memory?",
        "And what is the latency budget of the muon trigger in 2026?",
    ],
)
def test_what_may_lean_is_searched_for_as_it_is_first(text):
    made = stand_alone(Question(text, history=(FIRST, REPLY)))

    assert made.search == text
    joined = f"{FIRST.content} {text} L1_MU14"
    assert [(reading.text, reading.weight) for reading in made.also] == [(joined, 0.9)]
    assert made.earlier == FIRST.content


@pytest.mark.parametrize(
    "text",
    [
        "What is the latency budget of the Level-1 muon trigger?",
        "What is the HLT?",
        "Rate of L1_MU4?",
        "Is there a scale factor for muons above 2.4?",
        # The pronoun points back inside of the question.
        "What must a Compass tool return when its quantity is undefined?",
        "How soon was the quickest refill after a dump this year?",
        "How long does it take to ramp the solenoid down slowly?",
    ],
)
def test_a_whole_question_stands_alone(text):
    made = stand_alone(Question(text, history=(FIRST, REPLY)))

    assert leaning(text) is Lean.NOT
    assert (made.search, made.earlier, made.also) == (text, "", ())


def test_without_history_every_question_stands_alone():
    made = stand_alone(Question("  And   then? "))
    assert (made.search, made.earlier, made.also) == ("And then?", "", ())


def test_a_chain_of_follow_ups_keeps_the_question_that_began_it():
    history = (FIRST, REPLY, Turn("user", "And its stream?"), Turn("assistant", "Main."))
    made = stand_alone(Question("And its seed?", history=history))
    assert made.earlier == f"{FIRST.content} And its stream?"


def test_empty_turns_are_passed_over():
    assert stand_alone(Question("And then?", history=(Turn("user", " "),))).search == "And then?"


def test_a_very_long_earlier_question_is_cut():
    made = stand_alone(Question("And then?", history=(Turn("user", "word " * 500),)))
    assert len(made.earlier) == 300


def test_of_a_long_answer_the_beginning_and_the_names_of_the_rest_are_carried():
    answer = Turn("assistant", "word " * 21 + "and L1_MU4 of run 7a or L1_MU6")
    made = stand_alone(Question("Why?", history=(FIRST, answer)))

    # 20 words of five characters with their spaces are 100; the last space is cut.
    assert made.search == f"{FIRST.content} Why? {'word ' * 20}L1_MU4 L1_MU6"


def test_the_notice_above_an_answer_is_not_carried():
    answer = Turn("assistant", "The language model is not available.\nThe limit is 30 days.")
    made = stand_alone(Question("Why?", history=(FIRST, answer)))
    assert made.search == f"{FIRST.content} Why? The limit is 30 days."
