"""An engine as a process of its own, started with a file of deploy/vllm and killed at will."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.vllm import PYTHON, ROOT

CPU = ROOT / "deploy" / "vllm" / "cpu.yaml"
START_S = float(os.environ.get("DOCENT_VLLM_START_S", "900"))
"""Forty seconds where nothing else runs."""
ALONE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}
"""Nobody on the network is asked or told anything."""


class Running:
    """An engine at an address."""

    def __init__(self, url: str) -> None:
        """`url` with its `/v1`."""
        self.url = url
        self._root = url.removesuffix("/v1")

    def metric(self, name: str) -> float:
        """The sum over all labels of a number that it tells at `/metrics`."""
        text = httpx.get(f"{self._root}/metrics", timeout=START_S).text
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.M)
        if not found:
            msg = f"The engine tells no {name}."
            raise LookupError(msg)
        return sum(map(float, found))


class Engine(Running):
    """`python -m vllm.entrypoints.openai.api_server` with a settings file and what differs."""

    def __init__(self, *words: str, config: Path = CPU) -> None:
        self._words = ["--config", str(config), *words]
        self.port = _free_port()
        super().__init__(f"http://127.0.0.1:{self.port}/v1")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the engine
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Come up, or say why not."""
        # `vllm serve` is the same, but looks for a package that this build does not have.
        command = [str(PYTHON), "-m", "vllm.entrypoints.openai.api_server", *self._words]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ALONE},
            cwd=ROOT,
            start_new_session=True,
        )
        asyncio.run(self._up(time.monotonic() + START_S))

    async def _up(self, until: float) -> None:
        assert self._process
        async with httpx.AsyncClient(timeout=5) as client:
            while self._process.poll() is None and time.monotonic() < until:
                with suppress(httpx.HTTPError):
                    if (await client.get(f"{self._root}/health")).is_success:
                        return
                await asyncio.sleep(0.5)
        self.kill()
        msg = f"The engine did not start:\n{self.said()}"
        raise RuntimeError(msg)

    def said(self) -> str:
        """The end of its log."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-6000:]

    def kill(self) -> None:
        """Be gone with all processes at once, as when the machine kills it for its memory."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(30)

    def kill_core(self) -> None:
        """Lose the process that computes; the one that answers requests stays."""
        assert self._process
        for pid in _children(self._process.pid):
            if b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                return
        msg = f"There is no process of the engine's core below {self._process.pid}."
        raise RuntimeError(msg)

    def __enter__(self) -> Self:
        try:
            self.start()
        except RuntimeError:
            self._log.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._log.close()


@dataclass(frozen=True)
class Model:
    """What `make_models` wrote, under the names of these tests."""

    base: str = "small"
    adapter: str = "tuned"


@contextmanager
def chat_engine(models: Path) -> Iterator[Engine]:
    """The language model `small` with its adapter `tuned`."""
    adapter = f"{Model.adapter}={models / 'adapter'}"
    words = ("--model", str(models / "base"), "--served-model-name", Model.base)
    with Engine(*words, "--lora-modules", adapter) as running:
        yield running


@contextmanager
def pooling_engine(model: Path, name: str, settings: str, *more: str) -> Iterator[Engine]:
    """An embedder or a cross-encoder, by `embedder.yaml` or `reranker.yaml` of deploy/vllm."""
    words = ("--model", str(model), "--served-model-name", name, "--dtype", "float32", *more)
    with Engine(*words, "--enforce-eager", config=CPU.with_name(settings)) as running:
        yield running


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
