"""The line in front of the model: so many are answered at once, so many may wait, in order."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable

ANSWER_S = 10.0
"""How long an answer is taken to last until one was measured."""


class LineFull(Exception):
    """Nobody else may wait now. `retry_after_s`: when it is likely to be otherwise."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"Too many questions are waiting for the model. Ask again in {retry_after_s} s."
        )


class Place:
    """One question's place. Whoever got one must `leave` it, answered or not."""

    def __init__(self, line: "Line", told: Callable[[int], None]) -> None:
        self._line = line
        self.told = told
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.began = 0.0

    async def wait(self) -> None:
        """Returns when it is this one's turn."""
        await asyncio.shield(self.turn)

    def leave(self) -> None:
        """Let the next one in. May be called twice."""
        self._line.left(self)


class Line:
    """First come, first served."""

    def __init__(
        self, slots: int, waiting: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`slots` are answered at once, `waiting` more may wait."""
        self.slots = slots
        self._most = waiting
        self._clock = clock
        self._waiting: deque[Place] = deque()
        self._served: set[Place] = set()
        self._mean_s = ANSWER_S

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def served(self) -> int:
        """How many are being answered."""
        return len(self._served)

    def enter(self, told: Callable[[int], None] = lambda place: None) -> Place:
        """A place. `told` hears the place in line, 1 for the next one, whenever it changes.

        Raises:
            LineFull: all slots are taken and as many wait as may.
        """
        self.admit()
        place = Place(self, told)
        if len(self._served) < self.slots:
            self._serve(place)
        else:
            self._waiting.append(place)
            told(len(self._waiting))
        return place

    def admit(self) -> None:
        """Ask whether there is room, without taking it.

        Raises:
            LineFull: as of `enter`.
        """
        if len(self._served) >= self.slots and len(self._waiting) >= self._most:
            ahead = 1 + len(self._waiting)
            raise LineFull(max(1, math.ceil(self._mean_s * ahead / self.slots)))

    def left(self, place: Place) -> None:
        """A place is free: it was answered, or gave up waiting."""
        if place in self._served:
            self._served.discard(place)
            self._mean_s += (self._clock() - place.began - self._mean_s) / 8
        elif place in self._waiting:
            self._waiting.remove(place)
        else:
            return
        while self._waiting and len(self._served) < self.slots:
            self._serve(self._waiting.popleft())
        for number, waiting in enumerate(self._waiting, start=1):
            waiting.told(number)

    def _serve(self, place: Place) -> None:
        place.began = self._clock()
        self._served.add(place)
        place.turn.set_result(None)
