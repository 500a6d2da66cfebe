"""The one outbound HTTP client: every crawl request of every source passes through here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from ingest.source_settings import WebSettings


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, within its limits. `status` is 200 to 299, or 304 with empty content."""

    status: int
    url: str
    """After redirects."""
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes
    """Decompressed."""
    version: str
    """Give it to the next `get` of the same address: its ETag, else its Last-Modified, else ''."""

    @property
    def text(self) -> str:
        """Decoded by the header's charset, else as UTF-8; bad bytes become U+FFFD."""
        raise RuntimeError

    def json(self) -> Any:
        """Raises FetchError when it is not JSON."""
        raise RuntimeError


class Hosts:
    """How hard each host may be knocked at: shared by all sources of a run, thread-safe."""


class Client:
    """One source's way out. Signs in, waits its turn, tries again, and refuses inner addresses."""

    def __init__(self, source: str, settings: WebSettings, contact: str, hosts: Hosts) -> None:
        self.session = requests.Session()
        """For libraries that want one: the same guard, limits and sign-in."""
        self.requests = 0
        """Made so far."""

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        version: str = "",
    ) -> Reply:
        """Ask for one address, relative to the source's `url` or absolute.

        Raises:
            FetchError: no usable answer (`status` says which), also for an address that is refused.
            SourceTrouble: the source has to pause (ban, budget, sign-in).
        """
        raise RuntimeError

    def allowed(self, url: str) -> bool:
        """What robots.txt says, which is asked once a host; always True with `robots = false`."""
        raise RuntimeError
