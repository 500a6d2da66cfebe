"""What a training may begin with: a folder, a name of the hub, or a GGUF made a folder again.

A GGUF holds rounded weights. Made whole numbers again they are those that it serves, so that an
adapter learnt beside them fits them; the publisher's own weights, where the hub is reached, are
better.
"""

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assistant.tuning.callbacks import installed
from assistant.tuning.files import digest_of
from ingest.catalogue import catalogue, locate
from ingest.errors import ModelError
from ingest.settings import ModelsSettings

SOURCE = "source.json"
"""In a folder made of a GGUF: which one, by its digest."""
_ODD = (OSError, ValueError, LookupError, RuntimeError, struct.error)
"""What a file that is no GGUF of a known kind makes the library raise."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a training begins with."""

    model: str
    """Folder or hub name."""
    licence: str = ""
    """As the catalogue tells; empty where nobody said."""


def base_from(
    name: str,
    models: ModelsSettings,
    folder: Path,
    told: Callable[[str], None] = lambda line: None,
) -> Base:
    """A GGUF, of the catalogue or by its path, made a folder again in `folder`; else the name.

    Raises:
        ModelError: the model of the catalogue is not here, or the file is none that can be read.
    """
    entry = catalogue().get(name)
    if entry is not None and entry.kind == "llm":
        made = whole(locate(name, models), folder, told)
        return Base(str(made.resolve()), entry.licence)
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return Base(str(whole(path, folder, told).resolve()))
    return Base(str(path.resolve()) if path.is_dir() else name)


def whole(gguf: Path, folder: Path, told: Callable[[str], None] = lambda line: None) -> Path:
    """The model of a GGUF as a folder of safetensors with its tokenizer; made once.

    Raises:
        ModelError: the file cannot be read, or the folder holds something else.
    """
    digest = digest_of(gguf)
    if folder.exists():
        if _source(folder) == digest:
            return folder
        msg = f"{folder} is there already and not made of {gguf}. Remove it, or name another."
        raise ModelError(msg)
    told(f"{gguf.name}: made a folder of whole weights, {folder} …")
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _write(gguf, partial)
    text = json.dumps({"file": gguf.name, "sha256": digest}, indent=1)
    (partial / SOURCE).write_text(text + "\n", encoding="utf-8")
    partial.rename(folder)
    return folder


def _write(gguf: Path, folder: Path) -> None:
    installed("accelerate", "gguf")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.quantization_config import GgufConfig

    where = str(gguf.parent)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            where,
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
        tokenizer = AutoTokenizer.from_pretrained(where, gguf_file=gguf.name)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    except _ODD as error:
        msg = f"The model file {gguf} cannot be made a folder of whole weights: {error}."
        raise ModelError(msg) from error


def _source(folder: Path) -> str:
    try:
        told: object = json.loads((folder / SOURCE).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(told)
