import gzip
from datetime import UTC, datetime

import pytest

from ingest.errors import ParseError
from ingest.sources.site.listing import (
    Sitemap,
    dated,
    head_of,
    index_locations,
    read_sitemap,
    settled,
    sitemap_lines,
)

SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
URLSET = (
    f"<?xml version='1.0'?><!-- made --><urlset {SPACE}><url><loc> https://a.example/x?a=1&amp;b=2 "
    "</loc><lastmod>2026-01-05</lastmod></url><url><loc>https://a.example/y</loc></url></urlset>"
)
PAGES = (("https://a.example/x?a=1&b=2", "2026-01-05"), ("https://a.example/y", ""))


def read(content, limit=1_000_000):
    raw = content.encode() if isinstance(content, str) else content
    return read_sitemap("https://a.example/sitemap.xml", raw, limit)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (URLSET, Sitemap(PAGES)),
        (gzip.compress(URLSET.encode()), Sitemap(PAGES)),
        ("\ufeff" + URLSET, Sitemap(PAGES)),
        (URLSET.replace(SPACE, ""), Sitemap(PAGES)),
        (
            f"<sitemapindex {SPACE}><sitemap><loc>https://a.example/1.xml.gz</loc></sitemap>"
            "</sitemapindex>",
            Sitemap((), ("https://a.example/1.xml.gz",)),
        ),
        (
            "https://a.example/x\nhttps://a.example/y\n",
            Sitemap((("https://a.example/x", ""), ("https://a.example/y", ""))),
        ),
        (f"<urlset {SPACE}/>", Sitemap()),
        ("<!DOCTYPE html><html><p>Not found</html>", None),
        ("<html><body>Sorry", None),
        ("<rss version='2.0'></rss>", None),
        ("nothing here", None),
        ("", None),
    ],
)
def test_sitemaps_are_read_in_all_their_forms(content, found):
    assert read(content) == found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (URLSET[:-20], "is not well-formed XML"),
        ('<!DOCTYPE u [<!ENTITY e "x">]>' + f"<urlset {SPACE}>&e;</urlset>", "document type"),
        (gzip.compress(URLSET.encode())[:-30], "is a damaged gzip file"),
        (b"\x1f\x8bnothing", "is a damaged gzip file"),
        (gzip.compress(b" " * 2_000_000), "unpacks to more than max_bytes = 1,000,000"),
    ],
)
def test_a_broken_sitemap_is_an_error_and_not_an_empty_one(content, reason):
    with pytest.raises(ParseError, match=reason):
        read(content)


def test_robots_txt_names_sitemaps():
    robots = "User-agent: *\nDisallow: /x\nsitemap: https://a.example/s.xml # all\nSitemap:\n"

    assert list(sitemap_lines(robots)) == ["https://a.example/s.xml"]


@pytest.mark.parametrize(
    ("index", "found"),
    [
        (
            {"docs": [{"location": ""}, {"location": "x/"}, {"location": "x/#a"}, {"location": 3}]},
            ["", "x/"],
        ),
        ({"docs": {"location": "x"}}, []),
        ({"docs": ["x"]}, []),
        ([1], []),
        ({}, []),
    ],
)
def test_a_search_index_names_pages_by_its_locations(index, found):
    assert index_locations(index) == found


@pytest.mark.parametrize(
    ("lastmod", "moment"),
    [
        ("2026-01-05", datetime(2026, 1, 5, tzinfo=UTC)),
        ("2026-01-05T10:00:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("soon", None),
        ("", None),
    ],
)
def test_lastmod_is_a_moment(lastmod, moment):
    assert dated(lastmod) == moment


@pytest.mark.parametrize(
    ("lastmod", "so"),
    [
        # The page may have changed once more on that day, after it was fetched.
        ("2026-03-01", False),
        ("2026-02-28", False),
        ("2026-02-27", True),
        ("2026-03-01T11:30:00Z", False),
        ("2026-03-01T10:30:00Z", True),
        ("2027-01-01", False),
        ("", False),
    ],
)
def test_a_date_is_settled_when_nothing_can_change_under_it(lastmod, so):
    assert settled(lastmod, datetime(2026, 3, 1, 12, tzinfo=UTC)) is so


def test_a_page_tells_its_links_and_what_crawlers_may_do():
    head = head_of(
        b"""<html><head><base href="/b/"><link rel="canonical" href="/c"><base href="/d/">
        <link rel="next" href="?page=2"><link rel="stylesheet" href="x.css">
        <meta name="ROBOTS" content="NoIndex"></head><body><a href="x">1</a><a name="y">2</a>
        <a rel="nofollow ugc" href="y">3</a><area href="z"><iframe src="f.html"></iframe>"""
    )

    assert head.links == ["?page=2", "x", "z", "f.html"]
    assert (head.base, head.canonical) == ("/b/", "/c")
    assert (head.noindex, head.nofollow) == (True, False)


@pytest.mark.parametrize(
    ("header", "noindex", "nofollow"),
    [
        ("noindex, nofollow", True, True),
        ("none", True, True),
        ("docent: noindex", True, False),
        ("otherbot: noindex", False, False),
        ("index, follow", False, False),
        ("", False, False),
    ],
)
def test_the_header_counts_as_the_mark_in_the_page(header, noindex, nofollow):
    head = head_of(b"<p>x</p>", header)

    assert (head.noindex, head.nofollow) == (noindex, nofollow)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"<", b"<a href='x", b"<!--"])
def test_broken_pages_have_no_links(content):
    assert head_of(content).links == []


def test_a_page_that_is_nested_without_end_is_left_alone_in_time():
    head = head_of(b"<a href=x>1</a>" + b"<b><i><font>" * 30_000 + b"</p>" * 30_000)

    assert head.links == ["x"]
