"""What a training came to, of every kind of model: `trained.json`, beside the files it speaks of.

It says what the model is, what it was made of and for whom, what it was measured to do before and
after, what it cost, and the digest of the files, so that a model that was changed or cut short
since is told from the one that was measured.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from assistant.tuning.files import card_path, digest_of
from assistant.tuning.spent import Spent
from ingest.errors import ModelError

Kind = Literal["llm", "embedder", "reranker"]
TRAINED = "trained.json"
OTHER_FILES = frozenset({TRAINED, "README.md"})
"""What a model's digest is not made of: what only tells of it."""


@dataclass(frozen=True, slots=True)
class Data:
    """The file that it was trained on, by its digest and its card."""

    digest: str
    """SHA-256 of the file."""
    groups: tuple[str, ...] = ()
    """A model made of it is for readers who have all of these groups."""
    licences: Mapping[str, str] | None = None
    """Of each source, as told to the card; None where the file has no card."""
    answer: Mapping[str, float] | None = None
    """`[answer]` that prompts were written with, of an LLM: it serves best with the same."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model that was trained here."""

    kind: Kind
    model: str
    """Folder of its files, as the training was told to name it."""
    base: str
    """Folder or hub name that the training began with."""
    base_digest: str
    """SHA-256 over the files of a folder; of a model of the hub, its revision."""
    licence: str
    """Of the base, as told, which a model made of it goes on under; empty where nobody said."""
    digest: str
    """SHA-256 over the files of this model."""
    data: Data
    plan: Mapping[str, Any]
    trained_on: int
    """Examples that were learnt from."""
    held: int
    """Examples that were held out, to stop by and to measure by."""
    before: Mapping[str, float]
    """Measures of the held-out examples, by name, with the base."""
    after: Mapping[str, float]
    """The same with this model."""
    curve: tuple[tuple[int, float], ...]
    """Loss on the held-out examples after so many steps."""
    steps: int
    spent: Spent
    made: str
    """When, in UTC."""


_ADAPTER = TypeAdapter(Trained)


def data_of(path: Path) -> Data:
    """A file of examples by its digest, and what its card tells of it, where it has one.

    Raises:
        ModelError: the file cannot be read, or its card is of another.
    """
    try:
        digest = digest_of(path)
        card = json.loads(card_path(path).read_bytes()) if card_path(path).exists() else None
    except (OSError, ValueError) as error:
        msg = f"What to train on in {path}, or its card, cannot be read: {error}."
        raise ModelError(msg) from None
    if card is None:
        return Data(digest)
    if card.get("digest") != digest:
        msg = (
            f"{path} is not the file that {card_path(path)} tells of: their digests differ. Make "
            "both again, or remove the card and with it what is known of groups and licences."
        )
        raise ModelError(msg)
    groups = tuple(card.get("groups", ()))
    return Data(digest, groups, card.get("licences"), card.get("answer"))


def base_digest(base: str, config: Any) -> str:
    """The digest of what a training begins with; `config` is that of the loaded model."""
    folder = Path(base)
    if folder.is_dir():
        return digest_of_folder(folder)
    return str(getattr(config, "_commit_hash", None) or "")


def digest_of_folder(folder: Path) -> str:
    """SHA-256 over the names and digests of a model's files, whatever tells of it left out."""
    told = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in OTHER_FILES:
            told.update(f"{name} {digest_of(file)}\n".encode())
    return told.hexdigest()


def now() -> str:
    """The time for `Trained.made`."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_trained(folder: Path, trained: Trained) -> None:
    """Write it beside the model's files."""
    text = json.dumps(asdict(trained), indent=1, ensure_ascii=False)
    (folder / TRAINED).write_text(text + "\n", encoding="utf-8")


def read_trained(folder: Path, *, check: bool = True) -> Trained:
    """What is told of a model in a folder.

    Raises:
        ModelError: nothing is, or, with `check`, its files are no longer those that it tells of.
    """
    file = folder / TRAINED
    try:
        found = _ADAPTER.validate_json(file.read_bytes())
    except OSError:
        msg = f"{folder} is no model that `docent tune` has made: it has no {TRAINED}."
        raise ModelError(msg) from None
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"])) or "it"
        msg = f"{file} does not tell of a model: {where}: {what['msg']}. Train it again."
        raise ModelError(msg) from None
    if check and digest_of_folder(folder) != found.digest:
        msg = (
            f"The model in {folder} is not what was trained: the digest of its files is not the "
            f"one in {TRAINED}. Train it again, or copy it again from where it came."
        )
        raise ModelError(msg)
    return found
