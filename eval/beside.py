"""The two sides of an index asked the same questions: whether the other one should serve.

Each is searched with the embedder that it was built with. What decides is nDCG@10 of search as the
assistant does it, question by question: better is better when the interval excludes 0.
"""

from dataclasses import dataclass

from rich.console import Console

from eval import found
from eval.compare import RANKED_BY, Change, Comparison, compare
from eval.found import Opener
from eval.runs import RetrievalRun, retrieval_run
from eval.session import Choice
from ingest.beside import Side, settings_of, sides_of
from ingest.errors import IndexMissing
from ingest.settings import Settings

DECIDES = "reranked"
"""The arm that does what the assistant does."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Both sides, measured."""

    serving: Side
    other: Side
    comparison: Comparison
    """The other minus the one that serves."""
    notes: tuple[str, ...]

    @property
    def change(self) -> Change:
        """What decides."""
        [part] = [part for part in self.comparison.parts if part.arm == DECIDES]
        return next(change for change in part.changes if change.name == RANKED_BY)

    @property
    def better(self) -> bool:
        """True when the other side finds better, beyond what chance would."""
        return self.change.verdict == "better"


def measure(choice: Choice, settings: Settings, opener: Opener, err: Console) -> Verdict:
    """Ask both sides the chosen questions.

    Raises:
        IndexMissing: there is no second side, or it was not built.
        DocentError: the questions or an index do not allow it.
    """
    sides = sides_of(settings)
    if len(sides) < 2 or sides[1].generation is None:
        msg = "There is no second index to ask. Run: docent index next --embedder NAME"
        raise IndexMissing(msg)
    serving, other = sides
    runs, notes = [], dict[str, None]()
    for side in sides:
        err.print(f"{side.folder}, {side.embedder}", markup=False, soft_wrap=True)
        result = found.measure(choice, settings_of(side, settings), opener, err, standalone=False)
        notes |= dict.fromkeys(result.notes())
        runs.append(_run(result, side))
    return Verdict(serving, other, compare(*runs), tuple(notes))


def sentence(verdict: Verdict) -> str:
    """What the numbers say, and what to do."""
    change = verdict.change
    told = change.difference
    interval = f" by {told.value:+.3f} [{told.low:+.3f}, {told.high:+.3f}]" if told else ""
    if verdict.better:
        return f"{verdict.other.embedder} is better{interval} {RANKED_BY}: docent index swap"
    return (
        f"{verdict.other.embedder} is not shown to be better{interval} {RANKED_BY}: it is left "
        "beside; docent index drop removes it."
    )


def _run(result: found.Found, side: Side) -> RetrievalRun:
    return retrieval_run(side.folder, found.as_json(result))
