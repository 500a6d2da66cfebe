"""Who will see what is written below an issue or merge request, and as whom it is therefore read.

What is written there stays, and mails go out: so everybody counts who is a member, whatever his
role, and where more people than the members may look, only what those all may read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from anyio.to_thread import run_sync

from ingest.access import ANYBODY, Reader
from ingest.client_settings import GitLabBotSettings
from ingest.sources.gitlab.api import Record
from web.audience import caller_reading, groups_of, groups_of_all
from web.gitlab_bot.gitlab import Account, people
from web.state import State
from web.who import Caller

BELIEVED_S = 60.0
"""So long it is believed who is a member."""


class Members(Protocol):
    """What is needed of `GitLab`."""

    def members(self, root: str) -> list[Account]: ...
    def group_members(self, path: str) -> list[Account]: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """As whom a question is answered, and why."""

    caller: Caller
    why: str
    """A sentence for those who see the answer."""


class Audience:
    """Looks up who sees what."""

    def __init__(
        self,
        state: State,
        members: Members,
        settings: GitLabBotSettings,
        service: str,
        rights_last: timedelta,
        me: Account,
    ) -> None:
        self._state = state
        self._members = members
        self._settings = settings
        self._service = service
        self._rights_last = rights_last
        self._me = me
        self._lists: dict[str, tuple[float, frozenset[int]]] = {}

    async def of(self, project: Record, thing: Record, asker: int) -> Seen:
        """Who sees the discussion of `thing`, an issue or merge request of `project`.

        Raises:
            FetchError: GitLab does not tell who is a member.
            StateTrouble: the database cannot be asked.
        """
        reader, why = await self._reader(project, thing, asker)
        caller = await caller_reading(self._state, self._service, str(asker), reader)
        return Seen(caller, why)

    async def _reader(self, project: Record, thing: Record, asker: int) -> tuple[Reader, str]:
        if thing.get("service_desk_reply_to"):
            return ANYBODY, "Made of public pages: people outside GitLab get this issue by mail."
        if project.get("visibility") == "internal" and self._settings.signed_in:
            reader = Reader(frozenset(self._settings.signed_in))
            return reader, "Made of what everybody may read who can open this project."
        if project.get("visibility") != "private":
            return ANYBODY, "Made of public pages: more people than its members see this project."
        seen = {member.id for member in people(thing)} | {asker}
        seen |= await self._list(f"projects/{project['id']}")
        return await self._of_all(frozenset(seen - {self._me.id}))

    async def _of_all(self, seen: frozenset[int]) -> tuple[Reader, str]:
        known: Mapping[str, frozenset[str]] = await groups_of(
            self._state, self._service, map(str, seen), rights_last=self._rights_last
        )
        promised = await self._promised()
        each = {
            member: known.get(str(member), frozenset()) | promised.get(member, frozenset())
            for member in seen
        }
        reader = Reader(groups_of_all(each.values()))
        unknown = sum(str(one) not in known and one not in promised for one in seen)
        if unknown:
            return reader, (
                f"Made of public pages: Docent does not know {unknown} of the {len(seen)} people "
                "who see this, or their sign-in is too long ago."
            )
        if not reader.groups:
            return (
                reader,
                f"Made of public pages: the {len(seen)} people who see this share no group.",
            )
        return reader, f"Made of what all {len(seen)} people may read who see this."

    async def _promised(self) -> dict[int, frozenset[str]]:
        """What the settings promise of the members of groups at GitLab."""
        found: dict[int, frozenset[str]] = {}
        for path, groups in self._settings.members.items():
            for member in await self._list(path, group=True):
                found[member] = found.get(member, frozenset()) | groups
        return found

    async def _list(self, root: str, *, group: bool = False) -> frozenset[int]:
        """The numbers of all members, cached for a moment."""
        now = self._state.database.clock().timestamp()
        until, ids = self._lists.get(root, (0.0, frozenset()))
        if now >= until:
            ask = self._members.group_members if group else self._members.members
            ids = frozenset(one.id for one in await run_sync(partial(ask, root)))
            self._lists[root] = now + BELIEVED_S, ids
        return ids
