"""Energy counters of a machine: RAPL's of the processor and memory, NVML's of the GPUs.

Where there is no counter, that is said with the reason; nothing is guessed.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")
NVIDIA = Path("/proc/driver/nvidia")


class NotMeasured(Exception):
    """Why something is not measured, in a sentence."""


class Counter(Protocol):
    """Counts energy from the moment it was made."""

    def joules(self) -> float:
        """How much since then. Called often enough, it sees the counter behind it start over."""
        ...


class Rapl:
    """The counters of processor packages and memory that Linux shows of Intel and AMD alike."""

    def __init__(self, folder: Path = POWERCAP) -> None:
        """Raises NotMeasured where there is no counter, or none that may be read."""
        zones = [zone for zone in sorted(folder.glob("intel-rapl:*")) if _is_counted(zone)]
        if not zones:
            msg = (
                f"Energy of the processor: no RAPL counter in {folder}; virtual machines have none."
            )
            raise NotMeasured(msg)
        try:
            self._last = {zone: _number(zone / "energy_uj") for zone in zones}
        except OSError as error:
            msg = f"Energy of the processor: the RAPL counters cannot be read ({error.strerror})."
            raise NotMeasured(msg) from None
        self._range = {zone: _number(zone / "max_energy_range_uj") for zone in zones}
        self._microjoules = 0

    def joules(self) -> float:
        """Since it was made. A counter starts over after minutes at full power."""
        for zone, last in self._last.items():
            now = _number(zone / "energy_uj")
            self._microjoules += now - last if now >= last else now - last + self._range[zone]
            self._last[zone] = now
        return self._microjoules / 1e6


class Nvml:
    """The energy counters of all NVIDIA GPUs (Volta and later)."""

    def __init__(self, library: Any = None, driver: Path = NVIDIA) -> None:
        """Raises NotMeasured where there is no GPU, no library or no counter."""
        self._library = library or _pynvml(driver)
        try:
            self._library.nvmlInit()
            count = self._library.nvmlDeviceGetCount()
            self._gpus = [self._library.nvmlDeviceGetHandleByIndex(n) for n in range(count)]
            self._began = self._millijoules()
        except self._library.NVMLError as error:
            msg = f"Energy of the GPUs: NVML does not tell it ({error})."
            raise NotMeasured(msg) from None

    def joules(self) -> float:
        """Since it was made; the counter behind it has 64 bits and does not start over."""
        return (self._millijoules() - self._began) / 1e3

    def _millijoules(self) -> int:
        tell = self._library.nvmlDeviceGetTotalEnergyConsumption
        return sum(int(tell(gpu)) for gpu in self._gpus)


def _is_counted(zone: Path) -> bool:
    """Packages and memory. What lies inside a package, and `psys` around all, would count twice."""
    with suppress(OSError):
        name = (zone / "name").read_text(encoding="ascii").strip()
        return bool(re.fullmatch(r"package-\d+|dram", name))
    return False


def _number(path: Path) -> int:
    return int(path.read_text(encoding="ascii"))


def _pynvml(driver: Path) -> Any:
    if not driver.exists():
        msg = "Energy of the GPUs: this machine has no NVIDIA GPU."
        raise NotMeasured(msg)
    try:
        import pynvml
    except ImportError:
        msg = "Energy of the GPUs: nvidia-ml-py is not installed. Run: pip install nvidia-ml-py"
        raise NotMeasured(msg) from None
    return pynvml
