from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.measures import (
    FIRST_TEN,
    MEASURES,
    Interval,
    difference,
    fact_recall,
    mean,
    percentile,
    recall_curve,
    score,
    share,
)


def test_the_measures_of_a_graded_ranking_worked_out_by_hand():
    qrels = {"q": {"a": 3, "b": 1, "c": 0, "d": 2}}

    scores = score(qrels, {"q": ["c", "a", "x", "d"]})

    # Gains 3 at rank 2 and 2 at rank 4; the ideal order is 3, 2, 1.
    ideal = 3 / log2(2) + 2 / log2(3) + 1 / log2(4)
    assert scores["nDCG@10"]["q"] == pytest.approx((3 / log2(3) + 2 / log2(5)) / ideal)
    # Two of the three relevant ones; the first of them at rank 2; the first place is wrong.
    assert scores["Recall@10"]["q"] == pytest.approx(2 / 3)
    assert scores["MRR@10"]["q"] == pytest.approx(1 / 2)
    assert scores["P@1"]["q"] == 0


def test_a_relevant_document_behind_rank_10_counts_for_recall_at_100_only():
    ranking = [f"x{n}" for n in range(10)] + ["a"]

    scores = score({"q": {"a": 1}}, {"q": ranking})

    assert {name: values["q"] for name, values in scores.items()} == {
        "nDCG@10": 0,
        "Recall@10": 0,
        "Recall@100": 1,
        "MRR@10": 0,
        "P@1": 0,
    }


def test_a_query_without_a_ranking_is_scored_0_on_everything():
    scores = score({"q1": {"a": 1}, "q2": {"a": 1}}, {"q1": ["a"], "q3": ["a"]})

    assert all(values == {"q1": 1, "q2": 0} for values in scores.values())


def test_without_any_ranking_every_query_is_scored_0():
    scores = score({"q1": {"a": 1}}, {"q1": []})

    assert list(scores) == list(MEASURES)
    assert all(values == {"q1": 0} for values in scores.values())


def test_the_order_of_the_ranking_is_kept_whatever_the_ids_are():
    first = score({"q": {"z": 1}}, {"q": ["z", "a", "b"]})
    last = score({"q": {"z": 1}}, {"q": ["a", "b", "z"]})

    assert first["MRR@10"]["q"] == 1
    assert last["MRR@10"]["q"] == pytest.approx(1 / 3)


def test_the_curve_of_recall_grows_with_every_relevant_document_and_counts_every_query():
    # One query finds its two at places 1 and 3; the other failed.
    curve = recall_curve({"q1": {"a": 1, "b": 2}, "q2": {"a": 1}}, {"q1": ["a", "x", "b"]})

    assert list(curve) == list(range(1, 11))
    assert [point.value for point in curve.values()] == [0.25, 0.25, *[0.5] * 8]


def test_the_interval_of_equal_values_is_a_point():
    assert mean({"a": 0.5, "b": 0.5}) == Interval(0.5, 0.5, 0.5)


def test_the_bootstrap_agrees_with_the_normal_interval_of_a_large_sample():
    values = {str(n): float(n % 2) for n in range(1000)}

    found = mean(values)

    # Standard error of a fair coin over 1000 throws is 0.0158; 1.96 of it is 0.031.
    assert found.value == 0.5
    assert found.low == pytest.approx(0.469, abs=0.003)
    assert found.high == pytest.approx(0.531, abs=0.003)
    assert found == mean(values)


def test_a_mean_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one value"):
        mean({})


def test_a_paired_difference_does_not_see_what_both_share():
    ours = {str(n): n / 100 + 0.01 for n in range(90)}
    theirs = {str(n): n / 100 for n in range(90)}

    gain = difference(ours, theirs)

    # Every query gains the same, however much the queries differ from each other.
    assert gain.value == pytest.approx(0.01)
    assert gain.low == pytest.approx(0.01)
    assert gain.high == pytest.approx(0.01)


def test_a_difference_is_ours_minus_theirs():
    assert difference({"a": 0.2}, {"a": 0.7}).value == pytest.approx(-0.5)


def test_a_difference_of_other_queries_is_refused():
    with pytest.raises(ValueError, match="the same queries"):
        difference({"a": 1.0}, {"b": 1.0})


def test_wilson_intervals_as_in_the_textbooks():
    found = share(8, 10)

    assert found is not None
    assert found.value == 0.8
    assert found.low == pytest.approx(0.4902, abs=1e-4)
    assert found.high == pytest.approx(0.9433, abs=1e-4)


def test_a_share_of_nothing_is_no_share():
    assert share(0, 0) is None


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_the_interval_between_0_and_1(counted):
    found = share(*counted)

    assert found is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_percentiles_interpolate():
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.5
    assert percentile([], 50) is None


def test_a_fact_is_found_with_any_document_that_says_it():
    where = {"q1": [{"a", "b"}, {"c"}], "q2": [{"a"}], "q3": [{"d"}]}
    rankings = {"q1": ["x", "b", "c"], "q2": ["x", "y", "a"]}

    # q1: b at 2 says the first fact, c at 3 the second; q2: a at 3; q3 failed.
    assert fact_recall(where, rankings, 2) == {"q1": 0.5, "q2": 0, "q3": 0}
    assert fact_recall(where, rankings, 3) == {"q1": 1, "q2": 1, "q3": 0}


def test_the_measures_of_the_first_ten_are_those_of_all_but_the_deep_one():
    found = score({"q": {"a": 1}}, {"q": ["x", "a"]}, FIRST_TEN)

    assert set(MEASURES) - set(found) == {"Recall@100"}
    assert found["MRR@10"] == {"q": 0.5}
