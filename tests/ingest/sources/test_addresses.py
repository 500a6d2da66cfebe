import pytest

from ingest.sources.site.addresses import Scope, Traps, may_be_page

SITE = Scope("https://docs.example.org/guide/")


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("x", "/guide/x"),
        ("../guide/y#part", "/guide/y"),
        ("", None),
        ("#part", "/guide/"),
        ("https://docs.example.org:443/guide/z", "/guide/z"),
        ("http://docs.example.org/guide/z", "/guide/z"),
        ("HTTPS://DOCS.example.org/guide/z", "/guide/z"),
        ("//docs.example.org/guide/z", "/guide/z"),
        (" a\nb\t", "/guide/ab"),
        ("a b", "/guide/a%20b"),
        ("é", "/guide/%C3%A9"),
        ("%c3%a9", "/guide/%C3%A9"),
        ("%7euser", "/guide/~user"),
        ("100%", "/guide/100%25"),
        ("a%2fb", "/guide/a%2Fb"),
        ("a%252Fb", "/guide/a%252Fb"),
        ("a;jsessionid=1F?x", "/guide/a?x"),
        ("a?b=2&utm_source=m&a=1&PHPSESSID=7", "/guide/a?a=1&b=2"),
        ("a?utm_source=m", "/guide/a"),
        # Not of this site, or not below its prefix.
        ("/", None),
        ("/guidebook/", None),
        ("../../guide/../other", None),
        ("/guide/%2e%2e/secret", None),
        ("/guide/..%5Csecret", None),
        ("https://docs.example.org:8443/guide/", None),
        ("http://docs.example.org:8080/guide/", None),
        ("https://docs.example.org.evil.example/guide/", None),
        ("https://user@docs.example.org/guide/", None),
        ("https://other.example/guide/", None),
        ("https://[::1/guide/", None),
        ("https://docs.example.org:port/guide/", None),
        ("mailto:a@docs.example.org", None),
        ("javascript:void(0)", None),
        ("file:///guide/x", None),
        ("ftp://docs.example.org/guide/x", None),
        ("a\\b", None),
        ("a\x00b", None),
    ],
)
def test_a_link_is_one_path_of_the_site_or_none(link, path):
    assert SITE.path_of(link) == path


def test_a_page_is_named_by_its_path_and_asked_for_over_the_own_scheme():
    assert SITE.address("/guide/a%20b?x=1") == "https://docs.example.org/guide/a%20b?x=1"
    assert SITE.path_of("z", "http://docs.example.org/guide/a/b") == "/guide/a/z"


def test_the_prefix_itself_is_of_the_site_with_or_without_a_slash():
    bare = Scope("https://docs.example.org/guide")

    assert (bare.start, bare.path_of("/guide"), bare.path_of("/guide/x")) == (
        "/guide",
        "/guide",
        "/guide/x",
    )
    assert Scope("https://docs.example.org").path_of("/x") == "/x"


def test_other_ports_keep_their_scheme():
    test = Scope("http://127.0.0.1:8123/")

    assert test.path_of("http://127.0.0.1:8123/a") == "/a"
    assert test.path_of("https://127.0.0.1:8123/a") is None
    assert test.path_of("http://127.0.0.1/a") is None


def test_sitemaps_may_lie_above_the_prefix_on_the_same_host():
    assert SITE.address_of("/sitemap.xml") == "https://docs.example.org/sitemap.xml"
    assert SITE.address_of("https://cdn.example/sitemap.xml") is None


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/guide/", True),
        ("/guide/x.html", True),
        ("/guide/v1.2", True),
        ("/guide/note.pdf", True),
        ("/guide/logo.PNG", False),
        ("/guide/data.tar.gz", False),
        ("/guide/show?file=logo.png", True),
        ("/guide/logo.png?v=2", False),
    ],
)
def test_what_is_no_text_by_its_name_is_not_asked_for(path, page):
    assert may_be_page(path) is page


def test_endless_addresses_are_noticed():
    traps = Traps(400)

    assert sum(traps.admits(f"/cal/2026/{day}") for day in range(500)) == 100
    assert sum(traps.admits(f"/list?sort=a{step}&page={step}") for step in range(500)) == 30
    assert not traps.admits("/a/b/a/b/a/b/a/b")
    assert not traps.admits("/" + "x" * 500)
    assert not traps.admits("/" + "/".join(f"s{chr(97 + at)}" for at in range(17)))
    assert traps.admits("/guide/plain")
    assert traps.admits("/guide/plainer")
