"""One corpus and its questions on every engine: time, recall, agreement, memory, disk, building.

    pytest -m bench -s tests/bench/test_engines.py

DOCENT_BENCH_PASSAGES says how many (100,000). Vectors are clusters on a sphere, so that no model
is needed and the approximate search has something to get wrong; texts are words whose frequencies
fall as those of a language do. Passages come ten to a document; every document, each tenth and each
thousandth is open to a group, which makes the filters.

DOCENT_BENCH_BEIR names a collection (corpus.jsonl, queries.jsonl, qrels/test.tsv) for nDCG@10 with
the real embedder on each engine. DOCENT_BENCH_OTHERS names a Python whose environment has lancedb,
qdrant-client or chromadb: the same vectors are then asked there too.
"""

import json
import os
import random
import resource
import subprocess
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from assistant.retrieve import Retriever
from eval.build import _add, _batches
from eval.datasets import beir_document_id, read_collection
from eval.measures import FIRST_TEN, mean, score
from ingest.access import ANYBODY, Reader
from ingest.chunk import chunk
from ingest.embed import embedder_from
from ingest.index import engine_at, open_index, text_digest, writing
from ingest.model import Block, BlockKind, Chunk, Cut, Document, Section
from ingest.pipeline import parts_of
from ingest.settings import RetrievalSettings, Settings
from tests.postgres import server_in

pytestmark = pytest.mark.bench

SIZE = int(os.environ.get("DOCENT_BENCH_PASSAGES", "100000"))
QUESTIONS = int(os.environ.get("DOCENT_BENCH_QUESTIONS", "200"))
DIM, PER_DOCUMENT = 384, 10
EVERY = {"whole": 1, "tenth": 10, "thousandth": 1000}
VOCABULARY = 50_000
SERVER = (
    "-c", "shared_buffers=2GB", "-c", "maintenance_work_mem=1GB", "-c", "effective_cache_size=6GB",
    "-c", "max_wal_size=8GB", "-c", "dynamic_shared_memory_type=mmap",
)  # fmt: skip


class Clusters:
    """An embedder whose questions lie near a passage; documents' vectors are handed in."""

    name, dim = "clusters", DIM

    def __init__(self) -> None:
        self.centres = np.random.default_rng(1).standard_normal((2000, DIM)).astype(np.float32)

    def vectors(self, start: int, count: int) -> np.ndarray:
        """Of the passages from `start` on."""
        rng = np.random.default_rng(start + 7)
        near = self.centres[rng.integers(len(self.centres), size=count)]
        return self._unit(near + 0.9 * rng.standard_normal((count, DIM)))

    def embed_query(self, text: str) -> np.ndarray:
        rng = np.random.default_rng(int(text.rpartition(" ")[2][1:]))
        near = self.centres[rng.integers(len(self.centres))]
        return self._unit(near + 0.9 * rng.standard_normal(DIM))

    def embed_documents(self, texts, progress=lambda n: None):
        return np.stack([self.embed_query(text) for text in texts])

    def _unit(self, found: np.ndarray) -> np.ndarray:
        return (found / np.linalg.norm(found, axis=-1, keepdims=True)).astype(np.float32)


def words(rng: random.Random, count: int) -> str:
    """Words by Zipf's law: the rank of the word that a random share of the text ends with."""
    return " ".join(f"w{int(VOCABULARY ** rng.random())}" for _ in range(count))


def asked() -> list[str]:
    rng = random.Random(2)
    return [f"{words(rng, 8)} w{number}" for number in range(1, QUESTIONS + 1)]


def document(number: int, rng: random.Random) -> tuple[Document, list[Chunk]]:
    texts = [f"passage {number} {at} {words(rng, rng.randint(40, 140))}"
             for at in range(PER_DOCUMENT)]  # fmt: skip
    whole, starts = "\n\n".join(texts), []
    at = 0
    for text in texts:
        starts.append(at)
        at += len(text) + 2
    blocks = tuple(
        Block(BlockKind.PROSE, s, s + len(t), 0) for s, t in zip(starts, texts, strict=True)
    )
    name = f"bench:{number}"
    groups = frozenset(group for group, every in EVERY.items() if number % every == 0)
    one = Document(name, name, "bench", name, "", "text", whole, (Section(()),), blocks, groups)
    pieces = [
        Chunk(f"{name}@{s}", name, i, (), s, s + len(t), t, one.title)
        for i, (s, t) in enumerate(zip(starts, texts, strict=True))
    ]
    return one, pieces


