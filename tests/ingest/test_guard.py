"""Hostile addresses: refused as text, at the socket, behind names and behind redirects."""

import re
from ipaddress import ip_address

import pytest
from gitlab import Gitlab
from pytest_socket import SocketConnectBlockedError
from urllib3 import PoolManager

from ingest.errors import FetchError, SettingsError
from ingest.http import Client, Hosts
from ingest.outbound.guard import Guard, is_public, pool_classes, shown
from ingest.source_settings import WebSettings
from tests.servers import NOT_FOUND, Answer, Fault, Request, Server, StillClock

# `{port}` is the port of a server that listens on loopback and must never hear of it.
HOSTILE = [
    # loopback and this machine
    "http://127.0.0.1:{port}/",
    "http://127.0.0.2:{port}/",
    "http://127.255.255.254:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0.1.2.3/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "https://127.0.0.1:{port}/",
    # private, shared, link-local
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.254/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://100.127.255.254/",
    "http://169.254.0.1/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    # where clouds keep credentials
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/metadata",
    "http://192.0.0.192/latest/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fd20:ce::254]/computeMetadata/v1/",
    "http://metadata.example.org/computeMetadata/v1/",
    # multicast, broadcast, documentation, benchmarks, reserved
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.7/",
    "http://203.0.113.7/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[100::1]/",
    # version 4 inside version 6
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::10.0.0.1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[2a00:1450::5efe:10.0.0.1]/",
    # other ways to write 127.0.0.1 and 169.254.169.254
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.000.000.001:{port}/",
    "http://0x7f.1:{port}/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:0x7f.0.0.1]/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://１２７.０.０.１:{port}/",
    # credentials, and hosts that two readers see differently
    "http://user:secret@docs.example.org/",
    "http://user@docs.example.org/",
    "http://docs.example.org@127.0.0.1:{port}/",
    "http://docs.example.org:80@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@docs.example.org/",
    "http://docs.example.org#@127.0.0.1:{port}/".replace("#", "%23"),
    "http:\\\\127.0.0.1:{port}\\",
    "http://docs.example.org\\.evil.example/",
    # control characters, blanks, broken hosts and ports
    "http://127.0.0.1:{port}/\r\nX-Injected: 1",
    "http://docs.example.org/\tpath",
    "http://docs.example.org\n.evil.example/",
    "http://docs.example.org/\x00",
    "ht\ntp://127.0.0.1:{port}/",
    "http://docs example.org/",
    "http://[::1/",
    "http://::1/",
    "http://docs.example.org:0/",
    "http://docs.example.org:99999/",
    "http://docs.example.org:http/",
    "http://-docs.example.org/",
    "http://docs..example.org/",
    "http:///etc/passwd",
    "http://",
    # other schemes
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "ftp://docs.example.org/",
    "gopher://127.0.0.1:{port}/_GET",
    "dict://127.0.0.1:{port}/",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1:{port}!/",
    "data:text/html,hello",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "//127.0.0.1:{port}/",
    # names that lead inside
    "http://inner.example.org:{port}/",
    "http://mixed.example.org:{port}/",
    "http://mapped.example.org:{port}/",
]

NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1", "::1"],
    "inner.example.org": ["127.0.0.1"],
    "mixed.example.org": ["93.184.215.14", "127.0.0.1"],
    "mapped.example.org": ["::ffff:127.0.0.1"],
    "metadata.example.org": ["169.254.169.254"],
}


def resolver(host: str, port: int) -> list[str]:
    return NAMES.get(host) or [host]


def outward(**settings) -> Client:
    """A client that may reach nothing but the internet."""
    told = WebSettings.model_validate(
        {"url": "http://docs.example.org/", "rate": 1000, "retries": 0, **settings}
    )
    return Client("docs", told, "me@example.org", Hosts(StillClock(), resolver))


class Page(Server):
    def answer(self, request: Request) -> Answer:
        return Answer("<h1>Hello</h1>")


