"""MLflow's shape, for tests that hand runs over. The real one is an extra of 20 packages."""

import sys
from types import ModuleType, SimpleNamespace

import pytest


class MlflowException(Exception):
    pass


class Client:
    """As `mlflow.MlflowClient`; keeps what it is given. `http://down` fails at the first call."""

    def __init__(self, tracking_uri: str) -> None:
        if tracking_uri.startswith("gopher"):
            raise MlflowException("unsupported scheme")
        self.uri = tracking_uri
        self.experiments: dict[str, str] = {}
        self.runs: list[tuple[str, str, int, int | None]] = []
        self.params: dict[str, str] = {}
        self.metrics: dict[str, float] = {}
        self.texts: dict[str, str] = {}
        self.artifacts: list[str] = []
        self.models: dict[str, list[str]] = {}

    def get_experiment_by_name(self, name):
        if self.uri == "http://down":
            raise MlflowException("connection refused")
        known = self.experiments.get(name)
        return SimpleNamespace(experiment_id=known) if known else None

    def create_experiment(self, name):
        self.experiments[name] = "e1"
        return "e1"

    def create_run(self, experiment_id, start_time=0, run_name=None):
        self.runs.append((experiment_id, run_name, start_time, None))
        return SimpleNamespace(info=SimpleNamespace(run_id=f"r{len(self.runs)}"))

    def log_param(self, run_id, key, value):
        self.params[key] = value

    def log_metric(self, run_id, key, value):
        self.metrics[key] = value

    def log_text(self, run_id, text, artifact_file):
        self.texts[artifact_file] = text

    def log_artifact(self, run_id, local_path):
        self.artifacts.append(local_path)

    def search_registered_models(self, filter_string):
        return [name for name in self.models if filter_string == f"name = '{name}'"]

    def create_registered_model(self, name):
        if name in self.models:
            raise MlflowException(f"Registered Model (name={name}) already exists.")
        self.models[name] = []

    def create_model_version(self, name, source, run_id):
        self.models[name].append(source)

    def set_terminated(self, run_id, status, end_time=None):
        experiment, name, start, _ = self.runs[-1]
        self.runs[-1] = (experiment, name, start, end_time)


@pytest.fixture
def mlflow(monkeypatch):
    """MLflow's place in the import system; `made` are its clients."""
    made: list[Client] = []

    def client(tracking_uri: str) -> Client:
        made.append(Client(tracking_uri))
        return made[-1]

    package, errors = ModuleType("mlflow"), ModuleType("mlflow.exceptions")
    vars(package).update(MlflowClient=client)
    vars(errors).update(MlflowException=MlflowException)
    monkeypatch.setitem(sys.modules, "mlflow", package)
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", errors)
    return SimpleNamespace(made=made)
