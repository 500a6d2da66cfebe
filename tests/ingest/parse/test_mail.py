import pytest

from ingest.errors import ParseError
from ingest.model import BlockKind
from ingest.parse import parse
from ingest.parse.mail import masked, stripped
from tests.ingest.parse.pages import page, path_of, texts


def mail(subject, body, *headers, sender="Ada Kroll <ada.kroll@lab.example>"):
    head = "\n".join([f"From: {sender}", f"Subject: {subject}", *headers])
    return f"From ada@lab.example Tue Mar 12 10:00:00 2024\n{head}\n\n{body}\n\n"


def threads(*mails):
    return parse(page("".join(mails), "lists:daq.mbox"))


def test_a_thread_is_one_document_with_a_section_for_each_mail():
    documents = threads(
        mail("Busy DAQ", "Why?", "Message-ID: <1@x>", "Date: Tue, 12 Mar 2024 10:00:00 +0000"),
        mail("Other", "Unrelated.", "Message-ID: <9@x>"),
        mail(
            "Re: Busy DAQ",
            "Full buffer.\n\nOn Tue, 12 Mar 2024, Ada wrote:\n> Why?\n\n-- \nBo, room 5",
            "Message-ID: <2@x>",
            "In-Reply-To: <1@x>",
            "Date: Wed, 13 Mar 2024 11:00:00 +0000",
            sender='"Bo Lund" <bo@lab.example>',
        ),
    )

    assert [document.title for document in documents] == ["Busy DAQ", "Other"]
    thread = documents[0]
    assert texts(thread) == [
        "From Ada Kroll, 2024-03-12",
        "Why?",
        "From Bo Lund, 2024-03-13",
        "Full buffer.",
    ]
    assert path_of(thread, "Full buffer.") == ("From Bo Lund, 2024-03-13",)
    assert thread.author == "Ada Kroll"
    assert str(thread.updated_at) == "2024-03-13 11:00:00+00:00"
    assert thread.id.startswith("lists:daq.mbox#")


def test_threads_keep_together_without_their_first_mail_and_by_subject():
    documents = threads(
        mail("Re: A", "two", "Message-ID: <2@x>", "References: <1@x>"),
        mail("Re: A", "three", "Message-ID: <3@x>", "References: <1@x> <2@x>"),
        mail("B", "b1"),
        mail("RE: AW: b", "b2"),
        mail("B", "b3"),
    )

    assert [list(texts(document, BlockKind.PROSE)) for document in documents] == [
        ["two", "three"],
        ["b1", "b2"],
        ["b3"],
    ]


def test_the_id_of_a_thread_does_not_change_when_mails_are_added():
    first = mail("A", "one", "Message-ID: <1@x>")
    later = mail("Re: A", "two", "Message-ID: <2@x>", "References: <1@x>")

    assert threads(first)[0].id == threads(first, later)[0].id == threads(later)[0].id


def test_addresses_are_masked_and_names_kept():
    assert masked("ask a.b@host.org or c+d@x.example.com, not x @ y") == (
        "ask a.b@… or c+d@…, not x @ y"
    )
    assert masked("a.b at host.org, <c at host.org>, d(a)host.org, e(at)host.org") == (
        "a.b@…, <c@…>, d@…, e@…"
    )
    # Two words are not an address, unless somebody writes from there.
    assert masked("files at eos.lab.example") == "files at eos.lab.example"
    assert masked("ask bo at lab.example", ["bo at lab.example"]) == "ask bo@…"
    (document,) = threads(mail("S", "Write to shift@lab.example.", sender="bo@lab.example"))
    assert "lab.example" not in document.text
    assert document.author == "bo"


def test_encoded_headers_and_bodies_are_decoded():
    (document,) = threads(
        mail(
            "=?utf-8?q?Caf=C3=A9?=",
            "na=EFve =3D x",
            "Content-Type: text/plain; charset=iso-8859-1",
            "Content-Transfer-Encoding: quoted-printable",
            sender="=?utf-8?b?TMOpYQ==?= <lea@x.example>",
        )
    )

    assert (document.title, document.author) == ("Café", "Léa")
    assert document.text.endswith("naïve = x")


def test_html_is_read_only_when_there_is_no_plain_text():
    body = (
        "--B\nContent-Type: text/html\n\n<p>Rich <b>text</b></p><blockquote type=cite>old\n"
        "--B\nContent-Type: text/plain\nContent-Disposition: attachment\n\nattached\n{}--B--\n"
    )
    kind = 'Content-Type: multipart/alternative; boundary="B"'
    plain = "--B\nContent-Type: text/plain\n\nPlain text.\n"

    assert threads(mail("S", body.format(""), kind))[0].text.endswith("Rich text")
    assert threads(mail("S", body.format(plain), kind))[0].text.endswith("Plain text.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes.\n\n-----Original Message-----\nFrom: x\n\nold", "Yes."),
        ("Yes.\n> old\n  > older\nNo.", "Yes.\nNo."),
        ("Yes.\nOn Monday, 3 March, Ada Kroll\n<a@b> wrote:\n\n> old", "Yes."),
        ("On 3 May we wrote: nothing.\nEnd.", "On 3 May we wrote: nothing.\nEnd."),
        ("Yes.\n--\nBo", "Yes."),
        ("a -- b", "a -- b"),
    ],
)
def test_quotes_and_signatures_are_taken_off(text, expected):
    assert stripped(text) == expected


def test_a_single_mail_and_escaped_borders():
    (document,) = parse(page("Subject: One\nFrom: Ada <a@b.example>\n\nHello.", "m:x.eml"))
    assert document.title == "One"
    (document,) = threads(mail("S", "Text.\n\n>From now on it works."))
    assert texts(document)[1:] == ["Text.", "From now on it works."]


def test_damaged_headers_do_no_harm():
    (document,) = threads(
        mail("=?unknown-8?q?x?= =?utf-8?b?!?=", "Body.", "Date: never", "Archived-At: <ftp://x>")
    )
    assert texts(document)[0] == "From Ada Kroll"
    with pytest.raises(ParseError, match="is not a mailbox"):
        parse(page("just text", format="mbox"))
