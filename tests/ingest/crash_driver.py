"""Kills ingests at random moments and checks what they leave: python -m tests.ingest.crash_driver

Every ingest and every check runs in a process of its own, forked from this one so that the engines
need not be loaded each time; this process itself never touches them.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from ingest.access import Reader
from ingest.errors import IndexMissing
from ingest.index import EmbeddedIndex, store, visits
from ingest.model import Page
from ingest.pipeline import Pace, sync
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, page, writer_at

ALL = Reader(frozenset({"staff"}))
PACE = Pace(pages=2, texts=6, checkpoint_s=0)
QUERIES = ("number 7", "changed page", "many words 21")


def first() -> list[Page]:
    """What the source holds at first: 40 pages of two chunks."""
    texts = (
        f"Page number {n}. " + "Many words. " * 20 + f"\n\nEnd of {n}. " * 9 for n in range(40)
    )
    pages = [page(f"p{n}", text) for n, text in enumerate(texts)]
    return [
        replace(p, access=frozenset({"staff"})) if n % 3 == 0 else p for n, p in enumerate(pages)
    ]


def second() -> list[Page]:
    """Later: some changed, some gone, some new, some with other rights."""
    kept = [p for n, p in enumerate(first()) if n % 5]
    changed = [
        replace(p, content=p.content + b"\n\nA changed page.") if n % 4 == 0 else p
        for n, p in enumerate(kept)
    ]
    opened = [
        replace(p, access=frozenset({"public"})) if n % 7 == 0 else p for n, p in enumerate(changed)
    ]
    return opened + [page(f"new{n}", f"A new page {n} of many words {n}.") for n in range(10)]


def ingest(folder: Path, pages: list[Page]) -> None:
    """One ingest that commits as often as it can."""
    embedder = HashEmbedder()
    with writer_at(folder, embedder) as writer:
        sync([ListSource(pages)], writer, embedder, HerePool(), pace=PACE)


def dump(folder: Path) -> dict[str, object] | None:
    """Everything that a reader of the index can see, without names that only one run has."""
    embedder = HashEmbedder()
    try:
        index = EmbeddedIndex(folder, embedder=embedder.name)
    except IndexMissing:
        return None
    with index.snapshot() as snapshot:
        rows = [int(row) for row in snapshot.rows]
        chunks = snapshot.chunks(rows, ALL)
        assert len(chunks) == len(rows)
        vectors = snapshot._dense.vectors(rows)
        lines = {}
        for stored, vector in zip(chunks, vectors, strict=True):
            expected = embedder.embed_query(stored.chunk.indexed)
            assert abs(float(vector @ expected) - 1) < 1e-5, stored.chunk.id
            lines[stored.chunk.id] = [stored.chunk.text, sorted(stored.access)]
        assert len(lines) == len(rows)
        # Whole: every chunk of every document is there, and the words find the same chunks.
        by_document: dict[str, int] = {}
        for stored in chunks:
            by_document[stored.chunk.document_id] = by_document.get(stored.chunk.document_id, 0) + 1
        assert snapshot._lexical._searcher.num_docs == len(rows)
        found = {}
        for query in QUERIES:
            hits = snapshot.search_lexical(query, len(rows) or 1, ALL)
            found[query] = sorted(s.chunk.id for s in snapshot.chunks([h.row for h in hits], ALL))
    index.close()
    db = store.connect(folder)
    pages = {i: state.digest.hex() for i, state in visits.page_states(db, "test").items()}
    db.close()
    return {"chunks": lines, "found": found, "documents": by_document, "pages": pages}


def forked(target: object, *args: object) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=target, args=args)  # type: ignore[arg-type]
    process.start()
    return process


def finished(target: object, *args: object) -> None:
    process = forked(target, *args)
    process.join(60)
    assert process.exitcode == 0, f"exit {process.exitcode}"


def write_dump(folder: Path, out: Path) -> None:
    out.write_text(json.dumps(dump(folder), sort_keys=True))


def dumped(folder: Path) -> dict[str, object] | None:
    out = folder.with_suffix(".json")
    finished(write_dump, folder, out)
    found: dict[str, object] | None = json.loads(out.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    folder: Path = options.folder
    finished(ingest, folder / "calm", first())
    calm_first = dumped(folder / "calm")
    started = time.monotonic()
    finished(ingest, folder / "calm", second())
    whole = time.monotonic() - started
    calm_second = dumped(folder / "calm")

    killed = empty = partial = 0
    for number in range(options.kills):
        at = folder / f"kill{number}"
        update = number % 2 == 1
        if update:
            finished(ingest, at, first())
        process = forked(ingest, at, second() if update else first())
        process.join(moments.uniform(0, whole))
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.join()
        left = dumped(at)
        empty += left is None
        partial += left not in (None, calm_first, calm_second)
        finished(ingest, at, second() if update else first())
        assert dumped(at) == (calm_second if update else calm_first), f"moment {number} differs"
    told = {
        "moments": options.kills,
        "killed": killed,
        "no index yet": empty,
        "in between": partial,
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
