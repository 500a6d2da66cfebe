"""What the routes work with, chosen once when the server starts and handed to every request."""

import logging
from asyncio import Lock, Task, create_task, wait
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from fastapi import APIRouter, Depends, Request
from numpy.typing import NDArray

from assistant.model import Answer, Event, Passage, Question, Status
from assistant.queries import Reading
from ingest.access import Reader
from ingest.filters import Facets, Filter
from ingest.index import Entry
from ingest.model import Document
from ingest.settings import Settings
from web.limits import Kind, Limits, TooOften
from web.line import Line, LineFull, Place
from web.logs import request_id
from web.metrics import Metrics
from web.problems import Refused
from web.state import State
from web.state.audit import Noted
from web.streams import ENDED_BY_SHUTDOWN, Streams
from web.tracing import Tracing
from web.who import Caller, Door

SLOTS_IN_PROCESS = 1
SLOTS_OF_A_SERVER = 32
"""A server of models reads many prompts at once; a model in this process one after the other."""

log = logging.getLogger(__name__)


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
    """What the web needs of `assistant.answer.Assistant`. Every read takes the reader."""

    @property
    def model(self) -> str: ...
    @property
    def embedder(self) -> str: ...
    def stream(self, question: Question) -> AsyncGenerator[Event, None]: ...
    async def ask(self, question: Question) -> Answer: ...
    async def search(
        self,
        text: str,
        reader: Reader,
        k: int | None = 10,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]: ...
    async def document(self, document_id: str, reader: Reader) -> Document | None: ...
    async def counts(self, reader: Reader, only: Filter | None = None) -> Counts: ...
    async def facets(self, reader: Reader, only: Filter | None = None) -> Facets: ...
    async def glossary(self, reader: Reader) -> Sequence[Entry]: ...
    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass
class Services:
    """All of it. `web.bootstrap` makes it of the settings."""

    assistant: Assistant
    state: State
    door: Door
    settings: Settings
    line: Line
    limits: Limits
    metrics: Metrics
    streams: Streams
    tracing: Tracing
    routers: tuple[APIRouter, ...] = ()
    """Routes besides those of the API: by which people come in."""
    heartbeat_s: float = 15
    """A stream that is silent for so long gets a comment, so that nobody in between cuts it."""
    model_state: Literal["ready", "loading", "away", "none"] = "ready"
    """Of the model that writes, as far as the last answers tell."""
    _writing: set[Task[None]] = field(default_factory=set)
    _pen: Lock = field(default_factory=Lock)
    _notes: list[Noted] = field(default_factory=list)

    async def count(self, kind: Kind, caller: Caller) -> None:
        """Count a request against the limits.

        Raises:
            Refused: 429 with the time to wait.
        """
        try:
            await self.limits.count(kind, caller.user_id)
        except TooOften as often:
            self.metrics.refused("often")
            headers = {"Retry-After": str(often.retry_after_s)}
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, str(often), headers=headers) from None

    def admit(self) -> None:
        """Let a question in only where it can be answered, before anything is written of it.

        Raises:
            Refused: 503 with the time to wait; nobody else may wait, or the server is stopping.
        """
        if self.streams.closing:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, ENDED_BY_SHUTDOWN)
        with self._refusing():
            self.line.admit()

    def enter(self, told: Callable[[int], None]) -> Place:
        """Take a place in the line before the model; `told` hears where it is.

        Raises:
            Refused: as of `admit`.
        """
        with self._refusing():
            return self.line.enter(told)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except LineFull as full:
            self.metrics.refused("line")
            headers = {"Retry-After": str(full.retry_after_s)}
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(full), headers=headers) from None

    def searched(self, seconds: float) -> None:
        """Count a search."""
        self.metrics.searched(seconds)
        self.state.usage.took("search.total_ms", 1000 * seconds)

    def judged(self, helpful: bool | None) -> None:
        """Count a judgement."""
        self.metrics.judged(helpful)
        self.state.usage.count(f"feedback.{ {True: 'yes', False: 'no', None: 'unsaid'}[helpful] }")

    def answered(self, answer: Answer) -> None:
        """Count an answer."""
        self.metrics.answered(answer)
        self.state.usage.count(f"ask.{answer.status.value}")
        for name, milliseconds in answer.timings.items():
            self.state.usage.took(f"ask.{name}", milliseconds)
        if answer.trouble:
            self.model_state = "away"
        elif answer.status is Status.ANSWERED:
            self.model_state = "ready"

    def unanswered(self, how: str) -> None:
        """Count an answer that was `stopped` or `failed`."""
        self.metrics.unanswered(how)
        self.state.usage.count(f"ask.{how}")

    def shown(self, caller: Caller, door: str, documents: Iterable[str]) -> None:
        """Write into the audit log what somebody was shown, without keeping him waiting."""
        named = tuple(dict.fromkeys(documents))
        if named or door in ("ask", "search"):
            request = request_id.get()
            noted = self.state.audit.noted(caller.user_id, door, named, request_id=request)
            self._notes.append(noted)
            self.later(self._record())

    async def _record(self) -> None:
        # In the order in which it was shown, and nobody waits for a lock. What comes while the last
        # is being written goes together: a write for each is what a busy server cannot do.
        async with self._pen:
            notes, self._notes = self._notes, []
            if len(notes) > 1 and await self.state.audit.write(notes) is None:
                return
            for note in notes:  # one that cannot be written takes no other along
                trouble = await self.state.audit.write([note])
                if trouble is not None:
                    self.metrics.audit_lost()
                    log.error("A row of the audit log (%s) is lost: %s", note.door, trouble)

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Write something down without keeping anybody waiting; `settled` waits for it."""
        task = create_task(work)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def settled(self) -> None:
        """Returns when all that was to be written down has been."""
        while self._writing:
            await wait(set(self._writing))

    async def close(self) -> None:
        """End every answer with a plain event, and write down what is left."""
        await self.streams.close()
        await self.settled()


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Given = Annotated[Services, Depends(_services)]
"""How a route gets them."""


def slots(settings: Settings) -> int:
    """How many answers are written at once: as set, or as many as the kind of model can."""
    servers = len(settings.llm.urls)
    return settings.limits.slots or SLOTS_OF_A_SERVER * servers or SLOTS_IN_PROCESS


def services_for(
    assistant: Assistant, state: State, door: Door, settings: Settings, **others: Any
) -> Services:
    """The services of one server. `others` are fields that shall not be the usual ones."""
    limits = settings.limits
    services = Services(
        assistant,
        state,
        door,
        settings,
        line=Line(slots(settings), limits.waiting),
        limits=Limits(
            limits.asks_per_minute, limits.searches_per_minute, limits.asks_in_all_per_minute
        ),
        metrics=Metrics(),
        **{"streams": Streams(), "tracing": Tracing(), **others},
    )
    watched = services.metrics.watch
    watched("docent_queue_waiting", "Questions in line.", lambda: services.line.waiting)
    watched("docent_queue_served", "Questions being answered.", lambda: services.line.served)
    watched("docent_streams_running", "Answers in progress.", lambda: services.streams.running)
    return services
