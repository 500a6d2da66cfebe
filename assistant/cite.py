"""Sentences ↔ passages: attribute each sentence of a draft by a check of our own, or drop it.

The model's own markers are thrown away: small models forget or invent them. A sentence stands when
a window of one or two passages says the same words, means the same to the embedder, and holds
every number, name and denial of the sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from assistant.candidates import Candidates
from assistant.evidence import ABOUT, about
from assistant.model import Citation, Sentence
from assistant.tables import bound
from assistant.windows import Window, plain_header, sentence_ends, units
from assistant.words import (
    Number,
    contrast,
    identifiers,
    known_names,
    numbers,
    polarity_agrees,
    squeezed,
    stems,
)

WORDS_SHARE = 0.65
"""Share of the words in a window's support for a sentence; the rest is the embedder's."""
ASKED = 0.4
"""Weight of a word that the sentence only repeats from the question."""
TOP_WINDOWS = 8
"""Windows per sentence that the embedder compares."""
CARRIES_VALUES = 0.5
"""What holding all numbers and names is worth when windows are chosen for comparison."""
PER_UNIT = 0.015
"""A longer quote must be better by this for each further unit."""
ADDS = 0.25
"""A second citation must carry at least this much of the sentence that the first does not."""
DENIAL, DENIAL_OF_YES = 0.05, 0.3
"""A denial in the passages counts when its sentence is at most this much further from the claim
than the support is. Wide for a yes-or-no question, whose words stand in many places."""
REPEATING = 0.15
"""So much more support is asked of a sentence that has no word which the question has not."""
SHORT = 4
"""A sentence with fewer content words is compared together with the question."""

_MARKER = re.compile(
    r"\s?(?:\[\s?\d{1,2}(?:\s?[,–-]\s?\d{1,2})*\s?\]|【[^】]{0,20}】|\[\^\d{1,2}\])"
)
_SOURCE = r"(?:the\s+)?(?:provided\s+|given\s+)?(?:passages?|excerpts?|documents?|sources?|context)"
_NUMBERED = rf"{_SOURCE}(?:\s+#?\d{{1,2}}(?:\s*(?:,|and|&)\s*#?\d{{1,2}})*)?"
_PER = r"(?:according\s+to|based\s+on|as\s+(?:stated|described|mentioned)\s+in)"
_TALK = (
    re.compile(rf"\s*[(\[](?:see\s+|from\s+|in\s+)?{_SOURCE}\s+#?\d[^)\]]{{0,20}}[)\]]", re.I),
    re.compile(rf"\b(?:{_PER}|in)\s+{_NUMBERED},\s*", re.I),
    re.compile(rf"^{_NUMBERED}\s+(?:says?|states?|mentions?|notes?|indicates?)\s+that\s+", re.I),
    re.compile(rf",?\s+{_PER}\s+{_NUMBERED}(?=[.!?]?$)", re.I),
    re.compile(r"^(?:answer|response)\s*:\s*", re.I),
)  # fmt: skip
_LIST_MARK = re.compile(r"^\s*(?:[-*+•–]|\d{1,2}[.)])\s+")
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|may|might|must|should|shall|will|has|have|had)\b",
    re.I,
)
_BARE = re.compile(r"^(?:yes|no)\b[.,!]?$", re.I)


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence of a draft and what stood between it and the one before."""

    text: str
    joint: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found for one sentence."""

    windows: tuple[Window, ...] = ()
    score: float = 0.0
    refuted: bool = False
    """A number, a name or a denial of the sentence stands against every window."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A draft after the check."""

    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]


NOTHING = Cited("", (), ())
"""No sentence could be carried: the caller says that nothing was found."""


def split(draft: str) -> list[Piece]:
    """The sentences of a draft, without markers and talk about passages.

    >>> [piece.text for piece in split("According to passage 2, use v2.3.1 [2]. Then stop.")]
    ['Use v2.3.1.', 'Then stop.']
    """
    found: list[Piece] = []
    for line in draft.splitlines():
        if not line.strip() or line.strip().startswith("```"):
            continue
        joint, begin = "\n", 0
        plain = _MARKER.sub("", line.replace("**", "")).rstrip()
        for end in sentence_ends(plain):
            text = _without_talk(plain[begin:end])
            begin = end
            if text and re.search(r"\w", text):
                found.append(Piece(text, joint if found else ""))
                joint = " "
    return found


def _without_talk(text: str) -> str:
    cleaned = text.strip()
    for pattern in _TALK:
        cleaned = pattern.sub("", cleaned).strip()
    if cleaned != text.strip() and cleaned[:1].islower() and not identifiers(cleaned.split()[0]):
        cleaned = cleaned[0].upper() + cleaned[1:]
    return cleaned


