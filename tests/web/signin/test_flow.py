"""Signing in and out against a real provider, over real sockets."""

from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.web.signin.conftest import another_browser, listen, serving, settings_for, signed_up
from web.signin.attempt import name_of


def changed(address, **query):
    """The address with some of its query changed."""
    parts = urlsplit(address)
    told = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return parts._replace(query=urlencode({**told, **query})).geturl()


def test_who_signs_in_is_known_with_groups_and_role(app, browser):
    assert browser.me() == {"signed_in": False}

    response = browser.sign_in("mia", "/auth/login?next=/documents/wiki:Shift%3Fa")

    assert response.status_code == 303
    assert response.headers["location"] == "/documents/wiki:Shift?a"
    me = browser.me()
    assert len(me.pop("user_id")) == 32
    assert me == {
        "signed_in": True,
        "name": "Mia Maintainer",
        "email": "mia@meridian.example",
        "groups": ["collaboration", "docs-team"],
        "role": "maintainer",
        "via": "session",
    }
    assert browser.get("/api/v1/admin/runs").status_code == 200


def test_the_request_to_the_provider_is_of_the_strictest_kind(browser):
    query = {
        key: values[0] for key, values in parse_qs(urlsplit(browser.to_provider()).query).items()
    }

    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == len(query["state"]) == len(query["nonce"]) == 43
    assert len({query["code_challenge"], query["state"], query["nonce"]}) == 3
    assert query["scope"] == "openid profile email"
    assert query["redirect_uri"] == f"{browser.app.address}/auth/callback"


def test_the_session_stands_in_a_cookie_that_no_script_reads(app, browser):
    response = browser.sign_in("ada")

    session, attempt = response.headers.get_list("set-cookie")
    name, _, rest = session.partition("=")
    assert name == "docent"
    assert rest.split("; ")[1:] == ["HttpOnly", "Max-Age=36000", "Path=/", "SameSite=lax"]
    assert attempt.startswith("docent-signin-")
    assert "Max-Age=0" in attempt
    assert response.headers["cache-control"] == "no-store"


def test_without_groups_one_is_a_reader_of_what_is_public(browser):
    browser.sign_in("nils")

    me = browser.me()
    assert (me["groups"], me["role"]) == ([], "reader")
    assert browser.get("/api/v1/admin/runs").status_code == 403


def test_groups_that_only_the_userinfo_endpoint_tells_are_asked_there(browser):
    browser.sign_in("emmy")

    assert browser.me()["groups"] == ["collaboration"]


def test_groups_and_roles_may_stand_deeper_in_the_claims(provider, tmp_path):
    nested = {
        "groups_claim": "realm_access.roles",
        "roles": {"admin": ["role-of-docs-admins"]},
    }
    with signed_up(provider, tmp_path, **nested) as app, another_browser(app) as browser:
        browser.sign_in("olga")

        me = browser.me()
    assert me["groups"] == ["role-of-collaboration", "role-of-docs-admins"]
    assert me["role"] == "admin"


def test_whoever_is_in_none_of_the_groups_that_may_come_in_is_told_so(provider, tmp_path):
    members = {"roles": {"reader": ["collaboration"]}}
    with signed_up(provider, tmp_path, **members) as app:
        with another_browser(app) as browser:
            response = browser.sign_in("ben")
            assert response.status_code == 403
            assert "in none of the groups that may use Docent" in response.text
            assert browser.me() == {"signed_in": False}
        with another_browser(app) as browser:
            assert browser.sign_in("ada").status_code == 303


def test_groups_are_learnt_anew_at_the_next_sign_in(app, browser, provider):
    provider.put("vera", ["collaboration", "docs-admins"])
    browser.sign_in("vera")
    before = browser.me()
    provider.put("vera", ["collaboration"])
    assert browser.me() == before

    with another_browser(app) as other:
        other.sign_in("vera")

        after = other.me()
    assert (before["role"], after["role"]) == ("admin", "reader")
    assert after["groups"] == ["collaboration"]
    assert after["user_id"] == before["user_id"]
    # It is one account, so what she lost is lost in the first browser as well.
    assert browser.me()["role"] == "reader"


