"""Does what is cited carry the sentence? An automatic check, not a reader's judgement.

Written apart from the assistant's own attribution, so that it does not mark its own homework. A
text carries a sentence when it holds every number, identifier and name of it, and most of its other
content words by stem. It cannot see a negation turned round or a cause swapped with its effect; it
does see a number that the source does not have, a name from elsewhere, and another subject.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from eval.match import folded

THRESHOLD = 0.6
"""Share of the sentence's content stems that have to be in what it cites."""

_TOKEN = re.compile(r"[^\W_]+(?:[_.\-/:+]+[^\W_]+)*")
_JOINTS = re.compile(r"[\-/:]")
_ENDINGS = (
    *("izations", "ization", "ations", "ation", "ments", "ment", "ingly", "edly", "ions", "ion"),
    *("ings", "ing", "ies", "ied", "ers", "er", "ed", "es", "ly", "s", "e", "y"),
)
_SHORTEST = 3
_STOP_WORDS = """
    a about above after all also an and any are as at be been being below between both but by
    can could did do does during each either every for from had has have how however i if in
    into is it its itself may might more most must no nor not of on only or other our out over
    own per same shall should since so some such than that the their them then there these they
    this those through thus to too under until up upon very via was we were what when where
    whether which while who whom whose why will with within without would you your according
    document documents passage page states stated says given provided following etc
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found when a sentence was held against what it cites."""

    carried: bool
    containment: float
    """Share of the sentence's content stems that the sources have."""
    missing: tuple[str, ...]
    """Numbers, identifiers and names of the sentence that the sources do not have."""


def judge(sentence: str, sources: Iterable[str]) -> Verdict:
    """Hold a sentence against the texts it cites, taken together. No text carries nothing."""
    tokens: set[str] = set()
    for source in sources:
        words = {word.casefold() for word in _words(source)}
        tokens |= words | {part for word in words for part in _JOINTS.split(word)}
    stems = {_stem(token) for token in tokens}
    exact, names, wanted = _claims(sentence)
    missing = {token for token in exact if not set(_JOINTS.split(token)) <= tokens}
    missing |= {name for name in names if _stem(name) not in stems}
    if not tokens or not (exact or wanted):
        return Verdict(False, 0.0, tuple(sorted(missing)))
    common = len(wanted & stems) / len(wanted) if wanted else 1.0
    return Verdict(not missing and common >= THRESHOLD, common, tuple(sorted(missing)))


def _claims(sentence: str) -> tuple[set[str], set[str], set[str]]:
    """Numbers and identifiers; names; stems of all content words that are not of the first kind."""
    exact: set[str] = set()
    names: set[str] = set()
    stems: set[str] = set()
    for position, word in enumerate(_words(sentence)):
        if _is_exact(word):
            exact.add(word.casefold())
            continue
        for part in _JOINTS.split(word):
            stem = _stem(part.casefold())
            if len(stem) < 2 or stem in _STOP_STEMS:
                continue
            stems.add(stem)
            # The first word of a sentence is a capital for another reason.
            if position and part[0].isupper():
                names.add(part.casefold())
    return exact, names, stems


def _words(text: str) -> list[str]:
    """Words in their own case, numbers in one way of writing, `40MHz` as two words."""
    kept = " ".join(word if _is_plain(word) else folded(word) for word in text.split())
    return _TOKEN.findall(re.sub(r"(?<![\w.])([0-9]+(?:\.[0-9]+)?)(?=[^\W\d_])", r"\1 ", kept))


def _is_plain(word: str) -> bool:
    return word.isascii() and not re.search("[0-9][,'][0-9]", word)


def _is_exact(word: str) -> bool:
    """A number, or a name no other word may stand for: `L1_MU4`, `v2.3.1`, `WebHome`, `DAQ`."""
    if "_" in word or any(character.isdigit() for character in word):
        return True
    letters = [character for character in word if character.isalpha()]
    if len(letters) > 1 and all(letter.isupper() for letter in letters):
        return True
    return any(a.islower() and b.isupper() for a, b in pairwise(word))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST:
            return word.removesuffix(ending)
    return word


_STOP_STEMS = frozenset(_STOP_WORDS.split()) | {_stem(word) for word in _STOP_WORDS.split()}
