"""Jupyter notebooks: Markdown cells as Markdown, code as code, outputs shortened to their text."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.jsontext import load_json
from ingest.parse.markdown import add_markdown

_OUTPUT_LINES = 20
_OUTPUT_CHARS = 1500
_BLOB = re.compile(r"[A-Za-z0-9+/=]{400,}")
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


def parse(page: Page) -> list[Document]:
    """The one document of a notebook."""
    notebook = load_json(page)
    cells = list(_cells(notebook))
    if not isinstance(notebook, Mapping) or not cells:
        msg = f"{page.id} is not a notebook: it has no cells. Set its format or exclude it."
        raise ParseError(msg)
    builder = DocumentBuilder(page)
    for cell in cells:
        _add_cell(builder, cell)
    return [builder.build()]


def _cells(notebook: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(notebook, Mapping):
        return
    # Format 3 kept its cells in worksheets.
    sheets = notebook.get("worksheets")
    holders = [notebook, *(sheets if isinstance(sheets, list) else [])]
    for holder in holders:
        cells = holder.get("cells") if isinstance(holder, Mapping) else None
        for cell in cells if isinstance(cells, list) else []:
            if isinstance(cell, Mapping):
                yield cell


def _add_cell(builder: DocumentBuilder, cell: Mapping[str, Any]) -> None:
    kind = cell.get("cell_type")
    source = _joined(cell.get("source", cell.get("input")))
    shown, put_out = _visible(cell)
    if not shown:
        source = ""
    if kind == "markdown":
        add_markdown(builder, _BLOB.sub("", source))
    elif kind == "heading":
        level = cell.get("level")
        builder.heading(level if isinstance(level, int) else 1, source)
    elif kind == "code":
        builder.code(source)
        outputs = cell.get("outputs")
        for output in outputs[:20] if put_out and isinstance(outputs, list) else []:
            if isinstance(output, Mapping) and (text := _output(output)):
                builder.code(f"Output:\n{text}")
    else:
        builder.prose(source, lines=True)


def _visible(cell: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether people see a cell's source and its outputs.

    Code that is only folded away is a click from its reader and stays; prose is folded to hide it.
    """
    metadata = cell.get("metadata")
    if not isinstance(metadata, Mapping):
        return True, True
    given = metadata.get("tags")
    tags = {str(tag).replace("_", "-") for tag in given} if isinstance(given, list) else set()
    jupyter = metadata.get("jupyter")
    folded = isinstance(jupyter, Mapping) and jupyter.get("source_hidden") is True
    gone = "remove-cell" in tags
    source = gone or "remove-input" in tags or metadata.get("hide_input") is True
    prose = folded and cell.get("cell_type") != "code"
    return not (source or prose), not (gone or "remove-output" in tags)


def _output(output: Mapping[str, Any]) -> str:
    if output.get("output_type") == "error":
        return f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))[:_OUTPUT_CHARS]}"
    data = output.get("data")
    text = output.get("text", data.get("text/plain") if isinstance(data, Mapping) else None)
    plain = _COLOURS.sub("", _BLOB.sub("…", _joined(text)[: 20 * _OUTPUT_CHARS]))
    lines = plain.strip("\n").split("\n")
    short = "\n".join(lines[:_OUTPUT_LINES])[:_OUTPUT_CHARS]
    return f"{short}\n…" if len(short) < len(plain.strip("\n")) else short


def _joined(source: Any) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""
