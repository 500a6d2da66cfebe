"""The one reply to a question: made once, edited while it grows, and brought to its end."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from web.mattermost.desk import Desk
from web.mattermost.nouns import Mark, Post
from web.mattermost.server import ChatTrouble

INSISTING = 12
"""So often it is tried to bring an answer to its reader: for half an hour."""
LONGEST_WAIT_S = 600.0
FIRST_WAIT_S = 2.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class Reply:
    """A post of the bot under a question. Its edits happen one after the other."""

    def __init__(self, desk: Desk, question: Post, known: Post | None) -> None:
        """`known` is the reply that there is already."""
        self._desk = desk
        self._question = question
        self.id = known.id if known else ""
        self._pending = f"{desk.me.id}:{secrets.token_hex(8)}"
        self._line = asyncio.Lock()
        self._tried = False
        self._shown: tuple[str, Mark] | None = None

    async def show(self, text: str, mark: Mark) -> None:
        """Let the reply be this now. Tried once more or less: what follows replaces it.

        Raises:
            ChatTrouble: the reply or its place is gone.
        """
        try:
            await self._in_order(lambda: self._put(text, mark))
        except ChatTrouble as trouble:
            if not trouble.passing:
                raise
            log.info("An answer grows unseen for a moment: %s", trouble)

    async def end(self, text: str, mark: Mark) -> None:
        """Let the reply be this for good, however long the server is away.

        Raises:
            ChatTrouble: the reply or its place is gone, or the server was away too long.
        """
        wait = FIRST_WAIT_S
        for left in range(INSISTING, 0, -1):
            try:
                await self._in_order(lambda: self._put(text, replace(mark, done=True)))
            except ChatTrouble as trouble:
                if not trouble.passing or left == 1:
                    raise
                log.warning("An answer is held back until Mattermost takes it: %s", trouble)
            else:
                return
            await self._desk.pause(wait)
            wait = min(2 * wait, LONGEST_WAIT_S)

    async def remove(self) -> None:
        """Take the reply away, where there is one."""
        if not self.id:
            await self._look()
        gone, self.id, self._shown = self.id, "", None
        if gone:
            self._desk.answers.pop(gone)
            await self._in_order(lambda: self._desk.server.delete(gone))

    async def _look(self) -> None:
        if self.id:
            return
        try:
            known = await find(self._desk, self._question)
        except ChatTrouble as trouble:
            log.info("It is not known whether a reply was made: %s", trouble)
        else:
            self.id = known.id if known else ""

    async def _put(self, text: str, mark: Mark) -> None:
        if self._shown == (text, mark):
            return
        props = {**mark.to_props(), "attachments": self._attachments(mark)}
        if not self.id and self._tried:
            # What was given up may have been done: a post's name holds for half a minute only.
            known = await find(self._desk, self._question)
            self.id = known.id if known else ""
        if self.id:
            await self._desk.server.edit(self.id, text, props)
        else:
            self._tried = True
            post = await self._desk.server.create(
                self._question.channel, text, self._question.thread, props, self._pending
            )
            self.id = post.id
        self._shown = (text, mark)

    def _attachments(self, mark: Mark) -> list[dict[str, Any]]:
        """The button. Where there are attachments, even none, Mattermost previews no link."""
        if not mark.done or not mark.digest:
            return []
        context = {"question": mark.question, "seal": self._desk.seal(mark.question)}
        because = {
            "id": "because",
            "name": "Not helpful because…",
            "type": "button",
            "integration": {"url": f"{self._desk.callback_url}/action", "context": context},
        }
        return [{"fallback": "", "text": "", "actions": [because]}]

    async def _in_order(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it when what was begun before is done. Who waits may leave; what was begun goes on.

        An edit that is cut off could still arrive, and behind the one that replaces it.
        """

        async def turn() -> T:
            async with self._line:
                return await work()

        task = asyncio.create_task(turn())
        self._desk.writing.add(task)
        task.add_done_callback(self._desk.writing.discard)
        task.add_done_callback(_heard)
        return await asyncio.shield(task)


async def find(desk: Desk, question: Post) -> Post | None:
    """The reply that a question has already.

    Raises:
        ChatTrouble: it cannot be told.
    """
    try:
        thread = await desk.server.thread(question.thread)
    except ChatTrouble as trouble:
        if trouble.passing:
            raise
        return None
    return next((one for one in thread if is_reply(desk, one, question.id)), None)


def is_reply(desk: Desk, post: Post, question: str) -> bool:
    """Whether a post is our reply to a question."""
    return (
        post.user == desk.me.id
        and not post.deleted
        and post.mark is not None
        and post.mark.question == question
    )


def _heard(task: "asyncio.Task[Any]") -> None:
    # Else an error that nobody waits for any more is told as one of ours.
    if not task.cancelled():
        task.exception()
