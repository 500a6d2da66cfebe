"""Signing in: what is sent, to whom, and what happens when it no longer works."""

import base64
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from ingest.errors import FetchError, SettingsError, SourceTrouble
from ingest.source_settings import WebSettings
from tests.servers import (
    NOT_FOUND,
    Answer,
    Fault,
    Request,
    Server,
    StillClock,
    client_for,
    json_answer,
    settings_for,
)

WALL = datetime(2026, 3, 1, tzinfo=UTC)
TOKEN = {"kind": "token", "env": "WIKI_TOKEN"}
SECRETS = ("authorization", "private-token", "cookie", "x-api-key")


class Guarded(Server):
    """Lets in who knows the words; sets a cookie; hands out tokens that end."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.valid: set[str] = set()
        self.tokens = 0
        self.token_answer: Answer | None = None
        self.expires_in: object = 300
        self.sets = ""

    def answer(self, request: Request) -> Answer:
        if request.path == "/token":
            return self.token_answer or self.new_token()
        if request.path == "/to":
            return Answer("", 302, headers={"Location": request.query["place"]})
        if self.valid and request.headers.get("authorization") not in self.valid:
            return Answer("no", 401)
        return Answer(
            "page", type="text/plain", headers={"Set-Cookie": self.sets} if self.sets else {}
        )

    def new_token(self) -> Answer:
        self.tokens += 1
        self.valid = {f"Bearer token-{self.tokens}"}
        return json_answer({"access_token": f"token-{self.tokens}", "expires_in": self.expires_in})


@pytest.fixture
def clock():
    return StillClock(WALL)


@pytest.fixture
def server():
    with Guarded() as running:
        yield running


@pytest.fixture
def other():
    with Guarded() as running:
        yield running


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("WIKI_TOKEN", "s3cret")
    monkeypatch.delenv("MISSING", raising=False)


def open_client(server, clock=None, **settings):
    return client_for(settings_for(server, WebSettings, **settings), clock, "wiki")


def oidc(server, **settings):
    return {
        "kind": "oidc",
        "token_url": server.url + "/token",
        "client_id": "docent",
        "env": "WIKI_TOKEN",
        **settings,
    }


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (TOKEN, "authorization", "Bearer s3cret"),
        ({**TOKEN, "header": "PRIVATE-TOKEN", "prefix": ""}, "private-token", "s3cret"),
        ({**TOKEN, "prefix": "Token "}, "authorization", "Token s3cret"),
        (
            {"kind": "basic", "user": "döcent", "env": "WIKI_TOKEN"},
            "authorization",
            "Basic " + base64.b64encode("döcent:s3cret".encode()).decode(),
        ),
    ],
)
def test_credentials_are_headers_of_requests_to_the_own_origin(server, auth, header, value):
    client = open_client(server, auth=auth)
    client.get("/a")
    client.session.get(server.url + "/b", headers={header: "what a library thinks"})

    assert [request.headers[header] for request in server.requests] == [value, value]


@pytest.mark.parametrize("kind", ["token", "header", "basic", "oidc", "cookies"])
def test_no_other_origin_sees_credentials_also_not_after_a_redirect(
    server, other, tmp_path, kind, clock
):
    """Another port of the same host is another origin."""
    server.sets = "session=set-by-server; Path=/"
    jar = tmp_path / "cookies.txt"
    jar.write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2000000000\tsso\tabc\n"
    )
    auth = {
        "token": TOKEN,
        "header": {**TOKEN, "header": "X-Api-Key", "prefix": ""},
        "basic": {"kind": "basic", "user": "docent", "env": "WIKI_TOKEN"},
        "oidc": oidc(server),
        "cookies": {"kind": "cookies", "file": str(jar)},
    }[kind]
    client = open_client(server, clock, auth=auth)
    client.get("/a")
    client.session.get(server.url + "/b", headers={"PRIVATE-TOKEN": "given-by-a-library"})

    client.get(other.url + "/direct")
    client.get("/to", params={"place": other.url + "/redirected"})
    client.session.get(
        server.url + "/to",
        params={"place": other.url + "/library"},
        headers={"PRIVATE-TOKEN": "given-by-a-library", "X-Anything": "x"},
        auth=("user", "password"),
    )

    assert [request.path for request in other.requests] == ["/direct", "/redirected", "/library"]
    for request in other.requests:
        told = {*request.headers} - {"host", "user-agent", "accept-encoding", "accept"}
        assert told == set()
    assert any({*SECRETS} & {*request.headers} for request in server.requests)


def test_a_redirect_and_back_has_the_credentials_again(server, other):
    client = open_client(server, auth=TOKEN)
    client.get("/to", params={"place": f"{other.url}/to?place={server.url}/back"})

    assert server.requests[-1].path == "/back"
    assert server.requests[-1].headers["authorization"] == "Bearer s3cret"
    assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize("auth", [TOKEN, {"kind": "basic", "user": "u", "env": "WIKI_TOKEN"}])
def test_a_missing_secret_is_a_wrong_setting_that_names_the_variable(server, auth, monkeypatch):
    for broken in (None, "", "  ", "two\nlines"):
        monkeypatch.setenv("MISSING", broken or "")
        if broken is None:
            monkeypatch.delenv("MISSING")
        with pytest.raises(SettingsError, match=r"\[sources\.wiki\] auth: .* MISSING ") as trouble:
            open_client(server, auth={**auth, "env": "MISSING"})
        assert "two" not in str(trouble.value)


def test_no_message_holds_a_secret(server):
    client = open_client(server, auth=TOKEN, ban_after=2, retries=0)
    server.valid = {"Bearer another"}
    for trouble in (FetchError, SourceTrouble):
        with pytest.raises(trouble) as caught:
            client.get("/a?private_token=s3cret")
        assert "s3cret" not in str(caught.value)


# Client credentials


def test_a_token_is_fetched_once_and_renewed_shortly_before_it_ends(server, clock):
    client = open_client(server, clock, auth=oidc(server, audience="docs", scope="read"))
    client.get("/a")
    client.get("/b")
    assert (server.tokens, client.requests) == (1, 3)
    form = parse_qs(server.requests[0].body.decode())
    assert form == {
        "grant_type": ["client_credentials"],
        "client_id": ["docent"],
        "client_secret": ["s3cret"],
        "audience": ["docs"],
        "scope": ["read"],
    }

    clock.sleep(300 - 31)  # half a minute before its end it counts as ended
    client.get("/c")
    assert server.tokens == 1
    clock.sleep(2)
    client.get("/d")
    assert server.tokens == 2


def test_a_token_that_no_longer_works_is_renewed_once(server, clock):
    client = open_client(server, clock, auth=oidc(server))
    client.get("/a")
    server.valid = {"Bearer of nobody"}  # revoked: the next one is valid again
    assert client.get("/b").text == "page"
    assert (server.tokens, client.requests) == (2, 5)

    server.token_answer = json_answer({"access_token": "useless"})
    server.valid = {"Bearer of nobody"}
    with pytest.raises(FetchError, match="401") as trouble:
        client.get("/c")
    assert trouble.value.status == 401
    assert server.asked("/c") == 2


@pytest.mark.parametrize("expires_in", [None, 0, 20])
def test_a_token_without_a_long_life_is_used_at_least_at_once(server, clock, expires_in):
    server.expires_in = expires_in
    client = open_client(server, clock, auth=oidc(server))
    client.get("/a")
    client.get("/b")
    assert server.tokens == 1


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({"error": "invalid_client"}, 401),
        json_answer({"token": "x"}),
        json_answer(["x"]),
        json_answer({"access_token": "x", "expires_in": "soon"}),
        Answer("[" * 100_000),
        Answer("", 302, headers={"Location": "/elsewhere"}),
        Answer("", 302, headers={"Location": "http://169.254.169.254/"}),
        Answer("busy", 429, headers={"Retry-After": "9999"}),
        NOT_FOUND,
    ],
    ids=range(9),
)
def test_a_sign_in_that_fails_ends_the_source(server, clock, answer):
    server.token_answer = answer
    client = open_client(server, clock, auth=oidc(server), retries=0)
    with pytest.raises(SourceTrouble, match=r"^wiki: ") as trouble:
        client.get("/a")
    assert "s3cret" not in str(trouble.value)
    assert server.asked("/a") == server.asked("/elsewhere") == 0


def test_the_token_address_passes_the_same_guard(server):
    auth = {**oidc(server), "token_url": "http://169.254.169.254/token"}
    with pytest.raises(SourceTrouble, match=r"not signed in: .*inner address"):
        open_client(server, auth=auth).get("/a")


def test_a_token_service_that_stumbles_is_asked_again_where_it_said_so(server, clock):
    server.fault("/token", Fault.UNAVAILABLE, times=1)
    assert open_client(server, clock, auth=oidc(server)).get("/a").status == 200


# Cookies


def cookie_file(tmp_path, *lines):
    file = tmp_path / "cookies.txt"
    file.write_text("# Netscape HTTP Cookie File\n" + "\n".join("\t".join(line) for line in lines))
    return {"kind": "cookies", "file": str(file)}


FRESH = str(int(WALL.timestamp()) + 3600)
STALE = str(int(WALL.timestamp()) - 3600)


def test_cookies_of_the_file_are_sent_where_they_belong(server, clock, tmp_path):
    auth = cookie_file(
        tmp_path,
        ("127.0.0.1", "FALSE", "/", "FALSE", FRESH, "plain", "1"),
        ("#HttpOnly_127.0.0.1", "FALSE", "/", "FALSE", FRESH, "http_only", "2"),
        ("127.0.0.1", "FALSE", "/", "FALSE", "0", "of_the_session", "3"),
        ("127.0.0.1", "FALSE", "/wiki", "FALSE", FRESH, "wiki_only", "4"),
        ("127.0.0.1", "FALSE", "/", "TRUE", FRESH, "needs_tls", "5"),
        ("auth.example.org", "FALSE", "/", "FALSE", FRESH, "of_the_sign_in", "6"),
        (".0.0.1", "TRUE", "/", "FALSE", FRESH, "odd_domain", "7"),
    )
    client = open_client(server, clock, auth=auth)
    client.get("/wiki/Home")
    client.get("/other")

    first, second = (request.headers["cookie"].split("; ") for request in server.requests)
    assert sorted(second) == ["http_only=2", "of_the_session=3", "plain=1"]
    assert sorted(first) == [*sorted(second), "wiki_only=4"]


def test_a_cookie_that_the_server_sets_anew_replaces_that_of_the_file(server, clock, tmp_path):
    server.sets = "sso=new; Path=/"
    auth = cookie_file(
        tmp_path,
        ("127.0.0.1", "FALSE", "/", "FALSE", FRESH, "sso", "old"),
        ("127.0.0.1", "FALSE", "/", "FALSE", FRESH, "kept", "1"),
    )
    client = open_client(server, clock, auth=auth)
    client.get("/a")
    client.get("/b")
    assert sorted(server.requests[1].headers["cookie"].split("; ")) == ["kept=1", "sso=new"]


def test_expired_cookies_are_named_and_nothing_is_asked(server, clock, tmp_path):
    auth = cookie_file(
        tmp_path,
        ("127.0.0.1", "FALSE", "/", "FALSE", STALE, "sso", "secret-value"),
        ("127.0.0.1", "FALSE", "/", "FALSE", STALE, "_shib", "secret-value"),
    )
    with pytest.raises(SourceTrouble) as trouble:
        open_client(server, clock, auth=auth).get("/a")

    said = str(trouble.value)
    assert "cookies.txt have expired" in said
    assert "_shib (2026-02-28 23:00 UTC)" in said
    assert "sso (2026-02-28 23:00 UTC)" in said
    assert "secret-value" not in said
    assert server.requests == []


def test_a_sign_in_page_names_the_cookies_that_have_expired(server, clock, tmp_path):
    auth = cookie_file(
        tmp_path,
        ("127.0.0.1", "FALSE", "/", "FALSE", STALE, "sso", "1"),
        ("127.0.0.1", "FALSE", "/", "FALSE", FRESH, "language", "en"),
    )
    for fault in (Fault.LOGIN_PAGE, Fault.REDIRECT_SIGN_IN, Fault.FORBIDDEN):
        server.mend()
        server.fault("/a", fault)
        with pytest.raises(FetchError, match=r"Cookies of .* have expired: sso \("):
            open_client(server, clock, auth=auth).get("/a")
    assert server.requests[0].headers["cookie"] == "language=en"


def test_cookies_that_end_during_the_run_end_the_source(server, clock, tmp_path):
    auth = cookie_file(tmp_path, ("127.0.0.1", "FALSE", "/", "FALSE", FRESH, "sso", "1"))
    client = open_client(server, clock, auth=auth)
    client.get("/a")
    clock.sleep(3601)
    with pytest.raises(SourceTrouble, match="have expired: sso"):
        client.get("/a")


def test_a_file_without_a_cookie_for_the_host_ends_the_source(server, clock, tmp_path):
    auth = cookie_file(tmp_path, ("wiki.example.org", "FALSE", "/", "FALSE", FRESH, "sso", "1"))
    with pytest.raises(SourceTrouble, match="no cookie for this host"):
        open_client(server, clock, auth=auth).get("/a")


@pytest.mark.parametrize("content", [None, "no cookies", json.dumps({"a": 1}), "\xff\xfe\x00"])
def test_a_cookie_file_that_cannot_be_read_is_a_wrong_setting(server, tmp_path, content):
    file = tmp_path / "cookies.txt"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"\[sources\.wiki\] auth: .*cookies\.txt cannot be"):
        open_client(server, auth={"kind": "cookies", "file": str(file)})
