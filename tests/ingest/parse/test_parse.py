import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ingest.errors import ParseError
from ingest.parse import PARSERS, guess_format, parse
from ingest.parse.clean import day, decode, moment, safe_url, text_of
from tests.ingest.parse.pages import one, page

JIRA = json.dumps({"issues": [{"key": "A-1", "fields": {"summary": "s"}}]})
GITLAB = json.dumps([{"iid": 3, "title": "t"}])
INDICO = json.dumps({"results": [{"id": "7", "title": "t", "startDate": {"date": "2026-01-02"}}]})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("f:a/README.md", "x", "markdown"),
        ("f:a/index.RST", "x", "rst"),
        ("f:a/x.html", "x", "html"),
        ("f:a/x.ipynb", "{}", "notebook"),
        ("f:a/x.cc", "x", "code"),
        ("f:a/Makefile", "x", "code"),
        ("f:a/x.csv", "a,b", "text"),
        ("f:a/x.eml", "Subject: x", "mbox"),
        ("f:Main/WebHome.txt", '%META:TOPICINFO{author="a"}%\nx', "twiki"),
        ("f:a/notes.txt", "plain", "text"),
        ("f:a/noname", "<!DOCTYPE HTML><html>", "html"),
        ("f:a/noname", "From a@b Mon Jan 1 00:00:00 2024\nSubject: x\n\nhi", "mbox"),
        ("f:a/noname", "From here on it is text.", "text"),
        ("f:a/noname", "#!/bin/sh\necho", "code"),
        ("f:a/paper", "%PDF-1.5\n", "pdf"),
        ("f:a/x.json", JIRA, "jira"),
        ("f:a/x.json", GITLAB, "gitlab"),
        ("f:a/x.json", '{"slug": "home", "content": "x", "title": "Home"}', "gitlab"),
        ("f:a/x.json", INDICO, "indico"),
        ("f:a/x.json", '{"cells": [], "nbformat": 4}', "notebook"),
        ("f:a/x.json", '{"id": 7, "post_stream": {"posts": []}}', "discourse"),
        ("f:a/x.json", '{"a": 1}', "code"),
        ("f:a/x.json", "[1, 2]", "code"),
        ("f:a/x.json", '{"a": ', "text"),
        ("f:a/x.json", "[" * 100_000, "text"),
    ],
)
def test_formats_are_told_by_name_and_then_by_content(name, content, expected):
    assert guess_format(name, content.encode()) == expected
    assert expected in PARSERS


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG image"),
        (b"PK\x03\x04abc", "ZIP archive"),
        (b"\x7fELF\x02", "ELF program"),
        (b"text\x00more", "contains NUL bytes"),
    ],
)
def test_binary_files_are_refused_whatever_they_are_called(content, kind):
    with pytest.raises(ParseError, match=rf"f:x\.md is a binary file \({kind}"):
        parse(page(content, "f:x.md"))
    with pytest.raises(ParseError, match="is a binary file"):
        parse(page(content, "f:x.md", "twiki"))


def test_an_unknown_format_is_named_with_the_known_ones():
    with pytest.raises(ParseError, match=r"'odt'; known are .*code, discourse, docx, gitlab"):
        parse(page("x", format="odt"))


@pytest.mark.parametrize("name", sorted(set(PARSERS) - {"pdf"}))
@pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_page_is_a_parse_error_in_every_format(name, content):
    with pytest.raises(ParseError, match=r"wiki:Main/Page\.txt"):
        parse(page(content, format=name))


@pytest.mark.parametrize("name", sorted(PARSERS))
@pytest.mark.parametrize(
    "content",
    [
        bytes(range(1, 256)) * 40,
        b"<" * 3000,
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b"%PDF-1.4\n%%EOF",
        b"\n".join(b" " * depth + b"* x" for depth in range(300)),
        ("\u202eevil\u200b " * 50).encode(),
        b"> " * 2000 + b"x",
        b"From x@y Mon Jan  1 00:00:00 2024\n" * 50,
        b"%A{" * 3000 + b"}%" * 10,
    ],
)
def test_hostile_content_gives_documents_or_a_parse_error_in_every_format(name, content):
    try:
        documents = parse(page(content, format=name))
    except ParseError as error:
        assert str(error).startswith("wiki:Main/Page.txt")  # noqa: PT017 - both ends are right
    else:
        assert all("\u202e" not in document.text for document in documents)


def test_documents_of_one_page_have_ids_of_their_own():
    twice = json.dumps([{"iid": 3, "title": "t", "state": "open"}] * 2)

    assert [document.id for document in parse(page(twice, "g:i.json"))] == [
        "g:i.json#issue-3",
        "g:i.json#issue-3~2",
    ]


def test_a_document_carries_what_the_page_knows():
    document = one("Hello there.", "text")

    assert document.page_id == document.id == "wiki:Main/Page.txt"
    assert (document.source, document.format) == ("wiki", "text")
    assert document.access == frozenset({"public"})


@pytest.mark.parametrize(
    ("content", "declared", "expected"),
    [
        ("\ufeffpré".encode(), "", "pré"),
        ("pré".encode("utf-16"), "", "pré"),
        ("pré – x".encode("cp1252"), "", "pré – x"),
        ("naïve".encode("latin-1"), "iso-8859-1", "naïve"),
        ("Ωμέγα".encode("iso-8859-7"), "ISO-8859-7", "Ωμέγα"),
        ("naïve".encode("latin-1"), "punycode", "naïve"),
        ("naïve".encode("latin-1"), "cp99999", "naïve"),
        ("αβγδεζηθικλ".encode() + b"\xff", "", "αβγδεζηθικλ\ufffd"),
    ],
)
def test_bytes_are_decoded_by_what_they_are(content, declared, expected):
    assert decode(page(content), declared) == expected


def test_what_cannot_be_text_is_undecodable():
    with pytest.raises(ParseError, match="mostly undecodable"):
        decode(page(b"\x81\x8d\x8f\x90\x9d\x01\x02\x03" * 20))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2017-02-17T05:07:43.000+0000", datetime(2017, 2, 17, 5, 7, 43, tzinfo=UTC)),
        ("12 Mar 2024 - 10:22", datetime(2024, 3, 12, 10, 22, tzinfo=UTC)),
        ("1779105125", datetime(2026, 5, 18, 11, 52, 5, tzinfo=UTC)),
        (1779105125, datetime(2026, 5, 18, 11, 52, 5, tzinfo=UTC)),
        (date(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC)),
        (
            "Tue, 3 Mar 2026 10:05:00 +0100",
            datetime(2026, 3, 3, 10, 5, tzinfo=timezone(timedelta(hours=1))),
        ),
        (datetime(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC)),  # noqa: DTZ001 - that is the case
        ("0001-01-01", None),
        ("soon", None),
        ("9" * 11, None),
        (1e30, None),
        (True, None),
        (["2024"], None),
        ("", None),
    ],
)
def test_dates_are_read_as_sources_write_them(value, expected):
    assert moment(value) == expected


def test_small_helpers():
    assert day("2024-03-12T10:00:00Z") == "2024-03-12"
    assert day("never") == ""
    assert safe_url(" https://a.example/x ") == "https://a.example/x"
    assert safe_url("https://a.example/x\ny") == safe_url(7) == safe_url("ftp://a/b") == ""
    assert text_of({"a": {"b": 3}}, "a", "b") == "3"
    assert text_of({"a": [1]}, "a", "b") == text_of({"a": True}, "a") == ""
