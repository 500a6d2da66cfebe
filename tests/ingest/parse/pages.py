"""Pages for the parser tests, and short ways to look at what came out."""

from datetime import UTC, datetime

from ingest.model import BlockKind, Document, Page
from ingest.parse import parse

FETCHED = datetime(2020, 1, 1, tzinfo=UTC)


def page(content: str | bytes, name: str = "wiki:Main/Page.txt", format: str = "") -> Page:  # noqa: A002
    """A page as the files source would give it."""
    raw = content.encode() if isinstance(content, str) else content
    return Page(
        name, "wiki", "https://wiki.example.org/page", format, raw, FETCHED, frozenset({"public"})
    )


def one(content: str | bytes, format: str, name: str = "wiki:Main/Page.txt") -> Document:  # noqa: A002
    """The only document of a page."""
    (document,) = parse(page(content, name, format))
    return document


def texts(document: Document, kind: BlockKind | None = None) -> list[str]:
    """The texts of the document's blocks, of one kind or of all."""
    return [
        document.text[block.start : block.end]
        for block in document.blocks
        if kind is None or block.kind is kind
    ]


def path_of(document: Document, text: str) -> tuple[str, ...]:
    """Headings above the first block that has this text in it."""
    for block in document.blocks:
        if block.kind is not BlockKind.HEADING and text in document.text[block.start : block.end]:
            return document.sections[block.section].headings
    raise AssertionError(text)
