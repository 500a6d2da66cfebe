"""The tools on standard input and output: real programs, started by the official client."""

import asyncio
import sys
from pathlib import Path

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from ingest.access import Reader
from ingest.errors import DocentError, IndexMissing
from ingest.web_settings import SignInSettings
from tests.web.conftest import serving
from tests.web.documents import DOCUMENTS
from tests.web.fake import FakeAssistant
from tests.web.mcp.test_bearers import token_of
from tests.web.signin.conftest import listen
from web.bootstrap import opened
from web.mcp.cli import mcp
from web.mcp.local import Local
from web.mcp.remote import forwarding
from web.state.database import FILE_NAME

ROOT = Path(__file__).parents[3]
MENU = "twiki:Trigger/MuonMenu.txt"


def started(*arguments, **environment):
    """A client of a program, in this environment's Python."""
    return stdio_client(
        StdioServerParameters(
            command=sys.executable,
            args=["-W", "error::ResourceWarning", *arguments],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), **environment},
        )
    )


def text_of(result):
    return result.content[0].text


async def every_tool(client):
    """Run each; gives their results by name."""
    calls = {
        "search": {"query": "board moves trigger"},
        "ask": {"question": "At how many GeV does L1_MU4 fire?"},
        "read_document": {"document_id": MENU},
        "list_sources": {},
        "glossary": {"term": "GRL"},
    }
    assert {tool.name for tool in (await client.list_tools()).tools} == set(calls)
    results = {name: await client.call_tool(name, given) for name, given in calls.items()}
    for name, result in results.items():
        assert not result.is_error, (name, text_of(result))
        assert result.structured_content, name
    return results


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_program_gives_every_tool_and_survives_a_broken_call(settings, mode):
    folder = settings.index.path
    folder.mkdir()
    async with Client(
        started("-m", "tests.web.mcp.stdio", str(folder), "board"), mode=mode
    ) as client:
        crashed = await client.call_tool("ask", {"question": "crash muon trigger"})
        found = await every_tool(client)
        resource = await client.read_resource("docent://documents/board%3Asecret")

    assert text_of(crashed) == "Something went wrong inside Docent; the server's log says what."
    assert "board:secret" in found["search"].model_dump_json()
    assert "5 GeV" in resource.contents[0].model_dump()["text"]
    assert (settings.index.path.parent / FILE_NAME).is_file()


async def test_what_cannot_be_opened_is_told_and_tried_again(settings):
    folder = settings.index.path
    async with Client(started("-m", "tests.web.mcp.stdio", str(folder))) as client:
        tools = (await client.list_tools()).tools
        missing = await client.call_tool("search", {"query": "muon"})
        with pytest.raises(MCPError, match="There is no index here"):
            await client.read_resource("docent://documents/x")
        folder.mkdir()
        found = await client.call_tool("search", {"query": "muon"})

    assert len(tools) == 5
    assert (missing.is_error, text_of(missing)) == (
        True,
        "There is no index here. Run: docent ingest",
    )
    assert "Muon trigger menu" in text_of(found)
    assert "board" not in found.model_dump_json()


async def test_the_command_answers_where_there_is_no_index(tmp_path):
    config = tmp_path / "docent.toml"
    config.write_text(f'[index]\npath = "{tmp_path}/index"\n')
    program = started("-m", "docent", "mcp", "--config", str(config))
    async with Client(program) as client:
        told = await client.call_tool("search", {"query": "muon"})

    assert told.is_error
    assert "docent ingest" in text_of(told)


async def test_what_is_open_stays_open_and_what_is_not_is_tried_again(settings):
    made = []

    def make(settings):
        made.append(settings)
        if len(made) == 1:
            raise IndexMissing("There is no index here. Run: docent ingest")
        return FakeAssistant(list(DOCUMENTS))

    async with Local(settings, Reader(frozenset({"board"})), make) as local:
        with pytest.raises(IndexMissing, match="docent ingest"):
            await local.desk()
        one, other = await asyncio.gather(local.desk(), local.desk())

        assert one.services is other.services
        assert one.caller.reader.groups == {"board"}
        assert one.caller.via == "local"
    assert len(made) == 2
    assert one.services.streams.closing


@pytest.fixture
def signed(settings, monkeypatch):
    monkeypatch.setenv("DOCENT_SIGNIN_SECRET", "Zk3vQ9rT1xW7bN5mC2pL8sD4")
    signin = SignInSettings(issuer="http://127.0.0.1:1", client_id="docent")
    return settings.model_copy(update={"signin": signin})


async def token_for(signed, assistant, *scopes):
    async with opened(signed, assistant) as services:
        return await token_of(services, *scopes)