def cite(question: str, draft: str, candidates: Candidates, support: float) -> Cited:
    """Check a draft sentence by sentence; `NOTHING` when no sentence is carried by the passages."""
    checked = []
    headers = {_plain(plain_header(passage)) for passage in candidates.passages}
    for piece in split(draft):
        if not says_something(question, piece.text) or _plain(piece.text) in headers:
            continue  # a model copies the first line of an excerpt: that is where, and not what
        checked.append((piece, check(question, piece.text, candidates, support)))
    carried = [verdict for _, verdict in checked if verdict.windows]
    if not carried:
        return NOTHING
    if max(about(question, verdict.windows, candidates) for verdict in carried) < ABOUT:
        return NOTHING
    mostly = 2 * len(carried) >= len(checked)
    kept = [
        (piece, verdict)
        for piece, verdict in checked
        if verdict.windows or (mostly and not verdict.refuted)
    ]
    return _numbered(kept, candidates)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def check(question: str, sentence: str, candidates: Candidates, support: float) -> Verdict:
    """The windows that carry a sentence, or why none does."""
    claim = _Claim.of(question, sentence)
    if claim.stems <= claim.asked:
        support = min(1.0, support + REPEATING)
    order = _promising(claim, candidates)
    likeness = candidates.cosines(claim.spoken, order)
    best, refuted = Verdict(), False
    for place, index in enumerate(order):
        window = candidates.windows[index]
        like = likeness[place] if likeness else None
        score = _score(claim, [window], like, candidates)
        if score < support or score <= best.score:
            continue
        if _stands(claim, [window]):
            best = Verdict((window,), score)
        else:
            refuted = True
    if best.windows and _denied(claim, best.score, order, likeness, candidates):
        return Verdict(refuted=True)
    if best.windows:
        return _completed(claim, best, order, candidates)
    pair = _pair(claim, order, likeness, candidates, support)
    # a number or a name that nothing carries must not go out, however the rest fares
    return pair or Verdict(refuted=refuted or bool(claim.numbers or claim.names))


@dataclass(frozen=True)
class _Claim:
    """A sentence taken apart once."""

    text: str
    question: str
    stems: frozenset[str]
    asked: frozenset[str]
    numbers: tuple[Number, ...]
    names: frozenset[str]

    @classmethod
    def of(cls, question: str, sentence: str) -> "_Claim":
        text = _LIST_MARK.sub("", sentence)
        own = frozenset(stems(text))
        asked = frozenset(stems(question))
        if not own:  # a bare yes or no says what the question says
            own = asked
        names = frozenset(squeezed(name) for name in identifiers(text))
        return cls(text, question, own, asked, numbers(text, claims=True), names)

    @cached_property
    def new(self) -> frozenset[str]:
        """What the question did not say."""
        return self.stems - self.asked

    @cached_property
    def repeated(self) -> frozenset[str]:
        """What the question said already."""
        return self.stems & self.asked

    @property
    def spoken(self) -> str:
        """What the embedder is given: a short sentence means little without its question."""
        return f"{self.question} {self.text}" if len(self.stems) < SHORT else self.text


def _promising(claim: _Claim, candidates: Candidates) -> list[int]:
    scores = []
    for window in candidates.windows:
        carries = bool(claim.numbers or claim.names) and _has_values(claim, [window])
        bonus = CARRIES_VALUES if carries else 0.0
        scores.append(bonus + _words(claim, [window], candidates) - PER_UNIT * window.units)
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    return order[:TOP_WINDOWS]


def _words(claim: _Claim, found: Sequence[Window], candidates: Candidates) -> float:
    """Weighted containment of the sentence's words; what the question said already weighs less."""
    new, repeated = claim.new, claim.repeated
    new_weight = candidates.total(new)
    repeated_weight = ASKED * candidates.total(repeated)
    total = new_weight + repeated_weight
    if not total:
        return 0.0
    held = new_weight * candidates.coverage(new, found)
    return (held + repeated_weight * candidates.coverage(repeated, found)) / total


def _score(
    claim: _Claim, found: Sequence[Window], like: float | None, candidates: Candidates
) -> float:
    return _of(_words(claim, found, candidates), found, like)


def _of(words: float, found: Sequence[Window], like: float | None) -> float:
    length = PER_UNIT * (sum(window.units for window in found) - 1)
    if like is None:
        return words - length
    return WORDS_SHARE * words + (1 - WORDS_SHARE) * like - length


def _has_values(claim: _Claim, found: Sequence[Window]) -> bool:
    """True when every number and every name of the sentence stands in the windows."""
    held = [number for window in found for number in window.numbers]
    if not all(any(number.agrees(other) for other in held) for number in claim.numbers):
        return False
    return all(any(name in window.names for window in found) for name in claim.names)


