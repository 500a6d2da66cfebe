"""The `LLM` seam and what stands behind it: a LangChain chat model, near or far.

Which one it is stands in the settings: `assistant.engines`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ingest.errors import ModelError

if TYPE_CHECKING:
    # Only for types: importing LangChain takes a second that other commands need not pay.
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage, BaseMessageChunk

NO_MODEL = "none"
"""`[llm] model` of a Docent that shows extracts only."""
ODD_REPLY = (ValueError, TypeError, KeyError, AttributeError)
"""What the client libraries raise on a reply of another shape than they expect."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(slots=True)
class Usage:
    """Tokens read and written for one answer, added up over all that the model is asked for it.

    None: no model told. A model behind a server tells at its end, so not where it was stopped.
    """

    prompt_tokens: int | None = None
    """Read from a cache or not."""
    completion_tokens: int | None = None

    def add(self, prompt_tokens: int, completion_tokens: int) -> None:
        """Count what a model told."""
        self.prompt_tokens = (self.prompt_tokens or 0) + prompt_tokens
        self.completion_tokens = (self.completion_tokens or 0) + completion_tokens


class LLM(Protocol):
    """Something that continues a conversation."""

    @property
    def name(self) -> str:
        """Which model, as shown with an answer."""
        ...

    def stream(self, messages: Sequence[Message], usage: Usage | None = None) -> AsyncIterator[str]:
        """The reply piece by piece. Stop reading (`aclose`) and the model stops writing.

        What it read and wrote is added to `usage`, where the model tells.

        Raises:
            ModelError: the model is away, too slow, or broke off.
        """
        ...


Warm = Callable[[Sequence["BaseMessage"]], Awaitable[None]]


class ChatLLM:
    """An LLM over any LangChain chat model."""

    def __init__(
        self,
        model: "BaseChatModel",
        name: str,
        *,
        where: str = "The model",
        remedy: str = "Try again.",
        timeout_s: float = 120.0,
        warm: Warm | None = None,
    ) -> None:
        """`where` and `remedy` begin and end the error messages."""
        self._model = model
        self._name = name
        self._where = where
        self._remedy = remedy
        self._timeout_s = timeout_s
        self._warm = warm

    @property
    def name(self) -> str:
        """Which model, as shown with an answer."""
        return self._name

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Load the model ahead of the first question, and read what all prompts begin with."""
        if self._warm:
            await self._warm(_for_langchain(messages))

    async def stream(
        self, messages: Sequence[Message], usage: Usage | None = None
    ) -> AsyncGenerator[str]:
        """The reply piece by piece; all of it within `timeout_s` from now.

        Raises:
            ModelError: the model is away, too slow, or broke off.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        chunks = self._model.astream(_for_langchain(messages))
        try:
            while (chunk := await self._next(chunks, deadline)) is not None:
                if usage and (told := getattr(chunk, "usage_metadata", None)):
                    usage.add(told["input_tokens"], told["output_tokens"])
                if chunk.text:
                    yield str(chunk.text)
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def _next(
        self, chunks: "AsyncIterator[BaseMessageChunk]", deadline: float
    ) -> "BaseMessageChunk | None":
        try:
            async with asyncio.timeout_at(deadline):
                return await anext(chunks, None)
        except TimeoutError as error:
            msg = f"{self._where} took longer than {self._timeout_s:g} s. {self._remedy}"
            raise ModelError(msg) from error
        except (OSError, *ODD_REPLY) as error:
            msg = f"{self._where} does not answer: {error or type(error).__name__}. {self._remedy}"
            raise ModelError(msg) from error


def _for_langchain(messages: Sequence[Message]) -> "list[BaseMessage]":
    from langchain_core.messages import convert_to_messages

    return convert_to_messages([(message.role, message.content) for message in messages])
