"""The measurements of the real engine are collected where there is one: `make vllm`."""

from tests.vllm import MODELS, PYTHON

collect_ignore = [] if PYTHON.exists() and (MODELS / "base").is_dir() else ["test_vllm.py"]


def pytest_report_header() -> str:
    return (
        "vllm: no engine is installed (`make vllm`), so it is NOT measured"
        if collect_ignore
        else ""
    )
