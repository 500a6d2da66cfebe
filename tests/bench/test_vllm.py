"""The real engine, and what Docent adds to it.

- Tokens a second at 1, 8 and 32 streams.
- Time to the first token with a cold and with a warm prefix.
- What Docent adds in front of it, beside retrieval, to the first token and to the whole answer:
  a relay between the two notes when the engine is asked and when it has said something.
- The same questions asked of the engine directly and through Docent, in turns.

The engine is the build for processors with SmolLM2-135M: the numbers of the engine are of this
machine, those of Docent are not. DOCENT_VLLM_URL names another, with DOCENT_VLLM_MODEL (`small`).
DOCENT_BENCH_TOKENS (64), DOCENT_BENCH_ROUNDS (5), DOCENT_BENCH_ASKED (40 questions).
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from assistant.llm import Message, Usage
from assistant.prompt import instructions
from assistant.served import ServedLLM
from tests.bench.relay import Exchange, Relay
from tests.bench.test_streams_under_load import process, sent
from tests.vllm import MODELS
from tests.vllm.engine import Model, chat_engine

pytestmark = pytest.mark.bench

URL = os.environ.get("DOCENT_VLLM_URL", "")
MODEL = os.environ.get("DOCENT_VLLM_MODEL", Model.base)
TOKENS = int(os.environ.get("DOCENT_BENCH_TOKENS", "64"))
ROUNDS = int(os.environ.get("DOCENT_BENCH_ROUNDS", "5"))
ASKED = int(os.environ.get("DOCENT_BENCH_ASKED", "40"))
PASSAGE = "The barrel trigger of sector {n} fires at {n} GeV; its rate was measured in run {n}. "


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if URL:
        yield URL
        return
    with chat_engine(MODELS) as running:
        yield running.url


def prompt(seed: int, question: str, passages: int = 40) -> list[Message]:
    """About 25 tokens a passage; another `seed` shares nothing but the roles."""
    pages = " ".join(PASSAGE.format(n=seed * 1000 + n) for n in range(passages))
    return [Message("system", f"{seed}. {instructions()}"), Message("user", f"{pages}\n{question}")]


@dataclass
class Streamed:
    first_s: float
    whole_s: float
    read: int
    written: int


async def stream(url: str, messages: list[Message], tokens: int = TOKENS) -> Streamed:
    llm = ServedLLM(url, MODEL, max_tokens=tokens, timeout_s=600)
    usage, began, first = Usage(), time.monotonic(), 0.0
    async for _ in llm.stream(messages, usage):
        first = first or time.monotonic() - began
    whole = time.monotonic() - began
    return Streamed(first, whole, usage.prompt_tokens or 0, usage.completion_tokens or 0)


def percentiles(values: list[float]) -> str:
    p50, p95 = np.percentile(values, [50, 95])
    return f"p50 {p50:.1f}, p95 {p95:.1f}, worst {max(values):.1f}"


@pytest.mark.parametrize("streams", [1, 8, 32])
def test_tokens_a_second(url, streams):
    async def run() -> list[Streamed]:
        prompts = (prompt(n, "Say all that you know of it.", passages=5) for n in range(streams))
        return list(await asyncio.gather(*(stream(url, one) for one in prompts)))

    began = time.monotonic()
    done = asyncio.run(run())
    seconds = time.monotonic() - began
    written, read = sum(one.written for one in done), sum(one.read for one in done)
    print(
        f"\n{streams} streams: {written / seconds:.1f} tokens/s written, {read / seconds:.1f} read "
        f"({read // streams} a prompt), first token "
        f"{percentiles([1000 * one.first_s for one in done])} ms; load {os.getloadavg()[0]:.1f}"
    )


def test_the_first_token_with_a_cold_and_a_warm_prefix(url):
    async def run() -> tuple[list[Streamed], list[Streamed]]:
        cold, warm = [], []
        for seed in range(ROUNDS):
            # A seed that no other test uses, so that nothing of it was read before.
            base = 5000 + seed
            cold.append(await stream(url, prompt(base, "Who measured it?"), tokens=8))
            warm.append(await stream(url, prompt(base, "At how many GeV does it fire?"), tokens=8))
        return cold, warm

    cold, warm = asyncio.run(run())
    for name, done in (("cold", cold), ("warm", warm)):
        print(
            f"\n{name} prefix, {done[0].read} tokens: first token "
            f"{percentiles([1000 * one.first_s for one in done])} ms; load {os.getloadavg()[0]:.1f}"
        )


@dataclass
class Added:
    """Milliseconds of one answer that are Docent's, and what came of it."""

    before: float
    """From the question until the engine was asked, without retrieval."""
    first: float
    """From the engine's first word until the reader had it."""
    check: float
    """From the engine's last word until the reader had the checked answer."""
    retrieval: float
    whole: float


async def through_docent(port: int, relay: Relay, question: str) -> Added:
    began, first, name, answered = time.monotonic(), 0.0, b"", {}
    already = len(relay.exchanges)
    async with sent(port, "/api/v1/ask", {"question": question}, "text/event-stream") as reader:
        async for name, data in events(reader):
            if name == b"token":
                first = first or time.monotonic()
            if name == b"answer":
                answered = json.loads(data)
    ended = time.monotonic()
    [exchange] = relay.exchanges[already:]
    return added(exchange, began, first, ended, float(answered["timings"]["retrieve_ms"]))


def added(one: Exchange, began: float, first: float, ended: float, retrieval: float) -> Added:
    return Added(
        before=1000 * (one.asked - began) - retrieval,
        first=1000 * (first - one.pieces[0]),
        check=1000 * (ended - one.pieces[-1]),
        retrieval=retrieval,
        whole=1000 * (ended - began),
    )


async def events(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    name = b""
    while line := await reader.readline():
        if line.startswith(b"event: "):
            name = line[7:].strip()
        elif line.startswith(b"data: "):
            yield name, line[6:]


def test_what_docent_adds_to_the_engine(url, tmp_path: Path):
    question = "What is the muon threshold of part {} in GeV?"

    async def run() -> tuple[list[Added], list[Streamed]]:
        here, direct = [], []
        async with Relay(url) as relay:
            with process(
                "tests.bench.served", str(tmp_path), relay.url, "8", MODEL, str(TOKENS)
            ) as (_, address):
                port = int(address.rpartition(":")[2])
                await through_docent(port, relay, question.format(0))  # what is loaded once
                for number in range(1, ASKED + 1):
                    here.append(await through_docent(port, relay, question.format(number)))
                    asked = prompt(9000 + number, question.format(number), passages=12)
                    direct.append(await stream(url, asked))
        return here, direct

    here, direct = asyncio.run(run())
    print(f"\n{ASKED} questions, one after the other, load {os.getloadavg()[0]:.1f}; milliseconds:")
    for name in ("before", "first", "check", "retrieval", "whole"):
        print(f"  {name:10} {percentiles([getattr(one, name) for one in here])}")
    to_first = [one.before + one.first for one in here]
    in_all = [before + one.check for before, one in zip(to_first, here, strict=True)]
    engine = [1000 * one.whole_s for one in direct]
    print(f"  added to the first token: {percentiles(to_first)}")
    print(f"  added to the whole answer: {percentiles(in_all)}")
    print(f"  the engine asked directly, whole: {percentiles(engine)}")
