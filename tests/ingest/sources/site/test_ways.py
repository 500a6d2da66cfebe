"""Where the addresses of a site come from: its map, its search index."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest.errors import SourceTrouble
from ingest.model import CURRENT, Cursor, Failure, Page, Unchanged
from ingest.parse import parse
from ingest.sources import SOURCES
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.site.conftest import NOW, source_of
from tests.servers import Answer, Fault
from tests.servers.site import SiteServer

STAFF = frozenset({"staff"})


def test_the_table_of_sources_leads_here():
    assert SOURCES["site"] == "ingest.sources.site:SiteSource"


class TestSitemap:
    def test_the_first_run_reads_every_page_once(self, sample):
        memory = Memory()
        run = memory.run(source_of(sample))

        assert run.ids(Page) == sorted(f"site:{path}" for path in sample.leaves)
        # Each page, robots.txt for its sitemaps and for its rules, sitemap.xml.
        assert run.requests == len(sample.leaves) + 3
        page = memory.pages["site:/computing/storage/"]
        assert (page.url, page.format) == (f"{sample.url}/computing/storage/", "html")
        assert (page.access, page.standing) == (STAFF, CURRENT)
        (document,) = parse(page)
        assert "Storage" in document.title

    def test_a_second_run_asks_for_nothing_but_the_list(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        run = memory.run(source_of(sample))

        assert run.ids(Unchanged) == sorted(f"site:{path}" for path in sample.leaves)
        assert run.ids(Page) == []
        assert run.requests == 3

    def test_what_changed_came_and_went_lands_and_nothing_else(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        sample.page("/computing/storage/", "New text", lastmod="2026-02-20")
        sample.page("/computing/new/", "New page", lastmod="2026-02-20")
        del sample.leaves["/public/visits/"]
        run = memory.run(source_of(sample))

        assert run.ids(Page) == ["site:/computing/new/", "site:/computing/storage/"]
        assert run.removed == {"site:/public/visits/"}
        assert run.requests == 3 + 2

    def test_a_setting_that_changes_who_may_read_lands_without_fetching(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        run = memory.run(source_of(sample, access=["public"]))

        assert set(memory.access.values()) == {frozenset({"public"})}
        assert (run.ids(Page), run.requests) == ([], 3)

    def test_a_date_of_today_is_not_trusted_and_costs_one_conditional_request(self, sample):
        """MkDocs writes the day of the build: it may be built again on the same day."""
        sample.leaves["/"].lastmod = "2026-03-01"
        memory = Memory()
        memory.run(source_of(sample))
        sample.page("/", "Changed in the afternoon", lastmod="2026-03-01")
        second = memory.run(source_of(sample, now=NOW + timedelta(days=1)))
        third = memory.run(source_of(sample, now=NOW + timedelta(days=2)))
        fourth = memory.run(source_of(sample, now=NOW + timedelta(days=3)))

        assert (second.ids(Page), second.requests) == (["site:/"], 4)
        assert (third.ids(Page), third.requests) == ([], 4)
        assert (fourth.ids(Page), fourth.requests) == ([], 3)

    def test_a_new_date_on_the_same_text_is_asked_for_by_its_etag(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        for leaf in sample.leaves.values():
            leaf.lastmod = "2026-02-10"
        run = memory.run(source_of(sample))
        again = memory.run(source_of(sample))

        assert (run.ids(Page), len(run.ids(Unchanged))) == ([], len(sample.leaves))
        assert run.requests == 3 + len(sample.leaves)
        assert again.requests == 3

    def test_pages_without_date_and_etag_are_read_again(self, sample):
        sample.leaves["/"].lastmod, sample.leaves["/"].etag = "", False
        memory = Memory()
        memory.run(source_of(sample))

        assert memory.run(source_of(sample)).ids(Page) == ["site:/"]

    def test_one_date_on_all_pages_is_that_of_the_build(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        assert {page.updated_at for page in memory.pages.values()} == {None}

        sample.page("/", "Edited", lastmod="2026-02-01")
        memory.run(source_of(sample))
        assert memory.pages["site:/"].updated_at == datetime(2026, 2, 1, tzinfo=UTC)

    def test_packed_parts_of_an_index_that_robots_txt_names(self):
        with SiteServer(sitemap=False) as server:
            for path in ("/guide/a/", "/guide/b/", "/other/c/"):
                server.page(path, path, lastmod="2026-01-01")
            server.robots = (
                f"User-agent: *\nDisallow: /guide/b/\nSitemap: {server.url}/maps/all.xml\n"
                "Sitemap: https://elsewhere.example/sitemap.xml\n"
            )
            places = [f"{server.url}/maps/1.xml.gz", f"{server.url}/maps/all.xml"]
            server.files["/maps/all.xml"] = Answer(server.sitemap_index(*places), type="text/xml")
            packed = Answer(server.packed(list(server.leaves)), type="application/x-gzip")
            server.files["/maps/1.xml.gz"] = packed
            run = Memory().run(source_of(server, "/guide/"))

        # b is forbidden by robots.txt, c is not below the address.
        assert run.ids(Page) == ["site:/guide/a/"]

    def test_robots_txt_is_not_consulted_when_told_so(self):
        with SiteServer(robots="User-agent: *\nDisallow: /\n") as server:
            server.page("/", "Home", head='<meta name="robots" content="noindex">')
            assert Memory().run(source_of(server)).ids(Page) == []
            assert Memory().run(source_of(server, robots=False)).ids(Page) == ["site:/"]

    def test_a_part_that_is_missing_removes_nothing_and_is_told(self):
        with SiteServer(sitemap=False) as server:
            server.page("/a/", "A", lastmod="2026-01-01")
            server.page("/b/", "B", lastmod="2026-01-01")
            parts = [f"{server.url}/1.xml", f"{server.url}/2.xml"]
            server.files["/sitemap.xml"] = Answer(server.sitemap_index(*parts))
            for part, path in zip(("/1.xml", "/2.xml"), ("/a/", "/b/"), strict=True):
                server.files[part] = Answer(server.sitemap_of([path]))
            memory = Memory()
            memory.run(source_of(server))
            lost = server.files.pop("/2.xml")
            run = memory.run(source_of(server))
            assert (run.removed, run.ids(Failure)) == (set(), ["site:/2.xml"])
            assert "Nothing is removed" in run.failures[0].reason
            server.files["/2.xml"] = lost
            mended = memory.run(source_of(server))

        assert (mended.ids(Failure), mended.removed) == ([], {"site:/2.xml"})
        assert sorted(memory.pages) == ["site:/a/", "site:/b/"]

    @pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_BODY, Fault.LOGIN_PAGE])
    def test_a_sitemap_that_cannot_be_read_is_trouble_and_no_empty_site(self, sample, fault):
        sample.fault("/sitemap.xml", fault)

        with pytest.raises(SourceTrouble, match="which pages there are cannot be read"):
            Memory().run(source_of(sample))

    def test_a_broken_sitemap_is_trouble(self, sample):
        sample.sitemap = False
        sample.files["/sitemap.xml"] = Answer("<urlset><url>", type="text/xml")

        with pytest.raises(SourceTrouble, match="is not well-formed XML"):
            Memory().run(source_of(sample))

    def test_the_living_are_known_without_a_run(self, sample):
        live = source_of(sample).live_ids()

        assert sorted(live or ()) == sorted(f"site:{path}" for path in sample.leaves)

    def test_a_killed_run_goes_on_behind_what_it_gave(self, sample):
        """Also where neither dates nor ETags tell that a page is the same."""
        for leaf in sample.leaves.values():
            leaf.lastmod, leaf.etag = "", False
        memory = Memory()
        memory.run(source_of(sample), stop_after=11)
        assert len(memory.pages) == 10
        run = memory.run(source_of(sample, now=NOW + timedelta(hours=1)))

        assert len(run.ids(Page)) == len(sample.leaves) - 10
        assert run.removed == set()
        assert len(memory.run(source_of(sample)).ids(Page)) == len(sample.leaves)

    def test_a_run_that_was_cut_off_long_ago_begins_with_what_it_did_not_reach(self, sample):
        for leaf in sample.leaves.values():
            leaf.lastmod = ""
        memory = Memory()
        memory.run(source_of(sample), stop_after=11)
        reached = set(memory.pages)
        run = memory.run(source_of(sample, now=NOW + timedelta(hours=13)))

        asked = [
            i.id if isinstance(i, Page) else i.page_id
            for i in run.items
            if not isinstance(i, Cursor)
        ]
        assert set(asked[-10:]) == reached
        assert len(asked) == len(sample.leaves)


class TestSearchIndex:
    def test_its_locations_name_the_pages(self, sample):
        sample.sitemap, sample.index = False, True
        memory = Memory()
        run = memory.run(source_of(sample))
        again = memory.run(source_of(sample))

        assert run.ids(Page) == sorted(f"site:{path}" for path in sample.leaves)
        # robots.txt twice, no sitemap.xml, the index, and every page by its ETag.
        assert again.requests == 4 + len(sample.leaves)
        assert len(again.ids(Unchanged)) == len(sample.leaves)

    def test_what_is_no_longer_in_it_was_removed(self, sample):
        sample.sitemap, sample.index = False, True
        memory = Memory()
        memory.run(source_of(sample))
        del sample.leaves["/public/visits/"]

        assert memory.run(source_of(sample)).removed == {"site:/public/visits/"}

    @pytest.mark.parametrize(
        "answer", [Answer("<html>Sorry</html>"), Answer("{}", type="application/json")]
    )
    def test_another_thing_in_its_place_leads_to_a_crawl(self, linked, answer):
        linked.files["/search/search_index.json"] = answer

        assert len(Memory().run(source_of(linked)).ids(Page)) == 5
