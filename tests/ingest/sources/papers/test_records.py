"""Withdrawn, superseded and odd records."""

from dataclasses import replace

import pytest

from ingest.model import CURRENT, Standing
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.papers.conftest import arxiv, cds, inspire, papers
from tests.servers.papers import ArxivServer, CdsServer, InspireServer, Paper


@pytest.mark.parametrize(
    ("comments", "standing", "files"),
    [
        ("12 pages", CURRENT, 1),
        ("Withdrawn due to an error in eq. 3", Standing(archived=True), 0),
        ("This paper has been withdrawn by the authors", Standing(archived=True), 0),
        ("Not withdrawn. 3 pages", CURRENT, 1),
        ("Superseded by arXiv:2601.00002", Standing(superseded_by="papers:2601.00002"), 1),
        ("replaced by hep-ex/0601002", Standing(superseded_by="papers:hep-ex/0601002"), 1),
    ],
)
def test_withdrawn_and_superseded_papers_of_arxiv(comments, standing, files):
    with ArxivServer(papers(1, comments=comments)) as server:
        memory = Memory()
        memory.run(arxiv(server))
        assert memory.pages["papers:1"].standing == standing
        assert len(memory.pages) == 1 + files


def test_a_withdrawn_paper_loses_its_full_text():
    with ArxivServer(papers(1)) as server:
        memory = Memory()
        memory.run(arxiv(server))
        server.tomorrow(3)
        server.change("1", comments="Withdrawn.")
        assert memory.run(arxiv(server)).removed == {"papers:1/fulltext.pdf"}


def marc(tag, first=" ", **parts):
    inner = "".join(f'<subfield code="{code}">{value}</subfield>' for code, value in parts.items())
    return f'<datafield tag="{tag}" ind1="{first}" ind2=" ">{inner}</datafield>'


@pytest.mark.parametrize(
    ("extra", "standing"),
    [
        (marc("785", w="77"), Standing(superseded_by="papers:77")),
        (marc("787", i="Superseded by", w="77"), Standing(superseded_by="papers:77")),
        (marc("787", i="Now replaced by", w="77"), Standing(superseded_by="papers:77")),
        (marc("780", w="66") + marc("785", w="77"), Standing(False, "papers:77", "papers:66")),
        (marc("785", i="Continued by", w="77"), CURRENT),
        (marc("787", i="See also", w="77"), CURRENT),
        (marc("785", i="Superseded by"), CURRENT),
    ],
)
def test_superseded_records_of_cds(extra, standing):
    with CdsServer(papers(1, extra=extra)) as server:
        memory = Memory()
        memory.run(cds(server))
        assert memory.pages["papers:1"].standing == standing
        assert memory.pages["papers:1/fulltext.pdf"].standing == standing


def test_odd_records_of_cds():
    lookup = marc("785", r="CERN-EP-2026-1 a")
    elsewhere = marc("856", u="https://elsewhere.example/x.pdf")
    with CdsServer(
        [
            Paper("1", "A", sets=("atlas",), extra=lookup, pdf=None),
            Paper("2", "B", sets=("atlas",), extra=elsewhere, pdf=None),
            Paper("3", "C", sets=("atlas",), extra=marc("980", c="DELETED"), pdf=None),
            Paper("4", "D", sets=("atlas",), extra=marc("506", "1", a="")),
            Paper("5", "E", sets=("atlas",), extra=marc("506", m="who@may.edit"), pdf=None),
            Paper("6", "F", sets=("atlas",), extra=marc("506", a="Restricted to some"), pdf=None),
        ],
        page_size=10,
    ) as server:
        memory = Memory()
        memory.run(cds(server))
        assert sorted(memory.pages) == [f"papers:{n}" for n in (1, 2, 4, 5, 6)]
        assert memory.pages["papers:1"].standing.superseded_by == (
            f"{server.url}/search?f=reportnumber&p=CERN-EP-2026-1%20a"
        )
        closed = [page for page, access in memory.access.items() if not access]
        assert closed == ["papers:4", "papers:6"]


@pytest.mark.parametrize(
    ("metadata", "standing"),
    [
        ({"withdrawn": True}, Standing(archived=True)),
        ({"related_records": "odd"}, CURRENT),
        (
            {
                "related_records": [
                    {"relation": "successor", "record": {"$ref": "https://x/api/literature/7"}},
                    {"relation": "predecessor", "record": {"$ref": "https://x/api/literature/3"}},
                    {"relation": "commented", "record": "odd"},
                ]
            },
            Standing(False, "papers:7", "papers:3"),
        ),
        (
            {"deleted": True, "new_record": {"$ref": "https://x/api/literature/7"}},
            Standing(archived=True, superseded_by="papers:7"),
        ),
    ],
)
def test_withdrawn_superseded_and_merged_records_of_inspire(metadata, standing):
    with InspireServer(papers(1, metadata=metadata)) as server:
        memory = Memory()
        memory.run(inspire(server))
        assert memory.pages["papers:1"].standing == standing


def test_a_record_that_inspire_marks_as_deleted_goes():
    with InspireServer(papers(2)) as server:
        memory = Memory()
        memory.run(inspire(server))
        server.tomorrow(3)
        server.change("1", metadata={"deleted": True})
        assert memory.run(inspire(server)).removed == {"papers:1", "papers:1/fulltext.pdf"}


def test_the_full_text_that_inspire_shows():
    documents = [
        {"url": "/files/hidden", "filename": "a.pdf", "hidden": True},
        {"url": "/files/plot", "filename": "plot.png"},
        {"url": "/files/9", "filename": "B.PDF", "key": "k"},
    ]
    eprints = [{"value": "2601.00001"}]
    nine = replace(papers(1)[0], id="9")
    with InspireServer(
        [
            *papers(1, pdf=None, metadata={"documents": documents}),
            Paper("2", "B", sets=("MERIDIAN",), pdf=None, metadata={"arxiv_eprints": eprints}),
            Paper("3", "C", sets=("MERIDIAN",), pdf=None, metadata={"arxiv_eprints": [{}, 1]}),
            nine,
        ]
    ) as server:
        memory = Memory()
        run = memory.run(inspire(server))
        assert memory.pages["papers:1/fulltext.pdf"].url == f"{server.url}/files/9"
        assert [one.page_id for one in run.failures] == ["papers:2/fulltext.pdf"]
        assert server.asked("/pdf/2601.00001") == 1
        assert "papers:3/fulltext.pdf" not in memory.pages
