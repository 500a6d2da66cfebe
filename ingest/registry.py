"""Models that were trained here, by name and version: what each is, and which one a name means.

Plain files below `[models] dir`: `trained/NAME/2/` holds the files of version 2 and its
`card.json`, `trained/NAME/current.json` which version the name stands for and which ones it stood
for before. A version is gathered in a folder of its own and moved in whole, and never changed
afterwards; a card or a pointer is swapped as one file. So no crash leaves half of anything.

Settings name a model as `NAME`, which follows what is promoted, or as `NAME@2`, which does not.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ingest.errors import ModelError
from ingest.settings import ModelsSettings

Kind = Literal["llm", "embedder", "reranker"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
TRAINED = "trained.json"
"""What a training leaves beside the files of its model; see `assistant.tuning.trained`."""
OTHER_FILES = frozenset({TRAINED, "README.md", "card.json"})
"""What a model's digest is not made of: what only tells of it."""
_FOLDER, _CARD, _CURRENT, _PARTIAL = "trained", "card.json", "current.json", ".partial-"
_TAKEN = ("none", "feedback")
"""What settings mean something else by."""


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Training(_Told):
    """What `trained.json` tells of a model, as far as it is kept here."""

    kind: Kind
    base: str
    base_digest: str = ""
    licence: str = ""
    digest: str
    data: dict[str, Any]
    """`digest` of what was learnt from, the `groups` whose documents it is, `licences`."""
    plan: dict[str, Any] = {}
    trained_on: int = 0
    held: int = 0
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    steps: int = 0
    spent: dict[str, Any] = {}
    """Seconds and joules, where they were measured."""
    made: str = ""


class Card(_Told):
    """One version of a model."""

    name: str
    version: int
    training: Training
    command: str
    """That it was registered by."""
    registered: str
    """When, in UTC."""
    files: dict[str, str]
    """Path inside the version's folder → SHA-256."""
    bytes: int
    about: str = ""

    @property
    def full_name(self) -> str:
        """`NAME@VERSION`, which means this one for ever."""
        return f"{self.name}@{self.version}"


class _Current(_Told):
    version: int
    before: tuple[int, ...] = ()
    """What the name stood for before, the last one last."""


def register(
    folder: Path, name: str, settings: ModelsSettings, *, command: str, about: str = ""
) -> Card:
    """Take the model in a folder in, as the next version of a name.

    Raises:
        ModelError: the name cannot be used, or the folder does not hold what was trained there.
    """
    _check_name(name)
    training = training_of(folder)
    known = versions(name, settings)
    if known and known[0].training.kind != training.kind:
        msg = (
            f"{name} is the name of a model of kind {known[0].training.kind}, and {folder} holds "
            f"one of kind {training.kind}. Give it another name."
        )
        raise ModelError(msg)
    home = _home(settings) / name
    with _alone(settings), _gathering(settings) as gathered:
        shutil.copytree(folder, gathered, dirs_exist_ok=True)
        files = _digests(gathered)
        if _joined(files) != training.digest:
            msg = (
                f"The model in {folder} is not what was trained: the digest of its files is not "
                f"the one in {TRAINED}. Train it again, or copy it again from where it came."
            )
            raise ModelError(msg)
        taken = [int(one.name) for one in home.glob("[0-9]*") if one.name.isdigit()]
        card = Card(
            name=name,
            # Of a version that was removed, the number is not given again while a later one is.
            version=max([*taken, *_stood_for(name, settings)], default=0) + 1,
            training=training,
            command=command,
            registered=datetime.now(UTC).isoformat(timespec="seconds"),
            files=files,
            bytes=sum((gathered / path).stat().st_size for path in files),
            about=about,
        )
        _write(gathered / _CARD, card.model_dump_json(indent=1))
        home.mkdir(parents=True, exist_ok=True)
        gathered.chmod(0o755)  # a temporary folder is closed to everybody else
        gathered.replace(home / str(card.version))
        _sync(home)
    return card


def names(settings: ModelsSettings) -> list[str]:
    """Every name that has a version."""
    found = (card.parent.parent.name for card in _home(settings).glob(f"*/*/{_CARD}"))
    return sorted({name for name in found if NAME.fullmatch(name)})


def versions(name: str, settings: ModelsSettings) -> list[Card]:
    """All versions of a name, oldest first; none where the name is not known.

    Raises:
        ModelError: a card cannot be read.
    """
    found = [_read_card(path) for path in (_home(settings) / name).glob(f"*/{_CARD}")]
    return sorted(found, key=lambda card: card.version)


