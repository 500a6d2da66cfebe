import json

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.cli import eval_app
from eval.compare import NAMED, as_json, compare, notes, tables
from eval.measures import Interval, difference
from eval.paired import differences, ratio, sign_test
from eval.report import lines
from eval.runs import AnswersRun, RetrievalRun, read_run, shown_names
from ingest.errors import DocentError
from tests.eval.kept import cited, fact, retrieval, row, written


def of(comparison, name, arm=0):
    return next(change for change in comparison.parts[arm].changes if change.name == name)


def compared(tmp_path, before, after):
    a, b = written(tmp_path / "a.jsonl", *before), written(tmp_path / "b.jsonl", *after)
    return compare(read_run(a), read_run(b))


# Pairs -------------------------------------------------------------------------------------------


def test_a_measure_is_the_sum_of_counts_over_the_sum_of_totals():
    assert ratio([(1, 2), (3, 4)]) == pytest.approx(4 / 6)
    assert ratio([(0, 0)]) is None


def test_a_difference_draws_questions_with_all_they_add():
    # 3 of 4 facts before, 4 of 4 after. Both draws of q1: 2/4 → 4/4; both of q2: 4/4 → 4/4; each
    # comes in a quarter of the draws, so the percentiles at 2.5 and 97.5 % are these two.
    before, after = {"facts": [(1, 2), (2, 2)]}, {"facts": [(2, 2), (2, 2)]}

    assert differences(before, after) == {"facts": Interval(0.25, 0.0, 0.5)}


def test_totals_may_differ_between_the_sides():
    # One citation of one before, one of four after: 1/4 - 1 whatever is drawn.
    found = differences({"c": [(1, 1)]}, {"c": [(1, 4)]})["c"]

    assert found == Interval(-0.75, -0.75, -0.75)


def test_draws_without_a_total_are_left_out_and_what_has_none_at_all_is_none():
    before = {"some": [(0, 0), (1, 1)], "none": [(0, 0), (0, 0)], "gone": [(1, 1), (1, 1)]}
    after = {"some": [(0, 0), (0, 1)], "none": [(0, 0), (1, 1)], "gone": [(0, 0), (0, 0)]}

    assert differences(before, after) == {
        "some": Interval(-1.0, -1.0, -1.0),
        "none": None,
        "gone": None,
    }
    assert differences({"none": [(0, 0)]}, {"none": [(0, 0)]}) == {"none": None}


def test_means_get_the_interval_that_the_other_bootstrap_gives_them():
    random = np.random.default_rng(1)
    ours, theirs = ({str(n): float(random.random()) for n in range(60)} for _ in range(2))

    known = difference(ours, theirs)
    found = differences(
        {"m": [(value, 1) for value in theirs.values()]},
        {"m": [(value, 1) for value in ours.values()]},
    )["m"]

    assert found is not None
    assert found.value == pytest.approx(known.value)
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=0.01)
    assert found.low < found.value < found.high


def test_many_questions_are_drawn_in_blocks_and_the_interval_is_as_wide_as_it_should_be():
    # 300 of 900 won: mean 1/3, standard error sqrt(1/3 · 2/3 / 900) = 0.01571, times 1.96 0.0308.
    before = {"m": [(0, 1)] * 900}
    after = {"m": [(n % 3 == 0, 1) for n in range(900)]}

    found = differences(before, after)

    assert found["m"] is not None
    assert found["m"].value == pytest.approx(1 / 3)
    assert found["m"].high - found["m"].value == pytest.approx(0.0308, abs=0.0015)
    assert found["m"].value - found["m"].low == pytest.approx(0.0308, abs=0.0015)
    assert differences(before, after) == found


@pytest.mark.parametrize(
    ("won", "lost", "p"),
    # Of four changes one or none against: 2 · (1 + 4) / 16; of five none: 2 · 1 / 32.
    [(3, 1, 0.625), (1, 3, 0.625), (5, 0, 0.0625), (0, 0, 1.0), (2, 2, 1.0)],
)
def test_the_sign_test_counts_what_chance_would_do(won, lost, p):
    assert sign_test(won, lost) == p


# Files -------------------------------------------------------------------------------------------


def test_rows_are_read_whatever_their_age(tmp_path):
    new = json.loads(row("q1").model_dump_json()) | {"of_tomorrow": 1}
    old = {key: new[key] for key in ("id", "kind", "digest", "llm", "question", "answerable")}
    lines = [new, old | {"id": "q2", "outcome": "failed"}]
    path = tmp_path / "old.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")

    run = read_run(path)

    assert isinstance(run, AnswersRun)
    assert list(run.rows) == ["q1", "q2"]
    assert run.rows["q2"].score is None
    assert (run.name, run.record) == ("old", None)


