"""Two indexes side by side: the one that serves, and one with another embedder to come or to go.

The folder of `[index] path` is one side, `beside` in it the other. `sides.json` says which one
serves and with which embedder each was built; without that file the folder itself does, with the
settings' embedder. Swapping the file is the moment that readers change sides: all of it or none.
Settings need not be changed for a swap, as long as they name what they named when it was made.
"""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import IndexDamaged, IndexMismatch

if TYPE_CHECKING:
    from ingest.settings import EmbedderSettings

SIDES = "sides.json"
FIRST, SECOND = "", "beside"
"""The two sides, as folders inside `[index] path`."""


@dataclass(frozen=True, slots=True)
class Made:
    """With which embedder a side was built, as settings name one."""

    model: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """What `sides.json` says."""

    serving: str = FIRST
    embedders: dict[str, Made] = field(default_factory=dict)
    """Of each side that there is."""
    settings: Made | None = None
    """What the settings named when the sides were made, which is no longer what is meant."""

    @property
    def other(self) -> str:
        """The side that does not serve."""
        return FIRST if self.serving == SECOND else SECOND


def folder_of(path: Path, side: str) -> Path:
    """Where a side lies."""
    return path / side if side else path


def serving_folder(path: Path) -> Path:
    """Where the index that serves lies, for the `[index] path` of the settings."""
    sides = read_sides(path)
    return folder_of(path, sides.serving) if sides else path


def read_sides(path: Path) -> Sides | None:
    """What is known of the sides of an index; None where there never was a second.

    Raises:
        IndexDamaged: the file is there and cannot be read.
    """
    file = path / SIDES
    try:
        raw = json.loads(file.read_bytes())
        embedders = {side: Made(**made) for side, made in raw["embedders"].items()}
        named = raw["settings"]
        found = Sides(raw["serving"], embedders, Made(**named) if named else None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        found, reason = None, error
    if found is None or found.serving not in (FIRST, SECOND):
        why = "it names no side" if found else repr(reason)
        msg = (
            f"{file} does not say which index serves ({why}). Remove it, and the folder itself "
            f"serves again, with the embedder that the settings name."
        )
        raise IndexDamaged(msg)
    return found


def write_sides(path: Path, sides: Sides) -> None:
    """All of it or none of it, also after a power cut."""
    fresh = path / f"{SIDES}.new"
    with fresh.open("w", encoding="utf-8") as file:
        file.write(json.dumps(asdict(sides), indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path / SIDES)
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def embedder_settings(path: Path, named: "EmbedderSettings") -> "EmbedderSettings":
    """The embedder of the index that serves, of which `named` is what the settings say.

    Raises:
        IndexMismatch: the settings name another than when the sides were made: what they mean
            would be guessed.
    """
    sides = read_sides(path)
    if sides is None:
        return named
    made = sides.embedders.get(sides.serving)
    given = Made(named.model, named.url)
    if made is None or given == made:
        return named
    if sides.settings is not None and given != sides.settings:
        msg = (
            f"The index at {folder_of(path, sides.serving)} was built with the embedder "
            f"{made.model!r} and serves in place of one with {sides.settings.model!r}, and "
            f"[embedder] model says {given.model!r} now. Set it to {made.model!r}, or build an "
            f"index with the other: docent index next --embedder {given.model}"
        )
        raise IndexMismatch(msg)
    return named.model_copy(update={"model": made.model, "url": made.url})


def swapped(sides: Sides) -> Sides:
    """The same with the other side serving."""
    return replace(sides, serving=sides.other)
