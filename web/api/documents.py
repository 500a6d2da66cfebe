"""A document as it was read; what its reader may not see looks missing."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter

from ingest.model import Document
from web.paths import ANYTHING
from web.problems import NO_DOCUMENT, declared, problem
from web.schema import DocumentOut
from web.services import Given
from web.who import Caller, Scope, needs

router = APIRouter(tags=["search"])


@router.get(
    f"/documents/{{document_id:{ANYTHING}}}",
    response_model=DocumentOut,
    responses=declared(
        HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
async def document(
    document_id: str, services: Given, caller: Annotated[Caller, needs(Scope.READ)]
) -> Any:
    """Read a document, block by block."""
    await services.count("search", caller)
    found = await services.assistant.document(document_id, caller.reader)
    if found is None:
        return problem(HTTPStatus.NOT_FOUND, NO_DOCUMENT)
    services.shown(caller, "document", [document_id])
    return _shown(found)


def _shown(document: Document) -> dict[str, Any]:
    standing = document.standing
    return {
        "document_id": document.id,
        "title": document.title,
        "url": document.url,
        "source": document.source,
        "format": document.format,
        "author": document.author,
        "updated_at": document.updated_at and document.updated_at.isoformat(),
        "standing": {"archived": standing.archived, "superseded_by": standing.superseded_by},
        "blocks": [
            {
                "kind": block.kind,
                "start": block.start,
                "end": block.end,
                "text": document.text[block.start : block.end],
                "headings": list(document.sections[block.section].headings),
                "anchor": document.sections[block.section].anchor,
                "page": block.page,
                "header_end": block.header_end,
            }
            for block in document.blocks
        ],
    }
