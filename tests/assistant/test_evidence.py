"""What a quote has to do with a question, worked out by hand where there are numbers."""

import pytest

from assistant.candidates import Candidates
from assistant.evidence import ABOUT, FOREIGN, about, missing_names
from assistant.words import acronyms, known_names, spelled
from tests.assistant.passages import LATENCY, PHONES, passage


def candidates(*texts):
    return Candidates([passage(t, f"Page {n}") for n, t in enumerate(texts)])


def cited_by(question, quote, *texts):
    made = candidates(*texts)
    (window,) = [window for window in made.windows if window.text == quote]
    return about(question, [window], made)


def test_a_name_is_known_in_another_spelling_or_as_a_part():
    known = known_names("L1_MU4 since run 341118, release v2.3.1, CecCalibration2026, GT-17")
    asked = "Is L1-MU4 in v2.3 of 2026 or GT17 for run 341200?"
    assert missing_names(asked, known) == frozenset()
    assert missing_names("Was it v2.4 in 2027?", known) == {"v2.4", "2027"}


def test_the_row_asked_for_is_about_the_question_and_another_row_is_not():
    question = "What is the phone of the HTC on-call?"
    right = cited_by(question, "HTC on-call | 71035 | 07:00-23:00", PHONES)
    wrong = cited_by(question, "CEC on-call | 71033 | always", PHONES)
    assert right > ABOUT > wrong


def test_a_number_of_the_question_that_is_not_cited_counts_against_it():
    quote = "Exit code 137 means memory exceeded."
    known, foreign = (
        cited_by(f"What does exit code {code} mean?", quote, quote) for code in (137, 251)
    )
    assert known == pytest.approx(1.0)
    assert foreign < known - FOREIGN


def test_an_unknown_wiki_word_is_missed():
    assert missing_names("Is VeryTight at 5 GeV?", known_names("the Tight one")) == {"VeryTight"}
    assert missing_names("Is VeryTight at 5 GeV?", known_names("a very tight one")) == frozenset()


def test_a_cited_window_without_the_name_asked_for_is_about_nothing():
    quote = "The muon path uses 1.95 us of it."
    assert cited_by("Muon path of L1_MU5?", quote, LATENCY) == 0.0
    assert about("Anything?", [], candidates(LATENCY)) == 0.0


def test_acronyms_are_known_by_their_letters_too():
    assert acronyms("Is the CEC part of L1_MU4?") == {"CEC"}
    assert spelled("JES", "The Jet Energy Scale is new.")
    assert spelled("CEC", "CecCalibration2026")
    assert not spelled("FWC", "the CEC and the HTC")
