"""Engines for the tests of this folder, each started once. Without one, nothing is collected."""

from collections.abc import Iterator

import pytest

from tests.vllm import MODELS, missing
from tests.vllm.engine import Engine, chat_engine

collect_ignore_glob = ["test_*.py"] if missing() else []


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """Serves `small` and its adapter `tuned`. Not to be killed."""
    with chat_engine(MODELS) as running:
        yield running
