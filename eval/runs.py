"""Runs that were kept, read back: rows of answered questions, or a measurement of retrieval.

A run may be older than this code, or newer: what it does not have stays at its default, what is not
known here is passed over.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.answers import Row
from eval.tracking import RunRecord, read_record
from ingest.errors import DocentError


class CurvePoint(BaseModel):
    """A mean with its interval, as retrieval writes one."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    mean: float
    low: float
    high: float


class ArmRun(BaseModel):
    """One way of searching, as `docent eval retrieval --json` wrote it."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    per_query: dict[str, dict[str, float]] = Field(min_length=1)
    """Measure → query → value; a query that failed is in it with 0."""
    recall_curve: dict[int, CurvePoint] = {}
    """k → recall among the first k; empty in measurements of old."""
    query_ms: dict[str, float | None] = {}
    """`p50` and `p95`."""
    failures: dict[str, str] = {}

    @property
    def queries(self) -> frozenset[str]:
        """The ids of all queries."""
        return frozenset(query for values in self.per_query.values() for query in values)


@dataclass(frozen=True, slots=True)
class AnswersRun:
    """The rows of one `docent eval answers --out`."""

    name: str
    """The file's name without its ending."""
    path: Path
    rows: Mapping[str, Row]
    """By question; at least one."""
    record: RunRecord | None
    """What the harness wrote down beside them; None for rows of old."""


@dataclass(frozen=True, slots=True)
class RetrievalRun:
    """One `docent eval retrieval --json`."""

    name: str
    path: Path
    arms: Mapping[str, ArmRun]
    """At least one."""
    head: Mapping[str, Any]
    """All that the file says, but for the arms."""


Run = AnswersRun | RetrievalRun


def read_run(path: Path) -> Run:
    """Read a run of either kind.

    Raises:
        DocentError: naming the file, the line where there is one, and the defect.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
        raise DocentError(msg) from None
    except UnicodeDecodeError:
        msg = f"{path}: this is not UTF-8 text."
        raise DocentError(msg) from None
    if isinstance(whole := _json(text), dict) and "kind" in whole and "outcome" not in whole:
        return retrieval_run(path, whole)
    rows = _rows(path, text)
    return AnswersRun(path.stem, path, rows, read_record(path))


def shown_names(runs: Iterable[Run]) -> list[str]:
    """A name for each run, all different: the file's own, with its folder or a number if needed."""
    taken: list[str] = []
    given = list(runs)
    names = [run.name for run in given]
    for run in given:
        name = run.name
        if names.count(name) > 1:
            name = f"{run.path.resolve().parent.name}/{name}"
        again = taken.count(name) + sum(one.startswith(f"{name} (") for one in taken)
        taken.append(f"{name} ({again + 1})" if again else name)
    return taken


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def retrieval_run(path: Path, whole: dict[str, Any]) -> RetrievalRun:
    """A measurement of retrieval as `docent eval retrieval --json` prints it.

    Raises:
        DocentError: it is none, or not whole.
    """
    if whole["kind"] != "retrieval":
        msg = (
            f"{path} holds the sums of a run, not its questions. Give the file that "
            "`docent eval answers --out` wrote, or the output of `docent eval retrieval --json`."
        )
        raise DocentError(msg)
    try:
        arms = {name: ArmRun.model_validate(arm) for name, arm in whole["arms"].items()}
    except (ValidationError, KeyError, AttributeError) as error:
        msg = f"{path} is not a whole measurement of retrieval: {_first(error)}. Measure again."
        raise DocentError(msg) from None
    uneven = [
        (name, measure)
        for name, arm in arms.items()
        for measure, values in arm.per_query.items()
        if values.keys() != arm.queries or not values
    ]
    if uneven or not arms:
        what = "{}: {} lacks queries".format(*uneven[0]) if uneven else "it has no arms"
        msg = f"{path} is not a whole measurement of retrieval: {what}. Measure again."
        raise DocentError(msg)
    head = {name: value for name, value in whole.items() if name != "arms"}
    return RetrievalRun(path.stem, path, arms, head)


def _rows(path: Path, text: str) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = Row.model_validate_json(line, extra="ignore")
        except ValidationError as error:
            msg = f"{path}, line {number}: this is not a row of answers ({_first(error)})."
            raise DocentError(msg) from None
        if row.id in rows:
            msg = f"{path}, line {number}: {row.id!r} has a row already; give a file of one run."
            raise DocentError(msg)
        rows[row.id] = row
    if not rows:
        msg = f"{path} holds no rows. Was the run broken off before its first question?"
        raise DocentError(msg)
    return rows


def _first(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"{error} is missing" if isinstance(error, KeyError) else str(error)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
