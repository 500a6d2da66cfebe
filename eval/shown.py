"""Measured arms of search as tables and as JSON, whatever the queries came from."""

from collections.abc import Sequence
from typing import Any

from eval import report
from eval.measures import Interval, percentile
from eval.searches import Arm, gains, reranking_ms


def arms_table(title: str, arms: Sequence[Arm]) -> report.Table:
    """A row for each arm: all measures with their intervals, and the time of a query."""
    measures = list(arms[0].per_query)
    return report.Table(
        title=title,
        columns=("arm", *measures, "query ms p50", "p95", "failed"),
        rows=tuple(
            (
                arm.mode,
                *(report.interval(arm.interval(name)) for name in measures),
                report.number(arm.milliseconds(50)),
                report.number(arm.milliseconds(95)),
                str(len(arm.failures)),
            )
            for arm in arms
        ),
    )


def gains_tables(arms: Sequence[Arm]) -> list[report.Table]:
    """What each step gains, query by query, and what the last one costs."""
    rows = []
    for measure in arms[0].per_query:
        found = gains(arms, measure)
        hybrid, reranked = found["hybrid"], found["reranked"]
        rows.append(
            (measure, hybrid.over, report.signed(hybrid.value), report.signed(reranked.value))
        )
    return [
        report.Table(
            title="Gains, query by query, with 95 % intervals",
            columns=("measure", "better single", "hybrid minus it", "reranked minus hybrid"),
            rows=tuple(rows),
        ),
        _reranking_table(arms),
    ]


def arms_json(arms: Sequence[Arm]) -> dict[str, Any]:
    """Arms and gains with exact numbers, per query too, so that two runs can be paired."""
    measures = list(arms[0].per_query)
    found = {measure: gains(arms, measure) for measure in measures}
    return {
        "arms": {arm.mode: _arm_json(arm) for arm in arms},
        **{
            f"{mode}_gain": {
                measure: {"over": one[mode].over, **interval_json(one[mode].value)}
                for measure, one in found.items()
            }
            for mode in ("hybrid", "reranked")
        },
        **{
            name: {"p50": percentile(extra, 50), "p95": percentile(extra, 95)}
            for name, cpu in (("reranking_ms", False), ("reranking_cpu_ms", True))
            for extra in [reranking_ms(arms, cpu=cpu)]
        },
    }


def interval_json(value: Interval) -> dict[str, float]:
    """A mean with the ends of its interval."""
    return {"mean": value.value, "low": value.low, "high": value.high}


def _reranking_table(arms: Sequence[Arm]) -> report.Table:
    rows = []
    for label, cpu in (("on the clock", False), ("of the processors", True)):
        extra = reranking_ms(arms, cpu=cpu)
        whole = {arm.mode: arm.milliseconds(50, cpu=cpu) for arm in arms}["reranked"]
        middle = percentile(extra, 50)
        share = None if middle is None or not whole else 100 * middle / whole
        high = percentile(extra, 95)
        shown = (report.number(middle, 2), report.number(high, 2), report.number(share))
        rows.append((label, *shown))
    return report.Table(
        title="Time of reranking: reranked minus hybrid search, query by query",
        columns=("time", "ms p50", "p95", "% of a search"),
        rows=tuple(rows),
    )


def _arm_json(arm: Arm) -> dict[str, Any]:
    return {
        "measures": {name: interval_json(arm.interval(name)) for name in arm.per_query},
        "query_ms": {"p50": arm.milliseconds(50), "p95": arm.milliseconds(95)},
        "cpu_ms": {p: arm.milliseconds(n, cpu=True) for p, n in (("p50", 50), ("p95", 95))},
        "failed": len(arm.failures),
        "failures": dict(arm.failures),
        "recall_curve": {str(k): interval_json(value) for k, value in arm.recall.items()},
        "per_query": {name: dict(values) for name, values in arm.per_query.items()},
    }
