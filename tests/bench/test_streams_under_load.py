"""Streams beside searches: what the server adds to each token, what it loses, its memory.

Three processes: a model server with fixed token times, the real server over a small index, and
this one, which reads. With DOCENT_BENCH_SERVERS there are more servers, each a process over the
same index and the same database, and requests go to one after the other, as a proxy in front does.
A token is the moment at which the model sent it, so its age when it arrives is what the server, two
sockets and the reader have added. Streams begin spread over the time that one takes, and each that
ends is followed by another.

DOCENT_BENCH_SERVERS (1), DOCENT_BENCH_SECONDS (60; 600 for the record), DOCENT_BENCH_STREAMS (200),
DOCENT_BENCH_TOKENS (100), DOCENT_BENCH_INTERVAL_S (0.25), DOCENT_BENCH_SEARCHES (1000 a minute).
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.bench

SERVERS = int(os.environ.get("DOCENT_BENCH_SERVERS", "1"))
SECONDS = float(os.environ.get("DOCENT_BENCH_SECONDS", "60"))
STREAMS = int(os.environ.get("DOCENT_BENCH_STREAMS", "200"))
TOKENS = int(os.environ.get("DOCENT_BENCH_TOKENS", "100"))
INTERVAL_S = float(os.environ.get("DOCENT_BENCH_INTERVAL_S", "0.25"))
SEARCHES = int(os.environ.get("DOCENT_BENCH_SEARCHES", "1000"))


@dataclass
class Seen:
    """What came back."""

    ages_ms: list[float] = field(default_factory=list)
    begun: int = 0
    ended: int = 0
    lost: list[str] = field(default_factory=list)
    searches_ms: list[float] = field(default_factory=list)
    refused: int = 0
    rss_mb: list[float] = field(default_factory=list)
    cpu_s: float = 0.0
    """Of the server, with all that it does besides."""


@contextmanager
def process(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A program of ours, and the last word of the first line that it says: its address."""
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        try:
            yield running, running.stdout.readline().split()[-1]
        finally:
            running.terminate()


@asynccontextmanager
async def sent(
    port: int, path: str, body: object, accept: str
) -> AsyncIterator[asyncio.StreamReader]:
    """A request over a connection of its own. A client library would cost more than the server."""
    # An answer with its passages is one line.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + content)
    try:
        yield reader
    finally:
        writer.close()


async def read_stream(port: int, seen: Seen) -> None:
    """One answer from its question to its end."""
    seen.begun += 1
    tokens, end, name = 0, "", b""
    # Another one each time: nothing that was worked out for the one before is of use.
    asked = {"question": f"What is the muon threshold of part {seen.begun % 1000} in GeV?"}
    async with sent(port, "/api/v1/ask", asked, "text/event-stream") as reader:
        status = (await reader.readline()).split(b" ", 1)[-1].decode().strip()
        while line := await reader.readline():
            if line.startswith(b"event: "):
                name = line[7:].strip()
                end = name.decode() if name in (b"answer", b"error") else end
            elif name == b"token" and line.startswith(b"data: "):
                now = time.monotonic()
                seen.ages_ms.append(1000 * (now - float(json.loads(line[6:])["text"])))
                tokens += 1
    if end == "answer" and tokens == TOKENS:
        seen.ended += 1
    else:
        seen.lost.append(f"{status}: {tokens} tokens, then {end or 'nothing'}")


async def asking(ports: Iterator[int], seen: Seen, wait_s: float, until: float) -> None:
    await asyncio.sleep(wait_s)
    while time.monotonic() < until:
        await read_stream(next(ports), seen)


async def search(port: int, seen: Seen, number: int) -> None:
    began = time.monotonic()
    body = {"query": f"threshold of part {number % 1000}", "k": 10}
    async with sent(port, "/api/v1/search", body, "application/json") as reader:
        whole = await reader.read()
    seen.searches_ms.append(1000 * (time.monotonic() - began))
    seen.refused += b" 200 " not in whole[:20]


