"""The tools, as the official client finds them in process: what they give, to whom, how much."""

import asyncio
import json
from dataclasses import replace

import pytest
from mcp import Client, MCPError

from ingest.access import Reader
from ingest.errors import ModelError
from ingest.model import BlockKind, Standing
from ingest.web_settings import LimitsSettings
from tests.web.documents import HOSTILE
from tests.web.fake import a_document
from web.limits import Limits
from web.line import Line
from web.mcp.server import TOOLS, server_for
from web.mcp.shapes import MAX_PART_CHARS, clean, cut
from web.mcp.tools import Desk, id_of, uri_of
from web.who import Scope, local_caller

MENU = "twiki:Trigger/MuonMenu.txt"
NAMES = ["ask", "search", "read_document", "list_sources", "glossary"]


@pytest.fixture
def as_(services):
    """A client of somebody with groups and scopes."""

    def client(*groups, scopes=None):
        caller = local_caller(Reader(frozenset(groups)))
        if scopes is not None:
            caller = replace(caller, scopes=frozenset(scopes))

        async def whose(context):
            return Desk(services, caller)

        return Client(server_for(whose, lambda context: caller.scopes))

    return client


def text_of(result):
    return result.content[0].text


def links_of(result):
    return [block.uri for block in result.content if block.type == "resource_link"]


async def test_every_tool_tells_what_it_takes_and_gives(as_):
    async with as_() as client:
        tools = (await client.list_tools()).tools

        assert [tool.name for tool in tools] == NAMES
        assert "make up" in client.instructions
    for tool in tools:
        assert tool.annotations.read_only_hint
        assert tool.input_schema["type"] == tool.output_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False


async def test_a_search_gives_passages_with_their_places_and_documents_as_links(as_):
    async with as_() as client:
        found = await client.call_tool("search", {"query": "L1_MU4 fires", "k": 2})

    best = found.structured_content["hits"][0]
    assert best["document_id"] == MENU
    assert best["uri"] == "docent://documents/twiki%3ATrigger%2FMuonMenu.txt"
    assert (best["section"], best["url"]) == (
        "Thresholds",
        "https://wiki.example.org/Trigger/MuonMenu",
    )
    assert "4 GeV" in best["text"]
    assert len(found.structured_content["hits"]) == 2
    assert found.structured_content["documents"] == 3
    # Two passages of one document: one link.
    assert links_of(found) == [best["uri"]]
    assert text_of(found).startswith(
        "Muon trigger menu › Thresholds · updated 2025-03-14 · https://wiki.example.org/"
    )


async def test_a_search_can_be_narrowed(as_):
    async with as_() as client:
        docs = await client.call_tool("search", {"query": "muon trigger", "sources": ["docs"]})
        none = await client.call_tool("search", {"query": "muon trigger", "sources": ["x"]})

    assert {hit["source"] for hit in docs.structured_content["hits"]} == {"docs"}
    assert docs.structured_content["documents"] == 1
    assert none.structured_content == {"hits": [], "documents": 0}
    assert text_of(none) == "Nothing was found among the documents you may read."


async def test_the_rights_are_those_of_the_caller(as_):
    wanted = {"query": "board moves trigger"}
    async with as_() as public, as_("board") as member:
        hidden = await public.call_tool("search", wanted)
        seen = await member.call_tool("search", wanted)
        refused = await public.call_tool("read_document", {"document_id": "board:secret"})
        read = await member.call_tool("read_document", {"document_id": "board:secret"})
        asked = await public.call_tool("ask", {"question": "Does the board move the trigger?"})
        sources = await public.call_tool("list_sources", {})
        with pytest.raises(MCPError, match="no such document, or you may not read it"):
            await public.read_resource("docent://documents/board%3Asecret")
        resource = await member.read_resource("docent://documents/board%3Asecret")

    assert "board:secret" in [hit["document_id"] for hit in seen.structured_content["hits"]]
    for told in (hidden, refused, asked, sources):
        assert "5 GeV" not in told.model_dump_json()
        assert "board:secret" not in told.model_dump_json()
    assert refused.is_error
    assert "5 GeV" in read.structured_content["text"]
    assert "5 GeV" in resource.contents[0].text


