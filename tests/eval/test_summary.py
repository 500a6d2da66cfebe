import pytest

from eval.answers import CitationRow, FactRow, Row
from eval.summary import SHARES, as_json, by_class, quantities, shares, tables


def row(name: str, outcome: str, *, answerable: bool = True, kind: str = "a", **more) -> Row:
    statuses = {"failed": "", "wrong_refusal": "not_found", "right_refusal": "not_found"}
    fields = {
        "id": name,
        "kind": kind,
        "digest": "d",
        "llm": "m",
        "question": "?",
        "answerable": answerable,
        "outcome": outcome,
        "status": statuses.get(outcome, "answered"),
    }
    return Row.model_validate(fields | more)


def fact(*, covered: bool, required: bool = True) -> FactRow:
    return FactRow(text="f", required=required, covered=covered)


def pair(*, carries: bool) -> CitationRow:
    return CitationRow(
        sentence="s", marker=1, document_id="d", quote="q", carries=carries, missing=()
    )


ROWS = [
    row(
        "r",
        "right",
        facts=(fact(covered=True), fact(covered=True)),
        document_cited=True,
        document_retrieved=True,
        sentences=2,
        sentences_cited=2,
        sentences_carried=2,
        citations=(pair(carries=True), pair(carries=False)),
        answer="four",
        first_token_ms=1000.0,
        total_ms=2000.0,
    ),
    row(
        "i",
        "incomplete",
        kind="b",
        facts=(fact(covered=False), fact(covered=False, required=False)),
        document_retrieved=True,
        sentences=2,
        sentences_cited=1,
        sentences_carried=0,
        sentences_marked=1,
        citations=(pair(carries=False),),
        answer="sixsix",
        total_ms=4000.0,
    ),
    row("w", "wrong_refusal", kind="b", facts=(fact(covered=False),), answer="Not found."),
    row("f", "failed", facts=(fact(covered=False),), reason="Boom: it broke."),
    row("u", "right_refusal", kind="b", answerable=False),
    row("x", "wrong_answer", kind="b", answerable=False, answer="four"),
]


def test_the_shares_of_six_rows_counted_by_hand():
    counted = {name: (value.count, value.total) for name, value in shares(ROWS).items()}

    assert counted == {
        "right": (1, 4),
        "incomplete": (1, 4),
        "wrong_refusal": (1, 4),
        "right_refusal": (1, 2),
        "wrong_answer": (1, 2),
        "required_facts": (2, 5),
        "optional_facts": (0, 1),
        "document_retrieved": (2, 4),
        "document_cited": (1, 4),
        "citations_carrying": (1, 3),
        "sentences_carried": (2, 4),
        "sentences_uncited": (1, 4),
        "sentences_marked": (1, 4),
        "failed": (1, 6),
    }
    assert list(counted) == list(SHARES)


def test_seconds_and_lengths_are_of_the_questions_that_have_them():
    found = quantities(ROWS)

    assert found["seconds to first token"] == (1.0, 1.0)
    # 2 s and 4 s: the middle, and 95 % of the way.
    assert found["seconds in all"][0] == pytest.approx(3.0)
    assert found["seconds in all"][1] == pytest.approx(3.9)
    # Refusals are not answers, however long.
    assert found["characters of the answer"][0] == 4


def test_classes_are_told_apart_and_in_order():
    assert [(kind, len(part)) for kind, part in by_class(ROWS).items()] == [("a", 2), ("b", 4)]


def test_json_holds_exact_numbers_overall_by_class_and_by_outcome():
    told = as_json(ROWS)

    assert told["questions"] == 6
    assert told["statuses"] == {"answered": 3, "not_found": 2, "failed": 1}
    assert told["shares"]["right"]["share"] == 0.25
    assert told["shares"]["right"]["low"] == pytest.approx(0.0456, abs=1e-4)
    assert told["classes"]["b"]["shares"]["right_refusal"]["count"] == 1
    assert told["classes"]["a"]["shares"]["right_refusal"]["share"] is None
    assert told["outcomes"]["wrong_answer"] == ["x"]
    assert told["failures"] == {"f": "Boom: it broke."}


def test_tables_show_counts_and_why_a_question_failed():
    overall, classes, spread, failed = tables(ROWS, "file, model")

    assert overall.title == ("file, model; 6 questions: 3 answered, 1 failed, 2 not_found")
    assert overall.rows[0][1].startswith("1/4  0.250 [0.046, ")
    assert classes.rows[1][:3] == ("b", "4", "0/2")
    assert classes.rows[0][4] == "–"
    assert spread.rows[0] == ("seconds to first token", "1.0", "1.0")
    assert failed.rows == (("f", "Boom: it broke."),)


def test_without_failures_there_is_no_table_of_them():
    assert len(tables(ROWS[:1], "t")) == 3
