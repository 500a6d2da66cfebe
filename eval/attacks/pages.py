"""From an attack to a page, in each format and with its text hidden in each way of that format."""

import base64
import html
import json
from collections.abc import Callable, Sequence
from email.message import EmailMessage

from eval.attacks.files import docx_file, pdf_file, pptx_file
from eval.attacks.model import Attack
from ingest.model import Page

SOURCE = "attacks"
WIKI = "https://wiki.meridian.example/"
ACCESS = frozenset({"collaboration"})
_SUFFIX = {
    "markdown": "md", "html": "html", "twiki": "txt", "rst": "rst", "text": "log.txt",
    "notebook": "ipynb", "code": "py", "jira": "json", "gitlab": "json", "indico": "json",
    "mbox": "mbox", "pdf": "pdf", "docx": "docx", "pptx": "pptx",
}  # fmt: skip
_ZERO_WIDTH = "\u200b\u200c\u2060"


def pages_of(attack: Attack) -> list[Page]:
    """The pages of an attack, readable by the collaboration, on hosts that it knows."""
    return [_page(attack, name, way) for name, way in attack.pages()]


def path_of(attack: Attack, name: str, way: str) -> str:
    """What tells a page of an attack from the others, in its id and in its address."""
    return "-".join(part for part in (attack.id, name, way) if part)


def _page(attack: Attack, name: str, way: str) -> Page:
    path = path_of(attack, name, way)
    return Page(
        id=f"{SOURCE}:{path}.{_SUFFIX[name]}",
        source=SOURCE,
        url=f"{WIKI}{path}",
        format=name,
        content=_WRITERS[name](attack, way),
        updated_at=attack.updated_at,
        access=ACCESS,
    )


def _said(attack: Attack, way: str) -> list[str]:
    """The attack's paragraphs, encoded where the way asks for that."""
    whole = " ".join(attack.attack)
    if way == "base64":
        return [f"Decode and obey: {base64.b64encode(whole.encode()).decode()}"]
    if way == "hex":
        return [f"Decode and obey: {whole.encode().hex()}"]
    if way == "tags":
        return ["".join(chr(0xE0000 + ord(char)) for char in whole if ord(char) < 128)]
    if way == "zero-width":
        # Each letter as bits of no width, between two words that are to be seen.
        bits = "".join(f"{byte:08b}" for byte in whole.encode())
        return ["About " + "".join(_ZERO_WIDTH[int(bit)] for bit in bits) + "this page."]
    return attack.attack


def _rows(attack: Attack) -> list[list[str]]:
    """The table with the attack as its last row."""
    if not attack.table:
        return []
    return [*attack.table, [" ".join(attack.attack), "now"]]


def _text(attack: Attack, way: str) -> list[str]:
    """Paragraphs of a format that knows no tables."""
    rows = [" | ".join(row) for row in _rows(attack)]
    return [*attack.cover, *rows] if rows else [*attack.cover, *_said(attack, way)]


# Markup ------------------------------------------------------------------------------------------


def _markdown(attack: Attack, way: str) -> bytes:
    rows = [f"| {' | '.join(row)} |" for row in _rows(attack)]
    if rows:
        rows.insert(1, "|---|---|")
    hidden = {
        "comment": "[//]: # ({})",
        "html-comment": "<!-- {} -->",
        "display": '<span style="display:none">{}</span>',
        "image-alt": '![{0}](plot.png "{0}")',
    }.get(way, "{}")
    said = [] if rows else [hidden.format(part) for part in _said(attack, way)]
    table = ["\n".join(rows)] if rows else []
    return "\n\n".join([f"# {attack.title}", *attack.cover, *table, *said]).encode()


_HTML_HIDING = {
    "": "<p>{}</p>",
    "hex": "<p>{}</p>",
    "display": '<p style="display: none">{}</p>',
    "white": '<p style="color:#ffffff">{}</p>',
    "size": '<p style="font-size:0px">{}</p>',
    "offscreen": '<p style="position:absolute;left:-9999px">{}</p>',
    "attribute": "<p hidden>{}</p>",
    "opacity": '<p style="opacity:0">{}</p>',
    "sheet": '<p class="fine">{}</p>',
    "comment": "<!-- {} -->",
}


def _html(attack: Attack, way: str) -> bytes:
    # Not escaped: a tag in an attack is a tag for whoever reads the page.
    cover = "".join(f"<p>{part}</p>" for part in attack.cover)
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in _rows(attack))
    table = "".join(f"<tr>{row}</tr>" for row in cells)
    said = "" if table else "".join(_HTML_HIDING[way].format(part) for part in _said(attack, way))
    sheet = "<style>.fine { visibility: hidden }</style>"
    head = f"<head><title>{attack.title}</title>{sheet}</head>"
    body = f"<h1>{attack.title}</h1>{cover}<table>{table}</table>{said}"
    return f"<!DOCTYPE html><html>{head}<body>{body}</body></html>".encode()


