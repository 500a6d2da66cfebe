"""Every engine of an index under one name, so that one suite runs over all of them."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ingest.index import Index, Place, Writer, open_index, writing
from ingest.model import Document
from ingest.pipeline import parts_of
from tests.fakes import HashEmbedder
from tests.ingest.corpus import put
from tests.postgres import Server, server_in
from tests.servers.opensearch import OpenSearchServer, opensearch_server

ENGINES = ["folder", "postgresql", "opensearch"]


@dataclass
class House:
    """A place for one index, with what it is built and asked with."""

    place: Place
    embedder: HashEmbedder

    @property
    def is_folder(self) -> bool:
        return isinstance(self.place, Path)

    @contextmanager
    def writing(self, **more: Any) -> Iterator[Writer]:
        with writing(self.place, parts_of(self.embedder, 300), **more) as writer:
            yield writer

    def add(self, *documents: Document, publish: bool = True, keep: int = 3) -> int:
        """One generation more; its number."""
        with self.writing(keep=keep) as writer:
            put(writer, self.embedder, *documents)
            return writer.commit(publish=publish)

    @contextmanager
    def reading(self, generation: int | None = None) -> Iterator[Index]:
        opened = open_index(self.place, embedder=self.embedder.name, generation=generation)
        with closing(opened) as index:
            yield index


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One PostgreSQL for all tests that do it no harm; each has a schema of its own."""
    with server_in() as running:
        yield running


@pytest.fixture
def cluster() -> Iterator[OpenSearchServer]:
    """A strict server in place of a cluster; DOCENT_TEST_OPENSEARCH names a live one."""
    with opensearch_server() as running:
        yield running


def place_of(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    if engine == "folder":
        return tmp_path / f"index-{uuid4().hex[:8]}"
    if engine == "opensearch":
        cluster: OpenSearchServer = request.getfixturevalue("cluster")
        rows = tmp_path / f"rows-{uuid4().hex[:8]}"
        live = os.environ.get("DOCENT_TEST_OPENSEARCH", "").rstrip("/")
        return f"{live or cluster.url}/t-{uuid4().hex}?rows={rows}"
    running: Server = request.getfixturevalue("server")
    return running.url(f"t_{uuid4().hex}")


@pytest.fixture(params=ENGINES)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    return House(place_of(request.param, tmp_path, request), HashEmbedder())


@pytest.fixture
def beside(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], House]:
    """Another house, of the engine that is named."""
    return lambda engine: House(place_of(engine, tmp_path, request), HashEmbedder())
