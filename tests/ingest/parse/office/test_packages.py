"""The archive around it: which kind it is, and what is refused."""

import pytest

from ingest.errors import ParseError
from ingest.parse import guess_format, parse
from tests.ingest.parse.office.conftest import add_slide, repacked, slides, word
from tests.ingest.parse.pages import one, page

EMPTY = b"PK\x05\x06" + b"\x00" * 18
"""An archive without members."""


@pytest.mark.parametrize("name", ["i:1/talk", "i:1/talk.txt", "i:1/talk.zip"])
def test_office_files_are_told_by_their_content(name):
    assert guess_format(name, word()) == "docx"
    assert guess_format(name, slides()) == "pptx"


def test_other_archives_are_still_refused():
    with pytest.raises(ParseError, match="is a binary file"):
        guess_format("i:1/data.docx", repacked(EMPTY, extra={"xl/a.xml": "x"}))


@pytest.mark.parametrize(
    ("raw", "name", "main", "given"),
    [
        (
            "word",
            "word/document.xml",
            b"wordprocessingml.document.main",
            b"wordprocessingml.template.main",
        ),
        ("slides", "ppt/x", b"presentationml.presentation.main", b"presentationml.slideshow.main"),
    ],
)
def test_templates_and_slide_shows_are_read_as_what_they_are(raw, name, main, given):
    if raw == "word":
        content, kind = word(lambda made: made.add_paragraph("Inside.")), "docx"
    else:
        content, kind = slides(lambda made: add_slide(made, 5, "Inside.")), "pptx"
    content = repacked(content, {"[Content_Types].xml": lambda old: old.replace(main, given)})

    assert one(content, kind, "i:1/file").text == "Inside."


def lying(raw, name, claimed):
    """The package with a size in its directory that is not the member's."""
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(name))
    return raw[: at + 24] + claimed.to_bytes(4, "little") + raw[at + 28 :]


BOMB = b"<a>" + b" " * 60_000_000 + b"</a>"


def test_a_package_that_unpacks_to_too_much_is_refused_unread():
    raw = repacked(word(), extra={"word/bomb.xml": BOMB})

    with pytest.raises(ParseError, match="unpacks to more than 50,000,000 bytes"):
        parse(page(raw, "i:1/a.docx", "docx"))


def test_members_are_counted_together():
    parts = {f"word/part{at}.xml": b" " * 6_000_000 for at in range(9)}

    with pytest.raises(ParseError, match="unpacks to more than 50,000,000 bytes"):
        parse(page(repacked(word(), extra=parts), "i:1/a.docx", "docx"))


def test_a_package_that_lies_about_its_sizes_is_refused():
    raw = lying(repacked(word(), extra={"word/bomb.xml": BOMB}), b"word/bomb.xml", 10)

    with pytest.raises(ParseError, match="is not a readable Word document"):
        parse(page(raw, "i:1/a.docx", "docx"))


def test_a_package_of_very_many_files_is_refused():
    parts = {f"word/{at}.bin": b"" for at in range(10_001)}

    with pytest.raises(ParseError, match="more than 10,000"):
        parse(page(repacked(word(), extra=parts), "i:1/a.docx", "docx"))


def test_pictures_are_not_unpacked():
    def fill(made):
        made.add_paragraph("Beside a film.")

    raw = repacked(word(fill), extra={"word/media/film.mp4": b"\x00" * 60_000_000})

    assert one(raw, "docx", "i:1/a.docx").text == "Beside a film."


@pytest.mark.parametrize("charset", ["utf-8", "utf-16"])
def test_entities_are_refused(charset):
    evil = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'.encode(charset)
    raw = repacked(word(), {"word/document.xml": lambda old: evil})

    with pytest.raises(ParseError, match="declares entities"):
        parse(page(raw, "i:1/a.docx", "docx"))


@pytest.mark.parametrize("kind", ["docx", "pptx"])
@pytest.mark.parametrize("keep", [100, 2000, -300])
def test_a_cut_file_is_a_parse_error(kind, keep):
    raw = word() if kind == "docx" else slides()

    with pytest.raises(ParseError, match="is not a readable"):
        parse(page(raw[:keep], "i:1/a", kind))


@pytest.mark.parametrize(
    ("raw", "kind"),
    [(word(), "pptx"), (slides(), "docx"), (b"no archive", "docx"), (EMPTY, "pptx")],
)
def test_another_kind_of_file_is_a_parse_error(raw, kind):
    with pytest.raises(ParseError, match="is not a readable"):
        parse(page(raw, "i:1/a", kind))


def test_broken_xml_inside_is_a_parse_error():
    raw = repacked(word(), {"word/document.xml": lambda old: old[:-50]})

    with pytest.raises(ParseError, match="is not a readable Word document"):
        parse(page(raw, "i:1/a.docx", "docx"))


def test_a_password_or_an_old_format_is_said():
    with pytest.raises(ParseError, match="has a password or an old format"):
        parse(page(b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "i:1/a.doc", "docx"))


def test_a_file_without_text_is_a_parse_error():
    with pytest.raises(ParseError, match="holds no text"):
        parse(page(word(), "i:1/a.docx", "docx"))
