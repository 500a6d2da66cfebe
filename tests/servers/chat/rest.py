"""REST v4, as far as the bot asks it; and the faults that come on demand."""

import json
import time
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from tests.servers.chat.refusal import Record, Refusal, checked_id, checked_text
from tests.servers.chat.world import World

MOST_SINCE = 1000


class Rest(World):
    """What the server answers, and what it remembers of having been asked."""

    def __init__(self) -> None:
        super().__init__()
        self.typed: list[tuple[str, str]] = []
        self.dialogs: list[Record] = []
        self.ephemeral: list[Record] = []
        """What came to the addresses of slash commands."""
        self.edits: list[tuple[float, str, str]] = []
        """When which post was changed to what."""
        self.requests: list[tuple[float, str, str]] = []
        self._pending: dict[str, str] = {}
        self._responds: set[str] = set()
        self._busy: list[list[Any]] = []
        self._cut: list[list[Any]] = []

    def busy(self, pattern: str, times: int, after: str | None = "1") -> None:
        """Answer the next requests like `PUT /posts/*` with 429."""
        self._busy.append([pattern, times, after])

    def cut(self, pattern: str, times: int, *, done: bool) -> None:
        """Hang up on the next requests; `done`: after what they ask for was done."""
        self._cut.append([pattern, times, done])

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
        # Its address is the secret: no token is asked for.
        respond = self._guarded(self._respond, token=False)
        routes.append(Route("/hooks/commands/{key}", respond, methods=["POST"]))
        return routes

    def _guarded(self, handler: Callable[..., Awaitable[Any]], *, token: bool = True) -> Any:
        async def answer(request: Request) -> Response:
            short = request.url.path.removeprefix("/api/v4")
            named = f"{request.method} {short}"
            self.requests.append((time.monotonic(), request.method, short))
            body = await request.body()
            try:
                if token:
                    self._check_token(request)
                if (after := self._due(self._busy, named)) is not None:
                    headers = {"Retry-After": after[2]} if after[2] else {}
                    return PlainTextResponse("limit exceeded\n", 429, headers)
                fault = self._due(self._cut, named)
                if fault and not fault[2]:
                    return self._hang_up(request)
                for name, value in request.path_params.items():
                    checked_id(value, name)
                given = json.loads(body) if body else None
                told = await handler(request, given, **request.path_params)
                if fault:
                    return self._hang_up(request)
            except Refusal as refusal:
                return refusal.answer()
            if isinstance(told, Response):
                return told
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
        return [self.users[checked_id(one, "user")] for one in body if one in self.users]

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
            checked_id(one, "user")
        name = "__".join(sorted(body))
        found = [one for one in self.channels.values() if one["name"] == name]
        return (found[0] if found else self.channels[self.channel("D", *body)]), 201

    async def _create_post(self, request: Request, body: Any) -> Any:
        channel = checked_id(body.get("channel_id"), "channel_id")
        pending = body.get("pending_post_id", "")
        if pending in self._pending:
            known = self.posts.get(self._pending[pending])
            if not known or known["delete_at"]:
                raise Refusal(500, "api.post.deduplicate_create_post.failed_to_get")
            return {**known, "pending_post_id": ""}, 201
        self._readable(channel)
        root = body.get("root_id") or ""
        if root:
            parent = self.posts.get(checked_id(root, "root_id"))
            # Neither below a reply nor across channels.
            if not parent or parent["root_id"] or parent["channel_id"] != channel:
                raise Refusal(400, "api.post.create_post.root_id.app_error")
            if parent["delete_at"]:
                raise Refusal(400, "api.post.create_post.root_id.app_error")
        checked_text(body.get("message"))
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
        checked_text(body.get("message"))
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

    async def _respond(self, request: Request, body: Any, key: str) -> Response:
        if key not in self._responds:
            raise Refusal(404, "web.command_webhook.command.app_error")
        if not body.get("text") and not body.get("attachments"):
            raise Refusal(400, "web.command_webhook.parse.app_error")
        self.ephemeral.append(body)
        return PlainTextResponse("ok")

    def _due(self, faults: list[list[Any]], named: str) -> list[Any] | None:
        for fault in faults:
            if fault[1] > 0 and fnmatchcase(named, fault[0]):
                fault[1] -= 1
                return fault
        return None

    def _hang_up(self, request: Request) -> Response:
        self._abort(request)
        return Response()


def _listing(posts: list[Record]) -> Record:
    ordered = sorted(posts, key=lambda one: -one["create_at"])
    return {
        "order": [one["id"] for one in ordered],
        "posts": {one["id"]: one for one in posts},
        "next_post_id": "",
        "prev_post_id": "",
    }
