"""Chunks a second, in this process and through a server, beside what the machine could do.

The bound: a forward pass of all-MiniLM-L6-v2 needs, for each token of a text of n tokens, two
operations for each weight outside its tables and 4·n·d for attention in each layer (Kaplan et al.,
Scaling Laws for Neural Language Models, 2020, section 2.1); tokens of padding count as none. The
machine is asked what it does by a product of two matrices of its embedder's kind, in the same run.

DOCENT_BENCH_CHUNKS (512). The server is the real vLLM where `make vllm` has put one, with
DOCENT_EMBEDDER_URL another one of the same model.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from ingest.catalogue import locate
from ingest.embed import Embedder, LocalEmbedder, ServerEmbedder
from ingest.precision import bfloat16_pays
from ingest.settings import ModelsSettings
from tests.vllm import PYTHON
from tests.vllm.engine import pooling_engine

pytestmark = pytest.mark.bench

CHUNKS = int(os.environ.get("DOCENT_BENCH_CHUNKS", "512"))
URL = os.environ.get("DOCENT_EMBEDDER_URL", "")
NAME = "all-MiniLM-L6-v2"
LAYERS, WIDTH, INNER, WINDOW = 6, 384, 1536, 256
WEIGHTS = LAYERS * (4 * WIDTH**2 + 2 * WIDTH * INNER)
"""10.6 million of 22.7; the others are tables, which are looked up."""
WAYS = ["in process", *(["served"] if URL or PYTHON.exists() else [])]


def flops(tokens: int) -> float:
    """Operations of one text.

    Of 256 tokens: 256 · (2 · 10,616,832 + 6 · 4 · 256 · 384) = 6.04e9.
    """
    return tokens * (2 * WEIGHTS + LAYERS * 4 * tokens * WIDTH)


def texts() -> list[str]:
    """As chunks are: most of them near 200 tokens, some short."""
    dice = random.Random(5)
    words = [
        "muon",
        "trigger",
        "barrel",
        "threshold",
        "luminosity",
        "calibration",
        "storage",
        "release",
        "detector",
    ]
    lengths = [min(230, max(12, round(dice.gauss(160, 60)))) for _ in range(CHUNKS)]
    return [" ".join(dice.choice(words) for _ in range(length)) for length in lengths]


def tokens_of(chunks: list[str]) -> list[int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(locate(NAME, ModelsSettings()) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return [min(WINDOW, len(found.ids)) for found in tokenizer.encode_batch(chunks)]


def machine_flops() -> float:
    """What a product of matrices reaches here, operations a second: the best of some.

    Of numbers of 16 bits where Docent embeds with them.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.bfloat16 if bfloat16_pays() else torch.float32
    rows, best = 8192, 0.0
    left = torch.randn(rows, WIDTH, device=device, dtype=kind)
    right = torch.randn(WIDTH, INNER, device=device, dtype=kind)
    for _ in range(20):
        began = time.perf_counter()
        torch.mm(left, right).sum().item()  # a card works on by itself until it is asked
        best = max(best, 2 * rows * WIDTH * INNER / (time.perf_counter() - began))
    return best


@contextmanager
def embedder(way: str) -> Iterator[Embedder]:
    folder = locate(NAME, ModelsSettings())
    if way == "in process":
        yield LocalEmbedder(folder, NAME)
    elif URL:
        yield ServerEmbedder(URL, NAME, "")
    else:
        with pooling_engine(folder, NAME, "embedder.yaml") as engine:
            yield ServerEmbedder(engine.url, NAME, "")


@pytest.mark.parametrize("way", WAYS)
def test_chunks_a_second(way):
    chunks = texts()
    lengths = tokens_of(chunks)
    needed = sum(map(flops, lengths))
    with embedder(way) as asked:
        asked.embed_documents(chunks[:16])  # what is loaded once
        began = time.perf_counter()
        vectors = asked.embed_documents(chunks)
        seconds = time.perf_counter() - began
    bound = machine_flops()

    assert vectors.shape == (CHUNKS, WIDTH)
    assert np.isfinite(vectors).all()
    print(
        f"\n{way}: {CHUNKS / seconds:.1f} chunks/s of {np.mean(lengths):.0f} tokens, "
        f"{sum(lengths) / seconds:.0f} tokens/s; {needed / seconds / 1e9:.0f} GFLOP/s of the "
        f"{bound / 1e9:.0f} that a product of matrices reaches here "
        f"({100 * needed / seconds / bound:.0f} %), which would be "
        f"{bound * CHUNKS / needed:.0f} chunks/s; load {os.getloadavg()[0]:.1f}"
    )
