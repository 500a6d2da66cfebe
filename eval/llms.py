"""`--llm`: which model a measurement asks, in words as people give it."""

import asyncio
import os
import re

from ingest.errors import DocentError
from ingest.settings import LLMSettings, Settings

_ADDRESS = re.compile(r"(?:(?P<model>[^,]+)@)?(?P<urls>https?://\S+)")


def with_llm(settings: Settings, given: str | None) -> Settings:
    """The settings with another model: `NAME`, `ADDRESS` of a server, or `NAME@ADDRESS`.

    Several servers of one model are addresses with commas between them. Without a name it is the
    settings' own, where the first server has it, else the model that this server names first.

    Raises:
        DocentError: an address is none, or its server does not tell what it serves.
    """
    if given is None:
        return settings
    found = _ADDRESS.fullmatch(given)
    if found is None:
        if "://" in given:
            msg = f"--llm {given}: an address begins with http:// or https://, as NAME@http://HOST."
            raise DocentError(msg)
        return _changed(settings, settings.llm.model_copy(update={"model": given}))
    urls = tuple(url for url in found["urls"].split(",") if url)
    llm = settings.llm.model_copy(update={"url": urls})
    return _changed(settings, llm.model_copy(update={"model": found["model"] or _served(llm)}))


def _served(llm: LLMSettings) -> str:
    from assistant.served import served_at

    names = asyncio.run(served_at(llm.urls[0], os.environ.get(llm.api_key_env, "")))
    return llm.model if llm.model in names else names[0]


def _changed(settings: Settings, llm: LLMSettings) -> Settings:
    return settings.model_copy(update={"llm": llm})
