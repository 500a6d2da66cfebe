"""What the bot asks of Mattermost and writes there: REST v4, through mattermostautodriver.

The driver knows the addresses; when to wait and to try again is decided here. The driver's own
WebSocket client is not used: see `listening.py`.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from mattermostautodriver import AsyncTypedDriver
from mattermostautodriver.client import AsyncClient
from mattermostautodriver.exceptions import (
    InvalidMattermostError,
    MattermostError,
    TooManyRequests,
)

from ingest.errors import DocentError
from web.mattermost.nouns import (
    Account,
    Channel,
    Member,
    Post,
    account_of,
    channel_of,
    is_id,
    member_of,
    post_of,
    posts_of,
)

PAGE = 200
"""So many records at once; the server gives no more."""
MOST_SINCE = 1000
"""So many changed posts the server tells at once; there may be more."""
MOST_PAGES_BACK = 25
TRIES = 5
TIMEOUT_S = 30.0
LONGEST_WAIT_S = 60.0
IN_WORK = 500
"""What the server says to a post that it is just making, with the same pending id."""
PASSING = frozenset({0, 502, 503, 504})
FORBIDDEN, MISSING, UNKNOWN, OFTEN = 403, 404, 401, 429

Pause = Callable[[float], Awaitable[None]]
T = TypeVar("T")


class ChatTrouble(DocentError):
    """Mattermost did not do what it was asked. `status` is of HTTP; 0: no answer came."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether it may go well later."""
        return self.status in PASSING or self.status in (OFTEN, IN_WORK)