class Redirecting(Server):
    def answer(self, request: Request) -> Answer:
        place = request.query.get("place")
        return Answer("", 302, headers={"Location": place}) if place else NOT_FOUND


@pytest.fixture(scope="module")
def loopback():
    """A server that nobody is to connect to."""
    with Page() as server:
        yield server


@pytest.fixture(scope="module")
def redirecting():
    with Redirecting() as server:
        yield server


@pytest.fixture
def page():
    with Page() as server:
        yield server


def test_there_are_at_least_sixty_hostile_addresses():
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("address", HOSTILE, ids=ascii)
def test_a_hostile_address_is_refused_and_nobody_hears_of_it(address, loopback):
    client = outward()

    with pytest.raises(FetchError) as refusal:
        client.get(address.replace("{port}", str(loopback.port)))

    assert refusal.value.status == 0
    assert str(refusal.value).startswith("docs: ")
    assert "secret" not in str(refusal.value)
    assert (loopback.connections, client.requests) == (0, 0)


@pytest.mark.parametrize(
    "address",
    [
        address
        for address in HOSTILE
        if not re.search(r"//(localhost|inner|mixed|mapped|metadata)\b", address.lower())
    ],
    ids=ascii,
)
def test_a_hostile_address_is_refused_as_text_already(address):
    """Names that lead inside are refused when they are looked up, all else before."""
    with pytest.raises(FetchError, match=r"^docs: .* is refused: "):
        Guard("docs", ()).check(address.replace("{port}", "80"))


@pytest.mark.parametrize("address", HOSTILE, ids=ascii)
def test_a_library_with_the_session_is_refused_too(address, loopback):
    client = outward()

    with pytest.raises(FetchError):
        client.session.get(address.replace("{port}", str(loopback.port)), timeout=1)

    assert (loopback.connections, client.requests) == (0, 0)


OWN = {"http://", "http:///etc/passwd"}  # in a redirect these mean the server's own


@pytest.mark.parametrize(
    "address", [a for a in HOSTILE if a.isprintable() and "{port}" not in a and a not in OWN]
)
def test_a_redirect_to_a_hostile_address_is_refused(address, redirecting):
    client = outward(url=redirecting.url, allow_private=["127.0.0.1/32"])

    with pytest.raises(FetchError, match=r"is refused|no readable address") as refusal:
        client.get("/to", params={"place": address})

    assert (refusal.value.status, client.requests) == (0, 1)


@pytest.mark.parametrize(
    "public",
    [
        "8.8.8.8",
        "188.184.9.234",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "223.255.255.254",
        "2001:1458:201:a7::1",
        "2600:1f18::1",
        "2a00:1450:4001::200e",
        "2001:200::1",
    ],
)
def test_addresses_of_the_internet_are_public(public):
    assert is_public(ip_address(public))
    host = f"[{public}]" if ":" in public else public
    assert outward()._transport.guard.check(f"https://{host}:8443/x").port == 8443


def test_a_second_dns_answer_has_no_say(loopback):
    """The first answer is public and passes; the connection goes there and not to the second."""
    answers = [["93.184.215.14"], ["127.0.0.1"], ["127.0.0.1"]]
    client = Client(
        "docs",
        WebSettings(url="http://docs.example.org/", retries=0),
        "me@example.org",
        Hosts(StillClock(), lambda host, port: answers.pop(0)),
    )

    # The tests' own fence stops the connection and says where it was going.
    with pytest.raises((SocketConnectBlockedError, UserWarning), match=r"93\.184\.215\.14"):
        client.get(f"http://rebinding.example.org:{loopback.port}/")

    assert loopback.connections == 0
    assert len(answers) == 2  # asked once


def test_a_name_that_moves_inside_between_two_requests_is_refused(page):
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    client = Client(
        "docs",
        WebSettings(
            url=f"http://docs.example.org:{page.port}/", retries=0, allow_private=["127.0.0.1"]
        ),
        "me@example.org",
        Hosts(StillClock(), lambda host, port: answers.pop(0)),
    )
    assert client.get("/").status == 200
    client.close()  # so that the next request needs a connection of its own

    with pytest.raises(FetchError, match=r"docs\.example\.org leads to 127\.0\.0\.2"):
        client.get("/")

    assert page.connections == 1


