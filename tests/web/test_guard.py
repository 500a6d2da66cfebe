from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.responses import Response

from ingest.web_settings import is_loopback
from web.guard import MAX_BODY, Guard

QUESTION = {"question": "trigger"}


@pytest.mark.parametrize(
    "path", ["/", "/documents/x", "/docs", "/chat/chat.js", "/api/v1/health", "/api/nowhere", "/x"]
)
async def test_every_response_carries_the_security_headers(client, path):
    headers = (await client.get(path)).headers

    policy = headers["content-security-policy"]
    for rule in (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ):
        assert rule in policy.split("; ")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "[::1]", "[::1]:8000", "127.0.0.5"]
)
async def test_names_of_this_machine_are_answered(client, host):
    assert (await client.get("/api/v1/health", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "docent.example.org",
        "127.0.0.1.example.org",
        "localhost.example.org",
        "localhost:80@example.org",
        "evil.org:8000",
        "[::2]:8000",
        "10.0.0.1",
        "0.0.0.0",  # noqa: S104 - a name to judge
        "localhost:123456",
        "",
    ],
)
async def test_a_foreign_name_that_leads_here_is_refused(client, host):
    response = await client.get("/api/v1/health", headers={"Host": host})

    assert response.status_code == 421
    assert "names of this machine" in response.json()["detail"]
    assert "content-security-policy" in response.headers


@pytest.mark.parametrize("host", ["10.244.3.17:8000", "[fd00::17]:8000", "docent.example.org", ""])
async def test_kubernetes_asks_by_the_address_of_the_pod(client, host):
    for path in ("/livez", "/readyz"):
        response = await client.get(path, headers={"Host": host})
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        assert "content-security-policy" in response.headers
        # Nothing else is asked that way.
        assert (await client.post(path, headers={"Host": host})).status_code == 421
    for path in ("/metrics", "/livez/", "//livez", "/api/v1/livez", "/"):
        assert (await client.get(path, headers={"Host": host})).status_code == 421


@pytest.mark.parametrize(
    ("signed_in", "method", "path", "headers", "status"),
    [
        (True, "GET", "/metrics", {"Authorization": "Bearer t"}, 200),
        (True, "GET", "/metrics", {}, 421),
        (True, "POST", "/metrics", {"Authorization": "Bearer t"}, 421),
        (True, "GET", "/api/v1/health", {"Authorization": "Bearer t"}, 421),
        # Without a sign-in nobody looks at the token, which then tells nothing.
        (False, "GET", "/metrics", {"Authorization": "Bearer t"}, 421),
    ],
)
async def test_prometheus_asks_each_server_by_its_address_with_a_token(
    signed_in, method, path, headers, status
):
    async def behind(scope, receive, send):
        await Response("passed")(scope, receive, send)

    guard = Guard(behind, "https://docent.example.org", signed_in=signed_in)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(guard), base_url="http://10.244.3.17:8000"
    ) as client:
        assert (await client.request(method, path, headers=headers)).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_sites_page_may_not_ask(client, assistant, headers):
    response = await client.post("/api/v1/ask", json=QUESTION, headers=headers)

    assert response.status_code == 403
    assert assistant.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
async def test_our_own_page_and_scripts_may_ask(client, headers):
    assert (await client.post("/api/v1/ask", json=QUESTION, headers=headers)).status_code == 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_a_form_can_send_is_refused(client, assistant, media_type):
    # These are the types that another site's page can post without asking the browser first.
    response = await client.post(
        "/api/v1/ask", content=b'{"question": "x"}', headers={"Content-Type": media_type}
    )

    assert response.status_code == 415
    assert assistant.asked == []


async def test_preflights_get_no_permission(client):
    response = await client.options(
        "/api/v1/ask",
        headers={"Origin": "https://example.org", "Access-Control-Request-Method": "POST"},
    )

    assert response.status_code == 405
    assert "access-control-allow-origin" not in response.headers


async def test_a_large_body_is_refused_with_and_without_its_length(client, assistant):
    body = b'{"question": "' + b"x" * MAX_BODY + b'"}'
    headers = {"Content-Type": "application/json; charset=utf-8"}

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 10_000):
            yield body[at : at + 10_000]

    for content in (body, pieces()):
        response = await client.post("/api/v1/ask", content=content, headers=headers)
        assert response.status_code == 413
        assert response.json()["detail"] == "The body is larger than 64 kB."
    assert assistant.asked == []


async def test_a_body_in_pieces_arrives_whole(client, assistant):
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"question":'
        yield b' "trigger"}'

    headers = {"Content-Type": "application/json"}
    response = await client.post("/api/v1/ask", content=pieces(), headers=headers)

    assert response.status_code == 200
    assert assistant.asked[0].text == "trigger"


async def test_an_error_after_the_first_byte_is_not_answered_twice():
    from web.guard import Guard

    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("too late")

    transport = httpx.ASGITransport(Guard(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with pytest.raises(KeyError, match="too late"):
            await client.get("/")


async def test_what_is_not_http_goes_by():
    from web.guard import Guard

    seen = []

    async def inner(scope, receive, send):
        seen.append(scope["type"])

    await Guard(inner)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]  # unused here

    assert seen == ["lifespan"]


@pytest.mark.parametrize(
    ("name", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),  # noqa: S104 - a name to judge
        ("::", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(name, loopback):
    assert is_loopback(name) is loopback
