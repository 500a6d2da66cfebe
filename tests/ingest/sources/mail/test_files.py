"""Mailboxes in files."""

import os
from pathlib import Path

import pytest

from ingest.errors import SettingsError
from ingest.model import Cursor, Failure, Page, Past, Unchanged
from ingest.parse import parse
from tests.ingest.sources.mail.conftest import files, subjects
from tests.ingest.sources.memory import Memory
from tests.servers.mail import mail, mailbox

SAMPLE = Path(__file__).parents[4] / "sample" / "mail"


def told(run):
    return [item for item in run.items if not isinstance(item, Cursor)]


def grow(file, *mails):
    with file.open("ab") as opened:
        opened.write(mailbox(*mails))


def test_each_thread_of_a_mailbox_is_a_page(tmp_path):
    file = tmp_path / "daq.mbox"
    file.write_bytes(mailbox(mail(1), mail(2), mail(3, answers=1), mail(4, answers=3)))
    memory = Memory()
    run = memory.run(files(file, link="https://x.example/{list}/{id}"))

    assert run.ids(Page) == ["lists:daq/m1@lab.example", "lists:daq/m2@lab.example"]
    page = memory.pages["lists:daq/m1@lab.example"]
    assert (page.format, page.access, page.updated_at) == ("mbox", frozenset({"staff"}), None)
    assert page.url == "https://x.example/daq/m1@lab.example"
    assert subjects(page) == ("Topic 1", ["Text 1.", "Text 3.", "Text 4."])
    assert files(file).requests is None


def test_what_changed_in_files_lands_and_nothing_else_is_touched(tmp_path):
    (tmp_path / "daq.mbox").write_bytes(mailbox(mail(1), mail(2)))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ops").write_bytes(mailbox(mail(5), mail(6)))
    memory = Memory()
    run = memory.run(files(tmp_path))
    assert run.ids(Page) == [
        *("lists:daq/m1@lab.example", "lists:daq/m2@lab.example"),
        *("lists:sub/ops/m5@lab.example", "lists:sub/ops/m6@lab.example"),
    ]
    run = memory.run(files(tmp_path))
    assert (run.items, run.removed) == ([], set())

    # One thread grows, one is new, and one mailbox goes.
    grow(tmp_path / "daq.mbox", mail(7, answers=2), mail(8))
    (tmp_path / "sub" / "ops").unlink()
    run = memory.run(files(tmp_path))
    assert run.ids(Page) == ["lists:daq/m2@lab.example", "lists:daq/m8@lab.example"]
    assert run.ids(Unchanged) == []
    assert run.removed == {"lists:sub/ops/m5@lab.example", "lists:sub/ops/m6@lab.example"}
    assert subjects(memory.pages["lists:daq/m2@lab.example"]) == ("Topic 2", ["Text 2.", "Text 7."])

    # Others may read it: no file is read for that.
    run = memory.run(files(tmp_path, access=["shift"]))
    assert len(run.ids(Unchanged)) == len(memory.pages) == 3
    assert set(memory.access.values()) == {frozenset({"shift"})}
    assert memory.run(files(tmp_path, access=["shift"])).items == []


def test_only_what_was_added_to_a_mailbox_is_given(tmp_path):
    file = tmp_path / "daq.mbox"
    file.write_bytes(mailbox(*(mail(n) for n in range(1, 50))))
    memory = Memory()
    memory.run(files(file))
    grow(file, mail(60, answers=20))
    # A message at the old end that grew is new, too: it was still being written.
    run = memory.run(files(file))
    assert told(run) == [memory.pages["lists:daq/m20@lab.example"]]
    with file.open("ab") as opened:
        opened.write(b"and more")
    assert memory.run(files(file)).ids(Page) == ["lists:daq/m20@lab.example"]


def test_a_mailbox_that_was_written_anew_is_read_anew(tmp_path):
    file = tmp_path / "daq.mbox"
    file.write_bytes(mailbox(mail(1), mail(2), mail(3)))
    memory = Memory()
    memory.run(files(file))
    # Cut: one thread is gone, the others are as they were.
    file.write_bytes(mailbox(mail(1), mail(3)))
    run = memory.run(files(file))
    assert (run.ids(Page), len(run.ids(Unchanged))) == ([], 2)
    assert run.removed == {"lists:daq/m2@lab.example"}
    # Rotated: larger than before, with other mail in it.
    file.write_bytes(mailbox(*(mail(n) for n in range(10, 15))))
    run = memory.run(files(file))
    assert run.ids(Page) == [f"lists:daq/m{n}@lab.example" for n in range(10, 15)]
    assert run.removed == {"lists:daq/m1@lab.example", "lists:daq/m3@lab.example"}
    # Of the same size, written at another time.
    file.write_bytes(mailbox(*(mail(n) for n in range(20, 25))))
    os.utime(file, (1, 1))
    assert len(memory.run(files(file)).ids(Page)) == 5
    file.write_bytes(b"")
    assert len(memory.run(files(file)).removed) == 5


