"""The engine as embedder and as reranker agrees with the same models in this process."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from assistant.rerank import LocalJudge, ServedJudge
from ingest.catalogue import locate
from ingest.embed import LocalEmbedder, ServerEmbedder
from ingest.errors import ModelError
from ingest.settings import ModelsSettings
from tests.vllm import MODELS
from tests.vllm.engine import Engine, pooling_engine

MINILM = locate("all-MiniLM-L6-v2", ModelsSettings())
LONG = "The calibration of the calorimeter is kept in a database. " * 200
QUESTION = "At how many GeV does the trigger fire?"
TEXTS = [
    "The muon trigger fires at 4 GeV.",
    "Pay for lunch with the blue card.",
    "Release 24.2 needs the new geometry tag.",
    LONG,
]


@pytest.fixture(scope="module")
def embedder() -> Iterator[Engine]:
    with pooling_engine(MINILM, "all-MiniLM-L6-v2", "embedder.yaml") as running:
        yield running


@pytest.fixture(scope="module")
def judge() -> Iterator[Engine]:
    # The settings name the window of the publisher's model, and this one's is smaller.
    window = ("--max-model-len", "512")
    with pooling_engine(MODELS / "judge", "judge", "reranker.yaml", *window) as running:
        yield running


def test_vectors_are_those_of_the_model_in_this_process(embedder):
    served = ServerEmbedder(embedder.url, "all-MiniLM-L6-v2", "")
    here = LocalEmbedder(MINILM, "all-MiniLM-L6-v2")

    cosines = np.sum(served.embed_documents(TEXTS) * here.embed_documents(TEXTS), axis=1)

    assert served.dim == here.dim
    assert cosines[:3] == pytest.approx(1, abs=1e-4)
    assert cosines[3] == pytest.approx(1, abs=1e-3)  # both cut it to the model's window


def test_another_name_than_the_embedder_has_is_told(embedder):
    with pytest.raises(ModelError, match=r"does not answer for mini: .*`mini` does not exist"):
        ServerEmbedder(embedder.url, "mini", "").embed_query("text")


def test_scores_are_those_of_the_cross_encoder_in_this_process(judge):
    here = LocalJudge(str(MODELS / "judge"))
    with closing(ServedJudge(judge.url, "judge", "")) as served:
        assert served(QUESTION, TEXTS[:3]) == pytest.approx(here(QUESTION, TEXTS[:3]), abs=2e-3)


def test_a_passage_beyond_the_window_takes_the_others_not_along(judge):
    with closing(ServedJudge(judge.url, "judge", "")) as served:
        assert served(QUESTION, TEXTS)[:3] == pytest.approx(served(QUESTION, TEXTS[:3]), abs=2e-3)
