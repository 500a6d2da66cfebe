"""Does a sentence take its value from the right row and the right column?

Two rows of a table share almost all their words, so that word overlap and vectors alone would let
`HTC on-call: 71033` pass beside a table that gives this number to another detector.
"""

import re

from assistant.windows import UnitKind, Window, units
from assistant.words import Number, numbers, stems

_CLAUSE = re.compile(r"[,;]\s|\b(?:and|while|but|whereas)\b")


def bound(sentence: str, window: Window) -> bool:
    """False when a number of the sentence stands in another row or column than its words do."""
    pieces = [unit for unit in units(window.text) if unit.kind in {UnitKind.ROW, UnitKind.ITEM}]
    texts = [window.text[unit.start : unit.end] for unit in pieces]
    if len(texts) > 1 and not _same_row(sentence, texts):
        return False
    header = window.rows or (pieces[0].header if pieces else "")
    rows = [text for unit, text in zip(pieces, texts, strict=True) if unit.kind is UnitKind.ROW]
    return not header or all(
        _same_column(sentence, header, row) for row in rows[:1] if len(rows) == 1
    )


def _same_row(sentence: str, rows: list[str]) -> bool:
    row_stems = [frozenset(stems(row)) for row in rows]
    everywhere = frozenset.intersection(*row_stems)
    telling = frozenset().union(*row_stems) - everywhere
    row_numbers = [numbers(row) for row in rows]
    for clause in _CLAUSE.split(sentence):
        wanted = numbers(clause, claims=True)
        words = frozenset(stems(clause)) & telling
        if not wanted or not words:
            continue
        if not any(
            words <= have and all(_holds(held, number) for number in wanted)
            for have, held in zip(row_stems, row_numbers, strict=True)
        ):
            return False
    return True


def _same_column(sentence: str, header: str, row: str) -> bool:
    names, cells = _cells(header), _cells(row)
    if len(names) != len(cells):
        return True
    said = frozenset(stems(sentence))
    mentioned = [len(said & frozenset(stems(name))) for name in names]
    held = [numbers(cell) for cell in cells]
    if not any(count and cell for count, cell in zip(mentioned, held, strict=True)):
        return True
    for number in numbers(sentence, claims=True):
        columns = [place for place, cell in enumerate(held) if _holds(cell, number)]
        if columns and not any(mentioned[place] or place == 0 for place in columns):
            return False
    return True


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"\||\t", row.strip().strip("|"))]


def _holds(held: list[Number], number: Number) -> bool:
    return any(number.agrees(other) for other in held)
