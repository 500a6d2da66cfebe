"""A Mattermost on a real socket: REST v4 and the WebSocket, as its API reference says.

    async with Chat() as chat:
        ada = chat.user("ada")
        channel = chat.channel("P", ada, chat.bot)
        chat.say(ada, channel, "@docent Who?")

It is strict: no token, no membership, a wrong id, a text too long or a page too large are refused
as the real one refuses them. Faults come on demand: `busy`, `cut`, `drop`, `lose`, `restart`.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

TOKEN = "b9fq3k7tdpyhxm5g8wzr1nce4a"
COMMAND_TOKEN = "c4nw8r1xkdzq6tmb3ghy9p5fse"
LONGEST = 16_383
MOST_SINCE = 1000
DEAD_QUEUE = 128
"""So many events a connection can be sent again."""

Record = dict[str, Any]


class Refusal(Exception):
    """What the server refuses, as it says it."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status

    def answer(self) -> Response:
        told = {
            "id": str(self), "message": str(self), "detailed_error": "",
            "request_id": "r" * 26, "status_code": self.status,
        }  # fmt: skip
        return JSONResponse(told, self.status)


class Connection:
    """One account's events: numbered, and the last of them kept for when it comes back."""

    def __init__(self, name: str) -> None:
        self.id = name
        self.sent: list[Record] = []
        self.socket: WebSocket | None = None
        self.pump: asyncio.Queue[Record] = asyncio.Queue()

    def put(self, event: Record, *, lost: bool) -> None:
        numbered = {**event, "seq": len(self.sent)}
        self.sent.append(numbered)
        if self.socket and not lost:
            self.pump.put_nowait(numbered)


