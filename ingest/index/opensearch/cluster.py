"""A cluster of OpenSearch as the index uses it: few requests, errors as sentences.

The only file that imports opensearch-py.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ingest.errors import IndexTrouble, SettingsError

BULK = 500
BULK_BYTES = 10_000_000
PATIENCE = 8
"""So often a block is sent again that the cluster has no room for yet (429), waiting twice as long
each time, up to a minute."""
TOO_MANY = 429
PAGE = 5_000
TIMEOUT_S = 60

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """`opensearch://USER:PASSWORD@HOST:9200/NAME?rows=FOLDER`; `opensearch+http` without TLS.

    NAME begins the names of all indexes; in FOLDER the writer keeps the rows that it mirrors.
    """

    url: str
    name: str
    user: str
    password: str
    rows: str
    ca: str
    """A certificate authority of one's own, as a file."""

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises SettingsError when there is no name of the index in it."""
        parts = urlsplit(url)
        scheme = "http" if parts.scheme == "opensearch+http" else "https"
        name = parts.path.strip("/")
        if not name or name != name.lower() or not name.replace("-", "").isalnum():
            msg = f"[index] url: {name!r} is no name of an index (a-z, 0-9 and -), as in opensearch://HOST:9200/docent."
            raise SettingsError(msg)
        options = {key: found[-1] for key, found in parse_qs(parts.query).items()}
        place = f"{scheme}://{parts.hostname}:{parts.port or 9200}"
        return cls(
            place, name, unquote(parts.username or ""), unquote(parts.password or ""),
            options.get("rows", ""), options.get("ca", ""),
        )  # fmt: skip

    @property
    def shown(self) -> str:
        """Without the password."""
        return f"{self.url}/{self.name}"


class Cluster:
    """The cluster at an address."""

    def __init__(self, address: Address) -> None:
        try:
            from opensearchpy import OpenSearch
        except ImportError:
            msg = "An index in OpenSearch needs opensearch-py: pip install 'docent[opensearch]'"
            raise SettingsError(msg) from None
        self.address = address
        auth = (address.user, address.password) if address.user else None
        self._raw = OpenSearch(
            [address.url], http_auth=auth, timeout=TIMEOUT_S, ca_certs=address.ca or None,
            max_retries=2, retry_on_timeout=False,
        )  # fmt: skip

    def search(self, index: str, body: Body) -> Body:
        """One search, all of it or an error: parts of an answer are none."""
        with self._told("searched"):
            found: Body = self._raw.search(
                index=index, body=body, params={"allow_partial_search_results": "false"}
            )
        return found

    def every(self, index: str, query: Body, fields: Sequence[str]) -> Iterator[Body]:
        """The fields of all documents of a query, by row."""
        body: Body = {
            "size": PAGE, "query": query, "_source": list(fields), "sort": [{"row": "asc"}],
        }  # fmt: skip
        while True:
            hits = self.search(index, body)["hits"]["hits"]
            yield from (hit["_source"] | {"_id": hit["_id"]} for hit in hits)
            if len(hits) < PAGE:
                return
            body["search_after"] = hits[-1]["sort"]

    def count(self, index: str, query: Body) -> int:
        """How many documents a query takes."""
        with self._told("counted"):
            return int(self._raw.count(index=index, body={"query": query})["count"])

    def get(self, index: str, name: str) -> Body | None:
        """One document as it is now; None where there is none."""
        from opensearchpy import NotFoundError

        with self._told("read"):
            try:
                found: Body = self._raw.get(index=index, id=name)["_source"]
            except NotFoundError:
                return None
        return found

    def put(self, index: str, name: str, body: Body) -> None:
        """Write one document; whoever reads it afterwards has all of it."""
        with self._told("written"):
            self._raw.index(index=index, id=name, body=body, params={"refresh": "true"})

    def bulk(self, actions: Iterable[Body]) -> int:
        """Send many changes in blocks, slower when the cluster says that it is too much."""
        from opensearchpy.helpers import streaming_bulk

        count = 0
        with self._told("written"):
            # It sends nothing again where it may raise for a single change.
            for well, told in streaming_bulk(
                self._raw, actions, chunk_size=BULK, max_chunk_bytes=BULK_BYTES,
                max_retries=PATIENCE, initial_backoff=1, max_backoff=60, raise_on_error=False,
            ):  # fmt: skip
                if not well:
                    raise IndexTrouble(self._refused(told))
                count += 1
        return count

    def _refused(self, told: Body) -> str:
        """What became of a change, without what it would have written."""
        [one] = told.values()
        where = f"The index at {self.address.shown} cannot be written"
        if one["status"] == TOO_MANY:
            return (
                f"{where}: the cluster has no room for changes, also after {PATIENCE} tries. What "
                "serves is whole; run it again when it has less to do."
            )
        error = one.get("error", {})
        said = f"{error.get('type')}: {error.get('reason')}"[:300]
        return f"{where}: the cluster refuses {one['_id']} of {one['_index']} ({said})."

    def make(self, index: str, body: Body) -> None:
        """Make an index, unless it is there."""
        with self._told("made"):
            if not self._raw.indices.exists(index=index):
                self._raw.indices.create(index=index, body=body)

    def names(self, pattern: str) -> list[str]:
        """The indexes of a pattern."""
        with self._told("read"):
            return sorted(self._raw.indices.get(index=pattern, params={"allow_no_indices": "true"}))

    def drop(self, index: str) -> None:
        """Drop an index."""
        with self._told("cleaned"):
            self._raw.indices.delete(index=index, params={"ignore_unavailable": "true"})

    def refresh(self, *indexes: str) -> None:
        """Let searches see what was written."""
        with self._told("refreshed"):
            self._raw.indices.refresh(index=",".join(indexes))

    def point(self, alias: str, index: str) -> None:
        """Let an alias stand for one index, and for no other."""
        actions = [
            {"remove": {"index": f"{index.rpartition('-')[0]}-*", "alias": alias}},
            {"add": {"index": index, "alias": alias}},
        ]
        with self._told("switched"):
            if not self._raw.indices.exists_alias(name=alias):
                actions = actions[1:]
            self._raw.indices.update_aliases(body={"actions": actions})

    def delete(self, index: str, query: Body) -> None:
        """Delete what a query takes."""
        with self._told("cleaned"):
            self._raw.delete_by_query(
                index=index, body={"query": query},
                params={"conflicts": "proceed", "refresh": "true"},
            )  # fmt: skip

    def holders(self, index: str, text: str) -> tuple[int, dict[str, int]]:
        """How many passages there are, and how many hold each term of a text."""
        body = {
            "doc": {"body": text}, "fields": ["body"], "term_statistics": True,
            "field_statistics": True, "positions": False, "offsets": False, "payloads": False,
        }  # fmt: skip
        with self._told("read"):
            found = self._raw.termvectors(index=index, body=body)
        told = found["term_vectors"].get("body", {"terms": {}, "field_statistics": {}})
        terms = {term: int(one.get("doc_freq", 0)) for term, one in told["terms"].items()}
        return int(told["field_statistics"].get("doc_count", 0)), terms

    def bytes(self, pattern: str) -> int:
        """What indexes take on the disks, replicas included."""
        with self._told("read"):
            found = self._raw.indices.stats(index=pattern, metric="store")
        return int(found["_all"]["total"].get("store", {}).get("size_in_bytes", 0))

    def close(self) -> None:
        """Close what is open."""
        self._raw.close()

    @contextmanager
    def _told(self, done: str) -> Iterator[None]:
        from opensearchpy.exceptions import (
            AuthenticationException,
            AuthorizationException,
            ConnectionError,  # noqa: A004 - the library's
            OpenSearchException,
        )

        where = f"The index at {self.address.shown} cannot be {done}"
        try:
            yield
        except (AuthenticationException, AuthorizationException) as error:
            msg = f"{where}: the cluster refuses the account ({error.status_code})."
            raise IndexTrouble(msg) from error
        except ConnectionError as error:
            msg = (
                f"{where}: there is no connection to the cluster ({type(error).__name__}). What "
                "serves is whole; run it again."
            )
            raise IndexTrouble(msg) from error
        except OpenSearchException as error:
            msg = f"{where}: {str(error)[:300]}"
            raise IndexTrouble(msg) from error
