"""The index that serves and its embedder, also after another was put in its place while we ran."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ingest.embed import Embedder, embedder_from
from ingest.errors import DocentError, IndexTrouble
from ingest.index import Snapshot, engine_at, open_index
from ingest.registry import versions
from ingest.settings import EmbedderSettings, Settings
from ingest.sides import SIDES, embedder_settings

logger = logging.getLogger(__name__)


def embedder_of(settings: Settings) -> Embedder:
    """The embedder of the index that serves, as far as the settings leave that open.

    They do where they name a registered model without a version, and where another index was put
    in the place of the one that they were written for. Else it is the one that they name.

    Raises:
        ModelError: the model is not on this machine.
        IndexMismatch: the settings contradict what was put in place.
    """
    return embedder_from(meant(settings), settings.models)


def meant(settings: Settings) -> EmbedderSettings:
    """`[embedder]` as it is meant: of the index that serves.

    Raises:
        IndexMismatch: as `embedder_of`.
    """
    named = settings.embedder
    if isinstance(settings.index.place, Path):
        named = embedder_settings(settings.index.path, named)
    return pinned(named, settings)


def pinned(named: EmbedderSettings, settings: Settings) -> EmbedderSettings:
    """A registered name as the version that the serving index was built with, if it is one of it.

    So promoting another version leaves an index that is there in service until it is replaced.
    """
    known = [] if named.url or "@" in named.model else versions(named.model, settings.models)
    if not known:
        return named
    with suppress(IndexTrouble):
        built = engine_at(settings.index.place).serving().parts.embedder
        for card in known:
            this = named.model_copy(update={"model": card.full_name})
            if embedder_from(this, settings.models).name == built:
                return this
    return named


class Following:
    """An `Index` that changes over when another side of the settings' index comes to serve.

    A search that has begun ends where it began. What cannot be opened is told once, and the index
    that was there goes on. Thread-safe.
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder,
        find: Callable[[Settings], Embedder] = embedder_of,
    ) -> None:
        """`embedder` is the one of the index that serves now, of `find`.

        Raises:
            IndexTrouble: as `ingest.index.open_index`.
        """
        self._settings = settings
        self._find = find
        self._lock = threading.Lock()
        self._embedders = {embedder.name: embedder}
        self._seen = self._stamp()
        self._current = open_index(settings.index.place, embedder=embedder.name)
        self._users: dict[int, int] = {}

    def embedder(self, name: str) -> Embedder:
        """The embedder that a snapshot of this index was built with."""
        return self._embedders[name]

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """The current generation of the index that serves, kept open while the block runs."""
        with self._lock:
            self._look()
            held = self._current
            self._users[id(held)] = self._users.get(id(held), 0) + 1
        try:
            with held.snapshot() as snapshot:
                yield snapshot
        finally:
            with self._lock:
                self._users[id(held)] -= 1
                if not self._users[id(held)]:
                    del self._users[id(held)]
                    if held is not self._current:
                        held.close()

    def close(self) -> None:
        """Close what is open."""
        self._current.close()

    def _look(self) -> None:
        if (stamp := self._stamp()) == self._seen:
            return
        self._seen = stamp
        old = self._current
        try:
            embedder = self._find(self._settings)
            self._current = open_index(self._settings.index.place, embedder=embedder.name)
        except DocentError as trouble:
            logger.warning("The index that was there keeps serving: %s", trouble)
            return
        self._embedders.setdefault(embedder.name, embedder)
        if not self._users.get(id(old)):
            old.close()

    def _stamp(self) -> tuple[int, int]:
        with suppress(OSError):
            status = (self._settings.index.path / SIDES).stat()
            return status.st_ino, status.st_mtime_ns
        return 0, 0
