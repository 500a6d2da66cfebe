"""What a run cost: time, energy where the machine tells, and an estimate of the CO₂."""

from pydantic import BaseModel, ConfigDict


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
