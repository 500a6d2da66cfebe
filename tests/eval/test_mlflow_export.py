"""What MLflow is given when a run is handed over."""

import pytest

from eval.answers import Asking
from eval.cost import Cost
from eval.mlflow_export import EXPERIMENT, LONGEST, Mlflow, metrics, parameters
from eval.summary import as_json
from eval.tracking import Dataset, ModelRecord, begun, ended
from ingest.errors import DocentError
from ingest.settings import Settings
from tests.eval.test_summary import ROWS

DATASET = Dataset(name="q.jsonl", digest="d" * 64, half="dev", classes=("a", "b"), questions=6)


def record():
    nowhere = {"index": {"path": "no/such/index"}}
    mine = Settings.model_validate({"llm": {"model": "m", "url": "http://gpu:8001"}, **nowhere})
    cost = Cost(seconds=12.0, questions=6, prompt_tokens=900)
    return ended(begun(mine, DATASET, Asking("m")), cost, mine)


def test_a_run_is_one_run_of_one_experiment(mlflow, tmp_path):
    done, rows = record(), tmp_path / "rows.jsonl"
    server = Mlflow("http://mlflow:5000")

    assert server.export(done, as_json(ROWS), rows) == "r1"
    assert server.export(done, as_json(ROWS), None) == "r2"

    [client] = mlflow.made
    assert client.experiments == {EXPERIMENT: "e1"}
    start, end = (int(1000 * moment.timestamp()) for moment in (done.started, done.ended))
    assert client.runs == 2 * [("e1", "q.jsonl dev retrieval m", start, end)]
    assert client.artifacts == [str(rows)]
    assert done.model_dump_json(indent=1) == client.texts["run.json"]
    assert client.metrics["right"] == 0.25
    assert max(map(len, client.params.values())) <= LONGEST


def test_parameters_are_flat_and_leave_out_what_is_not_there():
    told = parameters(record())

    assert told["dataset.classes"] == "a, b"
    assert told["dataset.half"] == "dev"
    assert told["settings.llm.model"] == "m"
    assert told["models.llm"] == "m"
    assert not [name for name in told if name.startswith(("index", "groups", "dataset.limit"))]


def test_metrics_are_shares_medians_and_costs_that_there_are():
    told = metrics(record(), as_json(ROWS))

    assert told["right_refusal"] == 0.5
    assert told["seconds in all p50"] == pytest.approx(3.0)
    assert (told["cost seconds"], told["cost prompt_tokens"]) == (12.0, 900.0)
    assert not {"abstention", "cost gpu_joules", "cost co2_method"} & told.keys()
    without = record().model_copy(
        update={"cost": None, "models": (ModelRecord(role="x", name="y"),)}
    )
    assert "cost seconds" not in metrics(without, as_json(ROWS))


def test_a_long_value_is_cut(mlflow):
    done = record().model_copy(update={"models": (ModelRecord(role="llm", name="m" * 900),)})

    Mlflow("file:runs").export(done, as_json(ROWS), None)

    assert mlflow.made[0].params["models.llm"] == "m" * LONGEST


def test_a_server_that_is_away_and_an_odd_address_are_one_sentence(mlflow):
    with pytest.raises(DocentError, match="MLflow at http://down did not take the run: connection"):
        Mlflow("http://down").export(record(), as_json(ROWS), None)
    with pytest.raises(DocentError, match="MLflow at gopher://x did not take the run: unsupported"):
        Mlflow("gopher://x")
