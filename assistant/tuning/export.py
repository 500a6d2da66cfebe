"""A trained adapter in the forms that engines serve: a GGUF for llama.cpp, or one with its base.

vLLM reads the folder of the training as it is. llama.cpp reads one file of the same matrices under
its own names of the layers (`llama_adapter_lora_init` in its sources: `general.type` is adapter,
`adapter.type` lora, what is added is alpha / rank · B · A). Models of its architecture `llama` have
the rows of query and key in another order there, so that the rows of B go along; those of `qwen2`
and `qwen3` have not.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.engines import ADAPTER
from assistant.tuning.callbacks import installed, quiet
from assistant.tuning.llm import ODD_FOLDER
from assistant.tuning.model_card import write_model_card
from assistant.tuning.trained import Trained, digest_of_folder, read_trained, write_trained
from ingest.errors import ModelError

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""`model_type` of transformers, and what llama.cpp calls it."""
LAYERS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_PREFIX = "base_model.model.model.layers."


def to_gguf(adapter: Path, out: Path) -> Trained:
    """Write the adapter in `adapter` for llama.cpp into the new folder `out`, as `ADAPTER`.

    Raises:
        ModelError: it is not what was trained, is of a kind unknown here, or `out` exists.
    """
    installed("gguf")
    trained = read_trained(adapter)
    config = _config(adapter)
    shape = _shape(str(config["base_model_name_or_path"]))
    if config.get("use_rslora") or config.get("use_dora"):
        msg = f"The adapter in {adapter} is no plain LoRA: llama.cpp knows neither rsLoRA nor DoRA."
        raise ModelError(msg)
    _new(out)
    _write_gguf(out / ADAPTER, shape, config, dict(_tensors(adapter, shape)), trained)
    return _told(trained, out, out)


def merged(adapter: Path, out: Path) -> Trained:
    """Write base and adapter as one model into the new folder `out`.

    Raises:
        ModelError: it is not what was trained, its base cannot be loaded, or `out` exists.
    """
    installed("accelerate", "peft")
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained = read_trained(adapter)
    base = str(_config(adapter)["base_model_name_or_path"])
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
        tokenizer = AutoTokenizer.from_pretrained(base)
        with quiet():
            whole = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except ODD_FOLDER as error:
        msg = f"The base {base} of the adapter in {adapter} cannot be loaded: {error}."
        raise ModelError(msg) from error
    _new(out)
    whole.save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))
    return _told(trained, out, adapter)


def _told(trained: Trained, out: Path, card: Path) -> Trained:
    found = replace(trained, model=str(out), digest=digest_of_folder(out))
    write_trained(out, found)
    if card == out:
        write_model_card(out, replace(found, model=trained.model))
    else:
        shutil.copy(card / "README.md", out / "README.md")
    return found


def _new(out: Path) -> None:
    if out.exists() and any(out.iterdir()):
        msg = f"{out} is there already and not empty. Name another folder, or remove it."
        raise ModelError(msg)
    out.mkdir(parents=True, exist_ok=True)


def _config(adapter: Path) -> Mapping[str, Any]:
    try:
        text = (adapter / "adapter_config.json").read_text(encoding="utf-8")
        config: Mapping[str, Any] = json.loads(text)
    except (OSError, ValueError) as error:
        msg = f"{adapter} holds no adapter of PEFT: {error}. Name what `docent tune llm` has made."
        raise ModelError(msg) from None
    return config


def _shape(base: str) -> Any:
    """The base's configuration: which architecture, how many heads."""
    from transformers import AutoConfig

    try:
        shape = AutoConfig.from_pretrained(base)
    except ODD_FOLDER as error:
        msg = f"The base {base} of the adapter is not to be found: {error}."
        raise ModelError(msg) from error
    if shape.model_type not in ARCHITECTURES:
        msg = (
            f"An adapter of the kind {shape.model_type} cannot be written for llama.cpp; known are "
            f"{', '.join(ARCHITECTURES)}. Merge it: docent tune export --to merged."
        )
        raise ModelError(msg)
    return shape


def _tensors(adapter: Path, shape: Any) -> Iterator[tuple[str, NDArray[np.float16]]]:
    """The matrices under llama.cpp's names: A (rank, in), B (out, rank)."""
    from safetensors.torch import load_file

    heads, kv_heads = shape.num_attention_heads, shape.num_key_value_heads
    permuted = ARCHITECTURES[shape.model_type] == "llama"
    for name, tensor in load_file(adapter / "adapter_model.safetensors").items():
        block, _, rest = name.removeprefix(_PREFIX).partition(".")
        layer, _, side = rest.removesuffix(".weight").rpartition(".")
        if layer not in LAYERS or not name.startswith(_PREFIX):
            msg = f"The adapter in {adapter} has a layer that llama.cpp has no name for: {name}."
            raise ModelError(msg)
        values = tensor.float().numpy()
        if side == "lora_B" and permuted and LAYERS[layer] in ("attn_q", "attn_k"):
            values = interleaved(values, heads if LAYERS[layer] == "attn_q" else kv_heads)
        side = {"lora_A": "lora_a", "lora_B": "lora_b"}[side]
        yield f"blk.{block}.{LAYERS[layer]}.weight.{side}", values.astype(np.float16)


def interleaved(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """The rows of each head, whose first half turns with its second, put pair beside pair.

    Rotary embeddings are written down in two ways: transformers turns number i of a head with
    number i + half, llama.cpp's `llama` number 2i with 2i + 1.

    >>> interleaved(np.array([[0], [1], [2], [3]], np.float32), 1).ravel().tolist()
    [0.0, 2.0, 1.0, 3.0]
    """
    half = rows.shape[0] // heads // 2
    pairs = rows.reshape(heads, 2, half, rows.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(pairs.reshape(rows.shape))


def _write_gguf(
    file: Path,
    shape: Any,
    config: Mapping[str, Any],
    tensors: Mapping[str, NDArray[np.float16]],
    trained: Trained,
) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(file, ARCHITECTURES[shape.model_type])
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    writer.add_name(f"{trained.base} for Docent")
    if trained.licence:
        writer.add_license(trained.licence)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
