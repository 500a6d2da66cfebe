"""A registered model told to an MLflow server or folder, beside the plain files that are the truth.

One MLflow run in the experiment `docent models`: what it was made of as parameters, what it was
measured to do as metrics, its card as an artifact; and a version of a registered model of the same
name, whose source is the folder here. MLflow is an extra.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ingest.errors import DocentError
from ingest.registry import Card

EXPERIMENT = "docent models"
LONGEST = 500
"""Characters of a parameter that every version of MLflow's server takes."""


class MlflowModels:
    """A tracking server or folder that models are told to."""

    def __init__(self, uri: str) -> None:
        """`uri` as MLflow has it: `http://host:5000`, `sqlite:///runs.db`. Nothing is sent yet.

        Raises:
            DocentError: MLflow is not installed, or knows no such kind of address.
        """
        try:
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
        except ImportError:
            msg = "--mlflow needs MLflow, which is not installed. Run: pip install 'docent[mlflow]'"
            raise DocentError(msg) from None
        self._uri = uri
        self._error = MlflowException
        try:
            self._client = MlflowClient(tracking_uri=uri)
        except self._error as error:
            raise self._told(error) from None

    def tell(self, card: Card, folder: Path) -> str:
        """Tell of one version, whose files lie in `folder`; gives the id of the MLflow run.

        Raises:
            DocentError: the server did not take it; what is registered here is not touched.
        """
        try:
            return self._tell(card, folder)
        except (self._error, OSError) as error:
            raise self._told(error) from None

    def _tell(self, card: Card, folder: Path) -> str:
        client = self._client
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
        run = client.create_run(experiment, run_name=card.full_name)
        name = str(run.info.run_id)
        for key, value in parameters(card).items():
            client.log_param(name, key, value[:LONGEST])
        for key, number in metrics(card).items():
            client.log_metric(name, key, number)
        client.log_text(name, card.model_dump_json(indent=1), "card.json")
        client.set_terminated(name, "FINISHED")
        if not client.search_registered_models(f"name = '{card.name}'"):
            client.create_registered_model(card.name)
        client.create_model_version(card.name, source=folder.absolute().as_uri(), run_id=name)
        return name

    def _told(self, error: Exception) -> DocentError:
        return DocentError(f"MLflow at {self._uri} did not take the model: {error}")


def parameters(card: Card) -> dict[str, str]:
    """What a model was made of, flat: `plan.rate`, `data.digest`."""
    training = card.training.model_dump(mode="json", exclude={"before", "after", "spent"})
    return dict(_flat({"version": card.version, "command": card.command, **training}))


def metrics(card: Card) -> dict[str, float]:
    """What it was measured to do, before and after, and what it cost."""
    told = card.training
    found = {f"before {name}": value for name, value in told.before.items()}
    found |= {f"after {name}": value for name, value in told.after.items()}
    costs = {f"spent {name}": value for name, value in told.spent.items()}
    return found | {k: float(v) for k, v in costs.items() if isinstance(v, int | float)}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(part, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(map(str, value))
    elif value not in (None, ""):
        yield prefix, str(value)