async def test_an_answer_has_checked_sentences_and_citations(as_, assistant):
    async with as_() as client:
        told = await client.call_tool("ask", {"question": "At how many GeV does L1_MU4 fire?"})

    answer = told.structured_content
    assert answer["status"] == "answered"
    first = answer["sentences"][0]
    assert (first["citations"], first["supported"]) == ([1], True)
    assert answer["sentences"][-1]["supported"] is False
    cited = answer["citations"][0]
    assert cited["number"] == 1
    assert cited["quote"] in first["text"]
    assert answer["notices"] == ["The menu is of last year."]
    assert answer["nearest"] == answer["contacts"] == []
    assert links_of(told) == [cited["uri"]]
    lines = text_of(told).split("\n")
    assert lines[0] == f"{first['text']} [1]"
    assert "It has always been this way. [not found in the documents]" in lines
    assert "Note: The menu is of last year." in lines
    assert lines[-1].startswith("“")
    assert assistant.asked[-1].text == "At how many GeV does L1_MU4 fire?"


async def test_what_is_not_found_names_the_nearest_pages_and_whom_to_ask(as_):
    async with as_() as client:
        told = await client.call_tool("ask", {"question": "missing muon trigger rate"})

    answer = told.structured_content
    assert answer["status"] == "not_found"
    assert {one["document_id"] for one in answer["nearest"]} <= {
        MENU,
        "docs:shifts/run-coordination.md",
    }
    assert len(answer["nearest"]) == len({one["uri"] for one in answer["nearest"]}) > 1
    assert answer["contacts"] == ["Petra Lindqvorn wrote the menu https://example.org/menu"]
    assert text_of(told).startswith("The documents do not say.\nClosest pages:\n- ")
    assert text_of(told).endswith("You may ask:\n- Petra Lindqvorn wrote the menu "
                                  "https://example.org/menu")  # fmt: skip


async def test_without_a_model_it_says_so_and_quotes(as_):
    async with as_() as client:
        told = await client.call_tool("ask", {"question": "away muon trigger"})

    assert told.structured_content["status"] == "extracts"
    assert text_of(told).startswith("The model is away.\n")


async def test_a_document_is_read_part_by_part(as_, assistant):
    document = assistant.documents[0]
    async with as_() as client:
        first = await client.call_tool("read_document", {"document_id": MENU, "chars": 500})
        offset = first.structured_content["next_offset"]
        rest = await client.call_tool("read_document", {"document_id": uri_of(MENU),
                                                        "offset": offset})  # fmt: skip
        behind = await client.call_tool("read_document", {"document_id": MENU, "offset": 10**9})

    assert offset == 500
    assert first.structured_content["chars"] == len(document.text)
    assert rest.structured_content["next_offset"] is None
    whole = first.structured_content["text"] + rest.structured_content["text"]
    assert whole == document.text
    assert "characters 0 to 500 of" in text_of(first)
    assert text_of(first).endswith("[Read on with offset 500.]")
    assert "by A. Keeper" in text_of(first)
    assert (behind.structured_content["text"], behind.structured_content["next_offset"]) == (
        "",
        None,
    )


async def test_a_document_of_ten_megabytes_is_capped_everywhere(as_, assistant):
    ten = "The beam is stable. " * 524_288
    big = a_document("big:one", "x" * 5_000, (BlockKind.PROSE, ten), url="https://e.example/" + "y"
                     * 5_000)  # fmt: skip
    assistant.documents[:] = [big]
    async with as_() as client:
        results = [
            await client.call_tool("read_document", {"document_id": "big:one"}),
            await client.call_tool("read_document", {"document_id": "big:one", "chars": 40_000}),
            await client.call_tool("search", {"query": "beam stable"}),
            await client.call_tool("ask", {"question": "Is the beam stable?"}),
            await client.call_tool("glossary", {}),
        ]
        resource = await client.read_resource("docent://documents/big%3Aone")
        more = await client.call_tool("read_document", {"document_id": "big:one", "chars": 40_001})

    for result in results:
        assert not result.is_error
        # Text and its structured twin, at most.
        assert len(result.model_dump_json()) < 100_000
    assert len(results[0].structured_content["text"]) == 16_000
    assert len(results[1].structured_content["text"]) == MAX_PART_CHARS
    assert results[1].structured_content["chars"] == len(ten)
    assert results[0].structured_content["title"] == "x" * 299 + "…"
    assert results[0].structured_content["url"] == ""
    assert len(resource.contents[0].text) < MAX_PART_CHARS + 200
    assert "read_document with offset 40000 reads on" in resource.contents[0].text
    assert more.is_error


