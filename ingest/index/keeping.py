"""Which generations an index has, and which of them it keeps: the same in every engine."""

from ingest.errors import IndexTrouble
from ingest.index import store
from ingest.index.manifest import Manifest
from ingest.index.rows import Rows
from ingest.index.seam import Generation


def kept_generations(db: Rows, where: object) -> list[Generation]:
    """What is kept, oldest first; `where` is named when a manifest is damaged."""
    serving = store.serving(db)
    rows = store.generations(db)
    found = []
    for row in rows:
        manifest = Manifest.from_json(row.manifest, where)
        documents = sum(store.document_counts(db, row.id).values())
        at = (manifest.created_at, row.published)
        now = (row.id == serving, row is rows[-1])
        found.append(Generation(row.id, *at, *now, documents, manifest.parts))
    return found


def to_keep(db: Rows, keep: int, where: object) -> dict[int, Manifest]:
    """The newest, the one that is served, and the last `keep` that a run ended with.

    What was built with other parts than the newest cannot be served beside it and is not kept.
    """
    rows = store.generations(db)
    manifests = {row.id: Manifest.from_json(row.manifest, where) for row in rows}
    if not rows:
        return {}
    newest = rows[-1].id
    ended = [
        row.id
        for row in rows
        if row.published and row.final and manifests[row.id].parts == manifests[newest].parts
    ]
    numbers = {newest, *(ended[-keep:] if keep > 1 else [])}
    serving = store.serving(db)
    return {i: m for i, m in manifests.items() if i in numbers or i == serving}


def check_kept(db: Rows, number: int, where: object) -> None:
    """Raises IndexTrouble when a generation is not kept."""
    known = [row.id for row in store.generations(db)]
    if number not in known:
        kept = ", ".join(map(str, known)) or "none"
        msg = f"Generation {number} is not kept at {where}; there are {kept}."
        raise IndexTrouble(msg)
