"""What is remembered is what would be embedded, and no more of it than was said."""

import numpy as np

from assistant.tuning.remembered import Remembered
from tests.fakes import HashEmbedder


class Counting(HashEmbedder):
    """Knows what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked: list[str] = []

    def embed_documents(self, texts, progress=lambda n: None):
        self.asked.extend(texts)
        return HashEmbedder().embed_documents(texts, progress)

    def embed_query(self, text):
        self.asked.append(text)
        return HashEmbedder().embed_query(text)


def test_the_same_vectors_in_the_same_order_and_each_text_once():
    plain, counting = HashEmbedder(), Counting()
    remembered = Remembered(counting)
    told: list[int] = []
    remembered.embed_documents(["muon", "pixel"])
    found = remembered.embed_documents(["tile", "pixel", "tile", "muon"], told.append)

    assert np.array_equal(found, plain.embed_documents(["tile", "pixel", "tile", "muon"]))
    assert counting.asked == ["muon", "pixel", "tile"]
    assert told == [2, 1]
    assert remembered.embed_documents([]).shape == (0, plain.dim)
    assert (remembered.name, remembered.dim) == (plain.name, plain.dim)


def test_a_query_is_another_thing_than_a_document():
    counting = Counting()
    remembered = Remembered(counting)
    remembered.embed_documents(["muon"])
    for _ in range(2):
        assert np.array_equal(remembered.embed_query("muon"), HashEmbedder().embed_query("muon"))
    assert counting.asked == ["muon", "muon"]


def test_more_than_it_may_keep_is_forgotten_oldest_first():
    counting = Counting()
    remembered = Remembered(counting, most=2)
    for text in ("muon", "pixel", "tile", "pixel", "muon"):
        remembered.embed_query(text)
    assert counting.asked == ["muon", "pixel", "tile", "muon"]
    remembered.embed_documents(["a", "b", "c"])
    assert remembered.embed_documents(["a", "b", "c"]).shape == (3, counting.dim)
