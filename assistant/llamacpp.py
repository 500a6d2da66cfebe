"""A GGUF model run in this process by llama.cpp, as a LangChain chat model.

The only file that knows xllamacpp. What that library allows, found by trying: it calls us back for
each token and each stretch of the prompt, and what we return decides whether it goes on. So a
generation stops within one token, or within `PROMPT_STRETCH` tokens of the prompt; loading the
weights cannot be stopped. Prompts that begin alike are read once: the state of the last one stays,
and only what differs is computed.
"""

import asyncio
import json
import os
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    convert_to_openai_messages,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from ingest.errors import ModelError

PROMPT_STRETCH = 128
"""Prompt tokens between two chances to stop. With 64 the speed falls by a third; 512 gains none."""
PREFIX_CACHE_MIB = 256
"""Memory for the states of earlier prompts, so that two conversations do not evict each other."""
WAITING = 8
"""Questions that may wait for the one being answered; more are refused at once, with a sentence."""

OnText = Callable[[str], bool]
"""Is given each piece of text, empty ones for progress; returns True to stop."""


class LlamaCpp(BaseChatModel):
    """One model, one generation at a time, greedy. Loaded at its first use, or by `warm`."""

    path: Path
    adapter: Path | None = None
    """A LoRA adapter of this very model, as GGUF."""
    context_tokens: int = 4096
    max_tokens: int = 220
    threads: int | None = None
    waiting: int = WAITING

    _engine: "_Engine" = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Make the engine, which loads nothing yet."""
        super().model_post_init(context)
        threads = self.threads or physical_cores()
        self._engine = _Engine(self.path, self.context_tokens, threads, self.waiting, self.adapter)

    @property
    def _llm_type(self) -> str:
        return "llama.cpp"

    async def warm(self, messages: Sequence[BaseMessage] = ()) -> None:
        """Load the weights, and read a prompt into the cache when one is given."""
        request = self._request(messages, max_tokens=1) if messages else None
        await asyncio.wrap_future(self._engine.submit(request, lambda _: False))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        stopped = threading.Event()

        def hand_over(text: str | None) -> bool:
            try:
                loop.call_soon_threadsafe(pieces.put_nowait, text)
            except RuntimeError:  # the loop was closed meanwhile: nobody listens any more
                return True
            return stopped.is_set()

        tokens = _Tokens()
        future = self._engine.submit(self._request(messages, stop), hand_over, tokens)
        future.add_done_callback(lambda _: hand_over(None))
        try:
            while (piece := await pieces.get()) is not None:
                if piece:
                    message = AIMessageChunk(content=piece, usage_metadata=tokens.fresh())
                    yield ChatGenerationChunk(message=message)
        finally:
            stopped.set()
            future.cancel()
        yield _last(future.result(), tokens.fresh())

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        pieces: list[str] = []

        def keep(text: str) -> bool:
            pieces.append(text)
            return False

        tokens = _Tokens()
        reason = self._engine.submit(self._request(messages, stop), keep, tokens).result()
        message = AIMessage(
            content="".join(pieces),
            response_metadata={"finish_reason": reason},
            usage_metadata=tokens.fresh(),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _request(
        self,
        messages: Sequence[BaseMessage],
        stop: list[str] | None = None,
        max_tokens: int | None = None,
    ) -> dict[str, Any]:
        return {
            "messages": convert_to_openai_messages(messages),
            "max_tokens": max_tokens or self.max_tokens,
            "temperature": 0,
            "stop": stop or [],
            "stream": True,
            "cache_prompt": True,
            "return_progress": True,  # else nothing is called, and nothing can stop, before a token
            "timings_per_token": True,  # who stops reading wants to know what it cost so far too
        }


def _last(reason: str, usage: UsageMetadata) -> ChatGenerationChunk:
    message = AIMessageChunk(
        content="",
        response_metadata={"finish_reason": reason},
        chunk_position="last",
        usage_metadata=usage,
    )
    return ChatGenerationChunk(message=message)


class _Tokens:
    """What one request has read and written so far. Set by the engine's thread, read by ours."""

    def __init__(self) -> None:
        self.read = self.written = 0
        self._told = (0, 0)

    def fresh(self) -> UsageMetadata:
        """What came since the last call: LangChain adds up what stands on the chunks."""
        now = (self.read, self.written)
        read, written = now[0] - self._told[0], now[1] - self._told[1]
        self._told = now
        return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


