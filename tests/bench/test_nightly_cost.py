"""What a night costs: 20,000 documents, of which 0.5 % changed since the first ingest.

Documents are of one chunk or two, made from the words of the sample: short ones make the bar harder
to reach, since embedding, the larger part of a first ingest, is little. They are read
from a folder, every one each night, which is what the dearest kind of source does.
"""

import os
import random
import resource
import time
from pathlib import Path

import pytest

from ingest.embed import embedder_from
from ingest.index import writing
from ingest.pipeline import parts_of, sync
from ingest.settings import EmbedderSettings, ModelsSettings
from ingest.source_settings import FilesSettings
from ingest.sources.files import FilesSource
from ingest.workers import parse_pool

pytestmark = pytest.mark.bench

SIZE = int(os.environ.get("DOCENT_BENCH_DOCUMENTS", "20000"))
ROOT = Path(__file__).parents[2]


def cpu_seconds() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def words() -> list[str]:
    texts = sorted((ROOT / "sample" / "mkdocs").rglob("*.md"))
    return [word for path in texts for word in path.read_text().split() if word.isalpha()]


def text(number: int, day: int, vocabulary: list[str]) -> str:
    rng = random.Random(f"{number}/{day}")
    length = rng.choice((60, 110, 180))
    return f"# Page {number}\n\n" + " ".join(rng.choices(vocabulary, k=length))


def test_a_night(tmp_path):
    vocabulary = words()
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(SIZE):
        (folder / f"{number}.md").write_text(text(number, 0, vocabulary))
    models = ModelsSettings(dir=ModelsSettings().dir.expanduser())
    embedder = embedder_from(EmbedderSettings(), models)
    embedder.embed_query("Load the model before the clock starts.")
    parts = parts_of(embedder, 1000)
    settings = FilesSettings.model_validate({"kind": "files", "path": folder, "access": ["public"]})

    def night():
        before, started = cpu_seconds(), time.perf_counter()
        with (
            writing(tmp_path / "index", parts, keep=3) as writer,
            parse_pool(1, 120, 1000) as pool,
        ):
            (report,) = sync([FilesSource("docs", settings)], writer, embedder, pool)
            writer.commit()
        return report, cpu_seconds() - before, time.perf_counter() - started

    first, first_cpu, first_s = night()
    print(f"\nfirst: {first.new:,} documents, {first.chunks:,} chunks, ", end="")
    print(f"{first_cpu:.0f} s of CPU, {first_s:.0f} s")
    rng = random.Random(1)
    for number in rng.sample(range(SIZE), SIZE // 200):
        (folder / f"{number}.md").write_text(text(number, 1, vocabulary))
    second, second_cpu, second_s = night()
    share = 100 * second_cpu / first_cpu
    print(f"night: {second.changed:,} changed, {second.embedded:,} chunks embedded, ", end="")
    print(f"{second_cpu:.1f} s of CPU ({share:.2f} %), {second_s:.1f} s")
    third, third_cpu, _ = night()
    print(f"nothing new: {third_cpu:.1f} s of CPU ({100 * third_cpu / first_cpu:.2f} %)")
    assert (second.changed, second.unchanged) == (SIZE // 200, SIZE - SIZE // 200)
    assert third.unchanged == SIZE
