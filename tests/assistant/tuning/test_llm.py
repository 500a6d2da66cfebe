"""A real training of a language model of some thousand weights, from a GGUF to what serves it."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from trl import SFTTrainer

from assistant.engines import llm_from
from assistant.llamacpp import LlamaCpp
from assistant.llm import Message
from assistant.prompt import REFUSAL
from assistant.tuning.asks import Kind
from assistant.tuning.bases import base_from, whole
from assistant.tuning.callbacks import quiet
from assistant.tuning.examples import write_examples
from assistant.tuning.export import merged, to_gguf
from assistant.tuning.llm import LAYERS, Plan, _fed, _trainer, loaded, tokens_of, train
from assistant.tuning.raft import Case, Example
from assistant.tuning.trained import Data, digest_of_folder, read_trained, write_trained
from ingest.catalogue import locate
from ingest.errors import ModelError
from ingest.settings import LLMSettings, ModelsSettings
from tests.assistant.tiny_llm import LAYERS as DEPTH
from tests.assistant.tiny_llm import tiny_llm, write_gguf

THINGS = ("muon", "pixel", "tile", "strip", "quota", "shift")
PLAN = Plan(epochs=3, batch=8, at_once=8, rate=2e-2, rank=4, alpha=8, max_tokens=256, look_every=5)


def example(number: int) -> Example:
    """One of two excerpts tells the place of the thing that is asked for, or none does."""
    thing, other = THINGS[number % 6], THINGS[(number * 5 + 1) % 6]
    place = f"building {number % 9}"
    missing = number % 4 == 0
    told = f"The {other} is in hall A." if missing else f"The {thing} is in {place}."
    return Example(
        messages=(
            Message("system", "Answer."),
            Message("user", f"{told}\n\nWhere is the {thing}?"),
        ),
        target=REFUSAL if missing else f"The {thing} is in {place}.",
        question=f"Where is the {thing}?",
        kind=Kind.HEADING,
        case=Case.MISSING if missing else Case.GOLD,
        document_id=f"test:{number}",
        source="test",
    )


EXAMPLES = [example(number) for number in range(80)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The base as people have it, one GGUF, and the folder that is made of it."""
    folder = tmp_path_factory.mktemp("llm")
    texts = [f"{m.content} {one.target}" for one in EXAMPLES for m in one.messages]
    model, tokenizer = tiny_llm(folder / "publisher", texts)
    write_gguf(model, tokenizer, folder / "tiny.gguf")
    base = base_from(str(folder / "tiny.gguf"), ModelsSettings(), folder / "base")
    return folder, base.model


@pytest.fixture(scope="module")
def tuned(world):
    """A whole training, and what it said."""
    folder, base = world
    answer = {"passages": 3, "model_may_refuse": True}
    data = Data("digest", ("staff",), {"test": "CC-BY-4.0"}, answer)
    lines: list[str] = []
    one = train(base, EXAMPLES, folder / "whole", PLAN, lines.append, data=data, called="tiny.gguf")
    return one, lines


CHILD = """
import json, os, sys
from pathlib import Path
from typing import Any
from assistant.tuning.examples import read_examples
from assistant.tuning.llm import Plan, train

base, examples, out, plan, step = sys.argv[1:]

def told(line):
    print(line, flush=True)
    if line.startswith(f"Step {step} of ") and "held-out" not in line:
        sys.stdin.read()  # until somebody kills us

train(base, read_examples(Path(examples)), Path(out), Plan(**json.loads(plan)), told)
"""


def killed_after(base: str, folder: Path, step: int) -> None:
    """Train in another process until it has come to a step, then take the process away."""
    write_examples(folder / "examples.jsonl", EXAMPLES)
    given = (base, folder / "examples.jsonl", folder / "killed", json.dumps(asdict(PLAN)), step)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, *map(str, given)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(f"Step {step} of ") and "held-out" not in line:
                break
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL


def test_it_learns(tuned, world):
    one, lines = tuned
    assert one.after["loss"] < 0.6 * one.before["loss"]
    assert one.after["token_accuracy"] > one.before["token_accuracy"]
    assert lines[0].startswith("Before: loss ")
    assert any(line.startswith("Step 5 of ") and "held-out" in line for line in lines)
    assert [step for step, _ in one.curve][:3] == [5, 10, 15]
    folder, _ = world
    assert read_trained(folder / "whole" / "model") == one


def test_what_is_told_of_the_end_is_the_best_look(tuned):
    """Its weights are the ones that are kept: reading all held-out examples again tells nothing."""
    one, _ = tuned
    assert one.after["loss"] == min(loss for _, loss in one.curve)


