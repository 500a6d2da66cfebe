"""From a question to an answer with citations. The file to read first is `answer.py`."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """`DocentRetriever`, imported when asked for: langchain_core takes a second to load."""
    if name == "DocentRetriever":
        return import_module("assistant.langchain").DocentRetriever
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
