import io
from datetime import UTC, datetime, timedelta

import pytest
from docx import Document as new_docx

from ingest.errors import SourceTrouble
from ingest.model import CURRENT, Cursor, Failure, Gone, Page, Standing, Unchanged
from ingest.parse import parse
from ingest.source_settings import SiteSettings
from ingest.sources import SOURCES
from ingest.sources.site import SiteSource
from ingest.sources.site.walk import Mark, Notes, format_of
from tests.ingest.sources.memory import Memory
from tests.servers import Answer, Fault, client_for, settings_for
from tests.servers.site import SiteServer

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
STAFF = frozenset({"staff"})


def source_of(server, path="/", now=NOW, **settings):
    given = settings_for(
        server, SiteSettings, path, **{"kind": "site", "access": ["staff"], "retries": 0} | settings
    )
    return SiteSource("site", given, client_for(given), lambda: now)


@pytest.fixture
def sample():
    with SiteServer() as server:
        server.put_sample()
        yield server


@pytest.fixture
def linked():
    """A site of five pages without any listing: / → a, b; a → c; c → d."""
    with SiteServer(sitemap=False) as server:
        server.page("/", "Home", "/a/", "/b/", "/a/#part", "mailto:x@y.example", "/logo.png")
        server.page("/a/", "Page a", "../c/", "/")
        server.page("/b/", "Page b", "https://elsewhere.example/")
        server.page("/c/", "Page c", "/d/")
        server.page("/d/", "Page d")
        yield server


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