def test_a_file_of_one_row_is_rows(tmp_path):
    assert isinstance(read_run(written(tmp_path / "one.jsonl", row("q1"))), AnswersRun)


def test_a_measurement_is_read_with_its_head(tmp_path):
    run = read_run(retrieval(tmp_path / "r.json", hybrid={"nDCG@10": {"1": 0.5}}))

    assert isinstance(run, RetrievalRun)
    assert run.arms["hybrid"].per_query == {"nDCG@10": {"1": 0.5}}
    assert run.head["embedder"] == "fake-64"
    assert "arms" not in run.head


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no rows"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"id": "q1"}\n', "line 1: this is not a row of answers (kind: Field required)"),
        (b"[1, 2]", "line 1: this is not a row"),
        (b'{"kind": "answers", "shares": {}}', "holds the sums of a run"),
        (b'{"kind": "retrieval"}', "'arms' is missing"),
        (b'{"kind": "retrieval", "arms": {}}', "it has no arms"),
        (b'{"kind": "retrieval", "arms": []}', "not a whole measurement"),
        (b'{"kind": "retrieval", "arms": {"h": {}}}', "per_query: Field required"),
        (b'{"kind": "retrieval", "arms": {"h": {"per_query": {"m": {}}}}}', "h: m lacks queries"),
        (
            b'{"kind": "retrieval", "arms": {"h": {"per_query": {"m": {"1": 1}, "n": {"2": 1}}}}}',
            "h: m lacks queries",
        ),
        (
            b'{"kind": "retrieval", "arms": {"h": {"per_query": {"m": {"1": NaN}}}}}',
            "finite number",
        ),
    ],
)
def test_what_is_no_run_is_told_in_a_sentence(tmp_path, content, told):
    path = tmp_path / "x.json"
    path.write_bytes(content)

    with pytest.raises(DocentError) as caught:
        read_run(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DocentError, match="cannot be read: No such file"):
        read_run(tmp_path / "none.jsonl")


def test_a_question_has_one_row(tmp_path):
    path = written(tmp_path / "twice.jsonl", row("q1"), row("q1", "incomplete"))

    with pytest.raises(DocentError, match="line 2: 'q1' has a row already"):
        read_run(path)


