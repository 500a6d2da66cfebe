import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from web.signin.attempt import Attempt, name_of, own_path
from web.signin.cookies import MAX_ATTEMPTS, Cookies


@pytest.mark.parametrize(
    "path", ["/", "/documents/wiki:A%2FB?x=1&y=[2]", "/?next=//a", "/a//b", "/#c", "/auth"]
)
def test_paths_of_our_own(path):
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "https://e.example", "//e.example", "///e.example", "/\\e.example",
        "\\\\e.example",
        "/a\\b", "/\t/e.example", "/a b", "/\n", "/ä", " /", "/auth/logout", "javascript:x",
    ],
)  # fmt: skip
def test_anything_else_leads_to_the_first_page(path):
    assert own_path(path) == "/"


@given(st.text(alphabet="/\\.:@ae \t\r\n%?#", max_size=8))
def test_no_path_leads_away(path):
    taken = own_path(path)

    assert taken.startswith("/")
    assert not taken.startswith("//")
    assert not set(taken) & set("\\\t\r\n ")


def test_an_attempt_comes_back_from_its_cookie():
    attempt = Attempt.new("/documents/a?b=c;d")

    assert Attempt.from_cookie(attempt.cookie) == attempt
    assert not set(attempt.cookie) & set('";, \\')


@pytest.mark.parametrize(
    "value",
    ["", ".", "x", "short.Lw==", "s" * 43 + ".a", "s" * 43 + "._w=="],
)
def test_what_is_no_attempt(value):
    assert Attempt.from_cookie(value) is None


def test_a_cookie_that_was_changed_leads_nowhere_else():
    path = base64.urlsafe_b64encode(b"//evil.example").decode()

    attempt = Attempt.from_cookie(f"{'s' * 43}.{path}")

    assert attempt
    assert attempt.next == "/"


def test_what_the_provider_learns_tells_nothing_about_the_rest():
    one, other = Attempt.new("/"), Attempt.new("/")

    told = {one.secret, one.state, one.nonce, one.verifier}
    assert len(told | {other.secret, other.state, other.nonce, other.verifier}) == 8
    assert {len(value) for value in told} == {43}


def request(**cookies):
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return Request({"type": "http", "headers": [(b"cookie", header.encode())]})


def test_over_https_every_cookie_is_secure_and_of_this_host_only():
    response = Response()
    cookies = Cookies(secure=True)

    cookies.keep_session(response, "s", 60)
    cookies.keep_attempt(request(), response, Attempt.new("/"))
    cookies.drop_session(response)

    kept = response.headers.getlist("set-cookie")
    assert len(kept) == 3
    for cookie in kept:
        assert cookie.startswith("__Host-docent")
        assert "; Secure" in cookie
        assert "; HttpOnly" in cookie
        assert "; Path=/;" in cookie
        assert "; SameSite=lax" in cookie
        assert "Domain" not in cookie


def test_over_https_a_cookie_that_http_may_have_set_is_no_session():
    found = request(docent="planted")

    assert Cookies(secure=True).session(found) is None
    assert Cookies(secure=False).session(found) == "planted"


def test_attempts_that_were_left_do_not_pile_up():
    left = {f"docent-signin-{name_of(str(n))}": "x" for n in range(MAX_ATTEMPTS)}
    response = Response()

    Cookies(secure=False).keep_attempt(request(**left), response, Attempt.new("/"))

    kept = response.headers.getlist("set-cookie")
    assert len(kept) == MAX_ATTEMPTS + 1
    assert sum("Max-Age=0" in cookie for cookie in kept) == MAX_ATTEMPTS
    assert "Max-Age=600" in kept[-1]