def test_an_answer_for_another_browser_is_refused(app, browser):
    back = browser.at_provider(browser.to_provider(), "ada")

    with another_browser(app) as other:
        response = other.get(back)

        assert response.status_code == 400
        assert "This browser did not begin this sign-in" in response.text
        assert other.me() == {"signed_in": False}


def test_a_wrong_state_is_refused(browser):
    back = browser.at_provider(browser.to_provider(), "ada")

    assert browser.get(changed(back, state="x" * 43)).status_code == 400
    assert browser.get(changed(back, state="")).status_code == 400
    assert browser.me() == {"signed_in": False}


def test_the_cookie_of_one_attempt_does_not_fit_another(browser):
    back = browser.at_provider(browser.to_provider(), "ada")
    other = parse_qs(urlsplit(browser.to_provider()).query)["state"][0]
    kept = browser.http.cookies[f"docent-signin-{name_of(other)}"]
    state = parse_qs(urlsplit(back).query)["state"][0]
    browser.http.cookies.set(f"docent-signin-{name_of(state)}", kept, domain="127.0.0.1")

    response = browser.get(back)

    assert response.status_code == 400
    assert "did not begin this sign-in" in response.text


def test_a_wrong_nonce_is_refused(browser):
    wrong = changed(browser.to_provider(), nonce="n" * 43)

    response = browser.get(browser.at_provider(wrong, "ada"))

    assert response.status_code == 400
    assert "does not hold (invalid_claim: nonce)" in response.text
    assert browser.me() == {"signed_in": False}


def test_a_code_is_good_for_once(browser):
    back = browser.at_provider(browser.to_provider(), "ada")
    attempt = {name: value for name, value in browser.http.cookies.items() if "signin" in name}
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 400

    # Also with the cookie of the attempt, which the browser was told to forget.
    browser.http.cookies.update(attempt)
    response = browser.get(back)

    assert response.status_code == 400
    assert "does not take the answer (invalid_grant)" in response.text


def test_a_code_without_its_verifier_is_refused(app, browser):
    # Somebody has learnt the code of another, and begins a sign-in of his own for it.
    stolen = parse_qs(urlsplit(browser.at_provider(browser.to_provider(), "ada")).query)["code"][0]
    with another_browser(app) as thief:
        own = thief.at_provider(thief.to_provider(), "ben")

        response = thief.get(changed(own, code=stolen))

        assert response.status_code == 400
        assert "invalid_grant" in response.text
        assert thief.me() == {"signed_in": False}


def test_an_expired_id_token_is_refused(app, browser):
    app.provider_clock.ahead = timedelta(hours=1)

    response = browser.sign_in("ada")

    assert response.status_code == 400
    assert "does not hold (expired_token" in response.text


def test_an_answer_of_another_issuer_is_refused(browser):
    back = browser.at_provider(browser.to_provider(), "ada")

    response = browser.get(changed(back, iss="https://evil.example"))

    assert response.status_code == 400
    assert "not of the sign-in server of Docent" in response.text


def test_a_refusal_of_the_provider_is_told(browser):
    response = browser.sign_in("nobody-of-this-name")

    assert response.status_code == 400
    assert "cancelled, or the sign-in server does not let you in" in response.text
    assert 'href="/auth/login?next=/"' in response.text


def test_what_a_link_says_in_an_error_is_not_repeated(browser):
    state = parse_qs(urlsplit(browser.to_provider()).query)["state"][0]

    response = browser.get(
        "/auth/callback?" + urlencode({"state": state, "error": "<b>call 0900</b>"})
    )

    assert response.status_code == 400
    assert "0900" not in response.text
    assert "(no known reason)" in response.text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "/auth/login?next=/",
        "/" + "a" * 3000,
        "",
    ],
)
def test_a_sign_in_ends_at_a_path_of_our_own(browser, wanted):
    browser.to_provider()
    response = browser.sign_in("ada", "/auth/login?" + urlencode({"next": wanted}))

    assert response.headers["location"] == "/"


