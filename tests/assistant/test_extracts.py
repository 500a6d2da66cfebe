"""Extracts instead of a model, and beside one."""

from assistant.candidates import Candidates
from assistant.cite import cite
from assistant.extracts import beside, extracts
from tests.assistant.passages import PHONES, passage
from tests.fakes import HashEmbedder

QUESTION = "Which phone does the trigger on-call answer?"
OLD = passage("The trigger on-call answers the phone 71999.", "Phones of 2024")
NEW = passage("The trigger on-call answers the phone 71022.", "Phones of 2026", start=50)


def candidates(*passages) -> Candidates:
    return Candidates(passages, HashEmbedder())


def test_what_another_page_says_stands_beside_the_answer():
    found = candidates(OLD, NEW)
    answer = cite(QUESTION, "The trigger on-call answers the phone 71999.", found, 0.4)
    both = beside(answer, QUESTION, found)

    assert [sentence.text for sentence in both.sentences] == [OLD.text, NEW.text]
    assert [sentence.citations for sentence in both.sentences] == [(1,), (2,)]
    assert [citation.title for citation in both.citations] == ["Phones of 2024", "Phones of 2026"]
    assert both.text == f"{OLD.text}\n{NEW.text}"


def test_what_the_model_has_copied_is_not_said_twice():
    found = candidates(NEW)
    answer = cite(QUESTION, NEW.text, found, 0.4)

    assert beside(answer, QUESTION, found) == answer


def test_a_bare_value_gets_the_words_around_it_under_the_same_mark():
    found = candidates(NEW)
    answer = cite(QUESTION, "71022", found, 0.4)
    both = beside(answer, QUESTION, found)

    assert [sentence.text for sentence in both.sentences] == ["71022", NEW.text]
    assert [sentence.citations for sentence in both.sentences] == [(1,), (1,)]
    assert len(both.citations) == 1


def test_nothing_near_gives_no_extract():
    assert extracts("Where is the canteen?", candidates(passage(PHONES))).sentences == ()