def current(name: str, settings: ModelsSettings) -> int | None:
    """The version that a name stands for; None before one was promoted."""
    pointer = _read_current(name, settings)
    return pointer.version if pointer else None


def find(named: str, settings: ModelsSettings) -> Card | None:
    """The model that `NAME` or `NAME@VERSION` means; None when nothing of that name is registered.

    Raises:
        ModelError: the name is known, and the version is not, or none was promoted.
    """
    name, at, number = named.partition("@")
    if not NAME.fullmatch(name) or not (known := versions(name, settings)):
        return None
    wanted = number if at else str(current(name, settings) or "")
    for card in known:
        if str(card.version) == wanted:
            return card
    there = ", ".join(card.full_name for card in known)
    if at:
        msg = f"There is no {named}; there are {there}."
    else:
        msg = f"No version of {name} was promoted; there are {there}. Run: docent models promote"
    raise ModelError(msg)


def promote(named: str, settings: ModelsSettings) -> Card:
    """Let a name stand for a version, the newest when none is said.

    Raises:
        ModelError: there is no such version, or its files are not what was registered.
    """
    name, at, _ = named.partition("@")
    known = versions(name, settings)
    if not known:
        raise _unknown(name, settings)
    with _alone(settings):
        card = find(named, settings) if at else known[-1]
        assert card is not None  # noqa: S101 - the name is known
        checked(card, settings)
        pointer = _read_current(name, settings)
        if pointer is None or pointer.version != card.version:
            before = (*pointer.before, pointer.version) if pointer else ()
            _point(name, _Current(version=card.version, before=before), settings)
    return card


def roll_back(name: str, settings: ModelsSettings) -> Card:
    """Let a name stand for what it stood for before; twice goes back by two.

    Raises:
        ModelError: it stood for nothing before that is still there.
    """
    known = {card.version: card for card in versions(name, settings)}
    if not known:
        raise _unknown(name, settings)
    with _alone(settings):
        pointer = _read_current(name, settings)
        before = [number for number in (pointer.before if pointer else ()) if number in known]
        if not before:
            msg = f"{name} stood for no other version before that is still there."
            raise ModelError(msg)
        card = known[before[-1]]
        checked(card, settings)
        _point(name, _Current(version=card.version, before=tuple(before[:-1])), settings)
    return card


def remove(named: str, settings: ModelsSettings, used: Sequence[str] = ()) -> list[str]:
    """Remove a version, or all of a name; what was removed. `used` are names that must stay.

    Raises:
        ModelError: it is not there, or something stands for it or uses it.
    """
    name, at, _ = named.partition("@")
    known = versions(name, settings)
    if not known:
        raise _unknown(name, settings)
    with _alone(settings):
        # A damaged version must be removable, so its files are not looked at.
        gone = [card for card in known if not at or card.full_name == named]
        if not gone:
            find(named, settings)  # says which there are
        standing = current(name, settings)
        taken = {_pinned(one, settings) for one in used}
        for card in gone:
            if card.full_name in taken:
                msg = f"{card.full_name} is in use by the settings or an index. Change that first."
                raise ModelError(msg)
            if at and card.version == standing:
                msg = (
                    f"{name} stands for {card.full_name}. Promote another version first, or "
                    f"remove all of it: docent models remove {name}"
                )
                raise ModelError(msg)
        if not at:
            (_home(settings) / name / _CURRENT).unlink(missing_ok=True)
        for card in gone:
            _drop(folder_of(card, settings))
    return [card.full_name for card in gone]


def folder_of(card: Card, settings: ModelsSettings) -> Path:
    """Where the files of a version lie."""
    return _home(settings) / card.name / str(card.version)


def checked(card: Card, settings: ModelsSettings) -> Path:
    """The folder of a version, every file of which is what was registered.

    Raises:
        ModelError: naming the first file that is not.
    """
    folder = folder_of(card, settings)
    for name, digest in card.files.items():
        file = folder / name
        if not file.is_file() or _digest_once(file, *_stamp(file)) != digest:
            msg = (
                f"The model {card.full_name} is damaged: {file} is not what was registered. Take "
                f"another version by `docent models promote`, or register it anew."
            )
            raise ModelError(msg)
    return folder


def place(card: Card, settings: ModelsSettings) -> Path:
    """What the settings take for a path: a folder, or of an LLM its one GGUF file.

    Raises:
        ModelError: it is damaged, or an LLM that only a server can run.
    """
    folder = checked(card, settings)
    if card.training.kind != "llm":
        return folder
    files = [name for name in card.files if name.endswith(".gguf")]
    if len(files) != 1:
        msg = (
            f"{card.full_name} does not hold the one GGUF file that can be run in this process. "
            "Serve it, and name the server in [llm] url."
        )
        raise ModelError(msg)
    return folder / files[0]


