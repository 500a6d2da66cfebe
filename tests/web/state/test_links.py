"""Accounts of other services, the codes that link them, and what becomes of both."""

from sqlalchemy import select

from web.state import account_to_dict
from web.state.rows import LinkCodeRow

CHAT = "mattermost"


async def test_a_code_links_the_account_it_was_made_for_once(state, ada, ben, clock):
    code = await state.links.code(CHAT, "m1", "@ada")

    about = await state.links.about(code)
    assert (about.service, about.external_id, about.name) == (CHAT, "m1", "@ada")
    assert (about.expires_at - clock.now).total_seconds() == 600
    link = await state.links.redeem(ada.id, code)

    assert (link.service, link.external_id, link.name, link.user_id) == (CHAT, "m1", "@ada", ada.id)
    assert await state.links.user_of(CHAT, "m1") == ada
    assert await state.links.about(code) is None
    assert await state.links.redeem(ben.id, code) is None
    assert await state.links.user_of(CHAT, "m1") == ada


async def test_a_code_holds_for_ten_minutes_and_until_the_next_one(state, ada, clock):
    old = await state.links.code(CHAT, "m1", "@ada")
    other = await state.links.code(CHAT, "m2", "@ben")
    new = await state.links.code(CHAT, "m1", "@ada")

    assert await state.links.redeem(ada.id, old) is None
    clock.pass_(minutes=9, seconds=59)
    assert await state.links.redeem(ada.id, new) is not None
    clock.pass_(seconds=1)
    assert await state.links.about(other) is None
    assert await state.links.redeem(ada.id, other) is None
    assert await state.links.user_of(CHAT, "m2") is None
    assert await state.links.redeem(ada.id, "no such code") is None


async def test_only_a_digest_of_a_code_is_kept_and_old_ones_are_removed(state, clock):
    code = await state.links.code(CHAT, "m1", "@ada")
    clock.pass_(minutes=5)
    await state.links.code(CHAT, "m2", "@ben")

    async def kept():
        async with state.database.read() as connection:
            return (await connection.execute(select(LinkCodeRow))).all()

    assert code not in repr(await kept())
    clock.pass_(minutes=5)
    await state.purge(90)
    assert [row.external_id for row in await kept()] == ["m2"]


async def test_many_accounts_are_asked_for_at_once_and_strangers_left_out(state, ada, ben):
    await state.links.put(ada.id, CHAT, "m1", "@ada")
    await state.links.put(ada.id, CHAT, "m1001")
    await state.links.put(ben.id, CHAT, "m2")
    await state.links.put(ben.id, "gitlab:git.example", "m3")

    found = await state.links.users_of(CHAT, [f"m{n}" for n in range(1, 1200)])

    assert found == {"m1": ada, "m1001": ada, "m2": ben}
    assert await state.links.users_of(CHAT, []) == {}


async def test_an_account_belongs_to_whoever_linked_it_last(state, ada, ben, clock):
    await state.links.put(ada.id, CHAT, "m1", "@old")
    clock.pass_(minutes=1)
    await state.links.put(ben.id, CHAT, "m1", "@new")

    assert await state.links.all(ada.id) == []
    (link,) = await state.links.all(ben.id)
    assert (link.name, link.linked_at) == ("@new", clock.now)


async def test_links_are_ended_by_their_owner_or_by_the_account(state, ada, ben):
    for external in ("m1", "m2"):
        await state.links.put(ada.id, CHAT, external)
    await state.links.put(ada.id, "gitlab:git.example", "7")
    await state.links.put(ben.id, CHAT, "m3")
    code = await state.links.code(CHAT, "m3", "@ben")

    assert await state.links.remove(ada.id, CHAT)
    assert not await state.links.remove(ada.id, CHAT)
    assert [link.service for link in await state.links.all(ada.id)] == ["gitlab:git.example"]
    assert await state.links.forget(CHAT, "m3")
    assert not await state.links.forget(CHAT, "m3")
    assert await state.links.redeem(ben.id, code) is None


async def test_links_are_in_the_export_and_go_with_the_account(state, ada, ben):
    await state.links.put(ada.id, CHAT, "m1", "@ada")
    await state.links.put(ben.id, CHAT, "m2", "@ben")

    told = account_to_dict(await state.accounts.export(ada.id))
    assert [(link["service"], link["name"]) for link in told["links"]] == [(CHAT, "@ada")]
    await state.accounts.erase(ada.id)

    assert await state.links.user_of(CHAT, "m1") is None
    assert await state.links.user_of(CHAT, "m2") == ben
