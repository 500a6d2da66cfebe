"""Near-duplicates: one page under two addresses, or a copy in an archive.

A document's signature is made where it is parsed and stored with it. Two documents are twins when
their texts are the same, or when they have one title and share nine tenths of their word shingles,
as MinHash estimates it (Broder, SEQUENCES 1997; datasketch). Candidates are found by bands of the
signature (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3).

The numbers, as measured on 936 pages of fourteen documentation projects (eval/RESULTS.md):

- Shingles of 5 words. One changed word takes five shingles with it, so that forms, which differ
  in scattered values, fall apart: the release notes of one series share at most 0.885.
- A threshold of 0.9. Every pair above it was a copy.
- 256 hashes: a standard error of 0.019 at the threshold.
- 16 bands of 10: of pairs at 0.9 99.9 % become candidates, at 0.7 37 %, at 0.5 1.6 %.
- 100 words at least: in a shorter text one changed word is already below the threshold.

Shares alone do not tell a copy from a form filled in twice, so that the title has to be the same,
and records (tickets, mails, events) are twins only when they are the same word for word.

Raise `ingest.parse.PARSE` when a signature of the same text would change.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any

import numpy as np

SHINGLE_WORDS = 5
LEAST_WORDS = 100
THRESHOLD = 0.9
HASHES = 256
BANDS, BAND_HASHES = 16, 10
SEED = 1
RECORDS = frozenset({"discourse", "gitlab", "indico", "jira", "mbox"})
"""Formats of which each document is a case of its own, however much it is like another."""

_WORD = re.compile(r"\w+")
_DIGEST_BYTES = 16
# Two hashes that differ agree in their lower half once in 65,536 times: half the space for nothing.
_HASH = np.dtype("<u2")
_AT_ONCE = 4096
"""Shingles hashed together: 4 MB of hashes."""


@dataclass(frozen=True, slots=True)
class Face:
    """What is compared of a document."""

    title: str
    format: str
    signature: bytes


def signature(text: str) -> bytes:
    """Names a text and what it is like: 16 bytes, and 512 more when it is long enough."""
    digest = blake2b(" ".join(text.split()).encode(), digest_size=_DIGEST_BYTES).digest()
    words = _WORD.findall(text.lower())
    if len(words) < LEAST_WORDS:
        return digest
    sketch = _empty().copy()
    shingles = _shingles(words)
    for start in range(0, len(shingles), _AT_ONCE):
        sketch.update_batch(shingles[start : start + _AT_ONCE])
    return digest + bytes(sketch.hashvalues.astype(_HASH).tobytes())


def bands(mark: bytes) -> Iterator[int]:
    """Numbers of 64 bits, of which twins share at least one."""
    if not mark:
        return
    yield _key(mark[:_DIGEST_BYTES], b"same")
    hashes = mark[_DIGEST_BYTES:]
    width = BAND_HASHES * _HASH.itemsize
    for band in range(BANDS if hashes else 0):
        yield _key(hashes[band * width : (band + 1) * width], b"band%d" % band)


def likeness(one: bytes, other: bytes) -> float:
    """The estimated share of shingles that two texts have in common; 1 for the same text."""
    if one and one[:_DIGEST_BYTES] == other[:_DIGEST_BYTES]:
        return 1.0
    a, b = (np.frombuffer(mark[_DIGEST_BYTES:], _HASH) for mark in (one, other))
    if not a.size or a.size != b.size:
        return 0.0
    # The same shingles in another order are not the same text.
    return min(float(np.mean(a == b)), 0.999)


def are_twins(one: Face, other: Face) -> bool:
    """True when one of them may stand for both."""
    like = likeness(one.signature, other.signature)
    if _plain(one.title) != _plain(other.title):
        # Short texts under other names are templates, not yet filled in.
        return like == 1 and len(one.signature) > _DIGEST_BYTES and not _records(one, other)
    return like == 1 or (like >= THRESHOLD and not _records(one, other))


def _records(one: Face, other: Face) -> bool:
    return not RECORDS.isdisjoint((one.format, other.format))


def _plain(title: str) -> str:
    return " ".join(title.casefold().split())


def _shingles(words: list[str]) -> list[bytes]:
    starts = range(len(words) - SHINGLE_WORDS + 1)
    return list({" ".join(words[at : at + SHINGLE_WORDS]).encode() for at in starts})


def _key(part: bytes, person: bytes) -> int:
    # Signed, as SQLite stores it.
    return int.from_bytes(blake2b(part, digest_size=8, person=person).digest(), signed=True)


@cache
def _empty() -> Any:
    # Imported when the first document needs it: a second of CPU that a night without news saves.
    from datasketch import MinHash

    return MinHash(HASHES, seed=SEED, scheme="affine32")