async def searching(ports: Iterator[int], seen: Seen, until: float) -> None:
    """At a fixed rate, whether or not those before have been answered."""
    running, number, due = set(), 0, time.monotonic()
    while time.monotonic() < until:
        task = asyncio.create_task(search(next(ports), seen, number))
        running.add(task)
        task.add_done_callback(running.discard)
        number, due = number + 1, due + 60 / SEARCHES
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    if running:
        await asyncio.wait(running)


async def watching(pids: Sequence[int], seen: Seen, until: float) -> None:
    before = sum(map(cpu_s, pids))
    while time.monotonic() < until:
        seen.rss_mb.append(sum(map(memory_mb, pids)))
        await asyncio.sleep(1)
    seen.cpu_s = sum(map(cpu_s, pids)) - before


def memory_mb(pid: int) -> float:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(pid: int) -> float:
    """Seconds of processor that a process has used, in user and in system mode."""
    # Behind the name of the program, which may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(ports: Sequence[int], pids: Sequence[int]) -> Seen:
    seen, now = Seen(), time.monotonic()
    answer_s = TOKENS * INTERVAL_S
    until = now + SECONDS
    begins = np.linspace(0, min(answer_s, SECONDS / 2), STREAMS)
    # One for all streams, so that both those that begin and those that follow are spread.
    asked = cycle(ports)
    await asyncio.gather(
        *(asking(asked, seen, float(wait_s), until) for wait_s in begins),
        searching(cycle(ports), seen, until),
        watching(pids, seen, until),
    )
    return seen


def test_streams_and_searches_side_by_side(tmp_path: Path):
    with ExitStack() as stack:
        model, model_url = stack.enter_context(
            process("tests.servers.model", str(TOKENS), str(INTERVAL_S))
        )
        # One after the other: the first makes the index and the database.
        share = str(-(-STREAMS // SERVERS))
        served = [
            stack.enter_context(process("tests.bench.served", str(tmp_path), model_url, share))
            for _ in range(SERVERS)
        ]
        ports = [int(url.rpartition(":")[2]) for _, url in served]
        began, own = time.monotonic(), time.process_time()
        seen = asyncio.run(load(ports, [server.pid for server, _ in served]))
        whole_s, own = time.monotonic() - began, time.process_time() - own
        model_s = cpu_s(model.pid)

    assert seen.lost == []
    assert seen.ended == seen.begun
    assert seen.refused == 0
    ages, searches, rss = np.array(seen.ages_ms), np.array(seen.searches_ms), seen.rss_mb
    p50, p95, p99 = np.percentile(ages, [50, 95, 99])
    s50, s95 = np.percentile(searches, [50, 95])
    # From the time on when all streams run: what grows after that grows for ever.
    settled = rss[len(rss) // 2 :]
    slope = float(np.polyfit(range(len(settled)), settled, 1)[0]) * 60 if len(settled) > 2 else 0.0
    print(
        f"\n{SERVERS} server(s), {STREAMS} streams of {TOKENS} tokens, one every "
        f"{1000 * INTERVAL_S:g} ms, for {SECONDS:g} s beside {SEARCHES} searches a minute:\n"
        f"  {len(ages)} tokens, added: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms\n"
        f"  {seen.begun} answers, {seen.ended} complete, {len(seen.lost)} lost\n"
        f"  {len(searches)} searches, p50 {s50:.1f} ms, p95 {s95:.1f} ms, {seen.refused} refused\n"
        f"  memory {rss[0]:.0f} MB at first, {rss[-1]:.0f} MB at last, "
        f"{slope:+.2f} MB a minute over the second half\n"
        f"  {seen.cpu_s:.1f} s of processor, {1000 * seen.cpu_s / len(ages):.2f} ms a token; "
        f"in {whole_s:.0f} s with those begun late the model took {model_s:.1f} s, "
        f"this reader {own:.1f} s"
    )