async def test_sources_and_short_forms(as_, assistant):
    async with as_() as client:
        sources = await client.call_tool("list_sources", {})
        meant = await client.call_tool("glossary", {"term": " grl "})
        worded = await client.call_tool("glossary", {"term": "run list"})
        nothing = await client.call_tool("glossary", {"term": "XYZ"})

    assert sources.structured_content["sources"] == [
        {"name": "twiki", "documents": 1},
        {"name": "docs", "documents": 1},
        {"name": "mail", "documents": 1},
    ]
    assert text_of(sources).startswith("3 documents, last read 2025-03-14.\n- twiki: 1 documents")
    entry = meant.structured_content["entries"][0]
    assert (entry["short"], entry["long"]) == ("GRL", "good run list")
    assert entry["said_by"][0]["document_id"] == MENU
    assert worded.structured_content == meant.structured_content
    assert nothing.structured_content == {"entries": [], "more": False}
    assert text_of(nothing) == "No document that you may read says what this stands for."


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("search", {}, "query: Field required"),
        ("search", {"query": "  "}, "query: "),
        ("search", {"query": "x" * 4_001}, "query: "),
        ("search", {"query": "x", "k": 21}, "k: "),
        ("search", {"query": "x", "groups": ["board"]}, "groups: Extra inputs"),
        ("search", {"query": "x", "since": 7}, "since: Value error, a day is written as"),
        ("read_document", {"document_id": "x", "offset": -1}, "offset: "),
        ("list_sources", {"reader": "root"}, "reader: Extra inputs"),
        ("shell", {"command": "id"}, "There is no tool 'shell'"),
    ],
)
async def test_arguments_that_cannot_be_used_are_told_and_not_repeated(as_, tool, arguments, told):
    async with as_() as client:
        result = await client.call_tool(tool, arguments)

        assert result.is_error
        assert told in text_of(result)
        assert "xxxx" not in text_of(result)
        assert not (await client.call_tool("list_sources", {})).is_error


async def test_a_tool_that_breaks_is_an_answer_and_tells_nothing_of_documents(as_, assistant):
    async with as_() as client:
        crashed = await client.call_tool("ask", {"question": "crash muon trigger"})
        ours = await client.call_tool("ask", {"question": "break muon trigger"})
        assistant.failure = ModelError("The index is away. Ask again in a minute.")
        away = await client.call_tool("search", {"query": "muon"})
        with pytest.raises(MCPError, match="The index is away"):
            await client.read_resource(uri_of(MENU))
        assistant.failure = None
        again = await client.call_tool("ask", {"question": "muon trigger"})

    assert text_of(crashed) == "Something went wrong inside Docent; the server's log says what."
    assert text_of(ours) == "The model server went away. Start it again."
    assert text_of(away) == "The index is away. Ask again in a minute."
    assert all(one.is_error for one in (crashed, ours, away))
    assert again.structured_content["status"] == "answered"


async def test_a_token_shows_only_the_tools_that_it_may_use(as_):
    async with as_(scopes={Scope.SEARCH}) as client:
        named = [tool.name for tool in (await client.list_tools()).tools]
        asked = await client.call_tool("ask", {"question": "muon trigger"})
        read = await client.call_tool("read_document", {"document_id": MENU})
        with pytest.raises(MCPError, match='lacks the scope "read"'):
            await client.read_resource(uri_of(MENU))

    assert named == ["search", "list_sources", "glossary"]
    assert text_of(asked) == 'This token is not for that: it lacks the scope "ask".'
    assert read.is_error
    assert {tool.scope for tool in TOOLS} == {Scope.ASK, Scope.SEARCH, Scope.READ}


async def test_limits_are_those_of_the_api(as_, services):
    services.limits = Limits(asks=1, searches=1, asks_in_all=10)
    async with as_() as client:
        await client.call_tool("ask", {"question": "muon trigger"})
        often = await client.call_tool("ask", {"question": "muon trigger"})
        await client.call_tool("list_sources", {})
        searched = await client.call_tool("search", {"query": "muon"})

    assert "You have made 1 questions in a minute" in text_of(often)
    assert "Try again in" in text_of(often)
    assert "1 searches in a minute" in text_of(searched)
    assert LimitsSettings().asks_per_minute > 1


