"""`docent bot`: what happens in Mattermost, and what is done about it.

Nothing is waited for while an event is looked at: each question is a `Job` in a task of its own,
found by the id of its post, so that the same event twice is one question. What may have been
missed is looked up in the channels, and each question there that has no reply gets one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from ingest.errors import DocentError
from web.mattermost.asked import Asked, What, asked_in
from web.mattermost.desk import Desk, Recent, ended
from web.mattermost.feedback import Judge
from web.mattermost.job import Job
from web.mattermost.listening import Heard, Listening, Missed
from web.mattermost.nouns import Channel, Post, is_id, post_of
from web.mattermost.server import ChatTrouble

MARGIN_MS = 60_000
"""Clocks of a cluster differ, and events overtake each other."""
AGAIN_S = 2.0
LONGEST_AGAIN_S = 60.0

MEMBERS_CHANGE = frozenset(
    {
        "added_to_team", "leave_team", "user_updated", "user_role_updated", "memberrole_updated",
        "channel_member_updated", "channel_converted", "channel_updated", "guests_deactivated",
    }
)  # fmt: skip
"""Events after which it has to be asked again who sees what."""

log = logging.getLogger(__name__)


@dataclass
class _Turn:
    """Who works on one thing, and how many do or want to."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class Bot:
    """Answers on one server until it is closed."""

    def __init__(self, desk: Desk, listening: Listening) -> None:
        self._desk = desk
        self._listening = listening
        self._judge = Judge(desk)
        self._jobs: dict[str, Job] = {}
        """What is being worked on, by the id of the question."""
        self._settled: Recent[str] = Recent()
        """The digest of what was answered last, by the id of the question."""
        self._channels: Recent[Channel] = Recent()
        self._teams: Recent[str] = Recent()
        self._programs: Recent[bool] = Recent()
        """Whether an account is a program's."""
        self._active: Recent[bool] = Recent()
        """Channels in which something was asked."""
        self._latest = 0
        """The time of the latest post that was heard of, on the server's clock."""
        self._since: int | None = None
        """What happened after this has to be looked up."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._catching: asyncio.Task[None] | None = None
        self._turns: dict[str, _Turn] = {}
        self._closing = False

    async def run(self) -> None:
        """Hear and answer until cancelled.

        Raises:
            ChatTrouble: the server does not know the token.
        """
        async for event in self._listening.events():
            if isinstance(event, Missed):
                self._missed()
            else:
                self._heard(event)

    async def close(self, within_s: float) -> None:
        """Let every answer say what becomes of it, and stop. Services are closed before.

        What is heard from now on is found again by whoever runs next.
        """
        self._closing = True
        if self._catching:
            self._catching.cancel()
        await ended(self._tasks, within_s)
        await ended(self._desk.writing, within_s)

    @property
    def idle(self) -> bool:
        """Whether nothing is being looked at or worked on."""
        return not self._tasks and self._since is None

    def _heard(self, event: Heard) -> None:
        match event.name:
            case "posted" | "post_edited":
                if post := post_of(event.data.get("post")):
                    self._look(post, fresh=event.name == "posted")
            case "post_deleted":
                if post := post_of(event.data.get("post")):
                    self._look(replace(post, deleted=True), fresh=False)
            case "reaction_added" | "reaction_removed":
                added = event.name == "reaction_added"
                self._begin(self._judge.reaction(event.data.get("reaction"), added=added))
            case "user_added" | "user_removed":
                self._members(event)
            case name if name in MEMBERS_CHANGE:
                self._desk.audience.forget()
                self._channels = Recent()

    def _members(self, event: Heard) -> None:
        channel = event.broadcast.get("channel_id") or event.data.get("channel_id")
        if not is_id(channel):
            self._desk.audience.forget()
            return
        self._desk.audience.forget(channel)
        for job in self._jobs.values():
            # Somebody sees the answer now who did not when it was begun.
            if job.channel.id == channel and event.name == "user_added":
                job.restart()

    def _missed(self) -> None:
        """Something may have happened unheard: look it up, and believe nothing that was cached."""
        lately = timedelta(minutes=self._desk.settings.catch_up_minutes)
        back = self._desk.services.state.database.clock() - lately
        since = self._latest - MARGIN_MS if self._latest else round(back.timestamp() * 1000)
        self._since = since if self._since is None else min(since, self._since)
        self._desk.audience.forget()
        self._channels = Recent()
        if self._catching:
            self._catching.cancel()
        self._catching = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        while self._since is not None:
            since = self._since
            await self._insisting(partial(self._look_back, since))
            if self._since == since:
                self._since = None

    async def _look_back(self, since: int) -> None:
        """Look at all that was written, edited or deleted since a moment."""
        for channel, last in await self._desk.server.channels():
            self._channels.put(channel.id, channel)
            if last < since and channel.id not in self._active:
                continue
            if await self._ours(channel):
                for post in await self._desk.server.since(channel.id, since):
                    self._look(post, fresh=False)

    def _look(self, post: Post, *, fresh: bool) -> None:
        self._latest = max(self._latest, post.updated)
        self._begin(self._insisting(lambda: self._look_at(post, fresh=fresh)))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closing:
            work.close()
            return
        task = asyncio.create_task(_told(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _insisting(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Do something, and again as long as the server is away."""
        wait = AGAIN_S
        while True:
            try:
                await ask()
            except ChatTrouble as trouble:
                if not trouble.passing:
                    raise
                log.warning("Mattermost is asked again soon: %s", trouble)
            else:
                return
            await self._desk.pause(wait)
            wait = min(2 * wait, LONGEST_AGAIN_S)

    async def _look_at(self, post: Post, *, fresh: bool) -> None:
        """Answer a post if it asks us. `fresh`: it cannot have a reply yet."""
        # What happens to one post is looked at in the order in which it was heard.
        async with self._turn(post.id):
            if post.deleted:
                self._replies_gone(post)
            question = await self._question(post)
            job = self._jobs.get(post.id)
            if question is None or post.deleted:
                if job:
                    job.want(None)
                elif post.id in self._settled or question:
                    self._work(post, question, None, look=True)
                return
            asked = question[2]
            if job:
                job.want(asked)
            elif self._settled.get(post.id) != asked.digest:
                self._work(post, question, asked, look=not fresh or post.id in self._settled)

    def _work(
        self,
        post: Post,
        question: "tuple[Channel, str, Asked] | None",
        asked: Asked | None,
        *,
        look: bool,
    ) -> None:
        known = self._channels.get(post.channel)
        channel, asker = question[:2] if question else (known, post.user)
        if channel is None:
            return
        job = Job(self._desk, channel, post, asker)
        job.want(asked, again=True)
        self._jobs[post.id] = job
        self._active.put(channel.id, thing=True)
        self._begin(self._worked(job, look=look))

    async def _worked(self, job: Job, *, look: bool) -> None:
        try:
            await job.run(look=look)
        finally:
            # Nothing comes between the end of the work and this.
            del self._jobs[job.question.id]
        if job.wanted is None:
            self._settled.pop(job.question.id)
        else:
            self._settled.put(job.question.id, job.wanted.digest)

    def _replies_gone(self, post: Post) -> None:
        """With a post the replies to it are gone, and with our reply the wish to answer."""
        for job in self._jobs.values():
            if job.question.root == post.id or job.reply_id == post.id:
                job.drop()

    async def _question(self, post: Post) -> tuple[Channel, str, Asked] | None:
        """Where and by whom a post asks us what; None where it does not, or may not."""
        ours = post.user == self._desk.me.id
        if (ours and post.quoted is None) or post.kind or (post.from_bot and not ours):
            return None
        channel = await self._channel(post.channel)
        if channel is None or not await self._ours(channel):
            return None
        if ours and post.quoted:
            return channel, post.quoted.by, Asked(What.ANSWER, post.quoted.text)
        direct = self._desk.audience.private(channel, post.user)
        asked = asked_in(post.text, self._desk.me.username, direct=direct)
        if asked is None or await self._program(post.user):
            return None
        return channel, post.user, asked

    async def _channel(self, channel: str) -> Channel | None:
        known = self._channels.get(channel)
        if known:
            return known
        # Asked once, however many posts there are that want to know.
        async with self._turn(channel):
            known = self._channels.get(channel)
            if known is None:
                try:
                    known = await self._desk.server.channel(channel)
                except ChatTrouble as trouble:
                    if trouble.passing:
                        raise
                    return None
                self._channels.put(channel, known)
            return known

    async def _ours(self, channel: Channel) -> bool:
        """Whether questions are answered there."""
        wanted = self._desk.settings.teams
        if channel.archived:
            return False
        # Direct and group messages belong to no team.
        if not wanted or not channel.team:
            return True
        name = self._teams.get(channel.team)
        if name is None:
            name = await self._desk.server.team_name(channel.team)
            self._teams.put(channel.team, name)
        return name in wanted

    async def _program(self, user: str) -> bool:
        """Whether a program writes there, which is not answered: it might answer us."""
        known = self._programs.get(user)
        if known is None:
            accounts = await self._desk.server.accounts([user])
            known = not accounts or accounts[0].bot
            self._programs.put(user, known)
        return known

    @asynccontextmanager
    async def _turn(self, what: str) -> AsyncIterator[None]:
        """One after the other, for each post and channel."""
        turn = self._turns.setdefault(what, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[what]


async def _told(work: Coroutine[Any, Any, None]) -> None:
    """Let no trouble with one post end the others."""
    try:
        await work
    except DocentError as trouble:
        log.warning("Something in Mattermost was not looked at: %s", trouble)
    except Exception:  # one post must not silence the bot; the log says which line it was
        log.exception("Something in Mattermost was not looked at.")
