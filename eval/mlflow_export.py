"""A run handed to an MLflow tracking server or folder, beside the files that it leaves anyway.

One MLflow run in the experiment `docent answers`: settings and what it was made of as parameters,
shares and costs as metrics, the record and the rows as artifacts. MLflow is an extra.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from eval.tracking import RunRecord
from ingest.errors import DocentError

EXPERIMENT = "docent answers"
LONGEST = 500
"""Characters of a parameter that every version of MLflow's server takes."""


class Mlflow:
    """A tracking server or folder that runs are handed to."""

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

    def export(self, record: RunRecord, summary: Mapping[str, Any], rows: Path | None) -> str:
        """Hand over a run that has ended; gives the id that MLflow gave it.

        `summary` is of `eval.summary.as_json`.

        Raises:
            DocentError: the server did not take it; what the run left on the disk is not touched.
        """
        try:
            return self._export(record, summary, rows)
        except (self._error, OSError) as error:
            raise self._told(error) from None

    def _export(self, record: RunRecord, summary: Mapping[str, Any], rows: Path | None) -> str:
        client = self._client
        found = client.get_experiment_by_name(EXPERIMENT)
        experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
        began = _milliseconds(record.started)
        run = client.create_run(experiment, start_time=began, run_name=_name(record))
        name = str(run.info.run_id)
        for key, value in parameters(record).items():
            client.log_param(name, key, value[:LONGEST])
        for key, number in metrics(record, summary).items():
            client.log_metric(name, key, number)
        client.log_text(name, record.model_dump_json(indent=1), "run.json")
        if rows is not None:
            client.log_artifact(name, str(rows))
        client.set_terminated(name, "FINISHED", _milliseconds(record.ended or record.started))
        return name

    def _told(self, error: Exception) -> DocentError:
        return DocentError(f"MLflow at {self._uri} did not take the run: {error}")


def parameters(record: RunRecord) -> dict[str, str]:
    """What a run was made of, flat: `settings.llm.model`, `dataset.digest`."""
    kept = {"arm", "standalone", "groups", "dataset", "index", "prompt", "settings", "code"}
    told = record.model_dump(mode="json", include=kept)
    told |= {"models": {model.role: model.name for model in record.models}}
    return dict(_flat(told))


def metrics(record: RunRecord, summary: Mapping[str, Any]) -> dict[str, float]:
    """Shares, medians and costs that there are; names as in the summary."""
    found = {name: part["share"] for name, part in summary["shares"].items()}
    found |= {f"{name} p50": part["p50"] for name, part in summary["quantities"].items()}
    if record.cost:
        costs = record.cost.model_dump(exclude={"co2_method", "not_measured"})
        found |= {f"cost {name}": number for name, number in costs.items()}
    return {name: float(number) for name, number in found.items() if number is not None}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(part, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(value, list | tuple):
        yield prefix, ", ".join(map(str, value))
    elif value is not None:
        yield prefix, str(value)


def _name(record: RunRecord) -> str:
    models = [model.name for model in record.models if model.role == "llm"]
    return " ".join([record.dataset.name, record.dataset.half, record.arm, *models]).strip()


def _milliseconds(moment: datetime) -> int:
    return int(1000 * moment.timestamp())
