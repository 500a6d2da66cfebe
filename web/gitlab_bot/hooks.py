"""Webhooks: from the right GitLab, new, not too many, and about something that asks us.

A webhook is only ever a hint where to look. Its secret comes with every one and signs nothing, so
whoever has caught one could send it again: what was heard is remembered, and what is old refused.
"""

import hmac
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from web.bots.door import HookRefused
from web.gitlab_bot.asked import asked_in
from web.gitlab_bot.gitlab import ISSUES, MERGE_REQUESTS, Place

MAX_BODY = 4 * 1024 * 1024
"""GitLab allows a million characters in a description."""
TOO_LONG = f"A webhook of more than {MAX_BODY // 2**20} MB is not read."
FRESH = timedelta(minutes=15)
AHEAD = timedelta(minutes=5)
"""So far two clocks may be apart."""
MOST_KEPT = 50_000
TOKEN = "x-gitlab-token"  # noqa: S105 - the name of a header


@dataclass(frozen=True, slots=True)
class Heard:
    """Something was written in GitLab that may be for us: where to look it up."""

    place: Place
    note: int | None = None
    """The comment; None: the description."""
    pushed: bool = False
    """Commits of a merge request came, so its changes may be looked at unasked."""

    @property
    def key(self) -> str:
        """Names it."""
        return f"{self.place.path}#{self.note or ''}{'+' if self.pushed else ''}"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, of which `heard_of` makes it again."""
        return asdict(self)


def heard_of(told: Mapping[str, Any]) -> Heard:
    """What was made plain by `to_dict`."""
    return Heard(**{**told, "place": Place(**told["place"])})


class Hooks:
    """Takes webhooks, one after the other."""

    def __init__(
        self,
        secret: str,
        username: str,
        a_minute: int,
        clock: Callable[[], datetime],
        most_kept: int = MOST_KEPT,
    ) -> None:
        """`a_minute` of one project, and ten times as many of all; `most_kept` are remembered."""
        self._secret = secret.encode()
        self._username = username
        self._each = RateLimitItemPerMinute(a_minute)
        self._all = RateLimitItemPerMinute(10 * a_minute)
        self._counters = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._clock = clock
        self._most_kept = most_kept
        self._known: OrderedDict[str, datetime] = OrderedDict()

    def check(self, headers: Mapping[str, str]) -> None:
        """Whether it is worth reading; `headers` have their names in lower case.

        Raises:
            HookRefused: 401 without the right secret, 413 when it is too long.
        """
        # Bytes, since a header may hold what `compare_digest` takes for no text.
        given = headers.get(TOKEN, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self._secret):
            raise HookRefused(
                HTTPStatus.UNAUTHORIZED,
                "The secret token of this webhook is not the one that Docent was given.",
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise HookRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LONG)

    def take(self, headers: Mapping[str, str], body: bytes) -> Heard | None:
        """What it is about; None where nobody asks us anything.

        Raises:
            HookRefused: it cannot be read, came before, is old, or there were too many.
        """
        told = _parsed(body)
        self._count(str(_project(told)))
        heard = self._heard(told)
        if heard is None:
            return None
        now = self._clock()
        self._refuse_old(_part(told, "object_attributes"), now)
        keys = [sha256(body).hexdigest()]
        if given := headers.get("idempotency-key"):
            keys.append(f"key {given[:200]}")
        self._refuse_again(keys, now)
        return heard

    def _heard(self, told: Mapping[str, Any]) -> Heard | None:
        match told.get("object_kind"):
            case "note":
                return self._note(told)
            case "issue" | "work_item":
                return self._described(told, ISSUES)
            case "merge_request":
                return self._merge_request(told)
        return None

    def _note(self, told: Mapping[str, Any]) -> Heard | None:
        note = _part(told, "object_attributes")
        if note.get("system") is True or not self._asks(note.get("note")):
            return None
        if "issue" in told:
            return Heard(_place(told, ISSUES, _part(told, "issue")), _number(note, "id"))
        if "merge_request" in told:
            place = _place(told, MERGE_REQUESTS, _part(told, "merge_request"))
            return Heard(place, _number(note, "id"))
        return None  # at a commit or a snippet

    def _described(self, told: Mapping[str, Any], part: str) -> Heard | None:
        thing = _part(told, "object_attributes")
        changed = thing.get("action") == "open" or "description" in _part(told, "changes")
        if not changed or not self._asks(thing.get("description")):
            return None
        return Heard(_place(told, part, thing))

    def _merge_request(self, told: Mapping[str, Any]) -> Heard | None:
        thing = _part(told, "object_attributes")
        asks = self._described(told, MERGE_REQUESTS)
        # `oldrev` comes with an update only where there are new commits.
        pushed = thing.get("action") in ("open", "reopen") or bool(thing.get("oldrev"))
        if not pushed:
            return asks
        return Heard(_place(told, MERGE_REQUESTS, thing), pushed=True)

    def _asks(self, text: object) -> bool:
        return isinstance(text, str) and asked_in(text, self._username) is not None

    def _count(self, project: str) -> None:
        for item, *whose in ((self._each, "project", project), (self._all, "all")):
            if not self._counters.hit(item, *whose):
                reset = self._counters.get_window_stats(item, *whose).reset_time
                wait = max(1, math.ceil(reset - datetime.now(UTC).timestamp()))
                raise HookRefused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"More than {item.amount} webhooks in a minute: this one was not read.",
                    wait,
                )

    def _refuse_old(self, thing: Mapping[str, Any], now: datetime) -> None:
        at = _moment(thing.get("updated_at") or thing.get("created_at"))
        if at is None:
            raise _unreadable(why="it does not say when it was written")
        if not -AHEAD <= now - at <= FRESH:
            minutes = int(FRESH.total_seconds() // 60)
            raise HookRefused(
                HTTPStatus.CONFLICT,
                f"What this webhook tells is not of the last {minutes} minutes: it was not read. "
                "Docent looks every few minutes for questions that it missed.",
            )

    def _refuse_again(self, keys: list[str], now: datetime) -> None:
        while self._known and now - next(iter(self._known.values())) > FRESH + AHEAD:
            self._known.popitem(last=False)
        if any(key in self._known for key in keys):
            raise HookRefused(
                HTTPStatus.CONFLICT, "This webhook came before: it was not read again."
            )
        self._known.update(dict.fromkeys(keys, now))
        while len(self._known) > self._most_kept:
            self._known.popitem(last=False)


def _parsed(body: bytes) -> Mapping[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise _unreadable(why="it is not JSON") from None
    if not isinstance(told, dict):
        raise _unreadable(why="it is no JSON object")
    return told


def _place(told: Mapping[str, Any], part: str, thing: Mapping[str, Any]) -> Place:
    project = {"project": _project(told)}
    return Place(_number(project, "project"), part, _number(thing, "iid"))


def _project(told: Mapping[str, Any]) -> object:
    """The number of the project; some kinds and servers tell it elsewhere."""
    thing = _part(told, "object_attributes")
    named = (
        _part(told, "project").get("id"),
        told.get("project_id"),
        thing.get("target_project_id"),
        thing.get("project_id"),
    )
    return next((one for one in named if one is not None), None)


def _part(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _number(told: Mapping[str, Any], name: str) -> int:
    found = told.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**63:
        raise _unreadable(why=f"its {name} is no number")
    return found


def _moment(value: object) -> datetime | None:
    """A date as webhooks have it: ISO 8601, or `2015-05-17 17:06:40 UTC` of older servers."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _unreadable(why: str) -> HookRefused:
    return HookRefused(HTTPStatus.UNPROCESSABLE_ENTITY, f"This webhook cannot be read: {why}.")
