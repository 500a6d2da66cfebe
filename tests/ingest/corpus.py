"""Small documents and sources for the tests of the index and of the pipeline."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.chunk import chunk
from ingest.embed import Embedder
from ingest.index import EmbeddedIndex, Writer, text_digest, writing
from ingest.model import AccessList, Block, BlockKind, Cut, Document, Item, Page, Past, Section
from ingest.pipeline import parts_of
from ingest.twins import signature
from ingest.workers import Parsed, parse_and_chunk

EVERYBODY: AccessList = frozenset({"public"})


def document(
    name: str, *paragraphs: str, access: AccessList = EVERYBODY, **more: object
) -> Document:
    """A document of paragraphs, each a block of its own, in one section."""
    text = "\n\n".join(paragraphs)
    blocks, start = [], 0
    for paragraph in paragraphs:
        blocks.append(Block(BlockKind.PROSE, start, start + len(paragraph), 0))
        start += len(paragraph) + 2
    values: dict[str, object] = {
        "id": f"test:{name}",
        "page_id": f"test:{name}",
        "source": "test",
        "title": name,
        "url": "",
        "format": "text",
        "text": text,
        "sections": (Section(()),),
        "blocks": tuple(blocks),
        "access": access,
    }
    return Document(**(values | more))  # type: ignore[arg-type] # built from a table


def page(name: str, text: str, access: AccessList = EVERYBODY) -> Page:
    return Page(f"test:{name}", "test", "", "text", text.encode(), None, access)


@dataclass
class ListSource:
    """A source that is a list; what is in `live` besides it exists but did not change."""

    items: Sequence[Item]
    name: str = "test"
    live: Sequence[str] = ()
    requests: int | None = None

    def pages(self, past: Past) -> Iterator[Item]:
        yield from self.items

    def live_ids(self) -> Iterator[str]:
        yield from (item.id for item in self.items if isinstance(item, Page))
        yield from self.live


@dataclass
class _Ready:
    page: Page
    max_chars: int

    def result(self) -> Parsed:
        return parse_and_chunk(self.page, self.max_chars)


@dataclass
class HerePool:
    """Parses in this process, when asked for the result."""

    max_chars: int = 300
    parsed: list[str] = field(default_factory=list)

    def submit(self, page: Page) -> _Ready:
        self.parsed.append(page.id)
        return _Ready(page, self.max_chars)


@contextmanager
def writer_at(folder: Path, embedder: Embedder, **more: Any) -> Iterator[Writer]:
    with writing(folder, parts_of(embedder, 300), **more) as writer:
        yield writer


def put(writer: Writer, embedder: Embedder, *documents: Document) -> None:
    """Cut, embed and put each document as a page of its own."""
    for one in documents:
        cut = Cut(one, chunk(one, 300), signature(one.text))
        texts = [piece.indexed for piece in cut.chunks]
        vectors = embedder.embed_documents(texts)
        named = {text_digest(t): v for t, v in zip(texts, vectors, strict=True)}
        writer.put(one.page_id, [cut], named)


def build(folder: Path, embedder: Embedder, *documents: Document) -> EmbeddedIndex:
    """An index of these documents, open for reading."""
    with writer_at(folder, embedder) as writer:
        put(writer, embedder, *documents)
        writer.commit()
    return EmbeddedIndex(folder, embedder=embedder.name)
