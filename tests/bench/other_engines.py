"""The same vectors in an engine that one would pick instead; run by an environment that has it.

    python tests/bench/other_engines.py lancedb|chroma|qdrant build|search FOLDER

FOLDER holds what `test_engines.py` wrote: `vectors.npy` (n, dim), `questions.npy`, `exact.json`
(filter → rows of the exact ten nearest, by question) and `allowed.json` (filter → N: of every N
rows the first ten pass). Prints one JSON object. Nothing of Docent is imported, so that the engine
needs no place in Docent's own environment.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BLOCK, TOGETHER, WARM = 10_000, 10, 5
Search = Callable[[Any, str], list[int]]


def passes(row: Any, every: int) -> Any:
    """Whether rows, one or many, pass a filter."""
    return row % every < TOGETHER


def memory_mb() -> float:
    """Of this process now."""
    return _status("VmRSS")


def peak_mb() -> float:
    """The most that this process had."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def build_lancedb(folder: Path, vectors: Any, filters: dict[str, int]) -> None:
    import lancedb
    import pyarrow as pa

    def block(start: int) -> Any:
        part = vectors[start : start + BLOCK]
        rows = np.arange(start, start + len(part))
        columns = {"row": pa.array(rows)}
        columns |= {name: pa.array(passes(rows, every)) for name, every in filters.items()}
        flat = pa.array(part.ravel(), type=pa.float32())
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        return pa.table(columns)

    table = lancedb.connect(folder).create_table("passages", block(0))
    for start in range(BLOCK, len(vectors), BLOCK):
        table.add(block(start))
    if len(vectors) > 20_000:
        table.create_index(metric="dot", index_type="IVF_HNSW_SQ")
    for name in filters:
        table.create_scalar_index(name, index_type="BITMAP")


def open_lancedb(folder: Path) -> Search:
    import lancedb

    table = lancedb.connect(folder).open_table("passages")

    def search(vector: Any, name: str) -> list[int]:
        query = table.search(vector).distance_type("dot").where(f"{name} = true", prefilter=True)
        # What the index says in bytes is compared again in full, or a tenth would be missing.
        found = query.limit(10).refine_factor(5).select(["row"]).to_list()
        return [one["row"] for one in found]

    return search


def build_qdrant(folder: Path, vectors: Any, filters: dict[str, int]) -> None:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
    client.create_collection("passages", vectors_config=size)
    for start in range(0, len(vectors), BLOCK):
        part = vectors[start : start + BLOCK]
        ids = list(range(start, start + len(part)))
        payload = [{n: passes(row, every) for n, every in filters.items()} for row in ids]
        client.upload_collection("passages", vectors=part, payload=payload, ids=ids)
    client.close()


def open_qdrant(folder: Path) -> Search:
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))

    def search(vector: Any, name: str) -> list[int]:
        match = models.FieldCondition(key=name, match=models.MatchValue(value=True))
        wanted = models.Filter(must=[match])
        found = client.query_points("passages", query=vector, query_filter=wanted, limit=10)
        return [int(point.id) for point in found.points]

    return search


def chroma_at(folder: Path) -> Any:
    import chromadb

    # It would tell its makers of every use.
    quiet = chromadb.Settings(anonymized_telemetry=False)
    return chromadb.PersistentClient(path=str(folder), settings=quiet)


def build_chroma(folder: Path, vectors: Any, filters: dict[str, int]) -> None:
    client = chroma_at(folder)
    passages = client.create_collection("passages", metadata={"hnsw:space": "ip"})
    step = min(5_000, client.get_max_batch_size())
    for start in range(0, len(vectors), step):
        part = np.asarray(vectors[start : start + step])
        rows = range(start, start + len(part))
        passages.add(
            ids=[str(row) for row in rows],
            embeddings=part,
            metadatas=[{n: passes(row, every) for n, every in filters.items()} for row in rows],
        )


def open_chroma(folder: Path) -> Search:
    passages = chroma_at(folder).get_collection("passages")

    def search(vector: Any, name: str) -> list[int]:
        found = passages.query(query_embeddings=[vector], n_results=10, where={name: True})
        return [int(row) for row in found["ids"][0]]

    return search


BUILD = {"lancedb": build_lancedb, "qdrant": build_qdrant, "chroma": build_chroma}
OPEN = {"lancedb": open_lancedb, "qdrant": open_qdrant, "chroma": open_chroma}


def built(name: str, folder: Path) -> dict[str, Any]:
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    filters = json.loads((folder / "allowed.json").read_text())
    before, started = memory_mb(), time.perf_counter()
    BUILD[name](folder / name, vectors, filters)
    took = time.perf_counter() - started
    files = [file for file in (folder / name).rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    return {"built_s": took, "build_mb": peak_mb() - before, "disk": size / len(vectors)}


def searched(name: str, folder: Path) -> dict[str, Any]:
    questions = np.load(folder / "questions.npy")
    exact = json.loads((folder / "exact.json").read_text())
    before = memory_mb()
    search = OPEN[name](folder / name)
    told: dict[str, Any] = {"times": {}, "recall": {}}
    for wanted in exact:
        times, recalls = [], []
        for number, vector in enumerate(questions):
            begun = time.perf_counter()
            got = search(vector, wanted)
            times.append(1000 * (time.perf_counter() - begun))
            best = exact[wanted][number]
            recalls.append(len(set(got) & set(best)) / len(best))
        told["times"][wanted] = np.percentile(times[WARM:], [50, 95]).tolist()
        told["recall"][wanted] = float(np.mean(recalls))
    return told | {"search_mb": memory_mb() - before}


if __name__ == "__main__":
    engine, step, place = sys.argv[1:]
    print(json.dumps((built if step == "build" else searched)(engine, Path(place))))
