"""The guard at the socket: which addresses may be asked, and connections that reach no others.

A name is resolved once, every address it stands for is checked, and the connection is made to one
of the checked addresses itself: a second DNS answer has no say. Nothing here knows HTTP's meaning.
"""

import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from http.client import HTTPResponse
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import parse_url

from ingest.errors import FetchError, SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""Host and port → the addresses that the name stands for, as text. Raises OSError."""

_PORTS = {"http": 80, "https": 443}
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_SECRET = re.compile(r"token|key|passw|secret|sig|auth|code|ticket|session|saml", re.IGNORECASE)

# IANA's special-purpose registries. Version 4 is public except for these. Of version 6 only
# 2000::/3 is given out, and of that not these; tunnels that carry version 4 are among them.
_CLOSED_4 = [
    IPv4Network(network)
    for network in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
]
_OPEN_6 = IPv6Network("2000::/3")
_CLOSED_6 = [
    IPv6Network(network)
    for network in ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"]
]
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)

# Where clouds hand out their machines' credentials: no setting opens these.
_METADATA = frozenset(
    ip_address(address)
    for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16")
) | {IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")}


class Origin(NamedTuple):
    """What a credential belongs to."""

    scheme: str
    host: str
    port: int


def shown(url: str) -> str:
    """The address for a message: without user, password and the values of telling parameters."""
    try:
        parts = urlsplit(url)
        query = urlencode(
            [
                (name, "..." if _SECRET.search(name) else value)
                for name, value in parse_qsl(parts.query, keep_blank_values=True)
            ],
            safe="/:,.",
        )
        url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))
    except ValueError:
        url = url.rpartition("@")[2]
    return quote(url, safe="/:?&=#%,+;@!$'()*~[]<>|{} ")[:300]


def is_public(address: Address) -> bool:
    """True for what is given out to somebody on the internet as one host's own address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
        return False
    return address in _OPEN_6 and not any(address in network for network in _CLOSED_6)


