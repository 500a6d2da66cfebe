"""The report on a tuned model as one page, in the frame of `docent eval report`."""

from collections.abc import Sequence

from eval import plots, report
from eval.html import Plot, Section, written
from eval.measures import Interval
from eval.tuned import MARGIN, Part, changes_table, summary_table, training_table
from ingest.registry import Training


def page(parts: Sequence[Part], training: Training | None, margin: float = MARGIN) -> str:
    """The whole page as HTML.

    Raises:
        DocentError: when the libraries of the `eval` extra are not installed.
    """
    return written(
        names=list(dict.fromkeys(part.name for part in parts)),
        notes=_notes(parts, margin),
        sections=[_overview(parts, training, margin)],
        made=report.made_with(),
    )


def _overview(parts: Sequence[Part], training: Training | None, margin: float) -> Section:
    head = training_table(training) if training else _untold()
    told = [_differences(part) for part in parts]
    return Section(
        title="Base and tuned",
        tables=(head, summary_table(parts, margin), *(changes_table(part) for part in parts)),
        plots=tuple(plot for plot in told if plot is not None),
    )


def _untold() -> report.Table:
    return report.Table("The model", ("what", "value"), (("model", "not named: see --model"),))


def _notes(parts: Sequence[Part], margin: float) -> list[str]:
    """A sentence for each set that lost something."""
    return [
        f"{part.name}, {part.arm}: {part.main.label} is {part.judged(margin)}."
        for part in parts
        if part.judged(margin) in ("worse", "lost")
    ]


def _differences(part: Part) -> Plot | None:
    """Both sides of each share; what they differ by stands in the table of the set."""
    shown = [one for one in part.changes if one.before is not None and one.after is not None]
    shown = [one for one in shown if one.name not in ("sum", "seconds", "failed")]
    if not shown:
        return None
    series = {
        "base": {one.label: _point(one.before) for one in shown},
        "tuned": {one.label: _point(one.after) for one in shown},
    }
    words = plots.Words(
        f"{part.name}, {part.arm}",
        f"Measures of {part.questions} questions with the base and with the tuned model; the "
        "intervals of the differences stand in the table below.",
        "value",
    )
    return Plot(words, plots.bars(series, words), changes_table(part))


def _point(value: float | None) -> Interval | None:
    return None if value is None else Interval(value, value, value)
