from dataclasses import replace

import pytest

from assistant.model import Notice, NoticeKind, Sentence
from eval.gold import both_sides, sides
from tests.eval.test_answers import answered, asked, citation

TWIKI, DOCS, JIRA = "twiki/Quota.txt", "docs/storage.md", "MEROPS-9"


def fact(*where: str, required: bool = True) -> dict[str, object]:
    return {"text": "t", "keys": ["k"], "required": required, "where": list(where)}


def cites(*documents: str, **more):
    citations = tuple(citation(n, "x", f"s:{name}") for n, name in enumerate(documents, 1))
    return answered(Sentence("x", tuple(c.marker for c in citations), True), citations=citations)


def question(*facts: object, documents=(TWIKI, DOCS)):
    return asked(documents=list(documents), facts=list(facts))


def test_a_side_is_where_a_required_fact_stands():
    one = question(fact(TWIKI), fact(DOCS, JIRA), fact("elsewhere", required=False), fact(TWIKI))

    assert sides(one) == [{TWIKI}, {DOCS, JIRA}]


def test_without_places_each_document_is_a_side():
    assert sides(question(fact())) == [{TWIKI}, {DOCS}]


@pytest.mark.parametrize(
    ("cited", "covered", "reported"),
    [
        ((TWIKI, DOCS), True, True),
        ((JIRA, "other", TWIKI), True, True),  # either document of a side will do
        ((TWIKI, "other"), True, False),
        ((TWIKI, DOCS), False, False),
        ((), True, False),
    ],
)
def test_both_sides_are_reported_when_all_is_said_and_each_is_cited(cited, covered, reported):
    one = question(fact(TWIKI), fact(DOCS, JIRA))

    assert both_sides(one, cites(*cited), covered=covered) is reported


@pytest.mark.parametrize(
    ("kind", "markers", "reported"),
    [
        (NoticeKind.CONFLICT, (1, 3), True),
        (NoticeKind.CONFLICT, (1, 2), False),
        (NoticeKind.CONFLICT, (1, 9), False),  # a marker that leads nowhere
        (NoticeKind.NEWER, (1, 3), False),
    ],
)
def test_a_notice_of_conflict_that_cites_both_sides_reports_them(kind, markers, reported):
    answer = replace(cites(TWIKI, "other", DOCS), notices=(Notice(kind, "They differ.", markers),))

    assert both_sides(question(fact(TWIKI), fact(DOCS)), answer, covered=False) is reported


def test_a_question_with_one_side_has_nothing_to_report():
    assert not both_sides(question(fact(TWIKI)), cites(TWIKI), covered=True)
