"""`/v1`: Docent for programs that speak OpenAI's API, such as Open WebUI, LangChain and editors.

The answer goes out only when it was checked: a text that was sent cannot be taken back there, and
a draft is no answer. Until then a stream is kept alive by comments.
"""

import base64
import json
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from sse_starlette import ServerSentEvent

from assistant.model import Question, Turn
from web import answers, events
from web.addresses import safe_url
from web.export import escaped, pieces
from web.openai_schema import (
    CompletionIn,
    CompletionOut,
    EmbeddingsIn,
    EmbeddingsOut,
    ModelsOut,
    UsageOut,
)
from web.openai_tasks import reply_to
from web.problems import Refused, declared, openai_error
from web.schema import MAX_QUESTION, MAX_TURNS
from web.services import Given, Services
from web.streams import ENDED_BY_ASKER, Running
from web.who import Caller, Scope, needs

MODEL = "docent"
EMBEDDINGS = "docent-embeddings"
MADE = 1_767_225_600
"""Models have a date of birth there: 1 January 2026."""

router = APIRouter(prefix="/v1", tags=["openai"])

_RESPONSES = declared(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_STREAMED: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {
        "description": "The answer; with `stream`, chunks as server-sent events, then `[DONE]`.",
        "content": {events.MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.get("/models", response_model=ModelsOut, responses=declared())
async def models(services: Given, caller: Annotated[Caller, needs(Scope.ASK)]) -> Any:
    """What `model` may be."""
    return {"data": [{"id": name, "created": MADE} for name in (MODEL, EMBEDDINGS)]}


@router.post(
    "/chat/completions", response_model=CompletionOut, responses={**_STREAMED, **_RESPONSES}
)
async def complete(
    body: CompletionIn,
    request: Request,
    services: Given,
    caller: Annotated[Caller, needs(Scope.ASK)],
) -> Any:
    """Answer the last message of the user from the documents, with citations as annotations."""
    _known(body.model, MODEL, services.assistant.model)
    await services.count("ask", caller)
    question = _question(body, caller)
    ready = reply_to(question.text)
    if ready is not None:
        return _ready(body, services, ready)
    if len(question.text) > MAX_QUESTION:
        detail = f"The question has {len(question.text)} characters; {MAX_QUESTION} are read."
        raise Refused(HTTPStatus.BAD_REQUEST, detail)
    services.admit()
    stream = answers.begin(services, answers.Asked(caller, question, door="openai"))
    base = services.settings.server.public_url or str(request.base_url).rstrip("/")
    if body.stream:
        return events.sent(_chunks(services, stream, body, base), services.heartbeat_s)
    whole = await events.whole(stream, request)
    content, annotations = rendered(whole, base)
    return _completion(stream.id, body.model, content, annotations, _usage(stream), whole)


@router.post("/embeddings", response_model=EmbeddingsOut, responses=_RESPONSES)
async def embed(
    body: EmbeddingsIn, services: Given, caller: Annotated[Caller, needs(Scope.SEARCH)]
) -> Any:
    """Turn texts into the vectors that the search compares."""
    _known(body.model, EMBEDDINGS, services.assistant.embedder)
    await services.count("search", caller)
    texts = [body.input] if isinstance(body.input, str) else body.input
    vectors = await services.assistant.embed(texts)
    if body.dimensions is not None and body.dimensions != vectors.shape[1]:
        detail = f"The vectors have {vectors.shape[1]} dimensions, and cannot have others."
        raise Refused(HTTPStatus.BAD_REQUEST, detail)
    return {
        "data": [
            {"index": index, "embedding": _vector(vector, body.encoding_format)}
            for index, vector in enumerate(vectors)
        ],
        "model": body.model,
        "usage": UsageOut(),
    }


def _known(model: str, *names: str) -> None:
    if model not in names:
        detail = f"There is no model {model[:80]!r} here. Ask for {names[0]!r}."
        raise Refused(HTTPStatus.NOT_FOUND, detail)


def _question(body: CompletionIn, caller: Caller) -> Question:
    """The last message of the user, after what both said before. Instructions are not taken."""
    said = [(one.role, one.text.strip()) for one in body.messages]
    last = max((n for n, (role, text) in enumerate(said) if role == "user" and text), default=None)
    if last is None:
        raise Refused(HTTPStatus.BAD_REQUEST, "No message has the role user and a text.")
    before = [Turn(role, text) for role, text in said[:last] if role in ("user", "assistant")]
    return Question(said[last][1], caller.reader, tuple(before[-MAX_TURNS:]))


def rendered(answer: Mapping[str, Any], base: str) -> tuple[str, list[dict[str, Any]]]:
    """An answer as one text with its sources below, and the annotations of its numbers."""
    sources = {one["marker"]: one for one in answer["citations"]}
    text, annotations = "", []
    for (piece, signs), sentence in _with_sentences(answer):
        text += piece
        at = len(text) + 1
        for marker in sentence["citations"] if signs else ():
            end = at + len(f"[{marker}]")
            annotations.append(_annotation(sources[marker], base, at, end))
            at = end
        text += signs
    # They name pages, and what pages are called is text.
    lines = [f"Note: {escaped(one['text'])}" for one in answer["notices"]]
    lines += [f"Ask: {escaped(one['name'])}, {escaped(one['why'])}" for one in answer["contacts"]]
    if sources:
        lines.append("Sources:")
    for marker, one in sources.items():
        lines.append(f"[{marker}] {escaped(one['title'])} <{_address(one, base)}>")
    return "\n\n".join([text.rstrip(), *lines]), annotations


def _with_sentences(
    answer: Mapping[str, Any],
) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    sentences = [*answer["sentences"], {"citations": []}]
    yield from zip(pieces(answer), sentences, strict=False)


def _annotation(one: Mapping[str, Any], base: str, start: int, end: int) -> dict[str, Any]:
    cited = {
        "start_index": start,
        "end_index": end,
        "title": one["title"],
        "url": _address(one, base),
    }
    return {"type": "url_citation", "url_citation": cited}


def _address(one: Mapping[str, Any], base: str) -> str:
    """Where a person opens the source: its own page, or ours with the quote marked."""
    own = f"{base}/documents/{quote(one['document_id'], safe='')}"
    return safe_url(one["url"]) or f"{own}?start={one['start']}&end={one['end']}"


async def _chunks(
    services: Services, stream: Running, body: CompletionIn, base: str
) -> AsyncGenerator[ServerSentEvent, None]:
    try:
        yield _sse(_chunk(stream.id, body.model, {"role": "assistant", "content": ""}))
        try:
            whole = await events.last(stream)
        except Refused as refused:
            yield _sse(openai_error(refused.status_code, refused.detail))
        else:
            for chunk in _told(stream.id, body, *rendered(whole, base), _usage(stream), whole):
                yield _sse(chunk)
        yield ServerSentEvent("[DONE]")
    finally:
        # Nobody can come back to this stream: the model need not write for it.
        services.later(stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER))


def _told(
    stream_id: str,
    body: CompletionIn,
    content: str,
    annotations: list[dict[str, Any]],
    usage: UsageOut,
    whole: dict[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    for line in content.splitlines(keepends=True):
        yield _chunk(stream_id, body.model, {"content": line})
    if annotations:
        yield _chunk(stream_id, body.model, {"annotations": annotations})
    yield _chunk(stream_id, body.model, {}, "stop", docent=whole)
    if body.stream_options and body.stream_options.include_usage:
        yield {**_chunk(stream_id, body.model, {}), "choices": [], "usage": usage.model_dump()}


def _chunk(
    stream_id: str, model: str, delta: dict[str, Any], finish: str | None = None, **others: Any
) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{stream_id}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **others,
    }


def _completion(
    stream_id: str,
    model: str,
    content: str,
    annotations: list[dict[str, Any]],
    usage: UsageOut,
    whole: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{stream_id}",
        "created": int(time.time()),
        "model": model,
        "choices": [{"message": {"content": content, "annotations": annotations}}],
        "usage": usage,
        "docent": whole,
    }


def _ready(body: CompletionIn, services: Services, text: str) -> Any:
    """What needs no document, as an answer."""
    if not body.stream:
        return _completion("task", body.model, text, [], UsageOut())

    async def chunks() -> AsyncGenerator[ServerSentEvent, None]:
        yield _sse(_chunk("task", body.model, {"role": "assistant", "content": ""}))
        for chunk in _told("task", body, text, [], UsageOut()):
            yield _sse(chunk)
        yield ServerSentEvent("[DONE]")

    return events.sent(chunks(), services.heartbeat_s)


def _usage(stream: Running) -> UsageOut:
    read = (stream.result and stream.result.prompt_tokens) or 0
    written = (stream.result and stream.result.completion_tokens) or 0
    return UsageOut(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)


def _vector(vector: NDArray[np.float32], form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return [float(number) for number in vector]


def _sse(data: Mapping[str, Any]) -> ServerSentEvent:
    # ASCII JSON has no line break of any script in it, so no text can end an event early.
    return ServerSentEvent(json.dumps(data))
