"""What comes back."""

import pytest

from ingest.errors import FetchError, SettingsError
from ingest.http import Client, Hosts, Reply
from ingest.source_settings import WebSettings
from tests.ingest.http.conftest import Wiki, open_client
from tests.servers import LOGIN_PAGE, Answer, settings_for


def test_an_address_is_relative_to_the_url_of_the_source_or_to_its_host(wiki):
    client = open_client(wiki)

    home = client.get("Home", params={"raw": "on", "rev": 3})
    client.get("/api/items")
    client.get(wiki.url + "/wiki/Plain")
    with pytest.raises(FetchError):
        client.get("")

    assert [request.target for request in wiki.requests] == [
        "/wiki/Home?raw=on&rev=3",
        "/api/items",
        "/wiki/Plain",
        "/wiki",
    ]
    assert home == Reply(
        200, f"{wiki.url}/wiki/Home?raw=on&rev=3", home.headers, b"<h1>Home</h1>", 'etag:"home-1"'
    )
    assert home.headers["content-type"] == "text/html; charset=utf-8"


def test_every_request_says_honestly_who_asks(wiki):
    client = open_client(wiki)
    client.get("Home", headers={"Accept": "text/html", "User-Agent": "Mozilla/5.0"})

    sent = wiki.requests[0].headers
    assert sent["user-agent"] == "Docent/0.1.0 (+tests@docent.example)"
    assert sent["accept"] == "text/html"
    assert sent["accept-encoding"] == "gzip, deflate"


def test_a_contact_that_would_break_a_header_is_a_wrong_setting(wiki):
    with pytest.raises(SettingsError, match=r"\[ingest\] contact"):
        Client("wiki", settings_for(wiki, WebSettings), "me\r\nX-Injected: 1", Hosts())


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("Home", ("if-none-match", '"home-1"')),
        ("Dated", ("if-modified-since", "Sun, 01 Feb 2026 12:00:00 GMT")),
    ],
)
def test_a_version_makes_the_next_request_conditional(wiki, path, header):
    client = open_client(wiki)
    first = client.get(path)

    second = client.get(path, version=first.version)

    assert (second.status, second.content, second.version) == (304, b"", first.version)
    assert wiki.requests[1].headers[header[0]] == header[1]


def test_a_changed_page_comes_whole_and_a_foreign_version_asks_nothing(wiki):
    client = open_client(wiki)
    version = client.get("Home").version
    wiki.pages["/wiki/Home"] = Answer("<h1>New</h1>", etag='"home-2"')

    assert client.get("Home", version=version).content == b"<h1>New</h1>"
    assert client.get("Home", version="r12").status == 200
    assert client.get("Plain").version == ""
    assert not {"if-none-match", "if-modified-since"} & set(wiki.requests[2].headers)


def test_a_304_that_nobody_asked_for_is_no_answer(wiki):
    with pytest.raises(FetchError) as trouble:
        open_client(wiki).get("/status?is=304")
    assert trouble.value.status == 304


@pytest.mark.parametrize(
    ("content", "type_", "text"),
    [
        ("Größe".encode("latin-1"), "text/html; charset=ISO-8859-1", "Größe"),
        ("Größe".encode(), "text/html", "Größe"),
        (b"\xef\xbb\xbfwith a mark", "text/plain", "with a mark"),
        (b"bad \xff byte", "text/plain; charset=utf-8", "bad � byte"),
        (b"odd", "text/plain; charset=klingon", "odd"),
        ("Größe".encode("utf-16"), 'text/plain; charset="utf-16"', "Größe"),
    ],
)
def test_text_is_decoded_by_what_the_server_says(content, type_, text):
    assert Reply(200, "https://h.example/", {"content-type": type_}, content, "").text == text


def test_json_is_read_and_what_is_none_is_a_fetch_error(wiki):
    client = open_client(wiki)
    wiki.pages["/api/deep"] = Answer("[" * 100_000, type="application/json")

    assert client.get("/api/items").json() == [{"id": 1}]
    for path in ("/wiki/Home", "/api/deep"):
        with pytest.raises(FetchError, match=rf"{path} answered with something that is not JSON"):
            client.get(path).json()


@pytest.mark.parametrize("status", [201, 299])
def test_all_of_the_two_hundreds_are_answers(wiki, status):
    assert open_client(wiki).get(f"/status?is={status}").status == status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451, 501])
def test_other_statuses_are_errors_that_are_not_tried_again(wiki, status):
    client = open_client(wiki)
    with pytest.raises(
        FetchError, match=rf"wiki: {wiki.url}/status\?is={status} answered"
    ) as trouble:
        client.get(f"/status?is={status}")
    assert (trouble.value.status, client.requests) == (status, 1)


def test_a_value_is_posted_as_json_and_only_to_the_own_host(wiki):
    with Wiki() as other:
        client = open_client(wiki)

        assert client.post("/api/items", {"text": "hello"}).status == 200
        with pytest.raises(FetchError, match="nothing is sent to 127"):
            client.post(other.url + "/api/items", {"text": "hello"})
        with pytest.raises(FetchError, match="nothing is sent to 127"):
            client.session.put(other.url, data="x")

    assert (wiki.requests[0].method, wiki.requests[0].body) == ("POST", b'{"text": "hello"}')
    assert other.requests == []


@pytest.mark.parametrize("status", [404, 410, 501])
def test_a_missing_page_with_a_login_box_is_missing_and_no_sign_in(wiki, status):
    """So that what was removed is removed, and not taken for closed."""
    wiki.pages["/wiki/Gone"] = Answer(LOGIN_PAGE, status)
    with pytest.raises(FetchError) as trouble:
        open_client(wiki).get("Gone")
    assert trouble.value.status == status


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_sign_in_form_is_one_whatever_it_is_called(wiki, status):
    wiki.pages["/wiki/Closed"] = Answer(LOGIN_PAGE, status)
    with pytest.raises(FetchError, match="answered with a sign-in page") as trouble:
        open_client(wiki).get("Closed")
    assert trouble.value.status == 401
