"""The line in front of the model."""

import asyncio

import pytest

from web.line import Line, LineFull


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_so_many_are_served_and_the_others_wait_in_order():
    line = Line(slots=2, waiting=3)
    told: dict[str, list[int]] = {name: [] for name in "cde"}
    first, second = line.enter(), line.enter()
    third, fourth, fifth = (line.enter(told[name].append) for name in "cde")
    await first.wait()
    await second.wait()
    assert (line.served, line.waiting) == (2, 3)

    second.leave()
    await third.wait()
    fourth.leave()  # gave up
    first.leave()
    await fifth.wait()

    assert told == {"c": [1], "d": [2, 1], "e": [3, 2, 1]}
    assert (line.served, line.waiting) == (2, 0)
    for place in (first, third, fifth, fifth):
        place.leave()
    assert line.served == 0


async def test_nobody_is_let_in_before_those_who_wait():
    line = Line(slots=1, waiting=2)
    first = line.enter()
    waiting = line.enter()
    first.leave()
    late = line.enter()

    assert waiting.turn.done()
    assert not late.turn.done()


async def test_a_full_line_says_when_to_come_again():
    clock = Clock()
    line = Line(slots=2, waiting=1, clock=clock)
    places = [line.enter() for _ in range(3)]
    # An answer is taken to last 10 s: two ahead, two at once.
    with pytest.raises(LineFull, match=r"Ask again in 10 s\.") as full:
        line.enter()
    assert full.value.retry_after_s == 10

    clock.now = 90.0
    places[0].leave()  # took 90 s: the mean is 10 + 80 / 8 = 20
    line.enter()
    for ask in (line.enter, line.admit):
        with pytest.raises(LineFull) as full:
            ask()
        assert full.value.retry_after_s == 20


async def test_asking_for_room_takes_none():
    line = Line(slots=1, waiting=0)
    for _ in range(3):
        line.admit()
    line.enter()

    assert (line.served, line.waiting) == (1, 0)


async def test_a_cancelled_wait_leaves_its_place_usable():
    line = Line(slots=1, waiting=5)
    first, second, third = line.enter(), line.enter(), line.enter()
    waiting = asyncio.create_task(second.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    first.leave()  # the turn comes before the cancelled one has left
    second.leave()
    await third.wait()

    assert (line.served, line.waiting) == (1, 0)