def test_a_session_ends_after_its_hours_and_says_so(app, browser):
    browser.sign_in("ada")
    app.clock.ahead = timedelta(hours=9, minutes=59)
    assert browser.get("/api/v1/read").status_code == 200

    app.clock.ahead = timedelta(hours=10, minutes=1)

    response = browser.get("/api/v1/read")
    assert response.status_code == 401
    assert response.json()["detail"] == "Your session has ended. Sign in again to go on."
    assert response.json()["sign_in_url"] == "/auth/login"
    assert browser.me() == {"signed_in": False}


def test_whoever_signs_in_again_has_one_session_and_a_new_secret(app, browser):
    browser.sign_in("ada")
    first = browser.http.cookies["docent"]
    browser.sign_in("ada")

    assert browser.http.cookies["docent"] != first
    with another_browser(app) as old:
        old.http.cookies.set("docent", first)
        assert old.get("/api/v1/read").status_code == 401


def test_a_cookie_alone_changes_nothing(browser):
    browser.sign_in("ada")

    refused = browser.post("/api/v1/ask")
    assert refused.status_code == 403
    assert "needs the header X-Docent" in refused.json()["detail"]
    assert browser.post("/auth/logout").status_code == 403
    assert browser.post("/api/v1/ask", **{"X-Docent": "1"}).status_code == 200
    evil = {"X-Docent": "1", "Origin": "https://evil.example"}
    assert browser.post("/api/v1/ask", **evil).status_code == 403
    assert browser.me()["signed_in"]


def test_signing_out_ends_the_session_here_and_at_the_provider(app, browser):
    browser.sign_in("ada")
    session = browser.http.cookies["docent"]

    response = browser.post("/auth/logout", **{"X-Docent": "1"})

    assert response.status_code == 200
    assert "docent" not in browser.http.cookies
    with another_browser(app) as other:
        other.http.cookies.set("docent", session)
        assert other.get("/api/v1/read").status_code == 401
    url = response.json()["url"]
    # A kept id token would save a question and be one more secret to keep.
    assert "id_token_hint" not in url
    back = browser.at_provider_sign_out(url)
    assert back.headers["location"] == f"{app.address}/"
    # The provider asks for a password again.
    assert "<form" in browser.http.get(browser.to_provider(), follow_redirects=True).text


def test_signing_out_twice_is_no_error(browser):
    assert browser.post("/auth/logout", **{"X-Docent": "1"}).status_code == 200


def test_signing_out_at_the_provider_ends_the_session_here(app, browser, provider):
    browser.sign_in("ada")
    with another_browser(app) as other:
        other.sign_in("ada")

        browser.at_provider_sign_out(f"{provider.issuer}/session/end")

        assert browser.get("/api/v1/read").status_code == 401
        # That was the session of one browser; the other one's goes on.
        assert other.get("/api/v1/read").status_code == 200


@pytest.mark.parametrize("content", [b"logout_token=a.b.c", b"", b"a=%ff&logout_token", b"\xff"])
def test_whoever_is_not_the_provider_signs_nobody_out(app, browser, content):
    browser.sign_in("ada")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    response = browser.http.post(f"{app.address}/auth/backchannel", content=content, headers=form)

    assert response.status_code == 400
    assert response.json()["error"] == "invalid_request"
    assert response.headers["cache-control"] == "no-store"
    assert browser.get("/api/v1/read").status_code == 200


def test_a_provider_that_is_away_is_told_plainly(tmp_path):
    with listen() as unused:
        issuer = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with (
        listen() as listening,
        serving(settings_for(issuer, "docent"), "x" * 40, tmp_path, listening) as app,
        another_browser(app) as browser,
    ):
        response = browser.get("/auth/login?next=/a%22%3E")

        assert response.status_code == 503
        assert "does not answer as it should. Try again in a moment" in response.text
        assert 'href="/auth/login?next=/a%22%3E"' in response.text
        assert response.headers["content-security-policy"]
        told = browser.http.get(f"{app.address}/auth/login", headers={"Accept": "*/*"})
        assert told.headers["content-type"] == "application/problem+json"
        browser.http.cookies.set("docent", "gone")
        out = browser.post("/auth/logout", **{"X-Docent": "1"})
        assert out.json() == {"url": "/"}
        form = {"logout_token": "e30.e30.e30"}
        assert browser.http.post(f"{app.address}/auth/backchannel", data=form).status_code == 503
