"""Answers being written, apart from the connections that read them.

An answer runs in a task of its own and keeps its events. So a reader whose network was cut goes on
where he was, two tabs may read one answer, and an answer that nobody has read for a while is
stopped, and with it the model.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from assistant.model import Answer
from web.problems import describe, problem_to_dict

GRACE_S = 15.0
"""So long an answer goes on that nobody reads: a network may come back."""
KEEP_S = 60.0
"""So long the events of an ended answer can be read again."""
ENDED_BY_SHUTDOWN = "The server was stopped before the answer was complete. Ask again in a minute."
ENDED_BY_ASKER = "The answer was stopped."
ENDED_UNREAD = "The answer was stopped because nobody was reading it. Ask again."

Work = Callable[[], Awaitable[None]]
"""Writes an answer into a stream; called in the stream's own task."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One event of a stream: its name and its JSON."""

    name: str
    data: Mapping[str, Any]


class Running:
    """One answer being written: its events so far, and those who wait for the next."""

    def __init__(self, owner: str, grace_s: float) -> None:
        self.id = secrets.token_urlsafe(16)
        self.owner = owner
        self.events: list[Sent] = []
        self.ended = False
        self.result: Answer | None = None
        """The answer that the events tell, once it is complete."""
        self._grace_s = grace_s
        self._readers = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._why = (HTTPStatus.GONE, ENDED_UNREAD)

    def put(self, name: str, data: Mapping[str, Any]) -> None:
        """Send an event to all who read, now and later; nothing follows the end."""
        if self.ended:
            return
        self.events.append(Sent(name, data))
        self._wake()

    def run(self, work: Work, ended: Callable[[], None]) -> None:
        """Begin. `ended` is called once, however it ends."""
        self._task = asyncio.ensure_future(self._run(work))
        # A task that is cancelled before its first step never enters its own `finally`.
        self._task.add_done_callback(lambda _: self._end(ended))
        self._wait_for_readers()

    async def follow(self, after: int = 0) -> AsyncGenerator[tuple[int, Sent]]:
        """The events behind the first `after`, each with its number from 1, until the end."""
        self._readers += 1
        if self._unread:
            self._unread.cancel()
        at = max(0, after)
        try:
            while True:
                news = self._news
                while at < len(self.events):
                    at += 1
                    yield at, self.events[at - 1]
                if self.ended:
                    return
                await news.wait()
        finally:
            self._readers -= 1
            self._wait_for_readers()

    async def last(self) -> Sent:
        """The event that ends it, `answer` or `error`, when it has come."""
        async with aclosing(self.follow()) as events:
            async for _ in events:
                pass
        return self.events[-1]

    async def stop(self, status: HTTPStatus, detail: str) -> None:
        """End it now. Returns when the model has been told and everything is closed."""
        if self._task is None or self.ended:
            return
        self._why = (status, detail)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, work: Work) -> None:
        try:
            await work()
        except asyncio.CancelledError:
            self.put("error", problem_to_dict(*self._why))
            raise
        except Exception as error:  # noqa: BLE001 - the status line has gone out; say it in the stream
            self.put("error", problem_to_dict(*describe(error)))

    def _end(self, ended: Callable[[], None]) -> None:
        if not self.events or self.events[-1].name not in ("answer", "error"):
            self.put("error", problem_to_dict(*self._why))
        self.ended = True
        if self._unread:
            self._unread.cancel()
        self._wake()
        ended()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _wait_for_readers(self) -> None:
        if self._readers or self.ended or self._task is None:
            return
        loop = asyncio.get_running_loop()
        self._unread = loop.call_later(self._grace_s, self._task.cancel)


class Streams:
    """All answers being written, and those that ended a moment ago, by id and owner."""

    def __init__(self, grace_s: float = GRACE_S, keep_s: float = KEEP_S) -> None:
        self._grace_s = grace_s
        self._keep_s = keep_s
        self._all: dict[str, Running] = {}
        self._running: set[Running] = set()
        self.closing = False
        """True once the server is stopping: nothing new begins."""

    @property
    def running(self) -> int:
        """How many are being written."""
        return len(self._running)

    def open(self, owner: str) -> Running:
        """A stream without events; it can be found when it has begun."""
        return Running(owner, self._grace_s)

    def begin(self, stream: Running, work: Work, ended: Callable[[], None] = lambda: None) -> None:
        """Let `work` put its events into a stream. `ended` is called once, however it ends."""

        def finished() -> None:
            self._running.discard(stream)
            ended()
            asyncio.get_running_loop().call_later(self._keep_s, self._all.pop, stream.id, None)

        self._all[stream.id] = stream
        self._running.add(stream)
        stream.run(work, finished)

    def find(self, stream_id: str, owner: str) -> Running | None:
        """The stream of this owner; another's looks missing."""
        stream = self._all.get(stream_id)
        return stream if stream and stream.owner == owner else None

    async def stop_all(self, owner: str) -> None:
        """End every answer of one owner."""
        own = [stream for stream in self._running if stream.owner == owner]
        await asyncio.gather(*(one.stop(HTTPStatus.GONE, ENDED_BY_ASKER) for one in own))

    async def close(self) -> None:
        """End every answer with a plain event, and begin no other."""
        self.closing = True
        reason = (HTTPStatus.SERVICE_UNAVAILABLE, ENDED_BY_SHUTDOWN)
        await asyncio.gather(*(stream.stop(*reason) for stream in list(self._running)))