class _Engine:
    """llama.cpp with one worker thread: requests wait their turn in it, and only so many may."""

    def __init__(
        self,
        path: Path,
        context_tokens: int,
        threads: int,
        waiting: int,
        adapter: Path | None = None,
    ) -> None:
        self._path = path
        self._adapter = adapter
        self._context_tokens = context_tokens
        self._threads = threads
        self._waiting = waiting
        self._server: Any = None
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="llama.cpp")
        self._lock = threading.Lock()
        self._pending = 0

    def submit(
        self, request: dict[str, Any] | None, on_text: OnText, tokens: _Tokens | None = None
    ) -> "Future[str]":
        """Queue a request (or only the loading); the result is why the generation ended.

        Raises:
            ModelError: too many are waiting already.
        """
        with self._lock:
            if self._pending > self._waiting:
                msg = (
                    f"The model is busy and {self._waiting} questions are waiting for it. "
                    f"Ask again in a minute."
                )
                raise ModelError(msg)
            self._pending += 1
        future = self._worker.submit(self._run, request, on_text, tokens or _Tokens())
        future.add_done_callback(self._done)
        return future

    def _done(self, _: "Future[str]") -> None:
        with self._lock:
            self._pending -= 1

    def _run(self, request: dict[str, Any] | None, on_text: OnText, tokens: _Tokens) -> str:
        if self._server is None:
            self._server = self._load()
        if request is None:
            return "loaded"
        reply = _Reply(on_text, tokens)
        try:
            self._server.handle_chat_completions(json.dumps(request), reply.take)
        except (RuntimeError, ValueError) as error:
            msg = f"The model {self._path.name} failed on a prompt: {error}."
            raise ModelError(msg) from error
        if reply.error:
            msg = (
                f"The model {self._path.name} refused a prompt: {reply.error}. "
                f"Set [llm] context_tokens higher, or [answer] passages lower."
            )
            raise ModelError(msg)
        return reply.finish_reason

    def _load(self) -> Any:
        if not self._path.is_file():
            msg = f"There is no model file {self._path}. Run: docent models fetch"
            raise ModelError(msg)
        if self._adapter and not self._adapter.is_file():
            msg = f"There is no adapter {self._adapter}. Run: docent tune export --to gguf"
            raise ModelError(msg)
        import xllamacpp

        # The library insists on listening for HTTP beside the calls that we make. A socket in a
        # folder of our own, with a key that nobody knows, keeps that door shut to other users.
        folder = tempfile.TemporaryDirectory(prefix="docent-")
        params = xllamacpp.CommonParams()
        params.hostnames = [str(Path(folder.name) / "closed.sock")]
        params.api_keys = [secrets.token_urlsafe(32)]
        params.endpoint_slots = params.ui = False
        params.n_threads_http = 1
        params.verbosity = -1
        params.model.path = str(self._path)
        if self._adapter:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(self._adapter), 1.0)]
        params.n_ctx = self._context_tokens
        params.n_parallel = 1
        params.n_batch = params.n_ubatch = PROMPT_STRETCH
        params.cache_ram_mib = PREFIX_CACHE_MIB
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        try:
            return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as error:
            beside = f" with the adapter {self._adapter}" if self._adapter else ""
            msg = (
                f"The model file {self._path} cannot be loaded{beside}: {error} "
                f"Check it with: docent models verify"
            )
            raise ModelError(msg) from error
        finally:
            folder.cleanup()


class _Reply:
    """Reads what llama.cpp sends: OpenAI's streaming chunks, one JSON text each."""

    def __init__(self, on_text: OnText, tokens: _Tokens) -> None:
        self._on_text = on_text
        self._tokens = tokens
        self.finish_reason = "stopped"
        self.error = ""

    def take(self, sent: str) -> bool:
        """True to stop the generation."""
        chunk = json.loads(sent)
        if "error" in chunk:
            self.error = str(chunk["error"].get("message", chunk["error"]))
            return True
        if timings := chunk.get("timings"):
            self._tokens.read = timings["cache_n"] + timings["prompt_n"]
            self._tokens.written = timings["predicted_n"]
        text = ""
        for choice in chunk.get("choices", ()):
            text += choice.get("delta", {}).get("content") or ""
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
        return self._on_text(text)


def physical_cores(topology: Path = Path("/sys/devices/system/cpu")) -> int:
    """Cores this process may use, one with two threads counted once: more only slow it down."""
    if not hasattr(os, "sched_getaffinity"):
        return max(1, (os.cpu_count() or 2) // 2)
    allowed = os.sched_getaffinity(0)
    siblings = set()
    for cpu in allowed:
        file = topology / f"cpu{cpu}" / "topology" / "thread_siblings_list"
        try:
            siblings.add(file.read_text(encoding="ascii").strip())
        except OSError:
            return len(allowed)
    return len(siblings)
