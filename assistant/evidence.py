"""Does what is quoted bear on the question? Pure functions of question and candidates."""

import re
from collections.abc import Sequence
from functools import lru_cache

from assistant.candidates import Candidates
from assistant.windows import Window, body
from assistant.words import acronyms, identifiers, known_names, numbers, spelled, squeezed, stems

ABOUT = 0.4
"""Least relevance to the question that the best cited window of an answer must have. A small model
answers nearly everything it is asked, so this and not its refusal decides."""
COVERAGE_SHARE = 0.55
"""Share of the words in both scores; the rest is the embedder's. Alone it is the whole."""
ELSEWHERE = 0.5
"""Worth of a question's word that stands in the cited passage but not in the cited window. Nothing
for table rows: the row beside the right one shares the table with it."""

FOREIGN = 0.25
"""Taken from the relevance when an acronym or a number of the question is not in what is cited: the
on-call phone of another detector is no answer. Not a refusal by itself: an acronym such as MET may
be written in a way that its letters do not show, and a number may lie in a range."""
RUN_NUMBER = 100_000
"""From here on a number of the question is a run, and pages name runs by ranges."""

_HUMPS = re.compile(r"(?<![\w/.])(?=\w{6})[A-Z][a-z]+[A-Z]\w+(?![\w/])")
_YEAR = re.compile(r"(?<![\w.])(?:19|20)\d\d(?![\w.]?\d)")


def missing_names(question: str, known: frozenset[str]) -> frozenset[str]:
    """Names such as `L1_MU5`, and years, that the question has and the passages have not.

    >>> sorted(missing_names("Was v9.1 or L1-MU4 used in 2031?", known_names("L1_MU4 in v9.1.2")))
    ['2031']
    """
    return frozenset(name for name in _asked_names(question) if squeezed(name) not in known)


@lru_cache(maxsize=256)
def _asked_names(question: str) -> frozenset[str]:
    years, humps = _YEAR.findall(question), _HUMPS.findall(question)
    return frozenset(identifiers(question) | set(years) | set(humps))


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
    likeness = candidates.cosines(question, [candidates.place(window) for window in cited])
    coverage = _coverage(wanted, cited, candidates)
    # a row is not about what the row beside it is about
    near = "\n".join(
        window.shown if window.rows else text for window, text in zip(cited, whole, strict=True)
    )
    strange = FOREIGN if _foreign(question, near) else 0.0
    return max(_blend([coverage] * len(cited), likeness)) - strange


def foreign(question: str, window: Window, candidates: Candidates) -> bool:
    """True when the question has an acronym or a number that window and passage have not."""
    passage = candidates.passages[window.passage]
    return _foreign(question, window.shown if window.rows else f"{window.shown}\n{passage.text}")


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
    asked = frozenset(wanted)
    total = candidates.total(asked)
    more = sum(candidates.weight(stem) for stem in asked & elsewhere)
    return near + ELSEWHERE * more / total if total else near


def _blend(coverages: Sequence[float], likeness: Sequence[float] | None) -> list[float]:
    if likeness is None:
        return list(coverages)
    share = COVERAGE_SHARE
    return [
        share * words + (1 - share) * like for words, like in zip(coverages, likeness, strict=True)
    ]
