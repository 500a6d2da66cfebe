"""What every engine must find alike, and in which order: the suite runs over each."""

import random

import numpy as np
import pytest

from assistant.retrieve import Retriever
from ingest.access import Reader
from ingest.model import Document
from ingest.settings import RetrievalSettings
from tests.ingest.corpus import document
from tests.ingest.index.conftest import House

STAFF = Reader(frozenset({"staff"}))


def corpus(count: int) -> list[Document]:
    """Documents of words whose frequencies fall, in lists of 100 %, 10 %, 1 % and one of them."""
    rng = random.Random(1)
    vocabulary = [f"w{number}" for number in range(400)]
    odds = [1 / (1 + number) for number in range(400)]
    made = []
    for number in range(count):
        words = rng.choices(vocabulary, odds, k=rng.randint(3, 60))
        groups = {"all", *(f"one-in-{n}" for n in (10, 100) if number % n == 0)}
        groups |= {"single"} if number == 77 else set()
        made.append(document(f"d{number:04}", " ".join(words), access=frozenset(groups)))
    return made


QUESTIONS = ["w3 w50 w200", "w0 w1 w2 w3", "what about w399", "w120", "w77 w78 w79 w5 unknownword"]
READERS = {name: Reader(frozenset({name})) for name in ("all", "one-in-10", "one-in-100", "single")}


def test_filtered_searches_give_what_an_exact_search_of_the_allowed_gives(house):
    house.add(*corpus(400))
    with house.reading() as index, index.snapshot() as snapshot:
        every = snapshot.rows.tolist()
        matrix = snapshot.vectors(every, READERS["all"])
        for name, size in (("all", 400), ("one-in-10", 40), ("one-in-100", 4), ("single", 1)):
            reader = READERS[name]
            allowed = set(snapshot.covers(every, reader))
            assert len(allowed) == size == snapshot.counts(reader).chunks
            for text in QUESTIONS:
                vector = house.embedder.embed_query(text)
                exact = sorted(
                    (-float(np.dot(matrix[at], vector)), row)
                    for at, row in enumerate(every)
                    if row in allowed
                )[:10]
                got = snapshot.search_dense(vector, 10, reader)
                assert np.allclose([h.score for h in got], [-s for s, _ in exact], atol=1e-5)
                assert {h.row for h in got} <= allowed
                assert {h.row for h in snapshot.search_lexical(text, 10, reader)} <= allowed


def test_both_arms_and_their_fusion_order_as_the_embedded_engine_does(house, beside):
    plain = house if house.is_folder else beside("folder")
    places = {id(one): one for one in (plain, house)}.values()
    documents = corpus(300)
    for one in places:
        one.add(*documents[:200])
    compare(plain, house, rel=1e-4, least=1.0)
    for one in places:
        changed = [document(f"d{n:04}", "w1 w2 replaced text") for n in range(20)]
        one.add(*changed, *documents[200:])
    # Tantivy counts for a while what was removed, and so its words tell a little more.
    compare(plain, house, rel=0.08, least=0.8)


def compare(plain: House, house: House, rel: float, least: float) -> None:
    """The same questions of the same readers to both."""
    with plain.reading() as first, house.reading() as second:
        finders = [
            Retriever(one, house.embedder, RetrievalSettings(reranker="none"))
            for one in (first, second)
        ]
        for text in QUESTIONS:
            for reader in READERS.values():
                with first.snapshot() as a, second.snapshot() as b:
                    for k in (1, 5, 400):
                        was, now = (
                            [hit.score for hit in one.search_lexical(text, k, reader)]
                            for one in (a, b)
                        )
                        assert now == pytest.approx(was, rel=rel)
                    if least == 1:
                        assert b.reach(text, reader) == pytest.approx(a.reach(text, reader))
                was_found, now_found = (
                    {
                        passage.document_id: passage.score
                        for passage in finder.search(text, reader, 10, mode="hybrid")
                    }
                    for finder in finders
                )
                assert list(now_found.values()) == pytest.approx(
                    list(was_found.values()), abs=0.1 if least < 1 else 1e-4
                )
                both = was_found.keys() & now_found.keys()
                tied = len(set(was_found.values())) < len(was_found)
                assert tied or len(both) >= least * len(was_found)
