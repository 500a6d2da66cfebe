"""The HTTP API: ask, search, read a document, health. No rule of answering lives here.

Who asks is fixed when the server starts; no request can name a group.
"""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Header, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Message, Receive, Scope, Send

from assistant.model import Answer, Event, Found, Passage, Question, Token, Turn
from assistant.render import answer_to_dict, hits_to_dict, passages_to_list
from ingest.access import Reader
from ingest.model import Document
from web.problems import MEDIA_TYPE, NO_DOCUMENT, describe, problem, problem_to_dict
from web.schema import (
    AnswerOut,
    AskIn,
    DocumentOut,
    HealthOut,
    HitsOut,
    SearchIn,
    SuggestionsOut,
)

EVENT_STREAM = "text/event-stream"
STOPPED = "The server was stopped before the answer was complete."
SEND_TIMEOUT_S = 30
"""A client that takes nothing for so long is gone; the model need not write for it."""


class Counts(Protocol):
    """How much the reader may see, and of which generation of the index."""

    @property
    def documents(self) -> int: ...
    @property
    def chunks(self) -> int: ...
    @property
    def generation(self) -> int: ...
    @property
    def built_at(self) -> datetime: ...


class Assistant(Protocol):
    """What the web needs of `assistant.answer.Assistant`."""

    @property
    def model(self) -> str: ...
    def stream(self, question: Question) -> AsyncGenerator[Event, None]: ...
    async def ask(self, question: Question) -> Answer: ...
    async def search(self, text: str, reader: Reader, k: int = 10) -> list[Passage]: ...
    async def document(self, document_id: str, reader: Reader) -> Document | None: ...
    async def counts(self, reader: Reader) -> Counts: ...


def _problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    named: dict[int | str, dict[str, Any]] = {
        status.value: {"description": status.phrase, "content": content} for status in statuses
    }
    return {**named, "default": {"description": "Any other error.", "content": content}}


_POSTED = _problems(
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_STREAMED: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {
        "content": {
            EVENT_STREAM: {
                "schema": {"type": "string"},
                "example": 'event: token\ndata: {"text": "The"}\n\n',
            }
        },
        "description": (
            "The answer. With `Accept: text/event-stream`, server-sent events: one `passages` "
            "(`{passages}`), any number of `token` (`{text}`, unchecked draft), then one `answer` "
            "or one `error` (problem details)."
        ),
    }
}


def api_for(
    assistant: Assistant, reader: Reader, suggestions: Sequence[str], heartbeat_s: float
) -> APIRouter:
    """The routes under `/api`, answering `reader` and nobody else."""
    api = APIRouter(prefix="/api")

    @api.post("/ask", response_model=AnswerOut, responses={**_STREAMED, **_POSTED})
    async def ask(body: AskIn, accept: Annotated[str, Header()] = "") -> Any:
        """Answer a question from the documents, with citations that were checked."""
        history = tuple(Turn(turn.role, turn.content) for turn in body.history)
        question = Question(body.question, reader, history)
        if EVENT_STREAM in accept.lower():
            return _Stream(
                _events(assistant.stream(question)), ping=heartbeat_s, send_timeout=SEND_TIMEOUT_S
            )
        return answer_to_dict(await assistant.ask(question))

    @api.post("/search", response_model=HitsOut, responses=_POSTED)
    async def search(body: SearchIn) -> Any:
        """Find the passages closest to a query."""
        return hits_to_dict(await assistant.search(body.query, reader, body.k))

    @api.get(
        "/documents/{document_id:path}",
        response_model=DocumentOut,
        responses=_problems(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def document(document_id: str) -> Any:
        """Read a document, block by block. What the reader may not read looks missing."""
        found = await assistant.document(document_id, reader)
        return problem(HTTPStatus.NOT_FOUND, NO_DOCUMENT) if found is None else _shown(found)

    @api.get(
        "/health",
        response_model=HealthOut,
        responses=_problems(HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def health() -> Any:
        """Say whether questions can be answered, by which model, from how many documents."""
        counts = await assistant.counts(reader)
        return HealthOut(
            model=assistant.model,
            generation=counts.generation,
            built_at=counts.built_at.isoformat(),
            documents=counts.documents,
            chunks=counts.chunks,
        )

    @api.get("/suggestions", response_model=SuggestionsOut, responses=_problems())
    async def suggested() -> Any:
        """Questions to begin with, as the settings name them."""
        return SuggestionsOut(suggestions=list(suggestions))

    @api.api_route("/{rest:path}", methods=["GET", "POST"], include_in_schema=False)
    async def nothing(rest: str) -> Response:
        return problem(HTTPStatus.NOT_FOUND, "There is nothing at this address.")

    return api


class _Stream(EventSourceResponse):
    """Tells the client when the server stops midway, where the library would cut the line."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unfinished = True

        async def watched(message: Message) -> None:
            nonlocal unfinished
            unfinished = message.get("more_body", True)
            await send(message)

        await super().__call__(scope, receive, watched)
        if unfinished:
            detail = problem_to_dict(HTTPStatus.SERVICE_UNAVAILABLE, STOPPED)
            await send({"type": "http.response.body", "body": _sse("error", detail).encode()})


async def _events(events: AsyncGenerator[Event, None]) -> AsyncGenerator[ServerSentEvent, None]:
    # Closing what we iterate over is what stops the model when the client leaves.
    async with aclosing(events):
        try:
            async for event in events:
                yield _sent(event)
        except Exception as error:  # noqa: BLE001 - the status line has gone out; say it in the stream
            yield _sse("error", problem_to_dict(*describe(error)))


def _sent(event: Event) -> ServerSentEvent:
    match event:
        case Found(passages):
            return _sse("passages", {"passages": passages_to_list(passages)})
        case Token(text):
            return _sse("token", {"text": text})
        case Answer():
            return _sse("answer", answer_to_dict(event))


def _sse(name: str, data: dict[str, Any]) -> ServerSentEvent:
    # ASCII JSON has no line break of any script in it, so no text can end an event early.
    return ServerSentEvent(json.dumps(data), event=name)


def _shown(document: Document) -> dict[str, Any]:
    return {
        "document_id": document.id,
        "title": document.title,
        "url": document.url,
        "source": document.source,
        "format": document.format,
        "author": document.author,
        "updated_at": document.updated_at and document.updated_at.isoformat(),
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
