"""Manners: the pace, the budget, robots.txt."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client, Hosts
from ingest.source_settings import WebSettings
from tests.ingest.http.conftest import Wiki, open_client
from tests.servers import (
    REFUSALS,
    Answer,
    Fault,
    Request,
    Server,
    json_answer,
    settings_for,
)


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
