"""A language model behind a server that speaks OpenAI's streaming chat format (vLLM and others).

Read here and not by OpenAI's client over LangChain: their objects for each piece cost ten times as
much processor as the piece (310 µs against 25 on one core, 22 November 2026), and two hundred
streams at once are more pieces a second than that leaves room for.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from assistant.llm import ODD_REPLY, Message, Usage
from ingest.errors import ModelError

if TYPE_CHECKING:
    # Only for types: a tenth of a second that other commands need not pay.
    import httpx2

CONNECT_S = 5.0
LONGEST_TROUBLE = 300
"""Characters of what a server says of its trouble that are told."""


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts, read once.

    A client of httpx reads them for itself, also where it goes to plain `http://`: 40 ms of a core
    for each question, in which every other answer of this process stands still.
    """
    import httpx2

    return httpx2.create_ssl_context()


class ServedLLM:
    """A model by its name at a server. Any number of streams at once, from any event loop."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str = "",
        max_tokens: int = 220,
        timeout_s: float = 120.0,
        tell_usage: bool = True,
        tries: int = 2,
    ) -> None:
        """`url` with or without its `/v1`; `tries` at reaching it, before anything was said."""
        self._base = _with_version(url).rstrip("/")
        self._model = model
        self._key = key
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._tell_usage = tell_usage
        self._tries = tries
        self._where = f"The model server at {url}"

    @property
    def name(self) -> str:
        """Which model, as shown with an answer."""
        return self._model

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncGenerator[str]:
        """The reply piece by piece; all of it within `timeout_s` from now.

        Raises:
            ModelError: the model is away, too slow, or broke off.
        """
        import httpx2

        deadline = asyncio.get_running_loop().time() + self._timeout_s
        finished = False
        async with aclosing(self._chunks(messages)) as chunks:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    piece, ended = _read(chunk, usage)
                except TimeoutError as error:
                    what = f"took longer than {self._timeout_s:g} s"
                    raise self._trouble(what) from error
                except (httpx2.HTTPError, OSError, IndexError, *ODD_REPLY) as error:
                    what = f"does not answer: {str(error) or type(error).__name__}"
                    raise self._trouble(what) from error
                finished = finished or ended
                if piece:
                    yield piece
        if not finished:
            # A server that dies in mid-answer may look just like one that has finished.
            what = "broke off in the middle of an answer"
            raise self._trouble(what)

    async def _chunks(self, messages: Sequence[Message]) -> AsyncGenerator[dict[str, Any]]:
        import httpx2

        # No connection is kept: it would belong to one event loop, and fail when used from another.
        timeout = httpx2.Timeout(self._timeout_s, connect=CONNECT_S)
        async with httpx2.AsyncClient(timeout=timeout, verify=trusted()) as client:
            reply = await self._begun(client, messages)
            try:
                async for line in reply.aiter_lines():
                    if not line.startswith("data:"):
                        continue  # a comment, or the blank line between two events
                    if (data := line[5:].strip()) == "[DONE]":
                        return
                    yield json.loads(data)
            finally:
                await reply.aclose()

    async def _begun(
        self, client: "httpx2.AsyncClient", messages: Sequence[Message]
    ) -> "httpx2.Response":
        import httpx2

        # Servers on one's own network often have no key.
        headers = {"Authorization": f"Bearer {self._key or 'none'}"}
        for left in reversed(range(self._tries)):
            asked = client.build_request(
                "POST", f"{self._base}/chat/completions", json=self._body(messages), headers=headers
            )
            try:
                reply = await client.send(asked, stream=True)
            except httpx2.TransportError:
                if not left:
                    raise
                continue
            if reply.status_code < 500 or not left:
                break
            await reply.aclose()
        if reply.is_success:
            return reply
        text = " ".join((await reply.aread()).decode(errors="replace").split())
        await reply.aclose()
        if reply.status_code == 404:
            known = await _names(client, f"{self._base}/models", headers)
            if known and self._model not in known:
                raise ModelError(self._not_served(known))
        msg = f"{reply.status_code}, {text[:LONGEST_TROUBLE]}"
        raise ValueError(msg)

    def _not_served(self, known: Sequence[str]) -> str:
        return (
            f"{self._where} does not serve {self._model!r}. It serves: {', '.join(known)}. "
            "Set [llm] model to one of these, or start it with that model."
        )

    def _body(self, messages: Sequence[Message]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": one.role, "content": one.content} for one in messages],
            "temperature": 0,
            "max_tokens": self._max_tokens,
            "stream": True,
        }
        return body | ({"stream_options": {"include_usage": True}} if self._tell_usage else {})

    def _trouble(self, what: str) -> ModelError:
        return ModelError(f"{self._where} {what}. Start it, or set [llm] url to one that runs.")


async def served_at(url: str, key: str = "") -> tuple[str, ...]:
    """The names under which a server answers: its models and their adapters, first the model.

    Raises:
        ModelError: it does not tell.
    """
    import httpx2

    base = _with_version(url).rstrip("/")
    headers = {"Authorization": f"Bearer {key or 'none'}"}
    try:
        async with httpx2.AsyncClient(timeout=httpx2.Timeout(CONNECT_S)) as client:
            names = await _names(client, f"{base}/models", headers)
    except (httpx2.HTTPError, OSError) as error:
        msg = (
            f"The model server at {url} does not answer: {str(error) or type(error).__name__}. "
            "Start it, or give the address of one that runs."
        )
        raise ModelError(msg) from error
    if not names:
        msg = f"The model server at {url} does not tell which models it serves. Name one."
        raise ModelError(msg)
    return names


async def _names(
    client: "httpx2.AsyncClient", url: str, headers: dict[str, str]
) -> tuple[str, ...]:
    """What `/v1/models` lists; nothing where that is not known, or something else."""
    reply = await client.get(url, headers=headers)
    if not reply.is_success:
        return ()
    try:
        return tuple(str(row["id"]) for row in reply.json()["data"])
    except ODD_REPLY:
        return ()


def _read(chunk: dict[str, Any], usage: Usage | None) -> tuple[str, bool]:
    """What a chunk says, and whether it is the last that says something."""
    if "error" in chunk:
        raise ValueError(str(chunk["error"])[:LONGEST_TROUBLE])
    if usage is not None and (told := chunk.get("usage")):
        usage.add(int(told["prompt_tokens"]), int(told["completion_tokens"]))
    if not chunk["choices"]:
        return "", False
    choice = chunk["choices"][0]
    return choice["delta"].get("content") or "", bool(choice.get("finish_reason"))


def _with_version(url: str) -> str:
    """`http://host:8001` as `http://host:8001/v1`, which is what everybody means by it."""
    parts = urlsplit(url)
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path="/v1"))
