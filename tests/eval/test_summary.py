import pytest

from eval.answers import CitationRow, FactRow, Row, WrongRow
from eval.summary import (
    LESS_IS_BETTER,
    SHARES,
    as_json,
    by_class,
    quantities,
    reciprocal_rank,
    shares,
    tables,
)


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


def pair(*, carries: bool, precise: bool | None = None) -> CitationRow:
    return CitationRow(
        sentence="s",
        marker=1,
        document_id="d",
        quote="q",
        carries=carries,
        precise=precise,
        missing=(),
    )


def wrong(*, said: bool, warned: bool = False) -> WrongRow:
    return WrongRow(text="w", said=said, warned=warned)


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
        citations=(pair(carries=True, precise=True), pair(carries=False, precise=False)),
        answer="four",
        gold_rank=1,
        wrong=(wrong(said=True), wrong(said=True, warned=True), wrong(said=False)),
        notices=("conflict", "old"),
        first_token_ms=1000.0,
        total_ms=2000.0,
        prompt_tokens=900,
        completion_tokens=20,
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
        gold_rank=4,
        wrong=(wrong(said=True),),
        total_ms=4000.0,
        prompt_tokens=1100,
    ),
    row(
        "w",
        "wrong_refusal",
        kind="b",
        facts=(fact(covered=False),),
        answer="Not found.",
        wrong=(wrong(said=False),),
    ),
    row(
        "f",
        "failed",
        facts=(fact(covered=False),),
        reason="Boom: it broke.",
        wrong=(wrong(said=False),),
    ),
    row("u", "right_refusal", kind="b", answerable=False),
    row("x", "wrong_answer", kind="b", answerable=False, answer="four", gold_rank=2),
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
        "wrong_facts": (3, 5),
        "wrong_facts_unwarned": (2, 5),
        "wrong_questions": (2, 4),
        "abstention": (0, 0),
        "first_right": (0, 0),
        "both_sides": (0, 0),
        "conflict_elsewhere": (1, 3),
        "document_retrieved": (2, 4),
        "document_first": (1, 4),
        "document_cited": (1, 4),
        "citation_precision": (1, 2),
        "sentences_carried": (2, 4),
        "citations_carrying": (1, 3),
        "sentences_unsupported": (2, 4),
        "sentences_uncited": (1, 4),
        "sentences_marked": (1, 4),
        "failed": (1, 6),
    }
    assert list(counted) == list(SHARES)
    assert set(counted) > LESS_IS_BETTER


def test_first_citations_sides_and_abstention_are_those_of_their_classes():
    rows = [
        row("f1", "right", kind="freshness", first_right=True, notices=("conflict",)),
        row("f2", "wrong_refusal", kind="freshness"),
        row("c1", "right", kind="contradiction", both_sides=True, notices=("conflict",)),
        row("c2", "incomplete", kind="contradiction", first_right=True),
        row("n", "right_refusal", answerable=False, kind="unanswerable"),
        row("p", "wrong_answer", answerable=False, kind="false-premise", both_sides=True),
        row("r", "right_refusal", answerable=False, kind="restricted"),
        row("o", "right", kind="other", both_sides=True, notices=("newer",)),
    ]

    counted = {name: (value.count, value.total) for name, value in shares(rows).items()}

    assert counted["first_right"] == (1, 2)
    assert counted["both_sides"] == (1, 2)
    assert counted["abstention"] == (1, 2)
    assert counted["right_refusal"] == (2, 3)
    # `p` and `o` are answered and of other classes; neither has a notice of conflict.
    assert counted["conflict_elsewhere"] == (0, 2)


def test_the_mean_reciprocal_rank_is_over_answerable_questions():
    found = reciprocal_rank(ROWS)

    # 1, 1/4, nothing and nothing; `x` is not answerable.
    assert found is not None
    assert found.value == pytest.approx(1.25 / 4)
    assert reciprocal_rank(ROWS[4:]) is None
    assert as_json(ROWS)["reciprocal_rank"]["mean"] == found.value


def test_seconds_and_lengths_are_of_the_questions_that_have_them():
    found = quantities(ROWS)

    assert found["seconds to first token"] == (1.0, 1.0)
    # 2 s and 4 s: the middle, and 95 % of the way.
    assert found["seconds in all"][0] == pytest.approx(3.0)
    assert found["seconds in all"][1] == pytest.approx(3.9)
    assert found["tokens read"][0] == pytest.approx(1000.0)
    assert found["tokens read"][1] == pytest.approx(1090.0)
    assert found["tokens written"] == (20.0, 20.0)
    assert found["sentences of the answer"][0] == 2
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
