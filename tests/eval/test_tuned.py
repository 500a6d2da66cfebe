"""Base against tuned, from runs that were kept."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from eval.answers import Asking
from eval.cli_tuned import tune_report
from eval.measures import Interval
from eval.paired import difference_of_sums
from eval.runs import read_run
from eval.tracking import Dataset, RunRecord, begun, write_record
from eval.tuned import SUM, Tried, as_json, parts_of, summary_table, training_table
from eval.tuned_page import page
from ingest.errors import DocentError
from ingest.registry import Training
from ingest.settings import Settings
from tests.eval.kept import cited, retrieval, row, written

app = typer.Typer()
app.command()(tune_report)
RUNNER = CliRunner()

TRAINING = Training.model_validate(
    {
        "kind": "reranker",
        "base": "all-MiniLM-L6-v2",
        "licence": "Apache-2.0",
        "digest": "e" * 64,
        "data": {"digest": "d" * 64, "groups": [], "licences": {"wiki": "CC-BY-4.0"}},
        "trained_on": 9000,
        "held": 1000,
        "before": {"first": 0.25},
        "after": {"first": 0.75},
        "steps": 600,
        "spent": {"seconds": 7200.0, "cpu_joules": 250_000.0, "machine": "2 cores, no GPU"},
        "made": "2026-11-22T20:00:00+00:00",
    }
)


def test_a_difference_of_sums_is_of_the_same_draws():
    # Facts: q1 1/2 → 2/2, q2 2/2 → 2/2. Cites: q1 0/1 → 1/1, q2 1/1 → 1/1. Drawn twice, q1 gives
    # 0.5 + 1; q2 gives nothing; both together (3/4 → 1) + (1/2 → 1) = 0.75.
    before = {"facts": [(1, 2), (2, 2)], "cites": [(0, 1), (1, 1)]}
    after = {"facts": [(2, 2), (2, 2)], "cites": [(1, 1), (1, 1)]}

    assert difference_of_sums(before, after) == Interval(0.75, 0.0, 1.5)


def test_a_draw_without_a_total_is_left_out_and_a_measure_without_any_has_no_sum():
    # Only a draw of both questions has both totals, and that one gives 1 + 1.
    before = {"facts": [(0, 1), (0, 0)], "refused": [(0, 0), (0, 1)]}
    after = {"facts": [(1, 1), (0, 0)], "refused": [(0, 0), (1, 1)]}

    assert difference_of_sums(before, after) == Interval(2.0, 2.0, 2.0)
    assert difference_of_sums({"a": [(0, 0)]}, {"a": [(0, 0)]}) is None
    assert difference_of_sums({}, {}) is None


def bad(path: Path) -> Path:
    """A question that misses its fact and cites what does not carry, and one to be refused."""
    return written(
        path,
        row("q", "incomplete", citations=(cited("s", carries=False),), sentences=1),
        row("n", "wrong_answer", kind="unanswerable"),
    )


def good(path: Path) -> Path:
    return written(
        path,
        row("q", "right", citations=(cited("s", carries=True),), sentences=1),
        row("n", "right_refusal", kind="unanswerable"),
    )


def pair(name: str, before: Path, after: Path, *, other: bool = False) -> Tried:
    return Tried(name, read_run(before), read_run(after), other)


def test_answers_are_judged_by_the_sum_of_what_an_answer_has_to_be(tmp_path):
    [part] = parts_of([pair("sample", bad(tmp_path / "a.jsonl"), good(tmp_path / "b.jsonl"))])

    assert (part.kind, part.arm, part.questions) == ("answers", "retrieval", 2)
    assert part.main.name == SUM
    assert part.main.label == "required facts + citation precision + right abstention"
    assert (part.main.before, part.main.after) == (0.0, 3.0)
    assert part.main.difference == Interval(3.0, 3.0, 3.0)
    assert part.judged() == "better"
    assert parts_of([pair("sample", tmp_path / "b.jsonl", tmp_path / "a.jsonl")])[0].judged() == (
        "worse"
    )


def test_a_sum_is_of_what_both_sides_have(tmp_path):
    before = written(tmp_path / "a.jsonl", row("q", "incomplete"))
    after = written(tmp_path / "b.jsonl", row("q", "right"))
    [part] = parts_of([pair("sample", before, after)])
    assert (part.main.label, part.main.after) == ("required facts", 1.0)
    only = written(tmp_path / "c.jsonl", row("n", "right_refusal", kind="restricted"))
    [part] = parts_of([pair("sample", only, only)])
    assert part.main.name != SUM
    assert part.judged() in ("", "same")


def test_the_arm_is_told_by_the_record_of_the_run(tmp_path):
    before, after = bad(tmp_path / "a.jsonl"), good(tmp_path / "b.jsonl")
    settings = Settings.model_validate({"llm": {"model": "m", "url": "http://gpu:8001"}})
    dataset = Dataset(name="q.jsonl", digest="d" * 64, questions=2)
    record: RunRecord = begun(settings, dataset, Asking("m", None, "none"))
    write_record(after, record)
    [part] = parts_of([pair("sample", before, after)])
    assert part.arm == "none"


def ndcg(path: Path, *values: float) -> Path:
    queries = {f"q{at}": value for at, value in enumerate(values)}
    same = dict.fromkeys(queries, 0.5)
    return retrieval(path, lexical={"nDCG@10": same}, reranked={"nDCG@10": queries})


def test_retrieval_is_judged_by_ndcg_and_what_the_model_has_no_part_in_is_left_out(tmp_path):
    before, after = ndcg(tmp_path / "a.json", 0.5, 0.5), ndcg(tmp_path / "b.json", 1.0, 0.75)
    [part] = parts_of([pair("docs", before, after)])

    assert part.arm == "reranked"
    assert part.main.difference == Interval(0.375, 0.25, 0.5)
    assert part.judged() == "better"


@pytest.mark.parametrize(("after", "judged"), [(0.495, "kept"), (0.48, "lost"), (0.9, "kept")])
def test_an_other_set_must_not_fall_by_more_than_the_margin(tmp_path, after, judged):
    before = ndcg(tmp_path / "a.json", 0.5, 0.5)
    changed = ndcg(tmp_path / "b.json", after, after)
    [part] = parts_of([pair("cranfield", before, changed, other=True)])
    assert part.judged(0.01) == judged


def test_what_it_cost_is_told_and_what_was_not_measured_is_too():
    told = {row[0]: row[1] for row in training_table(TRAINING).rows}
    assert told["seconds"] == "7200.0"
    assert told["energy"] == "250,000 J (cpu)"
    assert told["first, held out"] == "0.2500 → 0.7500"
    without = TRAINING.model_copy(update={"spent": {"not_measured": ["No RAPL here."]}})
    rows = {row[0]: row[1] for row in training_table(without).rows}
    assert rows["energy"] == "not measured. No RAPL here."


def test_the_page_holds_tables_and_plots_and_says_what_was_lost(tmp_path):
    tried = [
        pair("sample", bad(tmp_path / "a.jsonl"), good(tmp_path / "b.jsonl")),
        pair("docs <x>", good(tmp_path / "c.jsonl"), bad(tmp_path / "d.jsonl")),
    ]
    parts = parts_of(tried)
    text = page(parts, TRAINING)

    assert "all-MiniLM-L6-v2 (Apache-2.0)" in text
    assert text.count("<svg") == 2
    assert "docs &lt;x&gt;" in text
    assert "<x>" not in text
    assert "right abstention is worse." in text
    assert 'id="base-and-tuned"' in text
    assert 'href="http' not in text
    assert "src=" not in text.split("</head>")[1]
    assert "not named: see --model" in page(parts, None)


def test_the_command_gives_tables_json_and_a_page_and_fails_when_something_was_lost(tmp_path):
    a, b = bad(tmp_path / "a.jsonl"), good(tmp_path / "b.jsonl")
    model = tmp_path / "model"
    model.mkdir()
    (model / "trained.json").write_text(TRAINING.model_dump_json())
    out = tmp_path / "report.html"
    given = ["--set", f"sample={a},{b}", "--model", str(model), "--out", str(out)]

    done = RUNNER.invoke(app, given)
    assert done.exit_code == 0, done.output
    assert "The model, and what it cost" in done.output
    assert "better" in done.output
    assert "<svg" in out.read_text()

    done = RUNNER.invoke(app, ["--set", f"sample={a},{b}", "--other", f"docs={b},{a}", "--json"])
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert [part["judged"] for part in told["parts"]] == ["better", "lost"]
    assert told["parts"][0]["judged_by"] == SUM
    assert told["training"] is None


@pytest.mark.parametrize("given", ["sample", "sample=a.jsonl", "=a,b", "x=a,"])
def test_a_set_is_written_as_a_name_and_two_files(given):
    with pytest.raises(DocentError, match=r"write NAME=BASE,TUNED, with the files of two runs"):
        RUNNER.invoke(app, ["--set", given], catch_exceptions=False)


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path):
    a = bad(tmp_path / "a.jsonl")
    given = ["--set", f"s={a},{a}", "--out", str(tmp_path / "no" / "page.html")]
    with pytest.raises(DocentError, match=r"page\.html cannot be written: No such file"):
        RUNNER.invoke(app, given, catch_exceptions=False)


def test_everything_is_in_the_json(tmp_path):
    parts = parts_of([pair("sample", bad(tmp_path / "a.jsonl"), good(tmp_path / "b.jsonl"))])
    told = as_json(parts, TRAINING, 0.01)
    assert told["training"]["spent"]["seconds"] == 7200.0
    [part] = told["parts"]
    assert part["changes"][0]["verdict"] == "better"
    assert json.dumps(told)
    assert summary_table(parts, 0.01).rows[0][-1] == "better"
