"""Document → Chunks that keep heading path, offsets, page and link.

A chunk is a contiguous slice of the document's text inside one section and one page. Blocks are
packed until the limit; a table is cut between rows and repeats its header row; a code block is
kept whole, since half a command is worse than a long chunk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from langchain_text_splitters import RecursiveCharacterTextSplitter

from ingest.model import Block, BlockKind, Chunk, Document

CHUNKER = "blocks-1"
"""Changes when the same document would be cut differently; an index names its own."""

MAX_CODE_CHARS = 20_000
"""A code block longer than this is a file rather than an example, and is cut between lines."""


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    block: Block
    table_header: str = ""


def chunk(document: Document, max_chars: int = 1000) -> list[Chunk]:
    """Cut a document. `max_chars` bounds the shown text of a chunk; only code may be longer.

    A document of nothing but headings gives one chunk, so that it can still be found.
    """
    body = [block for block in document.blocks if block.kind is not BlockKind.HEADING]
    if not body and document.text:
        body = list(document.blocks)
    pieces = (piece for block in body for piece in _cut(document.text, block, max_chars))
    groups = _pack(document.text, pieces, max_chars)
    return [_chunk(document, ordinal, group) for ordinal, group in enumerate(groups)]


def _chunk(document: Document, ordinal: int, group: Sequence[_Piece]) -> Chunk:
    first, start, end = group[0], group[0].start, group[-1].end
    section = document.sections[first.block.section]
    return Chunk(
        id=f"{document.id}@{start}-{end}",
        document_id=document.id,
        ordinal=ordinal,
        headings=section.headings,
        start=start,
        end=end,
        text=document.text[start:end],
        header=header(document, section.headings),
        table_header=first.table_header,
        page=first.block.page,
        anchor=section.anchor,
    )


def header(document: Document, headings: Sequence[str]) -> str:
    """The line that is embedded and indexed with a chunk: `title › headings › date`."""
    parts = [document.title, *headings]
    if document.updated_at:
        parts.append(document.updated_at.date().isoformat())
    return " › ".join(part for part in parts if part)


def _pack(text: str, pieces: Iterator[_Piece], max_chars: int) -> Iterator[list[_Piece]]:
    """Group neighbouring pieces of one section and page while they fit together."""
    group: list[_Piece] = []
    for piece in pieces:
        if group and not _fits(group, piece, max_chars):
            yield group
            group = []
        if text[piece.start : piece.end].strip():
            group.append(piece)
    if group:
        yield group


def _fits(group: Sequence[_Piece], piece: _Piece, max_chars: int) -> bool:
    head = group[0]
    return (
        head.block.section == piece.block.section
        and head.block.page == piece.block.page
        # A later piece of a table must open its chunk: its header row stands before everything.
        and not piece.table_header
        and piece.end - head.start + len(head.table_header) <= max_chars
    )


def _cut(text: str, block: Block, max_chars: int) -> Iterator[_Piece]:
    """A block in pieces that each fit, with offsets into the document."""
    limit = MAX_CODE_CHARS if block.kind is BlockKind.CODE else max_chars
    if block.end - block.start <= limit:
        yield _Piece(block.start, block.end, block)
    elif block.kind in (BlockKind.TABLE, BlockKind.CODE):
        yield from _cut_lines(text, block, limit)
    else:
        yield from _cut_prose(text, block, block.start, block.end, limit)


def _cut_lines(text: str, block: Block, limit: int) -> Iterator[_Piece]:
    """Between lines; from the second piece on a table's header row counts and is repeated."""
    row = text[block.start : block.header_end] if block.header_end else ""
    # A header row that would fill the chunk by itself is not worth repeating.
    repeated = row if len(row) <= limit // 2 else ""
    start = position = block.start
    for line in text[block.start : block.end].splitlines(keepends=True):
        size = (
            position
            + len(line.rstrip("\n"))
            - start
            + (len(repeated) if start > block.start else 0)
        )
        if size > limit and position > start:
            yield _line_piece(text, block, start, position, repeated)
            start = position
        position += len(line)
        if position - start > limit:
            # One row longer than a chunk: cut like prose rather than lost to the embedder.
            for piece in _cut_prose(text, block, start, position, limit):
                lead = repeated if piece.start > block.start else ""
                yield _Piece(piece.start, piece.end, block, lead)
            start = position
    if start < block.end:
        yield _line_piece(text, block, start, block.end, repeated)


def _line_piece(text: str, block: Block, start: int, end: int, repeated: str) -> _Piece:
    trimmed = start + len(text[start:end].rstrip("\n"))
    return _Piece(start, trimmed, block, repeated if start > block.start else "")


@cache
def _splitter(limit: int) -> RecursiveCharacterTextSplitter:
    return RecursiveCharacterTextSplitter(
        chunk_size=limit,
        chunk_overlap=0,
        separators=["\n\n", "\n", r"(?<=[.!?])\s", r"(?<=[;:,])\s", r"\s", ""],
        is_separator_regex=True,
        keep_separator="end",
        add_start_index=True,
    )


def _cut_prose(text: str, block: Block, start: int, end: int, limit: int) -> Iterator[_Piece]:
    """At paragraphs, else sentences, else clauses, else words."""
    for part in _splitter(limit).create_documents([text[start:end]]):
        begin = start + part.metadata["start_index"]
        yield _Piece(begin, begin + len(part.page_content), block)
