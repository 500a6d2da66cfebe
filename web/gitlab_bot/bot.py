"""From something heard to an answer in the discussion, once, and none lost.

GitLab is where it is kept what was answered: each comment of the bot carries a sign of its question
(`words.Mark`). So a restart, a webhook that comes twice or a to-do that was answered already costs
a look and no second answer; a question that was edited gets its answer edited.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from assistant.model import Question, Turn
from ingest.errors import DocentError, FetchError
from ingest.sources.gitlab.api import Record
from web.answers import Asked as Begun
from web.answers import begin
from web.bots.kept import Kept
from web.bots.words import spoken
from web.gitlab_bot import replies
from web.gitlab_bot.asked import Asked, What, asked_in
from web.gitlab_bot.audience import Audience, Seen
from web.gitlab_bot.comments import AT_ONCE, Comments, Reply
from web.gitlab_bot.duplicates import Duplicates
from web.gitlab_bot.gitlab import ISSUES, Account, GitLab, Note, Place, Thread, Todo, gone, note_of
from web.gitlab_bot.hooks import Heard, heard_of
from web.gitlab_bot.pages import changed_in, disagreeing
from web.gitlab_bot.words import Mark, answer
from web.problems import Refused
from web.services import Services

MOST_WAITING = 200
SLOW_S = 30.0
"""After so long the asker is told that it takes its time."""
CATCH_UP_S = 300.0
AWAY = timedelta(hours=1)
"""A bot that starts looks for what was written so long before."""
MARGIN = timedelta(minutes=5)
"""So far two clocks may be apart."""
KEPT = timedelta(hours=12)
"""A question that was heard longer ago is not answered by a bot that comes back."""
TRIES = 12
"""So often a question is tried again, once in `CATCH_UP_S`, before the asker has to ask anew."""
WAITS = 5
QUESTION_CHARS = 2000
PAGES = "pages"

log = logging.getLogger(__name__)


class Later(Exception):
    """It cannot be answered now, and is to be tried again. The sentence is for the asker."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody wrote, and where."""

    place: Place
    project: Record
    thing: Record
    note: Note
    asked: Asked
    thread: Thread | None = None
    """None for a description."""


