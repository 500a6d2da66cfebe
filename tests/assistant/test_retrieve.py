import math

import numpy as np
import pytest

from assistant.retrieve import Retriever, rrf, weighted
from ingest.access import ANYBODY, Reader
from ingest.errors import ModelError
from ingest.settings import RetrievalSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document


class Away(HashEmbedder):
    """Embeds documents, but the server is gone when a question comes."""

    def embed_query(self, text):
        if text.startswith("?"):
            raise ModelError("The embedding server does not answer.")
        return super().embed_query(text)


@pytest.fixture
def retriever(tmp_path):
    embedder = Away()
    index = build(
        tmp_path,
        embedder,
        document(
            "muons", "muon trigger threshold", "muon chamber voltage " * 14, "muon note " * 29
        ),
        document("quota", "storage quota for users", url="https://x.example/quota"),
        document("secret", "muon secret plan", access=frozenset({"staff"})),
    )
    yield Retriever(index, embedder, RetrievalSettings())
    index.close()


def test_weighted_sum_by_hand():
    # Best BM25 is 8. a: 0.6·0.5 + 0.4·8/8 = 0.7; b: 0.6·0.9 = 0.54; c: 0.4·2/8 = 0.1.
    fused = weighted({1: 0.5, 2: 0.9}, {1: 8.0, 3: 2.0}, 0.6)

    assert fused == pytest.approx({1: 0.7, 2: 0.54, 3: 0.1})


def test_a_negative_cosine_counts_as_none():
    assert weighted({1: -0.5}, {}, 0.6) == {1: 0.0}


def test_reciprocal_rank_fusion_by_hand():
    # Ranks of a: 1 and 2, of b: 2 only; 61/61/2 + 61/62/2 and 61/62/2.
    fused = rrf({1: 0.9, 2: 0.8}, {3: 5.0, 1: 4.0})

    assert fused[1] == pytest.approx(0.5 + 61 / 62 / 2)
    assert fused[2] == pytest.approx(61 / 62 / 2)
    assert fused[3] == pytest.approx(0.5)


def test_the_best_passage_comes_first_with_its_place(retriever):
    passages = retriever.retrieve("storage quota", ANYBODY)

    assert passages[0].document_id == "test:quota"
    assert passages[0].url == "https://x.example/quota"
    assert passages[0].text == "storage quota for users"
    assert 0 < passages[0].score <= 1


def test_at_most_two_passages_of_a_document(retriever):
    found = [p.document_id for p in retriever.retrieve("muon", ANYBODY)]

    assert found.count("test:muons") == 2
    assert "test:quota" in found


def test_a_document_that_is_the_only_one_gives_all_its_passages(tmp_path):
    embedder = HashEmbedder()
    index = build(tmp_path, embedder, document("only", *(f"muon {n} " * 40 for n in range(4))))

    assert len(Retriever(index, embedder, RetrievalSettings()).retrieve("muon", ANYBODY)) == 4
    index.close()


def test_the_reader_decides_what_is_found(retriever):
    staff = Reader(frozenset({"staff"}))

    assert "test:secret" not in {p.document_id for p in retriever.search("secret plan", ANYBODY, 9)}
    assert retriever.retrieve("secret plan", staff)[0].document_id == "test:secret"
    assert retriever.document("test:secret", ANYBODY) is None
    assert retriever.document("test:secret", staff) is not None
    assert (retriever.counts(ANYBODY).documents, retriever.counts(staff).documents) == (2, 3)


@pytest.mark.parametrize("mode", ["lexical", "dense", "hybrid"])
def test_each_arm_alone(retriever, mode):
    found = retriever.search("storage quota", ANYBODY, 3, mode)

    assert found[0].document_id == "test:quota"
    assert found == sorted(found, key=lambda p: -p.score)


def test_words_alone_when_the_embedder_is_away(retriever, caplog):
    found = retriever.retrieve("? storage quota", ANYBODY)

    assert [p.document_id for p in found] == ["test:quota"]
    assert "Searching by words alone" in caplog.text


def test_a_passage_that_only_the_words_found_has_its_cosine(tmp_path):
    class Fixed(HashEmbedder):
        def embed_query(self, text):
            vector = np.zeros(64, np.float32)
            vector[0 if "far" not in text else 1] = 1
            return vector

    embedder = Fixed()
    texts = [document(f"d{n}", f"filler number {n}") for n in range(12)]
    index = build(tmp_path, embedder, *texts, document("z", "rareword"))
    found = Retriever(index, embedder, RetrievalSettings(candidates=10, reranker="none")).retrieve(
        "rareword", ANYBODY
    )

    # Every vector is the same, so all cosines are 1: the word decides, and its cosine is not lost.
    assert found[0].document_id == "test:z"
    assert found[0].score == pytest.approx(1.0)
    index.close()


