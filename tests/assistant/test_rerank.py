"""Feedback by numbers worked out by hand, and a real cross-encoder of a few weights."""

import json
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from assistant.rerank import CrossEncoded, Feedback, LocalJudge, reranker_from
from ingest.errors import ModelError
from ingest.settings import RetrievalSettings
from tests.assistant.tiny import tiny_cross_encoder


class Pool:
    """Chunks by row: their vectors in two dimensions, their texts, and whose they are.

    Each is a document of its own unless told otherwise.
    """

    def __init__(self, vectors=None, texts=None, documents=None):
        self._vectors, self._texts = vectors or {}, texts or {}
        self._documents = documents or {}

    def documents(self, rows):
        return [self._documents.get(row, str(row)) for row in rows]

    def vectors(self, rows):
        return np.array([self._vectors[row] for row in rows], dtype=np.float32)

    def texts(self, rows):
        return [self._texts[row] for row in rows]


def test_what_is_like_the_first_gains():
    # Rows 1 to 3 point east, 4 nearly so and 5 north: 4 and 5 change places.
    east, near, north = (1.0, 0.0), (0.8, 0.6), (0.0, 1.0)
    pool = Pool({1: east, 2: east, 3: east, 4: near, 5: north})
    found = Feedback().rerank("?", {1: 0.9, 2: 0.8, 3: 0.7, 4: 0.5, 5: 0.52}, pool)
    assert sorted(found, key=found.__getitem__, reverse=True) == [1, 2, 3, 4, 5]
    assert found[4] == pytest.approx((0.5 + 0.2 * 0.8) / 1.3)
    assert found[5] == pytest.approx(0.52 / 1.3)


def test_the_first_count_by_their_score():
    # Trust 1 and e^-3 for scores 1 and 0: the centre is (1, e^-3) made a unit vector.
    found = Feedback().rerank("?", {1: 1.0, 2: 0.0}, Pool({1: (1.0, 0.0), 2: (0.0, 1.0)}))
    length = math.hypot(1, math.exp(-3))
    assert found[1] == pytest.approx((1 + 0.2 / length) / 1.3)
    assert found[2] == pytest.approx(0.2 * math.exp(-3) / length / 1.3)


def test_an_opposite_loses_nothing_and_scores_stay_within_bounds():
    found = Feedback().rerank("?", {1: 1.0, 2: 0.6}, Pool({1: (1.0, 0.0), 2: (-1.0, 0.0)}))
    assert found == {1: pytest.approx(1.2 / 1.3), 2: pytest.approx(0.6 / 1.3)}


def test_a_second_place_speaks_for_a_page():
    # One direction for all, so that likeness changes nothing. 2 and 3 are of one page: each gains a
    # tenth of 0.6, the second best, and 2 passes 1. A third place would add nothing.
    same = dict.fromkeys((1, 2, 3, 4), (1.0, 0.0))
    pool = Pool(same, documents={2: "page", 3: "page", 4: "page"})
    found = Feedback().rerank("?", {1: 0.82, 2: 0.8, 3: 0.6, 4: 0.1}, pool)
    assert found == {
        1: pytest.approx((0.82 + 0.2) / 1.3),
        2: pytest.approx((0.86 + 0.2) / 1.3),
        3: pytest.approx((0.66 + 0.2) / 1.3),
        4: pytest.approx((0.16 + 0.2) / 1.3),
    }


def test_nothing_found_stays_nothing():
    assert Feedback().rerank("?", {}, Pool()) == {}


def test_settings_choose():
    assert reranker_from(RetrievalSettings(reranker="none")) is None
    assert isinstance(reranker_from(RetrievalSettings()), Feedback)
    assert isinstance(reranker_from(RetrievalSettings(reranker="some/model")), CrossEncoded)


def test_a_cross_encoder_orders_what_it_reads_and_the_rest_follows(tmp_path):
    model = tiny_cross_encoder(tmp_path)
    texts = {1: "muon", 2: "quota", 3: "shift shift", 4: "the quota", 5: "muon shift"}
    scores = {1: 0.9, 2: 0.8, 3: 0.7, 4: 0.6, 5: 0.5}
    found = CrossEncoded(LocalJudge(str(tmp_path)), 3).rerank(
        "where is the quota", scores, Pool(texts=texts)
    )
    wanted = model.predict([("where is the quota", texts[row]) for row in (1, 2, 3)])
    order = [row for _, row in sorted(zip(wanted, (1, 2, 3), strict=True), reverse=True)]
    assert sorted(found, key=found.__getitem__, reverse=True) == [*order, 4, 5]
    assert all(0 <= score <= 1 for score in found.values())
    assert found[4] == pytest.approx(0.3)


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.*cannot be loaded"):
        CrossEncoded(LocalJudge(str(tmp_path / "nowhere")), 3).rerank(
            "?", {1: 1.0}, Pool(texts={1: "muon"})
        )


