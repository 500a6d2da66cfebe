"""From a question over HTTP to the events of its answer: in line, counted, written down.

    enter the line → `stream` → `queued` … → the assistant: `passages`, `token` …, `answer`

The answer is kept before it is sent, so that what a reader saw complete is there when he comes
back. What was shown goes into the audit log, whether or not the answer was completed.
"""

import logging
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from assistant.model import Answer, Found, Question, Status, Token, Turn
from assistant.render import answer_to_dict, passages_to_list
from ingest.errors import DocentError
from web.logs import request_id
from web.services import Services
from web.shown import Sight
from web.state.conversations import Begun
from web.streams import Running
from web.warned import warnings_of
from web.who import Caller

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was let in: who asks what, and where it is kept, if it is."""

    caller: Caller
    question: Question
    begun: Begun | None = None
    door: str = "ask"

    @property
    def ids(self) -> dict[str, str | None]:
        """Where the question and its answer are kept; None where they are not."""
        begun = self.begun
        return {
            "conversation_id": begun.conversation_id if begun else None,
            "question_id": begun.question_id if begun else None,
            "answer_id": begun.answer_id if begun else None,
        }


def begin(services: Services, asked: Asked, stream: Running | None = None) -> Running:
    """Let the assistant answer into a stream, when its turn comes; without one, into a new one.

    Raises:
        Refused: nobody else may wait in line.
    """
    stream = stream or services.streams.open(asked.caller.user_id)
    if asked.begun:
        # Known by it at other servers too.
        stream.id = asked.begun.answer_id
    stream.put("stream", {"stream_id": stream.id, **asked.ids})
    answering = _Answering(services, asked, stream)
    services.streams.begin(stream, answering.work, answering.ended)
    return stream


async def continued(services: Services, asked: Asked) -> Asked:
    """The same with the conversation before it, without what its reader may no longer see."""
    if asked.begun is None or not asked.begun.history:
        return asked
    sight = Sight(services.assistant, asked.question.reader)
    turns = [await sight.message(message) for message in asked.begun.history]
    # A draft that was cut off was never checked: nothing shall be built on it.
    history = tuple(
        Turn(turn.role, turn.text)
        for turn in turns
        if turn.text and (turn.answer or turn.role == "user")
    )
    return replace(asked, question=replace(asked.question, history=history))


class _Answering:
    """One answer on its way."""

    def __init__(self, services: Services, asked: Asked, stream: Running) -> None:
        self._services = services
        self._asked = asked
        self._stream = stream
        self._draft: list[str] = []
        self._documents: dict[str, None] = {}
        self._complete = False
        self._began = time.perf_counter()
        if services.settings.telemetry.log_questions:
            told = {"question": asked.question.text, "user_id": asked.caller.user_id}
            log.info("asked", extra={"fields": told})
        self._place = services.enter(self._queued)

    def _queued(self, number: int) -> None:
        self._stream.put("queued", {"place": number})

    async def work(self) -> None:
        tracing, metrics = self._services.tracing, self._services.metrics
        with tracing.span("line"):
            await self._place.wait()
        metrics.queued(time.perf_counter() - self._began)
        asked = await continued(self._services, self._asked)
        with tracing.span("answer", request_id=request_id.get()) as span:
            # Closing what we iterate over is what stops the model when the task is cancelled.
            async with aclosing(self._services.assistant.stream(asked.question)) as events:
                async for event in events:
                    match event:
                        case Found(passages):
                            self._saw(passage.document_id for passage in passages)
                            self._stream.put("passages", {"passages": passages_to_list(passages)})
                        case Token(text):
                            self._draft.append(text)
                            self._stream.put("token", {"text": text})
                        case Answer():
                            span.note(status=event.status.value, **event.timings)
                            await self._answered(event)

    def _saw(self, documents: Any) -> None:
        self._documents.update(dict.fromkeys(documents))

    async def _answered(self, answer: Answer) -> None:
        self._complete = True
        self._services.answered(answer)
        self._stream.result = answer
        self._saw(citation.document_id for citation in answer.citations)
        whole = answer_to_dict(answer)
        kept = await self._keep(answer.text, whole)
        message_id = self._asked.begun.answer_id if self._asked.begun and kept else None
        self._stream.put("answer", {**whole, **self._asked.ids, "message_id": message_id})
        for door, documents in warnings_of(answer):
            self._services.shown(self._asked.caller, door, documents)
        if answer.status is Status.NOT_FOUND and self._asked.begun:
            self._services.later(self._missing(answer))

    async def _missing(self, answer: Answer) -> None:
        """What the documents lack, for their keepers; nothing of what is to be kept nowhere."""
        trouble = await self._services.state.gaps.record(
            self._asked.caller.user_id, answer.question, self._documents, answer.score
        )
        if trouble is not None:
            log.error("An unanswered question is not written down: %s", trouble)

    async def _keep(self, text: str, answer: dict[str, Any] | None) -> bool:
        """Into the conversation. An answer that cannot be kept is shown all the same."""
        begun = self._asked.begun
        if begun is None:
            return False
        try:
            return await self._services.state.conversations.finish(
                self._asked.caller.user_id, begun, text, answer=answer, documents=self._documents
            )
        except DocentError as trouble:
            log.error("An answer is not kept: %s", trouble)  # noqa: TRY400 - its sentence tells all
            return False

    def ended(self) -> None:
        self._place.leave()
        services, asked = self._services, self._asked
        services.shown(asked.caller, asked.door, self._documents)
        if not self._complete:
            failed = self._stream.events[-1].data.get("status") in (500, 503)
            services.unanswered("failed" if failed else "stopped")
            services.later(self._cut_off())

    async def _cut_off(self) -> None:
        await self._keep("".join(self._draft), None)
