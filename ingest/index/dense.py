"""Vectors in immutable FAISS segments: the only file that imports faiss.

A segment holds at most `SEGMENT_ROWS` vectors with the row numbers of their chunks. Commits never
change a segment: those that lose a vector, and the ones that are not yet half full, are written
anew together with the new vectors. That costs a copy of what was touched and leaves no trace of a
removed page. Search is exact (inner product over unit vectors) over the allowed rows, among more
than `MANY` vectors over those of them that a first look at signs finds likely (`codes.py`).
"""

import atexit
import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ingest.embed import Vectors
from ingest.errors import IndexDamaged
from ingest.index.codes import likely, signs

SEGMENT_ROWS = 16_384
MANY = 200_000
"""More vectors than this are looked at by signs first. Two cores compare so many in some 25 ms."""
LIKELY = 8192
"""So many at least are then compared exactly: recall@10 at 10⁶ vectors is 0.999 then (0.992 with
2,000; eval/RESULTS.md, "Very many vectors"), and comparing them takes a core some 5 ms. A reader
who may see no more than these is always answered exactly."""
LIKELY_PER_HIT = 32
"""And so many times what is asked for, where that is more."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Segment:
    """One file in memory. `rows` is sorted; `vectors[i]` belongs to chunk `rows[i]`."""

    name: str
    rows: Rows
    vectors: Vectors
    """A view into `owner`, so that a segment lies in memory once."""
    owner: Any
    """The FAISS index whose memory `vectors` is: it must live as long as they do."""


def write_segment(folder: Path, rows: Rows, vectors: Vectors) -> Path:
    """Write one segment; its name is its content's digest, so equal content is one file."""
    order = np.argsort(rows)
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
    index.add_with_ids(np.ascontiguousarray(vectors[order]), rows[order])
    data = faiss.serialize_index(index).tobytes()
    path = folder / f"{hashlib.sha256(data).hexdigest()[:24]}.faiss"
    temporary = path.with_suffix(".new")
    temporary.write_bytes(data)
    temporary.replace(path)
    return path


def read_segment(path: Path, sha256: str) -> Segment:
    """Read a segment whose digest is known.

    The bytes that were checked are the bytes that FAISS reads: a crafted file is memory-unsafe
    there, so nothing is parsed before the digest matched, and nothing is read twice.

    Raises:
        IndexDamaged: the digest differs.
    """
    data = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(data).hexdigest() != sha256:
        msg = f"{path} is not what was written (its digest differs). Run: docent ingest --rebuild"
        raise IndexDamaged(msg)
    index: Any = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
    rows = faiss.vector_to_array(index.id_map).astype(np.int64)
    flat: Any = faiss.downcast_index(index.index)
    shape = (flat.ntotal, flat.d)
    vectors = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(shape)
    return Segment(path.stem, rows, vectors, index)


class DenseReader:
    """Search over the segments of one generation: exact up to `many` vectors, beyond by signs."""

    def __init__(
        self, segments: Sequence[Segment], dim: int, *, many: int = MANY, keep: int = LIKELY
    ) -> None:
        self.dim = dim
        self._keep = keep
        self._segments = [s for s in segments if len(s.rows)]
        # NumPy lets go of the interpreter in a product: segments side by side use both cores. Its
        # BLAS's own threads would spin for 25 ms after each and slow the next question's embedding.
        threadpool_limits(limits=1, user_api="blas")
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="dense")
        # FAISS's wrappers complain on stderr when they outlive their module at exit.
        atexit.register(self.close)
        self._codes: _Codes | None = None
        if sum(len(one.rows) for one in self._segments) > many:
            self._codes = _Codes(self._segments, self._pool)

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> list[tuple[int, float]]:
        """The `k` nearest allowed rows, best first, as (row, cosine).

        `allowed[row]` says whether a row may be seen; None means all of them.
        """
        query = np.ascontiguousarray(vector, dtype=np.float32)
        if self._codes is not None:
            return self._codes.search(query, k, allowed, max(self._keep, LIKELY_PER_HIT * k))
        first, others = self._segments[:1], self._segments[1:]
        # One here: most indexes have one, and two hand-overs between threads cost as much.
        jobs = [self._pool.submit(_search_one, one, query, k, allowed) for one in others]
        found = [hit for one in first for hit in _search_one(one, query, k, allowed)]
        found += [hit for job in jobs for hit in job.result()]
        return heapq.nsmallest(k, found, key=lambda hit: (-hit[1], hit[0]))

    def vectors(self, rows: Sequence[int]) -> Vectors:
        """Vectors of the given rows, shape (len(rows), dim). Raises KeyError for an unknown row."""
        return gather(self._segments, rows, self.dim)

    def close(self) -> None:
        """Let the threads and the vectors go."""
        atexit.unregister(self.close)
        self._pool.shutdown(wait=False)
        self._segments.clear()
        self._codes = None


