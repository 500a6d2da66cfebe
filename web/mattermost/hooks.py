"""What Mattermost sends us besides events: slash commands, pressed buttons, filled-in forms.

A slash command bears a token that only the two servers know. Buttons and forms bear none, so what
they bring back is sealed by us; who pressed them Mattermost says itself.
"""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from assistant.model import Question
from assistant.render import hits_to_dict
from ingest.errors import DocentError
from web import answers
from web.bots.door import HookRefused
from web.bots.kept import Kept
from web.mattermost import SERVICE, words
from web.mattermost.asked import Asked, What, commanded
from web.mattermost.desk import Desk, Recent, ended
from web.mattermost.feedback import MOST_CHARS, Judge
from web.mattermost.job import kept
from web.mattermost.nouns import Quoted, is_id
from web.mattermost.replies import help_text, link_text, sentence, stranger_note, unlink_text
from web.mattermost.server import ChatTrouble
from web.problems import Refused
from web.who import Caller

HITS = 5
ANSWERABLE = timedelta(minutes=30)
"""So long Mattermost takes the answer to a slash command."""
LOOKING = "I am looking into it; the answer is for you alone."
NOT_IN = "I am not in this channel. Invite me, or ask with `/docent private`."
NOT_HERE = "I do not answer in this team."
NO_ANSWER = "It is not known any more which answer this was about. A thumb below it still counts."
NOT_KEPT = "This could not be written down now. Try again in a minute."
NOT_SEALED = "This does not come from a button of mine."

