"""What bots have heard and not answered: kept until it is done, and no longer than a day."""

from datetime import timedelta

CHAT, GIT = "mattermost", "gitlab:git.example.org"


async def test_what_was_heard_is_kept_until_it_is_done(state, clock):
    await state.pending.put(CHAT, "b", {"text": "Who?"})
    clock.pass_(seconds=1)
    await state.pending.put(CHAT, "a", {"text": "When?", "n": 7, "none": None})
    await state.pending.put(GIT, "a", {})

    kept = await state.pending.all(CHAT)
    assert [(one.key, one.told) for one in kept] == [
        ("b", {"text": "Who?"}),
        ("a", {"text": "When?", "n": 7, "none": None}),
    ]
    assert kept[1].at - kept[0].at == timedelta(seconds=1)
    await state.pending.done(CHAT, "a")
    await state.pending.done(CHAT, "never there")

    assert [one.key for one in await state.pending.all(CHAT)] == ["b"]
    assert [one.key for one in await state.pending.all(GIT)] == ["a"]


async def test_the_same_again_changes_nothing(state, clock):
    await state.pending.put(CHAT, "a", {"text": "first"})
    clock.pass_(minutes=1)
    await state.pending.put(CHAT, "a", {"text": "second"})

    (kept,) = await state.pending.all(CHAT)
    assert (kept.told, kept.at) == ({"text": "first"}, clock.now - timedelta(minutes=1))


async def test_what_nobody_came_back_for_is_forgotten(state, clock):
    await state.pending.put(CHAT, "old", {})
    clock.pass_(minutes=30)
    await state.pending.put(CHAT, "new", {})

    assert [one.key for one in await state.pending.all(CHAT, timedelta(minutes=30))] == ["new"]
    clock.pass_(hours=23, minutes=30)
    await state.purge(90)
    clock.now -= timedelta(hours=20)
    assert [one.key for one in await state.pending.all(CHAT)] == ["new"]