def test_the_socket_itself_refuses_whatever_was_checked_before(loopback):
    pools = PoolManager()
    pools.pool_classes_by_scheme = pool_classes(Guard("docs", ()))

    for host in ("127.0.0.1", "localhost", "0.0.0.0"):  # noqa: S104 - an address to refuse
        for scheme in ("http", "https"):
            with pytest.raises(FetchError, match="inner address"):
                pools.connection_from_host(host, loopback.port, scheme).urlopen("GET", "/")

    assert loopback.connections == 0


def test_the_answer_of_a_name_is_tried_address_by_address(page):
    """A first address that does not answer leaves time for the second."""
    settings = WebSettings(
        url=f"http://docs.example.org:{page.port}/", allow_private=["127.0.0.0/8", "::1/128"]
    )
    hosts = Hosts(StillClock(), lambda host, port: ["::1", "127.0.0.1"])

    assert Client("docs", settings, "me@example.org", hosts).get("/").status == 200


@pytest.mark.parametrize("found", [[], ["not an address"], None])
def test_a_name_that_leads_nowhere_is_no_connection(found):
    def lookup(host, port):
        if found is None:
            raise OSError(-2, "Name or service not known")
        return found

    settings = WebSettings(url="http://docs.example.org/", retries=1)
    client = Client("docs", settings, "me@example.org", Hosts(StillClock(), lookup))

    with pytest.raises(FetchError, match=r"no connection \(.+\), also after 2 tries"):
        client.get("/")

    assert client.requests == 0


def test_metadata_stays_closed_whatever_is_allowed():
    client = outward(allow_private=["0.0.0.0/0", "::/0"])

    for address in (
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
    ):
        with pytest.raises(FetchError, match="inner address"):
            client.get(f"http://{address}/")


def test_an_opened_tunnel_does_not_open_what_lies_behind_it():
    guard = outward(allow_private=["64:ff9b::/96"])._transport.guard

    assert guard.check("http://[64:ff9b::8.8.8.8]/").port == 80
    for inner in ("10.0.0.1", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(FetchError, match=rf"leads to {inner}, an inner address"):
            guard.check(f"http://[64:ff9b::{inner}]/")


def test_an_inner_address_in_the_settings_is_a_wrong_setting():
    with pytest.raises(
        SettingsError, match=r"\[sources\.docs\] url: .*127\.0\.0\.1.*allow_private"
    ):
        outward(url="http://127.0.0.1:8080/wiki")
    with pytest.raises(SettingsError, match="carries credentials"):
        outward(url="https://user:secret@docs.example.org/")


def test_python_gitlab_cannot_get_round_it(loopback):
    client = outward()
    gitlab = Gitlab(loopback.url, private_token="t", session=client.session)

    with pytest.raises(FetchError, match="inner address"):
        gitlab.projects.list(get_all=False)

    assert loopback.connections == 0


def test_a_redirect_inside_is_refused_with_both_addresses_known(page):
    page.fault("/moved", Fault.REDIRECT_INSIDE)
    client = outward(url=page.url, allow_private=["127.0.0.1"])

    with pytest.raises(FetchError, match=r"169\.254\.169\.254/latest.* is refused") as refusal:
        client.get("/moved")

    assert refusal.value.status == 0
    assert client.requests == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://user:pw@h.example/a?b=1#c", "https://h.example/a?b=1"),
        (
            "https://h.example/a?private_token=abc&page=2",
            "https://h.example/a?private_token=...&page=2",
        ),
        ("https://h.example/a?X-Amz-Signature=abc", "https://h.example/a?X-Amz-Signature=..."),
        ("http://u:pw@[broken/", "[broken/"),
        ("http://h.example/\r\nx", "http://h.example/x"),
    ],
)
def test_messages_show_no_credentials(address, said):
    assert shown(address) == said
