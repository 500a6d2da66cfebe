"""Limits of time and size; redirects."""

import gzip
import tracemalloc
import zlib

import pytest

from ingest.errors import FetchError
from ingest.http import SystemClock
from ingest.outbound.body import TooLarge, unpacked
from tests.ingest.http.conftest import Wiki, open_client
from tests.servers import Answer, Fault, Request


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
