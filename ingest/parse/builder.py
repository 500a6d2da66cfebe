"""`DocumentBuilder`: where the text, sections and offsets of a document are put together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from ingest.errors import ParseError
from ingest.model import Block, BlockKind, Document, Page, Section, Standing
from ingest.parse.clean import clean, fold, safe_url
from ingest.parse.disguise import without_lumps


class Item(NamedTuple):
    """One line of a list. A continuation of the item above has no marker."""

    text: str
    depth: int = 0
    marker: str = "-"


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: BlockKind
    text: str
    level: int = 0
    anchor: str = ""
    page: int | None = None
    header: int | None = None
    """Length of the header row of a table."""


def file_name(page: Page) -> str:
    """Last part of the path in the page's id: `twiki:Main/WebHome.txt` gives `WebHome.txt`."""
    path = page.id.partition(":")[2] or page.id
    return path.rstrip("/").rpartition("/")[2] or path


class DocumentBuilder:
    """Collects blocks in reading order; `build()` joins them by blank lines and counts the offsets.

    builder = DocumentBuilder(page)
    builder.heading(1, "L1 muon trigger")
    builder.prose("The latency budget is 3.2 us.")
    builder.table(["threshold", "stations"], [["L1_MU4", "2"]])
    document = builder.build()
    """

    def __init__(
        self,
        page: Page,
        part: str = "",
        *,
        title: str = "",
        url: str = "",
        anchor: str = "",
        author: str = "",
        updated_at: datetime | None = None,
    ) -> None:
        self.title = title
        self.author = author
        self.updated_at = updated_at
        self.standing: Standing = page.standing
        self._source = page
        self._part = part
        self._url = url
        self._anchor = anchor
        self._page: int | None = None
        self._pieces: list[_Piece] = []

    @property
    def empty(self) -> bool:
        """True as long as nothing with text was added."""
        return not self._pieces

    def heading(self, level: int, text: str, anchor: str = "") -> None:
        """A heading of level 1 (top) and deeper; opens a section."""
        if line := without_lumps(fold(text)):
            self._add(_Piece(BlockKind.HEADING, line, level=max(1, level), anchor=fold(anchor)))

    def prose(self, text: str, *, lines: bool = False) -> None:
        """A paragraph, on one line; with `lines` its line breaks are kept."""
        folded = [fold(line) for line in clean(text).split("\n")] if lines else [fold(text)]
        self._add(
            _Piece(BlockKind.PROSE, without_lumps("\n".join(line for line in folded if line)))
        )

    def items(self, items: Iterable[str | Item]) -> None:
        """A list, one line an item, nested ones indented by two spaces a level."""
        lines = []
        for given in items:
            item = Item(given) if isinstance(given, str) else given
            if text := without_lumps(fold(item.text)):
                marker = f"{fold(item.marker)} " if item.marker else "  "
                lines.append("  " * min(max(item.depth, 0), 12) + marker + text)
        self._add(_Piece(BlockKind.LIST, "\n".join(lines)))

    def code(self, text: str) -> None:
        """Code or preformatted text; its inner whitespace is kept."""
        lines = [line.rstrip() for line in without_lumps(clean(text)).split("\n")]
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        self._add(_Piece(BlockKind.CODE, "\n".join(lines)))

    def table(self, header: Sequence[str] | None, rows: Iterable[Sequence[str]]) -> None:
        """A table as rows `a | b | c`, the header row first; rows without any text are left out."""
        head = _row(header or ())
        body = [line for row in rows if (line := _row(row))]
        lines = [head, *body] if head else body
        self._add(
            _Piece(BlockKind.TABLE, "\n".join(lines), header=len(head) if head else None),
        )

    def page(self, number: int) -> None:
        """What follows stands on this page, counted from 1."""
        self._page = number

    def extend(self, other: "DocumentBuilder", *, shift: int = 0) -> None:
        """Add what another builder has collected, its headings `shift` levels deeper."""
        self._pieces.extend(
            replace(piece, level=piece.level + shift) if piece.level else piece
            for piece in other._pieces
        )

    def build(self) -> Document:
        """The document.

        Raises:
            ParseError: when no block has any text.
        """
        page = self._source
        if self.empty:
            name = f"{page.id}#{self._part}" if self._part else page.id
            msg = f"{name} holds no text. Exclude it from the source if that is expected."
            raise ParseError(msg)
        title = self._final_title()
        author, updated_at = self.author, self.updated_at
        if page.title:
            # Whoever names the page knows its place in time: a talk was given on the day of the
            # meeting, and not when its file was written.
            author, updated_at = page.author or author, page.updated_at or updated_at
        sections, blocks, text = self._lay_out(title)
        return Document(
            id=f"{page.id}#{self._part}" if self._part else page.id,
            page_id=page.id,
            source=page.source,
            title=title,
            url=self._final_url(),
            format=page.format,
            text=text,
            sections=tuple(sections),
            blocks=tuple(blocks),
            access=page.access,
            author=fold(author or page.author),
            updated_at=updated_at or page.updated_at,
            standing=self.standing,
        )

    def _add(self, piece: _Piece) -> None:
        if piece.text:
            self._pieces.append(
                _Piece(piece.kind, piece.text, piece.level, piece.anchor, self._page, piece.header)
            )

    def _final_title(self) -> str:
        first = next((piece for piece in self._pieces if piece.kind is BlockKind.HEADING), None)
        told = fold(self._source.title) or fold(self.title)
        return told or (first.text if first else "") or fold(file_name(self._source))

    def _final_url(self) -> str:
        if own := safe_url(self._url):
            return own
        url = self._source.url
        return f"{url}#{self._anchor}" if url and self._anchor and "#" not in url else url

    def _lay_out(self, title: str) -> tuple[list[Section], list[Block], str]:
        sections: list[Section] = []
        blocks: list[Block] = []
        path: list[tuple[int, str]] = []
        seen_heading = False
        position = 0
        for piece in self._pieces:
            if piece.kind is BlockKind.HEADING:
                path = [step for step in path if step[0] < piece.level]
                if seen_heading or piece.text.casefold() != title.casefold():
                    path.append((piece.level, piece.text))
                seen_heading = True
                sections.append(Section(tuple(text for _, text in path), piece.anchor))
            elif not sections:
                sections.append(Section(()))
            end = position + len(piece.text)
            header_end = None if piece.header is None else position + piece.header
            at = len(sections) - 1
            blocks.append(Block(piece.kind, position, end, at, piece.page, header_end))
            position = end + 2
        return sections, blocks, "\n\n".join(piece.text for piece in self._pieces)


def _row(cells: Sequence[str]) -> str:
    folded = [without_lumps(fold(cell)) for cell in cells]
    return " | ".join(folded).strip() if any(folded) else ""
