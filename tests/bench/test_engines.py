"""One corpus and its questions on every engine: time, recall, agreement, memory, disk, building.

    DOCENT_BENCH_PASSAGES=100000 python -m pytest -m bench -s tests/bench/test_engines.py
    DOCENT_BENCH_PASSAGES=1000000 python -m pytest -m bench -s tests/bench/test_engines.py

Vectors are clusters on a sphere, so that no model is needed and the approximate search has
something to get wrong; texts are words whose frequencies fall as those of a language do. Passages
come ten to a document; every document, each tenth and each thousandth is open to a group, which
makes the filters. Building and searching are done in a process each, whose memory is told.

LanceDB and Chroma (and Qdrant's local mode among few passages) are asked for the same vectors where
build/engines, or the environment whose Python DOCENT_BENCH_OTHERS names, has them:

    uv venv build/engines && uv pip install --python build/engines lancedb chromadb qdrant-client

DOCENT_BENCH_ENGINES names those that are asked beside the folder (or `folder`: none).
DOCENT_BENCH_BEIR names a collection (corpus.jsonl, queries.jsonl, qrels/test.tsv) for nDCG@10 with
the real embedder on each engine.
"""

import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant.retrieve import Retriever
from eval.build import _add, _batches
from eval.datasets import beir_document_id, read_collection
from eval.measures import FIRST_TEN, mean, score
from ingest.access import ANYBODY, Reader
from ingest.chunk import chunk
from ingest.embed import Vectors, embedder_from
from ingest.index import Place, engine_at, open_index, text_digest, writing
from ingest.model import Block, BlockKind, Chunk, Cut, Document, Section
from ingest.pipeline import parts_of
from ingest.settings import RetrievalSettings, Settings
from tests.bench.other_engines import memory_mb, peak_mb
from tests.postgres import memory_of, server_in

pytestmark = pytest.mark.bench

T = TypeVar("T")
Vector = NDArray[np.float32]
Exact = dict[str, list[list[int]]]
"""The numbers of the ten nearest passages by filter and question."""

SIZE = int(os.environ.get("DOCENT_BENCH_PASSAGES", "100000"))
QUESTIONS = int(os.environ.get("DOCENT_BENCH_QUESTIONS", "200"))
OTHERS = Path(os.environ.get("DOCENT_BENCH_OTHERS", "build/engines/bin/python"))
OURS, OTHER_ENGINES = ("folder", "postgresql"), ("lancedb", "chroma", "qdrant")
ENGINES = os.environ.get("DOCENT_BENCH_ENGINES", ",".join(OURS + OTHER_ENGINES)).split(",")
QDRANT_MOST = 20_000
"""Its local mode compares everything in Python, and says itself that it is for no more."""
WARM = 5
"""Questions of each filter that are asked before time is taken."""
STEP = 200_000
"""Passages of a commit of the folder, whose writer keeps what is new in memory until then."""
DIM, PER_DOCUMENT = 384, 10
EVERY = {"whole": 1, "tenth": 10, "thousandth": 1000}
SHARES = {"whole": "100 %", "tenth": "10 %", "thousandth": "0.1 %"}
VOCABULARY = 50_000
GRAPH_GB = 1 + 3 * SIZE // 10**6
"""So much that the graph of the vectors fits while it is built."""
SERVER = (
    "-c", "shared_buffers=2GB", "-c", f"maintenance_work_mem={GRAPH_GB}GB",
    "-c", "effective_cache_size=6GB",
    "-c", "max_wal_size=8GB", "-c", "dynamic_shared_memory_type=mmap",
)  # fmt: skip


@dataclass
class Told:
    """What was found out about one engine."""

    built_s: float = 0.0
    build_mb: float = 0.0
    """The most memory while building, of the process and the database's."""
    disk: float = 0.0
    """Bytes a passage."""
    search_mb: float = 0.0
    """By how much the process that searches grew, and the database's processes."""
    times: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)
    """p50 and p95 in milliseconds, by filter and arm."""
    recall: dict[str, float] = field(default_factory=dict)
    ranked: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """The passages of the hybrid search, by filter and question."""


class Clusters:
    """An embedder whose questions lie near a passage; documents' vectors are handed in."""

    name, dim = "clusters", DIM

    def __init__(self) -> None:
        self.centres = np.random.default_rng(1).standard_normal((2000, DIM)).astype(np.float32)

    def vectors(self, start: int, count: int) -> Vector:
        """Of the passages from `start` on."""
        rng = np.random.default_rng(start + 7)
        near = self.centres[rng.integers(len(self.centres), size=count)]
        return self._unit(near + 0.9 * rng.standard_normal((count, DIM)))

    def document(self, number: int) -> Vector:
        """Of all passages of a document."""
        return self.vectors(number * PER_DOCUMENT, PER_DOCUMENT)

    def embed_query(self, text: str) -> Vector:
        rng = np.random.default_rng(int(text.rpartition(" ")[2][1:]))
        near = self.centres[rng.integers(len(self.centres))]
        return self._unit(near + 0.9 * rng.standard_normal(DIM))

    def embed_documents(
        self, texts: Sequence[str], progress: Callable[[int], None] = lambda n: None
    ) -> Vectors:
        return np.stack([self.embed_query(text) for text in texts])

    def _unit(self, found: NDArray[Any]) -> Vector:
        unit: Vector = (found / np.linalg.norm(found, axis=-1, keepdims=True)).astype(np.float32)
        return unit


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


