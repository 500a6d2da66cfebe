"""The catalogue of models: what they are, whether they are here, and how they come here.

A model is here when all of its files were checked against their digests once (a small marker beside
the model says so) and still have the right size; `verify` reads all of them again. Half a model is
never here: files are gathered in a folder of their own and moved in when every digest was right.
"""

import hashlib
import json
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingest import registry
from ingest.errors import ModelError
from ingest.settings import ModelsSettings

Report = Callable[[str], None]
"""Is told in plain sentences how far a download has come."""

PARTIAL = ".partial-"
STALE_S = 24 * 3600
"""A gathering folder untouched for so long was left by a process that was killed."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelFile(_Row):
    """One file of a model: its place, its size, its digest, and where origins have it."""

    path: str
    hub: str = ""
    members: str
    bytes: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def hub_name(self) -> str:
        """The file's name in the hub's repository."""
        return self.hub or self.path


class Hub(_Row):
    """A repository of a model hub at one revision."""

    repo: str
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Entry(_Row):
    """One model of the catalogue."""

    name: str
    kind: Literal["embedder", "llm"]
    about: str
    licence: str
    hub: Hub
    packages: tuple[str, ...]
    files: tuple[ModelFile, ...]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)


Origin = Callable[[Entry, Path, Report], None]
"""Brings the files of an entry into a folder, under their paths, or raises `ModelError`."""


@cache
def catalogue() -> Mapping[str, Entry]:
    """All models by name, from `models.toml` beside this file."""
    text = Path(__file__).with_name("models.toml").read_text(encoding="utf-8")
    entries = [Entry.model_validate(row) for row in tomllib.loads(text)["model"]]
    return {entry.name: entry for entry in entries}


def entry_named(name: str, models: Mapping[str, Entry] | None = None) -> Entry:
    """The entry of this name.

    Raises:
        ModelError: there is none; lists those there are.
    """
    known = catalogue() if models is None else models
    if name not in known:
        msg = f"There is no model named {name!r}. Known are: {', '.join(sorted(known))}."
        raise ModelError(msg)
    return known[name]


def is_present(entry: Entry, settings: ModelsSettings) -> bool:
    """True when every file has the right size and its digest was checked when it came."""
    try:
        checked = json.loads(_marker(entry, settings).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    folder = _folder(entry, settings)
    return bool(checked == _digests(entry)) and all(
        (folder / file.path).is_file() and (folder / file.path).stat().st_size == file.bytes
        for file in entry.files
    )


def locate(name: str, settings: ModelsSettings) -> Path:
    """Where a model of the catalogue or a registered one lies; else it must be a path that exists.

    An embedder is a folder, an LLM one file.

    Raises:
        ModelError: it is not here; names the command that fetches it.
    """
    entry = catalogue().get(name)
    if entry is None:
        if card := registry.find(name, settings):
            return registry.place(card, settings)
        path = Path(name).expanduser()
        if path.exists():
            return path
        known = ", ".join([*sorted(catalogue()), *registry.names(settings)])
        msg = f"{name!r} is neither a model that is known ({known}) nor a path on this machine."
        raise ModelError(msg)
    if not is_present(entry, settings):
        msg = f"The model {name} is not in {settings.dir}. Run: docent models fetch {name}"
        raise ModelError(msg)
    return _place(entry, settings)


def fetch(
    name: str,
    settings: ModelsSettings,
    report: Report,
    *,
    origins: Mapping[str, Origin] | None = None,
    models: Mapping[str, Entry] | None = None,
) -> Path:
    """Bring a model here unless it is, from the first of `settings.origins` that has it right.

    Raises:
        ModelError: no origin could; says why of each.
    """
    entry = entry_named(name, models)
    if is_present(entry, settings):
        return _place(entry, settings)
    known = _real_origins() if origins is None else origins
    reasons = []
    for origin in settings.origins:
        report(f"{name}: {entry.bytes / 1e6:,.0f} MB from {origin} …")
        try:
            with _gathering(entry, settings) as folder:
                known[origin](entry, folder, report)
                check_files(entry, folder)
                _move_in(entry, folder, settings)
        except ModelError as error:
            report(f"{name}: not from {origin}: {error}")
            reasons.append(f"{origin}: {error}")
        else:
            report(f"{name}: checked and in place.")
            return _place(entry, settings)
    msg = f"The model {name} could not be fetched. " + " ".join(reasons)
    raise ModelError(msg)


def verify(
    name: str, settings: ModelsSettings, *, models: Mapping[str, Entry] | None = None
) -> None:
    """Read every file of a model again. A file that is wrong is removed, so that `fetch` mends it.

    Raises:
        ModelError: naming the file, what was expected and what was found.
    """
    entry = entry_named(name, models)
    try:
        check_files(entry, _folder(entry, settings))
    except ModelError as error:
        _marker(entry, settings).unlink(missing_ok=True)
        msg = f"{error} Run: docent models fetch {name}"
        raise ModelError(msg) from error
    _mark(entry, settings)


def check_files(entry: Entry, folder: Path) -> None:
    """Compare every file with its size and digest; the first that differs is removed and named."""
    for file in entry.files:
        path = folder / file.path
        if not path.is_file():
            msg = f"The file {file.path} of {entry.name} is missing."
            raise ModelError(msg)
        with path.open("rb") as stream:
            got = hashlib.file_digest(stream, "sha256").hexdigest()
        if got != file.sha256:
            size = path.stat().st_size
            path.unlink()
            msg = (
                f"The file {file.path} of {entry.name} has sha256 {got} ({size} bytes), "
                f"expected was {file.sha256} ({file.bytes} bytes). It was removed."
            )
            raise ModelError(msg)


def _real_origins() -> Mapping[str, Origin]:
    # Imported here: the origins need the entries of this module.
    from ingest.origins import from_hub, from_packages

    return {"hub": from_hub, "packages": from_packages}


def _folder(entry: Entry, settings: ModelsSettings) -> Path:
    return settings.dir.expanduser() / entry.name


def _place(entry: Entry, settings: ModelsSettings) -> Path:
    folder = _folder(entry, settings)
    return folder if entry.kind == "embedder" else folder / entry.files[0].path


def _marker(entry: Entry, settings: ModelsSettings) -> Path:
    return settings.dir.expanduser() / f"{entry.name}.verified.json"


def _digests(entry: Entry) -> dict[str, str]:
    return {file.path: file.sha256 for file in entry.files}


def _mark(entry: Entry, settings: ModelsSettings) -> None:
    marker = _marker(entry, settings)
    fresh = marker.with_suffix(".new")
    fresh.write_text(json.dumps(_digests(entry), indent=1) + "\n", encoding="utf-8")
    fresh.replace(marker)


@contextmanager
def _gathering(entry: Entry, settings: ModelsSettings) -> Iterator[Path]:
    """A folder beside the models that is removed again whatever happens."""
    base = settings.dir.expanduser()
    try:
        base.mkdir(parents=True, exist_ok=True)
        for left in base.glob(f"{PARTIAL}*"):
            if time.time() - left.stat().st_mtime > STALE_S:
                shutil.rmtree(left, ignore_errors=True)
        # Twice the size: the parts of a package and the file they are joined to.
        free, needed = shutil.disk_usage(base).free, 2 * entry.bytes
        if free < needed:
            msg = (
                f"{base} has {free / 1e6:,.0f} MB free, and fetching {entry.name} needs "
                f"{needed / 1e6:,.0f} MB. Make room, or set [models] dir to another folder."
            )
            raise ModelError(msg)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=base) as folder:
            yield Path(folder)
    except OSError as error:
        msg = (
            f"{entry.name} cannot be written to {base}: {error}. "
            f"Set [models] dir to another folder."
        )
        raise ModelError(msg) from error


def _move_in(entry: Entry, folder: Path, settings: ModelsSettings) -> None:
    # File by file: two processes that fetch a model at once put equal files in equal places.
    for file in entry.files:
        target = _folder(entry, settings) / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).replace(target)
    _mark(entry, settings)
