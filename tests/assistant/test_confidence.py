"""How sure an answer is, from its signs."""

import math

import pytest

from assistant.candidates import Candidates
from assistant.confidence import FITTED, SIGNS, Weights, bound, names, signs
from tests.assistant.passages import PHONES, passage


def candidates(*texts):
    return Candidates([passage(t, f"Page {n}") for n, t in enumerate(texts)])


def test_the_score_is_the_logistic_function_of_the_weighted_signs():
    made = Weights(bias=-1.0, weights={"about": 2.0, "missing": -3.0})

    assert made.score({"about": 0.5}) == pytest.approx(0.5)
    assert made.score({"about": 1.0, "missing": 1.0}) == pytest.approx(1 / (1 + math.exp(2.0)))


def test_a_question_that_stands_in_a_sentence_is_sure_and_one_with_an_unknown_name_is_not():
    found = candidates("The prescale of L1_MU4 is 40.", "The prescale of L1_MU6 is 12.")
    known = signs("What is the prescale of L1_MU4?", found)
    unknown = signs("What is the prescale of L1_MU8?", found)

    assert known == pytest.approx({"about": 1.0, "bound": 1.0, "missing": 0.0, "foreign": 0.0})
    assert (unknown["missing"], unknown["bound"], unknown["about"]) == (1.0, 0.0, 0.0)
    assert FITTED.score(known) > 0.95
    assert FITTED.score(unknown) < 0.3


def test_without_passages_nothing_speaks_for_an_answer():
    assert signs("Anything?", candidates()) == dict.fromkeys(SIGNS, 0.0)


def test_name_and_attribute_must_stand_together():
    apart = candidates("TopTag-80 has a rejection of 9.5.", "The scale factor is 1.02.")
    together = candidates("TopTag-80 has a scale factor of 1.02.")
    question = "What is the scale factor of TopTag-80?"

    assert bound(question, together) == pytest.approx(1.0)
    assert bound(question, apart) == 0.0


def test_half_of_the_other_words_beside_the_name_count_half():
    # both words stand once and weigh the same
    found = candidates("Lantern token.", "A cheap thing.")

    assert bound("Is the Lantern token cheap?", found) == pytest.approx(0.5)


def test_a_question_of_names_alone_is_bound_where_they_stand():
    found = candidates("L1_MU4 and L1_MU6.")

    assert bound("L1_MU4 L1_MU6", found) == 1.0
    assert bound("L1_MU4 L1_MU9", found) == 0.0


def test_an_acronym_that_the_best_row_lacks_is_a_sign_against_it():
    told = signs("Which phone has the MPC on-call?", candidates(PHONES))

    assert told["foreign"] == 1.0


def test_a_capital_at_the_beginning_makes_no_name():
    assert names("Which token does Lantern take?") == {"Lantern"}
