"""Kills builds and swaps of a second index at random moments: python -m tests.ingest.swap_driver

Whatever the moment, the index that `sides.json` says serves must be whole, and the change-over must
come to its end when it is tried again. Processes are forked as in `crash_driver`.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from ingest.beside import Parts, build, sides_of, swap
from ingest.embed import Embedder
from ingest.index import engine_at, open_index
from ingest.settings import Settings
from ingest.sides import Made
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool
from tests.ingest.crash_driver import ALL, finished, first, forked, ingest


class Backwards(HashEmbedder):
    """Another embedder: other vectors under another name."""

    name = "backwards"

    def embed_query(self, text):
        return super().embed_query(text[::-1])


EMBEDDERS: dict[str, Embedder] = {"hash": HashEmbedder(), "back": Backwards()}
PARTS = Parts(lambda made: EMBEDDERS[made.model], HerePool())


def settings(folder: Path) -> Settings:
    told = {"index": {"path": folder}, "embedder": {"model": "hash"}, "chunk": {"max_chars": 300}}
    return Settings.model_validate(told)


def build_second(folder: Path) -> None:
    build(settings(folder), Made("back"), PARTS)


def change_over(folder: Path) -> None:
    if sides_of(settings(folder))[0].made.model != "back":
        swap(settings(folder), PARTS)


def change(folder: Path) -> None:
    """Build the second index and let it serve, from wherever an earlier attempt ended."""
    if sides_of(settings(folder))[0].made.model != "back":
        build_second(folder)
        change_over(folder)


def write_served(folder: Path, out: Path) -> None:
    """What a reader gets: the embedder, and every chunk, whose vector must be that embedder's."""
    serving = sides_of(settings(folder))[0]
    embedder = EMBEDDERS[serving.made.model]
    index = open_index(settings(folder).index.place, embedder=embedder.name)
    with index.snapshot() as snapshot:
        rows = [int(row) for row in snapshot.rows]
        chunks = snapshot.chunks(rows, ALL)
        vectors = snapshot.vectors(rows, ALL)
        for stored, vector in zip(chunks, vectors, strict=True):
            expected = embedder.embed_query(stored.chunk.indexed)
            assert abs(float(vector @ expected) - 1) < 1e-5, stored.chunk.id
        told = sorted([stored.chunk.id, sorted(stored.access)] for stored in chunks)
    index.close()
    assert engine_at(settings(folder).index.place).serving().parts.embedder == embedder.name
    out.write_text(json.dumps({"embedder": serving.made.model, "chunks": told}))


def served(folder: Path) -> dict[str, object]:
    out = folder.with_suffix(".json")
    finished(write_served, folder, out)
    found: dict[str, object] = json.loads(out.read_text())
    return found


def timed(target: object, folder: Path) -> float:
    started = time.monotonic()
    finished(target, folder)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    folder: Path = options.folder
    finished(ingest, folder / "calm", first())
    before = served(folder / "calm")
    seconds = [timed(build_second, folder / "calm"), timed(change_over, folder / "calm")]
    after = served(folder / "calm")
    assert before["embedder"] == "hash"
    assert after == before | {"embedder": "back"}

    killed = swapped = 0
    for number in range(options.kills):
        at = folder / f"kill{number}"
        finished(ingest, at, first())
        if number % 2:  # the build is done, and the swap is to die
            finished(build_second, at)
        process = forked(change_over if number % 2 else change, at)
        process.join(moments.uniform(0, seconds[number % 2]))
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.join()
        left = served(at)
        assert left in (before, after), f"moment {number} left something else"
        swapped += left == after
        finished(change, at)
        assert served(at) == after, f"moment {number} did not come to its end"
    told = {"moments": options.kills, "killed": killed, "swapped": swapped}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
