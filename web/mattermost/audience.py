"""Who sees what is written in a channel, and as whom an answer there is therefore read.

An answer in a channel is made of what every one of its members may read. An open channel can be
read by all of its team, members or not, so there it is the team that counts. Guests, and whoever
has not linked his account, are the public.
"""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta

from ingest.access import Reader
from web.audience import caller_reading, groups_of, groups_of_all, own_caller, public_caller
from web.mattermost import SERVICE
from web.mattermost.nouns import DIRECT, OPEN, Account, Channel, Member
from web.mattermost.server import Server
from web.state import State, StateTrouble
from web.who import Caller

MOST_MEMBERS = 10_000
"""More are taken for the public: to look at all of them would keep the server busy."""

log = logging.getLogger(__name__)

Groups = frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """Of the settings, what decides about rights."""

    rights_last: timedelta
    """So long the groups of the last sign-in are believed."""
    members_last_s: float
    """So long it is believed who is in a channel."""
    trust_email: bool


class Audience:
    """Looks up who is where, and remembers it for a short while."""

    def __init__(
        self,
        server: Server,
        state: State,
        me: Account,
        rules: Rules,
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._state = state
        self._me = me
        self._rules = rules
        self._clock = clock
        self._known: dict[str, tuple[float, Groups]] = {}

    def private(self, channel: Channel, user: str) -> bool:
        """Whether nobody but the bot and one person sees what is written there."""
        return channel.kind == DIRECT and channel.pair == {self._me.id, user}

    async def caller(self, channel: Channel, user: str) -> Caller:
        """Who asks in a channel, with the rights that all have who see the answer.

        Raises:
            ChatTrouble: it cannot be told who is there.
        """
        if self.private(channel, user):
            return await self.own(user)
        try:
            reader = Reader(await self._common(channel))
            return await caller_reading(self._state, SERVICE, user, reader)
        except StateTrouble as trouble:
            return self._unknown(user, trouble)

    async def own(self, user: str) -> Caller:
        """Who asks where nobody else sees the answer: with his own rights, if he is known."""
        last = self._rules.rights_last
        try:
            own = await own_caller(self._state, SERVICE, user, rights_last=last)
            if own is None and self._rules.trust_email and not await self._strangers({user}):
                own = await own_caller(self._state, SERVICE, user, rights_last=last)
        except StateTrouble as trouble:
            return self._unknown(user, trouble)
        return own or public_caller(SERVICE, user)

    def forget(self, channel: str | None = None) -> None:
        """Look again who is in a channel, or in all."""
        if channel is None:
            self._known.clear()
        else:
            self._known.pop(channel, None)

    def _unknown(self, user: str, trouble: StateTrouble) -> Caller:
        log.warning("Who may read what is not known now, so it is read as the public: %s", trouble)
        return public_caller(SERVICE, user)

    async def _common(self, channel: Channel) -> Groups:
        """The groups that all have who see a channel."""
        key = channel.team if channel.kind == OPEN else channel.id
        at, known = self._known.get(key, (-1.0, frozenset()))
        if at >= 0 and self._clock() - at < self._rules.members_last_s:
            return known
        now = self._clock()
        pages = (
            self._server.team_members(channel.team)
            if channel.kind == OPEN
            else self._server.channel_members(channel.id)
        )
        found = await self._groups(pages)
        self._known[key] = (now, found)
        return found

    async def _groups(self, pages: AsyncIterator[list[Member]]) -> Groups:
        """The groups that all members have; the first who has none ends the search."""
        common: list[Groups] = []
        counted = 0
        async for page in pages:
            members = [one for one in page if one.user != self._me.id]
            counted += len(members)
            if counted > MOST_MEMBERS or any(one.guest for one in members):
                return frozenset()
            ids = {one.user for one in members}
            groups = await groups_of(self._state, SERVICE, ids, rights_last=self._rules.rights_last)
            strangers = ids - groups.keys()
            if strangers and await self._strangers(strangers):
                return frozenset()
            if strangers:
                # Those who could be linked by their mail address are known by now.
                groups = await groups_of(
                    self._state, SERVICE, ids, rights_last=self._rules.rights_last
                )
            if groups:
                common = [groups_of_all([*common, *groups.values()])]
            if common == [frozenset()]:
                break
        return common[0] if common else frozenset()

    async def _strangers(self, ids: set[str]) -> set[str]:
        """Those of whom nothing is known and who can read: neither gone nor now linked."""
        accounts = await self._server.accounts(sorted(ids))
        left = ids - {one.id for one in accounts if one.deleted}
        if not self._rules.trust_email:
            return left
        for one in accounts:
            if one.id in left and one.email and not one.bot and await self._link(one):
                left.discard(one.id)
        return left

    async def _link(self, account: Account) -> bool:
        """Link an account with the one user who has the same verified mail address.

        False: there is none, or he has not signed in for too long.
        """
        state = self._state
        user = await state.links.user_of(SERVICE, account.id)
        if user is None:
            users = [
                one
                for one in await state.users.named(account.email)
                if one.email_verified and one.email.casefold() == account.email.casefold()
            ]
            if len(users) != 1:
                return False
            user = users[0]
            await state.links.put(user.id, SERVICE, account.id, f"@{account.username}")
        return state.database.clock() - user.signed_in_at <= self._rules.rights_last
