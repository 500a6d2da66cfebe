"""Engines for the tests of this folder, each started once. Without one, nothing is collected.

DOCENT_VLLM_URL names one that runs already, as `chat_engine` starts it.
"""

import os
from collections.abc import Iterator

import pytest

from tests.vllm import MODELS, missing
from tests.vllm.engine import Running, chat_engine

collect_ignore_glob = ["test_*.py"] if missing() else []


@pytest.fixture(scope="session")
def engine() -> Iterator[Running]:
    """Serves `small` and its adapter `tuned`. Not to be killed."""
    if url := os.environ.get("DOCENT_VLLM_URL"):
        yield Running(url)
        return
    with chat_engine(MODELS) as running:
        yield running
