"""Trying again."""

import pytest

from ingest.errors import FetchError, SourceTrouble
from ingest.outbound.pace import backoff, retry_after
from tests.ingest.http.conftest import DATED, Wiki, open_client
from tests.servers import RETRY_AFTER_S, Answer, Fault


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
