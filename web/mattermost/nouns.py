"""What Mattermost tells, checked: accounts, channels, posts. What has another shape is nothing."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ID = re.compile(r"[a-z0-9]{26}", re.ASCII)

OPEN, PRIVATE, DIRECT, GROUP = "O", "P", "D", "G"
"""Kinds of channels, as Mattermost names them."""


def is_id(value: object) -> bool:
    """Whether it is an id of Mattermost: 26 letters and digits."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody, or some program, of the server."""

    id: str
    username: str
    email: str = ""
    bot: bool = False
    deleted: bool = False
    """Deactivated: nobody can sign in with it."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who belongs to a channel or team."""

    user: str
    guest: bool


@dataclass(frozen=True, slots=True)
class Channel:
    """Where posts stand."""

    id: str
    team: str
    """Empty for direct and group messages."""
    kind: str
    name: str
    """Of a direct message: the two ids of its people, joined by two underscores."""
    archived: bool = False

    @property
    def pair(self) -> frozenset[str]:
        """The two of a direct message; nobody for another channel."""
        both = frozenset(self.name.split("__")) if self.kind == DIRECT else frozenset()
        return both if all(is_id(one) for one in both) else frozenset()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a reply of ours bears: which question it answers, and where the answer is kept."""

    question: str
    digest: str
    """Of the question's text: another text wants another answer."""
    asker: str
    done: bool
    answer: str = ""
    """The id of the message that keeps it, where it is kept."""
    conversation: str = ""
    """The id of the conversation that it stands in."""

    def to_props(self) -> dict[str, Any]:
        """As it stands in the properties of a post."""
        return {
            "docent": {
                "question": self.question,
                "digest": self.digest,
                "asker": self.asker,
                "done": self.done,
                "answer": self.answer,
                "conversation": self.conversation,
            }
        }


@dataclass(frozen=True, slots=True)
class Quoted:
    """What somebody asked by a slash command: the bot has written it down for him."""

    text: str
    by: str

    def to_props(self) -> dict[str, Any]:
        """As it stands in the properties of a post."""
        return {"docent_asked": {"text": self.text, "by": self.by}}


@dataclass(frozen=True, slots=True)
class Post:
    """A post. Times are milliseconds of the server's clock."""

    id: str
    channel: str
    user: str
    root: str
    """The post that the thread begins with; empty for one that begins a thread, or stands alone."""
    text: str
    kind: str
    """Empty for what somebody wrote; such as `system_join_channel` for what the server says."""
    created: int
    updated: int
    deleted: bool
    from_bot: bool
    mark: Mark | None = field(default=None, compare=False)
    """Of any author: only a post of the bot itself is believed."""
    quoted: Quoted | None = field(default=None, compare=False)
    """Likewise."""

    @property
    def thread(self) -> str:
        """The post under which replies to this one stand."""
        return self.root or self.id


def account_of(record: Mapping[str, Any]) -> Account | None:
    """An account; None for something else."""
    if not is_id(record.get("id")):
        return None
    return Account(
        record["id"],
        str(record.get("username") or ""),
        str(record.get("email") or ""),
        bot=record.get("is_bot") is True,
        deleted=bool(record.get("delete_at")),
    )


def member_of(record: Mapping[str, Any]) -> Member | None:
    """A member of a channel or team who has not left it; None for something else."""
    if not is_id(record.get("user_id")) or record.get("delete_at"):
        return None
    guest = record.get("scheme_guest") is True or "guest" in str(record.get("roles") or "")
    return Member(record["user_id"], guest)


def channel_of(record: Mapping[str, Any]) -> Channel | None:
    """A channel; None for something else."""
    team = record.get("team_id") or ""
    if not is_id(record.get("id")) or (team and not is_id(team)):
        return None
    kind, name = str(record.get("type") or ""), str(record.get("name") or "")
    return Channel(record["id"], team, kind, name, archived=bool(record.get("delete_at")))


def post_of(record: object) -> Post | None:
    """A post, as a record or as the JSON text that events carry; None for something else."""
    if isinstance(record, str):
        try:
            record = json.loads(record)
        except ValueError:
            return None
    if not isinstance(record, Mapping):
        return None
    post, channel, user = (str(record.get(name)) for name in ("id", "channel_id", "user_id"))
    root, message = record.get("root_id") or "", record.get("message")
    if not (is_id(post) and is_id(channel) and is_id(user)) or (root and not is_id(root)):
        return None
    if not isinstance(message, str):
        return None
    props = record.get("props")
    props = props if isinstance(props, Mapping) else {}
    return Post(
        post,
        channel,
        user,
        root=root,
        text=message,
        kind=str(record.get("type") or ""),
        created=_moment(record, "create_at"),
        updated=_moment(record, "update_at"),
        deleted=bool(record.get("delete_at")),
        # Also what a webhook or a plugin writes in somebody's name.
        from_bot=any(_true(props.get(key)) for key in ("from_bot", "from_webhook", "from_plugin")),
        mark=_mark(props.get("docent")),
        quoted=_quoted(props.get("docent_asked")),
    )


def posts_of(listing: object) -> list[Post]:
    """The posts of a `PostList`, the oldest first."""
    posts = listing.get("posts") if isinstance(listing, Mapping) else None
    found = [post_of(one) for one in (posts.values() if isinstance(posts, Mapping) else ())]
    return sorted((one for one in found if one), key=lambda one: (one.created, one.id))


def _mark(value: object) -> Mark | None:
    if not isinstance(value, Mapping) or not is_id(value.get("question")):
        return None
    return Mark(
        value["question"],
        str(value.get("digest") or ""),
        str(value.get("asker") or ""),
        done=value.get("done") is True,
        answer=str(value.get("answer") or ""),
        conversation=str(value.get("conversation") or ""),
    )


def _quoted(value: object) -> Quoted | None:
    if not isinstance(value, Mapping) or not is_id(value.get("by")):
        return None
    return Quoted(str(value.get("text") or ""), value["by"])


def _moment(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _true(value: object) -> bool:
    return value in (True, "true")