def _stands(claim: _Claim, found: Sequence[Window]) -> bool:
    """The hard rules: values present and bound to the right row, no denial, no opposite."""
    if not _has_values(claim, found):
        return False
    held = frozenset().union(*(window.stems | window.around for window in found))
    if contrast(claim.stems, held):
        return False
    if not all(_polar(claim, window) for window in found):
        return False
    return bound(claim.text, claim.question, found)


def _polar(claim: _Claim, window: Window) -> bool:
    """Denial is compared with the one sentence of the window that is nearest."""
    if _BARE.match(claim.text):
        return True
    parts = [window.text[unit.start : unit.end] for unit in units(window.text)]
    nearest = max(parts, key=lambda part: len(claim.stems & frozenset(stems(part))))
    return polarity_agrees(claim.text, nearest)


def _denied(
    claim: _Claim,
    score: float,
    order: Sequence[int],
    likeness: Sequence[float] | None,
    candidates: Candidates,
) -> bool:
    """True when a sentence of the passages denies the claim and is nearly as near."""
    margin = DENIAL_OF_YES if _YES_NO.match(claim.question.strip()) else DENIAL
    for place, index in enumerate(order):
        window = candidates.windows[index]
        like = likeness[place] if likeness else None
        near = _score(claim, [window], like, candidates) >= score - margin
        if window.units == 1 and near and not _polar(claim, window):
            return True
    return False


def _completed(
    claim: _Claim, best: Verdict, order: Sequence[int], candidates: Candidates
) -> Verdict:
    """A second window for a part of the sentence that the first does not carry."""
    alone = _words(claim, best.windows, candidates)
    more = []
    for index in order:
        other = candidates.windows[index]
        both = (*best.windows, other)
        gain = _words(claim, both, candidates) - alone - PER_UNIT * (other.units - 1)
        if gain >= ADDS and not other.overlaps(best.windows[0]) and _stands(claim, both):
            more.append((gain, index))
    if not more:
        return best
    _, index = max(more)
    return Verdict((*best.windows, candidates.windows[index]), best.score)


def _pair(
    claim: _Claim,
    order: Sequence[int],
    likeness: Sequence[float] | None,
    candidates: Candidates,
    support: float,
) -> Verdict | None:
    """Two windows that carry different parts of the sentence, neither of which carries it alone."""
    best: Verdict | None = None
    alone = [_words(claim, [candidates.windows[index]], candidates) for index in order]
    for one, other in combinations(range(len(order)), 2):
        found = (candidates.windows[order[one]], candidates.windows[order[other]])
        if found[0].overlaps(found[1]):
            continue
        like = (likeness[one] + likeness[other]) / 2 if likeness else None
        words = _words(claim, found, candidates)
        score = _of(words, found, like)
        if score < support or words - max(alone[one], alone[other]) < ADDS:
            continue
        if (best is None or score > best.score) and _stands(claim, found):
            best = Verdict(found, score)
    return best


def says_something(question: str, sentence: str) -> bool:
    """False for a sentence that only repeats the question and claims nothing."""
    if _YES_NO.match(question.strip()) or _BARE.match(sentence):
        return True
    new = set(stems(sentence)) - set(stems(question))
    fresh = known_names(sentence) - known_names(question)
    if sentence.rstrip().endswith(":") and not numbers(sentence, claims=True):
        return False
    return bool(new) or (bool(fresh) and bool(identifiers(sentence) | set(numbers(sentence))))


def _numbered(kept: Sequence[tuple[Piece, Verdict]], candidates: Candidates) -> Cited:
    """Markers in the order of first use; the same window has the same marker."""
    markers: dict[tuple[int, int, int], int] = {}
    citations, sentences, text = [], [], ""
    for piece, verdict in kept:
        used = []
        for window in verdict.windows:
            key = (window.passage, window.start, window.end)
            if key not in markers:
                markers[key] = len(markers) + 1
                citations.append(citation(markers[key], window, candidates))
            used.append(markers[key])
        sentences.append(Sentence(piece.text, tuple(used), bool(used)))
        text += (piece.joint if text else "") + piece.text
    return Cited(text, tuple(sentences), tuple(citations))


def citation(marker: int, window: Window, candidates: Candidates) -> Citation:
    """A window as a citation: exact text at exact offsets of its document."""
    passage = candidates.passages[window.passage]
    return Citation(
        marker=marker,
        document_id=passage.document_id,
        title=passage.title,
        url=passage.url,
        source=passage.source,
        section=passage.section,
        page=passage.page,
        quote=window.text,
        start=passage.start + window.start,
        end=passage.start + window.end,
        updated_at=passage.updated_at,
        standing=passage.standing,
        also=passage.also,
    )
