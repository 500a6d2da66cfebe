"""Word documents and PowerPoint slides: headings, paragraphs, lists, tables, notes of the speaker.

The libraries open the package and know its parts; the text is taken from the XML itself, because
they pass over content controls, tracked insertions, text boxes and formulae.
"""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docx import Document as open_docx
from docx.opc.constants import RELATIONSHIP_TYPE as RT
from pptx import Presentation as open_pptx

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder, Item
from ingest.parse.clean import fold, moment
from ingest.parse.officeunseen import is_shown, strip_slide, strip_word

_MOST_MEMBERS = 10_000
_MOST_XML = 50_000_000
"""Bytes of XML in a package, unpacked; a tree of it takes several times as much memory."""
_MOST_COLUMNS = 100
_WIDE, _HIGH = 12_192_000, 6_858_000
"""Size of a slide in English metric units where the file does not give it: 16:9."""

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"

_TEXT = {f"{_W}t", f"{_A}t", f"{_M}t"}
_BREAKS = {f"{_W}br": "\n", f"{_W}cr": "\n", f"{_A}br": "\n", f"{_W}tab": " "}
_BREAKS |= {f"{_W}noBreakHyphen": "-"}
# What was deleted or moved away, and the copy of a text box for programs of the last century.
_LEFT_OUT = {f"{_W}del", f"{_W}moveFrom", f"{_W}pPr", f"{_W}rPr", f"{_A}pPr", f"{_A}rPr"}
_LEFT_OUT |= {f"{_MC}Fallback"}
_ENDS = {f"{_W}p", f"{_W}tc", f"{_A}p"}

_KINDS = {"docx": "Word document", "pptx": "PowerPoint file"}
# The libraries refuse templates, slide shows and files with macros, which are the same inside.
_MAIN_TYPES = {
    b"application/vnd.ms-word.document.macroEnabled.main+xml": "docx",
    b"application/vnd.ms-word.template.macroEnabledTemplate.main+xml": "docx",
    b"application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml": "docx",
    b"application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml": "pptx",
    b"application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml": "pptx",
    b"application/vnd.ms-powerpoint.template.macroEnabled.main+xml": "pptx",
    b"application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml": "pptx",
    b"application/vnd.openxmlformats-officedocument.presentationml.template.main+xml": "pptx",
}
_PLAIN_TYPES = {
    "docx": b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "pptx": b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
}
_BAD_TITLE = re.compile(
    r"(powerpoint presentation|word document|untitled|document|presentation|slide|title)[ \d]*"
    r"|microsoft .*|.*\.(docx?|pptx?|potx?|ppsx?|pdf|key|odt|odp)",
    re.IGNORECASE,
)


def parse(page: Page) -> list[Document]:
    """The one document of a Word or PowerPoint file.

    Raises:
        ParseError: for a file that is broken, has a password, or unpacks to too much.
    """
    package = _bounded_copy(page)
    try:
        opened = open_docx(package) if page.format == "docx" else open_pptx(package)
    except RecursionError:
        raise
    except Exception as error:
        raise _unreadable(page, error) from error
    builder = DocumentBuilder(page)
    _add_properties(builder, opened)
    if page.format == "docx":
        strip_word(opened)
        _Word(builder, opened).add()
    else:
        _add_slides(builder, opened)
    return [builder.build()]


def _unreadable(page: Page, error: Exception) -> ParseError:
    told = f"{type(error).__name__}: {error}"[:200]
    kind = _KINDS[page.format]
    return ParseError(f"{page.id} is not a readable {kind} ({told}). Store it anew or exclude it.")


def _bounded_copy(page: Page) -> io.BytesIO:
    """The package as it may be given to a library: its XML alone, of known size, without DTDs.

    A library unpacks a member in one go, whatever its header promised; here each is unpacked
    only as far as the limit goes. Pictures and films are not needed and left empty.
    """
    if page.content.startswith(b"\xd0\xcf\x11\xe0"):
        msg = f"{page.id} has a password or an old format (.doc, .ppt). Store it anew without."
        raise ParseError(msg)
    copy = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(page.content)) as packed, zipfile.ZipFile(copy, "w") as new:
            for name, content in _members(page, packed):
                new.writestr(name, content)
    except ParseError:
        raise
    except Exception as error:
        # zipfile raises whatever a broken archive leads it to: struct.error, zlib.error, OSError.
        raise _unreadable(page, error) from error
    copy.seek(0)
    return copy


