"""A whole ingest against `SentenceTransformer.encode` alone, on the same chunks in the same run."""

import os
import time
from pathlib import Path

import pytest

from ingest.access import Reader
from ingest.catalogue import locate
from ingest.embed import embedder_from
from ingest.index import EmbeddedIndex, writing
from ingest.pipeline import parts_of, sync
from ingest.settings import EmbedderSettings, ModelsSettings
from ingest.source_settings import FilesSettings
from ingest.sources.files import FilesSource
from ingest.workers import parse_pool

ROOT = Path(__file__).parents[2]
WORKERS = 1


@pytest.mark.bench
def test_ingest_rate(tmp_path):
    folder = Path(os.environ.get("DOCENT_BENCH_TEXTS", ROOT / "sample"))
    settings = FilesSettings.model_validate(
        {"kind": "files", "path": folder, "access": ["public"], "exclude": ["questions.jsonl"]}
    )
    models = ModelsSettings(dir=ModelsSettings().dir.expanduser())
    embedder = embedder_from(EmbedderSettings(), models)
    embedder.embed_query("Load the model before the clock starts.")
    parts = parts_of(embedder, 1000)
    started = time.perf_counter()
    with writing(tmp_path / "index", parts) as writer, parse_pool(WORKERS, 120, 1000) as pool:
        (report,) = sync([FilesSource("bench", settings)], writer, embedder, pool)
    whole = time.perf_counter() - started

    index = EmbeddedIndex(tmp_path / "index", embedder=embedder.name)
    with index.snapshot() as snapshot:
        rows = [int(row) for row in snapshot.rows]
        chunks = snapshot.chunks(rows, Reader(frozenset({"public"})))
    index.close()
    texts = list(dict.fromkeys(stored.chunk.indexed for stored in chunks))

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(locate(EmbedderSettings().model, models)), device="cpu")
    started = time.perf_counter()
    model.encode(texts, batch_size=32, normalize_embeddings=True)
    alone = time.perf_counter() - started
    started = time.perf_counter()
    embedder.embed_documents(texts)
    ours = time.perf_counter() - started

    print(f"\n{report.new} pages, {report.chunks} chunks, {report.embedded} texts embedded")
    print(f"whole ingest   {whole:6.1f} s  {report.chunks / whole:5.1f} chunks/s")
    print(f"encode alone   {alone:6.1f} s  {len(texts) / alone:5.1f} chunks/s")
    print(f"our embedder   {ours:6.1f} s  {len(texts) / ours:5.1f} chunks/s")
    print(f"ingest / encode: {(report.chunks / whole) / (len(texts) / alone):.2f}")

    started = time.perf_counter()
    with writing(tmp_path / "index", parts) as writer, parse_pool(WORKERS, 120, 1000) as pool:
        (again,) = sync([FilesSource("bench", settings)], writer, embedder, pool)
    repeated = time.perf_counter() - started
    print(f"again, unchanged: {repeated:.2f} s, {100 * repeated / whole:.2f} % of the first run")
    assert (again.new, again.changed, again.embedded) == (0, 0, 0)
