"""The sample is what its data card says, and its questions can be answered from it."""

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from eval.match import is_document, says
from ingest.model import PUBLIC, Page, Past
from ingest.parse import parse
from ingest.settings import load_settings
from ingest.source_settings import FilesSettings
from ingest.sources.files import FilesSource, glob_pattern

SAMPLE = Path(__file__).parents[1] / "sample"
CARD = (SAMPLE / "README.md").read_text()
QUESTIONS = [json.loads(line) for line in (SAMPLE / "questions.jsonl").read_text().splitlines()]
TEMPTING = [question for question in QUESTIONS if question.get("wrong")]


@cache
def documents():
    """All documents; that a page cannot be read is an error here."""
    settings = load_settings(SAMPLE / "docent.toml").sources["meridian"]
    assert isinstance(settings, FilesSettings)
    items = list(FilesSource("meridian", settings).pages(Past()))
    pages = [item for item in items if isinstance(item, Page)]
    assert len(pages) == len(items)
    return [document for page in pages for document in parse(page)]


def table(heading):
    """Rows below a heading of the data card, as cells, without the header and the sum."""
    text = CARD.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [row for row in rows[1:] if "**" not in row[0]], [row for row in rows if "**" in row[0]]


@cache
def at(place):
    """The documents at a place that a question names; a place without any is an error."""
    found = [document for document in documents() if is_document(place, document.id, document.url)]
    assert found, f"There is no document {place}."
    return found


def reads(question, place):
    """True when the asking reader may read what stands at this place."""
    return all({*question["groups"], PUBLIC} & document.access for document in at(place))


def said_at(place, keys):
    """True when what stands at this place says one of the keys."""
    return says("\n".join(f"{found.title}\n{found.text}" for found in at(place)), keys)


def test_the_card_counts_the_documents_of_each_kind():
    rows, [total] = table("Formats and counts")
    paths = [document.page_id.split(":", 1)[1] for document in documents()]
    counted = {}
    for kind, globs, _ in rows:
        patterns = [glob_pattern(glob) for glob in re.findall("`([^`]+)`", globs)]
        counted[kind] = sum(any(each.fullmatch(path) for each in patterns) for path in paths)

    assert counted == {kind: int(count) for kind, _, count in rows}
    assert len(documents()) == sum(counted.values()) == int(total[-1].strip("|* "))


def test_the_card_counts_what_each_group_may_read():
    rows, _ = table("Access")
    groups = Counter(group for document in documents() for group in document.access)

    assert {group: int(count) for group, count, _ in rows} == groups


def test_the_card_counts_the_questions_of_each_class():
    rows, [total] = table("Questions")
    halves = [
        QUESTIONS,
        QUESTIONS[1::2],
        [question for question in QUESTIONS if not question["documents"]],
        TEMPTING,
    ]
    counts = [Counter(question["class"] for question in some) for some in halves]

    told = {row[0]: [int(cell.strip("| ")) for cell in row[1:]] for row in rows}
    assert told == {name: [count[name] for count in counts] for name in counts[0]}
    assert [int(cell.strip("|* ")) for cell in total[1:]] == [len(some) for some in halves]


def test_each_half_holds_about_half_of_each_class():
    test_half = Counter(question["class"] for question in QUESTIONS[1::2])
    for name, count in Counter(question["class"] for question in QUESTIONS).items():
        assert 0.4 <= test_half[name] / count <= 0.6, name


def test_no_two_questions_share_an_id():
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_the_facts_stand_where_they_are_said_to_stand_and_in_the_answer(question):
    for place in question["documents"]:
        assert reads(question, place), place
    for fact in question["facts"]:
        assert fact["where"], fact
        assert set(fact["where"]) <= set(question["documents"]), fact
        for place in fact["where"]:
            assert said_at(place, fact["keys"]), (place, fact)
        assert says(question["answer"], fact["keys"]), fact


@pytest.mark.parametrize("question", TEMPTING, ids=lambda question: question["id"])
def test_the_wrong_facts_tempt_the_reader_and_are_not_in_a_right_answer(question):
    for wrong in question["wrong"]:
        assert wrong["where"], wrong
        for place in wrong["where"]:
            assert reads(question, place), place
            assert said_at(place, wrong["keys"]), (place, wrong)
        assert not says(question["answer"], wrong["keys"]), wrong
        for fact in question["facts"]:
            assert not any(says(key, wrong["keys"]) for key in fact["keys"]), (wrong, fact)


def test_each_question_of_freshness_names_what_is_out_of_date():
    assert all(question["wrong"] for question in QUESTIONS if question["class"] == "freshness")


def test_a_follow_up_and_no_other_question_is_asked_in_full_too():
    for question in QUESTIONS:
        is_follow_up = question["class"] == "follow-up"
        assert bool(question["history"]) == is_follow_up, question["id"]
        assert bool(question.get("standalone")) == is_follow_up, question["id"]


def test_the_two_sides_of_a_contradiction_stand_in_different_documents():
    for question in QUESTIONS:
        if question["class"] == "contradiction":
            one, other = question["facts"]
            assert not set(one["where"]) & set(other["where"]), question["id"]
