"""When the passages are enough, worked out by hand where there are numbers."""

import pytest

from assistant.candidates import Candidates
from assistant.evidence import ABOUT, ENOUGH, FOREIGN, about, evidence, missing_names
from assistant.extracts import extracts
from assistant.words import acronyms, known_names, spelled
from tests.assistant.passages import LATENCY, PHONES, passage
from tests.fakes import HashEmbedder


def candidates(*texts, embedder=None):
    return Candidates([passage(t, f"Page {n}") for n, t in enumerate(texts)], embedder)


def cited_by(question, quote, *texts):
    made = candidates(*texts)
    (window,) = [window for window in made.windows if window.text == quote]
    return about(question, [window], made)


def test_a_question_whose_words_all_stand_in_a_sentence_has_full_evidence():
    found = evidence("latency budget of the Level-1 trigger", candidates(LATENCY))
    assert found.score == pytest.approx(1.0)
    assert found.enough
    assert found.reasons == ()


def test_with_an_embedder_likeness_counts_too():
    found = evidence("latency budget", candidates(LATENCY, embedder=HashEmbedder()))
    assert found.likeness is not None
    assert found.score == pytest.approx(0.55 * found.coverage + 0.45 * found.likeness, abs=0.2)


def test_half_the_words_give_half_the_evidence():
    # `kangaroo` stands nowhere and weighs as much as a word that stands once
    found = evidence("budget kangaroo", candidates("The budget is small. Cats sleep."))
    assert found.score == pytest.approx(0.5)


def test_an_unknown_name_ends_it_whatever_the_rest_says():
    found = evidence("What is the latency budget of L1_MU5?", candidates(LATENCY))
    assert not found.enough
    assert found.reasons == ("L1_MU5 does not occur in the documents found.",)


def test_a_question_about_something_else_is_not_enough():
    found = evidence("What is the capital of France?", candidates(LATENCY))
    assert found.score < ENOUGH
    assert "under 0.36" in found.reasons[0]


def test_without_passages_there_is_no_evidence():
    assert evidence("Anything?", candidates()).score == 0.0


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


def test_extracts_quote_the_best_place_exactly_and_leave_the_rest():
    made = candidates(PHONES, LATENCY)
    found = extracts("What is the latency budget of the Level-1 trigger?", made)

    assert found.citations[0].quote == "The latency budget of the Level-1 trigger is 3.2 us."
    assert found.sentences[0].text == found.citations[0].quote
    assert all(sentence.supported for sentence in found.sentences)
    assert len(found.citations) <= 3


def test_there_are_no_extracts_for_a_question_about_something_else():
    assert extracts("What is the capital of France?", candidates(LATENCY)).citations == ()
    assert extracts("Anything?", candidates()).citations == ()
