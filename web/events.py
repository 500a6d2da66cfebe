"""Running answers as server-sent events, and as one JSON answer."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from web.problems import Refused
from web.streams import ENDED_BY_ASKER, Running, Sent

MEDIA_TYPE = "text/event-stream"
SEND_TIMEOUT_S = 30
"""A client that takes nothing for so long is gone."""
FAREWELL_S = 5
"""So long a stream may take to say goodbye when the server stops; it says it by itself."""

DESCRIBED: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {
        "content": {
            MEDIA_TYPE: {
                "schema": {"type": "string"},
                "example": 'id: Xw:3\nevent: token\ndata: {"text": "The"}\n\n',
            }
        },
        "description": (
            "The answer. With `Accept: text/event-stream`, server-sent events: `stream` "
            "(`{stream_id, conversation_id, question_id, answer_id}`), `queued` (`{place}`) while "
            "others are before, `passages` (`{passages}`), any number of `token` (`{text}`, "
            "unchecked draft), then one `answer` or one `error` (problem details). "
            "`GET /api/v1/streams/{stream_id}` with `Last-Event-ID` goes on where a cut was."
        ),
    }
}


def response(stream: Running, heartbeat_s: float, after: int = 0) -> EventSourceResponse:
    """A stream as server-sent events, behind the first `after`."""
    return sent(_events(stream, after), heartbeat_s)


def sent(events: AsyncGenerator[ServerSentEvent, None], heartbeat_s: float) -> EventSourceResponse:
    """Events as a response that a silent model does not let die."""
    return EventSourceResponse(
        events,
        ping=heartbeat_s,
        send_timeout=SEND_TIMEOUT_S,
        shutdown_grace_period=FAREWELL_S,
    )


async def _events(stream: Running, after: int) -> AsyncGenerator[ServerSentEvent, None]:
    # Closing what we iterate over is what tells the stream that its reader has left.
    async with aclosing(stream.follow(after)) as events:
        async for number, one in events:
            yield event(one, f"{stream.id}:{number}")


def event(one: Sent, number: str | None = None) -> ServerSentEvent:
    """An event as it is sent."""
    # ASCII JSON has no line break of any script in it, so no text can end an event early.
    return ServerSentEvent(json.dumps(one.data), event=one.name, id=number)


async def whole(stream: Running, request: Request) -> dict[str, Any]:
    """The answer alone, when it is complete. A client that leaves before stops the model.

    Raises:
        Refused: it ended with a problem.
    """
    reading = asyncio.ensure_future(last(stream))
    leaving = asyncio.ensure_future(gone(request))
    try:
        await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)
        return await reading
    finally:
        reading.cancel()
        leaving.cancel()


async def last(stream: Running) -> dict[str, Any]:
    """The data of the `answer` that ends a stream.

    Raises:
        Refused: it ended with a problem.
    """
    end = await stream.last()
    if end.name != "answer":
        raise Refused(end.data["status"], end.data["detail"])
    return dict(end.data)


async def gone(request: Request) -> None:
    """Returns when the client has left. Only after its body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