def test_the_last_layers_alone_can_be_adapted(world):
    folder, base = world
    short = replace(PLAN, epochs=0.2, look_every=1, layers=1)
    train(base, EXAMPLES, folder / "last", short)
    file = folder / "last" / "model" / "adapter_model.safetensors"
    adapted = {name.split(".layers.")[1].split(".")[0] for name in load_file(file)}
    assert adapted == {str(DEPTH - 1)}
    with pytest.raises(ModelError, match=f"has {DEPTH} layers. Set --layers to {DEPTH} at most"):
        train(base, EXAMPLES, folder / "more", replace(short, layers=DEPTH + 1))


def test_after_a_kill_it_goes_on_to_the_same(tuned, world):
    """Another process trains until it has come to a step; then it is taken away."""
    folder, base = world
    killed_after(base, folder, step=15)
    one, two = tuned[0], train(base, EXAMPLES, folder / "killed", PLAN)

    assert two.steps == one.steps
    assert two.before == one.before
    assert two.after["loss"] == pytest.approx(one.after["loss"], rel=0.02)
    assert np.array(two.curve) == pytest.approx(np.array(one.curve), rel=0.02)


def test_what_it_cost_is_told_and_what_is_not_measured_too(tuned):
    spent = tuned[0].spent
    assert spent.seconds > 0
    assert spent.cpu_joules is not None or any("processor" in why for why in spent.not_measured)
    assert spent.gpu_joules is not None or any("GPU" in why for why in spent.not_measured)


@pytest.mark.parametrize(("pays", "kind"), [(True, "torch.bfloat16"), (False, "torch.float32")])
def test_numbers_of_16_bits_are_learnt_with_where_they_pay(world, monkeypatch, pays, kind):
    monkeypatch.setattr("assistant.tuning.llm.bfloat16_pays", lambda: pays)
    assert str(loaded(world[1])[0].dtype) == kind


def test_only_the_reply_and_its_end_are_learnt(world):
    _, base = world
    _, tokenizer = loaded(base)
    ids, labels = tokens_of(EXAMPLES[1], tokenizer)
    reply = [label for label in labels if label != -100]
    assert tokenizer.decode(reply) == f"{EXAMPLES[1].target}<|im_end|>"
    assert ids[-len(reply) :] == reply
    whole_text = str(tokenizer.decode(ids))
    assert whole_text.endswith(
        f"Where is the pixel?<|im_end|>\n<|im_start|>assistant\n{tokenizer.decode(reply)}"
    )


def test_the_last_layer_is_asked_for_the_replies_alone_and_says_the_same_of_them(world):
    folder, base = world
    model, tokenizer = loaded(base)
    system, user = EXAMPLES[2].messages
    longer = replace(EXAMPLES[2], messages=(system, Message("user", f"It rains. {user.content}")))
    fed = [_fed([*EXAMPLES[:2], longer], tokenizer, 256, print)] * 2
    with quiet():
        trainer = _trainer(model, tokenizer, fed, PLAN, folder / "loss", [])
    batch = trainer.data_collator([fed[0][number] for number in range(3)])
    assert not batch["attention_mask"].all()
    seen: list[Any] = []
    model.lm_head.register_forward_pre_hook(lambda layer, given: seen.append(given[0].shape))

    trainer.model.eval()
    with torch.no_grad():
        ours, theirs = (
            one.compute_loss(trainer, trainer.model, dict(batch), num_items_in_batch=9)
            for one in (type(trainer), SFTTrainer)
        )
        of_batch = trainer.compute_loss(trainer.model, dict(batch))

    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    learnt = batch["labels"] != -100
    assert float(of_batch) == pytest.approx(9 * float(ours) / int(learnt.sum()), rel=1e-5)
    first = int(learnt.any(dim=0).nonzero()[0])
    assert seen[0][1] == learnt.shape[1] - first + 1 < 2 * learnt.shape[1] / 3
    right = trainer._metrics["eval"]["mean_token_accuracy"]
    assert right[0] == pytest.approx(right[1], abs=1e-6)


def test_the_card_tells_base_data_curve_and_how_to_serve(tuned, world):
    folder, _ = world
    card = (folder / "whole" / "model" / "README.md").read_text()
    one = tuned[0]
    for told in (
        "base_model: tiny.gguf", one.base_digest, one.digest, "CC-BY-4.0",
        "have all of these groups:** staff",
        f"| 5 | {one.curve[0][1]:.4f} |", "--lora-modules docent=", "docent tune base tiny.gguf",
        'adapter = "gguf/adapter.gguf"', "model_may_refuse = true", "passages = 3",
    ):  # fmt: skip
        assert told in card


