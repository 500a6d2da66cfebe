"""Which engine an index lies in: the one place that chooses, by address.

`file:PATH` or a path is a folder of this machine, `postgresql://…` a schema of a PostgreSQL,
`opensearch://…` a family of indexes in a cluster.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.errors import SettingsError
from ingest.index.manifest import Parts
from ingest.index.seam import Engine, Generation, Index, Writer

Place = Path | str


def engine_at(place: Place) -> Engine:
    """The engine of an address; nothing is opened.

    Raises:
        SettingsError: no engine has such addresses.
    """
    if isinstance(place, Path):
        from ingest.index.writer import Folder

        return Folder(place)
    scheme = place.partition(":")[0].lower()
    if scheme == "file":
        return engine_at(Path(unquote(urlsplit(place).path or place.partition(":")[2])))
    if scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        from ingest.index.postgres import Postgres
        from ingest.index.postgres.link import Address

        return Postgres(Address.parse(place))
    if scheme in ("opensearch", "opensearch+http"):
        from ingest.index.opensearch import OpenSearch
        from ingest.index.opensearch.cluster import Address as ClusterAddress

        return OpenSearch(ClusterAddress.parse(place))
    msg = (
        f"[index] url begins with {scheme!r}, and no engine has such an address; "
        "there are file:FOLDER, "
        "postgresql://USER@HOST/DATABASE and opensearch://USER@HOST:9200/NAME."
    )
    raise SettingsError(msg)


def place_of(text: str) -> Place:
    """A place as somebody writes it: an address where it has a scheme, else a folder."""
    return text if "://" in text or text.startswith("file:") else Path(text)


def open_index(place: Place, *, embedder: str, generation: int | None = None) -> Index:
    """An index for reading; as `Engine.index`."""
    return engine_at(place).index(embedder, generation)


@contextmanager
def writing(
    place: Place, parts: Parts, *, rebuild: bool = False, keep: int = 1
) -> Iterator[Writer]:
    """An index for writing; as `Engine.writing`."""
    with engine_at(place).writing(parts, rebuild=rebuild, keep=keep) as writer:
        yield writer


@contextmanager
def managing(place: Place, *, keep: int = 1) -> Iterator[Writer]:
    """Open an index to publish, roll back or prune: the parts it was built with are taken as given.

    Raises:
        IndexMissing: there is none. IndexBusy: another process writes.
    """
    with writing(place, generations(place)[-1].parts, keep=keep) as writer:
        yield writer


def generations(place: Place) -> list[Generation]:
    """What is kept of an index, oldest first; as `Engine.generations`."""
    return engine_at(place).generations()