async def test_the_command_forwards_to_a_server_with_a_token(signed, assistant):
    token = await token_for(signed, assistant, "ask", "search", "read")
    with serving(signed, assistant) as address:
        program = started("-m", "docent", "mcp", "--url", address, DOCENT_TOKEN=token)
        async with Client(program) as client:
            found = await every_tool(client)

    assert "board:secret" in found["search"].model_dump_json()


async def test_a_forwarded_call_is_as_if_made_there(signed, assistant):
    token = await token_for(signed, assistant, "ask", "read")
    told = []

    async def progress(done, total, message):
        told.append(message)

    with serving(signed, assistant) as address:
        async with Client(forwarding(f"{address}/mcp", token)) as client:
            done = await client.call_tool(
                "ask", {"question": "muon trigger"}, progress_callback=progress
            )
            resource = await client.read_resource(f"docent://documents/{MENU}")
            with pytest.raises(MCPError, match="no such document, or you may not"):
                await client.read_resource("docent://documents/none")
            crashed = await client.call_tool("ask", {"question": "crash muon trigger"})
            lacking = await client.call_tool("search", {"query": "muon"})
            wrong = await client.call_tool("ask", {"query": "muon"})

    assert done.structured_content["status"] == "answered"
    assert told[-1].startswith("Reading ")
    assert "L1_MU4" in resource.contents[0].model_dump()["text"]
    assert text_of(crashed).startswith("Something went wrong inside Docent")
    assert text_of(lacking) == 'This token is not for that: it lacks the scope "search".'
    assert "question: Field required" in text_of(wrong)


async def test_when_rights_have_ended_or_the_server_is_away_it_is_said(signed, assistant):
    token = await token_for(signed, assistant, "search")
    call = ("search", {"query": "muon"})
    with serving(signed, assistant) as address:
        url = f"{address}/mcp"
        async with Client(forwarding(url, token)) as client:
            right = await client.call_tool(*call)
        async with Client(forwarding(url, "")) as client:
            without = await client.call_tool(*call)
        async with Client(forwarding(url, f"docent_{'0' * 16}_{'0' * 64}")) as client:
            ended = await client.call_tool(*call)
            with pytest.raises(MCPError, match="unknown, has expired or was revoked"):
                await client.read_resource("docent://documents/x")
        async with Client(forwarding(f"{address}/nothing", token)) as client:
            elsewhere = await client.call_tool(*call)
        port = int(address.rpartition(":")[2])
    async with Client(forwarding(url, token)) as client:
        away = await client.call_tool(*call)
        assert len((await client.list_tools()).tools) == 5
        with serving(signed, assistant, port):
            back = await client.call_tool(*call)

    assert not right.is_error
    assert not back.is_error
    assert all(one.is_error for one in (without, ended, elsewhere, away))
    assert "needs a token" in text_of(without)
    assert "unknown, has expired or was revoked" in text_of(ended)
    assert "put it into DOCENT_TOKEN" in text_of(ended)
    assert text_of(away).startswith(f"Docent at {url} does not answer.")
    for one in (without, ended, elsewhere, away):
        assert "Nothing is lost" in text_of(one)


async def test_a_server_that_is_too_slow_is_given_up_with_a_sentence_and_asked_anew(
    signed, assistant
):
    token = await token_for(signed, assistant, "ask")
    call = ("ask", {"question": "muon trigger"})
    with listen() as silent:
        port = silent.getsockname()[1]
        url = f"http://127.0.0.1:{port}/mcp"
        # It takes the connection, and says nothing.
        async with Client(forwarding(url, token, answer_s=0.2)) as client:
            slow = await asyncio.wait_for(client.call_tool(*call), 60)
    with serving(signed, assistant, port):
        async with Client(forwarding(url, token)) as client:
            back = await client.call_tool(*call)

    assert slow.is_error
    assert text_of(slow).startswith(f"Docent at {url} does not answer.")
    assert "Nothing is lost" in text_of(slow)
    assert back.structured_content["status"] == "answered"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"url": "http://docent.example.org"}, "give an https address"),
        ({"url": "https://user:x@docent.example.org"}, "give an https address"),
        ({"url": "docent.example.org"}, "give an https address"),
        ({"url": "https://docent.example.org", "as_": ["board"]}, "leave out the others"),
        ({"url": "https://docent.example.org", "config": Path("x")}, "leave out the others"),
    ],
)
def test_a_token_is_sent_only_where_nobody_reads_it_on_the_way(given, told):
    with pytest.raises(DocentError, match=told):
        mcp(**given)
