"""PDF files with a text layer: paragraphs, lines of tables and headings, page by page."""

import io
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, PdfReadError

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder, Item
from ingest.parse.clean import fold, moment
from ingest.parse.pdfunseen import Unseen

_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
# TeX writes an accent as a sign of its own before the letter: "M¨unchen", "Hern´andez".
_ACCENTS = {"´": "\u0301", "¨": "\u0308", "ˇ": "\u030c", "ˆ": "\u0302", "˜": "\u0303"}
_ACCENTED = re.compile(r"([´¨ˇˆ˜])([A-Za-z])")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s+([A-Z][^\n]{2,90})")
_NAMED = re.compile(
    r"(Abstract|Introduction|Preface|Contents|Summary|Conclusions?|References|Bibliography"
    r"|Acknowledge?ments?|(Appendix|Annex) [A-Z0-9]\b.{0,60})",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^[•▪◦‣●–]\s+(.*)$")
_PAGE_NUMBER = re.compile(
    r"(page\s*)?[-–]?\s*(\d{1,4}|[ivxl]{1,6})\s*([-–]|(of|/)\s*\d{1,4})?", re.IGNORECASE
)
_BAD_TITLE = re.compile(
    r"untitled|\.(docx?|tex|dvi|pptx?|pdf|indd)$|^(microsoft|slide \d)", re.IGNORECASE
)
_NARROWEST = 40
"""No column for text is narrower than this: on slides every line was ended on purpose."""
_EDGE = 3
"""How many lines at the top and the bottom of a page may be a running header or footer."""


def parse(page: Page) -> list[Document]:
    """The one document of a PDF.

    Raises:
        ParseError: for an encrypted or broken file, and for one without a text layer.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = _open(page)
    pages = [_lines(text) for text in _texts(page, reader)]
    if not any(pages):
        msg = f"{page.id} has no text layer (scanned?). Run OCR on it, e.g. ocrmypdf."
        raise ParseError(msg)
    pages = _without_running_lines(pages)
    builder = DocumentBuilder(page)
    title, builder.author, builder.updated_at = _metadata(reader)
    first = next((line for lines in pages for line in lines if re.search(r"\w{3}", line)), "")
    builder.title = title or _largest_line(reader) or first[:200]
    _Layout(builder, pages).add()
    return [builder.build()]


def _open(page: Page) -> PdfReader:
    try:
        reader = PdfReader(io.BytesIO(page.content))
        # Many papers carry an empty user password, which only asks readers not to print.
        if reader.is_encrypted and not reader.decrypt(""):
            msg = f"{page.id} is encrypted. Store a copy without a password."
            raise ParseError(msg)
    except DependencyError:
        msg = f"{page.id} is encrypted. Store a copy without a password."
        raise ParseError(msg) from None
    except PdfReadError as error:
        msg = f"{page.id} is not a readable PDF: {error}. Fetch it again or exclude it."
        raise ParseError(msg) from error
    return reader


def _texts(page: Page, reader: PdfReader) -> Iterator[str]:
    failed, reason = 0, ""
    for sheet in reader.pages:
        try:
            yield _shown(sheet)
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - pypdf raises whatever a broken page leads it to
            failed, reason = failed + 1, f"{type(error).__name__}: {error}"[:200]
            yield ""
    if failed and failed == len(reader.pages):
        msg = f"{page.id} is not a readable PDF ({reason}). Fetch it again or exclude it."
        raise ParseError(msg)


def _shown(sheet: PageObject) -> str:
    """The text of a page that is to be seen on it, or under the picture of a scan."""
    unseen = Unseen(sheet)
    text = sheet.extract_text(
        visitor_operand_before=unseen.before, visitor_operand_after=unseen.after
    )
    if not unseen.is_scan:
        return text
    scan = Unseen(sheet, scanned=True)
    return sheet.extract_text(visitor_operand_before=scan.before, visitor_operand_after=scan.after)


def _lines(text: str) -> list[str]:
    text = _ACCENTED.sub(lambda found: found[2] + _ACCENTS[found[1]], text.translate(_LIGATURES))
    return [folded for line in text.split("\n") if (folded := fold(line))]


def _without_running_lines(pages: list[list[str]]) -> list[list[str]]:
    """Pages without page numbers and without the edge lines that most of them share."""
    counts: Counter[str] = Counter()
    for lines in pages:
        counts.update({_shape(line) for line in (*lines[:_EDGE], *lines[-_EDGE:])})
    filled = sum(1 for lines in pages if lines)
    running = {shape for shape, count in counts.items() if count >= 3 and count * 2 > filled}

    def drop(line: str) -> bool:
        return _shape(line) in running or (filled > 1 and bool(_PAGE_NUMBER.fullmatch(line)))

    kept = []
    for lines in pages:
        start, end = 0, len(lines)
        while start < min(end, _EDGE) and drop(lines[start]):
            start += 1
        while end > max(start, len(lines) - _EDGE) and drop(lines[end - 1]):
            end -= 1
        kept.append(lines[start:end])
    return kept


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line).casefold()


def _metadata(reader: PdfReader) -> tuple[str, str, datetime | None]:
    try:
        data = reader.metadata
        if data is None:
            return "", "", None
        title, author = fold(str(data.title or "")), fold(str(data.author or ""))
        made = data.modification_date or data.creation_date
    except (PdfReadError, ValueError, TypeError, AttributeError, KeyError):
        return "", "", None
    plain = len(title) >= 5 and " " in title and not _BAD_TITLE.search(title)
    when = moment(made)
    # Reproducible builds write this date into every file; it says nothing.
    placeholder = when is not None and (when.year, when.month, when.day) == (2000, 1, 1)
    return title if plain else "", author, None if placeholder else when


def _largest_line(reader: PdfReader) -> str:
    """The text in the largest type on the first page: on papers and slides, the title."""
    by_size: dict[int, list[str]] = defaultdict(list)

    def visit(text: str, _ctm: Any, matrix: Sequence[float], _font: Any, size: float) -> None:
        if text.strip():
            by_size[round(abs(size * matrix[3]) * 10)].append(text)

    try:
        unseen = Unseen(reader.pages[0])
        reader.pages[0].extract_text(
            visitor_operand_before=unseen.before,
            visitor_operand_after=unseen.after,
            visitor_text=visit,
        )
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - as in _texts; without a title the file is still worth having
        return ""
    if len(by_size) < 2:
        return ""
    title = " ".join(_lines("".join(by_size[max(by_size)])))
    return title if 8 <= len(title) <= 200 and len(title.split()) > 1 else ""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    page: int


class _Layout:
    """Puts lines together to paragraphs again, and finds the headings among them."""

    def __init__(self, builder: DocumentBuilder, pages: Sequence[Sequence[str]]) -> None:
        self._builder = builder
        self._lines = [
            _Line(text, number) for number, lines in enumerate(pages, 1) for text in lines
        ]
        lengths = sorted(len(line.text) for line in self._lines)
        # Half of a column's lines are about full; a line much shorter was ended on purpose.
        self._full = max(lengths[len(lengths) * 7 // 10] * 0.8, _NARROWEST)
        text = "\n".join(line.text for line in self._lines)
        self._hyphenated = set(re.findall(r"(?<![\w-])\w+-(?=\w)", text))
        self._number: tuple[int, ...] = ()
        self._run: list[str] = []
        self._last = ""
        """The last line as it stood on the page: its length says whether the text runs on."""

    def add(self) -> None:
        """Add all lines to the document."""
        page = 0
        for at, line in enumerate(self._lines):
            if line.page != page:
                self._end()
                page = line.page
                self._builder.page(page)
            if level := self._heading_level(at):
                self._end()
                self._builder.heading(level, line.text)
            else:
                self._append(line.text)
        self._end()

    def _heading_level(self, at: int) -> int:
        """Level of a heading; 0 for other lines. A number counts where it follows the last one."""
        text = self._lines[at].text
        if _NAMED.fullmatch(text):
            return 1
        found = _NUMBERED.fullmatch(text)
        if found is None or len(text) > 90 or text[-1] in ".,;:" or _is_row(text):
            return 0
        if re.search(r"(\.\s?){3,}|\s\d+$", text) or not self._stands_alone(at):
            return 0
        number = tuple(int(part) for part in found[1].split("."))
        if number not in _followers(self._number):
            return 0
        self._number = number
        return len(number)

    def _stands_alone(self, at: int) -> bool:
        """True when the line above does not run on into this one, nor this one into the next."""
        above = self._lines[at - 1].text if at else ""
        below = self._lines[at + 1].text if at + 1 < len(self._lines) else ""
        ended = not above or len(above) < self._full or above[-1] in ".:!?)]"
        return ended and len(self._lines[at].text) < self._full and not below[:1].islower()

    def _append(self, text: str) -> None:
        bullet = bool(_BULLET.match(text))
        if bullet and self._run and not _BULLET.match(self._run[0]):
            self._end()
        last, self._last = self._last, text
        if not self._run or bullet:
            self._run.append(text)
        elif (joined := self._without_hyphen(self._run[-1], text)) is not None:
            self._run[-1] = joined
        elif len(last) >= self._full and not _is_row(last) and not _is_row(text):
            self._run[-1] += f" {text}"
        else:
            if last[-1] in ".!?" and not _is_row(last):
                self._end()
            self._run.append(text)

    def _without_hyphen(self, last: str, text: str) -> str | None:
        if not re.search(r"\w-$", last) or not re.match(r"[a-zà-ÿ]", text):
            return None
        word = last.rsplit(None, 1)[-1]
        # "tag-" at the line's end keeps its hyphen when "tag-and-probe" stands elsewhere.
        keep = word in self._hyphenated or word.count("-") > 1
        return last + text if keep else last[:-1] + text

    def _end(self) -> None:
        if not self._run:
            return
        if _BULLET.match(self._run[0]):
            self._builder.items(_item(line) for line in self._run)
        else:
            self._builder.prose("\n".join(self._run), lines=True)
        self._run = []


def _item(line: str) -> Item:
    found = _BULLET.match(line)
    return Item(found[1]) if found else Item(line, 0, "")


def _followers(number: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Numbers that a heading after the one with this number may have."""
    if not number:
        return {(1,)}
    found = {(*number, 1)}
    for depth in range(1, len(number) + 1):
        found.add((*number[: depth - 1], number[depth - 1] + 1))
    return found


def _is_row(text: str) -> bool:
    """True for a line that looks like a row of a table: mostly numbers."""
    words = text.split()
    numbers = sum(1 for word in words if re.fullmatch(r"[-+±(~<>]*\d[\d.,:/×x^-]*[%)±]*", word))
    return len(words) >= 3 and numbers * 2 >= len(words)
