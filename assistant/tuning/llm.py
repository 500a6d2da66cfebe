"""A language model that learns to answer as the assistant asks it to: LoRA over made examples.

Low-rank adaptation (Hu et al., 2022): the base stays as it is, and beside each of its linear layers
two small matrices are learnt. The loss is of the reply alone, each example is read by itself, and
one that is longer than the model is to read is left out whole: cut, it would lose what is learnt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.tuning.callbacks import callbacks, curve, hush, installed, quiet
from assistant.tuning.checkpoints import Checkpoints
from assistant.tuning.model_card import write_model_card
from assistant.tuning.raft import Example
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
from ingest.errors import ModelError
from ingest.precision import bfloat16_pays

if TYPE_CHECKING:
    # Only for types: these take seconds that `docent tune --help` need not pay.
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import (
        PreTrainedModel,
        PreTrainedTokenizerBase,
        TrainerCallback,
        TrainerState,
    )
    from trl import SFTTrainer

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Linear layers that are adapted, by the names that all models of the Llama kind give them."""
ODD_FOLDER = (OSError, ValueError, KeyError, RuntimeError)
"""What a folder that is no model makes the libraries raise."""
_SAY_NOTHING = -100
"""Label of a token that is read and not learnt."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is trained. The defaults suit models of 0.1 to 8 billion weights."""

    epochs: float = 2.0
    batch: int = 8
    """Examples of one step."""
    at_once: int = 1
    """Examples in memory together: more on a GPU. A processor takes longer for each, since the
    shorter ones are filled up and have to be masked."""
    rate: float = 2e-4
    rank: int = 16
    alpha: int = 32
    """What is learnt counts alpha / rank times."""
    layers: int = 0
    """So many of the last layers are adapted; 0: all. Nothing is kept of the others nor led back
    through them, which is a third of the time where half are left out."""
    dropout: float = 0.05
    max_tokens: int = 1024
    """A longer example, prompt and reply together, is left out."""
    look_every: int = 50
    """Steps between looks at the held-out examples; a checkpoint is written at each."""
    seed: int = 1
    sparing: bool = False
    """Compute activations twice rather than keep them: a third slower, in much less memory."""


def train(
    base: str,
    examples: Sequence[Example],
    out: Path,
    plan: Plan | None = None,
    told: Callable[[str], None] = lambda line: None,
    *,
    data: Data | None = None,
    licence: str = "",
    called: str = "",
) -> Trained:
    """Train an adapter into `out`; run again after a kill, it goes on from the last checkpoint.

    `base` is a folder or a name on the model hub, and `called` its name where it has another;
    `data` is the file that the examples are of, `licence` that of the base.

    Raises:
        ModelError: the base cannot be loaded or taught, the examples are too few or too long, a
            checkpoint is refused, or what trains is not installed.
    """
    installed("accelerate", "datasets", "peft", "trl")
    plan = plan or Plan()
    learnt, held = split(examples, "examples", "docent tune data")
    data = data or Data(_digest(examples))
    checkpoints = Checkpoints(out / "checkpoints", _training(base, examples, plan))
    last = checkpoints.last()
    model, tokenizer = loaded(base, plan.seed)
    fed = [_fed(some, tokenizer, plan.max_tokens, told) for some in (learnt, held)]
    meter = Meter(checkpoints.spent(last))
    folder = out / "model"
    with quiet():
        ours = callbacks(checkpoints, meter, told)
        trainer = _trainer(model, tokenizer, fed, plan, checkpoints.folder, ours)
        before = _measured(trainer)
        told(f"Before: loss {before['loss']:.4f} on {len(fed[1])} held-out examples.")
        done = trainer.train(resume_from_checkpoint=str(last) if last else None)
        spent, losses = meter.spent(), curve(trainer.state.log_history)
        after = _best(trainer.state) or _measured(trainer)
        _save(trainer, folder)
    found = Trained(
        kind="llm",
        model=str(folder),
        base=called or base,
        base_digest=base_digest(base, model.config),
        licence=licence,
        digest=digest_of_folder(folder),
        data=data,
        plan=asdict(plan),
        trained_on=len(fed[0]),
        held=len(fed[1]),
        before=before,
        after=after,
        curve=losses,
        steps=int(done.global_step),
        spent=spent,
        made=now(),
    )
    write_trained(folder, found)
    write_model_card(folder, found)
    told(f"After: loss {after['loss']:.4f}, {found.steps} steps in {spent.seconds:g} s.")
    return found


