"""Repositories of papers: CDS, arXiv, INSPIRE."""

import pytest

from ingest.model import Cursor
from ingest.source_settings import PapersSettings
from ingest.sources.papers import PapersSource
from tests.servers import client_for, settings_for
from tests.servers.papers import ArxivServer, CdsServer, InspireServer, Paper


def source(server, service, path="", **more):
    settings = {
        "kind": "papers",
        "access": ["public"],
        "arxiv_pdf": f"{server.url}/pdf/{{id}}",
        **({"query": "collaboration:MERIDIAN"} if service == "inspire" else {"sets": ["atlas"]}),
        **more,
    }
    made = settings_for(server, PapersSettings, path, service=service, **settings)
    return PapersSource("papers", made, client_for(made, source="papers"))


def cds(server, **more):
    return source(server, "cds", **more)


def arxiv(server, **more):
    return source(server, "arxiv", "/oai", **{"sets": ["physics:hep-ex"], **more})


def inspire(server, **more):
    return source(server, "inspire", **more)


def papers(count, **more):
    """Papers 1 to `count`, of a set that all three services take for the one asked for."""
    sets = ("atlas", "physics:hep-ex", "MERIDIAN")
    return [Paper(str(n), f"Paper {n}", sets=sets, **more) for n in range(1, count + 1)]


def told(run):
    """What a run gave besides marks of how far it came."""
    return [item for item in run.items if not isinstance(item, Cursor)]


SERVICES = pytest.mark.parametrize(
    ("kind", "made", "first", "second"),
    [
        # Requests: two records a page, five PDFs, robots.txt; then what says that nothing is new.
        (CdsServer, cds, 3 + 5 + 1, 2),
        (ArxivServer, arxiv, 3 + 5 + 1, 1),
        # One page of hits and their number.
        (InspireServer, inspire, 1 + 1 + 5 + 1, 2),
        # The same for a search of CDS.
        (CdsServer, lambda server: cds(server, query="atlas", sets=[]), 1 + 1 + 5 + 1, 2),
    ],
    ids=["cds", "arxiv", "inspire", "cds-search"],
)
