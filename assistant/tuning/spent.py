"""What a training costs, in seconds and joules, over all parts of one that was gone on with."""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from ingest.energy import Counter, NotMeasured, Nvml, Rapl


@dataclass(frozen=True, slots=True)
class Spent:
    """Of a training up to some step; what a killed one did after its last checkpoint is lost."""

    seconds: float = 0.0
    cpu_joules: float | None = None
    """Measured by RAPL: processor packages and memory of the whole machine, others' work too."""
    gpu_joules: float | None = None
    """Measured by NVML: all GPUs of the machine, others' work too."""
    not_measured: tuple[str, ...] = ()
    """A sentence for each counter that is not there."""
    machine: str = ""
    """What it ran on."""


class Meter:
    """Measures from when it is made, and adds to what was spent before."""

    def __init__(
        self,
        before: Spent | None = None,
        *,
        cpu: Callable[[], Counter] = Rapl,
        gpu: Callable[[], Counter] = Nvml,
    ) -> None:
        self._before = before or Spent()
        self._reasons: list[str] = []
        self._cpu, self._gpu = self._made(cpu), self._made(gpu)
        self._told: dict[str, float] = {}
        self._began = perf_counter()

    def spent(self) -> Spent:
        """All until now. Called every few minutes, no counter starts over twice unseen."""
        before = self._before
        return Spent(
            seconds=round(before.seconds + perf_counter() - self._began, 1),
            cpu_joules=self._joules("cpu", self._cpu, before.cpu_joules),
            gpu_joules=self._joules("gpu", self._gpu, before.gpu_joules),
            not_measured=tuple(dict.fromkeys((*before.not_measured, *self._reasons))),
            machine=machine(),
        )

    def _made(self, counter: Callable[[], Counter]) -> Counter | None:
        try:
            return counter()
        except NotMeasured as reason:
            self._reasons.append(str(reason))
            return None

    def _joules(self, name: str, counter: Counter | None, before: float | None) -> float | None:
        """A sum with a part that nobody measured would be no sum: then there is none."""
        if counter is None or (before is None and self._before.seconds):
            return None
        with suppress(OSError):  # a counter that goes away leaves what it had told
            self._told[name] = counter.joules()
        return round((before or 0.0) + self._told.get(name, 0.0), 1)


def machine() -> str:
    """Processors that this process may use and the GPUs that torch sees, in words."""
    from torch import cuda

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [cuda.get_device_name(n) for n in range(cuda.device_count())]
    return f"{allowed} cores ({platform.machine()}), {' and '.join(gpus) or 'no GPU'}"
