"""What a run cost: time, tokens, energy where the machine tells, and an estimate of the CO₂.

Energy is read from counters, RAPL's of the processor and NVML's of the GPUs; where there is none it
is left out with the reason, never guessed. The CO₂ is codecarbon's estimate, asked for by naming a
country: codecarbon models what it cannot measure, so it stands apart and says so.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import perf_counter
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from eval import report
from eval.answers import Row
from ingest.energy import Counter, NotMeasured, Nvml, Rapl
from ingest.errors import DocentError

MEASURE_S = 15
"""How often codecarbon looks at the load."""


class Cost(BaseModel):
    """Of one run, or of what was left of it when it was gone on with."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float
    """From the first question to the last answer, models loaded before."""
    questions: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    """Of all questions that tell; None when none does."""
    cpu_joules: float | None = None
    """Measured by RAPL: processor packages and memory of the whole machine, others' work too."""
    gpu_joules: float | None = None
    """Measured by NVML: all GPUs of the machine, others' work too."""
    co2_grams: float | None = None
    """Estimated by codecarbon, for the country that was named."""
    co2_method: str = ""
    """From what codecarbon made the estimate."""
    not_measured: tuple[str, ...] = ()
    """A sentence for each thing that is None here."""


class Estimator(Protocol):
    """What codecarbon's tracker does for us."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> float | None:
        """End; kilograms of CO₂ equivalent, or None when it failed, which it tells in its log."""
        ...


class Meter:
    """Measures from when it is made to `stop`."""

    def __init__(
        self,
        estimator: Estimator | None = None,
        *,
        method: str = "",
        cpu: Callable[[], Counter] = Rapl,
        gpu: Callable[[], Counter] = Nvml,
    ) -> None:
        """`method` says what the estimator does; without one there is no estimate."""
        self._reasons: list[str] = []
        self._method = method
        self._counters = {"cpu_joules": self._made(cpu), "gpu_joules": self._made(gpu)}
        self._joules: dict[str, float] = {}
        self._estimator = estimator
        if estimator:
            estimator.start()
        else:
            self._reasons.append(
                "CO₂: not estimated; name the grid's country by --country, as CHE."
            )
        self._began = perf_counter()

    def tick(self) -> None:
        """Read the counters, so that none starts over twice unseen. Costs microseconds."""
        for name, counter in self._counters.items():
            # A counter that goes away in mid-run leaves what it had told.
            if counter:
                with suppress(OSError):
                    self._joules[name] = counter.joules()

    def stop(self, rows: Iterable[Row]) -> Cost:
        """What it took to make these rows."""
        seconds = perf_counter() - self._began
        self.tick()
        kilograms = self._estimator.stop() if self._estimator else None
        if self._estimator and kilograms is None:
            self._reasons.append("CO₂: codecarbon failed; its log says why.")
        made = list(rows)
        return Cost(
            seconds=seconds,
            questions=len(made),
            prompt_tokens=_sum(row.prompt_tokens for row in made),
            completion_tokens=_sum(row.completion_tokens for row in made),
            cpu_joules=self._joules.get("cpu_joules"),
            gpu_joules=self._joules.get("gpu_joules"),
            co2_grams=None if kilograms is None else 1000 * kilograms,
            co2_method="" if kilograms is None else self._method,
            not_measured=tuple(self._reasons),
        )

    def _made(self, counter: Callable[[], Counter]) -> Counter | None:
        try:
            return counter()
        except NotMeasured as reason:
            self._reasons.append(str(reason))
            return None


def cost_table(cost: Cost) -> report.Table:
    """The cost as text: in all, each question, each second; what is not measured with the reason.

    Tokens a second tell how full an engine was kept; joules a second are watts.
    """
    per, seconds = max(cost.questions, 1), max(cost.seconds, 1e-9)
    quantities = {
        "questions": cost.questions,
        "seconds": cost.seconds,
        "tokens read": cost.prompt_tokens,
        "tokens written": cost.completion_tokens,
        "joules, processor and memory (measured)": cost.cpu_joules,
        "joules, GPUs (measured)": cost.gpu_joules,
        "grams of CO₂ (estimate)": cost.co2_grams,
    }
    return report.Table(
        title=f"Cost of {cost.questions} questions",
        columns=("quantity", "in all", "each", "a second"),
        rows=(
            *(
                (name, *(report.number(one, 3) for one in (value, value / per, value / seconds)))
                for name, value in quantities.items()
                if value is not None
            ),
            *((f"Not measured. {reason}", "", "", "") for reason in cost.not_measured),
            *(((cost.co2_method, "", "", ""),) if cost.co2_method else ()),
        ),
    )


def codecarbon_for(country: str) -> tuple[Estimator, str]:
    """Codecarbon's offline tracker for a country, and a sentence on its method.

    It asks nobody on the network where the machine is, writes no file and sends nothing.

    Raises:
        DocentError: codecarbon is not installed, or knows no such country.
    """
    try:
        import codecarbon
        from codecarbon.input import DataSource
    except ImportError:
        msg = "--country needs codecarbon, which is not installed. Run: pip install 'docent[eval]'"
        raise DocentError(msg) from None
    if country not in DataSource().get_global_energy_mix_data():
        msg = f"--country {country}: codecarbon does not know it. Give three letters, such as CHE."
        raise DocentError(msg)
    logging.getLogger("codecarbon").setLevel(logging.ERROR)
    tracker: Estimator = codecarbon.OfflineEmissionsTracker(
        country_iso_code=country,
        output_methods=[],
        electricitymaps_api_token=None,
        tracking_mode="machine",
        measure_power_secs=MEASURE_S,
        allow_multiple_runs=True,
        log_level="error",
    )
    method = (
        f"estimate by codecarbon {codecarbon.__version__} for {country}: the whole machine; "
        "power that no counter tells is modelled from load and size"
    )
    return tracker, method


def _sum(values: Iterable[int | None]) -> int | None:
    told = [value for value in values if value is not None]
    return sum(told) if told else None
