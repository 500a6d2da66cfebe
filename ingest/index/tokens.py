"""Text → index terms: words stemmed, identifiers findable whole and by part.

Collaborations search for `L1_MU4`, `ATLASRECTS-1234`, `Z->ee`, `v2.3.1` and `TrackingTools` as
often as for words. A token that looks like an identifier gives itself, in lower case, and its
parts; everything else gives its stem. Documents and questions pass through the same function.
"""

import re
import unicodedata
from functools import lru_cache

import Stemmer

TOKENS = "tokens-1"
"""Changes when the same text would give other terms; an index names the one it was made with."""

_TOKEN = re.compile(
    r"\d+(?:,\d{3})+(?![\w,])|[^\W_]+(?:(?:->|::|[_\-./:+#@*'’]+)[^\W_]+)*\+{0,2}",
)
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_JOINT = re.compile(r"->|::|[_\-./:+#@*'’]+")
_POSSESSIVE = re.compile(r"['’](?:s|t|re|ve|ll|d|m)$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_VERSION = re.compile(r"v(\d+(?:\.\d+)+)")

# Words that stand in nearly every question and say nothing about where the answer is.
_STOP = (
    "a about an and any are as at be been but by can could did do does for from had has have "
    "how i if in into is it its me my no not of on or our shall should so than that the their "
    "them then there these they this those to us was we were what when where which who whom "
    "whose why will with would you your "
)
STOP_WORDS = frozenset(_STOP.split())

MAX_TERM_CHARS = 100
"""Longer runs are encoded data, not words."""


def terms(text: str) -> list[str]:
    """The index terms of a text, in order, with repetitions."""
    decomposed = unicodedata.normalize("NFKD", text)
    folded = "".join(c for c in decomposed if not unicodedata.combining(c))
    found: list[str] = []
    for match in _TOKEN.finditer(folded):
        found.extend(_terms_of(match.group()))
    return found


@lru_cache(maxsize=200_000)
def _terms_of(token: str) -> tuple[str, ...]:
    token = _POSSESSIVE.sub("", token)
    if len(token) > MAX_TERM_CHARS:
        return ()
    whole = token.casefold()
    if _NUMBER.fullmatch(token):
        return (whole.replace(",", ""),)
    if token.isalpha() and len(_split(token)) == 1:
        return () if whole in STOP_WORDS else (_stem(whole),)
    if version := _VERSION.fullmatch(whole):
        return (whole, version.group(1))
    parts = (part.casefold() for joined in _JOINT.split(token) for part in _subparts(joined))
    kept = [_stem(part) for part in parts if part not in STOP_WORDS and part != whole]
    return (_stem(whole), *(part for part in kept if len(part) > 1 or not part.isascii()))


def _subparts(joined: str) -> list[str]:
    """`MU4` → `MU4`, `MU`; `TrackingTools` → both words; `run` → itself."""
    pieces = _split(joined)
    if len(pieces) == 1:
        return [joined]
    words = [piece for piece in pieces if not piece.isdigit()]
    return [joined, *words] if len(words) < len(pieces) else words


def _split(token: str) -> list[str]:
    """At changes of case and between letters and digits; a unit such as `GeV` stays one."""
    pieces = _PIECE.findall(token)
    return pieces if all(len(p) > 1 or p.isdigit() for p in pieces) else [token]


_stemmer = Stemmer.Stemmer("english")


def _stem(word: str) -> str:
    return str(_stemmer.stemWord(word)) if word.isalpha() else word
