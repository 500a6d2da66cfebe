"""Search over 100,000 chunks: time, memory, size on disk, and recall under access filters.

The texts are those of the sample (or of a folder named in DOCENT_BENCH_TEXTS), repeated with words
changed; a repeated text's vector is the original's turned a little, since embedding 100,000 texts
takes an hour and a half on two cores. Questions are embedded for real. An index is built once and
used again where DOCENT_BENCH_INDEX names a folder for it.
"""

import os
import random
import resource
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from assistant.retrieve import Retriever
from ingest.access import Reader
from ingest.chunk import chunk
from ingest.embed import embedder_from
from ingest.errors import ParseError
from ingest.index import EmbeddedIndex, disk_bytes, text_digest, writing
from ingest.model import Block, BlockKind, Chunk, Cut, Document, Page, Past, Section
from ingest.parse import parse
from ingest.pipeline import parts_of
from ingest.settings import (
    EmbedderSettings,
    ModelsSettings,
    RetrievalSettings,
    Settings,
)
from ingest.source_settings import FilesSettings
from ingest.sources.files import FilesSource
from ingest.twins import signature

pytestmark = pytest.mark.bench

SIZE = int(os.environ.get("DOCENT_BENCH_CHUNKS", "100000"))
BASE = 3000
ROOT = Path(__file__).parents[2]
SHARES = {"one-in-10000": 0.0001, "one-in-100": 0.01, "one-in-10": 0.1}


def base_chunks(folder: Path) -> list[Chunk]:
    settings = FilesSettings.model_validate(
        {"kind": "files", "path": folder, "access": ["public"], "exclude": ["questions.jsonl"]}
    )
    found: list[Chunk] = []
    for item in FilesSource("bench", settings).pages(Past()):
        if isinstance(item, Page):
            try:
                documents = parse(item)
            except ParseError:
                continue
            found += [piece for one in documents for piece in chunk(one)]
        if len(found) >= BASE:
            break
    return found[:BASE]


def changed(text: str, rng: random.Random, vocabulary: list[str]) -> str:
    words = text.split(" ")
    for _ in range(max(1, len(words) // 5)):
        words[rng.randrange(len(words))] = rng.choice(vocabulary)
    return " ".join(words)


def groups_of(number: int, rng: random.Random) -> frozenset[str]:
    return frozenset({"all", *(name for name, share in SHARES.items() if rng.random() < share)})


def fill(folder: Path, embedder, base: list[Chunk]) -> float:
    rng, noise = random.Random(1), np.random.default_rng(1)
    vectors = embedder.embed_documents([piece.indexed for piece in base])
    vocabulary = sorted({word for piece in base for word in piece.text.split()})
    started = time.perf_counter()
    with writing(folder, parts_of(embedder, 1000)) as writer:
        for number in range(SIZE):
            origin = number % len(base)
            text = changed(base[origin].text, rng, vocabulary)
            block = Block(BlockKind.PROSE, 0, len(text), 0)
            name = f"bench:{number}"
            one = Document(
                name, name, "bench", base[origin].header[:60] or "page", "", "text", text,
                (Section(()),), (block,), groups_of(number, rng),
            )  # fmt: skip
            piece = Chunk(name + "@0", name, 0, (), 0, len(text), text, one.title)
            turned = (
                vectors[origin] + 0.25 * noise.standard_normal(embedder.dim) / embedder.dim**0.5
            )
            turned /= np.linalg.norm(turned)
            writer.put(
                name,
                [Cut(one, [piece], signature(one.text))],
                {text_digest(piece.indexed): turned.astype(np.float32)},
            )
            if number % 20_000 == 19_999:
                writer.commit()
        writer.commit()
    return time.perf_counter() - started


def questions(base: list[Chunk], count: int) -> list[str]:
    rng = random.Random(2)
    starts = (" ".join(rng.choice(base).text.split()[:9]) for _ in range(count))
    return [f"What about {start}?" for start in starts]


def timed(work, text: str) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work(text)
    return 1000 * (time.perf_counter() - start)


def whole_and_parts(index: EmbeddedIndex, embedder, asked: list[str]) -> None:
    """Everything on, without the reranker, and the two arms alone, question by question."""
    reader = Reader(frozenset({"all"}))
    default = Retriever(index, embedder, RetrievalSettings())
    fast = Retriever(index, embedder, RetrievalSettings(reranker="none"))
    ways = {
        "everything on": lambda text: default.retrieve(text, reader),
        "reranker none": lambda text: fast.retrieve(text, reader),
        "hybrid": lambda text: default.search(text, reader, 8, mode="hybrid", per_document=2),
        "embedding": embedder.embed_query,
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for text in asked:  # they take turns, so that what else the machine does meets all of them
        for name, way in ways.items():
            times[name].append(timed(way, text))
    for name, took in times.items():
        p50, p95 = np.percentile(took, [50, 95])
        print(f"{name:>13}: p50 {p50:5.1f} ms, p95 {p95:5.1f} ms")
    share = np.subtract(times["everything on"], times["reranker none"])
    p50, p95 = np.percentile(share, [50, 95])
    print(f"     reranker: p50 {p50:5.1f} ms, p95 {p95:5.1f} ms more, question by question")


def test_search_at_size(tmp_path):
    texts = Path(os.environ.get("DOCENT_BENCH_TEXTS", ROOT / "sample"))
    kept = os.environ.get("DOCENT_BENCH_INDEX")
    folder = Path(kept) if kept else tmp_path
    settings = Settings()
    embedder = embedder_from(
        EmbedderSettings(), ModelsSettings(dir=settings.models.dir.expanduser())
    )
    base = base_chunks(texts)
    built = 0.0 if folder.exists() and any(folder.iterdir()) else fill(folder, embedder, base)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    index = EmbeddedIndex(folder, embedder=embedder.name)
    opened = time.perf_counter() - started
    retriever = Retriever(index, embedder, RetrievalSettings())
    print(f"\n{SIZE:,} chunks from {len(base):,} texts")
    print(f"written in {built:.0f} s, opened in {opened:.2f} s")
    print(f"disk {disk_bytes(folder) / 1e6:.0f} MB; peak memory {before / 1024:.0f} MB")
    asked = questions(base, 200)
    for name in (*SHARES, "all"):
        reader = Reader(frozenset({name}))
        retrieve = partial(retriever.retrieve, reader=reader)
        times = [timed(retrieve, text) for text in [*asked[:5], *asked]][5:]
        lost = 0
        with index.snapshot() as snapshot:
            allowed = snapshot.counts(reader).chunks
            mask = snapshot._allow(reader).rows[snapshot.rows]
            matrix = snapshot._dense.vectors([int(row) for row in snapshot.rows])
            for text in asked[:50]:
                vector = embedder.embed_query(text)
                scores = np.where(mask, matrix @ vector, -2)
                exact = np.sort(scores)[::-1][: min(10, allowed)]
                got = [hit.score for hit in snapshot.search_dense(vector, 10, reader)]
                lost += int(len(got) != len(exact) or not np.allclose(got, exact, atol=1e-5))
        p50, p95 = np.percentile(times, [50, 95])
        print(
            f"{name:>13}: {allowed:>7,} allowed, p50 {p50:5.1f} ms, p95 {p95:5.1f} ms, "
            f"recall@10 {1 - lost / 50:.3f}"
        )
        assert lost == 0
    whole_and_parts(index, embedder, asked)
    with Path("/proc/self/status").open() as status:
        print(next(line.strip() for line in status if line.startswith("VmRSS")))
    index.close()
