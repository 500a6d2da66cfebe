"""Settings → LLM: a server that speaks OpenAI's chat API, several, or a model in this process."""

import os
from pathlib import Path

from assistant.fleet import Fleet, well_by
from assistant.llm import NO_MODEL, ChatLLM
from assistant.served import ServedLLM
from ingest.catalogue import locate
from ingest.settings import LLMSettings, ModelsSettings


def llm_from(settings: LLMSettings, models: ModelsSettings) -> ChatLLM | ServedLLM | Fleet | None:
    """The LLM that the settings ask for; None for `model = "none"`. Opens nothing yet.

    Raises:
        ModelError: the model file is not on this machine; names the command that fetches it.
    """
    if settings.model == NO_MODEL:
        return None
    if len(settings.urls) > 1:
        return Fleet([(_server(settings, url, tries=1), well_by(url)) for url in settings.urls])
    if settings.urls:
        return _server(settings, settings.urls[0], tries=2)
    return _local(settings, locate(settings.model, models))


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


def _local(settings: LLMSettings, path: Path) -> ChatLLM:
    from assistant.llamacpp import LlamaCpp

    model = LlamaCpp(
        path=path, context_tokens=settings.context_tokens, max_tokens=settings.max_tokens
    )
    return ChatLLM(
        model,
        settings.model,
        where=f"The model {settings.model}",
        remedy="Ask again, or set [llm] timeout_s higher.",
        timeout_s=settings.timeout_s,
        warm=model.warm,
    )
