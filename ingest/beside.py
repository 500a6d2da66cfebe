"""A second index beside the one that serves, with another embedder, and changing the two over.

It is built from the pages that the serving one has stored, so nobody's server is asked, and brought
up to date in the same way: what did not change since costs nothing. A killed build goes on where it
was. The change-over brings the other index up to date while nobody writes, looks through it, and
swaps one small file; the way back is the same. Who may read a page is thereby always as of today.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.embed import Embedder, embedder_from
from ingest.errors import IndexBusy, IndexMismatch, IndexMissing, IndexTrouble, SettingsError
from ingest.following import pinned
from ingest.index import Writer, engine_at, generations, managing, open_index, visits, writing
from ingest.index.rows import Rows
from ingest.pipeline import parts_of, remove_source, sync
from ingest.registry import find
from ingest.report import Report, Watch
from ingest.settings import Settings
from ingest.sides import (
    FIRST,
    SECOND,
    Made,
    Sides,
    embedder_settings,
    folder_of,
    read_sides,
    swapped,
    write_sides,
)
from ingest.stored import StoredSource
from ingest.workers import PagePool, parse_pool

_KNOWN_OF_SOURCES = (
    ("SELECT * FROM cursors", "DELETE FROM cursors", "INSERT INTO cursors VALUES (?, ?)"),
    (
        "SELECT * FROM failures",
        "DELETE FROM failures",
        "INSERT INTO failures VALUES (?, ?, ?, ?, ?, ?)",
    ),
    ("SELECT * FROM runs", "DELETE FROM runs", "INSERT INTO runs VALUES (?, ?, ?, ?)"),
)
"""What an index knows of the sources besides their pages: with it, it goes on asking them."""
_OF_AN_INDEX = ("manifest.json", "dense", "lexical")

MakeEmbedder = Callable[[Made], Embedder]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two indexes, for those who decide."""

    folder: Path
    made: Made
    serving: bool
    generation: int | None
    """None before it was built."""
    embedder: str
    documents: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a build needs besides the settings; given by those who have them already."""

    embedder: MakeEmbedder | None = None
    pool: PagePool | None = None
    watch: Watch = lambda progress: None


def sides_of(settings: Settings) -> list[Side]:
    """Both indexes, the one that serves first; one where there is no second.

    Raises:
        SettingsError: the index lies at an address.
    """
    path = _folder(settings)
    sides = _known(path, settings)
    return [
        _told(path, side, made, serving=side == sides.serving)
        for side, made in sorted(sides.embedders.items(), key=lambda one: one[0] != sides.serving)
    ]


def build(settings: Settings, asked: Made | None, parts: Parts | None = None) -> list[Report]:
    """Build the second index with an embedder, or bring the one that is there up to date.

    Raises:
        SettingsError: no embedder was said, or the index lies at an address.
        IndexMissing: there is no first one. IndexBusy: another process writes the second.
    """
    path, parts = _folder(settings), parts or Parts()
    sides = _known(path, settings)
    generations(folder_of(path, sides.serving))
    made = _pinned(asked, settings) if asked else sides.embedders.get(sides.other)
    if made is None:
        msg = "There is no second index yet. Say with which embedder: docent index next --embedder"
        raise SettingsError(msg)
    embedder = _embedder(made, settings, parts)
    named = Made(settings.embedder.model, settings.embedder.url)
    with (
        _writing(path, sides, embedder, settings) as writer,
        engine_at(folder_of(path, sides.serving)).rows() as db,
        _pool(settings, parts) as pool,
    ):
        _unchanged(path, sides, settings)
        embedders = {**sides.embedders, sides.other: made}
        write_sides(path, replace(sides, embedders=embedders, settings=named))
        return _catch_up(db, writer, embedder, pool, parts.watch)


def swap(settings: Settings, parts: Parts | None = None) -> Side:
    """Let the other index serve, brought up to date; the same again is the way back.

    Raises:
        IndexTrouble: there is no other, it is damaged, or somebody writes one of the two.
    """
    path, parts = _folder(settings), parts or Parts()
    sides = read_sides(path)
    if sides is None or sides.other not in sides.embedders:
        msg = f"There is no second index at {path}. Run: docent index next --embedder NAME"
        raise IndexMissing(msg)
    made, folder = sides.embedders[sides.other], folder_of(path, sides.other)
    _begun(folder)
    embedder = _embedder(made, settings, parts)
    serving = folder_of(path, sides.serving)
    with (
        managing(serving, keep=settings.index.keep),  # nobody else writes until readers have moved
        _writing(path, sides, embedder, settings) as writer,
        engine_at(serving).rows() as db,
        _pool(settings, parts) as pool,
    ):
        _unchanged(path, sides, settings)
        _catch_up(db, writer, embedder, pool, parts.watch)
        # Every file is read against its digest: what is damaged does not come to serve.
        open_index(folder, embedder=embedder.name).close()
        write_sides(path, swapped(sides))
    return _told(path, sides.other, made, serving=True)


def drop(settings: Settings) -> Path:
    """Remove the index that does not serve; its folder.

    Raises:
        IndexTrouble: there is none, or somebody writes it.
    """
    path = _folder(settings)
    sides = read_sides(path)
    if sides is None or sides.other not in sides.embedders:
        msg = f"There is no second index at {path}."
        raise IndexMissing(msg)
    folder = folder_of(path, sides.other)
    with suppress(IndexMissing), managing(folder):
        pass  # an IndexBusy goes up
    left = {side: made for side, made in sides.embedders.items() if side != sides.other}
    write_sides(path, replace(sides, embedders=left))
    if sides.other == SECOND:
        shutil.rmtree(folder, ignore_errors=True)
        return folder
    for name in (*_OF_AN_INDEX, *(file.name for file in folder.glob("docent.sqlite*"))):
        gone = folder / name
        if gone.is_dir():
            shutil.rmtree(gone)
        else:
            gone.unlink(missing_ok=True)
    return folder


def settings_of(side: Side, settings: Settings) -> Settings:
    """Settings under which one side is searched, whichever serves."""
    embedder = settings.embedder.model_copy(update={"model": side.made.model, "url": side.made.url})
    # An address of its own is not looked up among the sides.
    index = settings.index.model_copy(update={"url": side.folder.absolute().as_uri()})
    return settings.model_copy(update={"embedder": embedder, "index": index})


def _catch_up(
    db: Rows, writer: Writer, embedder: Embedder, pool: PagePool, watch: Watch
) -> list[Report]:
    """Make an index hold what another has stored: pages, who may read them, where sources go on."""
    names = visits.sources(db)
    stored = [StoredSource(name, db) for name in names]
    reports = sync(stored, writer, embedder, pool, watch=watch)
    gone = sorted(set(visits.sources(writer.db)) - set(names))
    reports += [remove_source(writer, name) for name in gone]
    for read, empty, write in _KNOWN_OF_SOURCES:
        rows = list(db.execute(read))
        writer.db.execute(empty)
        writer.db.executemany(write, rows)
    writer.commit()
    return reports


@contextmanager
def _writing(path: Path, sides: Sides, embedder: Embedder, settings: Settings) -> Iterator[Writer]:
    """The side that does not serve, open for writing; emptied when it was built with others."""
    folder = folder_of(path, sides.other)
    parts, keep = parts_of(embedder, settings.chunk.max_chars), settings.index.keep
    with ExitStack() as stack:
        try:
            writer = stack.enter_context(writing(folder, parts, keep=keep))
        except IndexMismatch:
            writer = stack.enter_context(writing(folder, parts, rebuild=True, keep=keep))
        yield writer


@contextmanager
def _pool(settings: Settings, parts: Parts) -> Iterator[PagePool]:
    workers = max(1, (os.cpu_count() or 2) - 1)
    seconds, max_chars = settings.ingest.deadline_s, settings.chunk.max_chars
    pool = parts.pool
    with nullcontext(pool) if pool else parse_pool(workers, seconds, max_chars) as parsers:
        yield parsers


def _folder(settings: Settings) -> Path:
    if isinstance(settings.index.place, Path):
        return settings.index.path
    msg = (
        f"The index lies at {settings.index.shown}. There, build another by giving it an address "
        "of its own in other settings, and change [index] url and [embedder] model together."
    )
    raise SettingsError(msg)


def _known(path: Path, settings: Settings) -> Sides:
    sides = read_sides(path)
    if sides is None:
        named = pinned(settings.embedder, settings)
        return Sides(FIRST, {FIRST: _pinned(Made(named.model, named.url), settings)})
    embedder_settings(path, settings.embedder)  # settings that contradict the sides stop here
    return sides


def _begun(folder: Path) -> None:
    """A change-over may finish a build, and should not begin one: that takes hours.

    Raises:
        IndexMissing: nothing of it was committed.
    """
    try:
        generations(folder)
    except IndexTrouble:
        msg = f"There is no index at {folder} yet. Run: docent index next"
        raise IndexMissing(msg) from None


def _unchanged(path: Path, sides: Sides, settings: Settings) -> None:
    """Another process may have changed sides before we held the locks.

    Raises:
        IndexBusy: it did: what we are about to bring up to date may serve by now.
    """
    if _known(path, settings) != sides:
        msg = f"Somebody else has just changed the sides of the index at {path}. Run it again."
        raise IndexBusy(msg)


def _pinned(made: Made, settings: Settings) -> Made:
    """A name that may come to stand for another version, as this version."""
    card = None if made.url else find(made.model, settings.models)
    return replace(made, model=card.full_name) if card else made


def _embedder(made: Made, settings: Settings, parts: Parts) -> Embedder:
    if parts.embedder:
        return parts.embedder(made)
    named = settings.embedder.model_copy(update={"model": made.model, "url": made.url})
    return embedder_from(named, settings.models)


def _told(path: Path, side: str, made: Made, *, serving: bool) -> Side:
    folder = folder_of(path, side)
    try:
        newest = next(one for one in reversed(generations(folder)) if one.serving)
    except (IndexTrouble, StopIteration):
        return Side(folder, made, serving, None, "", 0)
    return Side(folder, made, serving, newest.number, newest.parts.embedder, newest.documents)