def test_a_model_of_two_labels_is_refused(tmp_path):
    tiny_cross_encoder(tmp_path, labels=2)
    with pytest.raises(ModelError, match="gives 2 values"):
        CrossEncoded(LocalJudge(str(tmp_path)), 3).rerank("?", {1: 1.0}, Pool(texts={1: "muon"}))


class Server(ThreadingHTTPServer):
    """`/v1/rerank` in the shapes of Jina's API, which vLLM serves too; best first, as it does."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.worth = {"muon": 0.2, "quota": 0.9, "shift": 0.5}
        self.status = 200
        self.window = 10**6
        """Characters; a longer passage is refused unless it is told to cut, as vLLM does."""
        self.asked = []
        self.keys = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, asked))
        self.server.keys.append(self.headers["Authorization"])
        if (
            max(map(len, asked["documents"])) > self.server.window
            and "truncate_prompt_tokens" not in asked
        ):
            self._whole(
                400, {"error": {"message": "This model's maximum context length is 5 tokens."}}
            )
            return
        rows: list[dict[str, Any]] = [
            {"index": place, "document": {"text": text}, "relevance_score": self.server.worth[text]}
            for place, text in enumerate(asked["documents"])
            if text in self.server.worth
        ]
        rows.sort(key=lambda row: -row["relevance_score"])
        self._whole(self.server.status, {"id": "1", "model": "m", "results": rows})

    def _whole(self, status, told):
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


TEXTS = {1: "muon", 2: "quota", 3: "shift"}
SCORES = {1: 0.9, 2: 0.8, 3: 0.7}


def served(server, **more):
    settings = {"reranker": "m", "reranker_url": server.url, "rerank_depth": 3}
    found = reranker_from(RetrievalSettings(**settings | more))
    assert found is not None
    return found


@pytest.mark.parametrize("end", ["", "/v1", "/v1/"])
def test_a_server_orders_what_it_reads(server, end, monkeypatch):
    monkeypatch.setenv("DOCENT_RERANKER_KEY", "sesame")
    reranker = served(server, reranker_url=server.url + end)

    found = reranker.rerank("where?", SCORES, Pool(texts=TEXTS))

    assert found == {1: pytest.approx(0.6), 2: pytest.approx(0.95), 3: pytest.approx(0.75)}
    wanted = {"model": "m", "query": "where?", "documents": ["muon", "quota", "shift"], "top_n": 3}
    assert server.asked == [("/v1/rerank", wanted)]
    assert server.keys == ["Bearer sesame"]


def test_logits_of_a_server_become_scores(server):
    server.worth = {"muon": -2.0, "quota": 0.0, "shift": 3.0}
    found = served(server).rerank("?", SCORES, Pool(texts=TEXTS))
    assert found[2] == pytest.approx(0.75)
    assert found[1] == pytest.approx(0.5 + 0.5 / (1 + math.exp(2)))


def test_a_passage_beyond_the_window_is_cut_and_takes_no_other_along(server):
    server.window = 4

    found = served(server).rerank("?", SCORES, Pool(texts=TEXTS))

    assert len(found) == len(SCORES)
    assert [asked.get("truncate_prompt_tokens") for _, asked in server.asked] == [None, -1]


def test_nothing_found_asks_no_server(server):
    assert served(server).rerank("?", {}, Pool()) == {}
    assert server.asked == []


def test_a_server_that_leaves_a_passage_out_is_refused(server):
    del server.worth["shift"]
    with pytest.raises(ModelError, match="other passages than were sent"):
        served(server).rerank("?", SCORES, Pool(texts=TEXTS))


def test_a_server_that_fails_is_one_sentence(server):
    server.status = 500
    with pytest.raises(ModelError, match=r"does not answer for m: .*500.* reranker_url"):
        served(server).rerank("?", SCORES, Pool(texts=TEXTS))
