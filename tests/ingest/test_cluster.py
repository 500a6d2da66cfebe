"""Ingestion on a cluster: real Dask processes on loopback, killed like machines that fail."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pytest

from ingest.cluster import (
    VERSION,
    ClusterEmbedder,
    ClusterPool,
    connected,
    embed_there,
    parse_there,
    task_size,
)
from ingest.crew import crew
from ingest.embed import embedder_from
from ingest.errors import DocentError, ModelError, ParseError, SettingsError
from ingest.index import store, visits
from ingest.pipeline import Pace, sync
from ingest.run import run_ingest
from ingest.settings import Settings
from ingest.workers import DeadlineExceeded
from tests.fakes import HashEmbedder
from tests.ingest.corpus import HerePool, ListSource, page, writer_at
from tests.ingest.crash_driver import dump, first
from tests.ingest.dask_here import PATIENCE_S, MortalEmbedder, dask, kill

PACE = Pace(pages=4, texts=6, checkpoint_s=0)
NOBODY = "dask://127.0.0.1:9"


@dataclass
class FailingHalls(ListSource):
    """Gives its pages, and does something to the cluster before the one at each place."""

    deeds: tuple[tuple[int, Callable[[], None]], ...] = ()

    def pages(self, past):
        for place, item in enumerate(self.items):
            for at, deed in self.deeds:
                if at == place:
                    deed()
            yield item


def on_cluster(folder, address, source, make):
    with (
        connected(address, connect_s=PATIENCE_S, patience_s=PATIENCE_S) as cluster,
        writer_at(folder, HashEmbedder()) as writer,
    ):
        embedder = ClusterEmbedder(cluster, HashEmbedder(), make)
        sync([source], writer, embedder, ClusterPool(cluster, 60, 300), pace=PACE)


def known(folder):
    db = store.connect(folder)
    pages = set(visits.page_states(db, "test"))
    db.close()
    return pages


def test_a_worker_and_then_the_scheduler_die_and_the_result_is_that_of_an_undisturbed_run(tmp_path):
    pages = first()
    with writer_at(tmp_path / "calm", HashEmbedder()) as writer:
        sync([ListSource(pages)], writer, HashEmbedder(), HerePool(), pace=PACE)
    make = partial(MortalEmbedder, tmp_path / "die")
    (tmp_path / "die").touch()

    with dask(tmp_path / "one") as here:
        scheduler = here.scheduler()
        workers = [here.worker(), here.worker()]
        halls = FailingHalls(pages, deeds=((25, lambda: kill(scheduler)),))
        with pytest.raises(DocentError, match=rf"{here.address} was lost. Start it and run"):
            on_cluster(tmp_path / "index", here.address, halls, make)
        assert -9 in [worker.poll() for worker in workers]
    assert not (tmp_path / "die").exists()
    left = known(tmp_path / "index")
    assert 0 < len(left) < 40
    assert left == {p.id for p in pages[: len(left)]}  # what was committed is a prefix

    with dask(tmp_path / "two") as here:
        here.scheduler()
        here.worker()
        on_cluster(tmp_path / "index", here.address, ListSource(pages), make)
    assert dump(tmp_path / "index") == dump(tmp_path / "calm")


def test_a_page_that_fails_or_takes_too_long_is_a_failure_and_the_others_go_on(tmp_path):
    with dask(tmp_path / "dask") as here:
        here.scheduler()
        here.worker()
        with connected(here.address, connect_s=PATIENCE_S, patience_s=PATIENCE_S) as cluster:
            cluster.client.wait_for_workers(1, timeout=PATIENCE_S)
            assert (cluster.workers(), cluster.threads()) == (1, 1)
            pool = ClusterPool(cluster, 60, 300)
            broken = page("broken", "")
            pending = [pool.submit(p) for p in (page("a", "One."), broken, page("b", "Two."))]
            # They are fetched together once the scheduler has said that they are ready.
            while not all(one.future and one.future.done() for one in pending):
                time.sleep(0.01)
            assert pending[2].result()[0].document.text == "Two."
            assert [one.outcome is None for one in pending] == [False, False, False]
            with pytest.raises(ParseError, match="test:broken"):
                pending[1].result()
            assert pool.waiting == []
            hurried = ClusterPool(cluster, 0.001, 300)
            with pytest.raises(DeadlineExceeded, match=r"was not parsed in 0\.001 s"):
                hurried.submit(page("c", "Three. " * 20_000)).result()

            calls: list[int] = []
            texts = [f"text {n} " * (n % 7) for n in range(50)]
            embedder = ClusterEmbedder(cluster, HashEmbedder(), HashEmbedder)
            vectors = embedder.embed_documents(texts, calls.append)
            assert (vectors == HashEmbedder().embed_documents(texts)).all()
            assert (embedder.name, embedder.dim, sum(calls)) == ("fake-64", 64, 50)
            assert (embedder.embed_query("a") == HashEmbedder().embed_query("a")).all()
            assert embedder.embed_documents([]).shape == (0, 64)


def test_without_a_worker_a_run_waits_and_then_says_so(tmp_path):
    with dask(tmp_path / "dask") as here:
        here.scheduler()
        with (
            connected(here.address, connect_s=PATIENCE_S, patience_s=0) as cluster,
            pytest.raises(DocentError, match=r"has had no worker for 0 s\. Start some"),
        ):
            ClusterPool(cluster, 60, 300).submit(page("a", "One.")).result()


def test_a_worker_with_another_docent_or_another_model_is_refused(tmp_path):
    other = parse_there(page("a", "One."), 300, 60, "parse-0 blocks-0")
    assert isinstance(other.error, SettingsError)
    assert f"parses with {VERSION}, and here it is parse-0 blocks-0." in str(other.error)

    other = embed_there(["a"], "another", HashEmbedder)
    assert isinstance(other.error, ModelError)
    assert "embeds with fake-64, and here it is another. Give it" in str(other.error)

    missing = {"embedder": {"model": str(tmp_path)}, "index": {"path": tmp_path / "index"}}
    settings = Settings.model_validate(missing)
    make = partial(embedder_from, settings.embedder, settings.models)
    other = embed_there(["a"], "model@1", make)
    assert str(other.error).startswith("On the Dask worker ")
    assert str(tmp_path) in str(other.error)


@pytest.mark.parametrize(
    ("texts", "workers", "size"),
    [(0, 0, 16), (20, 2, 16), (100, 2, 25), (101, 2, 26), (2048, 1, 256), (2048, 40, 26)],
)
def test_texts_are_dealt_so_that_every_worker_has_some(texts, workers, size):
    assert task_size(texts, workers) == size


def test_without_a_scheduler_the_run_says_so_and_leaves_the_index_as_it_was(tmp_path):
    (tmp_path / "docs").mkdir()
    files = {"kind": "files", "path": tmp_path / "docs", "access": ["public"]}
    settings = Settings.model_validate(
        {
            "index": {"path": tmp_path / "index"},
            "embedder": {"model": "m", "url": "http://127.0.0.1:9/v1"},
            "sources": {"docs": files},
        }
    )
    with (
        pytest.raises(DocentError, match=f"no Dask scheduler at {NOBODY} .* dask scheduler"),
        connected(NOBODY, connect_s=0.1),
    ):
        raise AssertionError
    with (
        pytest.raises(SettingsError, match=r"tls://127\.0\.0\.1:9: .*See docs/cluster.md"),
        connected("tls://127.0.0.1:9", connect_s=0.1),
    ):
        raise AssertionError
    with pytest.raises(SettingsError, match="--workers dask:9 is not local:N, dask://"):
        run_ingest(settings, [], embedder=HashEmbedder(), workers="dask:9")


def test_processes_of_this_machine_are_counted(tmp_path):
    settings = Settings.model_validate({"ingest": {"workers": "local:2"}})
    embedder = HashEmbedder()
    with crew(settings, embedder) as here:
        assert here.embedder is embedder
        assert cast("Any", here.parsers).pool._pool_manager.worker_manager.workers_number == 2
        assert here.pace == Pace()
