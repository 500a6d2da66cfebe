"""A cross-encoder trained on mined pairs: a question and a passage in, how well it answers out.

Learnt as a yes or no for each passage (binary cross-entropy, the answer weighed as much as all
others together), so that its sigmoid is a score of 0..1 as `[retrieval] reranker` wants it. The
base may be any encoder: the weights of a bi-encoder such as MiniLM begin with a fresh head.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from assistant.tuning.callbacks import callbacks, curve, hush
from assistant.tuning.checkpoints import Checkpoints
from assistant.tuning.pairs import NEGATIVES, Pair
from assistant.tuning.spent import Meter
from assistant.tuning.trained import (
    Data,
    Trained,
    base_digest,
    digest_of_folder,
    now,
    write_trained,
)
from ingest.errors import ModelError

if TYPE_CHECKING:
    # Only for types: these take seconds that `docent tune --help` need not pay.
    from datasets import Dataset
    from sentence_transformers import CrossEncoder

HELD = 10
"""Percent of the documents whose pairs are held out: to stop by, and to tell what was learnt."""
LEAST_HELD = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is trained. The defaults suit a small encoder and some thousands of pairs."""

    epochs: float = 2.0
    batch: int = 32
    """Question and passage together are one; a pair makes 1 + NEGATIVES of them."""
    rate: float = 5e-5
    max_tokens: int = 160
    look_every: int = 100
    """Steps between looks at the held-out pairs; a checkpoint is written at each."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Held:
    """What a model makes of the held-out pairs."""

    pairs: int
    first: float
    """Share of pairs whose answer is put before all its others; by chance 1 / (1 + NEGATIVES)."""
    mean_rank: float
    """Mean reciprocal rank of the answer."""

    def measures(self) -> dict[str, float]:
        """By name, as `Trained` has them."""
        return {"first": round(self.first, 4), "mean_rank": round(self.mean_rank, 4)}


def train(
    base: str,
    pairs: Sequence[Pair],
    out: Path,
    plan: Plan | None = None,
    told: Callable[[str], None] = lambda line: None,
    *,
    data: Data | None = None,
    licence: str = "",
) -> Trained:
    """Train into `out`; run again after a kill, it goes on from the last checkpoint.

    `base` is a folder or a name on the model hub, `data` the file that the pairs are of, `licence`
    that of the base.

    Raises:
        ModelError: the base cannot be loaded, the pairs are too few, or a checkpoint is refused.
    """
    from sentence_transformers.cross_encoder import CrossEncoderTrainer
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
    from torch import tensor
    from transformers import PrinterCallback

    plan = plan or Plan()
    learnt, held = split(pairs)
    checkpoints = Checkpoints(out / "checkpoints", _training(base, pairs, plan))
    last = checkpoints.last()
    model = _loaded(base, plan)
    before = measured(model, held)
    told(f"Before: the answer comes first in {before.first:.0%} of {before.pairs} held-out pairs.")
    meter = Meter(checkpoints.spent(last))
    trainer = CrossEncoderTrainer(
        model=model,
        args=_arguments(checkpoints.folder, plan),
        train_dataset=_rows(learnt),
        eval_dataset=_rows(held),
        loss=BinaryCrossEntropyLoss(model, pos_weight=tensor(float(NEGATIVES))),
        callbacks=callbacks(checkpoints, meter, told),
    )
    trainer.remove_callback(PrinterCallback)  # what it prints would stand in the way of --json
    hush(trainer)
    done = trainer.train(resume_from_checkpoint=str(last) if last else None)
    spent = meter.spent()
    after = measured(model, held)
    folder = out / "model"
    model.save_pretrained(str(folder), create_model_card=False)
    found = Trained(
        kind="reranker",
        model=str(folder),
        base=base,
        base_digest=base_digest(base, model.config),
        licence=licence,
        digest=digest_of_folder(folder),
        data=data or Data(_digest(pairs)),
        plan=asdict(plan),
        trained_on=len(learnt),
        held=len(held),
        before=before.measures(),
        after=after.measures(),
        curve=curve(trainer.state.log_history),
        steps=int(done.global_step),
        spent=spent,
        made=now(),
    )
    told(f"After: first in {after.first:.0%}, {found.steps} steps in {spent.seconds:g} s.")
    write_trained(folder, found)
    return found


class OfDocument(Protocol):
    """An example that knows which document it is of."""

    @property
    def document_id(self) -> str:
        """Its name in the index."""
        ...


One = TypeVar("One", bound=OfDocument)


def split(
    pairs: Sequence[One], what: str = "pairs", made_by: str = "docent tune pairs"
) -> tuple[list[One], list[One]]:
    """What is learnt and what is held out; a document is on one side only.

    Raises:
        ModelError: too few are held out to tell anything, or none is left to learn from.
    """
    held = [pair for pair in pairs if _bucket(pair.document_id) < HELD]
    learnt = [pair for pair in pairs if _bucket(pair.document_id) >= HELD]
    if len(held) < LEAST_HELD or not learnt:
        msg = (
            f"{len(pairs)} {what} are too few: {len(held)} of them would be held out to measure "
            f"by, and {LEAST_HELD} are needed. Make more with `{made_by} --most`."
        )
        raise ModelError(msg)
    return learnt, held


def measured(model: "CrossEncoder", pairs: Sequence[Pair]) -> Held:
    """Where a model puts the answers of pairs."""
    asked = [(pair.question, text) for pair in pairs for text in (pair.answer, *pair.others)]
    scores = model.predict(asked, show_progress_bar=False).reshape(len(pairs), 1 + NEGATIVES)
    # As good as the answer counts as before it: a model that says one thing of all knows nothing.
    ranks = (scores[:, :1] <= scores).sum(axis=1)
    return Held(len(pairs), float((ranks == 1).mean()), float((1 / ranks).mean()))


def _bucket(document_id: str) -> int:
    return int(hashlib.sha256(document_id.encode()).hexdigest(), 16) % 100


def _training(base: str, pairs: Sequence[Pair], plan: Plan) -> dict[str, object]:
    return {"base": base, "pairs": _digest(pairs), "plan": asdict(plan)}


def _digest(pairs: Sequence[Pair]) -> str:
    return hashlib.sha256(repr(list(pairs)).encode()).hexdigest()


def _loaded(base: str, plan: Plan) -> "CrossEncoder":
    from sentence_transformers import CrossEncoder
    from torch import manual_seed

    manual_seed(plan.seed)  # the head of a base that has none is made by chance
    try:
        model: CrossEncoder = CrossEncoder(base, num_labels=1, max_length=plan.max_tokens)
    except (OSError, ValueError) as error:
        msg = (
            f"The base model {base!r} cannot be loaded ({error}). Name a folder, or one of the hub."
        )
        raise ModelError(msg) from error
    return model


def _rows(pairs: Sequence[Pair]) -> "Dataset":
    from datasets import Dataset

    rows: dict[str, list[Any]] = {"question": [], "passage": [], "label": []}
    for pair in pairs:
        for place, text in enumerate((pair.answer, *pair.others)):
            rows["question"].append(pair.question)
            rows["passage"].append(text)
            rows["label"].append(float(place == 0))
    return Dataset.from_dict(rows)


def _arguments(folder: Path, plan: Plan) -> Any:
    from sentence_transformers.cross_encoder import CrossEncoderTrainingArguments
    from torch.cuda import is_available

    return CrossEncoderTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch,
        per_device_eval_batch_size=plan.batch,
        learning_rate=plan.rate,
        warmup_steps=plan.look_every // 2,
        eval_strategy="steps",
        eval_steps=plan.look_every,
        save_strategy="steps",
        save_steps=plan.look_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_steps=plan.look_every,
        seed=plan.seed,
        report_to=[],
        dataloader_pin_memory=is_available(),
        disable_tqdm=True,
    )
