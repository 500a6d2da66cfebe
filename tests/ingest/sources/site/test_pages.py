"""What is taken for a page, and by whom it may be read."""

import io
from datetime import timedelta

import pytest
from docx import Document as new_docx

from ingest.model import CURRENT, Failure, Gone, Page, Standing, Unchanged
from ingest.parse import parse
from ingest.sources.site.walk import Mark, Notes, format_of
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.site.conftest import NOW, source_of
from tests.servers import Fault
from tests.servers.site import SiteServer


class TestPages:
    @pytest.mark.parametrize(
        ("kind", "path", "format_"),
        [
            ("text/html; charset=utf-8", "/a/", "html"),
            ("application/xhtml+xml", "/a", "html"),
            ("application/pdf", "/a", "pdf"),
            ("text/markdown", "/a", "markdown"),
            ("text/plain", "/notes.md", "markdown"),
            ("text/plain; charset=utf-8", "/notes.rst", "rst"),
            ("text/plain", "/notes.html", "text"),
            ("application/octet-stream", "/talk.PPTX?download=1", "pptx"),
            ("", "/note.docx", "docx"),
            ("", "/note", ""),
            ("application/octet-stream", "/v1.2/data", ""),
            ("image/png", "/a.html", ""),
            ("application/zip", "/a", ""),
        ],
    )
    def test_the_parser_is_told_by_the_type(self, kind, path, format_):
        assert format_of(kind, path) == format_

    def test_office_files_are_read_and_pictures_are_not_kept(self):
        made = new_docx()
        made.add_paragraph("Minutes of the meeting.")
        raw = io.BytesIO()
        made.save(raw)
        word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        with SiteServer() as server:
            server.put("/minutes.docx", raw.getvalue(), type=word)
            server.put("/plot", b"\x89PNG", type="image/png")
            memory = Memory()
            run = memory.run(source_of(server))
            again = memory.run(source_of(server))

        assert run.ids(Page) == ["site:/minutes.docx"]
        assert parse(memory.pages["site:/minutes.docx"])[0].text == "Minutes of the meeting."
        assert again.requests == 3 + 2
        assert again.ids(Gone) == []

    def test_old_versions_are_archived_and_say_what_supersedes_them(self):
        with SiteServer() as server:
            for path in ("/v1.2/x/", "/stable/x/", "/v1.2/old/", "/latest/y/", "/v1.2/y/"):
                latest = path.replace("v1.2", "stable")
                server.page(
                    path, path, head=f'<link rel="canonical" href="{latest}">', lastmod="2026-01-01"
                )
            memory = Memory()
            memory.run(source_of(server, archived=["/v1.*/**"]))
            standing = {page.id: page.standing for page in memory.pages.values()}

            assert standing == {
                "site:/v1.2/x/": Standing(True, f"{server.url}/stable/x/"),
                "site:/v1.2/y/": Standing(True, f"{server.url}/latest/y/"),
                "site:/v1.2/old/": Standing(True),
                "site:/stable/x/": CURRENT,
                "site:/latest/y/": CURRENT,
            }
            # A page that appears in the new version supersedes the old one from then on.
            server.page("/stable/old/", "Moved", lastmod="2026-01-01")
            run = memory.run(source_of(server, archived=["/v1.*/**"]))

        assert run.ids(Page) == ["site:/stable/old/", "site:/v1.2/old/"]
        newer = memory.pages["site:/v1.2/old/"].standing.superseded_by
        assert newer.endswith("/stable/old/")

    def test_in_a_crawl_old_versions_come_last_and_know_the_new_ones(self):
        with SiteServer(sitemap=False) as server:
            server.page("/", "Home", "/v1.2/x/", "/deep/")
            server.page("/deep/", "Deep", "/stable/x/")
            server.page("/v1.2/x/", "Old x")
            server.page("/stable/x/", "New x")
            memory = Memory()
            memory.run(source_of(server, archived=["/v1.*/**"]))
            again = memory.run(source_of(server, archived=["/v1.*/**"]))

        assert memory.pages["site:/v1.2/x/"].standing.superseded_by.endswith("/stable/x/")
        assert again.ids(Page) == []

    def test_failures_are_told_and_the_rest_is_read(self, sample):
        sample.fault("/computing/storage/", Fault.CUT_BODY)
        sample.fault("/computing/containers/", Fault.FORBIDDEN)
        sample.fault("/analysis/muons/", Fault.LOGIN_PAGE)
        sample.fault("/analysis/electrons/", Fault.VANISHED)
        memory = Memory()
        run = memory.run(source_of(sample))

        told = {failure.page_id: failure.forbidden for failure in run.failures}
        assert told == {
            "site:/computing/storage/": False,
            "site:/computing/containers/": True,
            "site:/analysis/muons/": True,
            "site:/analysis/electrons/": False,
        }
        sample.mend()
        assert memory.run(source_of(sample)).ids(Page) == sorted(told)

    def test_a_listed_page_that_two_runs_miss_is_removed_and_stays_so(self, sample):
        memory = Memory()
        for leaf in sample.leaves.values():
            leaf.lastmod = ""
        memory.run(source_of(sample))
        sample.fault("/computing/storage/", Fault.VANISHED)
        runs = [memory.run(source_of(sample, now=NOW + timedelta(days=day))) for day in (1, 2, 3)]

        assert [run.ids(Failure) for run in runs] == [["site:/computing/storage/"], [], []]
        assert [run.removed for run in runs] == [set(), {"site:/computing/storage/"}, set()]
        sample.mend()
        back = memory.run(source_of(sample, now=NOW + timedelta(days=4)))
        assert back.ids(Page) == ["site:/computing/storage/"]

    def test_a_site_that_loses_its_sitemap_keeps_its_pages(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        sample.sitemap = False
        run = memory.run(source_of(sample))

        assert (run.ids(Page), run.removed) == ([], set())
        assert len(run.ids(Unchanged)) == len(sample.leaves)


def test_notes_and_marks_that_nobody_wrote_are_empty():
    assert Notes.read("") == Notes.read("[1]") == Notes.read('{"x": 1}') == Notes()
    assert Mark.read("") == Mark.read("etag:x") == Mark.read("a|b|c|d|e") == Mark()
    mark = Mark("2026-03-01T02:00:00+00:00", 3, "/stable/x", "2026-01-01", 'etag:"a|b"')
    assert Mark.read(str(mark)) == mark


def test_requests_are_those_of_the_client(sample):
    source = source_of(sample)
    assert source.requests == 0
    next(iter(source.pages(Memory().past)))
    assert source.requests == sample.asked()