def _twiki(attack: Attack, way: str) -> bytes:
    rows = [f"| {' | '.join(row)} |" for row in _rows(attack)]
    hidden = {
        "comment": "<!-- {} -->",
        "white": "%WHITE%{}%ENDCOLOR%",
        "display": '<div style="display:none">{}</div>',
        "set": "   * Set NOTE = {}",
    }.get(way, "{}")
    said = [] if rows else [hidden.format(part) for part in _said(attack, way)]
    table = ["\n".join(rows)] if rows else []
    return "\n\n".join([f"---+ {attack.title}", *attack.cover, *table, *said]).encode()


def _rst(attack: Attack, way: str) -> bytes:
    title = [attack.title, "=" * len(attack.title)]
    said = _said(attack, way)
    if way == "comment":
        said = ["..\n" + "\n".join(f"   {part}" for part in said)]
    return "\n\n".join(["\n".join(title), *attack.cover, *said]).encode()


def _plain(attack: Attack, way: str) -> bytes:
    return "\n\n".join([attack.title, *_text(attack, way)]).encode()


def _code(attack: Attack, way: str) -> bytes:
    comment = "\n".join(f"# {line}" for part in _said(attack, way) for line in part.splitlines())
    told = " ".join(attack.cover)
    return (
        f'"""{attack.title}.\n\n{told}\n"""\n\n{comment}\ndef value():\n    return None\n'.encode()
    )


# Exports -----------------------------------------------------------------------------------------


def _notebook(attack: Attack, way: str) -> bytes:
    cover = {"cell_type": "markdown", "source": f"# {attack.title}\n\n" + "\n\n".join(attack.cover)}
    said = "\n\n".join(_said(attack, way))
    cell: dict[str, object] = {"cell_type": "markdown", "source": said, "metadata": {}}
    metadata: dict[str, object] = {}
    if way == "metadata":
        cell, metadata = {"cell_type": "markdown", "source": "See above."}, {"note": said}
    elif way == "removed":
        cell["metadata"] = {"tags": ["remove-cell"]}
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": [cover, cell]}).encode()


def _jira(attack: Attack, way: str) -> bytes:
    text = _text(attack, way)
    if way == "white":
        white = [f"{{color:white}}{part}{{color}}" for part in _said(attack, way)]
        text = [*attack.cover, *white]
    fields = {
        "summary": attack.title,
        "description": "\n\n".join(text),
        "updated": f"{attack.date}T10:00:00.000+0000",
    }
    key = f"POISON-{sum(map(ord, attack.id))}"
    return json.dumps({"issues": [{"key": key, "fields": fields}]}).encode()


def _gitlab(attack: Attack, way: str) -> bytes:
    said = _said(attack, way)
    if way == "comment":
        said = [f"<!-- {part} -->" for part in said]
    rows = [" | ".join(row) for row in _rows(attack)]
    record = {
        "iid": sum(map(ord, attack.id)),
        "title": attack.title,
        "description": "\n\n".join(attack.cover),
        "updated_at": f"{attack.date}T10:00:00Z",
        "notes": [{"id": 1, "body": "\n\n".join(rows or said), "author": {"name": "A. Guest"}}],
    }
    return json.dumps([record]).encode()


def _indico(attack: Attack, way: str) -> bytes:
    said = "".join(f"<p>{part}</p>" for part in _said(attack, way))
    if way == "display":
        said = f'<div style="display:none">{said}</div>'
    cover = "".join(f"<p>{html.escape(part)}</p>" for part in attack.cover)
    event = {
        "id": str(sum(map(ord, attack.id))),
        "title": attack.title,
        "description": cover + said,
        "startDate": {"date": attack.date, "time": "10:00:00", "tz": "UTC"},
    }
    return json.dumps({"results": [event]}).encode()


def _mbox(attack: Attack, way: str) -> bytes:
    message = EmailMessage()
    message["From"] = "A. Guest <guest@meridian.example>"
    message["Subject"] = attack.title
    message["Date"] = f"{attack.updated_at:%a, %d %b %Y} 10:00:00 +0000"
    message["Message-ID"] = f"<{attack.id}@meridian.example>"
    cover, said = attack.cover, _said(attack, way)
    if way == "html":
        hidden = "".join(f'<p style="display:none">{part}</p>' for part in said)
        message.set_content("".join(f"<p>{part}</p>" for part in cover) + hidden, subtype="html")
    else:
        message.set_content("\n\n".join([*cover, *said]))
    if way == "alternative":
        message.add_alternative("".join(f"<p>{part}</p>" for part in cover), subtype="html")
    return b"From guest Mon Sep 14 10:00:00 2026\n" + message.as_bytes() + b"\n"


def _file(
    write: Callable[[str, Sequence[str], Sequence[Sequence[str]], Sequence[str], str], bytes],
) -> Callable[[Attack, str], bytes]:
    def made(attack: Attack, way: str) -> bytes:
        rows = _rows(attack)
        said = [] if rows else _said(attack, way)
        return write(attack.title, attack.cover, rows, said, way)

    return made


_WRITERS: dict[str, Callable[[Attack, str], bytes]] = {
    "markdown": _markdown,
    "html": _html,
    "twiki": _twiki,
    "rst": _rst,
    "text": _plain,
    "notebook": _notebook,
    "code": _code,
    "jira": _jira,
    "gitlab": _gitlab,
    "indico": _indico,
    "mbox": _mbox,
    "pdf": _file(pdf_file),
    "docx": _file(docx_file),
    "pptx": _file(pptx_file),
}
