import pytest

from eval.judge import judge

QUOTE = "The L1_MU4 item accepts muons above 4 GeV at 40 MHz; Anna Berg looks after its prescales."


@pytest.mark.parametrize(
    "sentence",
    [
        "L1_MU4 accepts muons above 4 GeV.",
        "The L1_MU4 item accepted a muon above 4GeV.",
        "Its prescales are looked after by Anna Berg.",
        "It accepts muons at 40\u202fMHz.",
        "40 MHz",
    ],
)
def test_a_sentence_that_says_what_the_quote_says_is_carried(sentence):
    verdict = judge(sentence, [QUOTE])

    assert verdict.carried
    assert verdict.missing == ()


@pytest.mark.parametrize(
    ("sentence", "missing"),
    [
        ("The L1_MU4 item accepts muons above 6 GeV.", ("6",)),
        ("The L1_MU6 item accepts muons above 4 GeV.", ("l1_mu6",)),
        ("The prescales of the item are looked after by Anna Ruiz.", ("ruiz",)),
        ("The HLT accepts muons at 40 MHz.", ("hlt",)),
    ],
)
def test_a_number_an_identifier_or_a_name_from_elsewhere_is_told(sentence, missing):
    verdict = judge(sentence, [QUOTE])

    assert not verdict.carried
    assert verdict.missing == missing


def test_a_sentence_about_something_else_is_not_carried():
    verdict = judge("The calorimeter needs new power supplies.", [QUOTE])

    assert not verdict.carried
    assert verdict.containment == 0


def test_containment_is_the_share_of_content_stems():
    # accept, muon of accept, muon, electron, photon.
    assert judge("It accepts muons, electrons, photons.", [QUOTE]).containment == 0.5


def test_two_quotes_may_carry_a_sentence_together():
    first, second = "The shift begins at 7:00.", "The shift ends in the evening at 23:00."
    sentence = "The shift begins at 7:00 and ends at 23:00."

    assert judge(sentence, [first, second]).carried
    assert not judge(sentence, [first]).carried
    assert not judge(sentence, [second]).carried


def test_numbers_are_compared_in_one_way_of_writing():
    assert judge("There are 1000 runs at 10^34.", ["We took 1,000 runs at 10³⁴."]).carried


def test_a_part_of_a_date_or_range_may_be_named():
    assert judge("The runs were taken in 2024.", ["Runs taken: 2024-05-01."]).carried
    assert judge("The runs were 10-15.", ["The runs were 10 to 15."]).carried


def test_no_quote_carries_nothing_and_an_empty_sentence_is_not_carried():
    assert not judge("The item accepts muons.", []).carried
    assert not judge("The item accepts muons.", [""]).carried
    assert not judge("It is.", [QUOTE]).carried
