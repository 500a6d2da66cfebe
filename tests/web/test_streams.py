"""Answers that run apart from those who read them. No clock: graces are 0 or an hour."""

import asyncio
from http import HTTPStatus

import pytest

from ingest.errors import ModelError
from web.streams import (
    ENDED_BY_ASKER,
    ENDED_BY_SHUTDOWN,
    ENDED_UNREAD,
    Running,
    Streams,
)

LONG = 3600.0


class Model:
    """Writes what it is told to, and knows whether it was stopped."""

    def __init__(self, stream: Running) -> None:
        self.stream = stream
        self.words: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.stopped = False

    async def work(self) -> None:
        try:
            while word := await self.words.get():
                if isinstance(word, Exception):
                    raise word
                self.stream.put("token", {"text": word})
            self.stream.put("answer", {"answer": "whole"})
        except asyncio.CancelledError:
            self.stopped = True
            raise

    def say(self, *words: str | Exception | None) -> None:
        for word in words:
            self.words.put_nowait(word)


def begun(streams: Streams, owner: str = "ada") -> tuple[Running, Model]:
    stream = streams.open(owner)
    model = Model(stream)
    streams.begin(stream, model.work)
    return stream, model


async def ended(streams: Streams) -> None:
    while streams.running:
        await asyncio.sleep(0)


async def rest(stream: Running, after: int = 0) -> list[tuple[int, str]]:
    told = []
    async for number, sent in stream.follow(after):
        told.append((number, str(sent.data.get("text", sent.data.get("detail", sent.name)))))
    return told


async def test_two_readers_get_all_events_and_a_late_one_too():
    streams = Streams(LONG, LONG)
    stream, model = begun(streams)
    readers = [asyncio.create_task(rest(stream)) for _ in range(2)]
    model.say("a", "b", None)

    whole = [(1, "a"), (2, "b"), (3, "answer")]
    assert [await reader for reader in readers] == [whole, whole]
    assert await rest(stream) == whole
    assert await rest(stream, 2) == [(3, "answer")]
    assert await rest(stream, 99) == []
    assert await rest(stream, -5) == whole


async def test_a_cut_line_goes_on_where_it_was():
    streams = Streams(LONG, LONG)
    stream, model = begun(streams)
    model.say("a", "b")
    first = stream.follow()
    assert [(await anext(first))[0], (await anext(first))[0]] == [1, 2]
    await first.aclose()  # the network is cut

    model.say("c", None)

    assert await rest(stream, 2) == [(3, "c"), (4, "answer")]
    assert not model.stopped


async def test_nobody_reads_and_the_model_is_stopped():
    streams = Streams(0, LONG)
    stream, model = begun(streams)
    reader = stream.follow()
    model.say("a")
    await anext(reader)
    assert streams.running == 1
    await reader.aclose()
    await ended(streams)

    assert model.stopped
    assert streams.running == 0
    assert (await rest(stream))[-1] == (2, ENDED_UNREAD)


async def test_one_that_nobody_ever_reads_is_stopped():
    streams = Streams(0, LONG)
    stream, _ = begun(streams)
    await ended(streams)

    assert await rest(stream) == [(1, ENDED_UNREAD)]


async def test_it_can_be_stopped_by_its_owner():
    streams = Streams(LONG, LONG)
    stream, model = begun(streams)
    reader = asyncio.create_task(rest(stream))
    model.say("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)

    assert model.stopped
    assert await reader == [(1, "a"), (2, ENDED_BY_ASKER)]
    assert stream.events[-1].data["status"] == 410
    await stream.stop(HTTPStatus.GONE, "again")
    stream.put("token", {"text": "too late"})
    assert len(stream.events) == 2


async def test_stopped_before_its_first_step_it_still_ends():
    streams = Streams(LONG, LONG)
    ended = []
    stream = streams.open("ada")
    model = Model(stream)
    streams.begin(stream, model.work, lambda: ended.append(True))
    await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)

    assert not model.stopped  # it never ran
    assert ended == [True]
    assert await rest(stream) == [(1, ENDED_BY_ASKER)]


async def test_shutdown_ends_all_with_a_plain_event():
    streams = Streams(LONG, LONG)
    (one, model), (two, other) = begun(streams), begun(streams)
    model.say("a")
    readers = [asyncio.create_task(rest(stream)) for stream in (one, two)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await streams.close()

    assert streams.closing
    assert await readers[0] == [(1, "a"), (2, ENDED_BY_SHUTDOWN)]
    assert await readers[1] == [(1, ENDED_BY_SHUTDOWN)]
    assert (model.stopped, other.stopped) == (True, True)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ModelError("The model is away."), 503, "The model is away."),
        (KeyError("secret of a page"), 500, "Something went wrong inside Docent"),
    ],
)
async def test_an_error_is_an_event(error, status, told):
    streams = Streams(LONG, LONG)
    stream, model = begun(streams)
    model.say(error)
    await rest(stream)

    assert stream.events[-1].name == "error"
    assert stream.events[-1].data["status"] == status
    assert told in stream.events[-1].data["detail"]
    assert "secret" not in str(stream.events[-1].data)


async def test_anothers_stream_looks_missing_and_an_old_one_is():
    streams = Streams(LONG, 0)
    stream, model = begun(streams)

    assert streams.find(stream.id, "ada") is stream
    assert streams.find(stream.id, "bob") is None
    assert streams.find("nowhere", "ada") is None
    model.say(None)
    await rest(stream)
    while streams.find(stream.id, "ada"):
        await asyncio.sleep(0)
