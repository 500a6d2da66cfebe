"""Passages of near-duplicate documents, shown as one.

A page under two addresses and its copy in an archive would take several of the few places that an
answer has. Of passages that say the same, that of the best document stays: one that holds before
one that is archived or superseded, then the newest, then the one that was found first. A passage
that gives another number or name than its twin is kept beside it, unless its page no longer holds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.index import StoredChunk, Twin
from ingest.model import Standing

MOST_ALSO = 10
"""Other addresses named with a passage."""
ALIKE = 0.9
"""A passage says no more than another that has this share of its words; of an old page, OLD_ALIKE:
there the values are expected to have changed."""
OLD_ALIKE = 0.7

_WORD = re.compile(r"\w+(?:[.,:/+'’-]\w+)*")
_VALUE_OR_NAME = re.compile(r"[\dA-Z]")
_NEGATION = re.compile(r"(?:no|not|never|without|nor|cannot)$|.*n['’]t$", re.IGNORECASE)
_UNDATED = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Kept:
    """A passage to be shown."""

    stored: StoredChunk
    score: float


class Choice:
    """The first `k` passages offered, at most so many of one document."""

    def __init__(self, k: int, per_document: int | None) -> None:
        self._k = k
        self._per_document = per_document
        self._twins: dict[int, list[Twin]] = {}
        self._kept: list[Kept] = []
        self._spare: list[Kept] = []

    @property
    def full(self) -> bool:
        """True when nothing more is taken."""
        return len(self._kept) == self._k

    def know(self, twins: Mapping[int, Sequence[Twin]]) -> None:
        """The twins, by document row, of what is offered next."""
        for row, found in twins.items():
            best_first = sorted(found, key=lambda t: _rank(t.standing, t.updated_at), reverse=True)
            self._twins[row] = best_first

    def offer(self, stored: StoredChunk, score: float) -> None:
        """Take a passage, if it is not said already by one of a twin. Best scores come first."""
        twins = {twin.row for twin in self._twins[stored.document]}
        if twins and any(self._is_same(kept, stored, twins) for kept in self._kept + self._spare):
            return
        if self.full:
            return
        taken = sum(kept.stored.document == stored.document for kept in self._kept)
        fits = self._per_document is None or taken < self._per_document
        (self._kept if fits else self._spare).append(Kept(stored, score))

    def chosen(self) -> list[Kept]:
        """What is shown: of a document that is the only one found, all that there is room for."""
        alone = len({kept.stored.document for kept in self._kept}) == 1
        return (self._kept + self._spare)[: self._k] if alone else self._kept

    def also(self, stored: StoredChunk) -> tuple[str, ...]:
        """The other addresses of its document, the best first."""
        own = stored.url or stored.chunk.document_id
        others = [twin.url or twin.document_id for twin in self._twins[stored.document]]
        return tuple(dict.fromkeys(other for other in others if other != own))[:MOST_ALSO]

    def _is_same(self, kept: Kept, stored: StoredChunk, twins: set[int]) -> bool:
        """True when one of the two stands for both; it is the one that is kept."""
        if kept.stored.document not in twins:
            return False
        better, worse = kept.stored, stored
        if _rank(stored.standing, stored.updated_at) > _rank(better.standing, better.updated_at):
            better, worse = stored, kept.stored
        old = _is_old(worse.standing) and not _is_old(better.standing)
        if not says_no_more(worse.chunk.shown, better.chunk.shown, old=old):
            return False
        kept.stored = better
        return True


def says_no_more(passage: str, other: str, *, old: bool = False) -> bool:
    """True when nothing is lost by showing only the other one.

    >>> says_no_more("The limit is 30 days.", "The limit is 45 days.")
    False
    >>> says_no_more("The limit is 30 days.", "The limit is 45 days.", old=True)
    True
    """
    words, others = _WORD.findall(passage), {word.lower() for word in _WORD.findall(other)}
    missing = [word for word in words if word.lower() not in others]
    if old:
        return len(missing) <= (1 - OLD_ALIKE) * len(words)
    if any(map(_VALUE_OR_NAME.search, missing)) or _negations(words) != _negations(others):
        return False
    return len(missing) <= (1 - ALIKE) * len(words)


def _negations(words: Iterable[str]) -> set[str]:
    return {word.lower() for word in words if _NEGATION.match(word)}


def _is_old(standing: Standing) -> bool:
    return standing.archived or bool(standing.superseded_by)


def _rank(standing: Standing, updated_at: datetime | None) -> tuple[bool, bool, datetime]:
    return not standing.archived, not standing.superseded_by, updated_at or _UNDATED
