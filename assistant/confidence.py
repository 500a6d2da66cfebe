"""How sure is it that the documents answer a question? One score from a few signs, 0..1.

The signs are of question and passages alone, so that the model need not be asked in vain. A
logistic regression over them was fitted on the development half of the sample
(`docent eval calibrate` does it again); its constants stand here.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.candidates import Candidates
from assistant.evidence import about, foreign, missing_names
from assistant.extracts import considered
from assistant.windows import Window
from assistant.words import acronyms, identifiers, spelled, squeezed, stems

SIGNS = ("about", "bound", "missing", "foreign")
"""`about`: relevance of the best window. `bound`: the share of the question's words that stand in
one window together with all its names. `missing`: 1 when a name or year stands in no passage.
`foreign`: 1 when the best window lacks an acronym or a number of the question."""

_PROPER = re.compile(r"(?<=[\w,;:)] )(?:[A-Z][\w/-]+|\w+/\w+)")


@dataclass(frozen=True, slots=True)
class Weights:
    """A fitted logistic regression: `1 / (1 + exp(-(bias + Σ weight · sign)))`."""

    bias: float
    weights: Mapping[str, float]

    def score(self, signs: Mapping[str, float]) -> float:
        """0..1; a sign that is not there counts nothing."""
        total = self.bias + sum(
            weight * signs.get(name, 0.0) for name, weight in self.weights.items()
        )
        return 1 / (1 + math.exp(-total))


FITTED = Weights(
    bias=-1.014,
    weights={"about": 4.152, "bound": 1.723, "missing": -2.03, "foreign": -1.263},
)
"""By `docent eval calibrate` on the odd lines of sample/questions.jsonl, 164 of 199 questions
answerable, extracts only, MiniLM. Ten-fold area under the ROC curve 0.88."""


def signs(question: str, candidates: Candidates) -> dict[str, float]:
    """What speaks for and against an answer in these passages; all nought without any."""
    told = dict.fromkeys(SIGNS, 0.0)
    told["missing"] = float(bool(missing_names(question, candidates.known)))
    ranked = considered(question, candidates)
    if not ranked:
        return told
    relevance = [about(question, [window], candidates) for window in ranked]
    best = max(range(len(ranked)), key=lambda place: relevance[place])
    told["about"] = relevance[best]
    told["bound"] = bound(question, candidates)
    told["foreign"] = float(foreign(question, ranked[best], candidates))
    return told


def names(question: str) -> frozenset[str]:
    """Identifiers, acronyms and words with a capital inside the sentence.

    >>> sorted(names("How long is a Lantern token of the CEC valid for L1_MU4?"))
    ['CEC', 'L1_MU4', 'Lantern']
    """
    return frozenset(identifiers(question) | acronyms(question) | set(_PROPER.findall(question)))


def bound(question: str, candidates: Candidates) -> float:
    """The best weighted share of the question's other words in a window with all its names; 0..1.

    The prescale of another item, or another attribute of the same, stands near the one asked for
    and shares most words with it; name and attribute together do not.
    """
    called = names(question)
    naming = {stem for name in called for stem in stems(name)}
    rest = set(stems(question)) - naming
    total = sum(candidates.weight(stem) for stem in rest)
    holding = [window for window in candidates.windows if _names_all(called, window)]
    if not holding or not total:
        return float(bool(holding))
    return max(_share(rest, window, candidates) for window in holding) / total


def _names_all(called: Sequence[str] | frozenset[str], window: Window) -> bool:
    held = window.stems | window.around
    return all(
        squeezed(name) in window.names or set(stems(name)) <= held or spelled(name, window.shown)
        for name in called
    )


def _share(rest: set[str], window: Window, candidates: Candidates) -> float:
    held = window.stems | window.around
    return sum(candidates.weight(stem) for stem in rest if stem in held)