class Bot:
    """Answers what it hears."""

    def __init__(
        self,
        services: Services,
        gitlab: GitLab,
        me: Account,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        slow_s: float = SLOW_S,
    ) -> None:
        settings = services.settings
        self._services = services
        self._gitlab = gitlab
        self._me = me
        self._comments = Comments(gitlab, me, sleep)
        self._sleep = sleep
        self._slow_s = slow_s
        self._settings = settings.gitlab_bot
        self.service = f"gitlab:{urlsplit(self._settings.url).hostname}"
        rights_last = timedelta(days=settings.signin.token_days)
        self._audience = Audience(
            services.state, gitlab, self._settings, self.service, rights_last, me
        )
        self._duplicates = Duplicates(services.assistant, gitlab)
        self._kept = Kept(services.state, self.service, KEPT)
        self._working: dict[Heard, asyncio.Task[None]] = {}
        self._once_more: set[Heard] = set()
        """What was heard again while it was being answered."""
        self._left: dict[Heard, int] = {}
        """What could not be answered yet, with how often it was tried."""
        self._locks: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._machines: dict[int, bool] = {}
        self._looked: datetime | None = None
        """When comments were looked through last."""

    @property
    def trouble(self) -> str:
        """Why GitLab cannot be used now; empty when it can."""
        return self._comments.trouble

    @property
    def full(self) -> bool:
        """Whether so much is being answered that nothing else is heard."""
        return len(self._working) >= MOST_WAITING

    async def take(self, heard: Heard) -> None:
        """Answer it, also if the bot is killed before: whoever runs next goes on with it."""
        await self._kept.put(heard.key, heard.to_dict())
        if heard in self._working:
            # It may have been edited since it was read.
            self._once_more.add(heard)
        self.hear(heard)

    def hear(self, heard: Heard) -> asyncio.Task[None]:
        """Answer it; what is being answered already is not begun again."""
        if heard not in self._working:
            task = asyncio.create_task(self._work(heard))
            self._working[heard] = task
            task.add_done_callback(lambda _: self._working.pop(heard, None))
        return self._working[heard]

    async def run(self) -> None:
        """Look now and then for what was missed; never returns."""
        while True:
            try:
                await self.catch_up()
            except DocentError as trouble:
                log.warning("Missed questions are looked for later: %s", trouble)
            await self._sleep(CATCH_UP_S)

    async def catch_up(self) -> None:
        """Answer what was left or kept, what nobody told of, and the to-dos of the bot.

        Raises:
            FetchError: GitLab cannot be asked.
        """
        kept = [heard_of(one.told) for one in await self._kept.all()]
        again = [self.hear(heard) for heard in dict.fromkeys([*kept, *self._left])]
        again += [self.hear(heard) for heard in await self._untold()]
        todos = await self._comments.call(self._gitlab.todos)
        await asyncio.gather(*again, *(self._catch(todo) for todo in todos))

    async def _untold(self) -> list[Heard]:
        """Comments of late that ask us: no webhook is sent twice, and none while we are away."""
        now = self._services.state.database.clock()
        since = (self._looked or now - AWAY) - MARGIN
        found = await self._comments.call(self._gitlab.commented, since)
        self._looked = now
        return [
            Heard(place, note.id)
            for place, note in found
            if note.author != self._me.id and asked_in(note.text, self._me.username)
        ]

    async def settled(self) -> None:
        """Returns when everything that was heard is answered, or left for later."""
        while self._working:
            await asyncio.wait(set(self._working.values()))

    async def close(self, wait_s: float) -> None:
        """Let what is nearly done end within some seconds, and end the rest."""
        if self._working:
            await asyncio.wait(set(self._working.values()), timeout=wait_s)
        for task in list(self._working.values()):
            task.cancel()
        await self.settled()

    async def _catch(self, todo: Todo) -> None:
        heard = Heard(todo.place, todo.note)
        await asyncio.wait([self.hear(heard)])
        if heard not in self._left:
            await self._comments.quietly(self._gitlab.done, todo)

    async def _work(self, heard: Heard) -> None:
        lock = self._locks.setdefault(heard.place, asyncio.Lock())
        async with lock, self._slots:
            await self._try(heard)
            while heard in self._once_more:
                self._once_more.discard(heard)
                await self._try(heard)
            if heard not in self._left:
                await self._kept.done(heard.key)

    async def _try(self, heard: Heard) -> None:
        tried = self._left.pop(heard, 0) + 1
        try:
            await self._handle(heard, last=tried >= TRIES)
        except (Later, DocentError) as trouble:
            if isinstance(trouble, FetchError) and gone(trouble):
                log.info("What was asked is gone, or the bot has no rights there: %s", trouble)
            elif tried < TRIES:
                self._left[heard] = tried
                log.warning("A question is tried again later: %s", trouble)
            else:
                log.error("A question is given up: %s", trouble)  # noqa: TRY400 - a sentence
        except Exception:
            log.exception("A question was not answered.")

    async def _handle(self, heard: Heard, *, last: bool) -> None:
        place = heard.place
        project = await self._comments.call(self._gitlab.project, place.project)
        if not self._answers_in(str(project.get("path_with_namespace") or "")):
            return
        thing = await self._comments.call(self._gitlab.thing, place)
        threads = await self._comments.call(self._gitlab.threads, place)
        written = self._comments.written(threads)
        said = self._said(heard, project, thing, threads)
        if said and not await self._machine(said.note.author):
            name = f"note-{said.note.id}" if said.note.id else "text"
            mark = Mark(name, f"{said.asked.what} {said.asked.text}")
            number, digest = written.get(name, (None, ""))
            if digest != mark.digest:
                thread = said.thread.id if said.thread else ""
                reply = Reply(place, mark, thread, said.note.internal, number)
                await self._reply(said, threads, reply, last=last)
        if heard.pushed and self._settings.check_pages:
            await self._pushed(place, project, thing, written.get(PAGES))

    def _answers_in(self, path: str) -> bool:
        named = self._settings.projects
        inside = f"{path.lower()}/"
        return not named or any(inside.startswith(f"{one.lower()}/") for one in named)

    def _said(
        self, heard: Heard, project: Record, thing: Record, threads: Sequence[Thread]
    ) -> Said | None:
        """What was written there, as GitLab has it now; None where it asks nothing of us."""
        thread, note = None, note_of(thing, str(thing.get("description") or ""))
        if heard.note is not None:
            found = [(t, n) for t in threads for n in t.notes if n.id == heard.note]
            if not found:
                return None  # deleted
            thread, note = found[0]
        asked = asked_in(note.text, self._me.username)
        if asked is None or note.system or note.author == self._me.id:
            return None
        return Said(heard.place, project, thing, note, asked, thread)

    async def _machine(self, user: int) -> bool:
        """Whether this is another program, which is not answered."""
        if user not in self._machines:
            self._machines[user] = (await self._comments.call(self._gitlab.user, user)).bot
        return self._machines[user]

    async def _reply(
        self, said: Said, threads: Sequence[Thread], reply: Reply, *, last: bool
    ) -> None:
        await self._comments.quietly(self._gitlab.seen, said.place, said.note.id or None)
        try:
            text = await self._text(said, reply)
        except (Later, DocentError) as trouble:
            if isinstance(trouble, FetchError):
                raise  # where nothing can be read, nothing can be written either
            if last:
                await self._comments.write(reply, replies.given_up(str(trouble)))
                return
            await self._comments.write_for_now(reply, replies.later(str(trouble)))
            raise
        await self._comments.write(reply, text)

    async def _text(self, said: Said, reply: Reply) -> str:
        if said.asked.what is What.HELP:
            return replies.help_for(self._me.username)
        if said.asked.what is What.LINK:
            return replies.link_for(self.service, said.note.author)
        seen = await self._audience.of(said.project, said.thing, said.note.author)
        match said.asked.what:
            case What.DUPLICATES:
                told = await self._alike(said, seen)
            case What.PAGES:
                told = await self._pages(said.place, said.project, seen)
            case _:
                told = await self._ask(said, seen, reply)
        return f"{told}\n\n*{seen.why}*"

    async def _ask(self, said: Said, seen: Seen, reply: Reply) -> str:
        """Put the question into the line, and wait for its answer."""
        question = Question(_question(said), seen.caller.reader, self._history(said))
        stream = await self._begin(Begun(seen.caller, question, door="gitlab"), reply)
        last = asyncio.ensure_future(stream.last())
        try:
            done, _ = await asyncio.wait([last], timeout=self._slow_s)
            if not done:
                await self._comments.write_for_now(reply, replies.SLOW)
            sent = await last
        finally:
            last.cancel()
        if sent.name == "answer":
            return answer(sent.data)
        raise Later(str(sent.data.get("detail", "")))

    async def _begin(self, asked: Begun, reply: Reply) -> Any:
        told = False
        for _ in range(WAITS):
            try:
                self._services.admit()
                await self._services.count("ask", asked.caller)
                return begin(self._services, asked)
            except Refused as refused:
                trouble = refused
                if self._services.streams.closing:
                    break
                wait = float((refused.headers or {}).get("Retry-After", CATCH_UP_S))
                if wait > self._slow_s and not told:
                    told = True
                    await self._comments.write_for_now(reply, replies.SLOW)
                await self._sleep(wait)
        raise Later(trouble.detail)

    def _history(self, said: Said) -> tuple[Turn, ...]:
        """What was said before in the same discussion, to the bot and by it."""
        turns = [Turn("user", str(said.thing.get("title") or ""))] if said.thread else []
        for note in said.thread.notes if said.thread else ():
            if note.id == said.note.id:
                break
            if note.author == self._me.id:
                turns.append(Turn("assistant", spoken(note.text)))
            elif earlier := asked_in(note.text, self._me.username):
                turns.append(Turn("user", earlier.text))
        return tuple(turn for turn in turns if turn.content)

    async def _alike(self, said: Said, seen: Seen) -> str:
        if said.place.part != ISSUES:
            return replies.ONLY_ISSUES
        await self._count_search(seen)
        # By mail it also goes to people who may not see the project.
        own = not said.thing.get("service_desk_reply_to")
        place = said.place if own else None
        found = await self._duplicates.of(place, said.thing, seen.caller.reader)
        shown = [one.document_id for one in found if one.document_id]
        self._services.shown(seen.caller, "gitlab", shown)
        return replies.duplicates(found)

    async def _pages(self, place: Place, project: Record, seen: Seen) -> str:
        if place.part == ISSUES:
            return replies.ONLY_MERGE_REQUESTS
        await self._count_search(seen)
        changes = changed_in(await self._comments.call(self._gitlab.diffs, place))
        found = await disagreeing(
            self._services.assistant, changes, int(project["id"]), seen.caller.reader
        )
        self._services.shown(seen.caller, "gitlab", [one.document_id for one in found])
        return replies.pages(found, changes)

    async def _count_search(self, seen: Seen) -> None:
        try:
            await self._services.count("search", seen.caller)
        except Refused as refused:
            raise Later(refused.detail) from None

    async def _pushed(
        self, place: Place, project: Record, thing: Record, written: tuple[int, str] | None
    ) -> None:
        """List pages that disagree, if there are any; correct the list that stands there."""
        changes = changed_in(await self._comments.call(self._gitlab.diffs, place))
        if not changes and written is None:
            return
        author = note_of(thing, "").author
        seen = await self._audience.of(project, thing, author)
        found = await disagreeing(
            self._services.assistant, changes, int(project["id"]), seen.caller.reader
        )
        if not found and written is None:
            return
        text = f"{replies.pages(found, changes)}\n\n*{seen.why}*"
        mark = Mark(PAGES, text)
        number, digest = written or (None, "")
        if digest != mark.digest:
            self._services.shown(seen.caller, "gitlab", [one.document_id for one in found])
            await self._comments.write(Reply(place, mark, note=number), text)


def _question(said: Said) -> str:
    """What is asked; of an issue that only calls the bot, the issue itself."""
    title = str(said.thing.get("title") or "")
    if said.thread is None:
        return f"{title}\n{said.asked.text}"[:QUESTION_CHARS]
    described: Mapping[str, Any] = said.thing
    about = f"{title}\n{described.get('description') or ''}"
    return (said.asked.text or about)[:QUESTION_CHARS]
