"""Passages cut into the pieces that can be quoted: sentences, list items, table rows, code lines.

Offsets are kept everywhere, so that a quote is exactly the document's text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from assistant.model import Passage
from assistant.words import Number, known_names, numbers, stems

WINDOW_UNITS = 3
"""Longest run of sentences or rows that one citation quotes."""
WINDOW_CODE_UNITS = 8
"""The same for lines of code."""
WINDOW_CHARS = 600
"""A window longer than this is only taken when it is a single unit."""
WRAPPED_LINE = 50
"""A prose line at least this long without an end mark goes on in the next line."""


class UnitKind(StrEnum):
    """What a unit is; decides how it is joined to its neighbours."""

    PROSE = "prose"
    ITEM = "item"
    ROW = "row"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Unit:
    """`text[start:end]`: a sentence, a list item's sentence, a table row or a line of code."""

    kind: UnitKind
    start: int
    end: int
    header: str = ""
    """For a row, the header row of its table when that stands in the same text."""


_ITEM = re.compile(r"\s*(?:[-*+•–]|\d{1,2}[.)]|[a-z][.)])\s+")
_RULE = re.compile(r"[\s|:+=-]+")
_CODE = re.compile(
    r"""\s{4,}\S | \t\S | \s*(?:\$\s|>>>\s|\#!|//|\#include|import\s\w
    |from\s\S+\simport\s|def\s\w+\(|class\s\w+[(:]|return\b.*;|export\s\w+=|[\w.\[\]"']+\s?=\s?\S+$|sudo\s|(?:source|cd)\s[\w./~$]+$)
    | .*[{};\\]$""",
    re.VERBOSE,
)
_END = re.compile(r"""[.!?…]["'”’)\]*_]*(?=\s)""")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|resp|fig|figs|eq|eqs|sec|sect|ref|refs|no|nos|al|dr|prof"
    r"|mr|mrs|ms|st|vol|ch|tab|app|incl|max|min|est|ca|dept|jan|feb|mar|apr|jun|jul|aug|sep|sept"
    r"|oct|nov|dec)|(?:^|[\s(])[A-Za-z]|^\s*\d{1,2})\.$",
    re.IGNORECASE,
)
_ALWAYS_GOES_ON = re.compile(r"(?:e\.g|i\.e|cf|vs|fig|eq|approx|resp|ref|dr|prof)\.$", re.I)


def sentence_ends(text: str) -> list[int]:
    """Where the sentences of one paragraph end; the last one is the end of the text.

    >>> text = "Use v2.3.1, e.g. for data. Then stop."
    >>> [text[:end] for end in sentence_ends(text)][:1]
    ['Use v2.3.1, e.g. for data.']
    """
    ends = []
    for match in _END.finditer(text):
        before, after = text[: match.start() + 1], text[match.end() :].lstrip()
        if not after or after[0].islower():
            continue
        abbreviated = match.group()[0] == "." and _ABBREVIATION.search(before)
        if abbreviated and (_ALWAYS_GOES_ON.search(before) or not after[:1].isupper()):
            continue
        if abbreviated and re.search(r"(?:^|[\s(])[A-Z]\.$|^\s*\d{1,2}\.$", before):
            continue  # an initial, or the number of a list item
        ends.append(match.end())
    return [*ends, len(text)]


def units(text: str) -> list[Unit]:
    """Cut a text into units, in order, without blanks around them."""
    found: list[Unit] = []
    paragraph: list[tuple[int, int]] = []
    header = ""
    position = 0

    def flush() -> None:
        if paragraph:
            found.extend(_sentences(text, paragraph[0][0], paragraph[-1][1]))
            paragraph.clear()

    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.strip()
        end = start + len(line.rstrip())
        kind = _kind(line) if bare else None
        if kind is not UnitKind.ROW:
            header = ""
        if kind in {UnitKind.ROW, UnitKind.CODE}:
            flush()
            if kind is UnitKind.ROW and _RULE.fullmatch(bare):
                continue
            begin = start + len(line) - len(line.lstrip())
            found.append(Unit(kind, begin, end, header))
            if kind is UnitKind.ROW and not header:
                header = bare
        elif kind is None:
            flush()
        else:
            if paragraph and (kind is UnitKind.ITEM or not _goes_on(text, paragraph[-1], bare)):
                flush()
            paragraph.append((start + len(line) - len(line.lstrip()), end))
    flush()
    return found


def _kind(line: str) -> UnitKind:
    if line.count("|") >= 2 or " | " in line or "\t" in line.strip():
        return UnitKind.ROW
    if _ITEM.match(line):
        return UnitKind.ITEM
    return UnitKind.CODE if _CODE.match(line.rstrip()) else UnitKind.PROSE