def resolve(host: str, port: int) -> list[str]:
    """What the machine's own resolver says."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Says no to addresses, and opens the sockets of what it let pass."""

    def __init__(
        self, source: str, allow_private: Sequence[Network], resolver: Resolver = resolve
    ) -> None:
        self.source = source
        self._allowed = tuple(allow_private)
        self._resolve = resolver

    def check(self, url: str) -> Origin:
        """Where this address leads, if it is one that may be asked at all.

        Raises:
            FetchError: it may not; the sentence says why.
        """
        self.check_characters(url)
        try:
            ours = urlsplit(url)
            theirs = parse_url(url)  # the reading that a connection is made from
            port = ours.port
        except ValueError:
            raise self._refusal(url, "it cannot be read") from None
        if ours.scheme not in _PORTS:
            raise self._refusal(url, "only http and https are fetched")
        if "@" in ours.netloc or theirs.auth:
            raise self._refusal(url, "it carries credentials")
        host = (theirs.host or "").strip("[]")
        if not host or host != ours.hostname or port != theirs.port or port == 0:
            raise self._refusal(url, "its host and port can be read in two ways")
        try:
            address = _literal(host)
        except ValueError:
            raise self._refusal(url, "its host is not written as a name or a plain IP") from None
        if address is not None:
            self._check_address(url, host, address)
        return Origin(ours.scheme, host, port or _PORTS[ours.scheme])

    def check_characters(self, url: str) -> None:
        """Refuse what one reader of an address drops silently and another one does not."""
        if _CONTROL.search(url):
            raise self._refusal(url, "it contains control characters or a backslash")

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to one of the host's addresses, of which none may be an inner one.

        Raises:
            FetchError: an address is refused. OSError: there is none, or none answers.
        """
        deadline = time.monotonic() + timeout
        try:
            found = [ip_address(address) for address in self._resolve(host, port)]
        except ValueError as error:  # also the UnicodeError of a name that cannot be asked for
            raise socket.gaierror(str(error)) from None
        for address in found:
            self._check_address(host, host, address)
        trouble: OSError = socket.gaierror("the name stands for no address")
        for place, address in enumerate(found):
            share = (deadline - time.monotonic()) / (len(found) - place)
            try:
                return _open(address, port, share, deadline)
            except OSError as error:
                trouble = error
        raise trouble

    def _check_address(self, url: str, host: str, address: Address) -> None:
        for end in (address, _carried(address)):  # an opened tunnel opens not what lies behind it
            opened = any(end in network for network in self._allowed)
            if end in _METADATA or not (opened or is_public(end)):
                why = f"{host} leads to" if host != str(end) else "it leads to"
                why += f" {end}, an inner address that allow_private does not open"
                raise self._refusal(url, why)

    def _refusal(self, url: str, why: str) -> FetchError:
        return FetchError(f"{self.source}: {shown(url)} is refused: {why}.")


def _literal(host: str) -> Address | None:
    """The address a host spells out; None for a name. Odd spellings raise ValueError."""
    if ":" in host:
        if "%" in host:
            raise ValueError(host)
        return IPv6Address(host)
    last = host.rstrip(".").rpartition(".")[2]
    if last.isdigit() or re.fullmatch("0x[0-9a-f]*", last):
        return IPv4Address(host)  # refuses octal, hexadecimal, short and dotless forms
    if not _NAME.fullmatch(host):
        raise ValueError(host)
    return None


def _carried(address: Address) -> Address:
    """The version 4 address inside one of version 6; else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _open(address: Address, port: int, share: float, deadline: float) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(share, 0.001))
        sock.connect((str(address), port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(_left(deadline))
    except BaseException:
        sock.close()
        raise
    return sock


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        msg = "timed out"
        raise TimeoutError(msg)
    return left


class _Timed(io.RawIOBase):
    """Reads of a socket that all end at one deadline, however slowly the bytes drip."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._inner = sock.makefile("rb", buffering=0)
        self._deadline = deadline
        self.finished = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.finished:
            return 0
        self._sock.settimeout(_left(self._deadline))
        return self._inner.readinto(buffer) or 0

    def hang_up(self) -> None:
        with suppress(OSError):  # where the other side was quicker
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Watched(io.BufferedReader):
    """Tells whether bytes had arrived behind the end of the answer."""

    def __init__(self, raw: _Timed) -> None:
        super().__init__(raw)
        self._timed = raw
        self.left_over = False

    def close(self) -> None:
        if not self.closed:
            self._timed.finished = True
            self.left_over = bool(self.peek(1).strip())
            if self.left_over:  # the next answer on this connection could be anybody's
                self._timed.hang_up()
        super().close()


class TimedResponse(HTTPResponse):
    """An answer whose head and body have one deadline together."""

    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.watched = _Watched(_Timed(sock, deadline))
        self.fp = self.watched


def left_over(raw: Any) -> bool:
    """True when an answer that was read to its end was followed by bytes nobody asked for."""
    watched = getattr(getattr(raw, "_original_response", None), "watched", None)
    return bool(watched and watched.left_over)


class _Plain(HTTPConnection):
    guard: ClassVar[Guard]

    def _new_conn(self) -> socket.socket:
        timeout = float(self.timeout or 60)
        try:
            return self.guard.connect(self._dns_host, self.port or _PORTS["http"], timeout)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def getresponse(self) -> Any:
        deadline = time.monotonic() + float(self.timeout or 60)
        self.response_class = partial(TimedResponse, deadline=deadline)  # type: ignore[assignment]
        return super().getresponse()


class _Tls(_Plain, HTTPSConnection):
    """The handshake happens on the guarded socket and checks the certificate against the name."""


def pool_classes(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools, by scheme, that can only reach what the guard lets pass."""
    plain = type("GuardedConnection", (_Plain,), {"guard": guard})
    tls = type("GuardedTlsConnection", (_Tls,), {"guard": guard})
    return {
        "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("GuardedTlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }


@lru_cache
def tls_context(source: str, ca_file: Path | None) -> ssl.SSLContext:
    """Trust in the machine's authorities, those that `requests` brings, and one's own."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            why = error.strerror or "it holds no certificate"
            msg = f"[sources.{source}] ca_file {ca_file} cannot be used: {why}."
            raise SettingsError(msg) from None
    return context
