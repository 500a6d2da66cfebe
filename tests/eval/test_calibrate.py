"""The fit of the score, and what a threshold costs; numbers worked out by hand."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from assistant.confidence import SIGNS
from eval.calibrate import auc, aurc, calibrate, curve, strictest
from eval.cli import eval_app
from ingest.errors import DocentError
from tests.eval.kept import row

SCORES = np.array([0.2, 0.4, 0.6, 0.8])
ANSWERABLE = np.array([0.0, 1.0, 0.0, 1.0])


def signed(n, *, answerable, about, bound):
    outcome = "right" if answerable else "right_refusal"
    signs = dict.fromkeys(SIGNS, 0.0) | {"about": about, "bound": bound}
    return row(f"q{n}", outcome, answerable=answerable, signs=signs)


def mixed(pairs=20):
    """Of each pair one is answerable; `about` tells them apart but for one pair, `bound` never."""
    rows = []
    for n in range(pairs):
        good, bad = (0.2, 0.9) if n == 0 else (0.9, 0.2)
        rows.append(signed(2 * n, answerable=True, about=good, bound=0.5))
        rows.append(signed(2 * n + 1, answerable=False, about=bad, bound=0.5))
    return rows


def test_of_four_pairs_three_are_in_order():
    assert auc(SCORES, ANSWERABLE) == 0.75
    assert auc(np.array([0.5, 0.5]), np.array([0.0, 1.0])) == 0.5


def test_each_threshold_says_what_it_refuses_and_what_risk_stays():
    points = [(p.score, p.abstained, p.refused, p.risk) for p in curve(SCORES, ANSWERABLE)]

    assert points == [
        (0.2, 0.0, 0.0, 0.5),
        (0.4, 0.5, 0.0, pytest.approx(1 / 3)),
        (0.6, 0.5, 0.5, 0.5),
        (0.8, 1.0, 0.5, 0.0),
        (np.inf, 1.0, 1.0, None),
    ]
    # (1/2 + 1/3 + 1/2 + 0) / 4
    assert aurc(curve(SCORES, ANSWERABLE)) == pytest.approx(1 / 3)


def test_the_strictest_threshold_keeps_to_the_share_of_false_refusals():
    found = curve(SCORES, ANSWERABLE)

    assert strictest(found, 0.1).score == 0.4
    assert strictest(found, 0.5).score == 0.8


def test_the_sign_that_tells_gets_the_weight_and_the_other_none():
    found = calibrate(mixed())

    assert found.weights.weights["about"] > 2
    assert abs(found.weights.weights["bound"]) < 0.3
    assert (found.rows, found.answerable) == (40, 20)
    assert found.auc > 0.85
    good = found.weights.score({"about": 0.9, "bound": 0.5})
    assert good == pytest.approx(0.95, abs=0.05)


def test_too_few_rows_fit_nothing():
    with pytest.raises(DocentError, match=r"18 rows carry signs, 9 of them answerable"):
        calibrate(mixed(9))
    with pytest.raises(DocentError, match=r"0 rows carry signs"):
        calibrate([row("q1")])


def written(tmp_path, rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(one.model_dump_json() + "\n" for one in rows), encoding="utf-8")
    return str(path)


def test_the_command_shows_weights_and_costs(tmp_path):
    path = written(tmp_path, mixed())
    shown = CliRunner().invoke(eval_app, ["calibrate", path])
    exact = CliRunner().invoke(eval_app, ["calibrate", path, "--json"])

    assert shown.exit_code == 0, shown.output
    assert "Weights fitted on 40 questions, 20 of them answerable" in shown.output
    assert "refuse_below" in shown.output
    data = json.loads(exact.output)
    assert data["kind"] == "calibration"
    assert list(data["weights"]) == list(SIGNS)
    assert data["curve"][-1] == {"score": 1.0, "abstained": 1.0, "refused": 1.0, "risk": None}


def test_a_measurement_of_retrieval_is_refused(tmp_path):
    path = tmp_path / "retrieval.json"
    arm = {"per_query": {"ndcg": {"q1": 0.5}}}
    path.write_text(json.dumps({"kind": "retrieval", "arms": {"hybrid": arm}}), encoding="utf-8")

    told = CliRunner().invoke(eval_app, ["calibrate", str(path)])
    assert isinstance(told.exception, DocentError)
    assert "is a measurement of retrieval" in str(told.exception)