log = logging.getLogger(__name__)

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command that was checked."""

    user: str
    channel: str
    team: str
    team_name: str
    text: str
    trigger: str
    respond: str
    """Where the answer may go later."""


class Hooks:
    """Takes what Mattermost sends."""

    def __init__(self, desk: Desk, judge: Judge, token: str) -> None:
        """`token` is that of the slash command; without one there is no slash command."""
        self._desk = desk
        self._judge = judge
        self._token = token
        self._seen: Recent[bool] = Recent()
        self._kept = Kept(desk.services.state, f"{SERVICE}:private", ANSWERABLE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """Begin the private answers that the bot before this one was stopped or killed in."""
        for one in await self._kept.all():
            command = Command(**one.told)
            self._seen.put(command.trigger, thing=True)
            self._begin(command, commanded(command.text).text)

    async def close(self, within_s: float) -> None:
        """Let private answers come to their end."""
        await ended(self._tasks, within_s)

    @property
    def idle(self) -> bool:
        """Whether no private answer is being made."""
        return not self._tasks

    async def command(self, body: bytes) -> Told:
        """A slash command; gives what its asker sees at once.

        Raises:
            HookRefused: it does not come from our Mattermost, or cannot be read.
        """
        command = self._checked(body)
        if command.trigger in self._seen:
            return {}
        self._seen.put(command.trigger, thing=True)
        asked = commanded(command.text)
        try:
            return await self._done(command, asked)
        except (DocentError, Refused) as trouble:
            return _ephemeral(sentence(trouble))

    async def action(self, body: bytes) -> Told:
        """A button was pressed: open the form.

        Raises:
            HookRefused: it is no button of ours.
        """
        told = _json(body)
        context = told.get("context")
        question = context.get("question") if isinstance(context, Mapping) else None
        given = context.get("seal") if isinstance(context, Mapping) else None
        self._check_seal(question, given)
        user, reply = told.get("user_id"), told.get("post_id")
        if not is_id(user) or not is_id(reply):
            raise HookRefused(400, NOT_SEALED)
        state = f"{reply}.{user}"
        dialog = {
            "callback_id": "because",
            "title": "Not helpful because…",
            "elements": [
                {
                    "display_name": "What is wrong?",
                    "name": "because",
                    "type": "textarea",
                    "max_length": MOST_CHARS,
                    "help_text": "Those who keep the documents read this, without your name.",
                }
            ],
            "submit_label": "Send",
            "notify_on_cancel": False,
            "state": f"{state}.{self._desk.seal(f'dialog {state}')}",
        }
        url = f"{self._desk.callback_url}/dialog"
        try:
            await self._desk.server.dialog(str(told.get("trigger_id") or ""), url, dialog)
        except ChatTrouble as trouble:
            return {"ephemeral_text": sentence(trouble)}
        return {}

    async def dialog(self, body: bytes) -> Told:
        """A form was sent; gives what is wrong with it, if anything.

        Raises:
            HookRefused: it is no form of ours, or another person's.
        """
        told = _json(body)
        reply, user, given = [*str(told.get("state") or "").split("."), "", "", ""][:3]
        self._check_seal(f"dialog {reply}.{user}", given)
        if user != told.get("user_id"):
            raise HookRefused(403, NOT_SEALED)
        submitted = told.get("submission")
        text = str(submitted.get("because") or "") if isinstance(submitted, Mapping) else ""
        if told.get("cancelled") or not text.strip():
            return {}
        answered = await self._judge.answered(reply)
        if answered is None:
            return {"error": NO_ANSWER}
        said = text.strip()[:MOST_CHARS]
        kept_ = await self._judge.say(user, reply, answered, helpful=False, text=said)
        return {} if kept_ else {"error": NOT_KEPT}

    def _checked(self, body: bytes) -> Command:
        try:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
        except ValueError:
            raise HookRefused(400, "This is no form.") from None
        given = form.get("token", "").encode("utf-8", "surrogateescape")
        if not self._token or not hmac.compare_digest(given, self._token.encode()):
            raise HookRefused(401, "The token of this slash command is not the one that I know.")
        user, channel, team = (form.get(f"{one}_id", "") for one in ("user", "channel", "team"))
        trigger = form.get("trigger_id", "")
        if not all(map(is_id, (user, channel, team))) or not trigger:
            raise HookRefused(400, "A slash command names a user, a channel and a team.")
        return Command(
            user,
            channel,
            team,
            form.get("team_domain", ""),
            form.get("text", ""),
            trigger,
            form.get("response_url", ""),
        )

    def _check_seal(self, sealed: object, given: object) -> None:
        if not isinstance(sealed, str) or not isinstance(given, str) or not sealed:
            raise HookRefused(403, NOT_SEALED)
        if not hmac.compare_digest(self._desk.seal(sealed).encode(), given.encode()):
            raise HookRefused(403, NOT_SEALED)

    async def _done(self, command: Command, asked: Asked) -> Told:
        wanted = self._desk.settings.teams
        if wanted and command.team_name not in wanted:
            return _ephemeral(NOT_HERE)
        match asked.what:
            case What.HELP:
                return _ephemeral(help_text(self._desk))
            case What.LINK:
                return _ephemeral(await link_text(self._desk, command.user))
            case What.UNLINK:
                return _ephemeral(await unlink_text(self._desk, command.user))
        caller = await self._desk.audience.own(command.user)
        match asked.what:
            case What.SOURCES:
                await self._desk.services.count("search", caller)
                facets = await self._desk.services.assistant.facets(caller.reader)
                counted = [(one.value, one.count) for one in facets.sources]
                return _ephemeral("", words.sources(counted))
            case What.SEARCH:
                return _ephemeral("", await self._search(caller, asked.text))
        refusal = await self._desk.rates.refusal(command.user, command.channel)
        if refusal is not None:
            return _ephemeral(refusal or "You ask too often.")
        if asked.what is What.PRIVATE:
            await self._kept.put(command.trigger, asdict(command))
            self._begin(command, asked.text)
            return _ephemeral(LOOKING)
        return await self._openly(command, asked)

    async def _openly(self, command: Command, asked: Asked) -> Told:
        """Write the question down where it was asked; the bot hears of it and answers."""
        try:
            channel = await self._desk.server.channel(command.channel)
        except ChatTrouble as trouble:
            return _ephemeral(_not_in(trouble))
        if channel.team and channel.team != command.team:
            return _ephemeral(NOT_IN)
        (account,) = await self._desk.server.accounts([command.user]) or (None,)
        name = words.escaped(account.username if account else "Somebody")
        props = {**Quoted(asked.text, command.user).to_props(), "attachments": []}
        text = f"**{name} asks:** {words.escaped(asked.text)}"
        pending = f"{self._desk.me.id}:{command.trigger}"[:100]
        try:
            await self._desk.server.create(command.channel, text, "", props, pending)
        except ChatTrouble as trouble:
            return _ephemeral(_not_in(trouble))
        return {}

    async def _search(self, caller: Caller, text: str) -> str:
        services = self._desk.services
        await services.count("search", caller)
        began = time.perf_counter()
        found = await services.assistant.search(text, caller.reader, HITS)
        services.searched(time.perf_counter() - began)
        services.shown(caller, "search", [one.document_id for one in found])
        return words.hits(hits_to_dict(found)["hits"])

    def _begin(self, command: Command, text: str) -> None:
        task = asyncio.create_task(self._private(command, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _private(self, command: Command, text: str) -> None:
        """Answer one person alone, later, with his own rights."""
        try:
            told = await self._answered(await self._desk.audience.own(command.user), text)
        except (DocentError, Refused) as trouble:
            told = sentence(trouble)
        if self._desk.services.streams.closing:
            return  # whoever runs next answers it
        try:
            attachments = [{"fallback": "", "text": told}]
            await self._desk.server.respond(command.respond, "", attachments)
        except ChatTrouble as trouble:
            log.warning("A private answer does not reach its asker: %s", trouble)
        await self._kept.done(command.trigger)

    async def _answered(self, caller: Caller, text: str) -> str:
        services = self._desk.services
        await services.count("ask", caller)
        services.admit()
        begun = await kept(self._desk, caller, text, None)
        asked = answers.Asked(caller, Question(text, caller.reader), begun)
        stream = answers.begin(services, asked)
        async with aclosing(stream.follow()) as events:
            async for _ in events:
                pass
        last = stream.events[-1]
        if last.name != "answer":
            return words.escaped(str(last.data["detail"]))
        whole = f"{self._desk.page}/c/{begun.conversation_id}" if begun else ""
        return words.answer(last.data, whole, await stranger_note(self._desk, caller))


def _not_in(trouble: ChatTrouble) -> str:
    return sentence(trouble) if trouble.passing else NOT_IN


def _ephemeral(text: str, attached: str = "") -> Told:
    """What only the asker sees. What is attached brings no preview of its links."""
    attachments = [{"fallback": "", "text": attached}] if attached else []
    return {"response_type": "ephemeral", "text": text, "attachments": attachments}


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, Mapping):
        raise HookRefused(400, "This is no JSON object.")
    return told
