"""One question: from the post that asks to the end of the one reply to it.

A question may change while it is being answered. `want` says what is wanted now; what was begun
for something else is stopped, and the model with it.
"""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from assistant.model import Question, Turn
from web import answers
from web.bots.words import MORE, spoken
from web.mattermost import SERVICE, words
from web.mattermost.asked import Asked, What, asked_in
from web.mattermost.desk import Answered, Desk
from web.mattermost.nouns import Channel, Mark, Post
from web.mattermost.replies import help_text, link_text, stranger_note, unlink_text
from web.mattermost.reply import Reply, find
from web.mattermost.server import ChatTrouble
from web.problems import Refused
from web.schema import MAX_QUESTION, MAX_TURNS
from web.state import Begun, StateTrouble
from web.streams import ENDED_BY_ASKER, Running
from web.who import Caller

ADMITTED = 8
"""So often a question waits for a place in line before it is sent away."""
RESTARTING = "Docent is being restarted. Your answer follows."

log = logging.getLogger(__name__)


class Job:
    """The work on one question."""

    def __init__(self, desk: Desk, channel: Channel, question: Post, asker: str) -> None:
        self.question = question
        self.channel = channel
        self.asker = asker
        self._desk = desk
        self._wanted: Asked | None = None
        self._changed = asyncio.Event()
        self._reply: Reply | None = None
        self._gone = False
        self._draft = ""
        self._news = asyncio.Event()

    @property
    def wanted(self) -> Asked | None:
        """What is to be answered; None: nothing any more."""
        return self._wanted

    @property
    def reply_id(self) -> str:
        """The id of the reply, as far as there is one."""
        return self._reply.id if self._reply else ""

    def want(self, asked: Asked | None, *, again: bool = False) -> None:
        """Answer this, from now on; None: take the reply away. `again`: also if it is the same."""
        if asked != self._wanted or again:
            self._wanted = asked
            self._changed.set()

    def restart(self) -> None:
        """Answer again, for those who see it now."""
        self.want(self._wanted, again=True)

    def drop(self) -> None:
        """Stop: the reply was taken away, or what it stands under."""
        if self._reply:
            self._reply.id = ""
        self._gone = True
        self.want(None, again=True)

    async def run(self, *, look: bool) -> None:
        """Returns when what is wanted is done. `look`: there may be a reply already."""
        known = await self._found() if look else None
        self._reply = Reply(self._desk, self.question, known)
        if known is not None and self._settled(known):
            return
        while self._changed.is_set():
            self._changed.clear()
            try:
                await self._until_changed(self._do(self._wanted))
            except ChatTrouble as trouble:
                # The place is gone, or the server was away for very long: nobody can be told.
                log.warning("A question in Mattermost stays without an answer: %s", trouble)

    async def _found(self) -> Post | None:
        while True:
            try:
                return await find(self._desk, self.question)
            except ChatTrouble as trouble:
                log.info("It is not known yet whether a question was answered: %s", trouble)
                await self._desk.pause(2.0)

    def _settled(self, known: Post) -> bool:
        """Whether what is wanted was done already, by the reply that there is."""
        mark, wanted = known.mark, self._wanted
        return bool(wanted and mark and mark.done and mark.digest == wanted.digest)

    async def _until_changed(self, work: Any) -> None:
        """Do the work, unless something else is wanted in the meantime."""
        doing = asyncio.ensure_future(work)
        changing = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({doing, changing}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
        finally:
            for task in (doing, changing):
                task.cancel()
            await asyncio.wait({doing, changing})

    async def _do(self, asked: Asked | None) -> None:
        reply = self._reply
        assert reply is not None  # noqa: S101 - `run` has made it
        if asked is None:
            if not self._gone:
                await reply.remove()
            return
        mark = Mark(self.question.id, asked.digest, self.asker, done=False)
        refusal = await self._desk.rates.refusal(self.asker, self.channel.id)
        if refusal is not None:
            if refusal:
                await reply.end(refusal, replace(mark, digest=""))
            return
        if asked.what in (What.LINK, What.UNLINK, What.HELP):
            await reply.end(await self._service(asked.what), mark)
            return
        self._desk.working += 1
        try:
            await self._answer(asked, reply, mark)
        finally:
            self._desk.working -= 1

    async def _service(self, what: What) -> str:
        if what is What.HELP:
            return help_text(self._desk)
        if not self._desk.audience.private(self.channel, self.asker):
            return f"Write `{what}` to me in a direct message: what I answer is for you alone."
        if what is What.LINK:
            return await link_text(self._desk, self.asker)
        return await unlink_text(self._desk, self.asker)

    async def _answer(self, asked: Asked, reply: Reply, mark: Mark) -> None:
        desk = self._desk
        try:
            await desk.server.typing(desk.me.id, self.channel.id, self.question.thread)
        except ChatTrouble as trouble:
            log.debug("Nobody sees that an answer is being written: %s", trouble)
        caller = await desk.audience.caller(self.channel, self.asker)
        before = await self._before() if self.question.root else []
        history = tuple(turns(desk, before))[-MAX_TURNS:]
        question = Question(asked.text, caller.reader, history)
        try:
            begun, stream = await self._begun(caller, question, reply, mark, before)
        except Refused as refused:
            if desk.services.streams.closing:
                await reply.show(RESTARTING, mark)
            else:
                await reply.end(words.escaped(refused.detail), mark)
            return
        if begun:
            mark = replace(mark, answer=begun.answer_id, conversation=begun.conversation_id)
        try:
            await self._follow(stream, reply, mark)
        finally:
            await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)
        await self._end(stream, caller, begun, reply, mark)

    async def _before(self) -> list[Post]:
        """The posts of the thread before the question."""
        thread = await self._desk.server.thread(self.question.thread)
        at = (self.question.created, self.question.id)
        return [one for one in thread if (one.created, one.id) < at and not one.deleted]

    async def _begun(
        self, caller: Caller, question: Question, reply: Reply, mark: Mark, before: list[Post]
    ) -> tuple[Begun | None, Running]:
        """Let in: the question is written down, where somebody may be told it again, and begun.

        Raises:
            Refused: it was asked too often, or nobody else may wait.
        """
        services = self._desk.services
        await services.count("ask", caller)
        for left in range(ADMITTED, -1, -1):
            try:
                services.admit()
                begun = await kept(self._desk, caller, question.text, conversation_in(before))
                asked = answers.Asked(caller, question, begun, door="ask")
                return begun, answers.begin(services, asked)
            except Refused as refused:
                busy = refused.status_code == HTTPStatus.SERVICE_UNAVAILABLE
                if not busy or not left or services.streams.closing:
                    raise
                told = words.escaped(refused.detail).partition(". ")[0]
                await reply.show(f"{told}. I try again by myself.", mark)
                wait = (refused.headers or {}).get("Retry-After", "10")
                await self._desk.pause(float(wait))
        raise AssertionError

    async def _follow(self, stream: Running, reply: Reply, mark: Mark) -> None:
        """Let the reply grow with the stream, until its last event.

        Raises:
            ChatTrouble: the reply is gone, which an edit may tell before any event does.
        """
        self._draft = ""
        self._news.clear()
        over = asyncio.Event()
        growing = asyncio.ensure_future(self._grow(reply, mark, over))
        hearing = asyncio.ensure_future(self._hear(stream))
        try:
            await asyncio.wait({growing, hearing}, return_when=asyncio.FIRST_COMPLETED)
            if growing.done():
                growing.result()
            hearing.result()
            over.set()
            self._news.set()
            await growing
        finally:
            for task in (growing, hearing):
                task.cancel()
            await asyncio.wait({growing, hearing})

    async def _hear(self, stream: Running) -> None:
        async with aclosing(stream.follow()) as events:
            async for _, event in events:
                self._heard(event.name, event.data)

    def _heard(self, name: str, data: Any) -> None:
        match name:
            case "queued":
                self._draft = f"{data['place']}. in line{MORE}"
            case "passages":
                self._draft = ""
            case "token":
                self._draft += data["text"]
            case _:
                return
        self._news.set()

    async def _grow(self, reply: Reply, mark: Mark, over: asyncio.Event) -> None:
        while True:
            await self._news.wait()
            if over.is_set():
                return
            self._news.clear()
            await reply.show(words.draft(self._draft) if self._draft else words.WAITING, mark)
            pausing = asyncio.ensure_future(self._desk.pause(self._desk.edit_every_s))
            ending = asyncio.ensure_future(over.wait())
            try:
                await asyncio.wait({pausing, ending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                pausing.cancel()
                ending.cancel()

    async def _end(
        self, stream: Running, caller: Caller, begun: Begun | None, reply: Reply, mark: Mark
    ) -> None:
        last = stream.events[-1]
        if last.name == "answer":
            whole = f"{self._desk.page}/c/{begun.conversation_id}" if begun else ""
            text = words.answer(last.data, whole, await self._note(caller))
            await reply.end(text, mark)
            self._remember(reply.id, last.data, caller, mark)
        elif self._desk.services.streams.closing:
            # Not done: whoever runs next goes on with it.
            await reply.show(RESTARTING, mark)
        else:
            await reply.end(words.escaped(str(last.data["detail"])), mark)

    async def _note(self, caller: Caller) -> str:
        private = self._desk.audience.private(self.channel, self.asker)
        return await stranger_note(self._desk, caller) if private else ""

    def _remember(self, reply: str, told: Any, caller: Caller, mark: Mark) -> None:
        documents = dict.fromkeys(
            one["document_id"] for one in (*told["citations"], *told["passages"])
        )
        owner = caller.user_id if mark.answer else ""
        made = Answered(told["question"], told, tuple(documents), owner, mark.answer)
        self._desk.answers.put(reply, made)


def turns(desk: Desk, posts: list[Post]) -> list[Turn]:
    """What was said in a thread: by people, and by us where it is an answer."""
    said = []
    for one in posts:
        if one.user == desk.me.id:
            if one.quoted:
                said.append(Turn("user", one.quoted.text))
            elif one.mark and one.mark.done and one.mark.digest:
                said.append(Turn("assistant", spoken(one.text)))
        elif not one.kind and not one.from_bot:
            asked = asked_in(one.text, desk.me.username, direct=True)
            if asked and asked.what is What.ANSWER:
                said.append(Turn("user", asked.text[:MAX_QUESTION]))
    return [turn for turn in said if turn.content]


def conversation_in(posts: list[Post]) -> str | None:
    """The conversation in which the answers of a thread are kept."""
    kept_in = [one.mark.conversation for one in posts if one.mark and one.mark.conversation]
    return kept_in[-1] if kept_in else None


async def kept(desk: Desk, caller: Caller, question: str, conversation: str | None) -> Begun | None:
    """The question written down in the conversations of whoever asks, if he has an account here.

    What was said before it is not taken from there: he may have gone on alone on the page, with
    more rights than all who read the thread.
    """
    if caller.user_id.startswith(f"{SERVICE}:"):
        return None
    conversations = desk.services.state.conversations
    try:
        begun = None
        if conversation:
            begun = await conversations.begin(
                caller.user_id, question, conversation_id=conversation
            )
        begun = begun or await conversations.begin(caller.user_id, question)
    except StateTrouble as trouble:
        log.warning("A question is answered and not kept: %s", trouble)
        return None
    return replace(begun, history=()) if begun else None
