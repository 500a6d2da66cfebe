"""People, channels and posts; what everybody but the bot does there."""

import json
import time
from typing import Any

from tests.servers.chat.events import Events
from tests.servers.chat.refusal import Record, Refusal, checked_id


class World(Events):
    """One team to begin with. Everybody's words are said through its methods."""

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, Record] = {}
        self.teams: dict[str, Record] = {}
        self.channels: dict[str, Record] = {}
        self.posts: dict[str, Record] = {}
        self.reactions: list[Record] = []
        self._now = 0
        self._triggers: set[str] = set()
        self.team = self.a_team("meridian")
        self.bot = self.user("docent", bot=True)

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
        if self.bot not in self.members.get(checked_id(channel, "channel_id"), {}):
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

    def _tick(self) -> int:
        self._now = max(self._now + 1, round(time.time() * 1000))
        return self._now
