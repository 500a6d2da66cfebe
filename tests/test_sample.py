"""The sample is what its data card says, and its questions can be answered from it."""

import json
import re
from collections import Counter
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


@pytest.fixture(scope="module")
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


def wanted(question, documents):
    """For each place a question names, the documents there."""
    return [
        [document for document in documents if is_document(place, document.id, document.url)]
        for place in question["documents"]
    ]


def test_the_card_counts_the_documents_of_each_kind(documents):
    rows, [total] = table("Formats and counts")
    paths = [document.page_id.split(":", 1)[1] for document in documents]
    counted = {}
    for kind, globs, _ in rows:
        patterns = [glob_pattern(glob) for glob in re.findall("`([^`]+)`", globs)]
        counted[kind] = sum(any(each.fullmatch(path) for each in patterns) for path in paths)

    assert counted == {kind: int(count) for kind, _, count in rows}
    assert len(documents) == sum(counted.values()) == int(total[-1].strip("|* "))


def test_the_card_counts_what_each_group_may_read(documents):
    rows, _ = table("Access")
    groups = Counter(group for document in documents for group in document.access)

    assert {group: int(count) for group, count, _ in rows} == groups


def test_the_card_counts_the_questions_of_each_class():
    rows, [total] = table("Questions")
    classes = Counter(question["class"] for question in QUESTIONS)
    refused = Counter(question["class"] for question in QUESTIONS if not question["documents"])

    assert {name: (int(all_), int(none)) for name, all_, none in rows} == {
        name: (count, refused[name]) for name, count in classes.items()
    }
    sums = [int(cell.strip("*")) for cell in total[1:]]
    assert sums == [len(QUESTIONS), sum(refused.values())]


def test_each_half_holds_about_half_of_each_class():
    test_half = Counter(question["class"] for question in QUESTIONS[1::2])
    for name, count in Counter(question["class"] for question in QUESTIONS).items():
        assert 0.4 <= test_half[name] / count <= 0.6, name


def test_no_two_questions_share_an_id():
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_the_facts_stand_in_the_named_documents_for_this_reader(question, documents):
    places = wanted(question, documents)
    found = [document for place in places for document in place]
    text = "\n".join(f"{document.title}\n{document.text}" for document in found)

    assert all(places), "A document it names does not exist."
    groups = {*question["groups"], PUBLIC}
    assert all(groups & document.access for document in found)
    for fact in question["facts"]:
        assert says(text, fact["keys"]), fact
        assert says(question["answer"], fact["keys"]), fact
