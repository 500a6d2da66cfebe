"""What of a passage can be asked for and quoted: sentences, cells of tables, what labels tell."""

import re
from dataclasses import dataclass

from assistant.windows import UnitKind, units
from assistant.words import identifiers, stems
from ingest.index import StoredChunk

SHORT = 60
"""Characters of a cell that may be a key as a whole."""
LONGEST_QUOTE = 300

_LABEL = re.compile(
    r"(?:(?:[-*•]|\d{1,2}[.)])\s+)?(?P<label>[^:|\n]{3,60}):\s+(?P<value>\S.{0,80})"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, or what stands behind a label."""

    passage: StoredChunk
    row: str
    """The row or line as it stands there."""
    name: str
    column: str
    value: str

    @property
    def asked(self) -> str:
        """What a question calls it."""
        if not self.column:
            return f"{self.name} ({self.passage.title})"
        if self.column.lower() == "value":
            return f"{self.name} of {self.passage.title}"
        place = "" if identifiers(self.name) else f" in {self.passage.title}"
        return f"{self.column} of {self.name}{place}"


def sentences(passage: StoredChunk) -> list[str]:
    """Sentences and items of a passage that can be quoted; no code, no rows."""
    text = passage.chunk.shown
    wanted = (UnitKind.PROSE, UnitKind.ITEM)
    found = (text[unit.start : unit.end] for unit in units(text) if unit.kind in wanted)
    return [one for one in found if len(stems(one)) > 3 and len(one) <= LONGEST_QUOTE]


def cells(passage: StoredChunk) -> list[Cell]:
    """The cells of its tables, and what stands behind labels."""
    text = passage.chunk.shown
    found = []
    for unit in units(text):
        row = text[unit.start : unit.end]
        if unit.kind is UnitKind.ROW and unit.header:
            head, own = split_row(unit.header), split_row(row)
            if len(head) == len(own) and any(char.isalpha() for char in own[0]):
                pairs = zip(head[1:], own[1:], strict=True)
                found += [Cell(passage, row, own[0], c, v) for c, v in pairs if _fits(c, v)]
        elif unit.kind in (UnitKind.PROSE, UnitKind.ITEM) and (told := _LABEL.fullmatch(row)):
            found.append(Cell(passage, row, told["label"], "", told["value"].rstrip(".")))
    return found


def split_row(row: str) -> list[str]:
    """The cells of a row of a table.

    >>> split_row("| a | b |")
    ['a', 'b']
    """
    return [cell.strip() for cell in re.split(r"\||\t", row.strip().strip("|"))]


def standing(quote: str, text: str) -> str:
    """The quote as it stands in a text, whatever its white space; empty when it does not.

    >>> standing('"at 40 MHz."', "It runs at  40 MHz.")
    'at  40 MHz.'
    """
    bare = quote.strip().strip("\"“”'`").strip()
    if not bare or len(bare) > LONGEST_QUOTE:
        return ""
    words = r"\s+".join(re.escape(word) for word in bare.split())
    found = re.search(rf"(?<!\w){words}(?!\w)", text)
    return found.group() if found else ""


def _fits(column: str, value: str) -> bool:
    return bool(column) and value.strip("-–— ") != "" and len(value) <= SHORT
