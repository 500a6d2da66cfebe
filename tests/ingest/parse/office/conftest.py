"""Documents and slides, made by the libraries that read them and by hand."""

import io
import zipfile
from datetime import UTC, datetime

from docx import Document as new_docx
from pptx import Presentation as new_pptx

MODIFIED = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)


def saved(made):
    raw = io.BytesIO()
    made.save(raw)
    return raw.getvalue()


def word(fill=lambda made: None, title="", modified=MODIFIED):
    """A Word file, filled by a function."""
    made = new_docx()
    made.core_properties.title = title
    made.core_properties.author = "Ada Zerovic"
    made.core_properties.modified = modified.replace(tzinfo=None)
    fill(made)
    return saved(made)


def repacked(raw, change=None, extra=None, compress=zipfile.ZIP_DEFLATED):
    """The package with some of its members changed or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", compress) as new:
        for name in old.namelist():
            new.writestr(name, (change or {}).get(name, lambda content: content)(old.read(name)))
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return out.getvalue()


def slides(fill=lambda made: None, title=""):
    """A PowerPoint file, filled by a function."""
    made = new_pptx()
    made.core_properties.title = title
    made.core_properties.author = "Bo Tran"
    made.core_properties.modified = MODIFIED.replace(tzinfo=None)
    fill(made)
    return saved(made)


def add_slide(made, layout, *placeholders):
    slide = made.slides.add_slide(made.slide_layouts[layout])
    for place, text in zip(slide.placeholders, placeholders, strict=False):
        place.text = text
    return slide
