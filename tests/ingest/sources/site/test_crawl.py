"""From link to link, and the same page at other addresses."""

from datetime import timedelta

import pytest

from ingest.errors import SourceTrouble
from ingest.model import Failure, Gone, Page, Unchanged
from ingest.sources.site.walk import Mark
from tests.ingest.sources.memory import Memory
from tests.ingest.sources.site.conftest import NOW, source_of
from tests.servers import Answer, Fault
from tests.servers.site import SiteServer


class TestCrawl:
    def test_links_are_followed_once_and_not_off_the_site(self, linked):
        memory = Memory()
        run = memory.run(source_of(linked))

        assert run.ids(Page) == ["site:/", "site:/a/", "site:/b/", "site:/c/", "site:/d/"]
        # robots.txt twice, sitemap.xml, the search index, five pages.
        assert run.requests == 4 + 5
        assert linked.asked("/logo.png") == 0
        depths = {page: Mark.read(version).depth for page, version in memory.versions.items()}
        assert depths == {"site:/": 0, "site:/a/": 1, "site:/b/": 1, "site:/c/": 2, "site:/d/": 3}

    def test_a_second_run_asks_for_each_page_by_its_etag(self, linked):
        memory = Memory()
        memory.run(source_of(linked))
        run = memory.run(source_of(linked))

        assert (run.ids(Page), len(run.ids(Unchanged)), run.requests) == ([], 5, 9)

    def test_a_page_behind_unchanged_ones_is_reached(self, linked):
        memory = Memory()
        memory.run(source_of(linked))
        linked.page("/d/", "Page d, changed", "/e/")
        linked.page("/e/", "Page e")
        run = memory.run(source_of(linked))

        assert run.ids(Page) == ["site:/d/", "site:/e/"]

    def test_a_page_that_failed_is_found_again_though_its_links_stand_on_unchanged_pages(
        self, linked
    ):
        linked.fault("/c/", Fault.SERVER_ERROR)
        memory = Memory()
        first = memory.run(source_of(linked))
        linked.mend()
        memory.patient = True
        waiting = memory.run(source_of(linked))
        memory.patient = False
        mended = memory.run(source_of(linked))

        assert first.ids(Failure) == ["site:/c/"]
        assert (waiting.ids(Failure), waiting.ids(Page), waiting.ids(Gone)) == ([], [], [])
        assert mended.ids(Page) == ["site:/c/", "site:/d/"]

    def test_a_page_is_gone_when_two_runs_miss_it(self, linked):
        memory = Memory()
        memory.run(source_of(linked))
        del linked.leaves["/d/"]
        first = memory.run(source_of(linked))
        second = memory.run(source_of(linked, now=NOW + timedelta(days=1)))
        third = memory.run(source_of(linked, now=NOW + timedelta(days=2)))

        assert (first.ids(Failure), first.removed) == (["site:/d/"], set())
        assert "another run" in first.failures[0].reason
        assert (second.ids(Failure), second.removed) == ([], {"site:/d/"})
        assert (third.ids(Failure), third.removed, third.requests) == ([], set(), 4 + 4)

    def test_a_page_that_came_back_counts_anew(self, linked):
        memory = Memory()
        memory.run(source_of(linked))
        leaf = linked.leaves.pop("/d/")
        memory.run(source_of(linked))
        linked.leaves["/d/"] = leaf
        memory.run(source_of(linked, now=NOW + timedelta(days=1)))
        del linked.leaves["/d/"]
        run = memory.run(source_of(linked, now=NOW + timedelta(days=2)))

        assert (run.ids(Failure), run.removed) == (["site:/d/"], set())

    def test_a_dead_link_is_no_failure(self, linked):
        linked.page("/b/", "Page b", "/never/")
        memory = Memory()

        assert memory.run(source_of(linked)).failures == []
        day = NOW + timedelta(days=1)
        assert memory.run(source_of(linked, now=day)).requests == 4 + 5 + 1
        assert memory.run(source_of(linked, now=day)).requests == 4 + 5

    def test_a_killed_crawl_goes_on_with_the_links_it_had_seen(self, linked):
        for leaf in linked.leaves.values():
            leaf.etag = False
        whole = Memory()
        count = len(whole.run(source_of(linked)).items)
        for stop in range(1, count):
            memory = Memory()
            first = memory.run(source_of(linked), stop_after=stop)
            rest = memory.run(source_of(linked, now=NOW + timedelta(minutes=5)))

            assert sorted(memory.pages) == sorted(whole.pages), stop
            assert len(first.ids(Page)) + len(rest.ids(Page)) == 5, stop

    def test_links_are_relative_to_the_base_of_their_page(self, linked):
        linked.page("/a/", "Page a", "../c/", head='<base href="/deep/er/">')
        linked.page("/b/", "Page b", "/c/", head='<base href="http://[bad">')
        linked.page("/deep/c/", "Page deep")
        run = Memory().run(source_of(linked))

        assert {"site:/deep/c/", "site:/c/"} <= set(run.ids(Page))

    def test_it_is_bounded_in_depth(self, linked):
        memory = Memory()
        memory.run(source_of(linked, max_depth=2))

        assert sorted(memory.pages) == ["site:/", "site:/a/", "site:/b/", "site:/c/"]
        # A wider bound finds what lies behind pages that have not changed.
        run = memory.run(source_of(linked, max_depth=3))
        assert "site:/d/" in run.ids(Page)
        assert memory.run(source_of(linked, max_depth=3)).ids(Page) == []

    def test_it_is_bounded_in_pages_and_says_so(self, linked):
        memory = Memory()
        run = memory.run(source_of(linked, max_pages=3))
        assert len(run.ids(Page)) == 3
        assert run.ids(Failure) == ["site:#max_pages"]
        assert "Raise [sources.site] max_pages" in run.failures[0].reason

        run = memory.run(source_of(linked, max_pages=30))
        assert (len(memory.pages), run.removed) == (5, {"site:#max_pages"})

    def test_an_endless_calendar_ends(self):
        with SiteServer(sitemap=False) as server:
            server.page("/", "Home", "/cal?day=1", "/plain/")
            server.page("/plain/", "Plain")
            for day in range(1, 300):
                links = [f"/cal?day={day + step}" for step in range(1, 9)]
                server.page(f"/cal?day={day}", f"Day {day}", *links)
            run = Memory().run(source_of(server, max_depth=50))

        assert len(run.ids(Page)) == 2 + 30

    def test_marks_and_rel_are_obeyed(self, linked):
        noindex = '<meta name="robots" content="noindex">'
        nofollow = '<meta name="robots" content="nofollow">'
        linked.page("/a/", "Page a", "/c/", head=noindex)
        linked.page("/c/", "Page c", "/d/", head=nofollow)
        linked.leaves["/b/"].headers["X-Robots-Tag"] = "noindex"
        memory = Memory()

        assert memory.run(source_of(linked)).ids(Page) == ["site:/", "site:/c/"]
        assert memory.run(source_of(linked)).requests == 4 + 4
        linked.page("/a/", "Page a", "/c/")
        assert memory.run(source_of(linked)).ids(Page) == ["site:/a/"]
        linked.page("/a/", "Page a", "/c/", head=noindex)
        assert memory.run(source_of(linked)).removed == {"site:/a/"}

    def test_what_the_settings_leave_out_is_neither_asked_for_nor_kept(self, linked):
        memory = Memory()
        memory.run(source_of(linked))
        run = memory.run(source_of(linked, exclude=["/c/**"]))

        assert run.removed == {"site:/c/"}
        # d is still there: it was found once, and it answers.
        assert sorted(memory.pages) == ["site:/", "site:/a/", "site:/b/", "site:/d/"]

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (Fault.VANISHED, "404"),
            (Fault.SERVER_ERROR, "500"),
            (Fault.LOGIN_PAGE, "sign-in"),
            (Fault.FORBIDDEN, "403"),
        ],
    )
    def test_a_first_page_that_cannot_be_read_is_trouble(self, linked, fault, reason):
        linked.fault("/", fault)

        with pytest.raises(SourceTrouble, match=reason):
            Memory().run(source_of(linked))

    def test_an_address_that_leads_elsewhere_is_trouble(self):
        with SiteServer(sitemap=False) as server:
            server.put("/guide/", redirect="/new/")
            server.page("/new/", "New")

            with pytest.raises(SourceTrouble, match="is not below it"):
                Memory().run(source_of(server, "/guide/"))

    def test_nobody_lists_what_exists(self, linked):
        assert source_of(linked).live_ids() is None


