"""The same vectors in an engine that one would pick instead; run by an environment that has it.

    python tests/bench/other_engines.py lancedb|qdrant|chroma FOLDER

FOLDER holds what `test_engines.py` wrote: `vectors.npy` (n, dim), `questions.npy`, `exact.json`
(filter → rows of the exact ten nearest, by question) and `allowed.json` (filter → share). A row
passes a filter when `row % every == 0`. Prints one JSON object. Nothing of Docent is imported, so
that the engine needs no place in Docent's own environment.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

BLOCK = 10_000


def lancedb_engine(folder, vectors, filters):
    import lancedb
    import pyarrow as pa

    table = None
    db = lancedb.connect(folder / "lancedb")
    for start in range(0, len(vectors), BLOCK):
        part = vectors[start : start + BLOCK]
        rows = np.arange(start, start + len(part))
        columns = {"row": pa.array(rows)}
        columns |= {name: pa.array(rows % every == 0) for name, every in filters.items()}
        flat = pa.array(part.ravel(), type=pa.float32())
        columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        data = pa.table(columns)
        if table is None:
            table = db.create_table("passages", data)
        else:
            table.add(data)
    if len(vectors) > 20_000:
        table.create_index(metric="dot", index_type="IVF_HNSW_SQ")
        for name in filters:
            table.create_scalar_index(name, index_type="BITMAP")

    def search(vector, name):
        query = table.search(vector).metric("dot").limit(10).where(f"{name} = true", prefilter=True)
        return [one["row"] for one in query.select(["row"]).to_list()]

    return search


def qdrant_engine(folder, vectors, filters):
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder / "qdrant"))
    size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
    client.create_collection("passages", vectors_config=size)
    for start in range(0, len(vectors), BLOCK):
        part = vectors[start : start + BLOCK]
        payload = [
            {name: (start + at) % every == 0 for name, every in filters.items()}
            for at in range(len(part))
        ]
        ids = list(range(start, start + len(part)))
        client.upload_collection("passages", vectors=part, payload=payload, ids=ids)

    def search(vector, name):
        match = models.FieldCondition(key=name, match=models.MatchValue(value=True))
        wanted = models.Filter(must=[match])
        found = client.query_points("passages", query=vector, query_filter=wanted, limit=10)
        return [point.id for point in found.points]

    return search


def chroma_engine(folder, vectors, filters):
    import chromadb

    client = chromadb.PersistentClient(path=str(folder / "chroma"))
    passages = client.create_collection("passages", metadata={"hnsw:space": "ip"})
    step = min(5_000, client.get_max_batch_size())
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        rows = range(start, start + len(part))
        passages.add(
            ids=[str(row) for row in rows],
            embeddings=part,
            metadatas=[{name: row % every == 0 for name, every in filters.items()} for row in rows],
        )

    def search(vector, name):
        found = passages.query(query_embeddings=[vector], n_results=10, where={name: True})
        return [int(row) for row in found["ids"][0]]

    return search


ENGINES = {"lancedb": lancedb_engine, "qdrant": qdrant_engine, "chroma": chroma_engine}


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main(name: str, folder: Path) -> None:
    vectors, asked = np.load(folder / "vectors.npy"), np.load(folder / "questions.npy")
    filters = json.loads((folder / "allowed.json").read_text())
    exact = json.loads((folder / "exact.json").read_text())
    started = time.perf_counter()
    search = ENGINES[name](folder, vectors, filters)
    told = {"engine": name, "built_s": round(time.perf_counter() - started, 1), "filters": {}}
    for wanted in filters:
        times, recalls = [], []
        for number, vector in enumerate(asked):
            begun = time.perf_counter()
            got = search(vector, wanted)
            times.append(1000 * (time.perf_counter() - begun))
            best = exact[wanted][number]
            recalls.append(len(set(got) & set(best)) / len(best))
        p50, p95 = np.percentile(times[5:], [50, 95])
        told["filters"][wanted] = {
            "p50_ms": round(p50, 2), "p95_ms": round(p95, 2), "recall": round(np.mean(recalls), 4),
        }  # fmt: skip
    told["disk_mb"] = round(size_of(folder / name) / 1e6, 1)
    told["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
