"""Counters as Linux and NVML show them, over files and a library that behave."""

import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from eval.answers import Asking, score
from eval.cost import Cost, Meter, codecarbon_for, cost_table
from ingest.energy import NotMeasured, Nvml, Rapl
from ingest.errors import DocentError
from tests.eval.test_answers import GOOD, REFUSAL, asked


class Powercap:
    """A folder as `/sys/class/powercap`: each domain with its name, its counter and its range."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, zone: str, name: str, microjoules: int) -> None:
        at = self.folder / zone
        at.mkdir(exist_ok=True)
        (at / "name").write_text(f"{name}\n")
        (at / "energy_uj").write_text(f"{microjoules}\n")
        (at / "max_energy_range_uj").write_text("1000000\n")


@pytest.fixture
def powercap(tmp_path) -> Powercap:
    made = Powercap(tmp_path)
    made.put("intel-rapl:0", "package-0", 100_000)
    made.put("intel-rapl:0:0", "core", 50_000)
    made.put("intel-rapl:0:1", "dram", 20_000)
    made.put("intel-rapl:1", "psys", 700_000)
    (tmp_path / "intel-rapl:7").mkdir()  # a zone that tells no name
    return made


def test_packages_and_memory_count_and_what_lies_in_or_around_them_does_not(powercap):
    counter = Rapl(powercap.folder)
    powercap.put("intel-rapl:0", "package-0", 400_000)
    powercap.put("intel-rapl:0:0", "core", 350_000)
    powercap.put("intel-rapl:0:1", "dram", 70_000)
    powercap.put("intel-rapl:1", "psys", 999_000)

    # 0.3 J of the package and 0.05 J of memory.
    assert counter.joules() == pytest.approx(0.35)
    assert counter.joules() == pytest.approx(0.35)


def test_a_counter_that_starts_over_goes_on(powercap):
    counter = Rapl(powercap.folder)
    powercap.put("intel-rapl:0", "package-0", 40_000)
    powercap.put("intel-rapl:0:1", "dram", 20_000)
    first = counter.joules()
    powercap.put("intel-rapl:0", "package-0", 30_000)

    # From 100,000 over 1,000,000 to 40,000, then once more round to 30,000.
    assert first == pytest.approx(0.94)
    assert counter.joules() == pytest.approx(0.94 + 0.99)


def test_a_machine_without_counters_says_so(tmp_path):
    with pytest.raises(NotMeasured, match=r"no RAPL counter in .*; virtual machines have none"):
        Rapl(tmp_path)


def test_counters_that_may_not_be_read_say_so(powercap):
    (powercap.folder / "intel-rapl:0" / "energy_uj").unlink()

    with pytest.raises(NotMeasured, match="RAPL counters cannot be read"):
        Rapl(powercap.folder)


class NVMLError(Exception):
    pass


class Library:
    """As `pynvml`: GPUs with counters in millijoules."""

    NVMLError = NVMLError

    def __init__(self, *counters: int, broken: str = "") -> None:
        self.counters = list(counters)
        self.broken = broken

    def nvmlInit(self) -> None:
        if self.broken:
            raise NVMLError(self.broken)

    def nvmlDeviceGetCount(self) -> int:
        return len(self.counters)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        return self.counters[handle]


def test_the_energy_of_all_gpus_is_added():
    library = Library(1000, 5000)
    counter = Nvml(library)
    library.counters = [3000, 5500]

    assert counter.joules() == pytest.approx(2.5)


def test_gpus_that_do_not_tell_say_why(tmp_path, monkeypatch):
    with pytest.raises(NotMeasured, match=r"NVML does not tell it \(Driver Not Loaded\)"):
        Nvml(Library(broken="Driver Not Loaded"))
    with pytest.raises(NotMeasured, match="no NVIDIA GPU"):
        Nvml(driver=tmp_path / "nothing")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(NotMeasured, match="nvidia-ml-py is not installed"):
        Nvml(driver=tmp_path)


def test_the_library_is_used_where_there_is_a_driver(tmp_path, monkeypatch):
    library = ModuleType("pynvml")
    for name in dir(Library):
        if not name.startswith("_"):
            setattr(library, name, getattr(Library(7), name))
    monkeypatch.setitem(sys.modules, "pynvml", library)

    assert Nvml(driver=tmp_path).joules() == 0


class Counted:
    """Counts 2 J a look."""

    def __init__(self) -> None:
        self.looked = 0

    def joules(self) -> float:
        self.looked += 1
        return 2.0 * self.looked


class Vanishing(Counted):
    def joules(self) -> float:
        if self.looked == 1:
            raise OSError
        return super().joules()


class Estimate:
    def __init__(self, kilograms: float | None) -> None:
        self.kilograms = kilograms
        self.started = False

    def start(self) -> None:
        self.started = True

    def stop(self) -> float | None:
        return self.kilograms


def nothing():
    raise NotMeasured("There is none.")


def rows(*tokens: tuple[int, int] | None):
    made = score(asked(), GOOD, Asking("m"), 1.0)
    for pair in tokens:
        read, written = pair or (None, None)
        yield made.model_copy(update={"prompt_tokens": read, "completion_tokens": written})


def test_a_run_costs_what_its_counters_and_its_answers_tell():
    estimate = Estimate(0.0012)
    meter = Meter(estimate, method="as told", cpu=Counted, gpu=Vanishing)
    meter.tick()
    cost = meter.stop(rows((900, 20), None, (100, 5)))

    assert estimate.started
    assert (cost.questions, cost.prompt_tokens, cost.completion_tokens) == (3, 1000, 25)
    # Two looks; the second counter went away after its first.
    assert (cost.cpu_joules, cost.gpu_joules) == (4.0, 2.0)
    assert cost.co2_grams == pytest.approx(1.2)
    assert cost.co2_method == "as told"
    assert cost.not_measured == ()
    assert cost.seconds > 0


def test_the_cost_is_told_in_all_for_each_question_and_for_each_second():
    cost = Cost(seconds=4.0, questions=8, completion_tokens=100, cpu_joules=60.0)
    rows = {name: numbers for name, *numbers in cost_table(cost).rows}

    # 8 questions in 4 s; 60 J in 4 s are 15 W.
    assert rows["questions"] == ["8.000", "1.000", "2.000"]
    assert rows["tokens written"] == ["100.000", "12.500", "25.000"]
    assert rows["joules, processor and memory (measured)"] == ["60.000", "7.500", "15.000"]
    assert "tokens read" not in rows


def test_what_is_not_measured_is_named_and_not_guessed():
    cost = Meter(cpu=nothing, gpu=nothing).stop([score(asked(), REFUSAL, Asking("m"), 1.0)])

    assert (cost.cpu_joules, cost.gpu_joules, cost.co2_grams) == (None, None, None)
    assert (cost.prompt_tokens, cost.co2_method) == (None, "")
    assert cost.not_measured == (
        "There is none.",
        "There is none.",
        "CO₂: not estimated; name the grid's country by --country, as CHE.",
    )


def test_an_estimate_that_fails_is_told():
    cost = Meter(Estimate(None), method="m", cpu=Counted, gpu=Counted).stop([])

    assert (cost.co2_grams, cost.co2_method) == (None, "")
    assert cost.not_measured == ("CO₂: codecarbon failed; its log says why.",)


class Tracker(Estimate):
    """As codecarbon's own; keeps what it was made with."""

    made: ClassVar[dict[str, object]] = {}

    def __init__(self, **asked: object) -> None:
        super().__init__(0.5)
        Tracker.made = asked


