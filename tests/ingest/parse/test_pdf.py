import io
import re
from datetime import UTC, datetime

import pytest
from pypdf import PdfReader, PdfWriter

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import parse
from tests.ingest.parse.pages import FETCHED, one, page, texts

FULL = "This line is as long as the column and so it is known to run on to the next"


def pdf(*sheets, info=""):
    """A PDF with these lines on its pages; a line may be (size, text)."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for lines in sheets:
        shown = [f"1 0 0 1 50 {780 - 14 * at} Tm {_line(line)}" for at, line in enumerate(lines)]
        stream = "BT\n" + "\n".join(shown) + "\nET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        font = "<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] "
            f"/Resources << /Font {font} >> /Contents {len(objects)} 0 R >>"
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    objects.append(f"<< {info} >>")
    out, starts = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        starts.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{start:010d} 00000 n \n" for start in starts)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    trailer = f"<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>"
    return out + f"trailer\n{trailer}\nstartxref\n{len(out) - len(table) - 30}\n%%EOF".encode()


def _line(line):
    size, text = line if isinstance(line, tuple) else (10, line)
    escaped = re.sub(r"([()])", r"\\\1", text)
    return f"/F1 {size} Tf ({escaped}) Tj"


def read(*sheets, info=""):
    raw = io.BytesIO()
    # Through a writer, which mends the cross-reference table of the toy above.
    PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*sheets, info=info)))).write(raw)
    return one(raw.getvalue(), "pdf", "papers:note.pdf")


def test_lines_become_paragraphs_with_their_page():
    document = read([FULL, "line. The end is here.", "Next."], [FULL, "on page two."])

    assert texts(document) == [
        f"{FULL} line. The end is here.",
        "Next.",
        f"{FULL} on page two.",
    ]
    assert [block.page for block in document.blocks] == [1, 1, 2]


def test_words_cut_at_a_line_end_are_joined():
    document = read(
        [
            f"{FULL} cali-",
            "bration of the tag-and-probe method and more words for the length of it",
            f"{FULL} tag-",
            "and-probe once more.",
        ]
    )

    assert "calibration of the tag-and-probe method" in document.text
    assert "on to the next tag-and-probe once more." in document.text


def test_running_lines_and_page_numbers_go():
    document = read(
        *[["MER-INT-7", f"Body of sheet {'abcd'[at]}.", f"{at + 1}"] for at in range(4)]
    )

    assert texts(document) == [f"Body of sheet {letter}." for letter in "abcd"]


def test_numbered_headings_follow_each_other_and_tables_keep_their_lines():
    document = read(
        [
            "Abstract",
            "Short.",
            "1 Introduction",
            FULL,
            "ends.",
            "2 stations are needed.",
            "1.1 Detector",
            "Text.",
            "3 Not the next one",
            "2 Rates",
            "L1_MU4 12 13 14",
            "L1_MU6 22 23 24",
            "4. Lists are no headings",
            "References",
        ]
    )

    assert texts(document, BlockKind.HEADING) == [
        "Abstract",
        "1 Introduction",
        "1.1 Detector",
        "2 Rates",
        "References",
    ]
    assert document.sections[2].headings == ("1 Introduction", "1.1 Detector")
    assert "L1_MU4 12 13 14\nL1_MU6 22 23 24" in document.text


def test_bullets_are_a_list():
    document = read(["We need:", "\xb7 one thing", "\xb7 another"])

    assert texts(document) == ["We need:", "- one thing\n- another"]


def test_title_author_and_date_come_from_the_metadata():
    info = "/Title (Muon note of 2024) /Author (Ada Kroll) /ModDate (D:20240312102200Z)"
    document = read(["Text."], info=info)

    assert (document.title, document.author) == ("Muon note of 2024", "Ada Kroll")
    assert document.updated_at == datetime(2024, 3, 12, 10, 22, tzinfo=UTC)


def test_a_useless_title_gives_way_to_the_largest_line_and_then_the_first():
    info = "/Title (Microsoft Word - x.doc) /ModDate (D:20000101000000Z)"
    large = read(["Internal note", (22, "Rates of muons"), "Text."], info=info)

    assert large.title == "Rates of muons"
    assert large.updated_at == FETCHED
    assert read(["First line", "Second."]).title == "First line"


def test_a_scan_an_encrypted_and_a_broken_file_are_told_apart():
    with pytest.raises(ParseError, match=r"has no text layer \(scanned\?\)\. Run OCR"):
        read([])
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(["secret"]))))
    writer.encrypt("password", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)
    with pytest.raises(ParseError, match="is encrypted"):
        parse(page(locked.getvalue(), "f:x.pdf"))
    with pytest.raises(ParseError, match=r"f:x\.pdf"):
        parse(page(b"%PDF-1.4\nnothing", "f:x.pdf"))


def test_an_empty_user_password_is_no_lock():
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(["Open text."]))))
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    raw = io.BytesIO()
    writer.write(raw)

    assert one(raw.getvalue(), "pdf").text == "Open text."
