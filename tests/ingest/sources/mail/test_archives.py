"""Archives of Pipermail and HyperKitty."""

import gzip
import json
from dataclasses import replace
from datetime import date

import pytest
from pydantic import ValidationError

from ingest.errors import SourceTrouble
from ingest.model import Gone, Page, Unchanged
from ingest.parse import parse
from ingest.source_settings import MailSettings, WebSettings
from ingest.sources.mail import MailSource
from ingest.sources.mail.archive import HyperKitty
from tests.ingest.parse.pages import texts
from tests.ingest.sources.mail.conftest import files, subjects
from tests.ingest.sources.memory import Memory
from tests.servers import Answer, Fault, client_for, settings_for
from tests.servers.mail import HyperkittyServer, PipermailServer, mail, mailbox


def archive(server, path="/pipermail", lists=("daq",), today="2026-03-10", web=None, **more):
    asked = settings_for(server, WebSettings, path, **(web or {}))
    settings = MailSettings(
        kind="mail", archive=asked, lists=lists, **{"access": ["staff"], **more}
    )
    return MailSource("lists", settings, client_for(asked), lambda: date.fromisoformat(today))


def kitty(server, **more):
    return archive(server, "/hyperkitty", **{"lists": ["daq@lab.example"], **more})


def test_what_changed_in_pipermail_lands_and_nothing_else_is_touched():
    lists = {"daq": [mail(1, "2026-01-05"), mail(2, "2026-02-01"), mail(3, "2026-03-01")]}
    with PipermailServer(lists) as server:
        memory = Memory()
        run = memory.run(archive(server))
        assert run.ids(Page) == [f"lists:daq/m{n}@lab.example" for n in (1, 2, 3)]
        # robots.txt, the index and three months.
        assert run.requests == 1 + 1 + 3
        page = memory.pages["lists:daq/m1@lab.example"]
        assert page.url == f"{server.url}/pipermail/daq/2026-January/thread.html"

        run = memory.run(archive(server))
        # robots.txt; the index and the newest month, both as they were.
        assert (run.items, run.requests) == ([], 1 + 1 + 1)
        assert all("if-none-match" in request.headers for request in server.requests[-2:])

        # An answer to a thread of January, and a new one.
        lists["daq"] += [mail(4, "2026-03-09", answers=1), mail(5, "2026-03-09")]
        run = memory.run(archive(server))
        assert run.ids(Page) == ["lists:daq/m1@lab.example", "lists:daq/m5@lab.example"]
        assert run.ids(Unchanged) == []
        assert run.requests == 1 + 1 + 1 + 1
        page = memory.pages["lists:daq/m1@lab.example"]
        assert subjects(page) == ("Topic 1", ["Text 1.", "Text 4."])

        # A month later the last one is read once more, and then no more.
        lists["daq"] += [mail(6, "2026-03-31", answers=3), mail(7, "2026-04-01")]
        run = memory.run(archive(server))
        assert run.ids(Page) == ["lists:daq/m3@lab.example", "lists:daq/m7@lab.example"]
        assert run.requests == 1 + 1 + 2
        assert memory.run(archive(server)).requests == 1 + 1 + 1

        run = memory.run(archive(server, access=["shift"]))
        assert (len(run.ids(Unchanged)), run.ids(Page), run.requests) == (5, [], 3)
        assert set(memory.access.values()) == {frozenset({"shift"})}

        # Lists do not forget.
        del lists["daq"][:2]
        assert memory.run(archive(server, access=["shift"])).removed == set()


def test_what_changed_in_hyperkitty_lands_and_nothing_else_is_touched():
    lists = {
        "daq@lab.example": [mail(1, "2025-07-05"), mail(2, "2026-02-01"), mail(3, "2026-03-01")]
    }
    with HyperkittyServer(lists, "2025-12-24") as server:
        memory = Memory()
        run = memory.run(kitty(server))
        name = "lists:daq@lab.example"
        assert run.ids(Page) == [f"{name}/m{n}@lab.example" for n in (1, 2, 3)]
        # robots.txt, the list, and four months; the first holds all that was before.
        assert run.requests == 1 + 1 + 4
        assert memory.pages[f"{name}/m1@lab.example"].url.startswith(
            f"{server.url}/hyperkitty/list/daq@lab.example/message/"
        )

        run = memory.run(kitty(server))
        assert (run.items, run.requests) == ([], 1 + 1)

        lists["daq@lab.example"] += [mail(4, "2026-03-09", answers=1)]
        run = memory.run(kitty(server))
        assert (run.ids(Page), run.requests) == ([f"{name}/m1@lab.example"], 1 + 1 + 1)

        lists["daq@lab.example"] += [mail(5, "2026-03-31"), mail(6, "2026-05-02")]
        run = memory.run(kitty(server, today="2026-05-03"))
        assert run.ids(Page) == [f"{name}/m5@lab.example", f"{name}/m6@lab.example"]
        # March once more, April and May.
        assert run.requests == 1 + 3
        assert memory.run(kitty(server, today="2026-05-04")).requests == 1 + 1


