"""Does a sentence take its value from the right row and the right column?

Two rows of a table share almost all their words, so that word overlap and vectors alone would let
`HTC on-call: 71033` pass beside a table that gives this number to another detector.
"""

import re
from collections.abc import Sequence

from assistant.windows import UnitKind, Window, units
from assistant.words import Number, numbers, stems

_CLAUSE = re.compile(r"[,;]\s|\b(?:and|while|but|whereas)\b")


def bound(sentence: str, question: str, found: Sequence[Window]) -> bool:
    """False when the sentence says of one row, column or item what the passages say of another.

    The first cell names a row. A sentence that names none is taken to speak of the one that the
    question names.
    """
    items = []
    for window in found:
        pieces = units(window.text)
        if window.table:
            rows = [window.text[unit.start : unit.end] for unit in pieces]
            if not _row_bound(sentence, question, rows, window.table):
                return False
            if not _column_bound(sentence, window.rows, rows):
                return False
        items += [window.text[u.start : u.end] for u in pieces if u.kind is UnitKind.ITEM]
    return len(items) < 2 or _item_bound(sentence, items)


def _row_bound(sentence: str, question: str, rows: list[str], table: tuple[str, ...]) -> bool:
    keys = [frozenset(stems(_cells(row)[0])) for row in table]
    telling = frozenset().union(*keys) - frozenset.intersection(*keys)
    quoted = [frozenset(stems(row)) for row in rows]
    clauses = [frozenset(stems(clause)) & telling for clause in _CLAUSE.split(sentence)]
    if any(clauses):
        return all(_fits(sentence, telling, rows, quoted))
    asked = frozenset(stems(question)) & telling
    most = max(len(asked & key) for key in keys)
    return not most or any(len(asked & have) >= most for have in quoted)


def _fits(
    sentence: str, telling: frozenset[str], rows: list[str], quoted: list[frozenset[str]]
) -> list[bool]:
    """For each clause that names a row: is there one quoted row with its name and its numbers?"""
    held = [numbers(row) for row in rows]
    fits = []
    for clause in _CLAUSE.split(sentence):
        words = frozenset(stems(clause)) & telling
        wanted = [n for n in numbers(clause, claims=True) if any(_holds(row, n) for row in held)]
        if words:
            fits.append(
                any(
                    words <= have and all(_holds(row, number) for number in wanted)
                    for have, row in zip(quoted, held, strict=True)
                )
            )
    return fits


def _item_bound(sentence: str, items: list[str]) -> bool:
    """List items that share their words are told apart by the words that they do not share."""
    item_stems = [frozenset(stems(item)) for item in items]
    telling = frozenset().union(*item_stems) - frozenset.intersection(*item_stems)
    held = [numbers(item) for item in items]
    for clause in _CLAUSE.split(sentence):
        wanted = numbers(clause, claims=True)
        words = frozenset(stems(clause)) & telling
        if (
            wanted
            and words
            and not any(
                words <= have and all(_holds(row, number) for number in wanted)
                for have, row in zip(item_stems, held, strict=True)
            )
        ):
            return False
    return True


def _column_bound(sentence: str, header: str, rows: list[str]) -> bool:
    """Each number stands in a column that the sentence names, if it names any column of numbers."""
    names = [frozenset(stems(name)) for name in _cells(header)]
    said = frozenset(stems(sentence))
    mentioned = [bool(said & name) for name in names]
    table = [[numbers(cell) for cell in _cells(row)] for row in rows]
    table = [cells for cells in table if len(cells) == len(names)]
    named = any(
        name and cell for cells in table for name, cell in zip(mentioned, cells, strict=True)
    )
    if not named:
        return True
    for number in numbers(sentence, claims=True):
        columns = {
            place for cells in table for place, cell in enumerate(cells) if _holds(cell, number)
        }
        if columns and not any(mentioned[place] or place == 0 for place in columns):
            return False
    return True


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"\||\t", row.strip().strip("|"))]


def _holds(held: Sequence[Number], number: Number) -> bool:
    return any(number.agrees(other) for other in held)
