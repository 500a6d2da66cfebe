"""Who does the work of an ingest: processes of this machine, or the workers of a cluster."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ingest.embed import Embedder, embedder_from
from ingest.errors import SettingsError
from ingest.following import meant
from ingest.pipeline import DEFAULT_PACE, Pace
from ingest.settings import WORKERS, Settings
from ingest.workers import PagePool, parse_pool

PAGES_A_THREAD = 4
"""In flight for each thread of a cluster, so that none waits for the way between."""
TEXTS_A_WORKER = 512


@dataclass(frozen=True, slots=True)
class Crew:
    """Who parses and who embeds, and how much is in flight between them."""

    parsers: PagePool
    embedder: Embedder
    pace: Pace


@contextmanager
def crew(settings: Settings, embedder: Embedder, workers: str = "") -> Iterator[Crew]:
    """For as long as the block runs, those of `workers`, else of `[ingest] workers`.

    `embedder` is that of the settings: workers of a cluster make one like it for themselves.

    Raises:
        SettingsError: `workers` is none that there is.
        DocentError: there is no scheduler at its address.
    """
    named = workers or settings.ingest.workers
    if not re.fullmatch(WORKERS, named):
        msg = f"--workers {named} is not local:N, dask://HOST:PORT or tls://HOST:PORT."
        raise SettingsError(msg)
    kind, _, rest = named.partition(":")
    seconds, max_chars = settings.ingest.deadline_s, settings.chunk.max_chars
    if kind in ("", "local"):
        count = int(rest or 0) or max(1, (os.cpu_count() or 2) - 1)
        with parse_pool(count, seconds, max_chars) as parsers:
            yield Crew(parsers, embedder, Pace(stall_s=settings.ingest.stall_s))
        return
    # Imported here: it takes a second, and stands on an extra that few need.
    from ingest.cluster import ClusterEmbedder, ClusterPool, connected

    make = partial(embedder_from, meant(settings), settings.models)
    with connected(named) as cluster:
        pace = Pace(
            pages=max(DEFAULT_PACE.pages, PAGES_A_THREAD * cluster.threads()),
            texts=max(DEFAULT_PACE.texts, TEXTS_A_WORKER * cluster.workers()),
            stall_s=settings.ingest.stall_s,
        )
        yield Crew(
            ClusterPool(cluster, seconds, max_chars),
            ClusterEmbedder(cluster, embedder, make),
            pace,
        )
