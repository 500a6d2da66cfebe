"""An index from one engine to another, without a source asked or a text embedded again.

The newest generation goes over with its vectors, stored pages and what is known of the sources, so
that the copy can be searched at once and ingested into tonight. Then it is compared with what it
was made of: counts, a digest of every chunk, some vectors, and some searches of both arms.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from ingest.access import Reader
from ingest.errors import IndexDamaged, IndexMissing, IndexTrouble
from ingest.index import (
    Hit,
    Index,
    Place,
    Snapshot,
    Writer,
    engine_at,
    generations,
    open_index,
    store,
    text_digest,
    visits,
    whole,
    writing,
)
from ingest.index.manifest import Manifest

BATCH = 200
"""Pages whose vectors are read together."""
SEARCHES = 20
LEAST = 0.9
"""Of the first ten hits of the sample, so many must be the same: one engine's search is exact, the
other's need not be, and equal scores stand in any order."""
KEEP_ALL = 1_000_000

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What went over, and how alike the two are."""

    generation: int
    """Of the copy."""
    published: bool
    """Whether readers of the copy get it: not where the newest generation did not serve."""
    pages: int
    documents: int
    chunks: int
    digest: str
    dense: float
    """Share of the first ten hits that both give, by meaning and by words."""
    lexical: float


def copy_index(origin: Place, target: Place, told: Told = lambda done, of: None) -> Copied:
    """Copy the newest generation; `told` hears of pages done and of how many there are.

    Both are locked for other writers meanwhile.

    Raises:
        IndexMissing: there is nothing at `origin`. IndexBusy: somebody writes one of the two.
        IndexTrouble: there is an index at `target` already, or the copy is not what it should be.
    """
    kept = generations(origin)
    parts, served = kept[-1].parts, kept[-1].serving
    _empty(target)
    with (
        writing(origin, parts, keep=KEEP_ALL) as old,
        writing(target, parts) as new,
    ):
        pages = _pages(old, new)
        ids = whole.page_ids(old.db)
        for start in range(0, len(ids), BATCH):
            _documents(old, new, ids[start : start + BATCH])
            told(min(len(ids), start + BATCH), len(ids))
        for table, rows in whole.kept_of_sources(old.db):
            whole.keep_of_sources(new.db, table, rows)
        generation = new.commit(publish=served)
        documents, chunks, digest = _same_rows(old, new)
        _same_vectors(old, new)
    dense, lexical = _same_searches(origin, target, old.manifest, generation)
    return Copied(generation, served, pages, documents, chunks, digest, dense, lexical)


def _empty(target: Place) -> None:
    try:
        generations(target)
    except IndexMissing:
        return
    msg = f"There is an index at {target} already. Name another place to copy to."
    raise IndexTrouble(msg)


def _pages(old: Writer, new: Writer) -> int:
    count = 0
    for source in visits.sources(old.db):
        digests = visits.page_states(old.db, source)
        for page in visits.stored_pages(old.db, source):
            visits.save_page(new.db, page, digests[page.id].digest)
            count += 1
    return count


def _documents(old: Writer, new: Writer, pages: Sequence[str]) -> None:
    cuts = {page: whole.cuts_of_page(old.db, page) for page in pages}
    wanted = [
        text_digest(chunk.indexed) for made in cuts.values() for cut in made for chunk in cut.chunks
    ]
    vectors = old.known_vectors(wanted)
    if missing := set(wanted) - vectors.keys():
        msg = f"{len(missing)} chunks have no vector in the index. Run: docent ingest --rebuild"
        raise IndexDamaged(msg)
    for page, made in cuts.items():
        new.put(page, made, vectors)


def _same_rows(old: Writer, new: Writer) -> tuple[int, int, str]:
    """Documents, chunks and their digest, the same in both."""
    numbers = [one.manifest.generation if one.manifest else 0 for one in (old, new)]
    sizes = [
        store.documents_by_source(one.db, number)
        for one, number in zip((old, new), numbers, strict=True)
    ]
    found = [
        whole.fingerprint(one.db, number) for one, number in zip((old, new), numbers, strict=True)
    ]
    if sizes[0] != sizes[1] or found[0] != found[1]:
        msg = f"The copy holds {found[1][0]:,} chunks, and not the same {found[0][0]:,} as before."
        raise IndexTrouble(msg)
    documents = sum(one for one, _ in sizes[0].values())
    return documents, *found[0]


def _same_vectors(old: Writer, new: Writer) -> None:
    rows = old.db.execute("SELECT digest FROM chunks WHERE died IS NULL LIMIT 1000").fetchall()
    digests = [bytes(one) for (one,) in rows]
    before, after = old.known_vectors(digests), new.known_vectors(digests)
    for digest in digests:
        if not np.allclose(before[digest], after[digest], atol=1e-6):
            msg = "A vector of the copy differs from the one that it was made of."
            raise IndexTrouble(msg)


def _same_searches(
    origin: Place, target: Place, manifest: Manifest | None, generation: int
) -> tuple[float, float]:
    """The share of hits that both give, by meaning and by words."""
    if manifest is None:
        return 1.0, 1.0
    name = manifest.parts.embedder
    with (
        closing(open_index(origin, embedder=name, generation=manifest.generation)) as old,
        closing(open_index(target, embedder=name, generation=generation)) as new,
    ):
        shares = _shares(old, new, _everybody(origin))
    dense, lexical = (sum(one) / len(one) if one else 1.0 for one in shares)
    if min(dense, lexical) < LEAST:
        msg = (
            f"Searches of the copy give other hits: {dense:.0%} by meaning and {lexical:.0%} by "
            "words are the same. Drop it and copy again."
        )
        raise IndexTrouble(msg)
    return dense, lexical


def _everybody(place: Place) -> Reader:
    """A reader of all groups that there are: the copy is compared as an operator sees it."""
    with engine_at(place).rows() as db:
        lists = store.access_lists(db).values()
    return Reader(frozenset(group for one in lists for group in one))


def _shares(old: Index, new: Index, reader: Reader) -> tuple[list[float], list[float]]:
    dense: list[float] = []
    lexical: list[float] = []
    with old.snapshot() as before, new.snapshot() as after:
        chance = random.Random(1)  # noqa: S311 - a sample, no secret
        rows = before.rows.tolist()
        for stored in before.chunks(chance.sample(rows, min(SEARCHES, len(rows))), reader):
            vector = before.vectors([stored.row], reader)[0]
            text = " ".join(stored.chunk.text.split()[:8])
            dense.append(
                _share(
                    _found(before, before.search_dense(vector, 10, reader), reader),
                    _found(after, after.search_dense(vector, 10, reader), reader),
                )
            )
            lexical.append(
                _share(
                    _found(before, before.search_lexical(text, 10, reader), reader),
                    _found(after, after.search_lexical(text, 10, reader), reader),
                )
            )
    return dense, lexical


def _share(was: dict[str, float], now: dict[str, float]) -> float:
    """Of what was found, how much still is; of those as good as the last one, any will do."""
    last = min(was.values(), default=0.0) + 1e-4
    better = {name for name, score in was.items() if score > last}
    return len(better & now.keys()) / len(better) if better else 1.0


def _found(snapshot: Snapshot, hits: Sequence[Hit], reader: Reader) -> dict[str, float]:
    """The scores of hits by the names of their chunks."""
    scores = {hit.row: hit.score for hit in hits}
    return {one.chunk.id: scores[one.row] for one in snapshot.chunks(list(scores), reader)}