def loaded(base: str, seed: int = 1) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """A base and its tokenizer; in bfloat16 where that is faster, else in float32.

    Raises:
        ModelError: it cannot be loaded, or has no form for conversations.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)  # what is learnt begins by chance
    kind = torch.bfloat16 if bfloat16_pays() else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=kind)
    except ODD_FOLDER as error:
        msg = (
            f"The base model {base!r} cannot be loaded ({error}). Name a folder, one of the hub, "
            "or one of `docent models list`."
        )
        raise ModelError(msg) from error
    if not tokenizer.chat_template:
        msg = f"The base model {base!r} has no form for conversations. Take an instruct model."
        raise ModelError(msg)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def tokens_of(
    example: Example, tokenizer: "PreTrainedTokenizerBase"
) -> tuple[list[int], list[int]]:
    """Prompt and reply as numbers, and the labels, which are of the reply and its end alone.

    Raises:
        ModelError: the model's form for conversations does not end with the reply.
    """
    messages = [{"role": one.role, "content": one.content} for one in example.messages]
    said = [*messages, {"role": "assistant", "content": example.target}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template(said, tokenize=False)
    if not isinstance(prompt, str) or not isinstance(whole, str) or not whole.startswith(prompt):
        msg = (
            "The base model puts a reply elsewhere than at the end of a conversation. Take another."
        )
        raise ModelError(msg)
    asked: list[int] = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    reply: list[int] = tokenizer(whole[len(prompt) :].rstrip("\n"), add_special_tokens=False)[
        "input_ids"
    ]
    return asked + reply, [_SAY_NOTHING] * len(asked) + reply


def _fed(
    examples: Sequence[Example],
    tokenizer: "PreTrainedTokenizerBase",
    most: int,
    told: Callable[[str], None],
) -> "Dataset":
    from datasets import Dataset

    made = [tokens_of(example, tokenizer) for example in examples]
    kept = [one for one in made if len(one[0]) <= most]
    if len(kept) < len(made):
        told(f"{len(made) - len(kept)} of {len(made)} examples are left out: over {most} tokens.")
    if not kept:
        longest = max(len(ids) for ids, _ in made)
        msg = f"Every example is over {most} tokens. Set --max-tokens higher, up to {longest}."
        raise ModelError(msg)
    return Dataset.from_dict(
        {"input_ids": [one[0] for one in kept], "labels": [one[1] for one in kept]}
    )


def _trainer(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    fed: "Sequence[Dataset]",
    plan: Plan,
    folder: Path,
    ours: "list[TrainerCallback]",
) -> "SFTTrainer":
    from torch.cuda import is_available
    from trl import SFTConfig

    from assistant.tuning.replies import ReplyTrainer

    bf16 = bfloat16_pays()
    arguments = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=min(plan.at_once, plan.batch),
        per_device_eval_batch_size=min(plan.at_once, plan.batch),
        gradient_accumulation_steps=max(1, plan.batch // plan.at_once),
        # What fills up the shorter ones is work, too.
        train_sampling_strategy="group_by_length" if plan.at_once > 1 else "random",
        activation_checkpointing=plan.sparing,
        learning_rate=plan.rate,
        lr_scheduler_type="cosine",
        warmup_steps=plan.look_every // 5,
        eval_strategy="steps",
        eval_steps=plan.look_every,
        save_strategy="steps",
        save_steps=plan.look_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_steps=max(1, plan.look_every // 5),
        seed=plan.seed,
        bf16=bf16,
        packing=False,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        report_to=[],
        dataloader_pin_memory=is_available(),
        use_cpu=not is_available(),
        disable_tqdm=True,
    )
    trainer = ReplyTrainer(
        model=model,
        args=arguments,
        train_dataset=fed[0],
        eval_dataset=fed[1],
        processing_class=tokenizer,
        peft_config=_lora(model, plan),
        callbacks=ours,
    )
    hush(trainer)
    return trainer


def _lora(model: "PreTrainedModel", plan: Plan) -> "LoraConfig":
    from peft import LoraConfig, TaskType

    names = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    layers = [layer for layer in LAYERS if layer in names]
    if not layers:
        msg = (
            f"A model of the kind {model.config.model_type} cannot be tuned: none of its layers is "
            f"named {', '.join(LAYERS)}. Take one of the Llama or Qwen kind."
        )
        raise ModelError(msg)
    return LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules=layers,
        layers_to_transform=_last(model, plan.layers),
        bias="none",
    )


def _last(model: "PreTrainedModel", layers: int) -> list[int] | None:
    """The numbers of the last layers; None for all."""
    count = int(model.config.num_hidden_layers)
    if not layers:
        return None
    if layers > count:
        msg = f"The base model has {count} layers. Set --layers to {count} at most, or 0 for all."
        raise ModelError(msg)
    return list(range(count - layers, count))


def _best(state: "TrainerState") -> dict[str, float] | None:
    """What the look measured whose weights were taken; None where there was none."""
    looks = [look for look in state.log_history if look.get("eval_loss") == state.best_metric]
    return _told(looks[0]) if looks and state.best_metric is not None else None


def _measured(trainer: "SFTTrainer") -> dict[str, float]:
    return _told(trainer.evaluate())


def _told(found: Mapping[str, float]) -> dict[str, float]:
    told = {"loss": "eval_loss", "token_accuracy": "eval_mean_token_accuracy"}
    return {name: round(float(found[key]), 6) for name, key in told.items() if key in found}


def _save(trainer: "SFTTrainer", folder: Path) -> None:
    """The adapter alone, in the form of PEFT, which vLLM reads as it is."""
    adapted: Any = trainer.model
    adapted.save_pretrained(str(folder))


def _training(base: str, examples: Sequence[Example], plan: Plan) -> dict[str, object]:
    return {"base": base, "examples": _digest(examples), "plan": asdict(plan)}


def _digest(examples: Sequence[Example]) -> str:
    return sha256(repr(list(examples)).encode()).hexdigest()
