"""Answers and passages as plain data: the JSON of the command line and of the HTTP API.

One place for the field names, so that a script reads the same from `docent ask --json` and from
`POST /api/ask`. Dates are ISO 8601, numbers are plain Python numbers, nothing is left out.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from assistant.model import Answer, Citation, Passage
from ingest.filters import Facet, Facets
from ingest.model import Standing


def answer_to_dict(answer: Answer) -> dict[str, Any]:
    """The shape of `docent ask --json`."""
    return {
        "question": answer.question,
        "status": answer.status.value,
        "answer": answer.text,
        "sentences": [
            {
                "text": sentence.text,
                "citations": list(sentence.citations),
                "supported": sentence.supported,
            }
            for sentence in answer.sentences
        ],
        "citations": [_citation(citation) for citation in answer.citations],
        "passages": passages_to_list(answer.passages),
        "score": answer.score,
        "notices": [
            {
                "kind": notice.kind.value,
                "text": notice.text,
                "citations": list(notice.citations),
            }
            for notice in answer.notices
        ],
        "contacts": [
            {"name": contact.name, "why": contact.why, "url": contact.url}
            for contact in answer.contacts
        ],
        "model": answer.model,
        "timings": {name: round(float(value), 3) for name, value in answer.timings.items()},
    }


def hits_to_dict(passages: Iterable[Passage]) -> dict[str, Any]:
    """The shape of `docent search --json`."""
    return {"hits": [_hit(passage) for passage in passages]}


def facets_to_dict(facets: Facets) -> dict[str, Any]:
    """What a search can be narrowed to, as `docent search --facets --json` has it."""

    def counted(values: Iterable[Facet]) -> list[dict[str, Any]]:
        return [{"value": one.value, "count": one.count} for one in values]

    return {
        "sources": counted(facets.sources),
        "formats": counted(facets.formats),
        "years": counted(facets.years),
    }


def passages_to_list(passages: Iterable[Passage]) -> list[dict[str, Any]]:
    """The passages of an answer: a hit each, and where in its document it stands."""
    return [
        {
            **_hit(passage),
            "page": passage.page,
            "start": int(passage.start),
            "end": int(passage.end),
        }
        for passage in passages
    ]


def _hit(passage: Passage) -> dict[str, Any]:
    return {
        "document_id": passage.document_id,
        "chunk_id": passage.chunk_id,
        "title": passage.title,
        "url": passage.url,
        "source": passage.source,
        "section": list(passage.section),
        "text": passage.text,
        "score": float(passage.score),
        "updated_at": _date(passage.updated_at),
        "standing": _standing(passage.standing),
        "also": list(passage.also),
    }


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "marker": citation.marker,
        "document_id": citation.document_id,
        "title": citation.title,
        "url": citation.url,
        "source": citation.source,
        "section": list(citation.section),
        "page": citation.page,
        "quote": citation.quote,
        "start": int(citation.start),
        "end": int(citation.end),
        "updated_at": _date(citation.updated_at),
        "standing": _standing(citation.standing),
        "also": list(citation.also),
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {"archived": standing.archived, "superseded_by": standing.superseded_by}


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def day(moment: datetime) -> str:
    """A date as people read it.

    >>> day(datetime(2026, 5, 12))
    '12 May 2026'
    """
    return f"{moment.day} {moment:%B %Y}"