def apart(work: Callable[..., T], *args: Any) -> T:
    """Done in a process of its own, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *args).result()


def fill(place: Place) -> Told:
    """Take everything in, readers get it at once; what it took, without making up the texts."""
    embedder, rng, before = Clusters(), random.Random(1), memory_mb()
    spent, began = 0.0, time.perf_counter()
    with writing(place, parts_of(embedder, 1000)) as writer:
        for number in range(SIZE // PER_DOCUMENT):
            begun = time.perf_counter()
            one, pieces = document(number, rng)
            vectors = embedder.document(number)
            named = {text_digest(p.indexed): v for p, v in zip(pieces, vectors, strict=True)}
            spent += time.perf_counter() - begun
            writer.put(one.id, [Cut(one, pieces)], named)
            if isinstance(place, Path) and (number + 1) * PER_DOCUMENT % STEP == 0:
                writer.commit(publish=False, final=False)
        writer.commit()
    built = time.perf_counter() - began - spent
    return Told(built, peak_mb() - before, engine_at(place).bytes() / SIZE)


def nearest(embedder: Clusters, questions: Vector) -> Exact:
    """The exact ten of each filter, by a product over everything, a block at a time."""
    best = {
        name: (np.full((QUESTIONS, 10), -2.0), np.zeros((QUESTIONS, 10), int)) for name in EVERY
    }
    for start in range(0, SIZE // PER_DOCUMENT, 1000):
        documents = range(start, min(start + 1000, SIZE // PER_DOCUMENT))
        scores = questions @ np.concatenate([embedder.document(n) for n in documents]).T
        rows = np.arange(scores.shape[1]) + start * PER_DOCUMENT
        for name, every in EVERY.items():
            taken = rows // PER_DOCUMENT % every == 0
            values, numbers = best[name]
            every_value = np.hstack([values, scores[:, taken]])
            every_number = np.hstack([numbers, np.tile(rows[taken], (QUESTIONS, 1))])
            first = np.argpartition(-every_value, 9, axis=1)[:, :10]
            best[name] = (
                np.take_along_axis(every_value, first, 1),
                np.take_along_axis(every_number, first, 1),
            )
    return {name: numbers.tolist() for name, (_, numbers) in best.items()}


def timed(took: list[float], work: Callable[..., T], *args: Any, **more: Any) -> T:
    """What some work gives; the milliseconds that it took are noted."""
    begun = time.perf_counter()
    found = work(*args, **more)
    took.append(1000 * (time.perf_counter() - begun))
    return found


def search(place: Place, exact: Exact, database: int | None, told: Told) -> Told:
    """Ask one engine everything; the database's processes are those of a postmaster."""
    embedder, before = Clusters(), memory_mb()
    with closing(open_index(place, embedder=embedder.name)) as index:
        retriever = Retriever(index, embedder, RetrievalSettings(reranker="none"))
        for name in EVERY:
            reader = Reader(frozenset({name}))
            took: dict[str, list[float]] = {"dense": [], "words": [], "hybrid": []}
            recalls: list[float] = []
            told.ranked[name] = {}
            for number, text in enumerate(asked()):
                vector = embedder.embed_query(text)
                with index.snapshot() as one:
                    hits = timed(took["dense"], one.search_dense, vector, 10, reader)
                    timed(took["words"], one.search_lexical, text, 10, reader)
                    stored = one.chunks([hit.row for hit in hits], reader)
                got = {
                    int(s.chunk.text.split()[1]) * PER_DOCUMENT + s.chunk.ordinal for s in stored
                }
                recalls.append(len(got & set(exact[name][number])) / len(exact[name][number]))
                passages = timed(took["hybrid"], retriever.search, text, reader, 10, mode="hybrid")
                told.ranked[name][text] = [passage.chunk_id for passage in passages]
            for arm, times in took.items():
                p50, p95 = np.percentile(times[WARM:], [50, 95])
                told.times[name, arm] = (float(p50), float(p95))
            told.recall[name] = float(np.mean(recalls))
        told.search_mb = memory_mb() - before + (memory_of(database) if database else 0)
    return told


