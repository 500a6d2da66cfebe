"""The outbound client over real sockets: its patience, its limits, its manners."""

import gzip
import threading
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from atlassian import Jira
from gitlab import Gitlab
from gitlab.exceptions import GitlabGetError

from ingest.errors import FetchError, SettingsError, SourceTrouble
from ingest.http import Client, Hosts, Reply, SystemClock
from ingest.outbound.body import TooLarge, unpacked
from ingest.outbound.pace import backoff, retry_after
from ingest.source_settings import WebSettings
from tests.servers import (
    LOGIN_PAGE,
    NOT_FOUND,
    REFUSALS,
    RETRY_AFTER_S,
    Answer,
    Fault,
    Request,
    Server,
    StillClock,
    client_for,
    json_answer,
    settings_for,
)

CERTIFICATE = Path(__file__).parents[1] / "data" / "docs.example.org.pem"
DATED = datetime(2026, 2, 1, 12, tzinfo=UTC)


class Wiki(Server):
    """A few pages, and echoes of what was asked."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.pages = {
            "/wiki/Home": Answer("<h1>Home</h1>", etag='"home-1"', modified=DATED),
            "/wiki/Dated": Answer("<h1>Dated</h1>", modified=DATED),
            "/wiki/Plain": Answer("plain", type="text/plain"),
            "/api/items": json_answer([{"id": 1}]),
        }

    def answer(self, request: Request) -> Answer:
        if request.path == "/to":
            return Answer("", 302, headers={"Location": request.query["place"]})
        if request.path == "/status":
            return Answer("so", int(request.query["is"]))
        return self.pages.get(request.path, NOT_FOUND)


@pytest.fixture
def clock():
    return StillClock()


@pytest.fixture
def wiki(clock):
    with Wiki(wall=clock.wall) as server:
        yield server


def open_client(server, clock=None, **settings) -> Client:
    return client_for(settings_for(server, WebSettings, "/wiki", **settings), clock, "wiki")


# What comes back


def test_an_address_is_relative_to_the_url_of_the_source_or_to_its_host(wiki):
    client = open_client(wiki)

    home = client.get("Home", params={"raw": "on", "rev": 3})
    client.get("/api/items")
    client.get(wiki.url + "/wiki/Plain")
    with pytest.raises(FetchError):
        client.get("")

    assert [request.target for request in wiki.requests] == [
        "/wiki/Home?raw=on&rev=3",
        "/api/items",
        "/wiki/Plain",
        "/wiki",
    ]
    assert home == Reply(
        200, f"{wiki.url}/wiki/Home?raw=on&rev=3", home.headers, b"<h1>Home</h1>", 'etag:"home-1"'
    )
    assert home.headers["content-type"] == "text/html; charset=utf-8"


def test_every_request_says_honestly_who_asks(wiki):
    client = open_client(wiki)
    client.get("Home", headers={"Accept": "text/html", "User-Agent": "Mozilla/5.0"})

    sent = wiki.requests[0].headers
    assert sent["user-agent"] == "Docent/0.1.0 (+tests@docent.example)"
    assert sent["accept"] == "text/html"
    assert sent["accept-encoding"] == "gzip, deflate"


def test_a_contact_that_would_break_a_header_is_a_wrong_setting(wiki):
    with pytest.raises(SettingsError, match=r"\[ingest\] contact"):
        Client("wiki", settings_for(wiki, WebSettings), "me\r\nX-Injected: 1", Hosts())


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("Home", ("if-none-match", '"home-1"')),
        ("Dated", ("if-modified-since", "Sun, 01 Feb 2026 12:00:00 GMT")),
    ],
)
def test_a_version_makes_the_next_request_conditional(wiki, path, header):
    client = open_client(wiki)
    first = client.get(path)

    second = client.get(path, version=first.version)

    assert (second.status, second.content, second.version) == (304, b"", first.version)
    assert wiki.requests[1].headers[header[0]] == header[1]


def test_a_changed_page_comes_whole_and_a_foreign_version_asks_nothing(wiki):
    client = open_client(wiki)
    version = client.get("Home").version
    wiki.pages["/wiki/Home"] = Answer("<h1>New</h1>", etag='"home-2"')

    assert client.get("Home", version=version).content == b"<h1>New</h1>"
    assert client.get("Home", version="r12").status == 200
    assert client.get("Plain").version == ""
    assert not {"if-none-match", "if-modified-since"} & set(wiki.requests[2].headers)


def test_a_304_that_nobody_asked_for_is_no_answer(wiki):
    with pytest.raises(FetchError) as trouble:
        open_client(wiki).get("/status?is=304")
    assert trouble.value.status == 304


@pytest.mark.parametrize(
    ("content", "type_", "text"),
    [
        ("Größe".encode("latin-1"), "text/html; charset=ISO-8859-1", "Größe"),
        ("Größe".encode(), "text/html", "Größe"),
        (b"\xef\xbb\xbfwith a mark", "text/plain", "with a mark"),
        (b"bad \xff byte", "text/plain; charset=utf-8", "bad � byte"),
        (b"odd", "text/plain; charset=klingon", "odd"),
        ("Größe".encode("utf-16"), 'text/plain; charset="utf-16"', "Größe"),
    ],
)
def test_text_is_decoded_by_what_the_server_says(content, type_, text):
    assert Reply(200, "https://h.example/", {"content-type": type_}, content, "").text == text


def test_json_is_read_and_what_is_none_is_a_fetch_error(wiki):
    client = open_client(wiki)
    wiki.pages["/api/deep"] = Answer("[" * 100_000, type="application/json")

    assert client.get("/api/items").json() == [{"id": 1}]
    for path in ("/wiki/Home", "/api/deep"):
        with pytest.raises(FetchError, match=rf"{path} answered with something that is not JSON"):
            client.get(path).json()


@pytest.mark.parametrize("status", [201, 299])
def test_all_of_the_two_hundreds_are_answers(wiki, status):
    assert open_client(wiki).get(f"/status?is={status}").status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 501])
def test_other_statuses_are_errors_that_are_not_tried_again(wiki, status):
    client = open_client(wiki)
    with pytest.raises(
        FetchError, match=rf"wiki: {wiki.url}/status\?is={status} answered"
    ) as trouble:
        client.get(f"/status?is={status}")
    assert (trouble.value.status, client.requests) == (status, 1)


def test_a_value_is_posted_as_json_and_only_to_the_own_host(wiki):
    with Wiki() as other:
        client = open_client(wiki)

        assert client.post("/api/items", {"text": "hello"}).status == 200
        with pytest.raises(FetchError, match="nothing is sent to 127"):
            client.post(other.url + "/api/items", {"text": "hello"})
        with pytest.raises(FetchError, match="nothing is sent to 127"):
            client.session.put(other.url, data="x")

    assert (wiki.requests[0].method, wiki.requests[0].body) == ("POST", b'{"text": "hello"}')
    assert other.requests == []


@pytest.mark.parametrize("status", [404, 410, 501])
def test_a_missing_page_with_a_login_box_is_missing_and_no_sign_in(wiki, status):
    """So that what was removed is removed, and not taken for closed."""
    wiki.pages["/wiki/Gone"] = Answer(LOGIN_PAGE, status)
    with pytest.raises(FetchError) as trouble:
        open_client(wiki).get("Gone")
    assert trouble.value.status == status


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_sign_in_form_is_one_whatever_it_is_called(wiki, status):
    wiki.pages["/wiki/Closed"] = Answer(LOGIN_PAGE, status)
    with pytest.raises(FetchError, match="answered with a sign-in page") as trouble:
        open_client(wiki).get("Closed")
    assert trouble.value.status == 401


# Trying again


@pytest.mark.parametrize("fault", [Fault.TOO_MANY, Fault.SERVER_ERROR])
def test_an_answer_that_may_get_better_is_asked_for_again(wiki, clock, fault):
    wiki.fault("/wiki/Home", fault, times=3)
    client = open_client(wiki, clock, retries=4)

    assert client.get("Home").status == 200
    assert client.requests == 4
    # Doubling waits with jitter: 1 to 2, 2 to 4, 4 to 8 seconds.
    assert len(clock.slept) == 3
    for wait, (least, most) in zip(clock.slept, [(1, 2), (2, 4), (4, 8)], strict=True):
        assert least <= wait <= most


@pytest.mark.parametrize(
    "fault", [Fault.TOO_MANY_SECONDS, Fault.TOO_MANY_DATE, Fault.UNAVAILABLE], ids=str
)
def test_retry_after_is_waited_for(wiki, clock, fault):
    wiki.fault("/wiki/Home", fault, times=1)

    assert open_client(wiki, clock).get("Home").status == 200
    assert clock.slept == [pytest.approx(RETRY_AFTER_S)]


@pytest.mark.parametrize("fault", [Fault.TOO_MANY_SECONDS, Fault.TOO_MANY_DATE], ids=str)
def test_a_longer_retry_after_pauses_the_source_and_says_until_when(wiki, clock, fault):
    wiki.fault("/wiki/Home", fault)
    client = open_client(wiki, clock, max_wait_s=RETRY_AFTER_S - 1)

    with pytest.raises(SourceTrouble, match=r"not to come back before 2026-03-01 00:00 UTC"):
        client.get("Home")
    # From now on nothing is asked any more.
    with pytest.raises(SourceTrouble, match="pauses until the next run"):
        client.get("Plain")

    assert (client.requests, clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("1.5", 1.5),
        ("Sun, 01 Feb 2026 12:00:30 GMT", 30),
        ("Sun, 01 Feb 2026 12:00:30 -0000", 30),
        ("Sun, 01 Feb 2026 11:00:00 GMT", 0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("1e9", None),
        ("Fri, 99 Feb 2026 12:00:30 GMT", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_as_a_number_or_a_date(header, seconds):
    assert retry_after(header, DATED) == seconds


def test_a_far_away_retry_after_is_still_a_sentence(wiki, clock):
    wiki.pages["/wiki/Home"] = Answer("busy", 429, headers={"Retry-After": "999999999"})
    with pytest.raises(SourceTrouble, match="before 2029-"):
        open_client(wiki, clock).get("Home")


def test_the_wait_between_tries_is_bounded():
    for attempt in range(1, 2000, 97):
        assert 1 <= backoff(attempt) <= 60


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.HANG_UP, "the connection broke"),
        (Fault.CUT_BODY, "the answer was cut off"),
        (Fault.LONG_BODY, "longer than its Content-Length"),
        (Fault.BAD_ENCODING, "the answer is damaged: it cannot be unpacked"),
    ],
    ids=str,
)
def test_a_damaged_answer_is_asked_for_again_and_then_an_error(wiki, fault, words):
    wiki.fault("/wiki/Home", fault, times=2)
    client = open_client(wiki, retries=2)
    assert client.get("Home").content == b"<h1>Home</h1>"
    assert client.requests == 3

    wiki.fault("/wiki/Home", fault)
    with pytest.raises(FetchError, match=rf"wiki: .*/wiki/Home: .*{words}.*3 tries\.") as trouble:
        client.get("Home")
    assert trouble.value.status == 0


def test_a_connection_that_broke_is_not_used_again(wiki):
    """After an answer with bytes behind its end, the next one begins where it should."""
    wiki.fault("/wiki/Home", Fault.LONG_BODY, times=1)
    client = open_client(wiki, retries=0)
    with pytest.raises(FetchError):
        client.get("Home")

    assert client.get("Plain").content == b"plain"
    assert wiki.connections == 2


def test_a_kept_connection_is_used_again(wiki):
    client = open_client(wiki)
    for _ in range(5):
        client.get("Home")
    assert wiki.connections == 1
    client.close()


def test_a_host_that_does_not_listen_is_no_connection(clock):
    with Wiki() as gone:
        client = open_client(gone, clock, retries=2)
    with pytest.raises(
        FetchError, match=r"no connection \(Connection refused\), also after 3 tries"
    ):
        client.get("Home")
    assert client.requests == 0  # nothing went onto a socket


def test_what_may_do_harm_twice_is_not_sent_twice(wiki):
    wiki.fault("/api/*", Fault.SERVER_ERROR, times=1)
    wiki.fault("/api/*", Fault.HANG_UP, times=1)
    wiki.fault("/api/*", Fault.TOO_MANY, times=1)
    client = open_client(wiki)

    for _ in range(2):
        with pytest.raises(FetchError):
            client.post("/api/items", 1)
    assert client.requests == 2
    assert client.post("/api/items", 1).status == 200  # what was turned away may come again
    assert client.requests == 4


# Limits


@pytest.mark.parametrize("fault", [Fault.SLOW_HEAD, Fault.SLOW_BODY], ids=str)
def test_a_drip_ends_at_the_deadline_for_the_whole_answer(wiki, fault):
    """Each byte comes in time, the answer does not. One more try, not four."""
    wiki.pages["/wiki/Home"] = Answer("x" * 10_000)
    wiki.fault("/wiki/Home", fault)
    client = open_client(wiki, timeout_s=0.15, retries=4)
    clock = SystemClock()
    began = clock.now()

    with pytest.raises(
        FetchError, match=r"no whole answer within 0\.15 s \(timeout_s\)"
    ) as trouble:
        client.get("Home")

    assert 0.3 <= clock.now() - began < 2
    assert (trouble.value.status, client.requests) == (0, 2)
    wiki.mend()
    assert client.get("Plain").status == 200


def test_an_answer_that_is_too_large_is_given_up(wiki):
    wiki.pages["/wiki/Large"] = Answer(b"x" * 1001)
    wiki.pages["/wiki/Fits"] = Answer(b"x" * 1000)
    client = open_client(wiki, max_bytes=1000)

    assert len(client.get("Fits").content) == 1000
    with pytest.raises(FetchError, match=r"more than max_bytes = 1,000 bytes"):
        client.get("Large")
    assert client.requests == 2


def test_an_answer_that_does_not_say_its_size_is_given_up_as_well(wiki):
    wiki.pages["/wiki/Large"] = Answer(b"x" * 1001, sized=False)
    wiki.pages["/wiki/Fits"] = Answer(b"x" * 1000, sized=False)
    client = open_client(wiki, max_bytes=1000)

    assert len(client.get("Fits").content) == 1000
    with pytest.raises(FetchError, match=r"more than max_bytes = 1,000 bytes"):
        client.get("Large")


def packed(content: bytes, *codings: str) -> Answer:
    for coding in codings:
        wbits = {"gzip": 31, "deflate": 15, "raw deflate": -15}.get(coding)
        if wbits:
            packer = zlib.compressobj(wbits=wbits)
            content = packer.compress(content) + packer.flush()
    named = ", ".join(coding.removeprefix("raw ") for coding in codings)
    return Answer(content, type="text/plain", headers={"Content-Encoding": named})


@pytest.mark.parametrize(
    "codings",
    [
        ("gzip",),
        ("deflate",),
        ("raw deflate",),
        ("identity",),
        ("gzip", "gzip"),
        ("deflate", "gzip"),
    ],
)
def test_packed_answers_are_unpacked(wiki, codings):
    wiki.pages["/wiki/Packed"] = packed(b"hello " * 1000, *codings)
    assert open_client(wiki).get("Packed").content == b"hello " * 1000


def test_a_gzip_of_several_members_is_whole(wiki):
    parts = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0"
    wiki.pages["/wiki/Packed"] = Answer(parts, headers={"Content-Encoding": "gzip"})
    assert open_client(wiki).get("Packed").content == b"one two"


@pytest.mark.parametrize("codings", [("gzip",), ("deflate",), ("raw deflate",), ("gzip", "gzip")])
def test_a_bomb_stops_early(wiki, codings):
    wiki.pages["/wiki/Bomb"] = packed(bytes(5_000_000), *codings)
    with pytest.raises(FetchError, match=r"max_bytes = 100,000"):
        open_client(wiki, max_bytes=100_000).get("Bomb")


def test_a_bomb_needs_no_more_memory_than_the_limit():
    bomb = zlib.compress(bytes(20_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            unpacked(bomb, "deflate", 100_000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


def test_a_bomb_of_four_gigabytes_stops_early_too(wiki):
    wiki.fault("/wiki/Home", Fault.GZIP_BOMB)
    with pytest.raises(FetchError, match="max_bytes") as trouble:
        open_client(wiki, max_bytes=6_000_000).get("Home")
    assert trouble.value.status == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Answer(gzip.compress(b"hello" * 99)[:-9], headers={"Content-Encoding": "gzip"}),
            "cut off",
        ),
        (Answer("hello", headers={"Content-Encoding": "br"}), "packed as 'br'"),
        (packed(b"hello", "gzip", "gzip", "gzip", "gzip"), "packed 4 times"),
    ],
)
def test_what_cannot_be_unpacked_is_an_error(wiki, answer, words):
    wiki.pages["/wiki/Packed"] = answer
    with pytest.raises(FetchError, match=words):
        open_client(wiki, retries=0).get("Packed")


def test_an_empty_answer_needs_no_unpacking(wiki):
    wiki.pages["/wiki/Empty"] = Answer(b"", headers={"Content-Encoding": "gzip"})
    assert open_client(wiki).get("Empty").content == b""


def test_bad_utf8_is_a_page_all_the_same(wiki):
    wiki.fault("/wiki/Home", Fault.BAD_UTF8)
    assert "�" in open_client(wiki).get("Home").text


# Redirects


def test_five_redirects_are_followed_and_six_are_not():
    class Chain(Wiki):
        def answer(self, request: Request) -> Answer:
            left = int(request.query.get("left", 0))
            if left:
                return Answer("", 302, headers={"Location": f"/hop?left={left - 1}"})
            return Answer("there", type="text/plain")

    with Chain() as server:
        client = open_client(server)
        reply = client.get("/hop?left=5")
        assert (reply.content, reply.url) == (b"there", f"{server.url}/hop?left=0")
        assert client.requests == 6
        with pytest.raises(FetchError, match="in a circle, or more than 5 times"):
            client.get("/hop?left=6")


def test_a_circle_is_an_error(wiki):
    wiki.fault("/wiki/Home", Fault.REDIRECT_LOOP)
    with pytest.raises(FetchError, match="in a circle") as trouble:
        open_client(wiki).get("Home")
    assert trouble.value.status == 0


@pytest.mark.parametrize("place", ["http://[broken/", "/\xff\xfe", "/a\tb"])
def test_a_redirect_that_cannot_be_read_is_an_error(wiki, place):
    wiki.pages["/wiki/Moved"] = Answer("", 302, headers={"Location": place})
    with pytest.raises(FetchError, match=r"no readable address|is refused"):
        open_client(wiki).get("Moved")


def test_a_redirect_without_a_place_is_an_error(wiki):
    with pytest.raises(FetchError, match="answered 302 Found") as trouble:
        open_client(wiki).get("/status?is=302")
    assert trouble.value.status == 302


# Manners


def test_requests_to_a_host_keep_their_distance_with_jitter(wiki, clock):
    client = open_client(wiki, clock, rate=2.0)
    for _ in range(20):
        client.get("Home")

    assert len(clock.slept) == 19
    assert all(0.5 <= wait <= 0.6 + 1e-9 for wait in clock.slept)
    assert len(set(clock.slept)) > 10


def test_sources_share_the_pace_of_a_host_and_the_strictest_holds(wiki, clock):
    hosts = Hosts(clock)
    slow = Client("slow", settings_for(wiki, WebSettings, rate=0.5), "me@example.org", hosts)
    fast = Client("fast", settings_for(wiki, WebSettings, rate=100), "me@example.org", hosts)
    for _ in range(3):
        slow.get("/api/items")
        fast.get("/api/items")

    assert len(clock.slept) == 5
    assert all(2.0 <= wait <= 2.4 + 1e-9 for wait in clock.slept)


@pytest.mark.parametrize("connections", [1, 3])
def test_no_more_than_so_many_ask_a_host_at_once(connections):
    inside, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(connections)

    class Counting(Server):
        def answer(self, request: Request) -> Answer:
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            together.wait(5)  # goes on only when as many as are allowed are here
            with lock:
                inside -= 1
            return json_answer([])

    with Counting() as server, ThreadPoolExecutor(6) as threads:
        client = open_client(server, connections=connections)
        list(threads.map(lambda n: client.get(f"/{n}"), range(6)))

    assert most == connections
    assert client.requests == len(server.requests) == 6


def test_sources_share_the_places_of_a_host_and_the_strictest_holds(clock):
    second = threading.Event()

    class Waiting(Server):
        def answer(self, request: Request) -> Answer:
            if len(self.requests) == 1:
                met.append(second.wait(0.1))
            second.set()
            return json_answer([])

    met: list[bool] = []
    with Waiting() as server, ThreadPoolExecutor(2) as threads:
        hosts = Hosts(clock)
        for connections in (1, 4):
            web = settings_for(server, WebSettings, connections=connections)
            threads.submit(Client("wiki", web, "me@example.org", hosts).get, "/")
    assert (met, len(server.requests)) == ([False], 2)


def test_the_budget_of_a_run_ends_the_source(wiki):
    client = open_client(wiki, requests=3)
    for _ in range(3):
        client.get("Home")

    for _ in range(2):
        with pytest.raises(SourceTrouble, match=r"budget of 3 requests a run is used up"):
            client.get("Home")
    assert (client.requests, len(wiki.requests)) == (3, 3)


def test_retries_and_redirects_count_in_the_budget(wiki):
    wiki.fault("/wiki/Home", Fault.SERVER_ERROR, times=1)
    client = open_client(wiki, requests=3)
    client.get("/to?place=/wiki/Home")
    assert client.requests == 3
    with pytest.raises(SourceTrouble):
        client.get("Plain")


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault in REFUSALS], ids=str)
def test_refusals_one_after_the_other_pause_the_source(wiki, fault):
    wiki.fault("/wiki/*", fault)
    client = open_client(wiki, ban_after=4, retries=0)

    for _ in range(3):
        with pytest.raises(FetchError):
            client.get("Home")
    with pytest.raises(SourceTrouble, match=r"4 refusals one after the other.*looks like a ban"):
        client.get("Home")
    with pytest.raises(SourceTrouble, match="looks like a ban"):
        client.get("/api/items")
    assert client.requests == 4


def test_an_answer_in_between_ends_the_row_of_refusals(wiki):
    wiki.fault("/wiki/Home", Fault.FORBIDDEN)
    client = open_client(wiki, ban_after=2)

    for _ in range(3):
        with pytest.raises(FetchError):
            client.get("Home")
        client.get("Plain")
        with pytest.raises(FetchError):
            client.get("Home")
        with pytest.raises(FetchError, match="404"):  # also an answer: the page is not there
            client.get("Missing")


def test_trouble_of_the_server_neither_counts_nor_ends_the_row(wiki):
    wiki.fault("/wiki/Home", Fault.FORBIDDEN)
    wiki.fault("/wiki/Plain", Fault.SERVER_ERROR)
    client = open_client(wiki, ban_after=2, retries=0)

    for path in ("Home", "Plain"):
        with pytest.raises(FetchError):
            client.get(path)
    with pytest.raises(SourceTrouble):
        client.get("Home")


def test_nothing_comes_from_the_environment(wiki, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Wiki() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")
        client = open_client(wiki)
        client.get("Home")
        client.session.get(f"{wiki.url}/wiki/Home", proxies={"http": proxy.url})
        assert proxy.connections == 0
    assert all("authorization" not in request.headers for request in wiki.requests)


# robots.txt


@pytest.mark.parametrize(
    ("robots", "path", "allowed"),
    [
        ("User-agent: *\nDisallow: /private", "/private/x", False),
        ("User-agent: *\nDisallow: /private", "/wiki/Home", True),
        ("User-agent: Docent\nDisallow: /\n\nUser-agent: *\nAllow: /", "/wiki/Home", False),
        ("User-agent: *\nDisallow: /\nAllow: /wiki/$", "/wiki/", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/wiki/a.pdf", False),
        ("<html>no robots here</html>", "/wiki/Home", True),
        ("\xff\xfe\x00", "/wiki/Home", True),
    ],
)
def test_robots_txt_is_obeyed(wiki, robots, path, allowed):
    wiki.pages["/robots.txt"] = Answer(robots.encode("latin-1"), type="text/plain")
    assert open_client(wiki).allowed(path) is allowed


def test_robots_txt_is_asked_for_once_a_host(wiki):
    wiki.pages["/robots.txt"] = Answer("User-agent: *\nDisallow: /x", type="text/plain")
    client = open_client(wiki)

    assert [client.allowed(path) for path in ("/x", "/y", "Home", wiki.url + "/x?q=1")] == [
        False,
        True,
        True,
        False,
    ]
    assert client.requests == wiki.asked("/robots.txt") == 1


@pytest.mark.parametrize(
    ("fault", "allowed"),
    [
        (Fault.VANISHED, True),
        (Fault.FORBIDDEN, False),
        (Fault.LOGIN_PAGE, False),
        (Fault.REDIRECT_SIGN_IN, False),
    ],
    ids=str,
)
def test_a_host_without_readable_robots_txt(wiki, fault, allowed):
    wiki.fault("/robots.txt", fault)
    client = open_client(wiki)
    assert client.allowed("Home") is client.allowed("Plain") is allowed
    assert client.requests == 1


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.TOO_MANY, Fault.HANG_UP, Fault.REDIRECT_LOOP], ids=str
)
def test_an_unreachable_robots_txt_pauses_the_source(wiki, fault):
    wiki.fault("/robots.txt", fault)
    with pytest.raises(SourceTrouble, match=r"Without its robots\.txt nothing is read"):
        open_client(wiki, retries=1).allowed("Home")


def test_robots_may_be_left_aside_where_the_settings_say_so(wiki):
    wiki.pages["/robots.txt"] = Answer("User-agent: *\nDisallow: /", type="text/plain")
    client = open_client(wiki, robots=False)
    assert client.allowed("Home")
    assert client.requests == 0


def test_a_refused_address_is_refused_by_robots_too(wiki):
    with pytest.raises(FetchError, match="inner address"):
        open_client(wiki).allowed("http://169.254.169.254/")
    with pytest.raises(FetchError, match="cannot be read"):
        open_client(wiki).allowed("http://[broken/")


def test_a_crawl_delay_slows_the_pace(wiki, clock):
    wiki.pages["/robots.txt"] = Answer("User-agent: *\nCrawl-delay: 5", type="text/plain")
    client = open_client(wiki, clock, rate=10)
    client.allowed("Home")
    client.get("Home")
    client.get("Home")
    assert 5 <= clock.slept[-1] <= 6

    with pytest.raises(
        SourceTrouble, match=r"asks for 5 s between requests, more than max_wait_s = 4"
    ):
        open_client(wiki, clock, max_wait_s=4).allowed("Home")


# Libraries that are handed the session


def test_python_gitlab_gets_pace_retries_budget_and_plain_errors(wiki, clock):
    wiki.pages["/api/v4/projects/1"] = json_answer({"id": 1, "name": "docs"})
    wiki.fault("/api/v4/projects/1", Fault.TOO_MANY_SECONDS, times=1)
    client = open_client(wiki, clock, requests=4)
    gitlab = Gitlab(wiki.url, private_token="glpat-x", session=client.session)

    assert gitlab.projects.get(1).name == "docs"
    assert clock.slept == [RETRY_AFTER_S]
    assert wiki.requests[1].headers["user-agent"].startswith("Docent/")
    with pytest.raises(GitlabGetError, match="404"):  # what the library understands, it may have
        gitlab.projects.get(2)
    wiki.fault("/api/v4/projects/1", Fault.LOGIN_PAGE, times=1)
    with pytest.raises(FetchError, match="a sign-in page"):
        gitlab.projects.get(1)
    with pytest.raises(SourceTrouble, match="budget"):
        gitlab.projects.get(1)


def test_a_library_does_not_wait_once_more_where_the_client_has_given_up(wiki, clock):
    wiki.fault("/api/*", Fault.TOO_MANY)
    client = open_client(wiki, clock, retries=1)
    with pytest.raises(FetchError, match="429 Too Many Requests, also after 2 tries") as trouble:
        Gitlab(wiki.url, session=client.session).projects.get(1)
    assert (trouble.value.status, client.requests) == (429, 2)


def test_atlassian_cannot_put_its_own_way_out_in_place(wiki, clock):
    wiki.pages["/rest/api/2/issue/A-1"] = json_answer({"key": "A-1"})
    wiki.fault("/rest/*", Fault.SERVER_ERROR, times=1)
    client = open_client(wiki, clock)
    jira = Jira(wiki.url, session=client.session, backoff_and_retry=True)

    assert jira.issue("A-1") == {"key": "A-1"}
    assert client.requests == 2
    with pytest.raises(FetchError, match="inner address"):
        jira.get("http://169.254.169.254/", absolute=True)


def test_a_streamed_answer_is_whole_already(wiki):
    reply = open_client(wiki).session.get(f"{wiki.url}/wiki/Plain", stream=True)
    assert b"".join(reply.iter_content(2)) == b"plain"
    assert reply.text == "plain"


def test_a_head_request_has_no_body(wiki):
    reply = open_client(wiki).session.head(f"{wiki.url}/wiki/Plain")
    assert (reply.status_code, reply.content) == (200, b"")


def test_what_requests_itself_refuses_is_a_fetch_error_too(wiki):
    session = open_client(wiki).session
    with pytest.raises(FetchError, match="cannot be asked for"):
        session.get("no scheme")
    with pytest.raises(FetchError, match="cannot be asked for"):
        session.get(wiki.url, headers={"X-Broken": "a\nb"})
    assert wiki.requests == []


# TLS


class Tls:
    """A server whose certificate is for docs.example.org, and a way to reach it by any name."""

    def __init__(self):
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        self.server = Wiki(tls=context)

    def client(self, name, **settings):
        web = settings_for(self.server, WebSettings, **settings)
        told = web.model_copy(update={"url": f"https://{name}:{self.server.port}/"})
        hosts = Hosts(StillClock(), lambda host, port: ["127.0.0.1"])
        return Client("wiki", told, "me@example.org", hosts)


def test_the_certificate_is_checked_against_the_name_and_not_the_address():
    tls = Tls()
    with tls.server as server:
        assert tls.client("docs.example.org", ca_file=CERTIFICATE).get("/wiki/Home").status == 200
        heard = len(server.requests)

        for client, words in (
            (tls.client("evil.example.org", ca_file=CERTIFICATE), "Hostname mismatch"),
            (tls.client("docs.example.org"), "self.signed certificate"),
        ):
            with pytest.raises(FetchError, match=rf"no trusted connection \(.*{words}") as trouble:
                client.get("/wiki/Home")
            assert (trouble.value.status, client.requests) == (0, 0)
            with pytest.raises(FetchError, match="no trusted connection"):
                client.session.get(f"{client._settings.url}wiki/Home", verify=False)
        assert len(server.requests) == heard


def test_a_server_that_speaks_no_tls_is_no_trusted_connection(wiki):
    web = settings_for(wiki, WebSettings, retries=1)
    told = web.model_copy(update={"url": wiki.url.replace("http:", "https:")})
    client = Client("wiki", told, "me@example.org", Hosts(StillClock()))
    with pytest.raises(FetchError, match=r"no trusted connection \(.*\), also after 2 tries"):
        client.get("/")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_a_wrong_setting(wiki, tmp_path, content):
    if content:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(SettingsError, match=r"\[sources\.wiki\] ca_file .*ca\.pem cannot be used"):
        open_client(wiki, ca_file=tmp_path / "ca.pem")
