"""A real Dask scheduler and real workers: processes of this machine, over TCP on loopback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.embed import Vectors
from tests.fakes import HashEmbedder

ROOT = Path(__file__).parents[2]
PATIENCE_S = 300.0
"""A machine that does much else takes its time to start a process."""
ENDS_S = 10.0
"""A worker that is told to end while its scheduler does may wait for it for ever."""
SLOW = os.environ | {
    f"DASK_DISTRIBUTED__COMM__TIMEOUTS__{name}": f"{PATIENCE_S:g}s" for name in ("CONNECT", "TCP")
}


class Dask:
    """What was started, to be killed one by one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]

    @property
    def address(self) -> str:
        return f"dask://127.0.0.1:{self.port}"

    def scheduler(self) -> subprocess.Popen[bytes]:
        port = str(self.port)
        return self._started("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self._started(
            "worker", f"tcp://127.0.0.1:{self.port}", "--host", "127.0.0.1", "--nthreads", "1",
            "--no-dashboard", "--local-directory", str(self.folder), *options or ["--no-nanny"],
        )  # fmt: skip

    def _started(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options]
        with (self.folder / f"{kind}-{len(self.processes)}.log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(command, cwd=ROOT, env=SLOW, stdout=log, stderr=subprocess.STDOUT)
            )
        return self.processes[-1]


def kill(process: subprocess.Popen[bytes]) -> None:
    """As the kernel does it: nothing is said, nothing is tidied up."""
    process.send_signal(signal.SIGKILL)
    process.wait()


@contextmanager
def dask(folder: Path) -> Iterator[Dask]:
    """Whatever is started in the block is ended with it."""
    folder.mkdir(exist_ok=True)
    here = Dask(folder)
    try:
        yield here
    finally:
        for process in reversed(here.processes):
            if process.poll() is None:
                process.terminate()
        for process in here.processes:
            try:
                process.wait(ENDS_S)
            except subprocess.TimeoutExpired:
                kill(process)


class MortalEmbedder(HashEmbedder):
    """Kills the process that it is in when `order` lies there: once, whoever takes it."""

    def __init__(self, order: Path) -> None:
        super().__init__()
        self.order = order

    def embed_documents(self, texts, progress=lambda n: None) -> Vectors:
        try:
            self.order.unlink()
        except FileNotFoundError:
            return super().embed_documents(texts, progress)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
