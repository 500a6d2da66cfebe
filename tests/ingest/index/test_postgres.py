"""What only a server of one's own shows: it is killed, filled, copied from, and grows."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from asyncpg import InternalClientError

from ingest.access import ANYBODY, Reader
from ingest.errors import IndexMismatch, IndexTrouble, SettingsError
from ingest.index import engine_at, generations, visits
from ingest.index.postgres import Postgres
from ingest.index.postgres.build import take_memory
from ingest.index.postgres.link import (
    Address,
    Link,
    LinkLost,
    Loop,
    StillRead,
    Use,
    _translated,
)
from ingest.index.postgres.reading import PostgresSnapshot, candidates
from ingest.index.postgres.tables import make_build
from ingest.model import Failure
from ingest.pipeline import parts_of
from tests.fakes import HashEmbedder
from tests.ingest.corpus import document, put
from tests.ingest.index.conftest import House
from tests.ingest.index.test_conformance import found, ids
from tests.ingest.index.test_conformance_search import QUESTIONS, READERS, corpus
from tests.postgres import FAST, Server, server_in

WAIT_S = 120
NOW = datetime(2026, 1, 1, tzinfo=UTC)
AWAY = r"there is no connection to the database .* What was committed is whole"


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; a server does what it does in its own time."""
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "It did not happen in two minutes."


@pytest.fixture(scope="module")
def killed() -> Iterator[Server]:
    """A server that these tests may kill."""
    with server_in() as running:
        yield running


@pytest.fixture
def own(killed: Server) -> Server:
    """It runs, whatever became of it in the test before."""
    if not killed.runs:
        killed.start()
    return killed


@pytest.fixture
def house(own: Server) -> House:
    return House(own.url(f"t_{uuid4().hex}"), HashEmbedder())


@pytest.fixture
def link(house: House) -> Iterator[Link]:
    """A connection beside the product's own."""
    loop = Loop()
    with closing(Link(loop, Address.parse(str(house.place)), Use.WRITE)) as made:
        yield made
    loop.close()


def test_killed_in_mid_write_the_last_generation_stays_and_writing_goes_on(own, house):
    house.add(document("a", "pixel"))
    with house.reading() as index:
        with pytest.raises(IndexTrouble, match=AWAY), house.writing() as writer:  # noqa: PT012
            put(writer, house.embedder, document("b", "pixel"), document("a", "other"))
            writer.flush()
            own.kill()
            writer.commit()
        own.start()
        # A reader that had a connection of before gets a new one.
        with index.snapshot() as snapshot:
            assert ids(snapshot, snapshot.search_lexical("pixel", 9, ANYBODY)) == ["test:a"]
        assert [g.number for g in generations(house.place)] == [1]
        assert house.add(document("b", "pixel")) == 2
        with index.snapshot() as snapshot:
            assert len(snapshot.search_lexical("pixel", 9, ANYBODY)) == 2


def test_killed_in_mid_commit_there_is_the_generation_before_and_no_half(own, house, link):
    house.add(document("a", "pixel"))
    link.run(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(600); RETURN NEW; END'"
    )
    link.run("CREATE TRIGGER linger BEFORE INSERT ON shelf FOR EACH ROW EXECUTE FUNCTION linger()")
    told: list[str] = []

    def commit() -> None:
        try:
            house.add(document("a", "changed"), document("b", "pixel"))
        except IndexTrouble as error:
            told.append(str(error))

    writer = threading.Thread(target=commit, daemon=True)
    writer.start()
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    until(lambda: link.value(sleeping) == 1 or not writer.is_alive())
    assert not told, "It was over before the kill."
    own.kill()
    writer.join()
    assert len(told) == 1
    assert "What was committed is whole" in told[0]
    own.start()
    assert found(house, "pixel changed") == ({"test:a"}, ["test:a"])
    assert [g.number for g in generations(house.place)] == [1]


def test_the_lock_of_a_writer_is_free_as_soon_as_it_has_ended(house, link):
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    for number in range(20):
        house.add(document("a", f"pixel {number}"))
        assert link.value(held) == 0
    with suppress(ZeroDivisionError), house.writing() as writer:
        writer.flush()
        raise ZeroDivisionError
    assert link.value(held) == 0