def fill(place, embedder: Clusters) -> float:
    """Seconds that the engine took to take everything in, one generation."""
    rng = random.Random(1)
    began = time.perf_counter()
    spent = 0.0
    with writing(place, parts_of(embedder, 1000)) as writer:
        for number in range(SIZE // PER_DOCUMENT):
            begun = time.perf_counter()
            one, pieces = document(number, rng)
            vectors = embedder.vectors(number * PER_DOCUMENT, PER_DOCUMENT)
            named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
            spent += time.perf_counter() - begun
            writer.put(one.id, [Cut(one, pieces)], named)
        writer.commit()
    return time.perf_counter() - began - spent


def timed(work) -> tuple[float, object]:
    begun = time.perf_counter()
    found = work()
    return 1000 * (time.perf_counter() - begun), found


def nearest(embedder: Clusters, questions: np.ndarray) -> dict[str, list[list[int]]]:
    """The exact ten of each filter, by a product over everything."""
    best: dict[str, list[np.ndarray]] = {name: [] for name in EVERY}
    scores = np.concatenate(
        [
            np.concatenate(
                [embedder.vectors(n * PER_DOCUMENT, PER_DOCUMENT) for n in range(s, min(
                    s + 1000, SIZE // PER_DOCUMENT))]
            ) @ questions.T
            for s in range(0, SIZE // PER_DOCUMENT, 1000)
        ]
    )  # fmt: skip
    for name, every in EVERY.items():
        rows = np.flatnonzero(np.arange(SIZE) // PER_DOCUMENT % every == 0)
        for number in range(len(questions)):
            order = np.argsort(-scores[rows, number])[:10]
            best[name].append(rows[order])
    return {name: [found.tolist() for found in rows] for name, rows in best.items()}


def measure(place, embedder: Clusters, exact) -> dict[str, dict[str, list[str]]]:
    """Prints what one engine takes; the hits of the hybrid search by filter and question."""
    ranked: dict[str, dict[str, list[str]]] = {}
    with closing(open_index(place, embedder=embedder.name)) as index:
        retriever = Retriever(index, embedder, RetrievalSettings(reranker="none"))
        for name in EVERY:
            reader = Reader(frozenset({name}))
            times: dict[str, list[float]] = {"dense": [], "words": [], "hybrid": []}
            recalls: list[float] = []
            ranked[name] = {}
            for number, text in enumerate(asked()):
                vector = embedder.embed_query(text)
                with index.snapshot() as snapshot:
                    took, hits = timed(lambda s=snapshot, v=vector, r=reader:
                                       s.search_dense(v, 10, r))  # fmt: skip
                    times["dense"].append(took)
                    took, _ = timed(lambda s=snapshot, t=text, r=reader: s.search_lexical(t, 10, r))
                    times["words"].append(took)
                    stored = snapshot.chunks([hit.row for hit in hits], reader)
                got = {int(s.chunk.text.split()[1]) * PER_DOCUMENT + s.chunk.ordinal
                       for s in stored}  # fmt: skip
                best = exact[name][number]
                recalls.append(len(got & set(best)) / len(best))
                took, passages = timed(
                    lambda t=text, r=reader: retriever.search(t, r, 10, mode="hybrid")
                )
                times["hybrid"].append(took)
                ranked[name][text] = [passage.chunk_id for passage in passages]
            told = ", ".join(
                f"{arm} p50 {np.percentile(took[5:], 50):.1f} p95 {np.percentile(took[5:], 95):.1f}"
                for arm, took in times.items()
            )
            print(f"  {name:>10}: {told} ms; recall@10 {np.mean(recalls):.4f}")
    return ranked


def agreement(ours, theirs) -> dict[str, float]:
    """nDCG@10 of one engine's hybrid order, the other's ten being what is right, best first."""
    told = {}
    for name in EVERY:
        grades = {text: {d: 10 - at for at, d in enumerate(found)}
                  for text, found in theirs[name].items()}  # fmt: skip
        told[name] = mean(score(grades, ours[name], FIRST_TEN)["nDCG@10"]).value
    return told


def memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def test_engines_side_by_side(tmp_path):
    embedder = Clusters()
    questions = np.stack([embedder.embed_query(text) for text in asked()])
    exact = nearest(embedder, questions)
    print(f"\n{SIZE:,} passages of {DIM} numbers, {QUESTIONS} questions; milliseconds")
    with server_in() as server:
        server.restart(*SERVER)
        ranked = {}
        for name, place in (("folder", tmp_path / "index"), ("postgresql", server.url("bench"))):
            built = fill(place, embedder)
            size = engine_at(place).bytes()
            print(f"{name}: built in {built:.0f} s, {size / SIZE:.0f} bytes a passage on the disk")
            before = memory()
            ranked[name] = measure(place, embedder, exact)
            print(f"  this process grew by {memory() - before:,} MB to {memory():,} MB")
        print(f"PostgreSQL's processes: {server.memory_mb():,} MB, shared memory counted once")
        print(f"hybrid order, nDCG@10 of PostgreSQL's against the folder's: "
              f"{agreement(ranked['postgresql'], ranked['folder'])}")  # fmt: skip
    others(tmp_path, embedder, questions, exact)


def others(folder: Path, embedder: Clusters, questions, exact) -> None:
    python = os.environ.get("DOCENT_BENCH_OTHERS")
    if not python:
        print("DOCENT_BENCH_OTHERS names no Python, so no other engine was asked")
        return
    rows = [embedder.vectors(n * PER_DOCUMENT, PER_DOCUMENT) for n in range(SIZE // PER_DOCUMENT)]
    np.save(folder / "vectors.npy", np.concatenate(rows))
    np.save(folder / "questions.npy", questions)
    # There a passage passes by its own number: the same share, and exact is worked out for that.
    (folder / "allowed.json").write_text(json.dumps(EVERY))
    matrix = np.load(folder / "vectors.npy", mmap_mode="r")
    best = {}
    for name, every in EVERY.items():
        numbers = np.arange(0, SIZE, every)
        scores = matrix[numbers] @ questions.T
        best[name] = [numbers[np.argsort(-scores[:, q])[:10]].tolist()
                      for q in range(len(questions))]  # fmt: skip
    (folder / "exact.json").write_text(json.dumps(best))
    for engine in ("lancedb", "qdrant", "chroma"):
        command = [python, str(Path(__file__).with_name("other_engines.py")), engine, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout.strip() or f"{engine}: {done.stderr.strip().splitlines()[-1:]}")


def test_a_real_collection_is_ranked_alike_on_every_engine(tmp_path):
    folder = os.environ.get("DOCENT_BENCH_BEIR")
    if not folder:
        print("DOCENT_BENCH_BEIR names no collection")
        return
    settings = Settings()
    embedder = embedder_from(settings.embedder, settings.models)
    collection = read_collection(Path(folder))
    told = {}
    with server_in() as server:
        for name, place in (("folder", tmp_path / "index"), ("postgresql", server.url("beir"))):
            began = time.perf_counter()
            with writing(place, parts_of(embedder, settings.chunk.max_chars)) as writer:
                for batch in _batches(collection.documents()):
                    cuts = [Cut(one, chunk(one, settings.chunk.max_chars)) for one in batch]
                    _add(writer, cuts, embedder)
                writer.commit()
            built = time.perf_counter() - began
            with closing(open_index(place, embedder=embedder.name)) as index:
                for reranker in ("none", RetrievalSettings().reranker):
                    found = Retriever(index, embedder, RetrievalSettings(reranker=reranker))
                    rankings = {
                        query: list(dict.fromkeys(
                            beir_document_id(p.document_id)
                            for p in found.search(text, ANYBODY, 20, per_document=1)
                        ))
                        for query, text in collection.queries.items()
                    }  # fmt: skip
                    value = mean(score(collection.qrels, rankings, FIRST_TEN)["nDCG@10"])
                    told[name, reranker] = value.value
                    print(f"{name}, reranker {reranker}: nDCG@10 {value.value:.4f}, {built:.0f} s")
    for reranker in ("none", RetrievalSettings().reranker):
        assert abs(told["folder", reranker] - told["postgresql", reranker]) <= 0.01