class Server:
    """One Mattermost with the bot's token. `pause` waits; tests need not."""

    def __init__(
        self, url: str, token: str, ca_file: Path | None = None, pause: Pause = asyncio.sleep
    ) -> None:
        self.url = url
        self.token = token
        self.tls = ssl.create_default_context(cafile=ca_file) if url.startswith("https") else None
        self._pause = pause
        self._not_before = 0.0
        _quiet()
        self._driver = AsyncTypedDriver(_options(url, self.tls), client_cls=_Client)
        self._driver.client.token = token

    async def close(self) -> None:
        """Close every connection."""
        await self._driver.close()

    async def me(self) -> Account:
        """Whose the token is."""
        return _found(account_of(await self._read(self._driver.users.get_user, "me")))

    async def accounts(self, ids: Sequence[str]) -> list[Account]:
        """Accounts by their ids; those that there are not are left out."""
        found: list[Account] = []
        for start in range(0, len(ids), PAGE):
            told = await self._list(
                self._driver.users.get_users_by_ids, list(ids[start : start + PAGE])
            )
            found += [one for one in map(account_of, told) if one]
        return found

    async def team_name(self, team: str) -> str:
        """The name of a team, as it stands in addresses."""
        return str((await self._read(self._driver.teams.get_team, team)).get("name") or "")

    async def channel(self, channel: str) -> Channel:
        """A channel."""
        return _found(channel_of(await self._read(self._driver.channels.get_channel, channel)))

    async def channels(self) -> list[tuple[Channel, int]]:
        """The bot's channels, each with the time of its last post."""
        told = await self._list(self._driver.channels.get_channels_for_user, "me")
        found = [(channel_of(one), int(one.get("last_post_at") or 0)) for one in told]
        return [(one, last) for one, last in found if one and not one.archived]

    async def channel_members(self, channel: str) -> AsyncIterator[list[Member]]:
        """Who is in a channel, in pages."""
        async for page in self._pages(self._driver.channels.get_channel_members, channel):
            yield page

    async def team_members(self, team: str) -> AsyncIterator[list[Member]]:
        """Who is in a team, in pages."""
        async for page in self._pages(self._driver.teams.get_team_members, team):
            yield page

    async def post(self, post: str) -> Post:
        """A post."""
        return _found(post_of(await self._read(self._driver.posts.get_post, post)))

    async def thread(self, root: str) -> list[Post]:
        """The posts of a thread, the oldest first."""
        return posts_of(await self._read(self._driver.posts.get_post_thread, root))

    async def since(self, channel: str, moment: int) -> list[Post]:
        """What was written, edited or deleted in a channel since a moment, the oldest first."""
        ask = self._driver.posts.get_posts_for_channel
        found = posts_of(await self._read(ask, channel, since=moment))
        if len(found) < MOST_SINCE:
            return found
        by_id = {one.id: one for one in found}
        for number in range(MOST_PAGES_BACK):
            page = posts_of(await self._read(ask, channel, page=number, per_page=PAGE))
            by_id.update((one.id, one) for one in page if one.id not in by_id)
            if not page or page[0].created < moment:
                break
        kept = (one for one in by_id.values() if one.updated >= moment)
        return sorted(kept, key=lambda one: (one.created, one.id))

    async def create(
        self, channel: str, text: str, root: str, props: Mapping[str, Any], pending: str
    ) -> Post:
        """Write a post. `pending` names it: asked again for half a minute, it is the same post."""
        options = {
            "channel_id": channel,
            "message": text,
            "root_id": root,
            "props": dict(props),
            # Not among the parameters of the driver's `create_post`.
            "pending_post_id": pending,
        }

        async def create() -> Any:
            return await self._driver.client.post("/api/v4/posts", options=options)

        again = PASSING | {IN_WORK}
        return _found(post_of(_record(await self._again(create, again))))

    async def edit(self, post: str, text: str, props: Mapping[str, Any]) -> None:
        """Write something else into a post of the bot."""
        ask = self._driver.posts.patch_post
        await self._read(ask, post, message=text, props=dict(props))

    async def delete(self, post: str) -> None:
        """Take a post of the bot away."""
        await self._read(self._driver.posts.delete_post, post)

    async def typing(self, me: str, channel: str, root: str) -> None:
        """Let it be seen for a moment that the bot is at work. Tried once, it is no loss."""
        ask = self._driver.users.publish_user_typing

        async def once() -> Any:
            return await ask(me, channel, root or None)

        await self._once(once)

    async def direct(self, me: str, user: str) -> str:
        """The channel of direct messages with somebody."""
        told = await self._read(self._driver.channels.create_direct_channel, [me, user])
        return _found(channel_of(told)).id

    async def dialog(self, trigger: str, url: str, dialog: Mapping[str, Any]) -> None:
        """Open a form for whoever has just pressed a button."""
        ask = self._driver.integration_actions.open_interactive_dialog
        await self._read(ask, trigger, url, dict(dialog))

    async def respond(self, address: str, text: str, attachments: Sequence[Any] = ()) -> None:
        """Answer a slash command later, seen by its asker alone: rather twice than never.

        `address` is what Mattermost gave for it. Only what lies below our own server is asked.
        """
        path = _respond_path(address)
        body = {"response_type": "ephemeral", "text": text, "attachments": list(attachments)}

        async def respond() -> Any:
            return await self._driver.client.make_request("post", path, options=body)

        await self._again(respond, PASSING)

    async def _pages(
        self, ask: Callable[..., Awaitable[Any]], whose: str
    ) -> AsyncIterator[list[Member]]:
        number = 0
        while True:
            told = await self._list(ask, whose, page=number, per_page=PAGE)
            yield [one for one in map(member_of, told) if one]
            if len(told) < PAGE:
                return
            number += 1

    async def _read(
        self, ask: Callable[..., Awaitable[Any]], *given: Any, **named: Any
    ) -> Mapping[str, Any]:
        return _record(await self._again(lambda: ask(*given, **named), PASSING))

    async def _list(
        self, ask: Callable[..., Awaitable[Any]], *given: Any, **named: Any
    ) -> list[Mapping[str, Any]]:
        told = await self._again(lambda: ask(*given, **named), PASSING)
        if not isinstance(told, list):
            raise _odd()
        return [one for one in told if isinstance(one, Mapping)]

    async def _again(self, ask: Callable[[], Awaitable[Any]], again: frozenset[int]) -> Any:
        """Ask, and again where that does no harm: after 429 always, else as `again` says."""
        for tried in range(1, TRIES + 1):
            wait = self._not_before - asyncio.get_running_loop().time()
            if wait > 0:
                await self._pause(min(wait, LONGEST_WAIT_S))
            try:
                return await self._once(ask)
            except ChatTrouble as trouble:
                if tried == TRIES or (trouble.status != OFTEN and trouble.status not in again):
                    raise
                if trouble.status != OFTEN:
                    await self._pause(0.25 * 2**tried)
        raise AssertionError

    async def _once(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await ask()
        except TooManyRequests as often:
            # Whatever is asked next waits as well: the limit is that of the account.
            wait = 1.0 if often.retry_after is None else float(often.retry_after)
            self._not_before = asyncio.get_running_loop().time() + wait
            msg = f"Mattermost ({self.url}) wants fewer requests."
            raise ChatTrouble(msg, OFTEN) from None
        except (MattermostError, InvalidMattermostError) as error:
            raise ChatTrouble(self._told(error.status_code), error.status_code) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            msg = f"Mattermost ({self.url}) does not answer: {type(error).__name__}."
            raise ChatTrouble(msg) from None

    def _told(self, status: int) -> str:
        if status == UNKNOWN:
            return f"Mattermost ({self.url}) does not know the bot's token. Give it a new one."
        if status in (FORBIDDEN, MISSING):
            return "What the bot asked for is not there, or not for the bot."
        return f"Mattermost ({self.url}) answered with status {status}."


class _Client(AsyncClient):  # type: ignore[misc] # the driver has no types
    @staticmethod
    def _make_url(scheme: str, url: str, port: int) -> str:
        # The driver knows no path; a Mattermost may lie below one.
        host, _, path = url.partition("/")
        return f"{scheme}://{host}:{port}" + (f"/{path}" if path else "")


def _options(url: str, tls: ssl.SSLContext | None) -> dict[str, Any]:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return {
        "scheme": parts.scheme,
        "url": f"{host}{parts.path}",
        "port": parts.port or (443 if parts.scheme == "https" else 80),
        "verify": tls or True,
        "request_timeout": TIMEOUT_S,
        "max_retries": 0,
    }


def _quiet() -> None:
    # It says at INFO and ERROR what is raised here as well.
    for name in ("mattermostautodriver.websocket", "mattermostautodriver.api"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _respond_path(address: str) -> str:
    """Where a slash command is answered later, whatever host it names.

    Raises:
        ChatTrouble: it is no such address.
    """
    before, _, key = urlsplit(address).path.rpartition("/")
    if not before.endswith("/hooks/commands") or not is_id(key):
        msg = "Mattermost gave no address for the answer to a slash command."
        raise ChatTrouble(msg, FORBIDDEN)
    return f"/hooks/commands/{key}"


def _record(told: object) -> Mapping[str, Any]:
    # The driver hands out the bare response where it is no JSON, such as a sign-in page.
    if not isinstance(told, Mapping):
        raise _odd()
    return told


def _odd() -> ChatTrouble:
    msg = "Mattermost answered with something else than its API says. Is [mattermost] url right?"
    return ChatTrouble(msg, IN_WORK)


def _found(thing: T | None) -> T:
    if thing is None:
        raise _odd()
    return thing
