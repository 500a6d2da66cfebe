"""Extracts instead of a model, and beside one."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assistant.candidates import Candidates
from assistant.cite import Cited, cite
from assistant.extracts import (
    MOST,
    answers,
    bar,
    beside,
    chosen,
    considered,
    extracts,
    in_force,
    ranked,
    repeats,
)
from assistant.model import Sentence
from tests.assistant.passages import LATENCY, PHONES, passage
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


def test_the_best_page_stands_first_where_the_model_has_used_another():
    found = candidates(NEW, OLD)
    answer = cite(QUESTION, "The trigger on-call answers the phone 71999.", found, 0.4)
    both = beside(answer, QUESTION, found)

    assert [sentence.text for sentence in both.sentences] == [NEW.text, OLD.text]
    assert [sentence.citations for sentence in both.sentences] == [(1,), (2,)]
    assert [citation.title for citation in both.citations] == ["Phones of 2026", "Phones of 2024"]
    assert [citation.marker for citation in both.citations] == [1, 2]
    assert both.text == f"{NEW.text}\n{OLD.text}"


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


def test_without_passages_there_is_no_extract():
    assert extracts("Where is the canteen?", candidates()).sentences == ()


def test_extracts_are_few_and_short_together_but_never_none():
    long = [passage(f"The trigger on-call {n} " + "answers the phone " * 30, str(n)) for n in "abc"]
    short = [passage(f"The trigger on-call answers the phone 7102{n}.", f"P{n}") for n in range(6)]

    (only,) = extracts("trigger on-call", candidates(*long)).sentences
    assert len(only.text) > 500
    assert len(extracts(QUESTION, candidates(*short)).sentences) == MOST


def test_an_extract_far_from_the_best_is_left_out():
    best, near, far = candidates(*(passage(name, name) for name in ("Best", "Near", "Far"))).windows

    # 0.4 of the best score of 1.0
    assert chosen([(1.0, best), (0.41, near), (0.39, far)], 0.4) == [best, near]


def test_of_equal_sentences_the_one_with_what_is_asked_for_comes_first():
    plain = passage("The trigger on-call answers the phone at night.", "Plain")
    telling = passage("The trigger on-call answers the phone 71022.", "Telling")
    scores = [score for score, _ in ranked("Which phone, trigger on-call?", candidates(telling))]
    others = [score for score, _ in ranked("Which phone, trigger on-call?", candidates(plain))]

    assert max(scores) > max(others)


def test_every_sentence_of_the_first_passage_is_considered():
    many = passage("\n\n".join(f"Sentence {n} tells of nothing." for n in range(40)))
    found = considered("zebra", candidates(many))

    assert len([window for window in found if window.units == 1]) == 40


def test_extracts_quote_the_best_place_exactly():
    found = extracts(
        "What is the latency budget of the Level-1 trigger?",
        candidates(passage(PHONES, "Phones"), passage(LATENCY)),
    )

    assert found.citations[0].quote == "The latency budget of the Level-1 trigger is 3.2 us."
    assert found.sentences[0].text == found.citations[0].quote
    assert all(sentence.supported for sentence in found.sentences)
    assert len(found.citations) <= MOST


@pytest.mark.parametrize(
    ("years", "order"),
    [
        ((2026, 2024), ["New"]),
        ((2024, 2026), ["Exact"]),
        ((2026, 2026), ["Exact", "New"]),
    ],
)
def test_an_old_page_gives_way_to_a_newer_one_that_is_nearly_as_near(years, order):
    near = passage("The trigger on-call answers 71022.", "New")
    nearest = passage("The trigger on-call answers the phone 71999.", "Exact")
    pages = [
        replace(page, updated_at=datetime(year, 5, 1, tzinfo=UTC))
        for page, year in zip((near, nearest), years, strict=True)
    ]
    found = extracts(QUESTION, candidates(*reversed(pages)))

    assert [citation.title for citation in found.citations] == order


def test_a_newer_page_that_is_hardly_about_it_stays_behind():
    old, new = candidates(passage("Old one.", "Old"), passage("New one.", "New")).windows
    made = candidates(
        replace(passage("Old one.", "Old"), updated_at=datetime(2020, 1, 1, tzinfo=UTC)),
        replace(passage("New one.", "New"), updated_at=datetime(2026, 1, 1, tzinfo=UTC)),
    )

    assert in_force([old, new], {old: 1.0, new: 0.69}, made) == [old, new]
    assert in_force([old, new], {old: 1.0, new: 0.71}, made) == [new]


def test_the_row_beside_the_one_that_was_asked_for_is_left_out():
    rows = "| Fill | Delivered |\n| 10140 | 389 |\n| 10149 | 402 |\n| 10151 | 377 |"
    found = extracts("How much was delivered in fill 10149?", candidates(passage(rows, "Fills")))

    assert "402" in found.text
    assert "389" not in found.text
    assert "377" not in found.text
    both = extracts("How much was delivered?", candidates(passage(rows, "Fills")))
    assert all(value in both.text for value in ("389", "402", "377"))


def test_three_pages_of_one_sentence_have_one_extract():
    told = "The trigger on-call can be reached by phone at all hours of the day."
    copies = [passage(f"{told} ![x](https://a{n}.example/p.png)", f"Copy {n}") for n in range(3)]
    found = extracts(QUESTION, candidates(*copies, NEW))

    assert len([sentence for sentence in found.sentences if told in sentence.text]) == 1
    assert NEW.text in found.text


def test_another_number_or_a_denial_is_no_repetition():
    one, other, denial = candidates(
        passage("The limit of the disk is 30 days.", "A"),
        passage("The limit of the disk is 45 days.", "B"),
        passage("The limit of the disk is not 30 days.", "C"),
    ).windows

    assert not repeats(other, [one])
    assert not repeats(denial, [one])
    assert repeats(one, [other, one])


def test_a_page_that_repeats_the_question_leaves_room_for_an_answer():
    asked = "What is the phone of the trigger on-call"
    spam = passage(" ".join([f"{asked}? {asked}."] * 12), "Phone of the trigger on-call")
    found = extracts(f"{asked}?", candidates(spam, replace(spam, chunk_id="x"), NEW))

    assert NEW.text in found.text


def test_a_sentence_without_what_is_asked_sets_no_bar():
    told = passage("The time at which the shift begins is told.", "Shift")
    answer = passage("It begins at 07:15.", "Hours")
    scored = list(zip((1.0, 0.5), candidates(told, answer).windows, strict=True))

    assert bar("At what time does the shift begin?", scored) == 0.5
    assert bar("Why?", scored) == 1.0
    assert bar("Why?", []) == 0.0


def test_a_newer_page_that_does_not_answer_takes_nothing_away():
    made = candidates(
        replace(
            passage("The meeting is at 09:15.", "Old"), updated_at=datetime(2020, 1, 1, tzinfo=UTC)
        ),
        replace(
            passage("The meeting takes place.", "New"), updated_at=datetime(2026, 1, 1, tzinfo=UTC)
        ),
    )
    old, new = made.windows

    assert in_force([old, new], {old: 1.0, new: 1.0}, made, "At what time is the meeting?") == [
        old,
        new,
    ]
    assert in_force([old, new], {old: 1.0, new: 1.0}, made, "What of the meeting?") == [new]


STUFFED = passage(
    "Which phone does the trigger on-call answer? The trigger on-call answers the phone, the phone "
    "of the trigger on-call. The phone which the trigger on-call answers was changed this year.",
    "The phone of the trigger on-call",
)
PLAIN = passage("On-call of the trigger | 71022", "Rota", start=50)


def test_beside_an_answer_that_tells_nothing_stands_what_does():
    # The sentence is carried by its page, and nobody can call it.
    found = candidates(STUFFED, PLAIN)
    said = "The phone which the trigger on-call answers was changed this year."
    answer = cite(QUESTION, said, found, 0.4)
    assert answer.sentences[0].supported
    assert not answers(QUESTION, answer)

    both = beside(answer, QUESTION, found)

    assert said in [sentence.text for sentence in both.sentences]
    assert PLAIN.text in [sentence.text for sentence in both.sentences]


@pytest.mark.parametrize(
    ("question", "said", "told"),
    [
        (QUESTION, "The trigger on-call answers the phone 71999.", True),
        (QUESTION, "The trigger on-call answers a phone.", False),
        # No kind can be told: a name or a number that the question has not.
        ("What became of the GT-17?", "The tag GT-17 is no longer valid.", False),
        ("What became of the tag?", "The tag GT-17 is no longer valid.", True),
    ],
)
def test_an_answer_tells_what_is_asked_for(question, said, told):
    cited = Cited(said, (Sentence(said, (1,), True),), ())
    assert answers(question, cited) is told
    unsupported = Cited(said, (Sentence(said, (), False),), ())
    assert not answers(question, unsupported)


def test_one_page_is_not_all_that_is_heard():
    # Twice the same in two formats, and each better by its words than the page that says otherwise.
    said = "The trigger on-call answers the phone 71999."
    again = replace(OLD, chunk_id="again", document_id="files:again", title="Again")
    other = passage("71022 | always | trigger | rota of the on-call", "Rota", start=50)
    found = candidates(OLD, again, other)
    both = beside(cite(QUESTION, said, found, 0.4), QUESTION, found)

    assert [citation.title for citation in both.citations] == ["Phones of 2024", "Rota"]
