"""GitLab's API through python-gitlab, over our own client: its errors become ours."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import gitlab

from ingest.errors import FetchError
from ingest.http import Client, Reply

Record = Mapping[str, Any]
"""An object of the API."""

PER_PAGE = 100
"""As many as GitLab gives at once."""

# The client waits, tries again and counts: the library must not do so a second time.
_ONCE: dict[str, Any] = {"obey_rate_limit": False, "retry_transient_errors": False}


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list."""

    records: list[Record]
    total: int | None
    """Of all pages; None beyond 10,000, where GitLab does not count."""
    more: bool


class Api:
    """Reads; relative paths are those of the API, such as `projects/12/issues`.

    Every method raises FetchError where there is no usable answer.
    """

    def __init__(self, source: str, url: str, client: Client) -> None:
        self._source = source
        self._client = client
        # No token: the client's own sign-in lays it on, and only for this host.
        self._gitlab = gitlab.Gitlab(url, session=client.session, keep_base_url=True)

    def one(self, path: str, **query: str | int) -> Record:
        """One object."""
        with self._explained(path):
            found = self._gitlab.http_get(f"/{path}", dict(query), **_ONCE)
        if not isinstance(found, dict):
            msg = f"{self._source}: {path} is not the JSON object that GitLab documents."
            raise FetchError(msg)
        return found

    def listing(self, path: str, **query: str | int) -> Listing:
        """One page of a list."""
        found, records = self._pages(path, query, get_next=False)
        return Listing(list(records), found.total, found.next_page is not None)

    def every(self, path: str, **query: str | int) -> Iterator[Record]:
        """All of a list, page after page by the links that GitLab gives."""
        yield from self._pages(path, {"per_page": PER_PAGE, **query}, get_next=True)[1]

    def reply(self, path: str, query: Mapping[str, str | int], version: str = "") -> Reply:
        """An answer as it is, with its headers; status 304 when it is still this version."""
        with self._explained(path):
            return self._client.get(f"{self._gitlab.api_url}/{path}", params=query, version=version)

    def _pages(
        self, path: str, query: Mapping[str, str | int], *, get_next: bool
    ) -> tuple[gitlab.GitlabList, Iterator[Record]]:
        with self._explained(path):
            found = self._gitlab.http_list(
                f"/{path}", dict(query), iterator=True, get_next=get_next, **_ONCE
            )
        pages = cast("gitlab.GitlabList", found)
        return pages, self._records(path, pages)

    def _records(self, path: str, pages: gitlab.GitlabList) -> Iterator[Record]:
        record: Any
        while True:
            try:
                with self._explained(path):
                    record = next(pages, None)
            except (KeyError, TypeError):
                record = False
            if record is None:
                return
            if not isinstance(record, dict):
                msg = f"{self._source}: {path} is not the JSON list that GitLab documents."
                raise FetchError(msg)
            yield record

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except gitlab.GitlabError as error:
            status = error.response_code or 0
            told = str(error.error_message)[:200].rstrip(".")
            msg = f"{self._source}: {path} answered {status} ({told})."
            raise FetchError(msg, status) from None


def encoded(path: str) -> str:
    """A full path, a branch or a file as one step of an address."""
    return quote(path, safe="")