def test_runs_of_the_same_name_are_told_apart(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    paths = [tmp_path / name for name in ("x/rows.jsonl", "y/rows.jsonl", "other.jsonl")]
    runs = [read_run(written(path, row("q1"))) for path in paths]

    assert shown_names(runs) == ["x/rows", "y/rows", "other"]
    assert shown_names([runs[0], runs[0], runs[0]]) == ["x/rows", "x/rows (2)", "x/rows (3)"]


# Answers -----------------------------------------------------------------------------------------


def test_only_what_both_were_asked_in_the_same_words_is_compared(tmp_path):
    found = compared(
        tmp_path,
        [row("q1"), row("q2"), row("q3")],
        [row("q1"), row("q2", digest="another"), row("q4")],
    )

    assert found.common == ("q1",)
    assert (found.only_before, found.only_after, found.rewritten) == (("q3",), ("q4",), ("q2",))
    assert found.unpaired == 2
    assert of(found, "right").questions == 1
    assert [note.split(": ")[1] for note in notes(found)] == ["q3.", "q4.", "q2."]


def test_nothing_in_common_is_an_error(tmp_path):
    with pytest.raises(DocentError, match="no question in common"):
        compared(tmp_path, [row("q1")], [row("q2")])


def test_a_measurement_and_rows_are_not_compared(tmp_path):
    rows = read_run(written(tmp_path / "a.jsonl", row("q1")))
    measured = read_run(retrieval(tmp_path / "r.json", hybrid={"m": {"1": 1.0}}))

    for one, other in ((rows, measured), (measured, rows)):
        with pytest.raises(DocentError, match="one holds answers, one retrieval"):
            compare(one, other)


def test_each_measure_is_what_the_summary_says_and_after_minus_before(tmp_path):
    facts = (fact("x", covered=True), fact("y", covered=False), fact("z", covered=False))
    before = [
        row("q1"),  # 1 of 1 fact
        row("q2", "incomplete", facts=facts),  # 1 of 3
        row("u1", "wrong_answer"),
        row("u2", "right_refusal"),
    ]
    after = [
        row("q1", "wrong_refusal"),  # 0 of 1
        row("q2", facts=[one.model_copy(update={"covered": True}) for one in facts]),  # 3 of 3
        row("u1", "right_refusal"),
        row("u2", "right_refusal"),
    ]

    found = compared(tmp_path, before, after)

    told = {c.name: (c.questions, c.before, c.after) for c in found.parts[0].changes}
    assert told["right"] == (2, 0.5, 0.5)
    assert told["required_facts"] == (2, 0.5, 0.75)
    assert told["right_refusal"] == (2, 0.5, 1.0)
    assert told["wrong_refusal"] == (2, 0.0, 0.5)
    assert told["citations_carrying"] == (0, None, None)
    assert told["seconds"] == (0, None, None)
    facts_change = of(found, "required_facts").difference
    assert facts_change is not None
    assert facts_change.value == 0.25
    # Two of q1: 1 → 0, in 1/16 or more of the draws; two of q2: 1/3 → 1.
    assert (facts_change.low, facts_change.high) == (-1.0, pytest.approx(2 / 3))


def test_citations_and_seconds_are_paired_too(tmp_path):
    good, bad = cited("s", carries=True), cited("t", carries=False)
    before = [row("q1", citations=(good, bad), total_ms=1000.0, first_token_ms=500.0), row("q2")]
    after = [row("q1", citations=(good,), total_ms=4000.0), row("q2")]

    found = compared(tmp_path, before, after)

    change = of(found, "citations_carrying")
    assert (change.questions, change.before, change.after) == (1, 0.5, 1.0)
    assert change.verdict == "better"
    slower = of(found, "seconds")
    assert (slower.before, slower.after, slower.verdict) == (1.0, 4.0, "worse")
    # The run after has no first token to speak of: there is no difference to tell.
    first = of(found, "first_token_seconds")
    assert (first.before, first.after, first.difference, first.verdict) == (0.5, None, None, "")


def test_verdicts_need_an_interval_that_excludes_zero(tmp_path):
    found = compared(
        tmp_path,
        [row("q1"), row("q2"), row("q3", "incomplete"), row("u1", "wrong_answer")],
        [row("q1"), row("q2", "incomplete"), row("q3"), row("u1", "right_refusal")],
    )

    assert of(found, "right").verdict == "unclear"
    assert of(found, "failed").verdict == "same"
    assert of(found, "right_refusal").verdict == "better"
    assert of(found, "wrong_answer").verdict == "better"


def test_won_and_lost_are_counted_and_named_the_lost_first(tmp_path):
    two = (fact("x", covered=True), fact("y", covered=False))
    before = [
        row("same"),
        row("won", "wrong_refusal"),
        row("lost"),
        row("lost too"),
        row("less", "incomplete", facts=two),
        row("refused", "right_refusal"),
    ]
    after = [
        row("same"),
        row("won"),
        row("lost", "incomplete"),
        row("lost too", "failed"),
        row("less", "incomplete", facts=(two[1], two[1])),
        row("refused", "right_refusal"),
    ]

    [part] = compared(tmp_path, before, after).parts

    assert (part.won, part.lost) == (("won",), ("lost", "lost too"))
    assert [(one.id, one.before, one.after) for one in part.moved] == [
        ("lost", "right, 1/1 facts", "incomplete, 0/1 facts"),
        ("lost too", "right, 1/1 facts", "failed, 0/1 facts"),
        ("won", "wrong_refusal, 0/1 facts", "right, 1/1 facts"),
        ("less", "incomplete, 1/2 facts", "incomplete, 0/2 facts"),
    ]
    assert part.moved[0].question == "What is lost?"


def test_the_place_of_the_first_right_passage_counts_where_a_row_knows_it(tmp_path):
    before = [row("q1", gold_rank=1, document_retrieved=True), row("q2"), row("u", "wrong_answer")]
    after = [row("q1", gold_rank=4, document_retrieved=True), row("q2"), row("u", "wrong_answer")]
    of_old = [row("q1", document_retrieved=True)]

    place = of(compared(tmp_path, before, after), "reciprocal_rank")

    assert (place.questions, place.before, place.after) == (2, 0.5, 0.125)
    assert of(compared(tmp_path, before, of_old), "reciprocal_rank").after is None


def test_tables_say_which_is_which_and_name_so_many(tmp_path):
    names = [f"q{n}" for n in range(NAMED + 2)]
    found = compared(
        tmp_path, [row(name) for name in names], [row(name, "incomplete") for name in names]
    )

    measures, moved = tables(found)

    assert measures.title.startswith(f"{tmp_path}/b.jsonl minus {tmp_path}/a.jsonl; 32 questions")
    assert "won 0, lost 32, sign test p = 0.000" in measures.title
    right = next(line for line in lines(measures) if "answerable: right" in line)
    assert right.split()[-6:] == ["1.000", "0.000", "-1.000", "[-1.000,", "-1.000]", "worse"]
    assert moved.title == "32 came out differently; the first 30"
    assert len(moved.rows) == NAMED
    assert len(as_json(found)["parts"][0]["moved"]) == 32


# Retrieval ---------------------------------------------------------------------------------------


def test_each_arm_of_a_measurement_is_compared_query_by_query(tmp_path):
    a = retrieval(
        tmp_path / "a.json",
        dense={"nDCG@10": {"1": 0.5, "2": 0.25, "3": 1.0}, "P@1": {"1": 0, "2": 0, "3": 1}},
        lexical={"nDCG@10": {"1": 1.0}},
    )
    b = retrieval(
        tmp_path / "b.json",
        dense={"nDCG@10": {"1": 0.25, "2": 1.0, "3": 1.0}, "P@1": {"1": 0, "2": 1, "3": 1}},
        reranked={"nDCG@10": {"1": 1.0}},
    )

    found = compare(read_run(a), read_run(b))

    [dense] = found.parts
    assert (found.kind, found.common, dense.arm) == ("retrieval", ("1", "2", "3"), "dense")
    assert (found.arms_before, found.arms_after) == (("lexical",), ("reranked",))
    ndcg = of(found, "nDCG@10")
    assert (ndcg.before, ndcg.after) == (pytest.approx(1.75 / 3), pytest.approx(2.25 / 3))
    assert (of(found, "P@1").before, of(found, "failed").after) == (pytest.approx(1 / 3), 0.0)
    assert (dense.won, dense.lost) == (("2",), ("1",))
    assert [(one.id, one.before, one.after) for one in dense.moved] == [
        ("1", "nDCG@10 0.500", "nDCG@10 0.250"),
        ("2", "nDCG@10 0.250", "nDCG@10 1.000"),
    ]
    assert "dense: 2 came out differently" in tables(found)[1].title
    assert [note.rsplit(" ", 1)[1] for note in notes(found)] == ["lexical.", "reranked."]


def test_measurements_of_different_collections_are_not_compared(tmp_path):
    a = retrieval(tmp_path / "a.json", hybrid={"m": {"1": 1.0}})
    b = retrieval(tmp_path / "b.json", digest="e" * 64, hybrid={"m": {"1": 1.0}})

    with pytest.raises(DocentError, match=r"different collections: .* 'dddddddddddd' and 'eeee"):
        compare(read_run(a), read_run(b))


@pytest.mark.parametrize(
    ("arms", "what"),
    [({"other": {"m": {"1": 1.0}}}, "no arm"), ({"hybrid": {"m": {"9": 1.0}}}, "no query")],
)
def test_measurements_with_nothing_in_common_are_not_compared(tmp_path, arms, what):
    a = read_run(retrieval(tmp_path / "a.json", hybrid={"m": {"1": 1.0}}))
    b = read_run(retrieval(tmp_path / "b.json", **arms))

    with pytest.raises(DocentError, match=what):
        compare(a, b)


# The command -------------------------------------------------------------------------------------


def test_the_command_prints_tables_or_json_and_tells_what_it_left_out(tmp_path):
    a = written(tmp_path / "a.jsonl", row("q1"), row("q2"))
    b = written(tmp_path / "b.jsonl", row("q1", "incomplete"))

    plain = CliRunner().invoke(eval_app, ["compare", str(a), str(b)])
    exact = CliRunner().invoke(eval_app, ["compare", str(a), str(b), "--json"])

    assert (plain.exit_code, exact.exit_code) == (0, 0)
    assert "required facts covered" in plain.stdout
    assert "Not compared, only in" in plain.stderr
    told = json.loads(exact.stdout)
    assert (told["kind"], told["of"], told["only_before"]) == ("comparison", "answers", ["q2"])
    [part] = told["parts"]
    assert (part["lost"], part["p_sign_test"]) == (["q1"], 1.0)
    right = next(change for change in part["changes"] if change["name"] == "right")
    assert right["difference"] == {"value": -1.0, "low": -1.0, "high": -1.0}
    assert (right["less_is_better"], right["verdict"]) == (False, "worse")
