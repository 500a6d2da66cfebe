"""The question sets are what their data card says. Their documentation is not needed for it."""

import re
from collections import Counter
from pathlib import Path

import pytest

from eval.datasets import read_questions
from eval.match import folded, says

SETS = Path(__file__).parents[2] / "eval" / "sets"
CARD = (SETS / "README.md").read_text()
QUESTIONS = read_questions(SETS / "hep-docs.jsonl")
DEVELOPMENT, TEST = QUESTIONS[0::2], QUESTIONS[1::2]


def rows(header):
    """Rows of the card's table with this header, as cells; the sum may be the last one."""
    lines = CARD.split(f"| {header} |\n")[1].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip("*` ") for cell in line.strip("|").split("|")] for line in lines]


def content_words(text):
    return set(re.findall(r"[a-z]{5,}", folded(text)))


def test_the_card_counts_each_class_of_each_half():
    *classes, total = rows("Class | Development | Test")
    halves = [Counter(question.kind for question in half) for half in (DEVELOPMENT, TEST)]

    assert {name: (int(dev), int(test)) for name, dev, test in classes} == {
        name: (halves[0][name], halves[1][name]) for name in halves[0] | halves[1]
    }
    assert total == ["All", str(len(DEVELOPMENT)), str(len(TEST))]


def test_the_halves_have_the_same_classes_in_the_same_proportion():
    halves = [Counter(question.kind for question in half) for half in (DEVELOPMENT, TEST)]
    for name in halves[0] | halves[1]:
        assert abs(halves[0][name] - halves[1][name]) <= 1, name
    assert Counter(q.kind for q in QUESTIONS)["paraphrase"] >= 0.3 * len(QUESTIONS)


def test_the_card_counts_the_questions_of_each_documentation():
    folders = Counter(
        folder
        for question in QUESTIONS
        for folder in {document.split("/")[0] for document in question.documents}
    )
    card = rows("Documentation | Folder | Repository | Licence | Questions")

    assert {folder: int(count) for _, folder, _, _, count in card} == folders


def test_ids_are_the_line_numbers_and_no_question_is_asked_twice():
    assert [q.id for q in QUESTIONS] == [f"d{n:03}" for n in range(1, len(QUESTIONS) + 1)]
    asked = Counter(folded(question.question) for question in QUESTIONS)
    assert [text for text, count in asked.items() if count > 1] == []


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_a_line_is_at_one_with_itself(question):
    assert question.groups == [], "All of the documentation is public."
    assert question.answerable == (question.kind != "unanswerable")
    assert question.answer
    assert len(set(question.documents)) == len(question.documents)
    for document in question.documents:
        assert document.endswith((".md", ".rst", ".ipynb"))
    for fact in question.facts:
        assert says(question.answer, fact.keys), fact
        assert set(fact.where) <= set(question.documents), fact
    for wrong in question.wrong:
        assert not says(question.answer, wrong.keys), wrong


def of_class(name):
    chosen = [question for question in QUESTIONS if question.kind == name]
    return pytest.mark.parametrize("question", chosen, ids=lambda question: question.id)


@of_class("paraphrase")
def test_a_paraphrase_gives_nothing_of_its_answer_away(question):
    for fact in question.facts:
        assert not says(question.question, fact.keys), fact
    asked = content_words(question.question)
    assert len(asked & content_words(question.answer)) <= len(asked) / 3


@of_class("multi-hop")
def test_a_multi_hop_question_has_a_fact_on_each_of_two_pages(question):
    places = {frozenset(fact.where) for fact in question.facts if fact.required}

    assert len(places) >= 2, "Two facts with different `where`."
    assert all(places), "Each fact says where it stands."


@of_class("freshness")
def test_a_stale_page_is_not_what_a_freshness_question_wants(question):
    assert question.wrong, "It names the stale value."
    for document in question.documents:
        assert "/archive/" not in document
