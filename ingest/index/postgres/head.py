"""Which generation a transaction sees, and in which tables it lies."""

from dataclasses import dataclass

from ingest.index.manifest import Manifest
from ingest.index.postgres.link import Link


@dataclass(frozen=True, slots=True)
class Head:
    """What a transaction sees: a generation and the tables it lies in."""

    manifest: Manifest
    build: int
    words: str
    passages: int
    """Of the newest generation of the build, as are the words' statistics."""
    stamp: int
    """Another after every commit of a writer."""


def read_head(link: Link, wanted: int | None = None) -> Head | None:
    """The generation that readers get, or another that is kept; None where there is none."""
    found = link.fetch(
        "SELECT g.manifest, b.id, b.words, b.passages, m.stamp FROM generations g"
        " JOIN builds b ON b.id = g.build CROSS JOIN meta m"
        " WHERE g.id = coalesce($1::bigint, (SELECT generation FROM serving))",
        wanted,
    )
    if not found:
        return None
    manifest = Manifest.from_json(found[0][0], link.address.shown)
    return Head(manifest, *found[0][1:])