def _goes_on(text: str, last: tuple[int, int], line: str) -> bool:
    """A hard-wrapped line goes on; a short line or one with an end mark stands alone."""
    before = text[last[0] : last[1]]
    if line[0].islower():
        return True
    return len(before) >= WRAPPED_LINE and not before.endswith(":")


def _sentences(text: str, start: int, end: int) -> list[Unit]:
    piece = text[start:end]
    kind = UnitKind.ITEM if _ITEM.match(piece) else UnitKind.PROSE
    found, begin = [], 0
    for stop in sentence_ends(piece):
        part = piece[begin:stop]
        if part.strip():
            left = begin + len(part) - len(part.lstrip())
            found.append(Unit(kind, start + left, start + begin + len(part.rstrip())))
        begin = stop
    return found


@dataclass(frozen=True)
class Window:
    """A run of units of one passage: what a citation quotes."""

    passage: int
    """Position among the passages."""
    start: int
    """Offset in the passage's own text, without a repeated header row."""
    end: int
    units: int
    text: str
    """Exactly the document's text."""
    rows: str = ""
    """The header row that the quoted table rows belong to, when it is not among them."""
    table: tuple[str, ...] = ()
    """Every row of that table in the passage, to tell rows apart that are alike."""
    header: str = ""
    """Title and headings of the passage."""
    stems: frozenset[str] = field(default_factory=frozenset)
    around: frozenset[str] = field(default_factory=frozenset)
    """Stems of the header row, title and headings."""

    @property
    def shown(self) -> str:
        """As a person reads it: title and headings, header row, text."""
        return "\n".join(part for part in (self.header, self.rows, self.text) if part)

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        """Every number that may be quoted from it."""
        return numbers(self.shown)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every reading of the names in it."""
        return known_names(self.shown)

    def overlaps(self, other: "Window") -> bool:
        """True when both quote some of the same text."""
        same = self.passage == other.passage
        return same and self.start < other.end and other.start < self.end


def body(passage: Passage) -> str:
    """The passage's own text, `Document.text[start:end]`, without a repeated header row."""
    if passage.table_header and passage.text.startswith(passage.table_header + "\n"):
        return passage.text[len(passage.table_header) + 1 :]
    return passage.text


def plain_header(passage: Passage) -> str:
    """Title and headings in one line, whatever the passage carries of them."""
    return passage.header or " › ".join((passage.title, *passage.section))


def windows(passages: Sequence[Passage]) -> list[Window]:
    """Every run of neighbouring units that could be quoted, short runs first within a place."""
    return [window for index, passage in enumerate(passages) for window in _of(index, passage)]


def _tables(text: str, pieces: Sequence[Unit]) -> dict[str, tuple[str, ...]]:
    """The rows under each header row. Two tables with the same header count as one."""
    rows: dict[str, tuple[str, ...]] = {}
    for unit in pieces:
        if unit.kind is UnitKind.ROW:
            rows[unit.header] = (*rows.get(unit.header, ()), text[unit.start : unit.end])
    return rows


def _together(one: Unit, other: Unit) -> bool:
    """Rows go with rows of their table only; everything else may explain its neighbour."""
    if UnitKind.ROW in {one.kind, other.kind}:
        return one.kind is other.kind and one.header == other.header
    return True


def _of(index: int, passage: Passage) -> list[Window]:
    text, header = body(passage), plain_header(passage)
    pieces = units(text)
    piece_stems = [frozenset(stems(text[unit.start : unit.end])) for unit in pieces]
    header_stems = frozenset(stems(header))
    found = []
    tables = _tables(text, pieces)
    heads = {unit.header for unit in pieces if unit.header}
    for first, unit in enumerate(pieces):
        if unit.kind is UnitKind.ROW and not unit.header and text[unit.start : unit.end] in heads:
            continue  # a header row alone says nothing
        limit = WINDOW_CODE_UNITS if unit.kind is UnitKind.CODE else WINDOW_UNITS
        rows = ""
        table: tuple[str, ...] = ()
        if unit.kind is UnitKind.ROW:
            rows, table = unit.header or passage.table_header, tables[unit.header]
        around = header_stems | frozenset(stems(rows))
        for last in range(first, min(first + limit, len(pieces))):
            start, end = unit.start, pieces[last].end
            if last > first and (end - start > WINDOW_CHARS or not _together(unit, pieces[last])):
                break
            found.append(
                Window(
                    passage=index,
                    start=start,
                    end=end,
                    units=last - first + 1,
                    text=text[start:end],
                    rows=rows,
                    table=table,
                    header=header,
                    stems=frozenset().union(*piece_stems[first : last + 1]),
                    around=around,
                )
            )
    return found