def _members(page: Page, packed: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    members = {member.filename: member for member in packed.infolist()}
    if len(members) > _MOST_MEMBERS:
        msg = f"{page.id} holds {len(members):,} files, more than {_MOST_MEMBERS:,}. Exclude it."
        raise ParseError(msg)
    left = _MOST_XML
    for name, member in members.items():
        content = b""
        if name.lower().endswith((".xml", ".rels")):
            if member.file_size <= left:
                with packed.open(member) as file:
                    content = file.read(left + 1)
            if max(member.file_size, len(content)) > left:
                msg = f"{page.id} unpacks to more than {_MOST_XML:,} bytes of XML. Exclude it."
                raise ParseError(msg)
            left -= len(content)
            if b"<!DOCTYPE" in content.replace(b"\x00", b""):
                msg = f"{page.id} declares entities, which office files never do. Exclude it."
                raise ParseError(msg)
        if name == "[Content_Types].xml":
            for given, kind in _MAIN_TYPES.items():
                content = content.replace(given, _PLAIN_TYPES[kind])
        yield name, content


def _add_properties(builder: DocumentBuilder, opened: Any) -> None:
    try:
        # Without this part the libraries make one up, with today's date.
        opened.part.package.part_related_by(RT.CORE_PROPERTIES)
    except KeyError:
        return
    core = opened.core_properties
    title = fold(core.title or "")
    builder.title = "" if _BAD_TITLE.fullmatch(title) else title
    builder.author = core.author or ""
    builder.updated_at = moment(core.modified) or moment(core.created)


def _text(node: Any) -> Iterator[str]:
    """What a person reads below an element, in pieces."""
    for child in node:
        tag = child.tag
        if tag in _TEXT:
            yield child.text or ""
        elif tag in _BREAKS:
            yield _BREAKS[tag]
        elif not isinstance(tag, str) or tag in _LEFT_OUT:
            continue
        else:
            yield from _text(child)
            if tag in _ENDS:
                yield "\n"


def _joined(node: Any) -> str:
    return "".join(_text(node)).strip()


def _number(node: Any, path: str, name: str = f"{_W}val") -> int | None:
    """The number in an attribute of the element at a path; None where there is none."""
    found = None if node is None else node.find(path)
    value = "" if found is None else str(found.get(name, ""))
    return int(value) if re.fullmatch(r"\d{1,9}", value) else None


@dataclass(frozen=True, slots=True)
class _Style:
    name: str
    heading: int
    """Level of a heading, 0 for text."""
    list_id: int | None


class _Word:
    """Walks the body of a Word document once."""

    def __init__(self, builder: DocumentBuilder, opened: Any) -> None:
        self._builder = builder
        self._body = opened.element.body
        self._styles = {style.style_id: _style(style) for style in opened.styles}
        self._ordered = _ordered_lists(opened)
        self._counts: Counter[tuple[int, int]] = Counter()
        self._items: list[Item] = []

    def add(self) -> None:
        """Add everything in the document."""
        self._blocks(self._body)
        self._end_list()

    def _blocks(self, parent: Any) -> None:
        for child in parent:
            if child.tag == f"{_W}p":
                self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                self._table(child)
            elif child.tag == f"{_W}sdt":
                gallery = child.find(f"{_W}sdtPr/{_W}docPartObj/{_W}docPartGallery")
                contents = "" if gallery is None else str(gallery.get(f"{_W}val", ""))
                inner = child.find(f"{_W}sdtContent")
                if inner is not None and contents != "Table of Contents":
                    self._blocks(inner)
            elif child.tag in (f"{_W}ins", f"{_W}customXml"):
                self._blocks(child)

    def _paragraph(self, paragraph: Any) -> None:
        properties = paragraph.find(f"{_W}pPr")
        named = None if properties is None else properties.find(f"{_W}pStyle")
        style = self._styles.get(
            "" if named is None else named.get(f"{_W}val"), _Style("", 0, None)
        )
        text = _joined(paragraph)
        if not text or style.name.startswith("toc "):
            return
        outline = _number(properties, f"{_W}outlineLvl")
        level = outline + 1 if outline is not None and outline < 9 else style.heading
        list_id = _number(properties, f"{_W}numPr/{_W}numId")
        list_id = style.list_id if list_id is None else list_id
        if level:
            self._end_list()
            if style.name == "title" and self._builder.empty:
                self._builder.title = text
            self._builder.heading(level, text, _bookmark(paragraph))
        elif list_id:
            depth = _number(properties, f"{_W}numPr/{_W}ilvl") or 0
            self._items.append(Item(text, depth, self._marker(list_id, depth)))
        else:
            self._end_list()
            self._builder.prose(text, lines=True)

    def _marker(self, list_id: int, depth: int) -> str:
        if (list_id, depth) not in self._ordered:
            return "-"
        self._counts[list_id, depth] += 1
        for deeper in range(depth + 1, 10):
            self._counts[list_id, deeper] = 0
        return f"{self._counts[list_id, depth]}."

    def _end_list(self) -> None:
        self._builder.items(self._items)
        self._items.clear()

    def _table(self, table: Any) -> None:
        self._end_list()
        rows = list(table.iterfind(f"{_W}tr"))
        if all(len(row.findall(f"{_W}tc")) <= 1 for row in rows):
            # One column is a frame around text, not a table.
            for cell in table.iterfind(f"{_W}tr/{_W}tc"):
                self._blocks(cell)
            self._end_list()
            return
        above: list[str] = []
        lines = []
        for row in rows:
            above = _word_row(row, above)
            lines.append(above)
        headed = _is_headed(table, rows[0])
        self._builder.table(lines[0] if headed else None, lines[1:] if headed else lines)


def _style(style: Any) -> _Style:
    """What a style and those it is based on make of a paragraph."""
    heading, list_id, given = 0, None, style
    for _ in range(10):
        if given is None:
            break
        name = str(given.name or "").lower()
        found = re.fullmatch(r"heading (\d)", name)
        outline = _number(given.element, f"{_W}pPr/{_W}outlineLvl")
        if not heading:
            heading = int(found[1]) if found else 1 if name == "title" else 0
        if not heading and outline is not None and outline < 9:
            heading = outline + 1
        if list_id is None:
            list_id = _number(given.element, f"{_W}pPr/{_W}numPr/{_W}numId")
        given = getattr(given, "base_style", None)
    return _Style(str(style.name or "").lower(), heading, list_id)


def _ordered_lists(opened: Any) -> set[tuple[int, int]]:
    """The (list, level) pairs that are numbered rather than marked by a bullet."""
    try:
        root = opened.part.part_related_by(RT.NUMBERING).element
    except KeyError:
        return set()
    levels = {
        kind.get(f"{_W}abstractNumId"): {
            int(level.get(f"{_W}ilvl", "0"))
            for level in kind.iterfind(f"{_W}lvl")
            for form in level.iterfind(f"{_W}numFmt")
            if form.get(f"{_W}val") not in ("bullet", "none")
        }
        for kind in root.iterfind(f"{_W}abstractNum")
    }
    return {
        (int(number.get(f"{_W}numId")), level)
        for number in root.iterfind(f"{_W}num")
        for kind in number.iterfind(f"{_W}abstractNumId")
        for level in levels.get(kind.get(f"{_W}val"), ())
    }


def _bookmark(paragraph: Any) -> str:
    mark = paragraph.find(f"{_W}bookmarkStart")
    return "" if mark is None else str(mark.get(f"{_W}name", ""))


def _word_row(row: Any, above: list[str]) -> list[str]:
    """Texts of a row; a cell that hangs down from the row above is told again."""
    line: list[str] = []
    for cell in row.iterfind(f"{_W}tc"):
        merge = cell.find(f"{_W}tcPr/{_W}vMerge")
        text = _joined(cell)
        if merge is not None and merge.get(f"{_W}val") != "restart" and len(line) < len(above):
            text = above[len(line)]
        span = _number(cell, f"{_W}tcPr/{_W}gridSpan") or 1
        line += [text, *[""] * (min(span, _MOST_COLUMNS) - 1)]
        if len(line) >= _MOST_COLUMNS:
            break
    return line


def _is_headed(table: Any, first: Any) -> bool:
    if first.find(f"{_W}trPr/{_W}tblHeader") is not None:
        return True
    look = table.find(f"{_W}tblPr/{_W}tblLook")
    if look is None:
        return False
    bits = str(look.get(f"{_W}val", "0"))
    plain = re.fullmatch(r"[0-9A-Fa-f]{1,4}", bits) is not None and bool(int(bits, 16) & 0x20)
    return str(look.get(f"{_W}firstRow", "1" if plain else "0")) in ("1", "true", "on")


def _add_slides(builder: DocumentBuilder, opened: Any) -> None:
    for number, slide in enumerate(opened.slides, 1):
        if not is_shown(slide):
            continue
        strip_slide(slide, opened.slide_width or _WIDE, opened.slide_height or _HIGH)
        builder.page(number)
        shapes = list(_shapes(slide.shapes.element))
        title = next((shape for shape in shapes if _place(shape) in ("title", "ctrTitle")), None)
        shown = fold(_joined(title)) if title is not None else ""
        builder.heading(1, shown or f"Slide {number}")
        for shape in shapes:
            if shape is not title:
                _add_shape(builder, shape)
        if slide.has_notes_slide:
            _add_notes(builder, slide.notes_slide)


def _shapes(tree: Any) -> Iterator[Any]:
    """Shapes and frames in reading order, also those in groups and those that hold formulae."""
    for child in tree:
        if child.tag in (f"{_P}sp", f"{_P}graphicFrame"):
            yield child
        elif child.tag == f"{_P}grpSp":
            yield from _shapes(child)
        elif child.tag == f"{_MC}AlternateContent":
            choice = child.find(f"{_MC}Choice")
            yield from () if choice is None else _shapes(choice)


def _place(shape: Any) -> str:
    """What a shape is on the slide: `title`, `body`, `ftr` …, empty for one that was drawn."""
    place = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return "" if place is None else str(place.get("type", "obj"))


def _add_shape(builder: DocumentBuilder, shape: Any) -> None:
    table = next(shape.iter(f"{_A}tbl"), None)
    if table is not None:
        _add_slide_table(builder, table)
    body = shape.find(f"{_P}txBody")
    place = _place(shape)
    if body is None or place in ("ftr", "sldNum", "dt", "hdr"):
        return
    items: list[Item] = []
    for paragraph in body.iterfind(f"{_A}p"):
        text = _joined(paragraph)
        marked = _has_bullet(paragraph, listed=place in ("body", "obj"))
        if text and marked:
            level = _number(paragraph, f"{_A}pPr", "lvl") or 0
            items.append(Item(text, level))
        elif text:
            builder.items(items)
            items = []
            builder.prose(text, lines=True)
    builder.items(items)


def _has_bullet(paragraph: Any, *, listed: bool) -> bool:
    properties = paragraph.find(f"{_A}pPr")
    if properties is None:
        return listed
    if properties.find(f"{_A}buNone") is not None:
        return False
    own = any(properties.find(f"{_A}{name}") is not None for name in ("buChar", "buAutoNum"))
    return listed or own


def _add_slide_table(builder: DocumentBuilder, table: Any) -> None:
    lines: list[list[str]] = []
    for row in table.iterfind(f"{_A}tr"):
        above = lines[-1] if lines else []
        line = []
        for at, cell in enumerate(row.findall(f"{_A}tc")[:_MOST_COLUMNS]):
            hanging = cell.get("vMerge") in ("1", "true") and at < len(above)
            line.append(above[at] if hanging else _joined(cell))
        lines.append(line)
    properties = table.find(f"{_A}tblPr")
    headed = properties is not None and properties.get("firstRow") in ("1", "true")
    builder.table(lines[0] if headed and lines else None, lines[1:] if headed else lines)


def _add_notes(builder: DocumentBuilder, notes: Any) -> None:
    texts = [
        _joined(paragraph)
        for shape in _shapes(notes.shapes.element)
        if _place(shape) == "body"
        for paragraph in shape.iterfind(f"{_P}txBody/{_A}p")
    ]
    if any(texts):
        builder.heading(2, "Speaker notes")
        for text in texts:
            builder.prose(text, lines=True)
