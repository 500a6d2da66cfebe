"""What every trainer of ours tells and keeps while it runs: one set for all kinds of models."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from assistant.tuning.checkpoints import Checkpoints
from assistant.tuning.spent import Meter
from ingest.errors import ModelError

if TYPE_CHECKING:
    # Only for types: these take seconds that `docent tune --help` need not pay.
    from transformers import Trainer, TrainerCallback

PATIENCE = 3
"""Looks at the held-out examples without a gain, after which a training stops."""


def installed(*libraries: str) -> None:
    """Raises ModelError when one of the libraries that train is not installed; names it."""
    for name in libraries:
        if find_spec(name) is None:
            msg = f"{name} is not installed, which tuning needs. Run: pip install 'docent[tune]'"
            raise ModelError(msg)


@contextmanager
def quiet() -> Iterator[None]:
    """What the libraries warn each other of, for versions to come, is nothing to our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def callbacks(
    checkpoints: Checkpoints, meter: Meter, told: Callable[[str], None]
) -> "list[TrainerCallback]":
    """Early stopping, and: says how far it is, and that a checkpoint is whole and what it cost."""
    from transformers import EarlyStoppingCallback, TrainerCallback

    class Tells(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if not state.max_steps:
                return  # a look at the base, before anything was learnt
            meter.spent()  # often enough that no counter starts over twice unseen
            of = f"Step {state.global_step} of {state.max_steps}"
            if logs and "eval_loss" in logs:
                told(f"{of}: loss on held-out examples {logs['eval_loss']:.4f}.")
            elif logs and "loss" in logs:
                told(f"{of}: loss {float(logs['loss']):.4f}.")

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            checkpoints.saved(state.global_step, meter.spent())

    return [Tells(), EarlyStoppingCallback(early_stopping_patience=PATIENCE)]


def hush(trainer: "Trainer") -> None:
    """Take away what prints every loss on the output, where `--json` is to be alone."""
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def curve(history: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, float], ...]:
    """Steps and losses on held-out examples, out of `trainer.state.log_history`."""
    return tuple(
        (int(one["step"]), round(float(one["eval_loss"]), 6))
        for one in history
        if "eval_loss" in one
    )