def test_llama_cpp_says_what_peft_says(tuned, world):
    """The same conversation in, the same probabilities out, with the adapter and without."""
    folder, base = world
    found = to_gguf(folder / "whole" / "model", folder / "gguf")
    assert read_trained(folder / "gguf") == found
    ids, labels = tokens_of(EXAMPLES[-1], loaded(base)[1])
    prompt = ids[: labels.count(-100)]
    plain, adapted = peft_says(base, folder / "whole" / "model", prompt)

    assert np.abs(plain - adapted).max() > 0.5  # it has learnt something
    assert_near(llama_says(folder / "tiny.gguf", None, len(prompt)), plain)
    file = folder / "gguf" / "adapter.gguf"
    assert_near(llama_says(folder / "tiny.gguf", file, len(prompt)), adapted)


def assert_near(told: dict[int, float], wanted) -> None:
    assert len(told) == 10
    assert told == pytest.approx({token: float(wanted[token]) for token in told}, abs=0.05)


def peft_says(base: str, adapter: Path, prompt: list[int]):
    """Log-probabilities of the next token, by the base and with its adapter."""
    import torch
    from peft import PeftModel

    model, _ = loaded(base)
    model.float()  # what is compared is the arithmetic, not the rounding of one of the two
    tokens = torch.tensor([prompt])
    with torch.no_grad(), quiet():
        plain = torch.log_softmax(model(tokens).logits[0, -1], -1).numpy()
        adapted = PeftModel.from_pretrained(model, str(adapter))
        return plain, torch.log_softmax(adapted(tokens).logits[0, -1].float(), -1).numpy()


def llama_says(
    gguf: Path, adapter: Path | None, tokens: int, messages=EXAMPLES[-1].messages
) -> dict[int, float]:
    """The same of the likeliest tokens, by llama.cpp as Docent loads it."""
    engine = LlamaCpp(path=gguf, adapter=adapter, context_tokens=512, threads=1)._engine
    given = [{"role": one.role, "content": one.content} for one in messages]
    asked = {"messages": given, "max_tokens": 1, "logprobs": True, "top_logprobs": 10}
    replies: list[dict[str, Any]] = []

    def take(sent: str) -> None:
        replies.append(json.loads(sent))

    engine._load().handle_chat_completions(json.dumps({**asked, "temperature": 0}), take)
    assert replies[0]["usage"]["prompt_tokens"] == tokens
    told = replies[0]["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    return {one["id"]: one["logprob"] for one in told}


@pytest.mark.models
def test_the_smallest_real_model_says_the_same_in_llama_cpp(tuned, tmp_path):
    """With an adapter by chance: whoever turns queries or keys wrongly says something else."""
    import torch
    from peft import LoraConfig, get_peft_model

    gguf = locate("smollm2-135m-instruct-q4", ModelsSettings())
    base = str(whole(gguf, tmp_path / "base"))
    model, tokenizer = loaded(base)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(LAYERS), task_type="CAUSAL_LM")
    with quiet():
        adapted = get_peft_model(model, config)
    for name, values in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(values, std=0.15)
    adapted.save_pretrained(str(tmp_path / "model"))
    digest = digest_of_folder(tmp_path / "model")
    write_trained(tmp_path / "model", replace(tuned[0], digest=digest))
    to_gguf(tmp_path / "model", tmp_path / "gguf")

    ids, labels = tokens_of(EXAMPLES[1], tokenizer)
    prompt = ids[: labels.count(-100)]
    plain, wanted = peft_says(base, tmp_path / "model", prompt)
    messages = EXAMPLES[1].messages
    with_adapter = llama_says(gguf, tmp_path / "gguf" / "adapter.gguf", len(prompt), messages)
    without = llama_says(gguf, None, len(prompt), messages)
    # llama.cpp rounds what it multiplies to eight bits: 0.3 of a logarithm at the tenth token.
    assert off(without, plain) < 0.4
    assert off(with_adapter, wanted) < 0.3
    assert off(with_adapter, plain) > 1.5


def off(told: dict[int, float], wanted) -> float:
    return max(abs(logprob - float(wanted[token])) for token, logprob in told.items())


