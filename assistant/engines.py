"""Settings → LLM: a server that speaks OpenAI's chat API, several, or a model in this process."""

import os
from pathlib import Path

from assistant.fleet import Fleet, well_by
from assistant.llm import NO_MODEL, ChatLLM
from assistant.served import ServedLLM
from ingest.catalogue import locate
from ingest.settings import LLMSettings, ModelsSettings

ADAPTER = "adapter.gguf"
"""The file of an exported adapter in its folder."""


def llm_from(settings: LLMSettings, models: ModelsSettings) -> ChatLLM | ServedLLM | Fleet | None:
    """The LLM that the settings ask for; None for `model = "none"`. Opens nothing yet.

    Raises:
        ModelError: the model or its adapter is not on this machine; names what brings it here.
    """
    if settings.model == NO_MODEL:
        return None
    if len(settings.urls) > 1:
        return Fleet([(_server(settings, url, tries=1), well_by(url)) for url in settings.urls])
    if settings.urls:
        return _server(settings, settings.urls[0], tries=2)
    adapter = _adapter(settings.adapter, models) if settings.adapter else None
    return _local(settings, locate(settings.model, models), adapter)


def _server(settings: LLMSettings, url: str, tries: int) -> ServedLLM:
    return ServedLLM(
        url,
        settings.model,
        key=os.environ.get(settings.api_key_env, ""),
        max_tokens=settings.max_tokens,
        timeout_s=settings.timeout_s,
        tell_usage=settings.tell_usage,
        tries=tries,
    )


def _adapter(named: str, models: ModelsSettings) -> Path:
    """The file of an adapter; the folder that it was exported to may be named instead."""
    place = locate(named, models)
    return place / ADAPTER if place.is_dir() else place


def _local(settings: LLMSettings, path: Path, adapter: Path | None) -> ChatLLM:
    from assistant.llamacpp import LlamaCpp

    model = LlamaCpp(
        path=path,
        adapter=adapter,
        context_tokens=settings.context_tokens,
        max_tokens=settings.max_tokens,
    )
    return ChatLLM(
        model,
        f"{settings.model} + {settings.adapter}" if adapter else settings.model,
        where=f"The model {settings.model}",
        remedy="Ask again, or set [llm] timeout_s higher.",
        timeout_s=settings.timeout_s,
        warm=model.warm,
    )
