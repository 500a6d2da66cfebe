"""What a run was made of, as a table for people: set, models, index, commit, machine, cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from eval import report
from eval.runs import AnswersRun, RetrievalRun
from eval.tracking import RunRecord

_DIGEST = 16  # Characters of a digest that are shown.


def of_answers(runs: Mapping[str, AnswersRun]) -> report.Table:
    """A column for each run of answers; what one does not tell is a dash."""
    told = {name: _told(run) for name, run in runs.items()}
    labels = list(dict.fromkeys(label for one in told.values() for label in one))
    return report.Table(
        title="What was run",
        columns=("", *runs),
        rows=tuple(
            (label, *(one.get(label) or report.NOTHING for one in told.values()))
            for label in labels
        ),
    )


def _told(run: AnswersRun) -> dict[str, str]:
    models = sorted({row.model or row.llm for row in run.rows.values() if row.model or row.llm})
    basic = {"file": str(run.path), "questions": str(len(run.rows)), "models": ", ".join(models)}
    return basic | (_recorded(run.record) if run.record else {})


def _recorded(record: RunRecord) -> dict[str, str]:
    dataset, index, cost = record.dataset, record.index, record.cost
    parts = (f"half {dataset.half}" if dataset.half else "", ", ".join(dataset.classes))
    files = {model.role: f"{model.role} {model.name}" for model in record.models}
    return {
        "set of questions": " · ".join(part for part in (dataset.name, *parts) if part),
        "digest of the set": dataset.digest[:_DIGEST],
        "arm": record.arm + (", follow-ups asked in full" if record.standalone else ""),
        **({"models": ", ".join(files.values())} if files else {}),
        "index": f"generation {index.generation}, {index.embedder}" if index else "",
        "digest of the index": index.digest[:_DIGEST] if index else "",
        "digest of the prompt": record.prompt[:_DIGEST],
        "commit": record.code.commit[:12] + (" with changes" if record.code.dirty else ""),
        "machine": ", ".join(
            (record.machine.cpu, f"{record.machine.cores} cores", *record.machine.gpus)
        ),
        "started": f"{record.started:%Y-%m-%d %H:%M}",
        "ended": f"{record.ended:%Y-%m-%d %H:%M}" if record.ended else "not ended",
        **({} if cost is None else _cost(cost.model_dump())),
    }


def _cost(cost: dict[str, Any]) -> dict[str, str]:
    units = {
        "prompt_tokens": "tokens read",
        "completion_tokens": "tokens written",
        "cpu_joules": "joules of the processors",
        "gpu_joules": "joules of the GPUs",
        "co2_grams": "grams of CO₂, estimated",
    }
    return {label: "" if cost[n] is None else f"{cost[n]:,.0f}" for n, label in units.items()}


def of_retrieval(runs: Mapping[str, RetrievalRun]) -> report.Table:
    """A column for each measurement of retrieval."""
    places = {
        "file": (),
        "collection": ("dataset", "name"),
        "split": ("dataset", "split"),
        "digest of the collection": ("dataset", "digest"),
        "documents": ("dataset", "documents"),
        "queries": ("dataset", "queries"),
        "embedder": ("embedder",),
        "generation": ("generation",),
        "chunks": ("chunks",),
        "commit": ("made_with", "commit"),
        "machine": ("made_with", "machine"),
        "date": ("made_with", "date"),
    }
    return report.Table(
        title="What was run",
        columns=("", *runs),
        rows=tuple(
            (label, *(_at(run, place) if place else str(run.path) for run in runs.values()))
            for label, place in places.items()
        ),
    )


def _at(run: RetrievalRun, place: Sequence[str]) -> str:
    value: Any = run.head
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    told = report.NOTHING if value in (None, "") else str(value)
    return told[:_DIGEST] if place[-1] == "digest" else told


def notes(name: str, run: AnswersRun) -> list[str]:
    """One sentence for each thing that a reader of the numbers has to know first."""
    told = []
    if run.record is None:
        told.append(f"{name}: no record lies beside the rows, so little is known of the run.")
    elif run.record.ended is None:
        told.append(f"{name}: the run was broken off, or it still goes on.")
    failed = sum(row.outcome == "failed" for row in run.rows.values())
    if failed:
        told.append(f"{name}: {failed} of {len(run.rows)} questions failed; they count as wrong.")
    return told