class TestOtherAddresses:
    def test_a_canonical_link_names_the_page(self, linked):
        canonical = '<link rel="canonical" href="/c/">'
        linked.page("/b/", "Page c as well", head=canonical)
        memory = Memory()

        assert memory.run(source_of(linked)).ids(Page) == [
            "site:/",
            "site:/a/",
            "site:/c/",
            "site:/d/",
        ]
        again = memory.run(source_of(linked))
        assert (again.ids(Page), again.ids(Gone), again.requests) == ([], [], 4 + 5)

    @pytest.mark.parametrize("canonical", ["/", "/never/", "https://elsewhere.example/x", "/a/"])
    def test_a_canonical_link_that_cannot_be_believed_loses_no_page(self, linked, canonical):
        """To the front page, to nothing, off the site; and two pages that name each other."""
        linked.page("/b/", "Page b", head=f'<link rel="canonical" href="{canonical}">')
        linked.page("/a/", "Page a", "/c/", head='<link rel="canonical" href="/b/">')
        memory = Memory()
        memory.run(source_of(linked))

        assert {"site:/c/", "site:/d/"} <= set(memory.pages)
        assert len({"site:/a/", "site:/b/"} & set(memory.pages)) == 1

    def test_a_redirect_gives_the_page_once_with_its_last_address(self, linked):
        linked.page("/", "Home", "/a", "/b/", "/a/")
        memory = Memory()
        memory.run(source_of(linked))
        again = memory.run(source_of(linked))

        urls = {page.id: page.url for page in memory.pages.values()}
        assert sorted(urls.values()) == [
            f"{linked.url}{path}" for path in ("/", "/a/", "/b/", "/c/", "/d/")
        ]
        assert (again.ids(Page), again.removed) == ([], set())

    def test_a_redirect_off_the_site_is_no_page(self, linked):
        linked.put("/b/", redirect="https://elsewhere.example/")
        linked.fault("/b/", Fault.VANISHED, times=0)

        assert "site:/b/" not in Memory().run(source_of(linked)).ids(Page)

    def test_a_listed_page_that_redirects_to_a_listed_one_is_that_one(self, sample):
        memory = Memory()
        memory.run(source_of(sample))
        text = sample.leaves["/computing/storage/"]
        sample.leaves["/computing/disks/"] = text
        sample.leaves["/computing/storage/"] = type(text)("", redirect="/computing/disks/")
        sample.files["/sitemap.xml"] = Answer(sample.sitemap_of(list(sample.leaves)))
        sample.sitemap = False
        run = memory.run(source_of(sample))

        assert run.ids(Page) == ["site:/computing/disks/"]
        assert run.removed == {"site:/computing/storage/"}
