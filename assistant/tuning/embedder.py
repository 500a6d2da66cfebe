"""An embedder trained on mined pairs: a question comes to lie near the passage that answers it.

Learnt by contrast (multiple negatives ranking loss; Henderson et al., 2017): of all passages of a
batch, the hard negatives of its pairs among them, the question's own must be the nearest. A batch
that does not fit into memory is gone through in parts to the same gradients (GradCache; Gao et
al., 2021). With `dims`, the first so many numbers of a vector alone are to do as well (Matryoshka
representation learning; Kusupati et al., 2022), so that an index may keep the shorter ones.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.tuning.callbacks import callbacks, curve, installed
from assistant.tuning.checkpoints import Checkpoints
from assistant.tuning.pairs import NEGATIVES, Pair
from assistant.tuning.reranker import split
from assistant.tuning.spent import Meter
from assistant.tuning.trained import (
    Data,
    Trained,
    base_digest,
    digest_of_folder,
    now,
    write_trained,
)
from ingest.embed import VECTORS
from ingest.errors import ModelError
from ingest.precision import bfloat16_pays

if TYPE_CHECKING:
    # Only for types: these take seconds that `docent tune --help` need not pay.
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer

_ODD = (OSError, ValueError, KeyError, RuntimeError)
"""What a folder that is no model makes the library raise."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is trained. The defaults suit a small encoder and some thousands of pairs."""

    epochs: float = 1.0
    batch: int = 64
    """Pairs of one step: the more, the more passages each question is told from."""
    at_once: int = 64
    """Pairs in memory together; a larger batch is gone through in parts, a third more slowly."""
    negatives: int = 1
    """Hard negatives of each pair, the first so many of those that were mined."""
    rate: float = 2e-5
    max_tokens: int = 128
    """Of a text in training. The model keeps the window of its base."""
    dims: tuple[int, ...] = ()
    """Lengths of vector, besides the whole, that are trained too; each has a model of its own."""
    look_every: int = 50
    """Steps between looks at the held-out pairs; a checkpoint is written at each."""
    seed: int = 1


def train(
    base: str,
    pairs: Sequence[Pair],
    out: Path,
    plan: Plan | None = None,
    told: Callable[[str], None] = lambda line: None,
    *,
    data: Data | None = None,
    licence: str = "",
    called: str = "",
) -> Trained:
    """Train into `out`; run again after a kill, it goes on from the last checkpoint.

    `base` is a folder or a name on the model hub, `data` the file that the pairs are of, `licence`
    that of the base, `called` its name where that says more than its folder.

    Raises:
        ModelError: what trains is not installed, the base cannot be loaded or has shorter vectors
            than the plan wants, the pairs are too few, or a checkpoint is refused.
    """
    installed("accelerate", "datasets")
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback

    plan = plan or Plan()
    learnt, held = split(pairs)
    training = {"base": base, "pairs": _digest(pairs), "plan": asdict(plan)}
    checkpoints = Checkpoints(out / "checkpoints", training)
    last = checkpoints.last()
    model = _loaded(base, plan)
    window, model.max_seq_length = model.max_seq_length, plan.max_tokens
    before = measured(model, held, plan.dims)
    told(f"Before: the answer is the nearest for {before['first']:.0%} of {len(held)} pairs held.")
    meter = Meter(checkpoints.spent(last))
    trainer = SentenceTransformerTrainer(
        model=model,
        args=_arguments(checkpoints.folder, plan, model),
        train_dataset=_rows(learnt, plan.negatives),
        eval_dataset=_rows(held, plan.negatives),
        loss=_loss(model, plan),
        callbacks=callbacks(checkpoints, meter, told),
    )
    trainer.remove_callback(PrinterCallback)  # what it prints would stand in the way of --json
    done = trainer.train(resume_from_checkpoint=str(last) if last else None)
    spent = meter.spent()
    after = measured(model, held, plan.dims)
    model.max_seq_length = window
    folder = out / "model"
    model.save_pretrained(str(folder), create_model_card=False)
    found = Trained(
        kind="embedder",
        model=str(folder),
        base=called or base,
        base_digest=base_digest(base, getattr(model[0], "config", None)),
        licence=licence,
        digest=digest_of_folder(folder),
        data=data or Data(_digest(pairs)),
        plan=asdict(plan),
        trained_on=len(learnt),
        held=len(held),
        before=before,
        after=after,
        curve=curve(trainer.state.log_history),
        steps=int(done.global_step),
        spent=spent,
        made=now(),
    )
    told(f"After: nearest for {after['first']:.0%}, {found.steps} steps in {spent.seconds:g} s.")
    write_trained(folder, found)
    for dim in plan.dims:
        shortened(found, dim, out / f"model-{dim}")
    return found


