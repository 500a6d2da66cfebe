"""Models that the engine of the tests serves, made of what the catalogue has.

`python -m tests.vllm.make_models FOLDER` writes, unless they are there:

- `base`: SmolLM2-135M-Instruct, taken out of its GGUF file, as the engine reads models;
- `adapter`: a LoRA adapter of it with random weights, large enough that it changes every answer;
- `judge`: a cross-encoder over MiniLM whose head is random: its scores mean nothing, but two
  programs that serve it must agree on them.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ingest.catalogue import locate
from ingest.settings import ModelsSettings

SMALL = "smollm2-135m-instruct-q4"
SEED = 7
RANK = 8


def base(into: Path) -> None:
    """The smallest chat model of the catalogue with its weights as plain numbers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.quantization_config import GgufConfig

    file = locate(SMALL, ModelsSettings())
    model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(into)


def adapter(into: Path) -> None:
    """Random in both of its matrices: one begins a training with a zero in the second."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(SEED)
    model = AutoModelForCausalLM.from_pretrained(into.parent / "base", dtype=torch.bfloat16)
    settings = LoraConfig(r=RANK, lora_alpha=2 * RANK, target_modules=["q_proj", "v_proj"])
    tuned = get_peft_model(model, settings)
    with torch.no_grad():
        for name, weights in tuned.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.1)
    tuned.save_pretrained(into)


def judge(into: Path) -> None:
    """MiniLM with one score on top."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(SEED)
    folder = locate("all-MiniLM-L6-v2", ModelsSettings())
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1)
    with torch.no_grad():
        # As it is initialised, its scores hardly differ.
        model.classifier.weight.normal_(std=0.3)
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(folder).save_pretrained(into)


MAKERS: dict[str, Callable[[Path], None]] = {"base": base, "adapter": adapter, "judge": judge}


def make(folder: Path) -> None:
    """Write each model that is not there. One that was half written is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, maker in MAKERS.items():
        if (folder / name).exists():
            continue
        shutil.rmtree(partial := folder / f"{name}.partial", ignore_errors=True)
        maker(partial)
        partial.rename(folder / name)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
