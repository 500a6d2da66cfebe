"""Settings → LLM: a server that speaks OpenAI's chat API, several, or a model in this process."""

import os
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from assistant.fleet import Fleet, well_by
from assistant.llm import NO_MODEL, ChatLLM
from ingest.catalogue import locate
from ingest.settings import LLMSettings, ModelsSettings

CONNECT_S = 5.0


def llm_from(settings: LLMSettings, models: ModelsSettings) -> ChatLLM | Fleet | None:
    """The LLM that the settings ask for; None for `model = "none"`. Opens nothing yet.

    Raises:
        ModelError: the model file is not on this machine; names the command that fetches it.
    """
    if settings.model == NO_MODEL:
        return None
    if len(settings.urls) > 1:
        return Fleet([(_server(settings, url, retries=0), well_by(url)) for url in settings.urls])
    if settings.urls:
        return _server(settings, settings.urls[0], retries=1)
    return _local(settings, locate(settings.model, models))


def _server(settings: LLMSettings, url: str, retries: int) -> ChatLLM:
    from httpx2 import Limits
    from langchain_openai import ChatOpenAI
    from openai import DefaultAsyncHttpxClient, Timeout
    from pydantic import SecretStr

    model = ChatOpenAI(
        model=settings.model,
        base_url=_with_version(url),
        # Servers on one's own network often have no key, but the client insists on one.
        api_key=SecretStr(os.environ.get(settings.api_key_env) or "none"),
        temperature=0,
        # Sent as it is: the client would rename it to a field that not every server knows.
        extra_body={"max_tokens": settings.max_tokens},
        timeout=Timeout(settings.timeout_s, connect=CONNECT_S),
        # No connection is kept: it would belong to one event loop, and fail when used from another.
        http_async_client=DefaultAsyncHttpxClient(limits=Limits(max_keepalive_connections=0)),
        max_retries=retries,
        streaming=True,
        stream_usage=settings.tell_usage,
        # Its watch over each chunk loses a cancellation now and then (asyncio.wait_for of Python
        # 3.11), and the model would write on for nobody. All of a reply has a deadline of ours.
        stream_chunk_timeout=None,
    )
    return ChatLLM(
        model,
        settings.model,
        where=f"The model server at {url}",
        remedy="Start it, or set [llm] url to one that runs.",
        timeout_s=settings.timeout_s,
        must_finish=True,
    )


def _with_version(url: str) -> str:
    """`http://host:8001` as `http://host:8001/v1`, which is what everybody means by it."""
    parts = urlsplit(url)
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path="/v1"))


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
