"""Several readings of one question, searched for and fused."""

import pytest

from assistant.queries import Reading, fused
from assistant.retrieve import Retriever
from ingest.access import ANYBODY
from ingest.settings import RetrievalSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document


def test_a_row_has_the_best_of_its_weighted_scores():
    # 1: max(0.5, 0.7·0.6 = 0.42); 2: 0.7·1 = 0.7; 3: 0.2 alone.
    found = fused([(1.0, {1: 0.5, 3: 0.2}), (0.7, {1: 0.6, 2: 1.0})])

    assert found == pytest.approx({1: 0.5, 2: 0.7, 3: 0.2})


def test_nothing_found_is_nothing_fused():
    assert fused([(1.0, {}), (0.7, {})]) == {}


def test_another_reading_finds_what_the_question_does_not(tmp_path):
    embedder = HashEmbedder()
    pages = [document("quota", "storage quota"), document("muon", "muon trigger rate")]
    index = build(tmp_path, embedder, *pages)
    retriever = Retriever(index, embedder, RetrievalSettings())

    alone = retriever.retrieve("storage quota", ANYBODY, 2)
    both = retriever.retrieve(
        "storage quota", ANYBODY, 2, also=(Reading("muon trigger rate", 0.7),)
    )

    assert [p.document_id for p in both] == ["test:quota", "test:muon"]
    # Less than its own question would give it: the reading weighs 0.7.
    muon = retriever.retrieve("muon trigger rate", ANYBODY, 1)[0]
    assert alone[1].score < both[1].score < 0.8 * muon.score
    index.close()
