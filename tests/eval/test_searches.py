import io

import pytest
from rich.console import Console

from assistant.model import Passage
from assistant.queries import Reading
from eval.measures import Interval
from eval.report import lines
from eval.searches import MODES, Arm, Query, gains, reranking_ms, run
from eval.shown import arms_json, arms_table, gains_tables
from ingest.access import Reader
from tests.eval.test_retrieval import Scripted, passage

QUIET = Console(file=io.StringIO())


def ids(_, passages):
    return [one.document_id for one in passages]


def arm(mode, scores, query_ms=None, cpu_ms=None, failures=None) -> Arm:
    per_query = {"P@1": dict(zip("abcd", scores, strict=True))}
    curve = {1: Interval(0.5, 0.4, 0.6)}
    return Arm(mode, per_query, curve, query_ms or {}, cpu_ms or {}, failures or {})


ARMS = (
    arm("lexical", (1, 1, 0, 0), {"a": 1.0}, {"a": 1.0}, {"b": "ValueError: No words."}),
    arm("dense", (0, 0, 1, 0)),
    arm("hybrid", (1, 1, 1, 0), {"a": 10.0, "b": 20.0, "c": 30.0}, {"a": 4.0, "b": 4.0}),
    arm("reranked", (1, 1, 1, 1), {"a": 12.0, "b": 26.0, "d": 40.0}, {"a": 5.0, "b": 5.0}),
)


def test_the_arms_take_turns_and_another_one_begins_with_each_query():
    searcher = Scripted({})
    queries = {str(n): Query(str(n)) for n in range(5)}

    run(queries, searcher, 7, ids, QUIET)

    asked = [(text, mode) for text, _, _, mode, _ in searcher.asked]
    # Once each before, so that none is timed while it loads what it needs.
    assert asked[:4] == [("0", mode) for mode in MODES]
    assert [mode for _, mode in asked[4::4]] == [*MODES, MODES[0]]
    assert all({mode for _, mode in asked[at : at + 4]} == set(MODES) for at in range(4, 24, 4))


def test_a_query_is_its_reader_s_with_all_its_readings():
    asked = []

    class Keeping(Scripted):
        def search(self, text, reader, k, mode="reranked", per_document=None, also=()):
            asked.append((text, reader, k, per_document, also))
            return []

    query = Query("x", Reader(groups=frozenset({"shifters"})), (Reading("y x", 0.9),))
    run({"q": query}, Keeping({}), 7, ids, QUIET)

    assert set(asked) == {("x", query.reader, 7, 1, query.also)}


def test_what_fails_on_one_arm_has_a_reason_there_and_is_found_on_the_others():
    found: dict[tuple[str, str], list[Passage] | Exception] = {
        ("x", "dense"): RuntimeError("Boom."),
        ("x", "hybrid"): [passage("d1", 0.5)],
    }

    searched = run({"q": Query("x")}, Scripted(found), 7, ids, QUIET)

    assert list(searched) == list(MODES)
    assert searched["dense"].failures == {"q": "RuntimeError: Boom."}
    assert not searched["dense"].rankings
    assert not searched["dense"].query_ms
    assert searched["hybrid"].rankings == {"q": ["beir:d1"]}
    assert searched["hybrid"].query_ms["q"] >= 0
    assert searched["hybrid"].cpu_ms["q"] >= 0
    assert searched["lexical"].rankings == {"q": []}


def test_hybrid_is_held_against_the_better_single_arm_and_reranked_against_hybrid():
    found = gains(ARMS, "P@1")

    # Two of four by words, one by vectors, three together, all when reranked.
    assert found["hybrid"].over == "lexical"
    assert found["hybrid"].value.value == 0.25
    assert found["reranked"].over == "hybrid"
    assert found["reranked"].value.value == 0.25


def test_the_time_of_reranking_is_taken_query_by_query():
    # a: 12 - 10, b: 26 - 20; c and d failed on one side.
    assert reranking_ms(ARMS) == [2, 6]
    assert reranking_ms(ARMS, cpu=True) == [1, 1]


def test_the_tables_have_intervals_times_gains_and_failures():
    measured = arms_table("T", ARMS)
    compared, times = gains_tables(ARMS)

    assert measured.columns == ("arm", "P@1", "query ms p50", "p95", "failed")
    assert measured.rows[0] == ("lexical", "0.500 [0.000, 1.000]", "1.0", "1.0", "1")
    assert measured.rows[1][2:] == ("–", "–", "0")
    # Percentiles interpolate: of 10, 20 and 30 the 95th is 29.
    assert measured.rows[2][2:] == ("20.0", "29.0", "0")
    assert compared.rows[0][:2] == ("P@1", "lexical")
    assert compared.rows[0][3] == "+0.250 [+0.000, +0.750]"
    assert times.rows == (
        ("on the clock", "4.00", "5.80", "15.4"),
        ("of the processors", "1.00", "1.00", "20.0"),
    )
    assert "arm" in lines(measured)[1]


def test_times_of_nothing_are_told_as_nothing():
    failed = [arm(mode, (0, 0, 0, 0)) for mode in MODES]

    _, times = gains_tables(failed)

    assert times.rows[0] == ("on the clock", "–", "–", "–")
    assert arms_json(failed)["reranking_ms"] == {"p50": None, "p95": None}


def test_json_has_each_query_and_exact_times():
    told = arms_json(ARMS)

    assert told["arms"]["dense"]["per_query"] == {"P@1": {"a": 0, "b": 0, "c": 1, "d": 0}}
    assert told["arms"]["lexical"]["failures"] == {"b": "ValueError: No words."}
    assert told["arms"]["lexical"]["failed"] == 1
    assert told["arms"]["hybrid"]["query_ms"] == {"p50": 20.0, "p95": pytest.approx(29)}
    assert told["arms"]["hybrid"]["cpu_ms"] == {"p50": 4.0, "p95": 4.0}
    assert told["arms"]["hybrid"]["recall_curve"] == {"1": {"mean": 0.5, "low": 0.4, "high": 0.6}}
    assert told["hybrid_gain"]["P@1"]["over"] == "lexical"
    assert told["reranked_gain"]["P@1"]["mean"] == 0.25
    assert told["reranking_ms"]["p50"] == 4
    assert told["reranking_cpu_ms"]["p50"] == 1
