"""BM25 in PostgreSQL, with Tantivy's formula over the terms of `ingest.index.tokens`.

score(q, d) = Σ idf(t) · w(t, d), with idf(t) = ln(1 + (N − n + ½)/(n + ½)) and
w(t, d) = tf·(k1 + 1) / (tf + k1·(1 − b + b·|d|/avg)); k1 = 1.2, b = 0.75 (Robertson and Zaragoza,
"The Probabilistic Relevance Framework", 2009; Lucene's idf). The sum is an inner product: a passage
is stored as the sparse vector of its w, a question is the sparse vector of its idf, and pgvector
multiplies them. Which passages to multiply is found by the terms of the question, rare ones first,
and ends when no other passage can come among the best (MaxScore: Turtle and Flood, 1995).

|d| is rounded as Lucene and Tantivy round it when they keep it in a byte, so that scores agree.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.index.tokens import terms

K1 = 1.2
B = 0.75
MAX_QUERY_TERMS = 256
"""As in `ingest.index.lexical`."""
DIMENSIONS = 1_000_000_000
"""pgvector's most; a term's number is its dimension."""
MOST_TERMS = 16_000
"""pgvector's most of one sparse vector."""


def _kept_lengths() -> tuple[int, ...]:
    """The 256 lengths that a byte can mean: exact to 39, then with four significant bits.

    Lucene's SmallFloat.byte4ToInt, which Tantivy has as a table.
    """
    found = list(range(24))
    for code in range(256 - 24):
        bits, shift = code & 7, (code >> 3) - 1
        found.append(24 + (bits if shift < 0 else (bits | 8) << shift))
    return tuple(found)


_LENGTHS = _kept_lengths()


def kept_length(length: int) -> int:
    """A number of terms, rounded down to one that a byte can mean.

    >>> kept_length(39), kept_length(41), kept_length(300)
    (39, 40, 280)
    """
    return _LENGTHS[bisect_right(_LENGTHS, length) - 1]


@dataclass(frozen=True, slots=True)
class Bag:
    """The terms of a text with how often each stands there."""

    counts: Mapping[str, int]
    length: int
    """Of all terms, before rounding."""

    @classmethod
    def of(cls, text: str) -> "Bag":
        """The terms of a text as it is indexed."""
        found = terms(text)
        kept = dict(Counter(found).most_common(MOST_TERMS))
        return cls(kept, len(found))


def weights(counts: NDArray[np.int64], length: int, pivot: float) -> NDArray[np.float32]:
    """w(t, d) of each count; `pivot` is the average length."""
    norm = _norm(length, pivot)
    found: NDArray[np.float32] = (counts * (K1 + 1) / (counts + norm)).astype(np.float32)
    return found


def counts_of(found: NDArray[np.float32], length: int, pivot: float) -> NDArray[np.int64]:
    """The counts that gave these weights."""
    norm = _norm(length, pivot)
    exact = found.astype(np.float64) * norm / (K1 + 1 - found.astype(np.float64))
    return np.rint(exact).astype(np.int64)


def _norm(length: int, pivot: float) -> float:
    return K1 * (1 - B + B * kept_length(length) / pivot)


def idf(passages: int, holders: int) -> float:
    """How much a term tells that `holders` of `passages` have."""
    return math.log(1 + (passages - holders + 0.5) / (holders + 0.5))


def sparse(numbers: Sequence[int], values: Sequence[float] | NDArray[np.float32]) -> bytes:
    """A sparse vector in pgvector's binary form; numbers are of terms, 1 and up, in any order."""
    where = np.asarray(numbers, dtype=np.int64)
    order = np.argsort(where)
    head = np.array([DIMENSIONS, len(where), 0], dtype=">i4").tobytes()
    return (
        head
        + (where[order] - 1).astype(">i4").tobytes()
        + np.asarray(values, dtype=np.float32)[order].astype(">f4").tobytes()
    )


def read_sparse(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Numbers of terms and values of a sparse vector in pgvector's binary form."""
    count = int(np.frombuffer(data, dtype=">i4", count=2)[1])
    where = np.frombuffer(data, dtype=">i4", count=count, offset=12).astype(np.int64) + 1
    values = np.frombuffer(data, dtype=">f4", count=count, offset=12 + 4 * count)
    return where, values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a question that the index has."""

    number: int
    idf: float
    most: float
    """The most that it can add to a score."""
    holders: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question by its terms, rare ones first."""

    terms: tuple[Term, ...]
    reach: float
    """The score that a text full of all its words would come near, as `Snapshot.reach`."""

    @property
    def vector(self) -> bytes:
        """The sparse vector of its idf."""
        return sparse([t.number for t in self.terms], [t.idf for t in self.terms])

    def first(self, passages: float) -> int:
        """How many of its terms at least so many passages have between them, to begin with."""
        held = 0
        for count, term in enumerate(self.terms, start=1):
            held += term.holders
            if held >= passages:
                return count
        return len(self.terms)

    def needed(self, least: float) -> int:
        """How many terms to look for, so that no passage without them reaches `least`."""
        rest = 0.0
        for count in range(len(self.terms), 0, -1):
            rest += self.terms[count - 1].most
            if rest >= least:
                return count
        return 0


def asked(text: str) -> list[str]:
    """The terms of a question, each once."""
    return list(dict.fromkeys(terms(text)))[:MAX_QUERY_TERMS]


def question(found: Sequence[tuple[int, int, float]], passages: int, words: int) -> Question:
    """A question of so many words from (number, holders, highest weight) of those that are held."""
    known = [
        Term(number, idf(passages, holders), idf(passages, holders) * peak, holders)
        for number, holders, peak in found
    ]
    told = sum(term.idf for term in known) + (words - len(known)) * idf(passages, 0)
    return Question(tuple(sorted(known, key=lambda t: (t.holders, t.number))), (K1 + 1) * told)