def test_the_settings_serve_base_and_adapter(tuned, world):
    folder, _ = world
    if not (folder / "served").exists():
        to_gguf(folder / "whole" / "model", folder / "served")
    settings = LLMSettings(
        model=str(folder / "tiny.gguf"), adapter=str(folder / "served"), context_tokens=512
    )
    llm = llm_from(settings, ModelsSettings())
    assert llm is not None
    assert llm.name.endswith("served")

    async def said() -> str:
        return "".join([piece async for piece in llm.stream(EXAMPLES[-1].messages)])

    assert asyncio.run(said())


def test_an_adapter_that_is_not_there_or_none_is_told(tuned, world, tmp_path):
    folder, _ = world
    nowhere = LLMSettings(model=str(folder / "tiny.gguf"), adapter=str(tmp_path / "no.gguf"))
    with pytest.raises(ModelError, match="neither a model"):
        llm_from(nowhere, ModelsSettings())
    for adapter, said in ((tmp_path / "gone", "no adapter"), (folder / "tiny.gguf", "adapter")):
        model = LlamaCpp(path=folder / "tiny.gguf", adapter=adapter, context_tokens=512)
        with pytest.raises(ModelError, match=said):
            model.invoke("Where?")
    with pytest.raises(ValueError, match="of a server, name the adapter as model"):
        LLMSettings(model="m", url="http://127.0.0.1:1/v1", adapter="a")


def test_base_and_adapter_merged_say_the_same(tuned, world):
    import torch

    folder, base = world
    found = merged(folder / "whole" / "model", folder / "merged")
    assert read_trained(folder / "merged") == found
    assert (folder / "merged" / "README.md").exists()
    model, tokenizer = loaded(found.model)
    ids, _ = tokens_of(EXAMPLES[-1], tokenizer)
    with torch.no_grad():
        said = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].float(), -1).numpy()
    _, wanted = peft_says(base, folder / "whole" / "model", ids)
    assert np.abs(said - wanted).max() < 0.2  # the weights of the base are in bfloat16
    with pytest.raises(ModelError, match="there already and not empty"):
        merged(folder / "whole" / "model", folder / "merged")


def test_checkpoints_that_were_changed_or_are_of_another_training_are_refused(tuned, world):
    folder, base = world
    out = folder / "broken"
    shutil.copytree(folder / "whole" / "checkpoints", out / "checkpoints")
    last = max(out.rglob("checkpoint-*"), key=lambda one: int(one.name.rpartition("-")[2]))
    weights = last / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=rf"{last} is damaged: adapter_model.safetensors"):
        train(base, EXAMPLES, out, PLAN)
    with pytest.raises(ModelError, match="are of another training"):
        train(base, EXAMPLES, out, replace(PLAN, rate=0.1))


def test_an_adapter_that_was_changed_is_not_exported(tuned, world, tmp_path):
    folder, _ = world
    shutil.copytree(folder / "whole" / "model", tmp_path / "model")
    config = tmp_path / "model" / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 80'))
    with pytest.raises(ModelError, match="is not what was trained"):
        to_gguf(tmp_path / "model", tmp_path / "out")
    with pytest.raises(ModelError, match="is no model that"):
        to_gguf(tmp_path, tmp_path / "out")


def test_bases_that_cannot_be_taught_are_told(world, tmp_path):
    folder, _ = world
    with pytest.raises(ModelError, match="nowhere"):
        train(str(tmp_path / "nowhere"), EXAMPLES, tmp_path / "out", PLAN)
    shutil.copytree(folder / "publisher", tmp_path / "mute")
    (tmp_path / "mute" / "chat_template.jinja").unlink()
    with pytest.raises(ModelError, match="has no form for conversations"):
        loaded(str(tmp_path / "mute"))
    broken = tmp_path / "broken.gguf"
    broken.write_bytes((folder / "tiny.gguf").read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"broken.gguf cannot be made a folder"):
        whole(broken, tmp_path / "base")
    assert base_from("org/name", ModelsSettings(), tmp_path / "x").model == "org/name"


def test_a_folder_of_another_gguf_is_not_written_over(world):
    folder, base = world
    assert whole(folder / "tiny.gguf", Path(base)) == Path(base)  # made once
    with pytest.raises(ModelError, match="there already and not made of"):
        whole(folder / "tiny.gguf", folder / "publisher")


def test_too_few_or_too_long_examples_are_refused(world, tmp_path):
    _, base = world
    with pytest.raises(ModelError, match="4 examples are too few"):
        train(base, EXAMPLES[:4], tmp_path / "few", PLAN)
    with pytest.raises(ModelError, match="Every example is over 16 tokens"):
        train(base, EXAMPLES, tmp_path / "long", replace(PLAN, max_tokens=16))
