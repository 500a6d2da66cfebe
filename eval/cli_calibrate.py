"""`docent eval calibrate`: fit the score of answers again, and see what a threshold costs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from eval.answers import Row
    from eval.calibrate import Calibration
    from eval.report import Table

TOLERATED = (0.02, 0.05, 0.1, 0.15, 0.2)
"""Shares of false refusals for which a threshold is shown."""


def calibrate(
    rows: Annotated[
        list[Path], typer.Argument(help="Rows that `docent eval answers --out` wrote; dev half.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print exact numbers as JSON.")] = False,
) -> None:
    """Fit the score of answers on kept rows, and print what each threshold would cost.

    Copy the weights to assistant/confidence.py and a threshold to the setting `refuse_below`. Never
    give rows of the half that is held for the test.
    """
    from eval import report
    from eval.calibrate import calibrate as fit
    from eval.runs import AnswersRun, read_run
    from ingest.errors import DocentError

    kept: list[Row] = []
    for path in rows:
        run = read_run(path)
        if not isinstance(run, AnswersRun):
            msg = f"{path} is a measurement of retrieval. Give rows of `docent eval answers --out`."
            raise DocentError(msg)
        kept += run.rows.values()
    found = fit(kept)
    if as_json:
        typer.echo(json.dumps(_as_json(found), indent=1))
        return
    out, _ = report.consoles()
    for table in _tables(found):
        report.show(table, out)


def _tables(found: "Calibration") -> "list[Table]":
    from eval import report
    from eval.calibrate import aurc, thresholds

    weights = {"bias": found.weights.bias, **found.weights.weights}
    fitted = report.Table(
        title=f"Weights fitted on {found.rows} questions, {found.answerable} of them answerable",
        columns=("sign", "weight"),
        rows=tuple((name, f"{value:.3f}") for name, value in weights.items()),
    )
    costs = report.Table(
        title=(
            f"What a threshold costs, ten-fold: AUC {found.auc:.3f}, AURC {aurc(found.curve):.3f}"
        ),
        columns=("false refusals up to", "refuse_below", "refused", "abstained", "risk"),
        rows=tuple(
            (
                f"{share:.2f}",
                f"{point.score:.3f}",
                f"{point.refused:.3f}",
                f"{point.abstained:.3f}",
                report.NOTHING if point.risk is None else f"{point.risk:.3f}",
            )
            for share, point in thresholds(found.curve, TOLERATED).items()
        ),
    )
    return [fitted, costs]


def _as_json(found: "Calibration") -> dict[str, Any]:
    from eval.calibrate import aurc

    points = [{**asdict(point), "score": min(point.score, 1.0)} for point in found.curve]
    return {
        "kind": "calibration",
        "rows": found.rows,
        "answerable": found.answerable,
        "bias": found.weights.bias,
        "weights": dict(found.weights.weights),
        "auc": found.auc,
        "aurc": aurc(found.curve),
        "curve": points,
    }