def resolved(named: str, settings: ModelsSettings) -> str:
    """A name of a setting, as the path of a registered model if it is one; else as it is.

    Raises:
        ModelError: as `find` and `place`.
    """
    card = find(named, settings)
    return named if card is None else str(place(card, settings))


def _pinned(named: str, settings: ModelsSettings) -> str:
    """`NAME@VERSION` of what a setting names; anything else as it is."""
    try:
        card = find(named, settings)
    except ModelError:
        return named
    return card.full_name if card else named


def _home(settings: ModelsSettings) -> Path:
    return settings.dir.expanduser() / _FOLDER


def _check_name(name: str) -> None:
    from ingest.catalogue import catalogue  # which asks this module in turn

    if not NAME.fullmatch(name):
        msg = f"{name!r} cannot name a model: letters, digits, dots, dashes and underscores can."
        raise ModelError(msg)
    if name in catalogue() or name in _TAKEN:
        msg = f"{name!r} means something else already. Give the model another name."
        raise ModelError(msg)


def _unknown(name: str, settings: ModelsSettings) -> ModelError:
    known = ", ".join(names(settings)) or "none"
    return ModelError(f"No model named {name!r} is registered; registered are: {known}.")


def training_of(folder: Path) -> Training:
    """What a training left beside the files of its model.

    Raises:
        ModelError: nothing that can be read.
    """
    file = folder / TRAINED
    try:
        return Training.model_validate_json(file.read_bytes())
    except OSError:
        msg = f"{folder} is no model that `docent tune` has made: it has no {TRAINED}."
        raise ModelError(msg) from None
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"])) or "it"
        msg = f"{file} does not tell of a model: {where}: {what['msg']}. Train it again."
        raise ModelError(msg) from None


def _read_card(path: Path) -> Card:
    try:
        return Card.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        msg = f"The card {path} cannot be read ({error}). Remove its folder, and register it anew."
        raise ModelError(msg) from None


def _read_current(name: str, settings: ModelsSettings) -> _Current | None:
    path = _home(settings) / name / _CURRENT
    try:
        return _Current.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        msg = f"{path} cannot be read ({error}). Remove it, and promote a version again."
        raise ModelError(msg) from None


def _stood_for(name: str, settings: ModelsSettings) -> list[int]:
    pointer = _read_current(name, settings)
    return [*pointer.before, pointer.version] if pointer else []


def _point(name: str, pointer: _Current, settings: ModelsSettings) -> None:
    _write(_home(settings) / name / _CURRENT, pointer.model_dump_json())


def _digests(folder: Path) -> dict[str, str]:
    """Path inside the folder → SHA-256, without what only tells of the model."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in OTHER_FILES:
            found[name] = _digest(file)
    return found


def _joined(files: Mapping[str, str]) -> str:
    """One digest of all, as `assistant.tuning.trained.digest_of_folder` makes it."""
    told = "".join(f"{name} {digest}\n" for name, digest in files.items())
    return hashlib.sha256(told.encode()).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=1024)
def _digest_once(file: Path, size: int, changed_ns: int, inode: int) -> str:
    """A file that did not change since is not read again by this process."""
    return _digest(file)


def _stamp(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@contextmanager
def _alone(settings: ModelsSettings) -> Iterator[None]:
    """One at a time changes the registry of a folder; the others wait the moment that it takes."""
    home = _home(settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "registry.lock").open("w")
    except OSError as error:
        msg = f"Models cannot be kept in {home}: {error}. Set [models] dir to another folder."
        raise ModelError(msg) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _gathering(settings: ModelsSettings) -> Iterator[Path]:
    home = _home(settings)
    for left in home.glob(f"{_PARTIAL}*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=home))
    try:
        yield folder
    except OSError as error:
        msg = f"The model cannot be written to {home}: {error}. Make room, or set [models] dir."
        raise ModelError(msg) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _drop(folder: Path) -> None:
    """Out of sight as one, then gone: half a version is never one."""
    aside = folder.parent.parent / f"{_PARTIAL}{folder.parent.name}-{folder.name}"
    folder.replace(aside)
    shutil.rmtree(aside)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _write(path: Path, text: str) -> None:
    """All of it or nothing, also after a power cut."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def as_json(card: Card, settings: ModelsSettings) -> dict[str, Any]:
    """A version with all that is known of it, and whether its name stands for it."""
    told: dict[str, Any] = json.loads(card.model_dump_json())
    standing = current(card.name, settings) == card.version
    return told | {"current": standing, "folder": str(folder_of(card, settings))}