def agreement(ours: Told, theirs: Told) -> dict[str, float]:
    """nDCG@10 of one engine's hybrid order, the other's ten being what is right, best first."""
    told = {}
    for name in EVERY:
        grades = {text: {d: 10 - at for at, d in enumerate(found)}
                  for text, found in theirs.ranked[name].items()}  # fmt: skip
        told[name] = mean(score(grades, ours.ranked[name], FIRST_TEN)["nDCG@10"]).value
    return told


def test_engines_side_by_side(tmp_path: Path) -> None:
    embedder = Clusters()
    questions = np.stack([embedder.embed_query(text) for text in asked()])
    exact = nearest(embedder, questions)
    told: dict[str, Told] = {}
    with server_in() if "postgresql" in ENGINES else nullcontext() as server:
        places: dict[str, Place] = {"folder": tmp_path / "index"}
        if server:
            server.restart(*SERVER)
            places["postgresql"] = server.url("bench")
        for name, place in places.items():
            database = server.pid if server and name == "postgresql" else None
            print(f"\n{name} is built ...", flush=True)
            told[name] = apart(fill, place)
            told[name].build_mb += memory_of(database) if database else 0
            print(f"{name} is searched ...", flush=True)
            told[name] = apart(search, place, exact, database, told[name])
            show({name: told[name]}, told["folder"])
    told |= others(tmp_path, embedder, questions, exact, told["folder"])
    print(f"\n{SIZE:,} passages of {DIM} numbers, {QUESTIONS} questions")
    show(told, told["folder"])
    if "postgresql" not in told:
        return
    shown = ", ".join(
        f"{SHARES[name]}: {value:.4f}"
        for name, value in agreement(told["postgresql"], told["folder"]).items()
    )
    print(f"\nnDCG@10 of PostgreSQL's hybrid order, the folder's being right: {shown}")


def show(told: dict[str, Told], ours: Told) -> None:
    """Two tables; of each as soon as it is there, since the next may take hours.

    The ratio is of the p95 of the vector search, which all of them have.
    """
    print("\nsearch, ms  filter    vectors p50   p95  words p50   p95  hybrid p50   p95  recall@10"
          "  p95 to the folder's")  # fmt: skip
    for engine, one in told.items():
        for name in EVERY:
            arms = "  ".join(
                f"{at[0]:>9.1f} {at[1]:>6.1f}" if at else f"{'-':>9} {'-':>6}"
                for at in (one.times.get((name, arm)) for arm in ("dense", "words", "hybrid"))
            )
            ratio = one.times[name, "dense"][1] / ours.times[name, "dense"][1]
            print(
                f"{engine:<11} {SHARES[name]:<9}  {arms}  {one.recall[name]:>9.4f}  {ratio:>6.2f}"
            )
    print("\nengine       built, s  MB to build  disk, bytes a passage  memory, bytes a passage")
    for engine, one in told.items():
        held = one.search_mb * 2**20 / SIZE
        built = f"{one.built_s:>9.0f} {one.build_mb:>12.0f}"
        print(f"{engine:<11} {built} {one.disk:>22.0f} {held:>24.0f}")


def others(
    folder: Path, embedder: Clusters, questions: Vector, exact: Exact, ours: Told
) -> dict[str, Told]:
    """What one would pick instead, with the same vectors, as far as it is installed."""
    if not set(OTHER_ENGINES) & set(ENGINES):
        return {}
    if not OTHERS.exists():
        print(f"No other engine is asked: there is no {OTHERS} (see the head of this file)")
        return {}
    matrix = np.lib.format.open_memmap(
        folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(SIZE, DIM)
    )
    for number in range(SIZE // PER_DOCUMENT):
        matrix[number * PER_DOCUMENT : (number + 1) * PER_DOCUMENT] = embedder.document(number)
    matrix.flush()
    np.save(folder / "questions.npy", questions)
    (folder / "allowed.json").write_text(
        json.dumps({n: PER_DOCUMENT * e for n, e in EVERY.items()})
    )
    (folder / "exact.json").write_text(json.dumps(exact))
    found = {}
    for engine in (one for one in OTHER_ENGINES if one in ENGINES):
        if engine == "qdrant" and SIZE > QDRANT_MOST:
            print(f"qdrant is not asked: its local mode is for {QDRANT_MOST:,} passages")
            continue
        told: dict[str, Any] = {}
        for step in ("build", "search"):
            print(f"{engine}: {step} ...", flush=True)
            script = str(Path(__file__).with_name("other_engines.py"))
            command = [str(OTHERS), script, engine, step, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{engine} is not measured: {done.stderr.strip().splitlines()[-1:]}")
                break
            told |= json.loads(done.stdout.splitlines()[-1])
        else:
            times = {(name, "dense"): tuple(told["times"][name]) for name in EVERY}
            found[engine] = Told(
                told["built_s"], told["build_mb"], told["disk"], told["search_mb"], times,
                told["recall"],
            )  # fmt: skip
            show({engine: found[engine]}, ours)
    return found


def test_a_real_collection_is_ranked_alike_on_every_engine(tmp_path: Path) -> None:
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
