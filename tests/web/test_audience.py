"""As whom an answer is read that several people see."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.access import ANYBODY, Reader
from web.audience import (
    caller_reading,
    common_reader,
    groups_of,
    groups_of_all,
    own_caller,
    public_caller,
    shared_caller,
)
from web.who import Role, Scope

MONTH = timedelta(days=30)
GROUPS = st.frozensets(st.sampled_from("abcdef"))


@given(st.lists(GROUPS, max_size=6))
def test_a_group_counts_when_everybody_has_it(members):
    common = groups_of_all(members)

    for group in "abcdef":
        assert (group in common) == (bool(members) and all(group in one for one in members))


@given(st.lists(GROUPS, min_size=1, max_size=6), GROUPS)
def test_one_more_never_opens_anything(members, other):
    assert groups_of_all([*members, other]) <= groups_of_all(members)


@given(st.lists(GROUPS, max_size=6))
def test_somebody_unknown_closes_everything(members):
    assert groups_of_all([*members, frozenset()]) == frozenset()


@given(st.lists(GROUPS, max_size=6))
def test_the_order_and_repetition_do_not_matter(members):
    assert groups_of_all(members) == groups_of_all([*members[::-1], *members])


@pytest.fixture
async def state(services):
    for name, groups in (("ada", ("muons", "board")), ("ben", ("muons",)), ("eva", ())):
        user = await services.state.users.sign_in(
            "https://id.example", name, name=name, email=f"{name}@x", groups=groups, role="admin"
        )
        await services.state.links.put(user.id, "chat", name[0])
    return services.state


def later(state, **time):
    before = state.database.clock
    state.database.clock = lambda: before() + timedelta(**time)


async def reader(state, *members):
    return await common_reader(state, "chat", members, rights_last=MONTH)


async def test_the_reader_of_several_has_what_all_have_and_is_nobody(state):
    assert await reader(state, "a", "b") == Reader(frozenset({"muons"}))
    assert await reader(state, "a", "a") == Reader(frozenset({"muons", "board"}))
    assert await reader(state, "a", "e") == ANYBODY
    assert await reader(state, "a", "unknown") == ANYBODY
    assert await reader(state) == ANYBODY


async def test_accounts_of_another_service_are_unknown(state):
    assert await common_reader(state, "gitlab:x", ["a"], rights_last=MONTH) == ANYBODY


async def test_groups_are_believed_for_so_long(state):
    later(state, days=29, hours=23)
    assert await reader(state, "a", "b") == Reader(frozenset({"muons"}))
    later(state, hours=2)
    assert await reader(state, "a", "b") == ANYBODY
    assert await groups_of(state, "chat", ["a"], rights_last=MONTH) == {}
    assert await own_caller(state, "chat", "a", rights_last=MONTH) is None


async def test_a_private_answer_is_read_with_all_ones_own_rights(state):
    caller = await own_caller(state, "chat", "a", rights_last=MONTH)

    assert caller
    user = await state.links.user_of("chat", "a")
    assert caller.reader == Reader(frozenset({"muons", "board"}), user.id)
    assert (caller.user_id, caller.name, caller.via) == (user.id, "ada", "bot")
    assert await own_caller(state, "chat", "unknown", rights_last=MONTH) is None


async def test_nobody_is_more_than_a_reader_through_a_bot(state):
    caller = await own_caller(state, "chat", "a", rights_last=MONTH)

    assert caller
    assert caller.role is Role.READER
    assert caller.scopes.isdisjoint({Scope.ADMIN, Scope.TOKENS, Scope.HISTORY, Scope.METRICS})


async def test_the_asker_is_one_of_those_who_see_it(state):
    caller = await shared_caller(state, "chat", "e", ["a", "b"], rights_last=MONTH)
    assert caller.reader == ANYBODY
    caller = await shared_caller(state, "chat", "a", ["b"], rights_last=MONTH)
    assert caller.reader == Reader(frozenset({"muons"}))
    assert caller.user_id == (await state.links.user_of("chat", "a")).id


async def test_somebody_without_an_account_has_a_name_of_his_service(state):
    caller = await caller_reading(state, "chat", "z", ANYBODY)

    assert caller == public_caller("chat", "z")
    assert caller.user_id == "chat:z"
