"""A Mattermost on a real socket: REST v4 and the WebSocket, as its API reference says.

    async with Chat() as chat:
        ada = chat.user("ada")
        channel = chat.channel("P", ada, chat.bot)
        chat.say(ada, channel, "@docent Who?")

It is strict: no token, no membership, a wrong id, a text too long or a page too large are refused
as the real one refuses them. Faults come on demand: `busy`, `cut`, `drop`, `lose`, `restart`.
"""

import asyncio
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.servers.chat.events import TOKEN
from tests.servers.chat.refusal import Record
from tests.servers.chat.rest import Rest

COMMAND_TOKEN = "c4nw8r1xkdzq6tmb3ghy9p5fse"

__all__ = ["COMMAND_TOKEN", "TOKEN", "Chat"]


class Chat(Rest):
    """The server, and what people do through the bot's own door."""

    async def slash(self, at: str, user: str, channel: str, text: str, **other: str) -> Any:
        """A slash command, as the server sends it; gives the response."""
        key = self._id("h")
        self._responds.add(key)
        trigger = self._trigger(user)
        team = self.channels[channel]["team_id"] or self.team
        form = {
            "channel_id": channel, "channel_name": self.channels[channel]["name"],
            "command": "/docent", "response_url": f"{self.url}/hooks/commands/{key}",
            "team_domain": self.teams[team]["name"], "team_id": team, "text": text,
            "token": COMMAND_TOKEN, "trigger_id": trigger, "user_id": user,
            "user_name": self.users[user]["username"], **other,
        }  # fmt: skip
        async with httpx.AsyncClient() as client:
            return await client.post(f"{at}/command", data=form, timeout=60)

    async def press(self, user: str, post: str, **other: Any) -> Any:
        """Somebody presses the button below a post; gives what the bot answers."""
        record = self.posts[post]
        (action,) = record["props"]["attachments"][0]["actions"]
        body = {
            "user_id": user, "user_name": self.users[user]["username"],
            "channel_id": record["channel_id"], "post_id": post, "type": "button",
            "trigger_id": self._trigger(user), "data_source": "",
            "context": action["integration"]["context"], **other,
        }  # fmt: skip
        async with httpx.AsyncClient() as client:
            return await client.post(action["integration"]["url"], json=body, timeout=60)

    async def submit(self, user: str, said: Record, **other: Any) -> Any:
        """Somebody sends the form that was opened last."""
        opened = self.dialogs[-1]
        body = {
            "type": "dialog_submission", "callback_id": opened["dialog"]["callback_id"],
            "state": opened["dialog"]["state"], "user_id": user, "channel_id": "", "team_id": "",
            "submission": said, "cancelled": False, **other,
        }  # fmt: skip
        async with httpx.AsyncClient() as client:
            return await client.post(opened["url"], json=body, timeout=60)

    async def __aenter__(self) -> "Chat":
        chat = self

        class Protocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                chat._open[transport.get_extra_info("peername")[:2]] = transport

        app = Starlette(routes=self._routes())
        config = uvicorn.Config(
            app, port=0, http=Protocol, ws="websockets-sansio", log_config=None, lifespan="off",
            access_log=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        listening = config.bind_socket()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._serving = asyncio.create_task(self._server.serve([listening]))
        while not self._server.started:
            await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()
        self._server.should_exit = True
        await self._serving
