"""Is there anything here that answers the question? Asked before the model writes, and after.

Pure functions of question and candidates with the thresholds in one place, so that they can be
fitted on questions whose answers are known.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.candidates import Candidates
from assistant.windows import Window, body
from assistant.words import acronyms, identifiers, known_names, numbers, spelled, squeezed, stems

# The thresholds were set on the odd lines of sample/questions.jsonl (67 questions, 12 of them not
# to be answered by their reader) with MiniLM. The best window's relevance to the question: with
# an answer 0.28 to 1.00, median 0.73, three of 55 under 0.45; without one 0.00 to 0.56.
ENOUGH = 0.36
"""Least evidence with which the model is asked at all. Set low on purpose: it only spares a model
call when nothing is near the subject; the checks after the answer are the strict ones."""
ABOUT = 0.4
"""Least relevance to the question that the best cited window of an answer must have. A small model
answers nearly everything it is asked, so this and not its refusal decides."""
SHOWN = 0.45
"""The same for the best extract: no model has chosen it."""
COVERAGE_SHARE = 0.55
"""Share of the words in both scores; the rest is the embedder's. Alone it is the whole."""
ELSEWHERE = 0.5
"""Worth of a question's word that stands in the cited passage but not in the cited window. Nothing
for table rows: the row beside the right one shares the table with it."""
CONSIDERED = 12
"""How many windows, best by words, are compared by the embedder."""

FOREIGN = 0.25
"""Taken from the relevance when an acronym or a number of the question is not in what is cited: the
on-call phone of another detector is no answer. Not a refusal by itself: an acronym such as MET may
be written in a way that its letters do not show, and a number may lie in a range."""
RUN_NUMBER = 100_000
"""From here on a number of the question is a run, and pages name runs by ranges."""

_HUMPS = re.compile(r"(?<![\w/.])(?=\w{6})[A-Z][a-z]+[A-Z]\w+(?![\w/])")
_YEAR = re.compile(r"(?<![\w.])(?:19|20)\d\d(?![\w.]?\d)")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well the passages bear on the question, before anybody has answered it."""

    score: float
    """0..1: the best window's blend of word coverage and likeness."""
    coverage: float
    likeness: float | None
    missing: frozenset[str]
    """Names and years of the question that stand nowhere in the passages."""

    @property
    def enough(self) -> bool:
        """True when it is worth asking the model."""
        return not self.missing and self.score >= ENOUGH

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not enough, as sentences; empty when it is."""
        told = [f"{name} does not occur in the documents found." for name in sorted(self.missing)]
        if self.score < ENOUGH:
            told.append(f"The best evidence scores {self.score:.2f}, under {ENOUGH:.2f}.")
        return tuple(told)


def evidence(question: str, candidates: Candidates) -> Evidence:
    """What the passages hold for this question, without asking a model."""
    wanted = stems(question)
    missing = missing_names(question, candidates.known)
    if not candidates.windows:
        return Evidence(0.0, 0.0, None, missing)
    best = candidates.ranked(wanted, CONSIDERED)
    likeness = candidates.cosines(question, best)
    coverages = [_coverage(wanted, [candidates.windows[index]], candidates) for index in best]
    scores = _blend(coverages, likeness)
    top = max(likeness) if likeness else None
    return Evidence(max(scores), max(coverages), top, missing)


def missing_names(question: str, known: frozenset[str]) -> frozenset[str]:
    """Names such as `L1_MU5`, and years, that the question has and the passages have not.

    >>> sorted(missing_names("Was v9.1 or L1-MU4 used in 2031?", known_names("L1_MU4 in v9.1.2")))
    ['2031']
    """
    asked = identifiers(question) | set(_YEAR.findall(question)) | set(_HUMPS.findall(question))
    return frozenset(name for name in asked if squeezed(name) not in known)


def about(question: str, cited: Sequence[Window], candidates: Candidates) -> float:
    """How well what a sentence quotes bears on the question; 0..1. A foreign name gives 0."""
    if not cited:
        return 0.0
    passages = [candidates.passages[window.passage] for window in cited]
    whole = [
        f"{window.shown}\n{passage.text}" for window, passage in zip(cited, passages, strict=True)
    ]
    if missing_names(question, frozenset().union(*(known_names(text) for text in whole))):
        return 0.0
    wanted = stems(question)
    likeness = candidates.cosines(question, [candidates.windows.index(window) for window in cited])
    coverage = _coverage(wanted, cited, candidates)
    # a row is not about what the row beside it is about
    near = "\n".join(
        window.shown if window.rows else text for window, text in zip(cited, whole, strict=True)
    )
    foreign = FOREIGN if _foreign(question, near) else 0.0
    return max(_blend([coverage] * len(cited), likeness)) - foreign


def _foreign(question: str, text: str) -> bool:
    """True when the question has an acronym or a number that the text has not."""
    if any(not spelled(acronym, text) for acronym in acronyms(question)):
        return True
    held = numbers(text)
    asked = (n for n in numbers(question, claims=True) if abs(n.value) < RUN_NUMBER)
    return any(not any(number.agrees(other) for other in held) for number in asked)


def _coverage(wanted: Sequence[str], cited: Sequence[Window], candidates: Candidates) -> float:
    """Coverage by the windows, with a discount for words elsewhere in the same passages."""
    near = candidates.coverage(wanted, cited)
    if any(window.rows for window in cited):
        return near
    texts = (body(candidates.passages[window.passage]) for window in cited)
    inside = {stem for window in cited for stem in window.stems | window.around}
    elsewhere = {stem for text in texts for stem in stems(text)} - inside
    total = sum(candidates.weight(stem) for stem in set(wanted))
    more = sum(candidates.weight(stem) for stem in set(wanted) & elsewhere)
    return near + ELSEWHERE * more / total if total else near


def _blend(coverages: Sequence[float], likeness: Sequence[float] | None) -> list[float]:
    if likeness is None:
        return list(coverages)
    share = COVERAGE_SHARE
    return [
        share * words + (1 - share) * like for words, like in zip(coverages, likeness, strict=True)
    ]
