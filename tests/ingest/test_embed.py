"""Embedders: batching by hand, the real model, and servers over a loopback socket."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.embed import LATELY, LocalEmbedder, ServerEmbedder, batches, embedder_from
from ingest.errors import ModelError
from ingest.precision import bfloat16_pays
from ingest.settings import EmbedderSettings, ModelsSettings
from tests.fakes import HashEmbedder

NEAR = 2e-3 if bfloat16_pays() else 1e-5
"""Between one number of two vectors: products of 16 bits are rounded to three digits."""


def test_batches_are_filled_by_tokens_with_their_padding():
    # Sorted: 10, 9, 4, 3, 2. Budget 20 holds 2 × 10; then 4 + 3 + 2 padded to 4 are 12.
    assert list(batches([3, 10, 4, 9, 2], 20)) == [[1, 3], [2, 0, 4]]


def test_a_text_longer_than_the_budget_is_alone():
    assert list(batches([50, 3], 20)) == [[0], [1]]


@given(st.lists(st.integers(0, 300)), st.integers(1, 1000))
def test_every_text_is_in_one_batch_and_no_batch_is_over_the_budget(lengths, budget):
    found = list(batches(lengths, budget))

    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


def test_the_fake_puts_texts_that_share_words_near():
    fake = HashEmbedder()
    near, far = fake.embed_documents(["muon trigger rate", "disk quota"])
    query = fake.embed_query("the muon trigger")

    assert query @ near > query @ far
    assert np.linalg.norm(fake.embed_query("")) == 1


@pytest.fixture(scope="module")
def minilm() -> LocalEmbedder:
    found = embedder_from(EmbedderSettings(), ModelsSettings())
    assert isinstance(found, LocalEmbedder)
    return found


@pytest.mark.models
def test_the_real_model_gives_unit_vectors_in_the_order_of_the_texts(minilm):
    texts = ["The muon trigger fires at 4 GeV.", "Pay for lunch with the blue card. " * 90, "Muons"]
    done: list[int] = []

    vectors = minilm.embed_documents(texts, done.append)

    assert vectors.shape == (3, minilm.dim) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert sum(done) == 3
    alone = np.stack([minilm.embed_query(text) for text in texts])
    assert vectors == pytest.approx(alone, abs=NEAR)  # neither order nor padding changes a vector
    assert minilm.embed_query("Which muon trigger is there?") @ vectors[0] > 0.5
    assert minilm.embed_documents([]).shape == (0, 384)


@pytest.mark.models
def test_the_real_model_gives_what_its_own_library_gives(minilm):
    from sentence_transformers import SentenceTransformer

    texts = ["short", "Text beyond the window of 256 tokens is cut off. " * 60]
    theirs = SentenceTransformer(
        str(ModelsSettings().dir.expanduser() / "all-MiniLM-L6-v2"), device="cpu"
    )

    ours = minilm.embed_documents(texts)

    assert ours == pytest.approx(theirs.encode(texts, normalize_embeddings=True), abs=NEAR)


@pytest.mark.models
def test_the_name_tells_the_weights(minilm):
    assert minilm.name == "all-MiniLM-L6-v2@24b67a4d68d7"


@pytest.mark.models
def test_many_threads_may_ask_at_once(minilm):
    # More than are kept, so that each is embedded again.
    texts = [f"question number {n} about the detector" for n in range(2 * LATELY)]
    expected = [minilm.embed_query(text) for text in texts]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(minilm.embed_query, texts))

    assert np.stack(found) == pytest.approx(np.stack(expected), abs=1e-5)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(ModelError, match="holds no model weights"):
        embedder_from(EmbedderSettings(model=str(tmp_path)), ModelsSettings())


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="does not say how long its vectors are"):
        LocalEmbedder(tmp_path, "broken")

    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    broken = LocalEmbedder(tmp_path, "broken")
    assert broken.dim == 8
    with pytest.raises(ModelError, match=r"cannot be loaded: .*docent models verify"):
        broken.embed_query("text")


def test_the_libraries_are_not_loaded_before_the_first_text(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    code = (
        "import sys; from pathlib import Path; from ingest.embed import LocalEmbedder;"
        f"LocalEmbedder(Path({str(tmp_path)!r}), 'm'); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


class Server(ThreadingHTTPServer):
    """An embeddings server that answers with `vectors`, or as `fault` says."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault = ""
        self.vectors = {"a": [3.0, 4.0], "b": [0.0, 2.0]}
        self.window = 10**6
        """Characters; longer texts are refused, as vLLM does, unless it is told to cut."""
        self.cuts = True
        self.together = threading.Barrier(1)
        """So many requests are answered only once all of them are there."""
        self.asked: list[dict[str, object]] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.keys.append(self.headers["Authorization"])
        self.server.together.wait(20)
        long = max(map(len, body["input"])) > self.server.window
        if long and not (self.server.cuts and body.get("truncate_prompt_tokens") == -1):
            message = f"This model's maximum context length is {self.server.window} tokens."
            if "truncate_prompt_tokens" in body:
                message = "Unknown: truncate_prompt_tokens."
            self._whole(400, {"error": {"message": message}})
            return
        rows = [
            {
                "object": "embedding",
                "index": i,
                "embedding": self.server.vectors.get(text[: self.server.window], [1.0, 0.0]),
            }
            for i, text in enumerate(body["input"])
        ]
        reply: object = {"object": "list", "model": "m", "data": rows[::-1], "usage": None}
        if self.server.fault == "nonsense":
            reply = "nonsense"
        if self.server.fault == "short":
            reply = {"object": "list", "model": "m", "data": rows[1:], "usage": None}
        self._whole(int(self.server.fault) if self.server.fault.isdigit() else 200, reply)

    def _whole(self, status: int, told: object) -> None:
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_a_server_gives_unit_vectors_in_the_order_asked(server, monkeypatch):
    monkeypatch.setenv("DOCENT_EMBEDDER_KEY", "sesame")
    embedder = embedder_from(EmbedderSettings(model="m", url=server.url), ModelsSettings())

    assert embedder.embed_documents(["a", "b"]).tolist() == [
        pytest.approx([0.6, 0.8]),
        pytest.approx([0.0, 1.0]),
    ]
    assert embedder.embed_query("a").tolist() == pytest.approx([0.6, 0.8])
    assert (embedder.name, embedder.dim) == ("server:m", 2)
    assert server.asked[0]["model"] == "m"
    assert server.keys[0] == "Bearer sesame"