class Chat:
    """One server with one team to begin with. Everybody's words are said through its methods."""

    def __init__(self) -> None:
        self.users: dict[str, Record] = {}
        self.teams: dict[str, Record] = {}
        self.channels: dict[str, Record] = {}
        self.members: dict[str, dict[str, Record]] = {}
        """Of channels and teams, by their ids."""
        self.posts: dict[str, Record] = {}
        self.reactions: list[Record] = []
        self.typed: list[tuple[str, str]] = []
        self.dialogs: list[Record] = []
        self.ephemeral: list[Record] = []
        """What came to the addresses of slash commands."""
        self.edits: list[tuple[float, str, str]] = []
        """When which post was changed to what."""
        self.requests: list[tuple[float, str, str]] = []
        self.handshakes: list[Record] = []
        self.token = TOKEN
        self._made = 0
        self._now = 0
        self._pending: dict[str, str] = {}
        self._triggers: set[str] = set()
        self._responds: set[str] = set()
        self._connections: dict[str, Connection] = {}
        self._losing = 0
        self._busy: list[list[Any]] = []
        self._cut: list[list[Any]] = []
        self._open: dict[tuple[str, int], asyncio.Transport] = {}
        self.team = self.a_team("meridian")
        self.bot = self.user("docent", bot=True)

    # -- the world ---------------------------------------------------------

    def user(
        self, name: str, *, bot: bool = False, guest: bool = False, email: str = "", team: str = ""
    ) -> str:
        """Somebody who is in the team; gives his id."""
        user = self._id("u")
        self.users[user] = {
            "id": user, "create_at": self._tick(), "update_at": self._now, "delete_at": 0,
            "username": name, "auth_data": "", "auth_service": "", "email": email, "nickname": "",
            "first_name": "", "last_name": "", "position": "",
            "roles": "system_guest" if guest else "system_user", "locale": "en",
            **({"is_bot": True, "bot_description": ""} if bot else {}),
        }  # fmt: skip
        self._join(team or self.team, user, "team")
        return user

    def deactivate(self, user: str) -> None:
        self.users[user]["delete_at"] = self._tick()
        self._event("user_updated", {"user": self.users[user]})

    def a_team(self, name: str) -> str:
        team = self._id("t")
        self.teams[team] = {"id": team, "name": name, "display_name": name, "delete_at": 0}
        self.members[team] = {}
        return team

    def channel(self, kind: str, *users: str, team: str | None = None) -> str:
        """A channel of these people; `D` and `G` belong to no team."""
        channel = self._id("c")
        own = "" if kind in "DG" else team or self.team
        name = "__".join(sorted(users)) if kind == "D" else f"channel-{channel[-4:]}"
        self.channels[channel] = {
            "id": channel, "create_at": self._tick(), "update_at": self._now, "delete_at": 0,
            "team_id": own, "type": kind, "display_name": "", "name": name, "header": "",
            "purpose": "", "last_post_at": 0, "total_msg_count": 0, "creator_id": "",
        }  # fmt: skip
        self.members[channel] = {}
        for user in users:
            self._join(channel, user, "channel")
        return channel

    def join(self, channel: str, user: str) -> None:
        """Somebody comes into a channel."""
        self._join(channel, user, "channel")
        self._event("user_added", {"user_id": user, "team_id": self.team}, channel)

    def leave(self, channel: str, user: str) -> None:
        del self.members[channel][user]
        self._event("user_removed", {"user_id": user, "remover_id": user}, channel)

    def say(self, user: str, channel: str, text: str, root: str = "", **props: Any) -> str:
        """Write a post; gives its id."""
        post = self._new_post(user, channel, text, root, props)
        self._posted(post)
        return str(post["id"])

    def edit(self, post: str, text: str) -> None:
        self._change(self.posts[post], text, None)

    def remove(self, post: str) -> None:
        """Delete a post, and with it the replies to it."""
        record = self.posts[post]
        before = dict(record)
        for one in self.posts.values():
            if (one["id"] == post or one["root_id"] == post) and not one["delete_at"]:
                one["delete_at"] = one["update_at"] = self._tick()
        data = {"post": json.dumps(before), "delete_by": before["user_id"]}
        self._event("post_deleted", data, record["channel_id"])

    def react(self, user: str, post: str, emoji: str, *, added: bool = True) -> None:
        told = {
            "user_id": user, "post_id": post, "emoji_name": emoji, "create_at": self._tick(),
            "update_at": self._now, "delete_at": 0, "remote_id": "",
            "channel_id": self.posts[post]["channel_id"],
        }  # fmt: skip
        name = "reaction_added" if added else "reaction_removed"
        self._event(name, {"reaction": json.dumps(told)}, told["channel_id"])

    def again(self, post: str) -> None:
        """Tell once more of a post that was told of."""
        self._posted(self.posts[post])

    def replies(self, question: str) -> list[Record]:
        """The replies of the bot below a post, as it claims them; not those that are gone."""
        return [
            one
            for one in self.posts.values()
            if one["user_id"] == self.bot
            and not one["delete_at"]
            and one["props"].get("docent", {}).get("question") == question
        ]

    def text(self, question: str) -> str:
        """What the one reply to a question says."""
        (reply,) = self.replies(question)
        return str(reply["message"])

    def done(self, question: str) -> bool:
        """Whether the reply to a question is complete."""
        return [one["props"]["docent"]["done"] for one in self.replies(question)] == [True]

    # -- what people do through the bot's own door ---------------------------

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

    # -- faults ------------------------------------------------------------

    def busy(self, pattern: str, times: int, after: str | None = "1") -> None:
        """Answer the next requests like `PUT /posts/*` with 429."""
        self._busy.append([pattern, times, after])

    def cut(self, pattern: str, times: int, *, done: bool) -> None:
        """Hang up on the next requests; `done`: after what they ask for was done."""
        self._cut.append([pattern, times, done])

    def drop(self) -> None:
        """Break every WebSocket; what is missed is kept for them."""
        for connection in self._connections.values():
            if connection.socket:
                self._abort(connection.socket)

    def restart(self) -> None:
        """Break every WebSocket, and know none of them any more."""
        self.drop()
        self._connections.clear()

    def lose(self, number: int) -> None:
        """Let the next events be numbered and never sent."""
        self._losing = number

    @property
    def connected(self) -> bool:
        return any(one.socket for one in self._connections.values())

    def heard(self, number: int) -> bool:
        """Whether somebody who expects the event of this number next has heard of all."""
        return any(one.socket and len(one.sent) == number for one in self._connections.values())

    # -- REST --------------------------------------------------------------

    def _routes(self) -> list[Any]:
        table: list[tuple[str, str, Callable[..., Awaitable[Any]]]] = [
            ("GET", "/users/{user}", self._get_user),
            ("POST", "/users/ids", self._users_by_ids),
            ("GET", "/users/me/channels", self._my_channels),
            ("POST", "/users/{user}/typing", self._typing),
            ("GET", "/teams/{team}", self._get_team),
            ("GET", "/teams/{of}/members", self._get_members),
            ("GET", "/channels/{channel}", self._get_channel),
            ("GET", "/channels/{of}/members", self._get_members),
            ("GET", "/channels/{channel}/posts", self._get_posts),
            ("POST", "/channels/direct", self._direct),
            ("POST", "/posts", self._create_post),
            ("GET", "/posts/{post}", self._get_post),
            ("GET", "/posts/{post}/thread", self._get_thread),
            ("PUT", "/posts/{post}/patch", self._patch_post),
            ("DELETE", "/posts/{post}", self._delete_post),
            ("POST", "/actions/dialogs/open", self._open_dialog),
        ]
        routes: list[Any] = [
            Route(f"/api/v4{path}", self._guarded(handler), methods=[method])
            for method, path, handler in table
        ]
        routes.append(WebSocketRoute("/api/v4/websocket", self._websocket))
        routes.append(Route("/hooks/commands/{key}", self._respond, methods=["POST"]))
        return routes

    def _guarded(self, handler: Callable[..., Awaitable[Any]]) -> Any:
        async def answer(request: Request) -> Response:
            short = request.url.path.removeprefix("/api/v4")
            named = f"{request.method} {short}"
            self.requests.append((time.monotonic(), request.method, short))
            body = await request.body()
            try:
                self._check_token(request)
                if (after := self._due(self._busy, named)) is not None:
                    headers = {"Retry-After": after[2]} if after[2] else {}
                    return PlainTextResponse("limit exceeded\n", 429, headers)
                fault = self._due(self._cut, named)
                if fault and not fault[2]:
                    return self._hang_up(request)
                for name, value in request.path_params.items():
                    _checked_id(value, name)
                given = json.loads(body) if body else None
                told = await handler(request, given, **request.path_params)
                if fault:
                    return self._hang_up(request)
            except Refusal as refusal:
                return refusal.answer()
            return JSONResponse(told[0], told[1]) if isinstance(told, tuple) else JSONResponse(told)

        return answer

    def _check_token(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(401, "api.context.session_expired.app_error")

    async def _get_user(self, request: Request, body: Any, user: str) -> Record:
        found = self.users.get(self.bot if user == "me" else user)
        if not found:
            raise Refusal(404, "app.user.missing_account.const")
        return found

    async def _users_by_ids(self, request: Request, body: Any) -> list[Record]:
        if not isinstance(body, list) or not body or len(body) > 200:
            raise Refusal(400, "api.context.invalid_body_param.app_error")
        return [self.users[_checked_id(one, "user")] for one in body if one in self.users]

    async def _my_channels(self, request: Request, body: Any) -> list[Record]:
        return [one for one in self.channels.values() if self.bot in self.members[one["id"]]]

    async def _typing(self, request: Request, body: Any, user: str) -> Record:
        if user != self.bot:
            raise Refusal(403, "api.context.permissions.app_error")
        self._readable(body["channel_id"])
        self.typed.append((body["channel_id"], body.get("parent_id", "")))
        return {"status": "OK"}

    async def _get_team(self, request: Request, body: Any, team: str) -> Record:
        if team not in self.teams:
            raise Refusal(404, "app.team.get.find.app_error")
        return self.teams[team]

    async def _get_members(self, request: Request, body: Any, of: str) -> list[Record]:
        if self.bot not in self.members.get(of, {}):
            raise Refusal(403, "api.context.permissions.app_error")
        page = int(request.query_params.get("page", 0))
        size = min(int(request.query_params.get("per_page", 60)), 200)
        return list(self.members[of].values())[page * size : (page + 1) * size]

    async def _get_channel(self, request: Request, body: Any, channel: str) -> Record:
        found = self.channels.get(channel)
        if not found:
            raise Refusal(404, "app.channel.get.existing.app_error")
        # An open channel may be looked at by all of its team.
        if found["type"] != "O":
            self._readable(channel)
        return found

    async def _get_posts(self, request: Request, body: Any, channel: str) -> Record:
        self._readable(channel)
        asked = request.query_params
        own = [one for one in self.posts.values() if one["channel_id"] == channel]
        if "since" in asked:
            if int(asked["since"]) <= 0:
                raise Refusal(400, "api.context.invalid_url_param.app_error")
            newest = [one for one in own if one["update_at"] > int(asked["since"])]
            return _listing(newest[-MOST_SINCE:])
        page, size = int(asked.get("page", 0)), min(int(asked.get("per_page", 60)), 200)
        alive = [one for one in own if not one["delete_at"]][::-1]
        return _listing(alive[page * size : (page + 1) * size])

    async def _direct(self, request: Request, body: Any) -> Any:
        for one in body:
            _checked_id(one, "user")
        name = "__".join(sorted(body))
        found = [one for one in self.channels.values() if one["name"] == name]
        return (found[0] if found else self.channels[self.channel("D", *body)]), 201

    async def _create_post(self, request: Request, body: Any) -> Any:
        channel = _checked_id(body.get("channel_id"), "channel_id")
        pending = body.get("pending_post_id", "")
        if pending in self._pending:
            known = self.posts.get(self._pending[pending])
            if not known or known["delete_at"]:
                raise Refusal(500, "api.post.deduplicate_create_post.failed_to_get")
            return {**known, "pending_post_id": ""}, 201
        self._readable(channel)
        root = body.get("root_id") or ""
        if root:
            parent = self.posts.get(_checked_id(root, "root_id"))
            # Neither below a reply nor across channels.
            if not parent or parent["root_id"] or parent["channel_id"] != channel:
                raise Refusal(400, "api.post.create_post.root_id.app_error")
            if parent["delete_at"]:
                raise Refusal(400, "api.post.create_post.root_id.app_error")
        _checked_text(body.get("message"))
        post = self._new_post(self.bot, channel, body["message"], root, body.get("props") or {})
        if pending:
            self._pending[pending] = post["id"]
        self._posted(post)
        return post, 201

    async def _get_post(self, request: Request, body: Any, post: str) -> Record:
        return self._post(post)

    async def _get_thread(self, request: Request, body: Any, post: str) -> Record:
        root = self._post(post)["root_id"] or post
        alive = [one for one in self.posts.values() if not one["delete_at"]]
        return _listing([one for one in alive if root in (one["id"], one["root_id"])])

    async def _patch_post(self, request: Request, body: Any, post: str) -> Record:
        record = self._post(post)
        if record["user_id"] != self.bot:
            raise Refusal(403, "api.context.permissions.app_error")
        _checked_text(body.get("message"))
        self.edits.append((time.monotonic(), post, body["message"]))
        return self._change(record, body["message"], body.get("props"))

    async def _delete_post(self, request: Request, body: Any, post: str) -> Record:
        if self._post(post)["user_id"] != self.bot:
            raise Refusal(403, "api.context.permissions.app_error")
        self.remove(post)
        return {"status": "OK"}

    async def _open_dialog(self, request: Request, body: Any) -> Record:
        if body["trigger_id"] not in self._triggers:
            raise Refusal(400, "interactive_message.decode_trigger_id.expired")
        self._triggers.discard(body["trigger_id"])
        dialog = body["dialog"]
        titles = [dialog["title"], dialog["submit_label"]]
        titles += [one["display_name"] for one in dialog["elements"]]
        lengths = [one["max_length"] for one in dialog["elements"]]
        helps = [one["help_text"] for one in dialog["elements"]]
        if (
            any(not title or len(title) > 24 for title in titles)
            or any(length > 3000 for length in lengths)
            or any(len(text) > 150 for text in helps)
            or not body["url"].startswith("http")
        ):
            raise Refusal(400, "app.submit_interactive_dialog.json_error")
        self.dialogs.append(body)
        return {"status": "OK"}

    async def _respond(self, request: Request) -> Response:
        if request.path_params["key"] not in self._responds:
            return Refusal(404, "web.command_webhook.command.app_error").answer()
        body = await request.json()
        if not body.get("text") and not body.get("attachments"):
            return Refusal(400, "web.command_webhook.parse.app_error").answer()
        self.ephemeral.append(body)
        return PlainTextResponse("ok")

    # -- the WebSocket -----------------------------------------------------

    async def _websocket(self, socket: WebSocket) -> None:
        if socket.headers.get("authorization") != f"Bearer {self.token}":
            await socket.send_denial_response(
                Refusal(401, "api.context.session_expired.app_error").answer()
            )
            return
        asked = dict(socket.query_params)
        self.handshakes.append(asked)
        await socket.accept()
        connection = self._taken_up(asked)
        connection.socket = socket
        pumping = asyncio.create_task(_pump(connection, socket))
        try:
            while True:
                await socket.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            if connection.socket is socket:
                connection.socket = None
            pumping.cancel()
            await asyncio.wait([pumping])

    def _taken_up(self, asked: Record) -> Connection:
        """The connection that is named, with what it missed; or a new one, which says hello."""
        known = self._connections.get(asked.get("connection_id", ""))
        number = int(asked.get("sequence_number") or 0)
        if known and len(known.sent) - DEAD_QUEUE <= number <= len(known.sent):
            known.pump = asyncio.Queue()
            for event in known.sent[number:]:
                known.pump.put_nowait(event)
            return known
        made = Connection(self._id("w"))
        self._connections[made.id] = made
        hello = {"connection_id": made.id, "server_version": "11.11.0", "server_hostname": "h"}
        event = {"event": "hello", "data": hello, "broadcast": {"user_id": self.bot}, "seq": 0}
        made.sent.append(event)
        made.pump.put_nowait(event)
        return made

    def _event(self, name: str, data: Record, channel: str = "") -> None:
        if channel and self.bot not in self.members[channel]:
            return
        lost = self._losing > 0
        self._losing = max(0, self._losing - 1)
        broadcast = {"omit_users": None, "user_id": "", "channel_id": channel, "team_id": ""}
        for connection in self._connections.values():
            connection.put({"event": name, "data": data, "broadcast": broadcast}, lost=lost)

    # -- records -----------------------------------------------------------

    def _new_post(self, user: str, channel: str, text: str, root: str, props: Record) -> Record:
        marked = {"from_bot": "true"} if self.users[user].get("is_bot") else {}
        post = {
            "id": self._id("p"), "create_at": self._tick(), "update_at": self._now, "edit_at": 0,
            "delete_at": 0, "is_pinned": False, "user_id": user, "channel_id": channel,
            "root_id": root, "original_id": "", "message": text, "type": props.pop("type", ""),
            "props": {**props, **marked}, "hashtags": "", "file_ids": [], "pending_post_id": "",
            "remote_id": "", "reply_count": 0, "last_reply_at": 0, "participants": None,
            "metadata": {},
        }  # fmt: skip
        self.posts[post["id"]] = post
        self.channels[channel]["last_post_at"] = post["create_at"]
        return post

    def _posted(self, post: Record) -> None:
        channel = self.channels[post["channel_id"]]
        data = {
            "channel_display_name": "", "channel_name": channel["name"],
            "channel_type": channel["type"], "post": json.dumps(post),
            "sender_name": "@" + self.users[post["user_id"]]["username"], "set_online": True,
            "team_id": channel["team_id"],
        }  # fmt: skip
        self._event("posted", data, channel["id"])

    def _change(self, record: Record, text: str, props: Record | None) -> Record:
        record["message"] = text
        record["update_at"] = record["edit_at"] = self._tick()
        if props is not None:
            marked = {"from_bot": "true"} if self.users[record["user_id"]].get("is_bot") else {}
            record["props"] = {**props, **marked}
        self._event("post_edited", {"post": json.dumps(record)}, record["channel_id"])
        return record

    def _post(self, post: str) -> Record:
        found = self.posts.get(post)
        if not found or found["delete_at"]:
            raise Refusal(404, "app.post.get.app_error")
        self._readable(found["channel_id"])
        return found

    def _readable(self, channel: str) -> None:
        if self.bot not in self.members.get(_checked_id(channel, "channel_id"), {}):
            raise Refusal(403, "api.context.permissions.app_error")

    def _join(self, of: str, user: str, kind: str) -> None:
        guest = "guest" in self.users[user]["roles"]
        self.members[of][user] = {
            f"{kind}_id": of, "user_id": user, "delete_at": 0,
            "roles": f"{kind}_guest" if guest else f"{kind}_user", "scheme_guest": guest,
            "scheme_user": not guest, "scheme_admin": False,
        }  # fmt: skip

    def _trigger(self, user: str) -> str:
        trigger = f"{self._id('g')}:{user}"
        self._triggers.add(trigger)
        return trigger

    def _id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{self._made:025d}"

    def _tick(self) -> int:
        self._now = max(self._now + 1, round(time.time() * 1000))
        return self._now

    # -- sockets -----------------------------------------------------------

    def _due(self, faults: list[list[Any]], named: str) -> list[Any] | None:
        for fault in faults:
            if fault[1] > 0 and fnmatchcase(named, fault[0]):
                fault[1] -= 1
                return fault
        return None

    def _hang_up(self, request: Request) -> Response:
        self._abort(request)
        return Response()

    def _abort(self, of: Request | WebSocket) -> None:
        assert of.client is not None
        transport = self._open.get((of.client.host, of.client.port))
        if transport:
            transport.abort()

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


async def _pump(connection: Connection, socket: WebSocket) -> None:
    pump = connection.pump
    while True:
        event = await pump.get()
        try:
            await socket.send_text(json.dumps(event))
        except (WebSocketDisconnect, RuntimeError):
            return


def _listing(posts: list[Record]) -> Record:
    ordered = sorted(posts, key=lambda one: -one["create_at"])
    return {
        "order": [one["id"] for one in ordered],
        "posts": {one["id"]: one for one in posts},
        "next_post_id": "",
        "prev_post_id": "",
    }


def _checked_id(value: Any, name: str) -> str:
    if value != "me" and not (isinstance(value, str) and re.fullmatch("[a-z0-9]{26}", value)):
        raise Refusal(400, f"api.context.invalid_url_param.app_error ({name})")
    return str(value)


def _checked_text(text: Any) -> None:
    if not isinstance(text, str) or len(text) > LONGEST:
        raise Refusal(400, "model.post.is_valid.message_length.app_error")