def test_changes_before_the_end_of_a_mailbox_are_seen(tmp_path):
    file = tmp_path / "daq.mbox"
    long = mail(2, body="text\n" * 1000)
    file.write_bytes(mailbox(mail(1, body="old"), long))
    memory = Memory()
    memory.run(files(file))
    # Somebody edits it: first it is as large as before, then it has also grown.
    for body, more in (("new", []), ("never", [mail(3)])):
        file.write_bytes(mailbox(mail(1, body=body), long, *more))
        os.utime(file, (1, 1))
        run = memory.run(files(file))
        assert run.ids(Page)[0] == "lists:daq/m1@lab.example"
        assert subjects(memory.pages["lists:daq/m1@lab.example"])[1] == [body]


def test_a_killed_run_over_files_goes_on(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mbox").write_bytes(mailbox(mail(1), mail(2)))
    for stop in range(9):
        memory = Memory()
        memory.run(files(tmp_path), stop_after=stop)
        before = len(memory.pages)
        run = memory.run(files(tmp_path))
        assert (len(memory.pages), len(run.ids(Page))) == (6, 6 - before)
        assert memory.run(files(tmp_path)).items == []


def test_failed_threads_are_given_again_although_their_file_is_as_it_was(tmp_path):
    file = tmp_path / "daq.mbox"
    file.write_bytes(mailbox(mail(1), mail(2)))
    memory = Memory()
    memory.run(files(file))
    memory.failed.add("lists:daq/m2@lab.example")
    assert memory.run(files(file)).ids(Page) == ["lists:daq/m2@lab.example"]
    # One that waits is left alone, also where it has grown or others may read it.
    memory.failed.add("lists:daq/m1@lab.example")
    memory.patient = True
    grow(file, mail(3, answers=1), mail(4))
    run = memory.run(files(file, access=["shift"]))
    assert run.ids(Page) == ["lists:daq/m4@lab.example"]
    assert run.ids(Unchanged) == ["lists:daq/m2@lab.example"]
    memory.patient = False
    assert memory.run(files(file, access=["shift"])).ids(Page) == ["lists:daq/m1@lab.example"]


def test_which_files_are_mailboxes(tmp_path):
    outside = tmp_path / "outside.mbox"
    outside.write_bytes(mailbox(mail(9)))
    folder = tmp_path / "mail"
    folder.mkdir()
    (folder / "README").write_text("Not mail.")
    (folder / ".hidden.mbox").write_bytes(mailbox(mail(9)))
    (folder / "2026.txt").write_bytes(mailbox(mail(1)))
    (folder / "link.mbox").symlink_to(outside)
    (folder / "empty.mbox").write_bytes(b"")
    assert Memory().run(files(folder)).ids(Page) == ["lists:2026.txt/m1@lab.example"]
    with pytest.raises(SettingsError, match=r"\[sources.lists\] path .* neither a mailbox"):
        Memory().run(files(tmp_path / "none"))


def test_a_mailbox_that_cannot_be_read_keeps_its_pages():
    # A file that anybody may open, and nobody read from its beginning.
    source = files(Path("/proc/self/mem"))
    given = list(source.pages(Past("", {"lists:mem/m1@lab.example": "v"})))
    (failure,) = (item for item in given if isinstance(item, Failure))
    assert (failure.page_id, failure.reason) == (
        "lists:mem/",
        "The mailbox mem cannot be read: Input/output error.",
    )
    assert set(source.live_ids()) == {"lists:mem/", "lists:mem/m1@lab.example"}


def test_the_sample_has_as_many_threads_as_its_parser_finds():
    memory = Memory()
    memory.run(files(SAMPLE))
    whole = 0
    for file in SAMPLE.glob("*.mbox"):
        page = Page(f"x:{file.name}", "x", "", "mbox", file.read_bytes(), None, frozenset())
        whole += len(parse(page))
    assert sum(len(parse(page)) for page in memory.pages.values()) == len(memory.pages) == whole
