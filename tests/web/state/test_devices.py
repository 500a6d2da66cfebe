"""Programs that wait to be let in: the codes of RFC 8628, what they hold for, and for how long."""

import asyncio
from datetime import timedelta

from sqlalchemy import insert, select

from web.state.devices import MOST_WAITING, Stage, plain
from web.state.rows import DeviceRow

NAME = "VS Code on laptop"


async def test_a_program_is_let_in_once_as_the_one_who_has_its_code(state, ada, ben, clock):
    codes = await state.devices.begin(NAME)

    assert await state.devices.poll(codes.device_code) == (Stage.PENDING, "", "")
    about = await state.devices.about(ada.id, codes.user_code)
    assert (about.name, about.expires_at) == (
        NAME,
        clock.now + timedelta(minutes=10),
    )
    # As people type it.
    assert await state.devices.decide(ada.id, f" {codes.user_code.lower()} ", allowed=True)
    assert not await state.devices.decide(ben.id, codes.user_code, allowed=True)
    assert await state.devices.about(ada.id, codes.user_code) is None

    assert await state.devices.poll(codes.device_code) == (Stage.GRANTED, ada.id, NAME)
    assert await state.devices.poll(codes.device_code) == (Stage.EXPIRED, "", "")


async def test_two_that_come_at_once_are_not_both_let_in(state, ada):
    codes = await state.devices.begin(NAME)
    await state.devices.decide(ada.id, codes.user_code, allowed=True)

    told = await asyncio.gather(*(state.devices.poll(codes.device_code) for _ in range(3)))

    assert sorted(told, key=lambda one: one[1]) == [(Stage.EXPIRED, "", "")] * 2 + [
        (Stage.GRANTED, ada.id, NAME)
    ]


async def test_a_program_that_is_refused_learns_it_once(state, ada):
    codes = await state.devices.begin("stranger")

    assert await state.devices.decide(ada.id, codes.user_code, allowed=False)

    assert await state.devices.poll(codes.device_code) == (Stage.DENIED, ada.id, "stranger")
    assert await state.devices.poll(codes.device_code) == (Stage.EXPIRED, "", "")


async def test_who_asks_too_often_is_told_so(state, clock):
    codes = await state.devices.begin("hasty")
    await state.devices.poll(codes.device_code)

    clock.pass_(seconds=3)
    assert (await state.devices.poll(codes.device_code))[0] is Stage.EARLY
    # From then on anew.
    clock.pass_(seconds=3)
    assert (await state.devices.poll(codes.device_code))[0] is Stage.EARLY
    clock.pass_(seconds=4)
    assert (await state.devices.poll(codes.device_code))[0] is Stage.PENDING


async def test_codes_hold_for_ten_minutes_and_then_for_nobody(state, ada, clock):
    late = await state.devices.begin("late")
    allowed = await state.devices.begin("allowed")
    await state.devices.decide(ada.id, allowed.user_code, allowed=True)

    clock.pass_(minutes=10)

    assert await state.devices.about(ada.id, late.user_code) is None
    assert not await state.devices.decide(ada.id, late.user_code, allowed=True)
    for codes in (late, allowed):
        assert await state.devices.poll(codes.device_code) == (Stage.EXPIRED, "", "")
    await state.purge(90)
    assert await _kept(state) == []


async def test_what_is_no_code_lets_nobody_in(state, ada):
    codes = await state.devices.begin("x")
    await state.devices.decide(ada.id, codes.user_code, allowed=True)

    for wrong in ("", codes.user_code, codes.device_code[:-1], codes.device_code.upper() + "x"):
        assert await state.devices.poll(wrong) == (Stage.EXPIRED, "", "")
    for wrong in ("", "-", "BCDF-GHJ", codes.device_code):
        assert await state.devices.about(ada.id, wrong) is None


async def test_no_code_is_kept_and_each_is_another(state):
    given = [await state.devices.begin("x") for _ in range(20)]

    kept = repr(await _kept(state))
    for codes in given:
        assert codes.device_code not in kept
        assert plain(codes.user_code) not in kept
        assert len(codes.device_code) == 43
        assert len(plain(codes.user_code)) == 8
    assert len({codes.user_code for codes in given}) == 20


async def test_strangers_fill_no_database(state, clock):
    async with state.database.write() as connection:
        await connection.execute(
            insert(DeviceRow),
            [
                {
                    "digest": str(n), "user_digest": str(n), "name": "x", "created_at": clock.now,
                    "expires_at": clock.now + timedelta(minutes=1),
                }
                for n in range(MOST_WAITING - 1)
            ],
        )  # fmt: skip
    assert await state.devices.begin("the last") is not None
    assert await state.devices.begin("one more") is None

    clock.pass_(minutes=1)
    assert await state.devices.begin("later") is not None


async def test_an_erased_account_lets_nobody_in(state, ada):
    codes = await state.devices.begin("x")
    await state.devices.decide(ada.id, codes.user_code, allowed=True)

    await state.accounts.erase(ada.id)

    assert await state.devices.poll(codes.device_code) == (Stage.EXPIRED, "", "")


async def _kept(state):
    async with state.database.read() as connection:
        return (await connection.execute(select(DeviceRow))).all()