async def test_who_waits_is_told_that_it_goes_on(as_, services, assistant):
    services.heartbeat_s = 0.01
    services.line = Line(1, 5)
    first: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
    second: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    def telling(queue):
        async def progress(done, total, message):
            await queue.put((done, message))

        return progress

    async with as_() as client:
        asking = []
        for queue in (first, second):
            call = client.call_tool(
                "ask", {"question": "hold muon trigger"}, progress_callback=telling(queue)
            )
            asking.append(asyncio.create_task(call))
            for number in range(1, 4):
                done, message = await asyncio.wait_for(queue.get(), 20)
                assert done == number
        last = message
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
        again = await client.call_tool("ask", {"question": "muon trigger"})

    assert (await first.get())[1] == "Reading 6 passages."
    assert last == "Waiting in line: place 1."
    assert again.structured_content["status"] == "answered"
    assert assistant.closed == 2


async def test_what_was_shown_is_in_the_audit_log(as_, services):
    async with as_() as client:
        await client.call_tool("search", {"query": "L1_MU4 barrel", "k": 1})
        await client.call_tool("read_document", {"document_id": MENU})
        await client.call_tool("ask", {"question": "L1_MU4 barrel"})
        await client.call_tool("read_document", {"document_id": "board:secret"})
    await services.settled()

    rows = await services.state.audit.page()
    told = [(row.user_id, row.door) for row in reversed(rows) if row.door != "warned.old"]
    assert told == [("local", "search"), ("local", "document"), ("local", "ask")]
    assert next(row for row in rows if row.door == "document").documents == (MENU,)
    assert "board:secret" not in {document for row in rows for document in row.documents}


async def test_pages_cannot_smuggle_what_nobody_sees_or_addresses_that_run(as_, assistant):
    assistant.documents.append(
        a_document(
            "wiki:odd",
            "Odd\u202e \U000e0041title",
            (BlockKind.PROSE, "zero\u200bwidth\x1b"),
            url="javascript:alert(1)",
        )
    )
    async with as_() as client:
        odd = await client.call_tool("read_document", {"document_id": "wiki:odd"})
        hostile = await client.call_tool("search", {"query": "hostile page"})

    assert (odd.structured_content["title"], odd.structured_content["text"]) == (
        "Odd title",
        "zerowidth",
    )
    assert odd.structured_content["url"] == ""
    assert hostile.structured_content["hits"][0]["title"] == HOSTILE
    assert "javascript:" not in hostile.model_dump_json()


async def test_a_page_that_no_longer_holds_says_so(as_, assistant):
    page = a_document("wiki:old", "Old page", (BlockKind.PROSE, "Ancient lore of quotas."))
    assistant.documents += [
        replace(page, standing=Standing(superseded_by="wiki:new")),
        replace(page, id="wiki:gone", standing=Standing(archived=True)),
    ]
    async with as_() as client:
        found = await client.call_tool("search", {"query": "ancient lore"})
        read = await client.call_tool("read_document", {"document_id": "wiki:gone"})

    told = {hit["document_id"]: hit["outdated"] for hit in found.structured_content["hits"]}
    assert told["wiki:old"] == "superseded by wiki:new"
    assert told["wiki:gone"] == "archived"
    assert "superseded by wiki:new" in text_of(found)
    assert " · archived · " in text_of(read)


async def test_the_template_makes_the_addresses_that_the_tools_give(as_):
    async with as_() as client:
        templates = (await client.list_resource_templates()).resource_templates
        listed = (await client.list_resources()).resources

    assert [one.uri_template for one in templates] == ["docent://documents/{document_id}"]
    assert listed == []
    odd = "wiki:A b/ü?#%2F&x=1"
    assert id_of(uri_of(odd)) == odd
    assert json.dumps(uri_of(odd)).isascii()


def test_text_is_cut_with_a_mark():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdefg", 6) == "abcde…"
    assert clean("a\tb\nc\u2066d\ufeff") == "a\tb\ncd"
