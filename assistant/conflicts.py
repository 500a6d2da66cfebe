"""Do the pages disagree about what is asked? Two pages, one thing, different values.

By rule: sentences of different documents that share the question's words, and each of which holds
values of the kind asked for that the other has not. Which of the two holds is told by what the
pages say of themselves and by their dates; where neither tells, both are shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

from assistant.asked import Kind, asked_for, values
from assistant.candidates import Candidates
from assistant.model import Passage
from assistant.windows import Window
from assistant.words import numbers, stems

OUTDATED = timedelta(days=150)
"""A page so much older than another that contradicts it is taken to be out of date. Pages of one
season are of about the same age: none of them is known to have seen the other."""
# Set on the odd lines of sample/questions.jsonl (9 contradictions, 17 questions of freshness).
LIKE, LIKE_UNKNOWN = 0.5, 0.6
"""Least cosine of the two sentences; the second where the kind asked for cannot be told."""
SHARED, SHARED_UNKNOWN = 0.2, 0.45
"""Least weighted share of the question's words that both sentences have."""
ALIKE = 0.45
"""Least share, among the question's words that one of them has, of those that both have."""
SAME_WORDS = 0.3
"""Least share of the shorter sentence's own words that stand in the other too."""
FEW = 2
"""More values of one kind in a sentence are a list, of which another page may show a part."""
DOCUMENTS = 6
"""So many documents, those nearest to the question, are compared with each other."""
OF_EACH = 2
"""Sentences of each."""
OWN = 0.3
"""A sentence that has the question's words itself goes before one under such a heading."""

_MEASURED = (
    Kind.DURATION, Kind.CLOCK, Kind.ENERGY, Kind.VOLTAGE, Kind.TEMPERATURE, Kind.FREQUENCY,
    Kind.SHARE, Kind.BYTES, Kind.LENGTH,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dispute:
    """Two windows of different documents that say different things of what is asked."""

    holds: Window
    """The newer or the valid one; of two of the same age the more relevant."""
    other: Window
    settled: bool
    """True when dates or the pages themselves tell which one holds."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence with values that may answer the question, and what it shares with it."""

    window: Window
    place: int
    values: Mapping[Kind | None, frozenset[str]]
    asked: frozenset[str]
    nearness: float


def disputes(question: str, candidates: Candidates) -> list[Dispute]:
    """At most two disagreements: the nearest that the pages settle, and the nearest that stays."""
    known = bool(asked_for(question))
    found: dict[bool, Dispute] = {}
    for one, other in combinations(_claims(question, candidates), 2):
        if _disagree(question, one, other, candidates, known=known):
            told = _settle(one.window, other.window, candidates)
            found.setdefault(told.settled, told)
    return [found[settled] for settled in (False, True) if settled in found]


def against(question: str, candidates: Candidates) -> list[tuple[Window, Window]]:
    """What other documents say otherwise than the first passage: its window and theirs, nearest
    first, at most one of a document.
    """
    known = bool(asked_for(question))
    claims = _claims(question, candidates)
    own = candidates.passages[0].document_id
    found: dict[str, tuple[Window, Window]] = {}
    for one in claims:
        for other in claims:
            document = candidates.passages[other.window.passage].document_id
            mine = candidates.passages[one.window.passage].document_id == own != document
            if mine and _disagree(question, one, other, candidates, known=known):
                found.setdefault(document, (one.window, other.window))
    return list(found.values())


def _claims(question: str, candidates: Candidates) -> list[_Claim]:
    """The sentences with values, nearest first, a few of each of the nearest documents."""
    asked = frozenset(stems(question))
    total = sum(candidates.weight(stem) for stem in asked)
    by_document: dict[str, list[_Claim]] = {}
    for place, window in enumerate(candidates.windows):
        told = _values(question, window.text) if window.units == 1 else {}
        if told and total:
            own = sum(candidates.weight(stem) for stem in asked & window.stems) / total
            claim = _Claim(
                window,
                place,
                told,
                asked & (window.stems | window.around),
                candidates.coverage(asked, [window]) + OWN * own,
            )
            document = candidates.passages[window.passage].document_id
            by_document.setdefault(document, []).append(claim)
    best = [sorted(claims, key=_far)[:OF_EACH] for claims in by_document.values()]
    best.sort(key=lambda claims: _far(claims[0]))
    return sorted((claim for claims in best[:DOCUMENTS] for claim in claims), key=_far)


def _far(claim: _Claim) -> float:
    return -claim.nearness


def _values(question: str, text: str) -> dict[Kind | None, frozenset[str]]:
    """A few values by kind that the question does not have itself; None: numbers without unit."""
    kinds = asked_for(question)
    told: dict[Kind | None, frozenset[str]] = {
        kind: values(text, kind) - values(question, kind)
        for kind in kinds or _MEASURED
        if kind is not Kind.PERSON  # two people may both be right
    }
    if not kinds:
        told[None] = _plain(text) - _plain(question)
    return {kind: held for kind, held in told.items() if 0 < len(held) <= FEW}


def outdated(one: Passage, other: Passage) -> bool:
    """True when the first page says that it no longer holds, or is much older than the other."""
    said, other_said = _ended(one), _ended(other)
    if said != other_said:
        return said
    if one.updated_at is None or other.updated_at is None:
        return False
    return _day(other.updated_at) - _day(one.updated_at) > OUTDATED


def _settle(one: Window, other: Window, candidates: Candidates) -> Dispute:
    first, second = (candidates.passages[window.passage] for window in (one, other))
    if outdated(first, second):
        return Dispute(other, one, settled=True)
    return Dispute(one, other, settled=outdated(second, first))


def _disagree(
    question: str, one: _Claim, other: _Claim, candidates: Candidates, *, known: bool
) -> bool:
    first, second = (candidates.passages[claim.window.passage] for claim in (one, other))
    if first.document_id == second.document_id:
        return False
    both_have = one.values.keys() & other.values.keys()
    if not both_have or any(one.values[kind] & other.values[kind] for kind in both_have):
        return False
    shared = SHARED if known else SHARED_UNKNOWN
    if not _same_subject(frozenset(stems(question)), one, other, candidates, shared):
        return False
    like = candidates.alike(one.place, other.place)
    return like is None or like >= (LIKE if known else LIKE_UNKNOWN)


def _same_subject(
    asked: frozenset[str], one: _Claim, other: _Claim, candidates: Candidates, least: float
) -> bool:
    def weight(part: Iterable[str]) -> float:
        return sum(candidates.weight(stem) for stem in part)

    both, either = weight(one.asked & other.asked), weight(one.asked | other.asked)
    if both < least * weight(asked) or both < ALIKE * either:
        return False
    mine, theirs = (_wording(claim.window) for claim in (one, other))
    shorter = min(weight(mine), weight(theirs))
    return weight(mine & theirs) >= SAME_WORDS * shorter


def _wording(window: Window) -> frozenset[str]:
    """The words of a sentence without its numbers."""
    return frozenset(stem for stem in window.stems if not stem[0].isdigit())


def _plain(text: str) -> frozenset[str]:
    """Numbers without a unit."""
    return frozenset(f"{n.value:g}" for n in numbers(text, claims=True) if not n.unit)


def _ended(passage: Passage) -> bool:
    return passage.standing.archived or bool(passage.standing.superseded_by)


def _day(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)
