"""The bot's own comments: found again by their signs, written once, tried again.

And how GitLab is asked at all: in threads, since its client blocks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
from anyio.to_thread import run_sync

from ingest.errors import FetchError
from web.gitlab_bot.gitlab import Account, GitLab, Place, Thread, gone
from web.gitlab_bot.words import Mark, marks_in

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 8
WRITE_AGAIN_S = (5.0, 30.0, 120.0)

log = logging.getLogger(__name__)


@dataclass
class Reply:
    """The comment of the bot that answers something."""

    place: Place
    mark: Mark
    thread: str = ""
    """The discussion that it goes on; empty: it begins one."""
    internal: bool = False
    note: int | None = None
    """Its number, once it is written."""


class Comments:
    """Reads and writes as the account `me`."""

    def __init__(
        self,
        gitlab: GitLab,
        me: Account,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._gitlab = gitlab
        self._me = me
        self._sleep = sleep
        self._threads = anyio.CapacityLimiter(AT_ONCE)
        self.trouble = ""
        """Why GitLab cannot be used now; empty when it can."""

    def written(self, threads: Sequence[Thread]) -> dict[str, tuple[int, str]]:
        """What the bot has answered here: its comment's number and the digest of the question."""
        return {
            name: (note.id, digest)
            for thread in threads
            for note in thread.notes
            if note.author == self._me.id
            for name, digest in marks_in(note.text)
        }

    async def write_for_now(self, reply: Reply, text: str) -> None:
        """Write what will be replaced by the answer: the question counts as not answered."""
        await self.write(reply, text, Mark(reply.mark.name, ""))

    async def write(self, reply: Reply, text: str, mark: Mark | None = None) -> None:
        """Write the comment, or change what it says; tried again where GitLab is away.

        Raises:
            FetchError: it cannot be written.
        """
        body = (mark or reply.mark).on(text)
        for wait in (*WRITE_AGAIN_S, None):
            try:
                await self._put(reply, body)
            except FetchError as error:
                if gone(error) or error.status == 401 or wait is None:
                    raise
                await self._sleep(wait)
                await self._look_for(reply)
            else:
                return

    async def _put(self, reply: Reply, body: str) -> None:
        place, gitlab = reply.place, self._gitlab
        if reply.note is not None:
            await self.call(gitlab.edit, place, reply.note, body)
        elif reply.thread:
            try:
                reply.note = await self.call(gitlab.reply, place, reply.thread, body)
            except FetchError as error:
                # Not every comment can be replied to; one that few may see stays with those.
                if error.status != 400 or reply.internal:
                    raise
                reply.thread = ""
                reply.note = await self.call(gitlab.comment, place, body)
        else:
            reply.note = await self.call(gitlab.comment, place, body)

    async def _look_for(self, reply: Reply) -> None:
        """A comment may have arrived although nobody said so."""
        if reply.note is None:
            try:
                threads = await self.call(self._gitlab.threads, reply.place)
            except FetchError as error:
                log.info("GitLab is still away: %s", error)
            else:
                reply.note = self.written(threads).get(reply.mark.name, (None, ""))[0]

    async def quietly(self, what: Callable[P, object], *args: P.args, **more: P.kwargs) -> None:
        """Do what nobody misses when it fails."""
        try:
            await self.call(what, *args, **more)
        except FetchError as error:
            log.info("Left out: %s", error)

    async def call(self, what: Callable[P, T], *args: P.args, **more: P.kwargs) -> T:
        """Ask GitLab, in a thread."""
        try:
            found = await run_sync(partial(what, *args, **more), limiter=self._threads)
        except FetchError as error:
            if error.status in (0, 401) or error.status >= 500:
                self.trouble = str(error)
            raise
        self.trouble = ""
        return found
