"""API tokens, and the session beside them."""

from datetime import timedelta

import httpx
import pytest

from tests.web.signin.conftest import another_browser


@pytest.fixture
def user_id(browser):
    browser.sign_in("ada")
    return browser.me()["user_id"]


def token_of(app, user_id, *scopes, days=30):
    expires_at = app.clock.now() + timedelta(days=days)
    token, text = app.run(app.state.tokens.make(user_id, "script", scopes, expires_at))
    return token, text


def get(app, path, shown, method="GET", **headers):
    return httpx.request(
        method, app.address + path, headers={"Authorization": shown, **headers}, timeout=60
    )


def test_a_token_speaks_for_its_owner_within_its_scopes(app, user_id):
    _, text = token_of(app, user_id, "read")

    response = get(app, "/api/v1/read", f"Bearer {text}")

    assert response.json()["user_id"] == user_id
    assert response.json()["groups"] == ["collaboration"]
    assert response.json()["via"] == "token"
    refused = get(app, "/api/v1/ask", f"bearer {text}", "POST")
    assert refused.status_code == 403
    assert 'lacks the scope "ask"' in refused.json()["detail"]


def test_a_token_needs_no_page_of_ours(app, user_id):
    # No browser adds it by itself, so a request with one is not another site's doing.
    _, text = token_of(app, user_id, "ask")

    response = get(app, "/api/v1/ask", f"Bearer {text}", "POST", Origin="vscode-webview://docent")

    assert response.status_code == 200


def test_a_token_that_does_not_hold_is_not_saved_by_a_cookie(app, browser, user_id):
    shown = {"Authorization": "Bearer docent_0000000000000000_" + "0" * 64}

    response = browser.http.get(f"{app.address}/api/v1/read", headers=shown)

    assert response.status_code == 401
    assert browser.get("/api/v1/read").status_code == 200


def test_what_is_wrong_with_a_token_is_not_told(app, user_id):
    revoked, revoked_text = token_of(app, user_id, "read")
    app.run(app.state.tokens.revoke(user_id, revoked.id))
    _, expired_text = token_of(app, user_id, "read", days=1)
    good, good_text = token_of(app, user_id, "read", days=20)
    app.clock.ahead = timedelta(days=2)

    told = [
        get(app, "/api/v1/read", shown)
        for shown in (
            f"Bearer {revoked_text}",
            f"Bearer {expired_text}",
            f"Bearer docent_{good.id}_{'0' * 64}",
            f"Bearer docent_{'0' * 16}_{'0' * 64}",
            "Bearer nonsense",
            f"Basic {good_text}",
            "",
        )
    ]

    assert {response.status_code for response in told} == {401}
    assert {response.text for response in told} == {told[0].text}
    assert "unknown, has expired or was revoked" in told[0].text
    assert told[0].headers["www-authenticate"] == "Bearer"
    assert get(app, "/api/v1/read", f"Bearer {good_text}").status_code == 200


def test_a_token_waits_for_its_owner_to_sign_in_once_a_month(app, user_id):
    _, text = token_of(app, user_id, "read", days=300)
    app.clock.ahead = timedelta(days=29)
    assert get(app, "/api/v1/read", f"Bearer {text}").status_code == 200

    app.clock.ahead = timedelta(days=31)
    response = get(app, "/api/v1/read", f"Bearer {text}")

    assert response.status_code == 401
    assert "not signed in for 30 days" in response.json()["detail"]
    with another_browser(app) as browser:
        browser.sign_in("ada")
    assert get(app, "/api/v1/read", f"Bearer {text}").status_code == 200


def test_the_groups_of_a_token_are_those_of_the_last_sign_in(app, provider):
    provider.put("walt", ["collaboration", "docs-admins"])
    with another_browser(app) as browser:
        browser.sign_in("walt")
        _, text = token_of(app, browser.me()["user_id"], "read", "admin")
        assert get(app, "/api/v1/admin/runs", f"Bearer {text}").status_code == 200
        provider.put("walt", ["other-experiment"])
        browser.sign_in("walt")

    assert get(app, "/api/v1/admin/runs", f"Bearer {text}").status_code == 403
    assert get(app, "/api/v1/read", f"Bearer {text}").json()["groups"] == ["other-experiment"]


def test_a_database_that_cannot_be_written_turns_nobody_away(app, browser, user_id):
    # Being seen is due after five minutes; somebody else holds the lock on the file meanwhile.
    app.clock.ahead = timedelta(minutes=6)

    async def held():
        async with app.state.database.write() as connection:
            assert connection
            address = f"{app.address}/api/v1/read"
            async with httpx.AsyncClient(cookies=dict(browser.http.cookies), timeout=60) as client:
                return await client.get(address)

    assert app.run(held()).status_code == 200
