import json

import pytest
from typer.testing import CliRunner, Result

from eval.answers import CitationRow, FactRow, Row
from eval.cli import eval_app
from eval.cli_judges import Parts
from eval.export import for_ragas
from eval.judges import Said, Support
from eval.judges.rows import cases
from tests.eval.test_judges import LINES, written
from tests.fakes import FakeLLM


def row(name: str = "q1", **changes: object) -> Row:
    def cited(marker: int, quote: str) -> CitationRow:
        return CitationRow(
            sentence="It runs at 40 Hz.",
            marker=marker,
            document_id="d",
            quote=quote,
            carries=True,
            missing=(),
            heading="Pumps\nRates",
        )

    return Row(
        id=name,
        kind="plain",
        digest="0",
        llm="m",
        question="How fast is it?",
        answerable=True,
        outcome="right",
        status="answered",
        answer="It runs at 40 Hz [1][2].",
        facts=(
            FactRow(text="it runs at 40 Hz", required=True, covered=True),
            FactRow(text="the oil is old", required=False, covered=False),
        ),
        citations=(cited(1, "The pump runs at 40 Hz."), cited(2, "The pump is blue.")),
    ).model_copy(update=changes)


REFUSED = row("q2", status="not_found", outcome="wrong_refusal", citations=())


@pytest.fixture
def docent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DOCENT_CONFIG", raising=False)

    def call(*words: object, llm: FakeLLM | None = None) -> Result:
        arguments = [str(word) for word in words]
        return CliRunner().invoke(eval_app, arguments, obj=Parts(llm))

    return call


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(one.model_dump_json() + "\n" for one in (row(), REFUSED)))
    return path


def test_judges_by_rule_are_measured_without_a_model(docent, tmp_path):
    result = docent("judges", written(tmp_path, *LINES))

    assert result.exit_code == 0
    assert "rules, sentence against source" in result.stdout
    assert "containment, sentence against source" in result.stdout
    assert "containment, fact" not in result.stdout


def test_a_model_is_measured_alone_and_after_the_rules(docent, tmp_path):
    llm = FakeLLM("NO", "NO", "YES", name="small")
    result = docent("judges", written(tmp_path, *LINES), "--llm", "small", "--json", llm=llm)

    told = json.loads(result.stdout)
    by_judge = {(one["judge"], one["task"]): one for one in told["agreement"]}
    assert by_judge["small", "all"]["right"] == 2
    # The rules are right about the two sentences, the model about the fact.
    assert by_judge["rules, then small", "all"]["right"] == 3
    assert told["verdicts"][0]["small"] == "not"
    assert told["verdicts"][0]["rules, then small"] == "supported"
    assert told["dataset"]["half"] == "all"
    assert told["made_with"]["commit"] is not None


def test_only_a_half_is_asked(docent, tmp_path):
    result = docent("judges", written(tmp_path, *LINES), "--half", "test", "--json")

    assert [one["id"] for one in json.loads(result.stdout)["verdicts"]] == ["b"]


def test_a_model_that_is_none_cannot_judge(docent, rows):
    result = docent("judge", rows, "--judge", "llm")

    assert result.exit_code == 1
    assert "A model shall judge, but the model is 'none'" in str(result.exception)


def test_what_there_is_to_judge_in_a_row():
    sentence = "It runs at 40 Hz."
    first, second = "Pumps\nRates\nThe pump runs at 40 Hz.", "Pumps\nRates\nThe pump is blue."

    assert cases(row()) == [
        ("sentence", Support(f"{first}\n{second}", sentence)),
        ("citation", Support(first, sentence)),
        ("citation", Support(second, sentence)),
        ("required", Said(sentence, "it runs at 40 Hz")),
        ("optional", Said(sentence, "the oil is old")),
    ]
    assert cases(REFUSED) == []


def test_kept_rows_are_judged_by_rules(docent, rows):
    result = docent("judge", rows)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "rows.jsonl, judged by rules"
    cells = {line.split("  ")[0]: line.split() for line in lines}
    # The first citation carries the sentence, the second does not have its number.
    assert cells["citations, each against its sentence: supported"][-5:] == [
        "1/2",
        "0.500",
        "[0.095,",
        "0.905]",
        "rules",
    ]
    assert "1/1" in cells["required facts, of answered questions: entailed"]
    assert "1/1" in cells["optional facts, of answered questions: not mentioned"]


def test_kept_rows_are_judged_by_a_model_where_rules_do_not_decide(docent, tmp_path):
    path = tmp_path / "rows.jsonl"
    quick = FactRow(text="fast and swift", required=True, covered=False)
    path.write_text(row(facts=(quick,), answer="So quick, swift.", citations=()).model_dump_json())
    llm = FakeLLM("YES", name="small")

    told = json.loads(docent("judge", path, "--judge", "llm", "--json", llm=llm).stdout)

    assert told["judge"] == "rules, then small"
    assert told["verdicts"] == [
        {
            "row": "q1",
            "what": "required",
            "text": "fast and swift",
            "verdict": "entailed",
            "by": "small",
            "reason": "",
            "failed": False,
        }
    ]


def test_a_file_of_other_lines_is_no_rows(docent, tmp_path):
    path = tmp_path / "retrieval.json"
    arm = {"per_query": {"MRR@10": {"q": 1.0}}}
    path.write_text(json.dumps({"kind": "retrieval", "arms": {"hybrid": arm}}))

    result = docent("judge", path)

    assert result.exit_code == 1
    assert "docent eval answers --out" in str(result.exception)


def test_rows_go_out_in_the_columns_of_ragas(docent, rows, tmp_path):
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"id": "q1", "question": "How fast?", "answer": "40 Hz."}))

    result = docent("export", rows, "--questions", questions)

    (sample,) = map(json.loads, result.stdout.splitlines())
    assert sample == {
        "user_input": "How fast is it?",
        "response": "It runs at 40 Hz.",
        "retrieved_contexts": [
            "Pumps\nRates\nThe pump runs at 40 Hz.",
            "Pumps\nRates\nThe pump is blue.",
        ],
        "reference": "40 Hz.",
    }


def test_a_row_without_a_known_answer_has_no_reference():
    (sample,) = for_ragas([row(), REFUSED], {})

    assert "reference" not in sample
