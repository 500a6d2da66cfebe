"""INSPIRE's REST interface."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from ingest.errors import FetchError
from ingest.http import Client
from ingest.model import CURRENT, Standing
from ingest.source_settings import PapersSettings
from ingest.sources.papers.records import FullText, Record
from ingest.sources.papers.search import Hits, SearchListing, Slice, day_of

_SIZE = 100
"""Hits a page: a record of a large collaboration has three thousand authors."""
_SIZE_IDS = 1000
_FIELDS = (
    "control_number,titles,abstracts,authors.full_name,collaborations,corporate_author,"
    "report_numbers,dois,arxiv_eprints,publication_info,document_type,earliest_date,"
    "preprint_date,imprints,thesis_info,inspire_categories,keywords,accelerator_experiments,"
    "number_of_pages,public_notes,documents,related_records,deleted,new_record,withdrawn,"
    "_collections"
)


def inspire_listing(name: str, settings: PapersSettings, client: Client) -> SearchListing:
    """What a query finds in INSPIRE's literature."""
    return SearchListing(name, InspireSearch(name, settings, client))


class InspireSearch:
    """The search behind it."""

    format = "inspire"

    def __init__(
        self, name: str, settings: PapersSettings, client: Client, window: int = 10_000
    ) -> None:
        self.window = window
        self._name = name
        self._client = client
        self._base = str(settings.url).rstrip("/")
        self._query = settings.query
        self._eprints = settings.arxiv_pdf

    def ask(self, since: str, dates: Slice, at: int, *, size: int = 0, ids: bool = False) -> Hits:
        conditions = [f"({self._query})"]
        if since:
            conditions.append(f"du >= {since}")
        if dates[0]:
            conditions.append(f"date >= {dates[0]}")
        if dates[1]:
            conditions.append(f"date < {dates[1]}")
        size = size or (_SIZE_IDS if ids else _SIZE)
        fields = "control_number" if ids else _FIELDS
        return self._hits(" and ".join(conditions), at, size, fields)

    def again(self, one: str) -> Record:
        found = self._hits(f"({self._query}) and control_number:{one}", 1, 1, _FIELDS).records
        return found[0] if found else Record(one, gone=True)

    def _hits(self, query: str, page: int, size: int, fields: str) -> Hits:
        asked: dict[str, str | int] = {"q": query, "size": size, "page": page, "fields": fields}
        asked["sort"] = "mostrecent"
        reply = self._client.get(f"{self._base}/api/literature", params=asked)
        try:
            found = reply.json()["hits"]
            total = int(found["total"])
            records = [self._record(hit) for hit in found["hits"]]
        except (KeyError, TypeError, ValueError):
            msg = f"{reply.url} answered in another shape than INSPIRE's. Look at url."
            raise FetchError(msg) from None
        shown = min(total, self.window)
        following = page + 1 if records and page * size < shown else 0
        return Hits(total, records, following, day_of(reply))

    def _record(self, hit: Mapping[str, Any]) -> Record:
        metadata = hit["metadata"]
        number = str(metadata.get("control_number") or hit["id"])
        if metadata.get("deleted") is True and not metadata.get("new_record"):
            return Record(number, gone=True)
        return Record(
            id=number,
            url=f"{self._base}/literature/{number}",
            content=json.dumps({"id": number, "metadata": metadata}, sort_keys=True).encode(),
            collections=frozenset(_strings(metadata.get("_collections"))),
            standing=self._standing(metadata),
            full_text=self._full_text(metadata),
        )

    def _standing(self, metadata: Mapping[str, Any]) -> Standing:
        related = {
            str(one.get("relation")): self._page(one.get("record"))
            for one in _objects(metadata.get("related_records"))
        }
        merged = self._page(metadata.get("new_record"))
        standing = Standing(
            archived=metadata.get("withdrawn") is True or bool(merged),
            superseded_by=merged or related.get("successor", ""),
            supersedes=related.get("predecessor", ""),
        )
        return standing if standing != Standing() else CURRENT

    def _page(self, reference: Any) -> str:
        """The page of a record that is referred to."""
        address = reference.get("$ref") if isinstance(reference, Mapping) else None
        return f"{self._name}:{address.rpartition('/')[2]}" if isinstance(address, str) else ""

    def _full_text(self, metadata: Mapping[str, Any]) -> FullText | None:
        for file in _objects(metadata.get("documents")):
            name, address = str(file.get("filename", "")), file.get("url")
            whole = file.get("fulltext") is True or name.lower().endswith(".pdf")
            if isinstance(address, str) and whole and file.get("hidden") is not True:
                version = str(file.get("key") or address)
                return FullText(urljoin(f"{self._base}/", address), version)
        for eprint in _objects(metadata.get("arxiv_eprints")):
            if isinstance(number := eprint.get("value"), str):
                return FullText(self._eprints.replace("{id}", number), f"arXiv:{number}")
        return None


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
