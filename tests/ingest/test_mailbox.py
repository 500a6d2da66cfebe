import io

import pytest

from ingest.mailbox import (
    Head,
    Threads,
    head_of,
    messages,
    spans,
    without_attachments,
    without_border,
)
from ingest.parse import parse
from tests.ingest.parse.pages import page
from tests.servers.mail import mail, mailbox

BORDER = b"From ada@lab.example Tue Mar 12 10:00:00 2024\n"


def test_messages_begin_at_borders_and_nowhere_else():
    text = BORDER + b"Subject: a\n\nFrom 2012 to 2014:\nFrom Tuesday at 10:00 in 2024\n\nwe ran.\n"
    other = BORDER + b"Subject: b\n\nEnd."
    assert [raw for _, raw in messages(text + other)] == [text, other]
    assert [span.head for span in spans(io.BytesIO(text + other))] == [
        BORDER + b"Subject: a\n\n",
        BORDER + b"Subject: b\n\n",
    ]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"no mail at all\n", 0),
        (BORDER, 0),
        (BORDER + BORDER + b"Subject: x\n\n", 1),
        (BORDER + b"Subject: x", 1),
        (b"lines before\n" + BORDER + b"A: b\n", 1),
        (BORDER.replace(b"\n", b"\r\n") + b"A: b\r\n\r\nx\r\n" + BORDER + b"A: b\n", 2),
    ],
)
def test_mailboxes_that_are_hardly_ones(content, count):
    found = [raw for _, raw in messages(content)]
    assert len(found) == count
    assert b"".join(found) in content


def test_a_border_is_no_part_of_a_message():
    assert without_border(BORDER + b"A: b\n\n>From now on\n") == b"A: b\n\nFrom now on\n"
    assert without_border(b"A: b\n\n>From now on\n") == b"A: b\n\n>From now on\n"


def test_a_head_says_what_threads_are_made_by():
    head = head_of(
        BORDER + b"SUBJECT: =?utf-8?q?Re=3A_Caf=C3=A9?=\n  and more\nX: y\n z\nMessage-Id: <2@x>\n"
        b"References: <0@x>\n\t<1@x>\nIn-Reply-To: <1@x> (yesterday)\nsubject: second\n"
    )
    assert head == Head("2@x", ("0@x", "1@x"), "café and more", True)


def test_a_message_without_an_id_is_given_one_that_stays():
    head = head_of(BORDER + b"Subject: =?nix?q?x?=\n")
    assert head.id.endswith("@docent")
    assert head.id == head_of(BORDER + b"Subject: =?nix?q?x?=\n").id
    assert head.id != head_of(BORDER + b"Subject: y\n").id
    assert head.subject == "=?nix?q?x?="


def placed(*heads, threads=None, place="m"):
    threads = threads or Threads()
    return [threads.place(head, place)[0] for head in heads]


def head(number, *chain, subject="", reply=False):
    return Head(f"{number}", tuple(f"{one}" for one in chain), subject, reply)


def test_messages_belong_where_the_last_known_of_their_chain_is():
    assert placed(head(1), head(2, 1), head(3, 1, 2), head(4), head(5, 4)) == list("11144")
    # Of two threads, the one that was answered last; they do not become one.
    assert placed(head(1), head(2), head(3, 1, 2), head(4, 3)) == list("1222")


def test_an_answer_may_come_before_what_it_answers():
    assert placed(head(3, 1, 2), head(2, 1), head(1)) == list("111")
    assert placed(head(3, 2), head(2, 1), head(1)) == ["2", "2", "2"]


def test_without_a_chain_an_answer_belongs_to_the_last_thread_of_its_subject():
    assert placed(
        head(1, subject="busy"),
        head(2, subject="busy", reply=True),
        head(3, subject="busy"),
        head(4, subject="busy", reply=True),
        head(5, subject="other", reply=True),
        head(6, subject="", reply=True),
    ) == list("113356")


def test_a_message_that_is_there_is_not_new():
    threads = Threads()
    assert threads.place(head(1), "a") == ("1", True)
    assert threads.place(head(1), "b") == ("1", False)
    assert threads.places("1") == ["a"]
    assert threads.holds("1", head(1))
    assert not threads.holds("1", head(2))
    assert not threads.holds("7", head(1))
    assert threads.places("7") == []


def test_endless_threads_go_on_as_another():
    threads = Threads()
    keys = placed(head(0), *(head(n, n - 1) for n in range(1, 302)), threads=threads)
    assert keys == ["0"] * 300 + ["300"] * 2
    # Whichever of the old messages is answered, and from one run to the next.
    threads = Threads(threads.as_state())
    assert placed(head(900, 5), head(5), threads=threads) == ["300", "0"]

    threads = Threads()
    keys = [threads.place(head(n, 0), f"month {n}")[0] for n in range(14)]
    assert keys == ["0"] * 12 + ["12"] * 2


def test_what_is_kept_is_what_was_known():
    threads = Threads()
    placed(head(1, subject="busy"), head(2, 9), threads=threads, place="a")
    placed(head(3, subject="old"), threads=threads, place="b")
    again = Threads(threads.as_state())
    assert placed(
        head(4, 1), head(9), head(5, subject="busy", reply=True), threads=again, place="c"
    ) == ["1", "9", "1"]
    assert again.places("1") == ["a", "c"]
    again.forget({"c"})
    assert sorted(again) == ["1", "9"]
    assert placed(head(6, subject="old", reply=True), head(7, 3), threads=again) == ["6", "3"]


def test_two_threads_never_have_one_key():
    threads = Threads()
    # Both name the same lost message; the first of them is full of places.
    for n in range(12):
        threads.place(head(n + 100, 1), f"month {n}")
    first, second = placed(head(1), head(50, 1), threads=threads, place="later")
    assert first == second
    assert sorted(threads) == ["1", first]


def test_large_messages_lose_what_is_not_text():
    body = (
        "--B\nContent-Type: text/plain\n\nFrom here on: text.\n--B\n"
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n" + "A" * 60_000 + "\n--B\n"
        'Content-Type: text/plain\nContent-Disposition: attachment; filename="x.log"\n\nlog\n--B--'
    )
    raw = mail(1, body=body, more='Content-Type: multipart/mixed; boundary="B"').raw
    small = without_attachments(raw)
    assert len(small) < 1000
    (document,) = parse(page(small + mail(2).raw, "x:l.mbox"))[:1]
    assert document.text.endswith("From here on: text.")
    assert [raw for _, raw in messages(small + mail(2).raw)][1] == mail(2).raw
    assert without_attachments(mail(1).raw) == mail(1).raw


def test_a_large_text_stays():
    raw = mail(1, body="x" * 60_000, more="Content-Type: text/plain; charset=nix").raw
    raw = raw.replace(b"charset=nix", b"charset=\xff\xfe")
    assert b"x" * 60_000 in without_attachments(raw)


def test_a_mailbox_larger_than_its_heads_is_read_line_by_line():
    whole = mailbox(*(mail(n, body="text\n" * 100) for n in range(50)))
    found = list(spans(io.BytesIO(whole)))
    assert len(found) == 50
    assert (found[0].start, found[-1].end) == (0, len(whole))
    assert all(len(span.head) < 400 for span in found)
