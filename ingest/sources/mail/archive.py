"""Archives of mailing lists on the web: Mailman 2 (pipermail) and Mailman 3 (HyperKitty)."""

import re
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha1, sha256
from typing import Protocol
from urllib.parse import quote, urljoin

from ingest.errors import FetchError
from ingest.http import Client, Reply
from ingest.outbound.body import Damaged, TooLarge
from ingest.outbound.body import unpacked as inflated

_DOWNLOAD = re.compile(r"""<a\s+href=["']?([\w.-]+\.txt(?:\.gz)?)["'>\s]""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Listing:
    """The periods (months, as a rule) of a list, the oldest first."""

    periods: list[str]
    version: str = ""
    """Of the listing itself, for the next time; empty where there is none."""


class MailArchive(Protocol):
    """How one kind of archive is asked."""

    entrance: str
    """The address that robots.txt is consulted for."""

    def listing(self, begun: str, last: str, version: str) -> Listing | None:
        """All periods; None when they are those of the last time.

        `begun` and `last` are the first and the last known one, `version` is the listing's.

        Raises:
            FetchError: the list cannot be asked for.
        """
        ...

    def address(self, period: str, begun: str) -> str:
        """Where a period's mailbox is."""
        ...

    def link(self, period: str, message: str) -> str:
        """Where a person finds a message, or at least its neighbours."""
        ...


class Pipermail:
    """Mailman 2: an index page with a text file for each month (or week, quarter, year)."""

    def __init__(self, client: Client, url: str) -> None:
        self.entrance = url
        self._client = client
        self._files: dict[str, str] = {}

    def listing(self, begun: str, last: str, version: str) -> Listing | None:
        reply = self._client.get(self.entrance, version=version)
        if reply.status == 304:
            return None
        files = list(dict.fromkeys(_DOWNLOAD.findall(reply.text)))
        if not files and b"archives" not in reply.content.lower():
            msg = (
                f"{self.entrance} is no archive of Mailman: it names no text files. Look at url "
                "and lists."
            )
            raise FetchError(msg)
        # The index begins with the newest.
        self._files = {re.sub(r"\.txt(\.gz)?\Z", "", file): file for file in reversed(files)}
        return Listing(list(self._files), reply.version)

    def address(self, period: str, begun: str) -> str:
        return urljoin(self.entrance, self._files.get(period, f"{period}.txt.gz"))

    def link(self, period: str, message: str) -> str:
        return urljoin(self.entrance, f"{period}/thread.html")


class HyperKitty:
    """Mailman 3: the mailbox of any span of days. There is no listing: months are counted."""

    def __init__(self, client: Client, url: str, list_: str, today: Callable[[], date]) -> None:
        self.entrance = f"{url.rstrip('/')}/list/{quote(list_, safe='@')}/export/"
        self._about = f"{url.rstrip('/')}/api/list/{quote(list_, safe='@')}/"
        self._list = list_
        self._client = client
        self._today = today

    def listing(self, begun: str, last: str, version: str) -> Listing | None:
        this = f"{self._today():%Y-%m}"
        if last == this:
            return None
        months = [begun or self._first_month()]
        while months[-1] < this:
            months.append(_month_after(months[-1]))
        return Listing(months)

    def address(self, period: str, begun: str) -> str:
        # Mail from before the list was set up may have been imported.
        start = "" if period == begun else f"start={period}-01&"
        name = f"{quote(self._list, safe='@')}-{period}.mbox.gz"
        return f"{self.entrance}{name}?{start}end={_month_after(period)}-01"

    def link(self, period: str, message: str) -> str:
        # HyperKitty's own name for a message.
        digest = b32encode(sha1(message.encode(), usedforsecurity=False).digest()).decode()
        return f"{self.entrance.removesuffix('export/')}message/{digest}/"

    def _first_month(self) -> str:
        told = self._client.get(self._about, params={"format": "json"}).json()
        created = told.get("created_at") if isinstance(told, dict) else None
        if not isinstance(created, str) or not re.match(r"\d{4}-\d\d", created):
            msg = f"{self._about} answered in another shape than HyperKitty's. Look at url."
            raise FetchError(msg)
        return created[:7]


def unpacked(reply: Reply, limit: int) -> bytes:
    """A mailbox as it was sent: gzip or not, which some servers undo on their way.

    Raises:
        FetchError: it is cut off, unpacks to more than `limit` bytes, or is no mailbox.
    """
    content = reply.content
    if content.startswith(b"\x1f\x8b"):
        content = _gunzipped(reply.url, content, limit)
    if content.strip() and not content.lstrip().startswith(b"From "):
        msg = f"{reply.url} answered with something that is not a mailbox. Look at it there."
        raise FetchError(msg)
    return content


def version_of(reply: Reply, content: bytes) -> str:
    """What tells a period's next state from this one: the server's own mark, else a digest."""
    return reply.version or sha256(content).hexdigest()[:16]


def _gunzipped(url: str, packed: bytes, limit: int) -> bytes:
    try:
        return inflated(packed, "gzip", limit)
    except TooLarge:
        msg = f"{url} unpacks to more than max_bytes = {limit:,}. Raise it for this archive."
        raise FetchError(msg) from None
    except Damaged as error:
        msg = f"{url} is damaged ({error}). Ask for it again."
        raise FetchError(msg) from None


def _month_after(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year + number // 12}-{number % 12 + 1:02}"
