"""The first look by signs: what it keeps, and what a search over very many vectors gives."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.index.codes import likely, signs
from ingest.index.dense import DenseReader, Segment, read_segment, rewrite
from tests.ingest.test_dense import stored, unit

DIM = 96


@pytest.fixture(scope="module")
def pool():
    with ThreadPoolExecutor(2) as made:
        yield made


def clustered(rng: np.random.Generator, n: int, centres: int = 40) -> np.ndarray:
    """Unit vectors in clusters, within which they lie as near to each other as in the bench."""
    middles = np.random.default_rng(1).standard_normal((centres, DIM))
    found = middles[rng.integers(centres, size=n)] + 0.9 * rng.standard_normal((n, DIM))
    unit: np.ndarray = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
    return unit


def split(rows: np.ndarray, vectors: np.ndarray, size: int) -> list[Segment]:
    parts = [slice(cut, cut + size) for cut in range(0, len(rows), size)]
    return [Segment(f"{at.start}", rows[at], vectors[at], None) for at in parts]


def exact(rows: np.ndarray, vectors: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    scores = vectors.astype(np.float64) @ query
    return [int(rows[i]) for i in np.argsort(-scores, kind="stable")[:k]]


def test_a_number_above_zero_sets_its_bit():
    # Bits from the left: 1, 0, 0, 1 in the first byte; the rest of the word is filled up with 0.
    found = signs(np.array([[0.5, -0.5, 0, 2], [-1, -1, -1, -1]], np.float32))

    assert found.shape == (1, 2)
    assert found[0].astype("<u8").view(np.uint8).reshape(2, 8)[:, 0].tolist() == [0b10010000, 0]
    assert signs(np.ones((3, 65), np.float32)).shape == (2, 3)


def test_the_likeliest_are_those_whose_signs_differ_least_and_ties_stay_together(pool):
    words = signs(np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [-1, -1, -1]], np.float32))
    query = np.array([1, 1, 1], np.float32)

    # They differ from the question in 0, 1, 1 and 3 signs.
    assert likely(words, query, None, 1, pool).tolist() == [0]
    assert likely(words, query, None, 2, pool).tolist() == [0, 1, 2]
    assert likely(words, query, np.array([2, 3]), 1, pool).tolist() == [2]
    assert likely(words, query, np.array([0, 3]), 2, pool).tolist() == [0, 3]
    assert likely(words, query, np.array([], np.int64), 2, pool).tolist() == []


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 300), st.integers(1, 130), st.integers(1, 12), st.floats(0, 1),
    st.integers(0, 2**32),
)  # fmt: skip
def test_a_first_look_that_keeps_everything_changes_nothing(count, dim, k, share, seed):
    """For whatever vectors, segments, filter and k: two passes give what one gives."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(1000, count, replace=False))
    segments = split(rows, unit(rng, count, dim), 64)
    allowed = rng.random(1000) < share if share < 0.9 else None
    with (
        closing(DenseReader(segments, dim)) as one,
        closing(DenseReader(segments, dim, many=0, keep=count)) as two,
    ):
        for query in unit(rng, 3, dim):
            right, found = one.search(query, k, allowed), two.search(query, k, allowed)
            assert [s for _, s in found] == pytest.approx([s for _, s in right], abs=1e-6)
            own = dict(zip(rows.tolist(), one.vectors(rows.tolist()) @ query, strict=True))
            assert [own[row] for row, _ in found] == pytest.approx([s for _, s in found], abs=1e-6)
            assert len({row for row, _ in found}) == len(found)
            assert allowed is None or all(allowed[row] for row, _ in found)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 1.0])
def test_nearly_all_of_the_nearest_are_found_at_every_selectivity(share):
    """A fiftieth of 20,000 vectors is compared; what is found has its true cosine, best first."""
    rng = np.random.default_rng(7)
    vectors, rows = clustered(rng, 20_000), np.arange(5000, 25_000)
    allowed = np.zeros(25_000, dtype=bool)
    allowed[rng.choice(rows, int(len(rows) * share), replace=False)] = True
    may, right = allowed[rows], 0.0
    segments = split(rows, vectors, 6000)
    with closing(DenseReader(segments, DIM, many=10_000, keep=400)) as reader:
        queries = clustered(rng, 50)
        for query in queries:
            found = reader.search(query, 10, None if share == 1 else allowed)
            best = exact(rows[may], vectors[may], query, 10)
            assert [s for _, s in found] == pytest.approx(
                [float(vectors[row - 5000] @ query) for row, _ in found], abs=1e-6
            )
            assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
            assert all(allowed[row] for row, _ in found)
            right += len({row for row, _ in found} & set(best)) / len(best)
            if may.sum() <= 400:
                assert [row for row, _ in found] == best
    assert right / len(queries) >= 0.98


def test_among_few_vectors_nothing_is_looked_at_by_signs():
    """The nearest by cosine differs in more signs than any other: only an exact search finds it."""
    near, far = [1, -0.01, -0.01, -0.01], [0.1, 1, 1, 1]
    vectors = np.array([near, *[far] * 49], np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    segments = split(np.arange(50), vectors, 20)
    query = np.array([1, 0.01, 0.01, 0.01], np.float32)
    with closing(DenseReader(segments, 4, many=50, keep=1)) as few:
        assert few.search(query, 1, None)[0][0] == 0
    with closing(DenseReader(segments, 4, many=49, keep=1)) as many:
        assert many.search(query, 1, None)[0][0] != 0  # so this data tells the two apart


def test_what_was_removed_or_closed_does_not_come_back(tmp_path):
    rng = np.random.default_rng(5)
    vectors = clustered(rng, 3000)
    before = [stored(tmp_path, np.arange(s, s + 1000), vectors[s : s + 1000])
              for s in (0, 1000, 2000)]  # fmt: skip
    query = vectors[1500]
    with closing(DenseReader(before, DIM, many=0, keep=100)) as reader:
        first = [row for row, _ in reader.search(query, 10, None)]
        assert first[0] == 1500
        closed = np.ones(3000, dtype=bool)
        closed[first[:5]] = False
        assert not set(first[:5]) & {row for row, _ in reader.search(query, 10, closed)}
    kept, written = rewrite(tmp_path, before, {}, np.array(first[:5]), DIM)
    after = [one for one in before if one.name in kept]
    after += [read_segment(p, hashlib.sha256(p.read_bytes()).hexdigest()) for p in written]
    with closing(DenseReader(after, DIM, many=0, keep=100)) as reader:
        found = [row for row, _ in reader.search(query, 10, None)]
        assert not set(first[:5]) & set(found)
        assert found[:5] == first[5:]


def test_strangers_vectors_change_nothing_for_a_reader():
    """Neither rank nor number: the first look is at what the reader may see."""
    rng = np.random.default_rng(6)
    mine, theirs = clustered(rng, 2000), np.tile(clustered(rng, 1), (2000, 1))
    query = theirs[0]  # theirs are nearer to the question than any of mine, all of them
    alone = split(np.arange(2000), mine, 700)
    beside = [*alone, *split(np.arange(2000, 4000), theirs, 700)]
    allowed = np.arange(4000) < 2000
    with (
        closing(DenseReader(alone, DIM, many=0, keep=200)) as one,
        closing(DenseReader(beside, DIM, many=0, keep=200)) as two,
    ):
        assert two.search(query, 10, allowed) == one.search(query, 10, None)
