"""One bit a number: a first look at very many vectors, so that only the likely ones are compared.

A product of a question with 10⁶ vectors of 384 numbers reads 1.5 GB. The signs of these numbers are
48 bytes a vector; how many of them two unit vectors have in common tells the angle between them, up
to chance (Charikar, "Similarity estimation techniques from rounding algorithms", 2002). So the
allowed vectors are ranked by signs first, and many times more of them than were asked for are then
compared exactly: what is given back has true cosines, and can only miss a vector.

Signs are worked out of the vectors when a generation is opened and lie in memory alone: there is
no file of them that could be stale, or that keeps a trace of what was removed.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ingest.embed import Vectors

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]

BLOCK = 16_384
"""Vectors whose signs are counted at once: 0.8 MB at 384 numbers, which stays in a core's cache."""


def signs(vectors: Vectors) -> Words:
    """One bit for each number, set where it is above 0; shape (ceil(dim / 64), n).

    A column is a vector: counting then goes along memory, and a filter takes columns.
    """
    packed = np.packbits(np.atleast_2d(vectors) > 0, axis=1)
    # The bits that fill up the last word are 0 in every vector, and so never differ.
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(packed.view(np.uint64).T)


def likely(
    words: Words,
    query: NDArray[np.float32],
    among: Positions | None,
    keep: int,
    pool: ThreadPoolExecutor,
) -> Positions:
    """Positions of the `keep` vectors whose signs differ least from the query's, ascending.

    Only those in `among` (ascending; None: all) are looked at. With the last of them come all that
    differ as much, so that nothing hangs on where a vector lies; they are more than `keep` then.
    """
    count = words.shape[1] if among is None else len(among)
    if count <= keep:
        return np.arange(count) if among is None else among
    asked = signs(query)
    differing = np.empty(count, dtype=np.uint16)

    def look(start: int, stop: int) -> None:
        for at in range(start, stop, BLOCK):
            part = slice(at, min(at + BLOCK, stop))
            here = words[:, part] if among is None else words.take(among[part], axis=1)
            np.sum(np.bitwise_count(here ^ asked), axis=0, dtype=np.uint16, out=differing[part])

    other = pool.submit(look, count // 2, count)
    look(0, count // 2)
    other.result()
    near = np.flatnonzero(differing <= np.partition(differing, keep - 1)[keep - 1])
    return near if among is None else among[near]