def test_killed_in_mid_read_the_search_says_so_and_the_next_one_works(own, house):
    house.add(document("a", "pixel"))
    with house.reading() as index:
        with pytest.raises(IndexTrouble, match=AWAY), index.snapshot() as snapshot:  # noqa: PT012
            assert snapshot.search_lexical("pixel", 9, ANYBODY)
            own.kill()
            snapshot.search_lexical("pixel tracker", 9, ANYBODY)
        with (
            pytest.raises(IndexTrouble, match="cannot be opened: there is no connection"),
            index.snapshot(),
        ):
            pass
        own.start()
        with index.snapshot() as snapshot:
            assert snapshot.search_lexical("pixel", 9, ANYBODY)


def test_a_connection_that_broke_in_the_midst_of_a_word_is_a_lost_one(link, monkeypatch):
    class Broken:
        async def fetch(self, *_: object, **__: object) -> None:
            raise InternalClientError("cannot switch to state 12; another operation is in progress")

    monkeypatch.setattr(link, "_raw", Broken())
    with pytest.raises(LinkLost, match=AWAY):
        link.value("SELECT 1")


@pytest.mark.parametrize(("given", "taken"), [("64MB", "1GB"), ("2GB", "2GB")])
def test_indexes_are_built_with_a_gigabyte_at_least_or_what_the_server_gives(link, given, taken):
    link.run(f"SET maintenance_work_mem = '{given}'; BEGIN")
    take_memory(link)
    assert link.value("SHOW maintenance_work_mem") == taken


def test_among_more_passages_the_walk_keeps_more_candidates():
    # 200 · 10^0.4 = 502.4; pgvector takes 1,000 at most.
    assert [candidates(n) for n in (1, 100_000, 1_000_000, 10_000_000)] == [200, 200, 502, 1000]


def test_a_full_disk_is_told_and_what_was_committed_is_served(own, house, link):
    assert Path("/dev/full").exists(), "This machine has no /dev/full; it is no Linux."
    house.add(document("a", "pixel"))
    link.run("CHECKPOINT")
    file = own.data / link.value("SELECT pg_relation_filepath('failures')")
    assert file.stat().st_size == 0
    # The kernel says to PostgreSQL what it says of a disk that is full.
    file.unlink()
    file.symlink_to("/dev/full")
    full = r"the database has no room left \(.*No space left"
    with pytest.raises(IndexTrouble, match=full), house.writing() as writer:  # noqa: PT012
        put(writer, house.embedder, document("b", "pixel"))
        visits.save_failure(writer.db, Failure("p", "wiki", "broken"), NOW, None)
    assert found(house, "pixel")[1] == ["test:a"]
    link.run("TRUNCATE failures")  # somebody makes room
    with house.writing() as writer:
        visits.save_failure(writer.db, Failure("p", "wiki", "broken"), NOW, None)
        put(writer, house.embedder, document("b", "pixel"))
        assert writer.commit() == 2


def test_a_replica_gives_whole_generations_and_it_is_said_when_it_is_behind(own, house):
    house.add(document("a", "pixel"), document("b", "muon"))
    replica = own.replica()
    try:
        replica.start(*FAST)
        schema = str(house.place).partition("schema=")[2]
        both = f"postgresql://postgres@/postgres?host={own.socket},{replica.socket}&schema={schema}"
        two = House(both, house.embedder)
        engine = engine_at(both)
        until(lambda: engine.remarks() == [])
        with two.reading() as index, closing(Loop()) as loop:
            beside = Link(loop, Address.parse(replica.url(schema)), Use.SEARCH)
            with index.snapshot() as snapshot:
                assert isinstance(snapshot, PostgresSnapshot)
                assert snapshot._link.value("SELECT pg_is_in_recovery()")
                assert len(snapshot.search_lexical("pixel muon", 9, ANYBODY)) == 2
            beside.run("SELECT pg_wal_replay_pause()")
            two.add(document("a", "calorimeter"), document("b", "calorimeter"))
            with index.snapshot() as snapshot:
                assert ids(snapshot, snapshot.search_lexical("pixel", 9, ANYBODY)) == ["test:a"]
                assert snapshot.search_lexical("calorimeter", 9, ANYBODY) == []
            assert engine.remarks() == [
                "The replica that searches go to is 1 commits behind: it gives generation 1, the "
                "server itself 2."
            ]
            assert engine.serving().generation == 2
            beside.run("SELECT pg_wal_replay_resume()")
            until(lambda: engine.remarks() == [])
            with index.snapshot() as snapshot:
                assert len(snapshot.search_lexical("calorimeter", 9, ANYBODY)) == 2
            beside.close()
    finally:
        replica.stop()


