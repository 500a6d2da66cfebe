"""What people say of an answer: a thumb below it, or a sentence in the form that its button opens.

Whose answer it was says it in his own name; it is kept beside the conversation. Of all others it
is kept without a name, for the maintainers.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from ingest.errors import DocentError
from web.mattermost import SERVICE
from web.mattermost.desk import Answered, Desk
from web.mattermost.nouns import Post, is_id
from web.mattermost.server import ChatTrouble
from web.problems import Refused

THUMBS = {"+1": True, "thumbsup": True, "-1": False, "thumbsdown": False}
"""Also in other colours of skin: `+1_dark_skin_tone`."""
MOST_CHARS = 2000

log = logging.getLogger(__name__)


class Judge:
    """Takes judgements."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def reaction(self, told: object, *, added: bool) -> None:
        """A reaction was put below a post, or taken away again."""
        record = _record(told)
        user, post, name = (record.get(key) for key in ("user_id", "post_id", "emoji_name"))
        helpful = THUMBS.get(str(name).partition("_")[0])
        if helpful is None or not is_id(user) or not is_id(post) or user == self._desk.me.id:
            return
        answered = await self.answered(str(post))
        if answered is None:
            return
        if added:
            await self.say(str(user), str(post), answered, helpful=helpful)
        else:
            await self._take_back(str(user), str(post), answered)

    async def answered(self, reply: str) -> Answered | None:
        """What was answered in a post; None where it is no answer of ours."""
        known = self._desk.answers.get(reply)
        if known:
            return known
        try:
            post = await self._desk.server.post(reply)
            mark = post.mark
            if post.user != self._desk.me.id or not mark or not mark.done or not mark.digest:
                return None
            question = await self._desk.server.post(mark.question)
        except ChatTrouble as trouble:
            log.info("It is not known what a judgement was about: %s", trouble)
            return None
        known = await self._looked_up(post, question)
        self._desk.answers.put(reply, known)
        return known

    async def say(
        self, user: str, reply: str, answered: Answered, *, helpful: bool, text: str = ""
    ) -> bool:
        """Keep a judgement; False: it cannot be kept now."""
        services = self._desk.services
        try:
            account = await services.state.links.user_of(SERVICE, user)
            caller = await self._desk.audience.own(user)
            await services.count("search", caller)
            given = None
            if account and account.id == answered.owner:
                given = await services.state.feedback.give(
                    account.id, answered.message, helpful=helpful, text=text
                )
            if given is None:
                await services.state.feedback.from_outside(
                    self._key(user, reply),
                    question=answered.question,
                    answer=answered.answer,
                    documents=answered.documents,
                    helpful=helpful,
                    text=text,
                )
        except (DocentError, Refused) as trouble:
            log.warning("A judgement is not kept: %s", trouble)
            return False
        services.judged(helpful)
        return True

    async def _take_back(self, user: str, reply: str, answered: Answered) -> None:
        state = self._desk.services.state
        account = await state.links.user_of(SERVICE, user)
        if account and account.id == answered.owner:
            await state.feedback.withdraw(account.id, answered.message)
        await state.feedback.taken_back(self._key(user, reply))

    async def _looked_up(self, reply: Post, question: Post) -> Answered:
        """An answer of an earlier day, as far as Mattermost and the conversations know it."""
        mark = reply.mark
        asker = mark.asker if mark else ""
        text = question.quoted.text if question.quoted else question.text
        account = await self._desk.services.state.links.user_of(SERVICE, asker)
        owner = account.id if account and mark and mark.answer else ""
        return Answered(text, None, (), owner, mark.answer if mark else "")

    def _key(self, user: str, reply: str) -> str:
        # Sealed: the ids of people are known to many, and must not be found by trying.
        return self._desk.seal(f"feedback {reply} {user}")


def _record(told: object) -> Mapping[str, Any]:
    """What an event tells of a reaction, which it does as JSON in a text."""
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return {}
    return told if isinstance(told, Mapping) else {}
