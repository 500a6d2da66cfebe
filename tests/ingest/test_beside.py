"""A second index with another embedder beside the one that serves."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assistant.retrieve import Retriever
from ingest import sides
from ingest.access import ANYBODY, Reader
from ingest.backup import copy_index
from ingest.beside import Parts, build, drop, settings_of, sides_of, swap
from ingest.cli_beside import index_app
from ingest.embed import Embedder
from ingest.errors import (
    IndexBusy,
    IndexDamaged,
    IndexMismatch,
    IndexMissing,
    SettingsError,
)
from ingest.following import Following
from ingest.index import managing, open_index, visits
from ingest.model import Cursor, Failure, Item
from ingest.pipeline import sync
from ingest.settings import RetrievalSettings, Settings
from ingest.sides import Made, read_sides
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, page, writer_at
from tests.ingest.test_crash import killed

CLOSED = frozenset({"staff"})
STAFF = Reader(CLOSED)
RUNNER = CliRunner()


class Backwards(HashEmbedder):
    """Another embedder: other vectors under another name."""

    def __init__(self, name: str = "backwards") -> None:
        super().__init__()
        self.name = name

    def embed_query(self, text):
        return super().embed_query(text[::-1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"index": {"path": tmp_path / "index"}, "embedder": {"model": "hash"}, "chunk": CHUNK}
    )


CHUNK = {"max_chars": 300}


def made(embedders: dict[str, Embedder]) -> Callable[[Made], Embedder]:
    return lambda one: embedders[one.model]


@pytest.fixture
def other() -> Backwards:
    return Backwards()


@pytest.fixture
def parts(other: Backwards) -> Parts:
    return Parts(made({"hash": HashEmbedder(), "back": other}), HerePool())


def ingest(settings: Settings, *items: Item, folder: Path | None = None, embedder=None) -> None:
    """One night over what a source holds now."""
    embedder = embedder or HashEmbedder()
    with writer_at(folder or settings.index.path, embedder) as writer:
        sync([ListSource(items)], writer, embedder, HerePool())
        writer.commit()


def found(settings: Settings, embedder: Embedder, text: str, reader: Reader = ANYBODY) -> list[str]:
    """What the index that serves finds."""
    index = open_index(settings.index.place, embedder=embedder.name)
    retriever = Retriever(index, embedder, RetrievalSettings(reranker="none"))
    names = [one.document_id for one in retriever.search(text, reader, 5)]
    index.close()
    return names


PAGES = [
    page("muon", "The muon trigger."),
    page("quota", "Ask for quota."),
    page("pay", "Pay.", CLOSED),
]


def test_a_second_index_is_built_from_the_stored_pages_and_both_are_searched(
    settings, parts, other: Backwards
):
    ingest(settings, *PAGES)
    assert read_sides(settings.index.path) is None

    [report] = build(settings, Made("back"), parts)
    assert (report.new, report.source) == (3, "test")
    assert report.requests == 0
    serving, second = sides_of(settings)
    assert (serving.serving, serving.embedder) == (True, HashEmbedder().name)
    assert (second.serving, second.embedder, second.documents) == (False, "backwards", 3)
    assert found(settings, HashEmbedder(), "muon trigger")[0] == "test:muon"
    beside_it = settings_of(second, settings)
    assert beside_it.embedder.model == "back"
    assert found(beside_it, other, "quota")[0] == "test:quota"
    # Access is part of it there too.
    assert "test:pay" not in found(beside_it, other, "Pay")
    assert found(beside_it, other, "Pay", STAFF)[0] == "test:pay"


def test_what_is_there_already_costs_nothing(settings, parts, other: Backwards):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    assert len(other.embedded) == 3

    ingest(settings, *PAGES[:2], page("new", "New."))  # `pay` is gone, `new` came
    [report] = build(settings, None, parts)
    assert (report.new, report.unchanged, report.removed) == (1, 2, 1)
    assert len(other.embedded) == 4


def test_a_swap_brings_it_up_to_date_and_so_does_the_way_back(settings, parts, other: Backwards):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    # Since the build a page was closed, one was removed, one came.
    ingest(settings, replace(PAGES[0], access=CLOSED), page("new", "A new page."))

    side = swap(settings, parts)
    assert (side.serving, side.made.model, side.documents) == (True, "back", 2)
    assert [one.serving for one in sides_of(settings)] == [True, False]
    assert found(settings, other, "muon trigger") == ["test:new"]
    assert found(settings, other, "muon trigger", STAFF)[0] == "test:muon"
    embedder = sides.embedder_settings(settings.index.path, settings.embedder)
    assert embedder.model == "back"

    # The nights go on in the one that serves; the first one sleeps.
    ingest(settings, page("late", "Late."), folder=settings.index.place, embedder=other)
    side = swap(settings, parts)
    assert (side.made.model, side.documents) == ("hash", 1)
    assert found(settings, HashEmbedder(), "anything", STAFF) == ["test:late"]
    assert sides.embedder_settings(settings.index.path, settings.embedder).model == "hash"


def test_what_is_known_of_the_sources_goes_along(settings, parts, other: Backwards):
    cursor = Cursor("test", "2026-11-22")
    broken = Failure("test:gone", "test", "It could not be read.")
    ingest(settings, *PAGES, broken, cursor)
    build(settings, Made("back"), parts)
    swap(settings, parts)

    with writer_at(settings.index.place, other) as writer:
        assert visits.cursor(writer.db, "test") == "2026-11-22"
        [failed] = visits.failures(writer.db, "test")
        assert (failed.failure.page_id, failed.attempts) == ("test:gone", 1)
        assert visits.runs(writer.db)["test"].finished_at < datetime.now(UTC)


class Lost(BaseException):
    """The machine took the process away."""


def test_a_build_that_was_killed_leaves_the_index_that_serves_and_goes_on(
    settings, parts, other: Backwards
):
    ingest(settings, *PAGES)
    before = (settings.index.path / "manifest.json").read_bytes()

    class Dies(Backwards):
        def embed_documents(self, texts, progress=lambda n: None):
            raise Lost

    with pytest.raises(Lost):
        build(settings, Made("back"), replace(parts, embedder=lambda made: Dies()))
    assert (settings.index.path / "manifest.json").read_bytes() == before
    assert found(settings, HashEmbedder(), "muon trigger")[0] == "test:muon"
    with pytest.raises(IndexMissing, match=r"There is no index at .*beside"):
        swap(settings, parts)

    [report] = build(settings, None, parts)  # it knows with which embedder
    assert report.new == 3
    assert swap(settings, parts).documents == 3


@pytest.mark.parametrize("step", ["catching up", "looking through", "writing sides.json"])
def test_a_swap_that_was_killed_at_any_step_leaves_what_served(
    settings, parts, step, tmp_path, other
):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    path = settings.index.path
    if step == "catching up":
        ingest(settings, *PAGES, page("new", "New."))

        class Dies(Backwards):
            def embed_documents(self, texts, progress=lambda n: None):
                raise Lost

        with pytest.raises(Lost):
            swap(settings, replace(parts, embedder=lambda made: Dies()))
    elif step == "looking through":
        [segment] = (path / "beside" / "dense").glob("*.faiss")
        whole = segment.read_bytes()
        segment.write_bytes(whole[:-1])
        with pytest.raises(IndexDamaged, match="is not what was written"):
            swap(settings, parts)
        segment.write_bytes(whole)
    else:
        # A process that dies before the rename leaves the new file beside the old one.
        (path / "sides.json.new").write_text('{"serving": "besi')
    assert found(settings, HashEmbedder(), "muon trigger")[0] == "test:muon"
    assert swap(settings, parts).made.model == "back"
    assert found(settings, other, "muon trigger")[0] == "test:muon"


def test_nobody_writes_while_sides_are_changed(settings, parts):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    with (
        managing(settings.index.path),
        pytest.raises(IndexBusy, match="Another process is writing"),
    ):
        swap(settings, parts)
    assert sides_of(settings)[0].made.model == "hash"


def test_two_who_change_sides_at_once_do_not_undo_each_other(settings, parts, other: Backwards):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)

    def meanwhile(one: Made) -> Embedder:
        swap(settings, parts)  # the other one was quicker
        return other

    late = replace(parts, embedder=meanwhile)
    with pytest.raises(IndexBusy, match="Somebody else has just changed the sides"):
        swap(settings, late)
    assert sides_of(settings)[0].made.model == "back"
    with pytest.raises(IndexBusy, match="Somebody else has just changed the sides"):
        build(settings, None, late)
    assert sides_of(settings)[0].made.model == "hash"


def test_a_reader_that_is_open_follows_and_a_search_that_began_ends_where_it_began(
    settings, parts, other: Backwards
):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)

    def find(now: Settings) -> Embedder:
        named = sides.embedder_settings(now.index.path, now.embedder)
        return {"hash": HashEmbedder(), "back": other}[named.model]

    index = Following(settings, HashEmbedder(), find)
    search = Retriever(index, HashEmbedder(), RetrievalSettings(reranker="none"), index.embedder)
    assert search.search("muon trigger", ANYBODY, 1, "dense")[0].document_id == "test:muon"
    with index.snapshot() as begun:
        assert begun.manifest.parts.embedder == HashEmbedder().name
        swap(settings, parts)
        with index.snapshot() as after:
            assert after.manifest.parts.embedder == "backwards"
        # The search that began still reads all of what it began with.
        hits = begun.search_dense(HashEmbedder().embed_query("muon"), 3, ANYBODY)
        assert len(begun.chunks([hit.row for hit in hits], ANYBODY)) == 2
    assert search.search("muon trigger", ANYBODY, 1, "dense")[0].document_id == "test:muon"
    swap(settings, parts)
    assert search.search("muon trigger", ANYBODY, 1, "dense")[0].document_id == "test:muon"
    index.close()


def test_what_cannot_be_opened_leaves_the_reader_where_it_is(settings, parts, caplog):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    index = Following(settings, HashEmbedder())  # and `back` is no model of this machine
    swap(settings, parts)
    for _ in range(2):
        with index.snapshot() as snapshot:
            assert snapshot.manifest.parts.embedder == HashEmbedder().name
    [told] = caplog.messages
    assert told.startswith("The index that was there keeps serving: 'back' is neither a model")
    index.close()


def test_readers_search_on_while_the_sides_are_changed(settings, parts, other: Backwards):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)

    def find(now: Settings) -> Embedder:
        named = sides.embedder_settings(now.index.path, now.embedder)
        return {"hash": HashEmbedder(), "back": other}[named.model]

    index = Following(settings, HashEmbedder(), find)
    search = Retriever(index, HashEmbedder(), RetrievalSettings(reranker="none"), index.embedder)
    over = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not over.is_set():
            try:
                first = search.search("muon trigger", ANYBODY, 1, "dense")[0].document_id
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                wrong.append(error)
                return
            if first != "test:muon":
                wrong.append(first)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(4):
        swap(settings, parts)
    over.set()
    for reader in readers:
        reader.join()
    assert not wrong
    index.close()


def test_another_embedder_replaces_the_second_index(settings, parts, other: Backwards):
    third = Backwards("third")
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    more = replace(parts, embedder=lambda one: third)
    build(settings, Made("third"), more)
    second = sides_of(settings)[1]
    assert (second.embedder, second.documents) == ("third", 3)
    # And in the place of the first, whose folder holds the second.
    swap(settings, more)
    build(settings, Made("back"), parts)
    assert [one.embedder for one in sides_of(settings)] == ["third", "backwards"]
    assert swap(settings, parts).folder == settings.index.path
    assert found(settings, other, "muon trigger")[0] == "test:muon"


def test_settings_that_name_something_else_than_at_the_swap_are_one_clear_sentence(settings, parts):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    swap(settings, parts)
    path = settings.index.path
    assert sides.embedder_settings(path, named(settings, "back")).model == "back"
    said = (
        r"embedder 'back' and serves in place of one with 'hash', and \[embedder\] model says 'x'"
    )
    with pytest.raises(IndexMismatch, match=said):
        sides.embedder_settings(path, named(settings, "x"))


def named(settings: Settings, model: str):
    return settings.embedder.model_copy(update={"model": model})


def test_what_does_not_serve_can_be_dropped_on_either_side(settings, parts, other: Backwards):
    ingest(settings, *PAGES)
    with pytest.raises(IndexMissing, match="There is no second index"):
        drop(settings)
    build(settings, Made("back"), parts)
    assert drop(settings) == settings.index.path / "beside"
    assert len(sides_of(settings)) == 1
    assert found(settings, HashEmbedder(), "muon trigger")[0] == "test:muon"

    build(settings, Made("back"), parts)
    swap(settings, parts)
    assert drop(settings) == settings.index.path
    assert not (settings.index.path / "docent.sqlite").exists()
    assert found(settings, other, "muon trigger")[0] == "test:muon"
    with pytest.raises(IndexMissing, match="There is no second index"):
        swap(settings, parts)


def test_a_backup_is_of_the_index_that_serves_and_knows_its_embedder(
    settings, parts, other, tmp_path
):
    ingest(settings, *PAGES)
    build(settings, Made("back"), parts)
    swap(settings, parts)
    ingest(settings, page("late", "Late."), folder=settings.index.place, embedder=other)

    copy_index(settings.index.path, tmp_path / "copy")
    index = settings.index.model_copy(update={"path": tmp_path / "copy"})
    restored = settings.model_copy(update={"index": index})
    assert found(restored, other, "late") == ["test:late"]
    assert sides.embedder_settings(index.path, settings.embedder).model == "back"
    assert len(sides_of(restored)) == 1


def test_what_cannot_be_is_said(settings, parts, tmp_path):
    with pytest.raises(IndexMissing, match="There is no index"):
        build(settings, Made("back"), parts)
    ingest(settings, *PAGES)
    with pytest.raises(SettingsError, match="Say with which embedder: docent index next"):
        build(settings, None, parts)
    elsewhere = settings.model_copy(
        update={"index": settings.index.model_copy(update={"url": "postgresql://u@h/d"})}
    )
    with pytest.raises(SettingsError, match="The index lies at postgresql://u@h/d"):
        sides_of(elsewhere)
    (settings.index.path / "sides.json").write_text("{")
    with pytest.raises(IndexDamaged, match="does not say which index serves"):
        sides_of(settings)


def test_the_commands_say_what_was_done_and_what_comes_next(settings, parts, tmp_path):
    ingest(settings, *PAGES)
    file = tmp_path / "docent.toml"
    file.write_text(
        '[index]\npath = "index"\n[embedder]\nmodel = "hash"\n[chunk]\nmax_chars = 300\n'
    )

    def run(*words: str) -> str:
        done = RUNNER.invoke(index_app, [*words, "--config", str(file)], obj=parts)
        assert done.exit_code == 0, done.output
        return done.output

    assert "3 pages taken over" in run("next", "--embedder", "back")
    told = json.loads(run("next", "--json"))
    assert told["side"]["model"] == "back"
    assert told["sources"][0]["unchanged"] == 3
    assert [one["serving"] for one in json.loads(run("sides", "--json"))["sides"]] == [True, False]
    assert '[embedder] model = "back"' in run("swap")
    assert "serves" in run("sides")
    assert json.loads(run("rollback", "--json"))["model"] == "hash"
    assert "beside is removed" in " ".join(run("drop").split())


def test_a_change_over_killed_at_random_moments_leaves_an_index_that_serves(tmp_path):
    assert killed(tmp_path, "--kills", "5", driver="swap_driver")["moments"] == 5
