"""Who will see an answer of a bot, and as whom it is therefore read.

An answer that several people see is made of what all of them may read: the groups that every one
of them has. Somebody who has not linked his account, or has not signed in for long, is the public.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from ingest.access import ANYBODY, Reader
from web.state import State, User
from web.who import Caller, Role, Scope

BOT_SCOPES = frozenset({Scope.ASK, Scope.SEARCH, Scope.READ, Scope.FEEDBACK})
"""What somebody may do through a bot: what one does in a chat, and nothing of accounts."""


def groups_of_all(members: Iterable[Iterable[str]]) -> frozenset[str]:
    """The groups that every member has. Of nobody: none, since nothing is known of who reads."""
    each = [frozenset(groups) for groups in members]
    return frozenset.intersection(*each) if each else frozenset()


async def groups_of(
    state: State, service: str, member_ids: Iterable[str], *, rights_last: timedelta
) -> dict[str, frozenset[str]]:
    """The groups of those of some people of `service` of whom they are known.

    `rights_last` is `[signin] token_days`: only a sign-in tells somebody's groups, and they are
    believed for so long. Who is left out reads what is public.

    Raises:
        StateTrouble: the database cannot be asked.
    """
    users = await state.links.users_of(service, frozenset(member_ids))
    return {
        member: frozenset(user.groups)
        for member, user in users.items()
        if _fresh(state, user, rights_last)
    }


async def common_reader(
    state: State, service: str, member_ids: Iterable[str], *, rights_last: timedelta
) -> Reader:
    """The reader of an answer that all of `member_ids` see, who are people of `service`.

    Name everybody who can see it, also guests and other bots. A reader for several people has no
    user id.

    Raises:
        StateTrouble: as of `groups_of`, where `rights_last` is explained.
    """
    ids = frozenset(member_ids)
    known = await groups_of(state, service, ids, rights_last=rights_last)
    return Reader(groups_of_all(known.get(member, ()) for member in ids))


async def own_caller(
    state: State, service: str, external_id: str, *, rights_last: timedelta
) -> Caller | None:
    """Somebody of `service` with all his own rights, for an answer that nobody else sees.

    None: he has not linked his account, or has not signed in for `rights_last`.

    Raises:
        StateTrouble: the database cannot be asked.
    """
    user = await state.links.user_of(service, external_id)
    if user is None or not _fresh(state, user, rights_last):
        return None
    return _caller(user.id, user, Reader(frozenset(user.groups), user.id))


async def shared_caller(
    state: State,
    service: str,
    external_id: str,
    member_ids: Sequence[str],
    *,
    rights_last: timedelta,
) -> Caller:
    """Somebody of `service` who asks where all of `member_ids` see the answer, and he as well.

    Raises:
        StateTrouble: the database cannot be asked.
    """
    everybody = {external_id, *member_ids}
    reader = await common_reader(state, service, everybody, rights_last=rights_last)
    return await caller_reading(state, service, external_id, reader)


async def caller_reading(state: State, service: str, external_id: str, reader: Reader) -> Caller:
    """Somebody of `service` who reads as `reader`.

    His questions are counted and written down under his own account where it is linked.

    Raises:
        StateTrouble: the database cannot be asked.
    """
    user = await state.links.user_of(service, external_id)
    return _caller(user.id if user else external_user(service, external_id), user, reader)


def public_caller(service: str, external_id: str) -> Caller:
    """Somebody of `service` of whom nothing is known: he reads what is public."""
    return _caller(external_user(service, external_id), None, ANYBODY)


def external_user(service: str, external_id: str) -> str:
    """What stands for a user id where somebody has no account here."""
    return f"{service}:{external_id}"


def _caller(user_id: str, user: User | None, reader: Reader) -> Caller:
    return Caller(
        user_id=user_id,
        name=user.name if user else "",
        email=user.email if user else "",
        reader=reader,
        role=Role.READER,
        scopes=BOT_SCOPES,
        via="bot",
    )


def _fresh(state: State, user: User, rights_last: timedelta) -> bool:
    return state.database.clock() - user.signed_in_at <= rights_last
