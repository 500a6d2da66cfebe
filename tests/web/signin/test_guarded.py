"""The guard where people sign in, under the address that they use."""

import httpx
import pytest
from starlette.responses import PlainTextResponse

from web.guard import MAX_BODY, MAX_BODY_V1, Guard

PUBLIC = "https://docent.example.org"


async def ask(method, path, *, signed_in=True, public_url=PUBLIC, base=PUBLIC, **options):
    async def inner(scope, receive, send):
        await PlainTextResponse("reached")(scope, receive, send)

    guarded = httpx.ASGITransport(Guard(inner, public_url, signed_in=signed_in))
    async with httpx.AsyncClient(transport=guarded, base_url=base) as client:
        return (await client.request(method, path, **options)).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("docent.example.org", 200),
        ("DOCENT.example.org:443", 200),
        ("127.0.0.1:8000", 200),
        ("example.org", 421),
        ("docent.example.org.evil.example", 421),
        ("evil-docent.example.org", 421),
        ("", 421),
    ],
)
async def test_the_public_name_is_answered_beside_those_of_this_machine(host, status):
    assert await ask("GET", "/", headers={"Host": host}) == status


async def test_without_a_public_name_there_is_none():
    assert await ask("GET", "/", public_url="") == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # The proxy speaks plain http to us; what the browser sees is what counts.
        ({"Origin": PUBLIC, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": PUBLIC, "Host": "127.0.0.1:8000"}, 200),
        ({"Origin": "http://127.0.0.1:8000", "Host": "127.0.0.1:8000"}, 200),
        ({"Origin": "http://docent.example.org"}, 403),
        ({"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"}, 403),
        ({"Origin": "https://evil.example", "Host": "127.0.0.1:8000"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
async def test_the_origin_is_that_of_the_public_address(headers, status):
    base = "http://docent.example.org"

    assert await ask("POST", "/api/v1/ask", base=base, json={}, headers=headers) == status


@pytest.mark.parametrize(("signed_in", "status"), [(True, 200), (False, 403)])
async def test_a_token_frees_from_the_question_which_page_it_is_of(signed_in, status):
    headers = {"Authorization": "Bearer x", "Origin": "vscode-webview://x"}

    assert await ask("POST", "/v1/x", json={}, headers=headers, signed_in=signed_in) == status


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/auth/backchannel", "application/x-www-form-urlencoded", 200),
        ("/auth/backchannel", "application/json", 415),
        ("/auth/logout", "application/x-www-form-urlencoded", 415),
        ("/auth/backchannel/", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_only_the_sign_in_server_posts_a_form(path, media_type, status):
    assert await ask("POST", path, content=b"a=b", headers={"Content-Type": media_type}) == status


async def test_the_sign_in_server_may_be_anywhere():
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": "https://auth.example.org",
    }
    assert await ask("POST", "/auth/backchannel", content=b"a=b", headers=headers) == 200


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_without_a_body_there_is_nothing_that_could_be_json(method):
    assert await ask(method, "/api/v1/shares/x") == 200
    assert await ask(method, "/x", headers={"Content-Type": "text/plain"}) == 415


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/api/v1/ask", MAX_BODY, 200),
        ("/api/v1/ask", MAX_BODY + 1, 413),
        ("/v1/embeddings", MAX_BODY_V1, 200),
        ("/v1/embeddings", MAX_BODY_V1 + 1, 413),
        ("/v1", MAX_BODY + 1, 413),
    ],
)
async def test_bodies_have_a_largest_size(path, length, status):
    content = b"1" * length

    assert await ask(
        "POST", path, content=content, headers={"Content-Type": "application/json"}
    ) == (status)
