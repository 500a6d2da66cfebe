"""The real engine: vLLM's build for processors, in an environment of its own.

`make vllm` makes that environment (3 GB) and the models; `make vllm-test` runs these tests, which
take minutes, since an engine takes half a minute and more to start. `make test` runs none of them.
"""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".vllm"
PYTHON = HOME / "bin" / "python"
MODELS = HOME / "models"
WANTED = "DOCENT_VLLM"
"""Set by `make vllm-test`."""


def missing() -> str:
    """Why the real engine is not tried here; empty when it is."""
    if not os.environ.get(WANTED):
        return "not asked for"
    return "" if PYTHON.exists() and (MODELS / "judge").is_dir() else "not installed"
