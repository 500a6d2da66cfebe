"""Parsing by one Dask worker and by two, the same pages in one run: how much faster are two?

One and two by turns, since driver, scheduler and what else runs share the cores with them.
"""

import time
from statistics import median

import pytest

from ingest.cluster import ClusterPool, connected
from ingest.model import Page
from tests.ingest.dask_here import PATIENCE_S, dask, kill

PAGES = 60
WARM = 8
PARAGRAPHS = 400
ROUNDS = 7


def pages(count: int) -> list[Page]:
    """Wiki pages of some 60 kB of HTML each: headings, paragraphs, links and a table."""
    row = "<tr><td>muon_pt</td><td>float</td><td>transverse momentum in GeV</td></tr>"
    body = "".join(
        f"<h3>Step {n}</h3><p>The <b>trigger</b> menu of <a href='/run/{n}'>run {n}</a> has "
        f"{n} chains, and each of them is described below.</p>"
        for n in range(PARAGRAPHS)
    )
    html = f"<html><body><h1>Menu</h1>{body}<table>{row * 50}</table></body></html>"
    return [
        Page(f"bench:{n}", "bench", "", "html", html.encode(), None, frozenset({"public"}))
        for n in range(count)
    ]


@pytest.mark.bench
def test_two_workers_against_one(tmp_path):
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with dask(tmp_path / "dask") as here:
        here.scheduler()
        here.worker()
        with connected(here.address, connect_s=PATIENCE_S, patience_s=PATIENCE_S) as cluster:
            pool = ClusterPool(cluster, 600, 1000)
            for _ in range(ROUNDS):
                seconds[1].append(timed(pool, 1))
                second = here.worker()
                seconds[2].append(timed(pool, 2))
                kill(second)
    for workers, took in seconds.items():
        told = ", ".join(f"{one:.1f}" for one in took)
        print(f"\n{workers} worker(s): {told} s, {PAGES / min(took):5.1f} pages/s at best")
    ratios = [one / two for one, two in zip(*seconds.values(), strict=True)]
    print(f"two are {min(seconds[1]) / min(seconds[2]):.2f} times as fast as one, best of each;")
    print(f"pair by pair {', '.join(f'{ratio:.2f}' for ratio in ratios)}: {median(ratios):.2f}")


def timed(pool: ClusterPool, workers: int) -> float:
    """Seconds until so many workers, which have parsed before, have parsed all pages."""
    while pool.cluster.workers() > workers:
        time.sleep(0.05)
    pool.cluster.client.wait_for_workers(workers, timeout=PATIENCE_S)
    for pending in [pool.submit(page) for page in pages(WARM)]:
        pending.result()
    given = pages(PAGES)
    started = time.perf_counter()
    cuts = [pending.result() for pending in [pool.submit(page) for page in given]]
    assert all(len(cut) == 1 for cut in cuts)
    return time.perf_counter() - started