@pytest.fixture
def codecarbon(monkeypatch):
    """The library's shape: importing the real one takes seconds, and it is an extra."""

    class DataSource:
        def get_global_energy_mix_data(self):
            return {"CHE": {}, "FRA": {}}

    library, sources = ModuleType("codecarbon"), ModuleType("codecarbon.input")
    vars(library).update(__version__="3.3.2", OfflineEmissionsTracker=Tracker)
    vars(sources).update(DataSource=DataSource)
    monkeypatch.setitem(sys.modules, "codecarbon", library)
    monkeypatch.setitem(sys.modules, "codecarbon.input", sources)


def test_codecarbon_is_asked_to_stay_offline_and_to_write_nothing(codecarbon):
    tracker, method = codecarbon_for("CHE")

    assert tracker.stop() == 0.5
    assert Tracker.made["country_iso_code"] == "CHE"
    assert Tracker.made["output_methods"] == []
    assert method.startswith("estimate by codecarbon 3.3.2 for CHE: the whole machine")


def test_an_unknown_country_is_told_before_the_run(codecarbon):
    with pytest.raises(DocentError, match="--country XYZ: codecarbon does not know it"):
        codecarbon_for("XYZ")


def test_without_codecarbon_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)

    with pytest.raises(DocentError, match=r"pip install 'docent\[eval\]'"):
        codecarbon_for("CHE")
