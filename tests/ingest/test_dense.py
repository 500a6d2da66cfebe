import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import IndexDamaged
from ingest.index.dense import DenseReader, Segment, gather, read_segment, rewrite, write_segment


def unit(rng: np.random.Generator, n: int, dim: int = 8) -> np.ndarray:
    vectors = rng.standard_normal((n, dim)).astype(np.float32)
    normed: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


def stored(folder, rows, vectors) -> Segment:
    path = write_segment(folder, np.asarray(rows, dtype=np.int64), vectors)
    return read_segment(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_scores_are_cosines(tmp_path):
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    reader = DenseReader([stored(tmp_path, [10, 11, 12], vectors)], 2)

    # By hand: (1, 0)·(0.6, 0.8) = 0.6 and (1, 0)·(0, 1) = 0.
    found = reader.search(np.array([1, 0], np.float32), 3, None)

    assert [row for row, _ in found] == [10, 11, 12]
    assert [score for _, score in found] == pytest.approx([1, 0.6, 0])
    reader.close()


def test_vectors_come_back_by_row(tmp_path):
    vectors = unit(np.random.default_rng(1), 3)
    reader = DenseReader([stored(tmp_path, [5, 3, 9], vectors)], 8)

    np.testing.assert_array_equal(reader.vectors([9, 5, 9]), vectors[[2, 0, 2]])
    with pytest.raises(KeyError, match="4"):
        reader.vectors([4])
    reader.close()


@pytest.mark.parametrize("share", [0.002, 0.01, 0.1, 0.5, 0.95, 1.0])
def test_filtered_search_is_exact_at_every_selectivity(tmp_path, share):
    rng = np.random.default_rng(7)
    vectors = unit(rng, 1000)
    rows = np.arange(2000, 3000)
    reader = DenseReader(
        [stored(tmp_path, rows[:600], vectors[:600]), stored(tmp_path, rows[600:], vectors[600:])],
        8,
    )
    allowed = np.zeros(3000, dtype=bool)
    allowed[rng.choice(rows, int(1000 * share), replace=False)] = True

    for query in unit(rng, 20):
        scores = np.where(allowed[rows], vectors @ query, -2)
        best = [int(rows[i]) for i in np.argsort(-scores)[: min(10, allowed.sum())]]
        assert [row for row, _ in reader.search(query, 10, allowed)] == best
    reader.close()


def test_a_damaged_file_is_never_parsed(tmp_path):
    path = write_segment(tmp_path, np.array([1]), np.ones((1, 8), np.float32))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(IndexDamaged, match="docent ingest --rebuild"):
        read_segment(path, digest)


def test_a_missing_file_is_damage(tmp_path):
    with pytest.raises(IndexDamaged, match=r"gone\.faiss"):
        read_segment(tmp_path / "gone.faiss", "0" * 64)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 30), max_size=8), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_rewriting_keeps_exactly_what_lives(tmp_path_factory, changes, random):
    """Whatever is added and removed in whatever steps: the segments hold what a dict would."""
    folder = tmp_path_factory.mktemp("dense")
    rng = np.random.default_rng(3)
    segments: list[Segment] = []
    expected: dict[int, np.ndarray] = {}
    next_row = 0
    for change in changes:
        removed = [row for row in change if row in expected]
        added = {next_row + i: unit(rng, 1)[0] for i in range(random.randint(0, 5))}
        next_row += len(added)
        kept, written = rewrite(folder, segments, added, np.array(removed, np.int64), 8)
        by_name = {segment.name: segment for segment in segments}
        segments = [by_name[name] for name in kept]
        for path in written:
            segments.append(read_segment(path, hashlib.sha256(path.read_bytes()).hexdigest()))
        expected = {r: v for r, v in (expected | added).items() if r not in removed}
        held = sorted(int(row) for segment in segments for row in segment.rows)
        assert held == sorted(expected)
        if expected:
            got = gather(segments, list(expected), 8)
            np.testing.assert_array_equal(got, np.stack(list(expected.values())))
