"""What happens to two servers under load: a new generation, a death, a migration, a goodbye."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, put, writer_at
from tests.replicas.asking import One, asked

PARTS = 10
MIGRATION = (
    "ALTER TABLE messages ADD COLUMN later text",
    "ALTER TABLE conversations ADD COLUMN later integer NOT NULL DEFAULT 0",
    "CREATE TABLE later (id text PRIMARY KEY)",
    "CREATE INDEX ix_later ON messages (created_at)",
)
"""As one step of a later version: it adds, and takes nothing away."""


def publish(folder: Path, generation: int) -> None:
    """A generation of the index whose every number begins with its own."""
    embedder = HashEmbedder()
    documents = [
        document(
            f"part{n}",
            f"The threshold of part {n} is {generation * 100 + n} GeV.",
            title=f"Part {n}",
        )
        for n in range(PARTS)
    ]
    with writer_at(folder, embedder, keep=5) as writer:
        put(writer, embedder, *documents)
        writer.commit()


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path, state_url: str, streams: int, port: int = 0) -> None:
        command = [sys.executable, "-m", "tests.replicas.server", str(folder), state_url]
        self.process = subprocess.Popen(
            [*command, str(port), str(streams)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(180)
        if self.process.stdout:
            self.process.stdout.close()
        return status


@dataclass
class Seen:
    """What came of it."""

    all: list[One] = field(default_factory=list)
    running: list[One] = field(default_factory=list)
    published_at: float = 0.0
    killed_at: float = 0.0
    restarted_at: float = 0.0
    leaving_at: float = 0.0
    stopped: int | None = None
    """Exit status of the server that was told to stop while it wrote answers."""

    def since(self, moment: float) -> int:
        """How many were asked after a moment and have been answered."""
        return sum(1 for one in self.all if one.asked_at > moment and one.end == "answer")

    def written_by(self, server: int) -> int:
        """How many answers a server is writing, as far as their readers know."""
        return sum(1 for one in self.running if one.server == server and one.stream_id)


async def ordeal(folder: Path, state_url: str, streams: int) -> Seen:
    """Ask `streams` at a time at two servers, in turn, while all of it happens."""
    publish(folder, 1)
    first, second = await asyncio.gather(
        *(asyncio.to_thread(Server, folder, state_url, streams) for _ in range(2))
    )
    urls, seen, ending = [first.url, second.url], Seen(), asyncio.Event()
    # A client of their own for each would take longer to make than an answer.
    client = httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=None))
    askers = [
        asyncio.create_task(_keep_asking(client, urls, n, seen, ending)) for n in range(streams)
    ]
    try:
        await _until(lambda: seen.since(0) >= streams, askers)
        await asyncio.to_thread(publish, folder, 2)
        seen.published_at = time.monotonic()
        await _until(lambda: seen.since(seen.published_at) >= streams, askers)
        await _until(lambda: seen.written_by(0) >= 2, askers)
        seen.killed_at = time.monotonic()
        await asyncio.to_thread(first.end, signal.SIGKILL)
        first = await asyncio.to_thread(Server, folder, state_url, streams, first.port)
        seen.restarted_at = time.monotonic()
        await _migrate(state_url)
        await _until(lambda: seen.since(seen.restarted_at) >= streams, askers)
        # The goodbye: nobody asks there any more, as behind a balancer, and no answer is cut.
        await _until(lambda: seen.written_by(1) >= 2, askers)
        seen.leaving_at = time.monotonic()
        urls[1] = urls[0]
        seen.stopped = await asyncio.to_thread(second.end, signal.SIGTERM)
        await _until(lambda: seen.since(seen.leaving_at) >= 1, askers)
        ending.set()
        await asyncio.gather(*askers)
    finally:
        for one in askers:
            one.cancel()
        await asyncio.wait(askers)
        await client.aclose()
        for server in (first, second):
            server.end(signal.SIGKILL)
    return seen


async def _keep_asking(
    client: httpx.AsyncClient, urls: list[str], number: int, seen: Seen, ending: asyncio.Event
) -> None:
    turn = number
    while not ending.is_set():
        one = One(turn % 2, number % PARTS)
        seen.running.append(one)
        await asked(client, list(urls), one)
        seen.running.remove(one)
        seen.all.append(one)
        turn += 1
        if not one.stream_id:
            await asyncio.sleep(0.2)


async def _until(true: Callable[[], bool], askers: list["asyncio.Task[None]"]) -> None:
    async with asyncio.timeout(240):
        while not true():
            for one in askers:
                if one.done():
                    one.result()
            await asyncio.sleep(0.05)


async def _migrate(state_url: str) -> None:
    connection = await asyncpg.connect(state_url)
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '30s'")
        for statement in MIGRATION:
            await connection.execute(statement)
    await connection.close()


def judged(seen: Seen) -> None:
    """What must hold, whatever the number of streams."""
    wrong = [one for one in seen.all if one.end == "error"]
    assert wrong == []
    for one in seen.all:
        if one.end != "answer":
            # Not taken: the server was dead, or said that it leaves before anybody had heard it.
            dead = one.server == 0 and one.asked_at < seen.restarted_at
            left = one.server == 1 and one.asked_at <= seen.leaving_at and "503: " in one.cut[0]
            assert dead or left, one
            continue
        assert one.data["status"] == "answered", one
        assert len(one.generations) == 1, one
        assert f" {100 * min(one.generations) + one.part} GeV" in one.data["answer"]
        if one.asked_at > seen.published_at + 5:
            assert one.generations == {2}, one
        if one.asked_at > seen.restarted_at or one.server == 1:
            assert one.cut == [], one
    assert any(one.generations == {1} for one in seen.all if one.end == "answer")
    resumed = [one for one in seen.all if one.stream_id and one.cut]
    assert resumed, "the killed server wrote nothing"
    assert all(one.server == 0 and one.end == "answer" for one in resumed)
    assert seen.stopped == 0
