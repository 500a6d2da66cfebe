"""`/mcp` on a real socket, with the official client: a machine of one's own, without a sign-in."""

import asyncio

import httpx
import pytest
from mcp import Client, MCPError

from ingest.model import BlockKind
from tests.web.conftest import serving
from tests.web.fake import a_document
from web.guard import MAX_BODY

PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


async def post(address, headers=None, **options):
    async with httpx.AsyncClient(timeout=60) as client:
        wanted = {"json": PING} | options
        return await client.post(f"{address}/mcp", headers=JSON | (headers or {}), **wanted)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_runs_every_tool(address, mode):
    told = []

    async def progress(done, total, message):
        told.append(message)

    async with Client(f"{address}/mcp", mode=mode) as client:
        assert len((await client.list_tools()).tools) == 5
        calls = {
            "search": {"query": "muon trigger"},
            "read_document": {"document_id": "docs:shifts/run-coordination.md"},
            "list_sources": {},
            "glossary": {"term": "GRL"},
        }
        for name, arguments in calls.items():
            done = await client.call_tool(name, arguments)
            assert not done.is_error, name
            assert done.structured_content, name
        done = await client.call_tool(
            "ask", {"question": "L1_MU4 threshold"}, progress_callback=progress
        )
        uri = next(block.uri for block in done.content if block.type == "resource_link")
        resource = await client.read_resource(uri)

        assert done.structured_content["status"] == "answered"
        assert told[-1].startswith("Reading ")
        assert "L1_MU4" in resource.contents[0].model_dump()["text"]
        with pytest.raises(MCPError, match="no such document"):
            await client.read_resource("docent://documents/none")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_broken_call_leaves_the_server_alive(address, mode):
    async with Client(f"{address}/mcp", mode=mode) as client:
        for _ in range(3):
            crashed = await client.call_tool("ask", {"question": "crash muon"})
            assert crashed.is_error
            assert "secret" not in crashed.model_dump_json()
        assert not (await client.call_tool("list_sources", {})).is_error
    for nonsense in (b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"method":"no/such"}', b"\xff\xff"):
        assert (await post(address, json=None, content=nonsense)).status_code in (200, 400)
    assert (await post(address)).status_code == 200


async def test_a_document_of_ten_megabytes_comes_back_capped(settings, assistant):
    ten = "The beam is stable. " * 524_288
    assistant.documents[:] = [a_document("big:one", "Big", (BlockKind.PROSE, ten))]
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "read_document", "arguments": {"document_id": "big:one"}},
    }
    with serving(settings, assistant) as address:
        response = await post(address, json=call)

    assert response.status_code == 200
    assert 32_000 < len(response.content) < 40_000


async def test_an_answer_that_nobody_waits_for_stops_the_model(address, assistant):
    async with Client(f"{address}/mcp", mode="2026-07-28") as client:
        asking = asyncio.create_task(client.call_tool("ask", {"question": "hold muon trigger"}))
        while not assistant.asked:
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])

        assert await asyncio.to_thread(assistant.ended.wait, 10)
        assert not (await client.call_tool("list_sources", {})).is_error


async def test_any_replica_answers_the_next_request(settings, assistant):
    handshake = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "x", "version": "1"},
        },
    }
    with serving(settings, assistant) as one, serving(settings, assistant) as other:
        begun = await post(one, json=handshake)
        headers = {"MCP-Protocol-Version": "2025-11-25"}
        listed = await post(other, headers)

    assert begun.status_code == listed.status_code == 200
    assert "mcp-session-id" not in begun.headers
    assert "read_document" in listed.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({}, 200),
    ],
)
async def test_pages_of_other_sites_and_foreign_names_are_refused(address, headers, status):
    assert (await post(address, headers)).status_code == status


async def test_bodies_have_a_largest_size(address):
    large = PING | {"params": {"_meta": {"x": "y" * MAX_BODY}}}

    assert (await post(address, json=large)).status_code == 413


async def test_there_is_no_session_to_listen_to_or_to_end(client):
    for method in ("GET", "DELETE", "HEAD"):
        response = await client.request(method, "/mcp", headers=JSON)
        assert response.status_code == 405, method
        assert response.headers["allow"] == "POST"


async def test_without_a_sign_in_there_is_nothing_to_read_about_tokens(client):
    response = await client.get("/.well-known/oauth-protected-resource/mcp")

    assert response.status_code == 404