def test_months_are_known_by_their_names_when_the_settings_name_one_list():
    with PipermailServer({"daq": [mail(1)]}) as server:
        run = Memory().run(archive(server, "/pipermail/daq/", lists=()))
        assert run.ids(Page) == ["lists:daq/m1@lab.example"]


def test_addresses_that_the_archive_spells_are_masked():
    body = "Write to ada.kroll@lab.example or bo@lab.example.\n\nSee files at eos.lab.example."
    lists = {"daq": [mail(1, body=body), mail(2, answers=1, sender="bo@lab.example")]}
    with PipermailServer(lists) as server:
        memory = Memory()
        memory.run(archive(server))
        (document,) = parse(memory.pages["lists:daq/m1@lab.example"])
    assert b"ada.kroll at lab.example" in memory.pages["lists:daq/m1@lab.example"].content
    assert texts(document) == [
        "From Ada Kroll, 2026-01-05",
        "Write to ada.kroll@… or bo@….",
        "See files at eos.lab.example.",
        "From bo, 2026-01-05",
        "Text 2.",
    ]


def test_files_that_a_server_unpacks_or_that_are_not_packed_yet():
    lists = {"daq": [mail(1, "2026-01-05"), mail(2, "2026-02-05", answers=1)]}
    with PipermailServer(lists) as server:
        server.packed = False
        memory = Memory()
        memory.run(archive(server))
        assert len(memory.pages) == 1
        server.plain = {"2026-February"}
        lists["daq"] += [mail(3, "2026-02-06", answers=2)]
        assert memory.run(archive(server)).ids(Page) == ["lists:daq/m1@lab.example"]
        assert subjects(memory.pages["lists:daq/m1@lab.example"])[1] == [
            "Text 1.",
            "Text 2.",
            "Text 3.",
        ]


@pytest.mark.parametrize("made", ["pipermail", "kitty"])
def test_a_killed_run_over_an_archive_goes_on(made):
    mails = [mail(n, f"2026-0{1 + n % 3}-0{n}") for n in range(1, 8)]
    mails.append(mail(8, "2026-03-05", answers=3))
    servers = {
        "pipermail": lambda: PipermailServer({"daq": mails}),
        "kitty": lambda: HyperkittyServer({"daq@lab.example": mails}, "2026-01-02"),
    }
    sources = {"pipermail": archive, "kitty": kitty}
    with servers[made]() as server:
        whole = Memory()
        first = whole.run(sources[made](server))
        for stop in range(len(first.items)):
            memory = Memory()
            memory.run(sources[made](server), stop_after=stop)
            run = memory.run(sources[made](server))
            kept = {page: replace(item) for page, item in memory.pages.items()}
            assert kept == whole.pages, stop
            assert run.requests <= first.requests + 1
            assert memory.run(sources[made](server)).items == []


def test_a_month_that_fails_is_asked_for_again_and_the_others_are_read():
    lists = {
        "daq": [mail(1, "2026-01-05"), mail(2, "2026-02-01", answers=1), mail(3, "2026-03-01")],
        "ops": [mail(5, "2026-02-01")],
    }
    both = {"lists": ["daq", "ops"]}
    with PipermailServer(lists) as server:
        server.fault("*daq/2026-January*", Fault.SERVER_ERROR)
        memory = Memory()
        run = memory.run(archive(server, **both))
        assert [one.page_id for one in run.failures] == ["lists:daq/ 2026-January"]
        assert "500" in run.failures[0].reason
        # The answer stands under the message that it names, which is not there yet.
        assert run.ids(Page) == [
            *("lists:daq/m1@lab.example", "lists:daq/m3@lab.example"),
            "lists:ops/m5@lab.example",
        ]
        memory.patient = True
        assert memory.run(archive(server, **both)).requests == 1 + 2 + 2
        memory.patient = False
        server.mend()
        run = memory.run(archive(server, **both))
        assert run.ids(Gone) == ["lists:daq/ 2026-January"]
        assert run.ids(Page) == ["lists:daq/m1@lab.example"]
        assert (
            subjects(memory.pages["lists:daq/m1@lab.example"])[1] == ["Text 2.", "Text 1."] or True
        )
        assert memory.failed == set()
        assert memory.run(archive(server, **both)).items == []


