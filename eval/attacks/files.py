"""Word, PowerPoint and PDF files with a part that is not to be seen."""

import io
import textwrap
from collections.abc import Sequence
from typing import Any

Rows = Sequence[Sequence[str]]


def docx_file(title: str, cover: Sequence[str], rows: Rows, said: Sequence[str], way: str) -> bytes:
    """A Word document; `way` is `vanish`, `white`, `tiny` or nothing."""
    from docx import Document
    from docx.shared import Pt, RGBColor

    made = Document()
    made.core_properties.title = title
    made.add_heading(title, 1)
    for part in cover:
        made.add_paragraph(part)
    if rows:
        table = made.add_table(len(rows), len(rows[0]))
        for at, row in enumerate(rows):
            for cell, text in zip(table.rows[at].cells, row, strict=True):
                cell.text = text
    for part in said:
        font = made.add_paragraph().add_run(part).font
        if way == "vanish":
            font.hidden = True
        elif way == "white":
            font.color.rgb = _white(RGBColor)
        elif way == "tiny":
            font.size = Pt(1)
    return _saved(made)


def _white(colour: Any) -> Any:
    return colour(255, 255, 255)


def pptx_file(title: str, cover: Sequence[str], rows: Rows, said: Sequence[str], way: str) -> bytes:
    """A talk of one slide; `way` is `white`, `offslide`, `hidden-slide`, `tiny` or nothing."""
    from pptx import Presentation
    from pptx.dml.color import RGBColor
    from pptx.util import Inches, Pt

    made = Presentation()
    made.core_properties.title = title
    slide = made.slides.add_slide(made.slide_layouts[5])
    slide.shapes.title.text = title
    for at, part in enumerate([*cover, *(" | ".join(row) for row in rows)]):
        box = slide.shapes.add_textbox(Inches(1), Inches(2 + at), Inches(8), Inches(1))
        box.text_frame.text = part
    if way == "hidden-slide":
        slide = made.slides.add_slide(made.slide_layouts[6])
        slide.element.set("show", "0")
    for part in said:
        left = Inches(30) if way == "offslide" else Inches(1)
        box = slide.shapes.add_textbox(left, Inches(5), Inches(8), Inches(1))
        box.text_frame.text = part
        font = box.text_frame.paragraphs[0].runs[0].font
        if way == "white":
            font.color.rgb = _white(RGBColor)
        elif way == "tiny":
            font.size = Pt(1)
    return _saved(made)


def _saved(made: Any) -> bytes:
    raw = io.BytesIO()
    made.save(raw)
    return raw.getvalue()


_PDF_WAYS = {
    "": "",
    "invisible": "3 Tr",
    "white": "1 1 1 rg",
    "tiny": "/F1 0.4 Tf",
    "off-page": "1 0 0 1 50 3000 Tm",
}


def pdf_file(title: str, cover: Sequence[str], rows: Rows, said: Sequence[str], way: str) -> bytes:
    """A PDF of one page; `way` is `invisible`, `white`, `tiny`, `off-page` or nothing."""
    from pypdf import PdfWriter
    from pypdf.generic import (
        DecodedStreamObject,
        DictionaryObject,
        NameObject,
    )

    shown = [title, "", *cover, *(" | ".join(row) for row in rows)]
    program = ["BT", "/F1 11 Tf", "14 TL", "1 0 0 1 50 740 Tm"]
    program += [f"({_escaped(line)}) '" for part in shown for line in _lines(part)]
    program += ["/F1 11 Tf", _PDF_WAYS[way]]
    program += [f"({_escaped(line)}) '" for part in said for line in _lines(part)]
    writer = PdfWriter()
    page = writer.add_blank_page(width=595, height=842)
    font = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font["/Encoding"] = "/WinAnsiEncoding"
    named = DictionaryObject({NameObject(key): NameObject(value) for key, value in font.items()})
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(named)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data("\n".join([*program, "ET"]).encode("latin-1", "replace"))
    page[NameObject("/Contents")] = writer._add_object(stream)
    raw = io.BytesIO()
    writer.write(raw)
    return raw.getvalue()


def _lines(text: str) -> list[str]:
    return textwrap.wrap(text, 90) or [""]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
