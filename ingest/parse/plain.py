"""Plain text, logs and comma-separated tables."""

import csv
import io
import re
from collections.abc import Iterator, Sequence

from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder, Item, file_name
from ingest.parse.clean import clean, decode

_UNDERLINE = re.compile(r"(={3,}|-{3,}|~{3,})\s*$")
_BULLET = re.compile(r"^(\s*)([-*+•]|\d{1,3}[.)]) +(.*)$")
_LOG_LINE = re.compile(
    r"^\W{0,2}(\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:"
    r"|(DEBUG|INFO|WARN|ERROR)\b)"
)
_PIECE = 40
"""Lines in one code block of a log: blocks of code are never cut later."""


def parse(page: Page) -> list[Document]:
    """The one document of a text file."""
    text = clean(decode(page))
    builder = DocumentBuilder(page)
    name = file_name(page).lower()
    if name.endswith((".csv", ".tsv")):
        _add_table(builder, text, "\t" if name.endswith(".tsv") else ",")
    elif _is_log(text):
        add_code(builder, text)
    else:
        add_text(builder, text)
    return [builder.build()]


def add_text(builder: DocumentBuilder, text: str) -> None:
    """Add paragraphs, lists, underlined headings and indented blocks of plain text."""
    for lines in _paragraphs(clean(text)):
        if len(lines) > 1 and len(lines[0]) <= 100 and _UNDERLINE.fullmatch(lines[1]):
            builder.heading(1 if lines[1].startswith("=") else 2, lines[0])
            lines = lines[2:]
        _add_paragraph(builder, lines)


def add_code(builder: DocumentBuilder, text: str) -> None:
    """Add code or a log in pieces of bounded length, cut at blank lines where possible."""
    lines = text.split("\n")
    start = 0
    while start < len(lines):
        end = min(start + _PIECE, len(lines))
        if end < len(lines):
            blank = next(
                (at for at in range(end, start + _PIECE // 2, -1) if not lines[at].strip()), end
            )
            end = blank
        builder.code("\n".join(lines[start:end]))
        start = end


def _paragraphs(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in text.split("\n"):
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _add_paragraph(builder: DocumentBuilder, lines: Sequence[str]) -> None:
    if not lines:
        return
    if _BULLET.match(lines[0]):
        builder.items(_items(lines))
    elif all(line.startswith(("    ", "\t")) for line in lines):
        builder.code("\n".join(lines))
    else:
        # Lines that were wrapped at a margin are one paragraph; short ones were ended on purpose.
        wrapped = len(lines) > 1 and sum(map(len, lines[:-1])) >= 55 * (len(lines) - 1)
        builder.prose("\n".join(lines), lines=not wrapped)


def _items(lines: Sequence[str]) -> list[Item]:
    items: list[Item] = []
    for line in lines:
        if found := _BULLET.match(line):
            marker = found[2] if found[2][0].isdigit() else "-"
            items.append(Item(found[3], len(found[1].expandtabs(4)) // 2, marker))
        else:
            last = items.pop()
            items.append(last._replace(text=f"{last.text} {line.strip()}"))
    return items


def _is_log(text: str) -> bool:
    lines = [line for line in text[:20_000].split("\n") if line.strip()]
    return len(lines) >= 5 and sum(1 for line in lines if _LOG_LINE.match(line)) * 2 > len(lines)


def _add_table(builder: DocumentBuilder, text: str, separator: str) -> None:
    first = text.lstrip().split("\n", 1)[0]
    if separator == "," and first.count(";") > first.count(","):
        separator = ";"
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    try:
        rows = [
            row for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator) if row
        ]
    except csv.Error:
        add_code(builder, text)
        return
    if not rows:
        return
    named = not any(
        re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", cell.strip(), re.I) for cell in rows[0]
    )
    builder.table(rows[0] if named else None, rows[1:] if named else rows)