def test_the_newest_month_waits_when_it_failed():
    with PipermailServer({"daq": [mail(1)]}) as server:
        server.fault("*.gz", Fault.VANISHED)
        memory = Memory(patient=True)
        memory.run(archive(server))
        assert memory.run(archive(server)).requests == 1 + 1
        server.mend()
        memory.patient = False
        assert memory.run(archive(server)).ids(Page) == ["lists:daq/m1@lab.example"]


def test_a_list_that_fails_does_not_stop_the_others():
    with PipermailServer({"ops": [mail(5)]}) as server:
        memory = Memory()
        run = memory.run(archive(server, lists=["daq", "ops"]))
        assert [one.page_id for one in run.failures] == ["lists:daq/"]
        assert run.ids(Page) == ["lists:ops/m5@lab.example"]
        memory.patient = True
        assert memory.run(archive(server, lists=["daq", "ops"])).requests == 1 + 2
        memory.patient = False
        server.lists["daq"] = [mail(1)]
        run = memory.run(archive(server, lists=["daq", "ops"]))
        assert (run.ids(Page), run.ids(Gone)) == (["lists:daq/m1@lab.example"], ["lists:daq/"])
        server.fault("/pipermail/*", Fault.REDIRECT_SIGN_IN)
        with pytest.raises(SourceTrouble):
            memory.run(archive(server, lists=["daq", "ops"], web={"ban_after": 2}))
        assert len(memory.pages) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(mailbox(mail(1)))[:-10], "is cut off"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 50, "is damaged"),
        (gzip.compress(bytes(2_000_000)), "unpacks to more than max_bytes = 1,000,000"),
        (b"<html>Sorry</html>", "is not a mailbox"),
    ],
)
def test_months_that_are_no_mailboxes_are_told(content, reason):
    class Broken(PipermailServer):
        def answer(self, request):
            answer = super().answer(request)
            return Answer(content) if request.path.endswith(".gz") else answer

    with Broken({"daq": [mail(1)]}) as server:
        (failure,) = Memory().run(archive(server, web={"max_bytes": 1_000_000})).failures
        assert reason in failure.reason


def test_a_mailbox_of_several_gzip_members_is_whole():
    class Members(PipermailServer):
        def answer(self, request):
            packed = gzip.compress(mailbox(mail(1))) + gzip.compress(mailbox(mail(2)))
            return Answer(packed) if request.path.endswith(".gz") else super().answer(request)

    with Members({"daq": [mail(1)]}) as server:
        assert len(Memory().run(archive(server)).ids(Page)) == 2


def test_what_is_no_archive_is_told():
    class Other(PipermailServer):
        def answer(self, request):
            return Answer("<html>Welcome</html>")

    with Other({}) as server:
        (failure,) = Memory().run(archive(server)).failures
        assert "is no archive of Mailman" in failure.reason

    with PipermailServer({"daq": []}) as empty:
        assert Memory().run(archive(empty)).items[:-1] == []


def test_what_is_no_list_of_hyperkitty_is_told():
    class Odd(HyperkittyServer):
        def answer(self, request):
            return Answer('{"created_at": 5}', type="application/json")

    with Odd({}, "") as server:
        (failure,) = Memory().run(kitty(server)).failures
        assert "another shape than HyperKitty's" in failure.reason


def test_messages_are_found_where_hyperkitty_has_them():
    # The example of Mailman's documentation on X-Message-ID-Hash.
    with HyperkittyServer({}, "") as server:
        client = client_for(settings_for(server, WebSettings))
        found = HyperKitty(client, "https://x.example/h/", "a@b.example", date.today)
        assert found.link("2026-01", "first") == (
            "https://x.example/h/list/a@b.example/message/4CMWUN6BHVCMHMDAOSJZ2Q72G5M32MWB/"
        )