def test_fusion_by_rank_is_a_setting(tmp_path):
    embedder = HashEmbedder()
    index = build(tmp_path, embedder, document("a", "muon"), document("b", "quota"))
    found = Retriever(index, embedder, RetrievalSettings(fusion="rrf", reranker="none")).retrieve(
        "quota", ANYBODY
    )

    assert found[0].document_id == "test:b"
    assert found[0].score == pytest.approx(1.0)
    index.close()


def test_links_lead_to_the_very_place(tmp_path):
    from ingest.model import Block, BlockKind, Section

    embedder = HashEmbedder()
    index = build(
        tmp_path,
        embedder,
        document("a", "muon", url="https://x/a", sections=(Section(("H",), "h"),)),
        document(
            "p", "quota", url="https://x/p.pdf", blocks=(Block(BlockKind.PROSE, 0, 5, 0, page=3),)
        ),
        document("c", "comment", url="https://x/c#note_1", sections=(Section(("H",), "h"),)),
        document("t", "topic", url="https://x/t/slug/7", sections=(Section(("H",), "/3"),)),
    )
    retriever = Retriever(index, embedder, RetrievalSettings())

    links = {
        q: retriever.retrieve(q, ANYBODY)[0].url for q in ("muon", "quota", "comment", "topic")
    }
    assert links == {
        "muon": "https://x/a#h",
        "quota": "https://x/p.pdf#page=3",
        "comment": "https://x/c#note_1",
        "topic": "https://x/t/slug/7/3",
    }
    index.close()


def test_the_reranker_works_on_hybrid_hits_alone(tmp_path):
    embedder = HashEmbedder()
    index = build(tmp_path, embedder, document("a", "muon"), document("b", "muon quota"))
    fast = Retriever(index, embedder, RetrievalSettings(reranker="none"))
    full = Retriever(index, embedder, RetrievalSettings())

    def scores(retriever, mode):
        return [passage.score for passage in retriever.search("muon", ANYBODY, 5, mode)]

    assert scores(full, "reranked") != scores(full, "hybrid")
    assert scores(fast, "reranked") == scores(fast, "hybrid") == scores(full, "hybrid")


def test_a_reranker_that_is_away_leaves_the_order(tmp_path, caplog):
    embedder = HashEmbedder()
    index = build(tmp_path, embedder, document("a", "muon"), document("b", "quota"))
    settings = RetrievalSettings(reranker=str(tmp_path / "nowhere"))
    found = Retriever(index, embedder, settings).retrieve("muon", ANYBODY)
    assert found[0].document_id == "test:a"
    assert "without the reranker" in caplog.text


def test_vectors_are_for_those_who_may_see_the_chunk(tmp_path):
    index = build(tmp_path, HashEmbedder(), document("a", "muon", access=frozenset({"muons"})))
    member = Reader(frozenset({"muons"}))
    with index.snapshot() as snapshot:
        (row,) = [hit.row for hit in snapshot.search_lexical("muon", 5, member)]
        assert snapshot.vectors([row], member).shape == (1, HashEmbedder().dim)
        for unseen, reader in ((row, ANYBODY), (row + 999, member)):
            with pytest.raises(KeyError):
                snapshot.vectors([unseen], reader)


def test_words_that_stand_nowhere_leave_the_choice_to_the_meaning():
    # The best hit by words reaches 1 of a possible 8: at least 4 is asked for a full share.
    dense, lexical = {1: 0.5, 2: 0.7}, {1: 1.0}
    assert weighted(dense, lexical, 0.6) == {
        1: pytest.approx(0.6 * 0.5 + 0.4), 2: pytest.approx(0.42)
    }  # fmt: skip
    assert weighted(dense, lexical, 0.6, least=4.0) == {
        1: pytest.approx(0.6 * 0.5 + 0.4 / 4), 2: pytest.approx(0.42)
    }  # fmt: skip
    assert weighted(dense, {1: 8.0}, 0.6, least=4.0)[1] == pytest.approx(0.6 * 0.5 + 0.4)


def test_reach_is_the_worth_of_all_words_and_nothing_for_those_who_see_nothing(tmp_path):
    member = frozenset({"muons"})
    index = build(
        tmp_path,
        HashEmbedder(),
        document("a", "muon quota", access=member),
        document("b", "muon", access=member),
        document("c", "shift", access=member),
    )
    # idf = ln(1 + (3 - n + 0.5)/(n + 0.5)) for n = 2 and n = 0 of 3 chunks, each times k1 + 1.
    wanted = 2.2 * (math.log(1 + 1.5 / 2.5) + math.log(1 + 3.5 / 0.5))
    with index.snapshot() as snapshot:
        assert snapshot.reach("muon nowhere muon", Reader(member)) == pytest.approx(wanted)
        assert snapshot.reach("muon", ANYBODY) == 0.0