def test_among_many_passages_the_graph_finds_what_an_exact_search_finds(own):
    engine = Postgres(Address.parse(own.url(f"t_{uuid4().hex}")), few=100)
    embedder = HashEmbedder()
    rng = np.random.default_rng(1)
    shares = {"all": 1, "tenth": 10, "hundredth": 100, "one": 1500}

    def access(number: int) -> frozenset[str]:
        return frozenset(name for name, every in shares.items() if number % every == 0)

    with engine.writing(parts_of(embedder, 300)) as writer:
        for start in range(0, 1500, 500):
            numbers = range(start, start + 500)
            many = [document(f"d{n}", f"w{n % 37} passage {n}", access=access(n)) for n in numbers]
            put(writer, embedder, *many)
            writer.commit()
    with closing(engine.index(embedder.name)) as index, index.snapshot() as snapshot:
        assert snapshot._link.value(
            "SELECT count(*) FROM pg_indexes WHERE indexname = 'vectors_1_graph'"
            " AND schemaname = current_schema()"
        )
        # Of so few passages the planner would rather sort them all; of as many as there are where
        # a graph is made it would not.
        snapshot._link.fetch("SELECT set_config('enable_sort', 'off', true)")
        rows = snapshot.rows.tolist()
        matrix = snapshot.vectors(rows, Reader(frozenset({"all"})))
        for name, every in shares.items():
            reader = Reader(frozenset({name}))
            allowed = np.array([number % every == 0 for number in range(1500)])
            hits = 0
            for _ in range(10):
                vector = matrix[rng.integers(1500)]
                scores = np.where(allowed, matrix @ vector, -2)
                exact = np.sort(scores)[::-1][: min(10, int(allowed.sum()))]
                got = [hit.score for hit in snapshot.search_dense(vector, 10, reader)]
                assert len(got) == len(exact)
                hits += int(np.isclose(got, exact, atol=1e-5).sum())
            assert hits >= 0.98 * 10 * min(10, int(allowed.sum()))
        walks = "SELECT pg_stat_get_xact_numscans('vectors_1_graph'::regclass)"
        assert snapshot._link.value(walks) == 20  # for all and for a tenth; others are compared


def test_when_texts_grow_longer_words_are_weighed_anew_and_score_as_if_built_at_once(own, tmp_path):
    grown, at_once = (House(own.url(f"t_{uuid4().hex}"), HashEmbedder()) for _ in range(2))
    folder = House(tmp_path / "folder", HashEmbedder())
    short = [document(f"s{n}", f"w{n % 7} w1 w1") for n in range(30)]
    grown.add(*short)
    with grown.reading() as held, held.snapshot() as old:
        before = old.search_lexical("w1 w3", 9, ANYBODY)
        grown.add(*corpus(60), keep=1)
        # The table that this search began with is still there, though weighed anew beside it.
        assert old.search_lexical("w1 w3", 9, ANYBODY) == before
    with grown.writing() as writer:  # what was read until now goes at the next commit
        writer.commit()
    for one in (at_once, folder):
        one.add(*short, *corpus(60))
    reader = Reader(frozenset({"all"}))
    with ExitStack() as stack:
        opened = [stack.enter_context(one.reading()) for one in (grown, at_once, folder)]
        x, y, z = (stack.enter_context(one.snapshot()) for one in opened)
        assert isinstance(x, PostgresSnapshot)
        assert isinstance(y, PostgresSnapshot)
        assert x._head.words == "words_1_2"
        tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'words%'"
        mine = f"{tables} AND schemaname = current_schema()"
        assert (x._link.value(mine), y._link.value(mine)) == (1, 1)
        for text in QUESTIONS:
            told = [[round(h.score, 4) for h in s.search_lexical(text, 20, reader)]
                    for s in (x, y, z)]  # fmt: skip
            assert told[0] == pytest.approx(told[1], rel=1e-3)
            assert told[1] == pytest.approx(told[2], rel=1e-3)
            assert x.reach(text, reader) == pytest.approx(z.reach(text, reader), rel=1e-6)