def shortened(trained: Trained, dim: int, out: Path) -> Trained:
    """The same model in a folder of its own, of whose vectors the first `dim` numbers are kept."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(trained.model, out)
    (out / VECTORS).write_text(json.dumps({"length": dim}) + "\n", encoding="utf-8")
    found = replace(trained, model=str(out), digest=digest_of_folder(out))
    write_trained(out, found)
    return found


def measured(
    model: "SentenceTransformer", pairs: Sequence[Pair], dims: Sequence[int] = ()
) -> dict[str, float]:
    """How near the answers of pairs lie, among their negatives and the answers of all other pages.

    `first` is the share of questions to which their answer is the nearest, `mean_rank` the mean of
    1 / its rank; `mean_rank@64` the same with the first 64 numbers of the vectors.
    """
    texts = [text for pair in pairs for text in (pair.answer, *pair.others)]
    asked = model.encode_query([pair.question for pair in pairs], show_progress_bar=False)
    passages = model.encode_document(texts, show_progress_bar=False)
    found: dict[str, float] = {}
    for dim in (None, *sorted(set(dims))):
        ranks = _ranks(np.asarray(asked)[:, :dim], np.asarray(passages)[:, :dim], pairs)
        if dim is None:
            found["first"] = round(float((ranks == 1).mean()), 4)
        name = f"mean_rank@{dim}" if dim else "mean_rank"
        found[name] = round(float((1 / ranks).mean()), 4)
    return found


def _ranks(asked: Any, passages: Any, pairs: Sequence[Pair]) -> Any:
    """The rank of each pair's answer, from 1; as near as it counts as nearer."""
    cosines = _unit(asked) @ _unit(passages).T
    # The answer of each pair stands before its negatives.
    answers = np.arange(len(pairs)) * (1 + NEGATIVES)
    documents = np.array([pair.document_id for pair in pairs])
    ranks = []
    for row, own, document in zip(cosines, answers, documents, strict=True):
        others = [*answers[documents != document], *range(own + 1, own + 1 + NEGATIVES)]
        ranks.append(1 + int((row[others] >= row[own]).sum()))
    return np.array(ranks)


def _unit(rows: Any) -> Any:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _digest(pairs: Sequence[Pair]) -> str:
    return hashlib.sha256(repr(list(pairs)).encode()).hexdigest()


def _loaded(base: str, plan: Plan) -> "SentenceTransformer":
    from datasets import disable_progress_bars
    from sentence_transformers import SentenceTransformer
    from torch import manual_seed
    from transformers.utils import logging

    # Bars for each file and each look, beside the lines that say how far it is.
    logging.disable_progress_bar()  # type: ignore[no-untyped-call] # transformers' own
    disable_progress_bars()
    manual_seed(plan.seed)  # a base without a pooling of its own gets one, and dropout draws
    try:
        model = SentenceTransformer(base)
    except _ODD as error:
        msg = (
            f"The base model {base!r} cannot be loaded ({error}). Name a folder, or one of the hub."
        )
        raise ModelError(msg) from error
    length = model.get_embedding_dimension() or 0
    if too_long := [dim for dim in plan.dims if dim > length]:
        msg = f"The vectors of {base!r} have {length} numbers; --dims {too_long[0]} is more."
        raise ModelError(msg)
    return model


def _loss(model: "SentenceTransformer", plan: Plan) -> Any:
    from sentence_transformers.sentence_transformer import losses

    loss: Any = losses.MultipleNegativesRankingLoss(model)
    if plan.batch > plan.at_once:
        loss = losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=plan.at_once)
    if plan.dims:
        whole = model.get_embedding_dimension() or max(plan.dims)
        dims = sorted({whole, *plan.dims}, reverse=True)
        loss = losses.MatryoshkaLoss(model, loss, dims)
    return loss


def _rows(pairs: Sequence[Pair], negatives: int) -> "Dataset":
    from datasets import Dataset

    columns: dict[str, list[str]] = {
        "question": [pair.question for pair in pairs],
        "answer": [pair.answer for pair in pairs],
    }
    for number in range(min(negatives, NEGATIVES)):
        columns[f"other_{number + 1}"] = [pair.others[number] for pair in pairs]
    return Dataset.from_dict(columns)


def _prompts(model: "SentenceTransformer", negatives: int) -> dict[str, str] | None:
    """What the base wants before questions and passages, as `ingest.embed` puts it there."""
    known = {name: text or "" for name, text in (model.prompts or {}).items()}
    passage = known.get("document") or known.get("passage") or ""
    others = {f"other_{number + 1}": passage for number in range(min(negatives, NEGATIVES))}
    found = {"question": known.get("query", ""), "answer": passage, **others}
    return found if any(found.values()) else None


def _arguments(folder: Path, plan: Plan, model: "SentenceTransformer") -> Any:
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers
    from torch.cuda import is_available

    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch,
        per_device_eval_batch_size=plan.batch,
        learning_rate=plan.rate,
        warmup_steps=plan.look_every // 2,
        # A passage that answers two questions of a batch must not be held against either.
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        prompts=_prompts(model, plan.negatives),
        bf16=bfloat16_pays(),
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
        use_cpu=not is_available(),
        disable_tqdm=True,
    )