class _Codes:
    """The signs of all vectors of a generation, and where the vectors lie."""

    def __init__(self, segments: Sequence[Segment], pool: ThreadPoolExecutor) -> None:
        self._segments = list(segments)
        self._pool = pool
        self._starts = np.cumsum([0, *(len(one.rows) for one in segments)])
        self._rows = np.concatenate([one.rows for one in segments])
        made = pool.map(lambda one: signs(one.vectors), segments)
        first = next(made)
        self._words = np.empty((len(first), len(self._rows)), dtype=np.uint64)
        for start, part in zip(self._starts, [first, *made], strict=False):
            self._words[:, start : start + part.shape[1]] = part

    def search(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None, keep: int
    ) -> list[tuple[int, float]]:
        """As `DenseReader.search`; what is not allowed is left out before anything is ranked."""
        among = None if allowed is None else np.flatnonzero(allowed[self._rows])
        near = likely(self._words, query, among, keep, self._pool)
        scores = self._cosines(near, query)
        rows = self._rows[near]
        if k < len(rows):
            best = np.argpartition(-scores, k)[:k]
            rows, scores = rows[best], scores[best]
        order = np.lexsort((rows, -scores))
        return [(int(rows[i]), float(scores[i])) for i in order]

    def _cosines(self, near: Rows, query: NDArray[np.float32]) -> NDArray[np.float32]:
        cuts = np.searchsorted(near, self._starts)
        scores = np.empty(len(near), dtype=np.float32)

        def compare(numbers: Iterable[int]) -> None:
            for number in numbers:
                part = slice(cuts[number], cuts[number + 1])
                at = near[part] - self._starts[number]
                scores[part] = self._segments[number].vectors[at] @ query

        other = self._pool.submit(compare, range(1, len(self._segments), 2))
        compare(range(0, len(self._segments), 2))
        other.result()
        return scores


def _search_one(
    segment: Segment, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> list[tuple[int, float]]:
    # One product over FAISS's own memory: for a single question that took half the time of
    # `IndexFlatIP.search` over 100,000 vectors, and few allowed rows cost only themselves.
    rows = segment.rows
    if allowed is None:
        scores = segment.vectors @ query
    else:
        positions = np.flatnonzero(allowed[rows])
        if len(positions) < len(rows) // 8:
            scores = segment.vectors[positions] @ query
        else:
            scores = (segment.vectors @ query)[positions]
        rows = rows[positions]
    best = np.argpartition(-scores, k)[:k] if k < len(rows) else np.arange(len(rows))
    return [(int(rows[i]), float(scores[i])) for i in best]


def gather(segments: Iterable[Segment], rows: Sequence[int], dim: int) -> Vectors:
    """Vectors of the given rows from wherever they lie. Raises KeyError for an unknown row."""
    wanted = np.asarray(rows, dtype=np.int64)
    result = np.empty((len(wanted), dim), dtype=np.float32)
    missing = np.ones(len(wanted), dtype=bool)
    for segment in (s for s in segments if len(s.rows)):
        at = np.searchsorted(segment.rows, wanted)
        at[at == len(segment.rows)] = 0
        here = missing & (segment.rows[at] == wanted)
        result[here] = segment.vectors[at[here]]
        missing &= ~here
    if missing.any():
        raise KeyError(int(wanted[missing][0]))
    return result


def rewrite(
    folder: Path,
    segments: Sequence[Segment],
    added: Mapping[int, NDArray[np.float32]],
    removed: NDArray[np.int64],
    dim: int,
) -> tuple[list[str], list[Path]]:
    """Apply a change set: names of untouched segments, and paths of the newly written ones."""
    kept: list[str] = []
    loose_rows: list[Rows] = []
    loose_vectors: list[Vectors] = []
    for segment in segments:
        dead = np.isin(segment.rows, removed)
        full = len(segment.rows) >= SEGMENT_ROWS // 2
        if not dead.any() and (full or not added):
            kept.append(segment.name)
        elif not dead.all():
            loose_rows.append(segment.rows[~dead])
            loose_vectors.append(segment.vectors[~dead])
    if added:
        loose_rows.append(np.fromiter(added, dtype=np.int64, count=len(added)))
        loose_vectors.append(np.stack(list(added.values())).astype(np.float32))
    if not loose_rows:
        return kept, []
    rows = np.concatenate(loose_rows)
    vectors = np.concatenate(loose_vectors).reshape(len(rows), dim)
    order = np.argsort(rows)
    cuts = range(0, len(rows), SEGMENT_ROWS)
    written = [
        write_segment(folder, rows[part], vectors[part])
        for part in (order[cut : cut + SEGMENT_ROWS] for cut in cuts)
    ]
    return kept, written
