"""How hard hosts are knocked at, and the clock that waiting goes by."""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Protocol

from ingest.outbound.guard import Resolver, resolve

_random = SystemRandom()


class Clock(Protocol):
    """Time, as far as it is waited for: tests have one that never sleeps."""

    def now(self) -> float:
        """Seconds that only ever go up."""
        ...

    def wall(self) -> datetime:
        """The date, with its zone."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return so many seconds later."""
        ...


class SystemClock:
    """The machine's."""

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class _Host:
    """One host: how many ask it now, and when it may be asked next."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    asking: int = 0
    places: int = 8
    free_at: float = 0.0
    gap: float = 0.0


class Hosts:
    """How hard each host may be knocked at: shared by all sources of a run, thread-safe.

    `clock` and `resolver` are seams for tests.
    """

    def __init__(self, clock: Clock | None = None, resolver: Resolver = resolve) -> None:
        self.clock: Clock = clock or SystemClock()
        self.resolver = resolver
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, host: str, rate: float, connections: int) -> Iterator[None]:
        """Wait until the host may be asked, and hold one of its places meanwhile.

        Where sources share a host, the strictest of their settings holds for all.
        """
        state = self._host(host)
        with state.changed:
            state.gap = max(state.gap, 1 / rate)
            state.places = min(state.places, connections)
            state.changed.wait_for(lambda: state.asking < state.places)
            state.asking += 1
        try:
            while (wait := self._claim(state)) > 0:
                self.clock.sleep(wait)
            yield
        finally:
            with state.changed:
                state.asking -= 1
                state.changed.notify_all()

    def hold(self, host: str, seconds: float) -> None:
        """Nobody asks this host for so long."""
        state = self._host(host)
        with state.changed:
            state.free_at = max(state.free_at, self.clock.now() + seconds)

    def slow(self, host: str, gap: float) -> None:
        """At least so many seconds between requests to this host from now on."""
        state = self._host(host)
        with state.changed:
            state.gap = max(state.gap, gap)

    def _host(self, host: str) -> _Host:
        with self._lock:
            return self._hosts[host]

    def _claim(self, state: _Host) -> float:
        """Seconds still to wait, or 0 and the place in the queue is ours."""
        with state.changed:
            now = self.clock.now()
            if now < state.free_at:
                return state.free_at - now
            state.free_at = now + state.gap * _random.uniform(1.0, 1.2)
            return 0.0


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None if it is neither."""
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max((date - now).total_seconds(), 0.0)


def backoff(attempt: int) -> float:
    """Seconds to wait after this many tries: doubling, with jitter."""
    return min(2.0 ** min(attempt, 6), 60.0) * _random.uniform(0.5, 1.0)
