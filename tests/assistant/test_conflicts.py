"""Pages that say different things of one thing."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assistant.candidates import Candidates
from assistant.conflicts import disputes, outdated
from ingest.model import Standing
from tests.assistant.passages import passage
from tests.fakes import HashEmbedder

QUESTION = "How long does the slow ramp of the solenoid take?"
HOUR = passage("The slow ramp of the solenoid takes 60 minutes.", "Solenoid")
MORE = passage("The slow ramp of the solenoid takes 75 minutes.", "Handbook")


def at(page, year, month):
    return replace(page, updated_at=datetime(year, month, 1, tzinfo=UTC))


def found(*passages, question=QUESTION, embedder=None):
    return disputes(question, Candidates(passages, embedder or HashEmbedder()))


def test_two_pages_of_one_season_disagree_and_neither_holds():
    (told,) = found(at(HOUR, 2026, 5), at(MORE, 2026, 7))

    assert {told.holds.text, told.other.text} == {HOUR.text, MORE.text}
    assert not told.settled


@pytest.mark.parametrize("turned", [False, True])
def test_the_much_newer_page_holds_whichever_was_found_first(turned):
    pages = [at(HOUR, 2024, 5), at(MORE, 2026, 7)]
    (told,) = found(*(reversed(pages) if turned else pages))

    assert (told.holds.text, told.other.text, told.settled) == (MORE.text, HOUR.text, True)


def test_a_page_that_is_archived_does_not_hold_however_new_it_is():
    old = replace(at(MORE, 2026, 7), standing=Standing(archived=True))
    (told,) = found(old, at(HOUR, 2026, 5))

    assert (told.holds.text, told.settled) == (HOUR.text, True)


def test_the_same_value_in_another_unit_is_no_dispute():
    hour = passage("The slow ramp of the solenoid takes 1 hour.", "Handbook")

    assert found(HOUR, hour) == []


def test_one_page_does_not_contradict_itself():
    assert found(HOUR, replace(MORE, document_id=HOUR.document_id, start=100)) == []


def test_a_value_of_another_kind_or_thing_is_no_dispute():
    field = passage("The slow ramp of the solenoid ends at 3.2 T.", "Handbook")
    laser = passage("The laser of the crystals takes 75 minutes from cold.", "Handbook")

    assert found(HOUR, field) == []
    assert found(HOUR, laser) == []


def test_a_long_list_of_values_is_no_dispute():
    many = passage("The slow ramp of the solenoid takes 5, or 6 s, 7 s, 8 s or 9 s.", "Handbook")

    assert found(HOUR, many) == []


def test_where_nothing_in_particular_is_asked_for_numbers_without_unit_count():
    question = "Which significance cut has the Tight muon point?"
    three = passage("The Tight muon point has a significance cut of 3.", "Points")
    five = passage("The Tight muon point has a significance cut of 5.", "Muons")

    (told,) = found(three, five, question=question)
    assert not told.settled


def test_without_an_embedder_words_decide():
    made = Candidates([HOUR, MORE])

    assert len(disputes(QUESTION, made)) == 1
    assert disputes("", made) == []


def test_three_pages_give_the_dispute_that_is_settled_and_the_one_that_stays():
    old = at(passage("The slow ramp of the solenoid takes 90 minutes.", "Old"), 2023, 1)
    told = found(at(HOUR, 2026, 5), at(MORE, 2026, 7), old)

    assert [dispute.settled for dispute in told] == [False, True]


def test_a_page_without_date_is_neither_older_nor_newer():
    assert not outdated(replace(HOUR, updated_at=None), at(MORE, 2026, 7))
    assert not outdated(at(MORE, 2020, 7), replace(HOUR, updated_at=None))
