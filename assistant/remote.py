"""The search of a Docent that runs elsewhere, over its HTTP API: for notebooks and scripts."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from assistant.model import Passage
from ingest.access import Reader
from ingest.errors import FetchError, SettingsError
from ingest.model import Standing
from ingest.web_settings import safe_address

DEFAULT_K = 8
TIMEOUT_S = 60.0


class RemoteFinder:
    """Finds what the owner of a token may read. The server decides on that, for each search."""

    def __init__(
        self, url: str, token: str = "", ca_file: Path | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        """`url` is the address of the chat page; `token` an API token with the scope `search`.

        Raises:
            SettingsError: the address is none, or the token could be read on the way there.
        """
        # A second that other users of this package need not pay.
        import ssl

        import httpx2

        try:
            self._url = safe_address(url, path=False)
        except ValueError as error:
            msg = f"The address {url!r} of Docent {error}."
            raise SettingsError(msg) from None
        self._errors = httpx2.HTTPError
        self._late = httpx2.TimeoutException
        self._timeout_s = timeout_s
        trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
        # A connection for each search: a retriever is not closed by those who use it.
        self._client = partial(
            httpx2.Client,
            base_url=self._url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout_s,
            verify=trusted,
        )

    def retrieve(self, text: str, reader: Reader, k: int | None = None) -> list[Passage]:
        """The best passages, best first. Whose they are is told by the token, not by `reader`.

        Raises:
            FetchError: the server is away or slow, or the token holds no more.
        """
        try:
            with self._client() as client:
                asked = {"query": text, "k": k or DEFAULT_K}
                response = client.post("/api/v1/search", json=asked)
        except self._late:
            msg = f"Docent at {self._url} did not answer within {self._timeout_s:g} s. Try again."
            raise FetchError(msg) from None
        except self._errors as error:
            msg = (
                f"Docent at {self._url} cannot be reached ({type(error).__name__}). Is the address "
                "right, and is the server running?"
            )
            raise FetchError(msg) from None
        told = self._told(response)
        if response.status_code != 200:
            why = told.get("detail") or f"It answered {response.status_code}."
            msg = f"Docent at {self._url} did not search. {why}"
            raise FetchError(msg, response.status_code)
        try:
            return [_passage(hit) for hit in told["hits"]]
        except (KeyError, TypeError, ValueError):
            raise self._odd() from None

    def _told(self, response: Any) -> Mapping[str, Any]:
        try:
            told = response.json()
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise self._odd()
        return told

    def _odd(self) -> FetchError:
        return FetchError(f"What answers at {self._url} is not a Docent, or of another version.")


def _passage(hit: Mapping[str, Any]) -> Passage:
    standing = hit["standing"]
    updated_at = hit["updated_at"]
    return Passage(
        chunk_id=hit["chunk_id"],
        document_id=hit["document_id"],
        title=hit["title"],
        url=hit["url"],
        source=hit["source"],
        section=tuple(hit["section"]),
        text=hit["text"],
        start=hit["start"],
        end=hit["end"],
        page=hit["page"],
        updated_at=datetime.fromisoformat(updated_at) if updated_at else None,
        score=hit["score"],
        standing=Standing(standing["archived"], standing["superseded_by"]),
        also=tuple(hit["also"]),
    )
