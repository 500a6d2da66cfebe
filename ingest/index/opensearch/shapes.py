"""What lies in OpenSearch: passages and documents as they are mirrored, and the head.

Each carries the epochs in which it is there: from the one it came in to the one it went in. The
head names the epoch that readers get; writing this one document is the moment that they change.
A build is a pair of indexes for vectors of one embedder; the alias stands for that which serves.
"""

import json
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from ingest.index.store import StoredChunk, iso, standing_text
from ingest.index.tokens import terms
from ingest.model import AccessList, Document

NEVER = 2**31 - 1
HEAD = "head"
KEYWORD = {"type": "keyword"}
NUMBER = {"type": "long"}
KEPT = {"type": "object", "enabled": False}
"""Kept and given back, neither searched nor counted."""
_STANDS = {
    "row": NUMBER, "list": NUMBER, "access": KEYWORD, "source": KEYWORD, "format": KEYWORD,
    "day": NUMBER, "from": NUMBER, "until": NUMBER, "kept": KEPT,
}  # fmt: skip


def head_index() -> dict[str, Any]:
    """Of the one document that says what serves."""
    return {
        "settings": {"index": {"number_of_shards": 1}},
        "mappings": {"dynamic": "strict", "properties": {"kept": KEPT}},
    }


def passages_index(dim: int) -> dict[str, Any]:
    """Of passages: their terms as we make them, and their vectors."""
    vector = {
        "type": "knn_vector", "dimension": dim,
        "method": {
            "name": "hnsw", "engine": "lucene", "space_type": "cosinesimil",
            "parameters": {"m": 16, "ef_construction": 100},
        },
    }  # fmt: skip
    return {
        "settings": {
            "index": {
                "knn": True,
                "similarity": {"default": {"type": "BM25", "k1": 1.2, "b": 0.75}},
            },
            "analysis": {"analyzer": {"terms": {"type": "custom", "tokenizer": "whitespace"}}},
        },
        "mappings": {
            "dynamic": "strict",
            "properties": _STANDS
            | {"embedding": vector, "body": {"type": "text", "analyzer": "terms"}},
        },
    }


def documents_index() -> dict[str, Any]:
    """Of documents."""
    return {
        "settings": {"index": {}},
        "mappings": {
            "dynamic": "strict",
            "properties": _STANDS
            | {"id": KEYWORD, "year": NUMBER, "bands": NUMBER, "says": {"type": "boolean"}},
        },
    }


def group(name: str) -> str:
    """A group as a keyword: a JSON string, so that any name at all compares as what it is."""
    return json.dumps(name)


def day_of(moment: datetime | None) -> int:
    """As in `Shelves`: day 1 is 1 January of the year 1; 0 without a date."""
    return moment.astimezone(UTC).date().toordinal() if moment else 0


def _stands(row: int, number: int, access: AccessList, one: Any, epoch: int) -> dict[str, Any]:
    return {
        "row": row, "list": number, "access": sorted(map(group, access)), "source": one.source,
        "day": day_of(one.updated_at), "from": epoch, "until": NEVER,
    }  # fmt: skip


def passage(
    stored: StoredChunk, number: int, document: Document, vector: Any, epoch: int
) -> dict[str, Any]:
    """A passage."""
    chunk = stored.chunk
    kept = {
        "document": stored.document, "id": chunk.document_id, "page_id": document.page_id,
        "ordinal": chunk.ordinal, "headings": list(chunk.headings), "start": chunk.start,
        "end": chunk.end, "text": chunk.text, "header": chunk.header,
        "table_header": chunk.table_header, "page": chunk.page, "anchor": chunk.anchor,
        "title": stored.title, "url": stored.url, "updated_at": iso(stored.updated_at),
        "standing": standing_text(stored.standing), "groups": sorted(map(group, stored.access)),
    }  # fmt: skip
    return _stands(stored.row, number, stored.access, document, epoch) | {
        "format": document.format,
        "kept": kept,
        "embedding": [float(x) for x in vector],
        "body": " ".join(terms(chunk.indexed)),
    }


def whole(
    row: int, number: int, one: Document, signature: bytes, bands: list[int],
    acronyms: list[tuple[str, str]], epoch: int,
) -> dict[str, Any]:  # fmt: skip
    """A document."""
    kept = {
        "page_id": one.page_id, "title": one.title, "url": one.url, "author": one.author,
        "updated_at": iso(one.updated_at), "standing": standing_text(one.standing),
        "text": one.text, "signature": b64encode(signature).decode(), "acronyms": acronyms,
        "sections": [[list(s.headings), s.anchor] for s in one.sections],
        "blocks": [[b.kind, b.start, b.end, b.section, b.page, b.header_end] for b in one.blocks],
        "groups": sorted(map(group, one.access)),
    }  # fmt: skip
    day = one.updated_at.astimezone(UTC) if one.updated_at else None
    return _stands(row, number, one.access, one, epoch) | {
        "format": one.format,
        "id": one.id,
        "year": day.year if day else 0,
        "bands": bands,
        "says": bool(acronyms),
        "kept": kept,
    }