def test_a_query_is_embedded_once_and_nobody_changes_it_for_others(server):
    embedder = ServerEmbedder(server.url, "m", "")
    first = embedder.embed_query("a")
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0
    assert embedder.embed_query("a").tolist() == pytest.approx([0.6, 0.8])
    assert len(server.asked) == 1

    for number in range(LATELY):
        embedder.embed_query(f"another {number}")
    embedder.embed_query("a")
    assert len(server.asked) == LATELY + 2  # it was forgotten


def test_a_server_is_asked_in_batches(server):
    embedder = ServerEmbedder(server.url, "m", "")
    done: list[int] = []

    assert embedder.embed_documents(["a"] * 130, done.append).shape == (130, 2)

    assert done == [64, 64, 2]
    assert embedder.embed_documents([]).shape == (0, 2)


def test_many_texts_come_back_in_their_order_though_they_are_asked_by_length(server):
    texts = [f"{'x' * (n * 37 % 101)}{n}" for n in range(200)]
    server.vectors = {text: [float(n + 1), 1.0] for n, text in enumerate(texts)}

    found = ServerEmbedder(server.url, "m", "").embed_documents(texts)

    assert found[:, 0] / found[:, 1] == pytest.approx(np.arange(1, 201), rel=1e-4)
    lengths = sorted((len(text) for text in texts), reverse=True)
    assert sorted((len(one["input"][0]) for one in server.asked), reverse=True) == lengths[::64]


def test_several_requests_are_under_way_at_once(server):
    server.together = threading.Barrier(4)

    assert ServerEmbedder(server.url, "m", "").embed_documents(["a"] * 256).shape == (256, 2)


def test_a_text_beyond_the_window_is_cut_where_the_server_does_not_do_it_by_itself(server):
    server.window = 1
    embedder = ServerEmbedder(server.url, "m", "")

    assert embedder.embed_documents(["a", "bbb"]).tolist() == [
        pytest.approx([0.6, 0.8]),
        pytest.approx([0.0, 1.0]),
    ]
    assert embedder.embed_query("a").tolist() == pytest.approx([0.6, 0.8])
    assert [one.get("truncate_prompt_tokens") for one in server.asked] == [None, -1, None]


def test_a_server_that_cannot_cut_is_heard_on_the_window(server):
    server.window, server.cuts = 1, False

    with pytest.raises(ModelError, match="maximum context length is 1 tokens"):
        ServerEmbedder(server.url, "m", "").embed_query("aa")


def test_a_request_that_is_wrong_otherwise_is_not_sent_twice(server):
    server.fault = "400"

    with pytest.raises(ModelError, match="400"):
        ServerEmbedder(server.url, "m", "").embed_query("aa")
    assert len(server.asked) == 1


def test_the_dimension_is_asked_once(server):
    embedder = ServerEmbedder(server.url, "m", "")

    assert (embedder.dim, embedder.dim) == (2, 2)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("401", r"does not answer for m: .*401.*\[embedder\] url"),
        ("nonsense", r"embedding server at http://127"),
        ("short", r"vectors of shape \(1, 2\) for 2 texts"),
    ],
)
def test_a_faulty_server_is_named(server, fault, sentence):
    server.fault = fault

    with pytest.raises(ModelError, match=sentence):
        ServerEmbedder(server.url, "m", "").embed_documents(["a", "b"])


@pytest.mark.parametrize("vector", [[0.0, 0.0], [float("nan"), 1.0]])
def test_a_vector_without_direction_is_refused(server, vector):
    server.vectors["a"] = vector

    with pytest.raises(ModelError, match="zero or not a number"):
        ServerEmbedder(server.url, "m", "").embed_query("a")


def test_a_server_that_changes_its_dimension_is_refused(server):
    embedder = ServerEmbedder(server.url, "m", "")
    embedder.embed_query("b")
    server.vectors["a"] = [1.0, 0.0, 0.0]

    with pytest.raises(ModelError, match="3 numbers after ones of 2"):
        embedder.embed_query("a")


def test_a_server_that_is_away_is_named(tmp_path: Path):
    embedder = ServerEmbedder("http://127.0.0.1:9/v1", "m", "")

    with pytest.raises(ModelError, match=r"embedding server at http://127\.0\.0\.1:9/v1"):
        embedder.embed_query("a")


def test_a_folder_that_does_not_say_how_much_of_a_vector_is_kept_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"w")
    (tmp_path / "config.json").write_text('{"hidden_size": 16}')
    assert LocalEmbedder(tmp_path, "m").dim == 16
    whole = LocalEmbedder(tmp_path, "m").name
    (tmp_path / "vectors.json").write_text('{"length": 4}')
    assert LocalEmbedder(tmp_path, "m").dim == 4
    assert LocalEmbedder(tmp_path, "m").name != whole
    (tmp_path / "vectors.json").write_text("[]")
    with pytest.raises(ModelError, match=r"vectors\.json does not say how many numbers"):
        LocalEmbedder(tmp_path, "m")
