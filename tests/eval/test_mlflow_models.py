"""What MLflow is given of a registered model."""

import sys

import pytest

from ingest import registry
from ingest.errors import DocentError
from ingest.mlflow_models import EXPERIMENT, LONGEST, MlflowModels, metrics, parameters
from ingest.settings import ModelsSettings
from tests.ingest.test_registry import trained


@pytest.fixture
def card(tmp_path):
    models = ModelsSettings(dir=tmp_path / "kept")
    return registry.register(trained(tmp_path / "out"), "collab", models, command="c" * 900)


def test_a_model_is_a_run_and_a_version_of_its_name(mlflow, card, tmp_path):
    server = MlflowModels("http://mlflow:5000")
    assert server.tell(card, tmp_path / "kept") == "r1"
    assert server.tell(card, tmp_path / "kept") == "r2"

    [client] = mlflow.made
    assert client.experiments == {EXPERIMENT: "e1"}
    assert client.models == {"collab": [f"file://{tmp_path}/kept"] * 2}
    assert client.metrics["before mean_rank"] == 0.25
    assert client.metrics["after mean_rank"] == 0.5
    assert client.metrics["spent seconds"] == 12.5
    assert client.params["data.digest"] == "d" * 64
    assert client.params["data.licences.wiki"] == "CC-BY-4.0"
    assert client.params["command"] == "c" * LONGEST
    assert client.texts["card.json"] == card.model_dump_json(indent=1)


def test_what_is_not_there_is_left_out(card):
    assert "spent cpu_joules" not in metrics(card)
    assert "plan" not in parameters(card)


def test_a_server_that_is_away_and_an_odd_address_are_one_sentence(mlflow, card, tmp_path):
    with pytest.raises(DocentError, match="MLflow at http://down did not take the model: connect"):
        MlflowModels("http://down").tell(card, tmp_path)
    with pytest.raises(DocentError, match="MLflow at gopher://x did not take the model: unsuppor"):
        MlflowModels("gopher://x")


def test_without_mlflow_it_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(DocentError, match="--mlflow needs MLflow"):
        MlflowModels("file:runs")