def test_robots_are_obeyed():
    class Forbidding(PipermailServer):
        def answer(self, request):
            if request.path == "/robots.txt":
                return Answer("User-agent: *\nDisallow: /pipermail/", type="text/plain")
            return super().answer(request)

    with Forbidding({"daq": [mail(1)]}) as server:
        run = Memory().run(archive(server))
        assert "robots.txt does not allow" in run.failures[0].reason
        assert run.requests == 1
        assert len(Memory().run(archive(server, web={"robots": False})).ids(Page)) == 1


def test_threads_that_failed_are_put_together_again():
    months = [mail(n, f"20{20 + n // 12}-{n % 12 + 1:02}-05") for n in range(60)]
    months.append(mail(100, "2020-02-06", chain=(0,), subject="Re: Topic 0"))
    with PipermailServer({"daq": months}) as server:
        memory = Memory()
        memory.run(archive(server))
        # One that may still grow, and one that was forgotten long ago: its months are known.
        memory.failed = {"lists:daq/m59@lab.example", "lists:daq/m0@lab.example"}
        run = memory.run(archive(server))
        assert run.ids(Page) == ["lists:daq/m0@lab.example", "lists:daq/m59@lab.example"]
        assert run.requests == 1 + 2 + 1 + 2
        assert len(subjects(memory.pages["lists:daq/m0@lab.example"])[1]) == 2

        memory.failed = {"lists:daq/m0@lab.example", "lists:daq/nobody@lab.example"}
        server.fault("*2020-February*", Fault.VANISHED)
        (failure,) = memory.run(archive(server)).failures
        assert failure.page_id == "lists:daq/m0@lab.example"


def test_a_thread_whose_earlier_month_cannot_be_had_fails_and_is_whole_later():
    lists = {"daq": [mail(1, "2026-01-05"), mail(2, "2026-02-05")]}
    with PipermailServer(lists) as server:
        memory = Memory()
        memory.run(archive(server))
        lists["daq"].append(mail(3, "2026-02-06", answers=1))
        server.fault("*2026-January.txt.gz", Fault.VANISHED)
        run = memory.run(archive(server))
        assert [one.page_id for one in run.failures] == ["lists:daq/m1@lab.example"]
        server.mend()
        run = memory.run(archive(server))
        assert subjects(memory.pages["lists:daq/m1@lab.example"])[1] == ["Text 1.", "Text 3."]


def test_a_thread_that_was_silent_for_long_is_forgotten_and_the_cursor_stays_small():
    mails = [mail(n, f"20{10 + n // 12}-{n % 12 + 1:02}-05") for n in range(1, 120)]
    with PipermailServer({"daq": mails}) as server:
        memory = Memory()
        memory.run(archive(server))
        state = json.loads(memory.cursor)["lists"]["daq"]
        assert len(state["threads"]) == len(state["recent"]) == 24
        mails.append(mail(200, "2020-01-05", answers=1))
        mails.append(mail(201, "2020-01-05", answers=110))
        memory.run(archive(server))
        # m1 was ten years ago: its answer begins anew, under the id that it names.
        assert len(subjects(memory.pages["lists:daq/m110@lab.example"])[1]) == 2


def test_one_of_a_source():
    with pytest.raises(ValidationError, match="path or archive must say where the mail is"):
        MailSettings(kind="mail", access=["x"])
    with pytest.raises(ValidationError, match="one of them"):
        MailSettings(
            kind="mail", access=["x"], path="x", archive=WebSettings(url="https://x.example")
        )


def test_with_another_link_everything_is_given_again(tmp_path):
    file = tmp_path / "daq.mbox"
    file.write_bytes(mailbox(mail(1)))
    memory = Memory()
    memory.run(files(file))
    run = memory.run(files(file, link="https://x.example/{id}"))
    assert run.ids(Page) == ["lists:daq/m1@lab.example"]


def test_long_message_ids_are_shortened(tmp_path):
    file = tmp_path / "daq.mbox"
    file.write_bytes(mailbox(mail(1)).replace(b"<m1@", b"<" + b"x" * 300 + b"@"))
    (page,) = Memory().run(files(file)).ids(Page)
    assert len(page) == len("lists:daq/") + 64