def test_all_of_a_question_is_counted_even_where_rare_words_come_first(own):
    house = House(own.url(f"t_{uuid4().hex}"), HashEmbedder())
    house.add(*corpus(300))
    with house.reading() as index, index.snapshot() as snapshot:
        for text in QUESTIONS:
            every = {h.row: h.score for h in snapshot.search_lexical(text, 400, READERS["all"])}
            best = sorted(every.items(), key=lambda pair: (-pair[1], pair[0]))
            for k in (1, 3, 10):
                got = [(h.row, h.score) for h in snapshot.search_lexical(text, k, READERS["all"])]
                assert got == best[:k]


def test_an_index_of_another_version_is_refused(house, link):
    house.add(document("a", "pixel"))
    link.run("UPDATE meta SET version = 99")
    with pytest.raises(IndexMismatch, match="tables of version 99, this Docent reads 1"):
        house.add(document("b", "pixel"))


def test_a_table_that_is_read_is_dropped_at_a_later_commit(house, link):
    house.add(document("a", "pixel"))
    link.run("BEGIN")
    link.run("LOCK TABLE words_1_1 IN ACCESS SHARE MODE")
    house.add(document("a", "pixel " * 300), keep=1)
    assert link.value("SELECT to_regclass('words_1_1')") is not None
    link.run("ROLLBACK")
    house.add(document("b", "pixel"), keep=1)
    assert link.value("SELECT to_regclass('words_1_1')") is None
    assert issubclass(StillRead, IndexTrouble)


def test_vectors_that_no_graph_can_hold_are_refused(house, link):
    house.add(document("a", "pixel"))
    with pytest.raises(IndexTrouble, match="Vectors of 4096 numbers are more than"):
        make_build(link, 4096)


def test_who_cannot_be_reached_or_signed_in_is_told_without_the_password():
    nowhere = "postgresql://docent:secret-word@/docent?host=/nowhere-at-all"
    with pytest.raises(IndexTrouble, match="there is no connection") as told:
        engine_at(nowhere).generations()
    assert "secret-word" not in str(told.value)


def test_a_database_that_is_not_there_is_named(own):
    with pytest.raises(IndexTrouble, match='database "none" does not exist'):
        engine_at(own.url(database="none")).generations()


def test_an_address_says_where_and_which_schema():
    one = Address.parse(
        "postgresql+asyncpg://ada:pw@db.example:5433/docent?schema=blue&sslmode=require"
    )
    assert one.url == "postgresql://ada:pw@db.example:5433/docent?sslmode=require"
    assert (one.schema, one.shown) == ("blue", "postgresql://db.example:5433/docent (schema blue)")
    assert one.session(Use.SEARCH) == {}
    several = Address.parse("postgresql://a,b/docent")
    assert several.schema == "docent_index"
    assert several.session(Use.SEARCH) == {"target_session_attrs": "prefer-standby"}
    assert several.session(Use.WRITE) == several.session(Use.OPERATE)
    with pytest.raises(SettingsError, match="is no name"):
        Address.parse('postgresql://a/docent?schema=x"; DROP SCHEMA public')
    with pytest.raises(SettingsError, match="no engine has such an address"):
        engine_at("mysql://a/b")


def test_placeholders_of_sqlite_become_those_of_postgresql():
    assert _translated("SELECT ?, ?::text") == ("SELECT $1, $2::text", ())
    assert _translated("a = :one AND b::int = :two OR c = :one") == (
        "a = $1 AND b::int = $2 OR c = $1", ("one", "two"),
    )  # fmt: skip
