"""Answers and the servers of one database: an answer outlives the server that was asked for it.

    a server     says every second which answers it writes (`Beats`)
    a reader     whose line was cut may come back to any server: where his answer is written, he
                 goes on where he was (`web.streams`); elsewhere he waits for its end (`elsewhere`)
    a dead server's answer is written anew by the server that its reader comes to

Servers know nothing of each other but what stands in the database, so there is no address to set,
no port to open between them and no certificate to keep. Elsewhere the rest of a draft, which is
unchecked anyway, is not shown: the answer comes whole.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from sse_starlette import ServerSentEvent

from assistant.model import Question, Turn
from ingest.access import Reader
from ingest.errors import DocentError
from web import answers, events
from web.problems import Refused, problem_to_dict
from web.schema import AskIn
from web.services import Services
from web.shown import Sight
from web.state import State, StateTrouble
from web.state.underway import BEAT_S, WANTED_S, Ended
from web.streams import ENDED_BY_ASKER, GRACE_S, Running, Sent, Streams
from web.who import Caller

LOOK_S = 1.0
"""How often a waiting reader's server looks whether the answer is there."""
CUT_OFF = "The answer was not completed. Ask again."

log = logging.getLogger(__name__)


class OwnStreams(Streams):
    """The answers that this server writes, by the id under which they are known to all."""

    def mine(self) -> dict[str, Running]:
        """Those being written now."""
        return {stream.id: stream for stream in self._running}


class TakenOver(Running):
    """An answer begun anew for a server that died. Its draft is not shown: one half was already."""

    def __init__(self, answer_id: str, owner: str, grace_s: float = GRACE_S) -> None:
        super().__init__(owner, grace_s)
        self.id = answer_id
        self.label = f"{answer_id}-{secrets.token_hex(4)}"
        """Names its events, which are others than those that the dead server had numbered."""


class Beats:
    """Says of a server's answers that they are being written, and does as others were told."""

    def __init__(self, state: State, streams: OwnStreams) -> None:
        self._state = state
        self._streams = streams
        self._read: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(BEAT_S)
                try:
                    await self.once()
                except StateTrouble as trouble:
                    log.warning("Other servers may take this one for dead: %s", trouble)
        finally:
            for task in self._read.values():
                task.cancel()

    async def once(self) -> None:
        """One beat."""
        mine = self._streams.mine()
        for wish in await self._state.underway.beat(mine):
            stream = mine[wish.answer_id]
            if wish.stopped:
                await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)
            else:
                self._keep_on(stream)

    def _keep_on(self, stream: Running) -> None:
        """Read along for somebody who waits elsewhere: what nobody reads is stopped."""
        if stream.id not in self._read:
            self._read[stream.id] = asyncio.create_task(_read_along(stream))
            self._read[stream.id].add_done_callback(lambda _: self._read.pop(stream.id, None))


async def _read_along(stream: Running) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WANTED_S):
            await stream.last()


async def without_draft(stream: TakenOver, after: int = 0) -> AsyncGenerator[ServerSentEvent, None]:
    """The events of an answer that was taken over, behind the first `after`."""
    async with aclosing(stream.follow(after)) as told:
        async for number, one in told:
            if one.name != "token":
                yield events.event(one, f"{stream.label}:{number}")


def question_of(body: AskIn, reader: Reader) -> Question:
    """What is asked of the assistant; the conversation before it is added when its turn comes."""
    turns = tuple(Turn(turn.role, turn.content) for turn in body.history)
    return Question(body.question, reader, turns, body.filter.made() if body.filter else None)


def beside(body: AskIn) -> dict[str, Any]:
    """What belongs to a question beside its text, for the server that may take it over."""
    return body.model_dump(mode="json", include={"filter", "history"}, exclude_defaults=True)


async def known(services: Services, caller: Caller, answer_id: str) -> bool:
    """Whether an answer of this caller is written at another server, or was."""
    underway = services.state.underway
    return (
        await underway.waiting(caller.user_id, answer_id)
        or await underway.ended(caller.user_id, answer_id) is not None
    )


async def elsewhere(
    services: Services, caller: Caller, answer_id: str
) -> AsyncGenerator[ServerSentEvent, None]:
    """The end of an answer that another server writes, or all of it where that server is dead."""
    looks = 0
    while True:
        try:
            ended = await services.state.underway.ended(caller.user_id, answer_id)
            if ended is not None:
                yield events.event(await _told(services, caller, ended))
                return
            stream = await take_over(services, caller, answer_id)
            if stream is not None:
                async with aclosing(without_draft(stream)) as told:
                    async for one in told:
                        yield one
                return
            # Not at each look: a reader who waits costs a write every few seconds only.
            if looks % 5 == 0 and not await services.state.underway.want(caller.user_id, answer_id):
                gone = await services.state.underway.ended(caller.user_id, answer_id)
                if gone is None:
                    yield events.event(_cut_off())
                    return
        except DocentError as trouble:
            log.warning("A reader waits for an answer of another server: %s", trouble)
        looks += 1
        await asyncio.sleep(LOOK_S)


async def take_over(services: Services, caller: Caller, answer_id: str) -> TakenOver | None:
    """Write an answer whose server is dead; None where it lives, or there is no room here now."""
    try:
        services.admit()
        taken = await services.state.underway.take(caller.user_id, answer_id)
        if taken is None:
            return None
        body = AskIn.model_validate({"question": taken.question, **(taken.asked or {})})
        question = question_of(body, caller.reader)
        stream = TakenOver(answer_id, caller.user_id)
        answers.begin(services, answers.Asked(caller, question, taken.begun), stream)
    except Refused:
        # The claim grows old like that of a dead server: whoever has room then takes it.
        return None
    log.warning("The answer %s is written here: its server is silent.", answer_id)
    return stream


async def stop(services: Services, caller: Caller, answer_id: str) -> bool:
    """Stop an answer wherever it is written; False where there is none."""
    underway = services.state.underway
    return await underway.stop(caller.user_id, answer_id) or (
        await underway.ended(caller.user_id, answer_id) is not None
    )


async def _told(services: Services, caller: Caller, ended: Ended) -> Sent:
    message = ended.message
    if message.answer is None:
        return _cut_off()
    sight = Sight(services.assistant, caller.reader)
    answer, _ = await sight.answer(message.answer)
    services.shown(caller, "conversation", sight.seen)
    ids = {
        "conversation_id": ended.conversation_id,
        "question_id": ended.question_id,
        "answer_id": message.id,
        "message_id": message.id,
    }
    return Sent("answer", {**answer, **ids})


def _cut_off() -> Sent:
    return Sent("error", problem_to_dict(HTTPStatus.GONE, CUT_OFF))
