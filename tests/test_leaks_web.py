"""A stranger walks every route with every id that another reader's account can teach him.

Alice may read what the board writes; Bob signs in too and may not. Whatever Alice is told, Bob
sends everywhere an id can stand: he must get what somebody gets who made the id up, byte by byte,
and it must cost the server as many statements and reads.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from assistant.answer import Assistant
from assistant.retrieve import Retriever
from ingest.settings import AnswerSettings, IndexSettings, RetrievalSettings, Settings
from ingest.web_settings import LimitsSettings
from tests.fakes import HashEmbedder
from tests.ingest.corpus import build, document
from tests.test_leaks import EchoLLM
from tests.web.people import People, among, person
from web.app import create_app
from web.bootstrap import opened
from web.who import Role

MARKS = ("zqboard", "zqvault", "Quillfeather", "VLTX")
"""Stand in pages of the board and nowhere else: a body, an address, an author, an acronym."""
QUESTION = "How large is the storage of the vault?"
METHODS = ("get", "post", "patch", "put", "delete")
LEARNED = re.compile(r'"((?:[^"\\]|\\.){1,300})"')
MADE_UP = {
    "conversation_id": "00000000-0000-4000-8000-000000000000",
    "message_id": "00000000-0000-4000-8000-000000000000",
    "share_id": "A" * 43,
    "stream_id": "A" * 22,
    "token_id": "0" * 16,
    "document_id": "test:zqnothing",
    "feedback_id": "00000000-0000-4000-8000-000000000000",
    "gap_id": "00000000-0000-4000-8000-000000000000",
    "name": "nothing",
    "number": "999",
    "service": "zqnowhere",
}


def settings_in(folder) -> Settings:
    return Settings(
        index=IndexSettings(path=folder / "index"),
        limits=LimitsSettings(
            asks_per_minute=100_000, searches_per_minute=100_000, asks_in_all_per_minute=100_000,
            slots=10,
        ),
    )  # fmt: skip


def documents(*, secret: bool):
    yield document("open", "The storage of the vault is told by the board. Ask the board.")
    yield document("shelf", "The shelf of the muon detector is 30 m long.")
    if secret:
        yield document(
            "zqvault", "The storage of the vault is 5 TB at zqboard. The Vault Ledger of Tomes "
            "and Xylographs (VLTX) is kept beside the storage of the vault.",
            access=frozenset({"board"}), title="The vault of zqboard",
            url="https://x.example/zqvault", author="A. Quillfeather",
        )  # fmt: skip


@dataclass
class World:
    services: Any
    people: People
    client: httpx.AsyncClient
    paths: dict[str, dict[str, Any]]

    async def asks(self, who: str, method: str, path: str, **sent: Any) -> httpx.Response:
        return await self.client.request(method, path, headers=person(who), **sent)


@asynccontextmanager
async def world(folder, *, secret: bool) -> AsyncIterator[World]:
    embedder = HashEmbedder()
    index = build(folder / "index", embedder, *documents(secret=secret))
    assistant = Assistant(
        retriever=Retriever(index, embedder, RetrievalSettings()),
        embedder=embedder, llm=EchoLLM(), settings=AnswerSettings(), max_tokens=200,
    )  # fmt: skip
    settings = settings_in(folder)
    async with opened(settings, assistant) as services:
        names = {"alice": ("board",), "bob": (), "mallory": ()}
        async with among(services, **names) as (people, client):
            await people.join(services.state, "mallory", role=Role.ADMIN)
            yield World(services, people, client, create_app(services).openapi()["paths"])
    index.close()


def strings(value: Any) -> Iterator[str]:
    """Every text in some JSON."""
    if isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)
    elif isinstance(value, str) and 0 < len(value) <= 300:
        yield value


async def live(world: World) -> list[str]:
    """Alice uses everything; all texts that she is told, ids among them."""
    told: list[str] = []

    async def do(method: str, path: str, **sent: Any) -> Any:
        response = await world.asks("alice", method, path, **sent)
        assert response.status_code < 300, (method, path, response.text)
        if response.headers.get("content-type", "").startswith("application/json"):
            told.extend(strings(response.json()))
            return response.json()
        told.extend(LEARNED.findall(response.text))
        return None

    asked = await do("POST", "/api/v1/ask", json={"question": QUESTION})
    assert "zqboard" in asked["answer"], "what is not told to Alice proves nothing about Bob"
    conversation = f"/api/v1/conversations/{asked['conversation_id']}"
    await do("GET", conversation)
    await do("GET", "/api/v1/conversations")
    await do("GET", f"{conversation}/export")
    await do("POST", f"{conversation}/share")
    # Her own words are for the maintainers, so they hold no mark.
    feedback = {"helpful": False, "text": "It has moved.", "right_page": "test:shelf"}
    await do("POST", f"/api/v1/messages/{asked['message_id']}/feedback", json=feedback)
    expires = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    wanted = {"name": "zqboard", "scopes": ["ask"], "expires_at": expires}
    await do("POST", "/api/v1/tokens", json=wanted)
    mine = (await do("GET", "/api/v1/me"))["user_id"]
    await world.services.state.links.put(mine, "zqchat", "zqada", "Ada")
    await do("GET", "/api/v1/links")
    async with world.client.stream(
        "POST", "/api/v1/ask", json={"question": QUESTION},
        headers={**person("alice"), "Accept": "text/event-stream"},
    ) as stream:  # fmt: skip
        told.extend(LEARNED.findall((await stream.aread()).decode()))
    await do("POST", "/api/v1/search", json={"query": QUESTION})
    for path in ("glossary", "facets", "tokens", "account/export", "me"):
        await do("GET", f"/api/v1/{path}")
    await do("GET", "/api/v1/documents/test:zqvault")
    # Sentences are no ids, and what is open to everybody is no secret.
    ids = {one for one in told if re.fullmatch(r"[\w.:@-]{1,80}", one) and "open" not in one}
    known = {"test:shelf", "type", "title", "status", "detail"}  # open, and the words of refusals
    return sorted({*ids, *MARKS, "test:zqvault", "test:zqvault@0"} - known)


def bodies(path: str, learned: str) -> list[dict[str, Any]]:
    """What to send to a route, an id in each place where one can stand."""
    sent: dict[str, list[dict[str, Any]]] = {
        "/api/v1/ask": [
            {"question": "What else?", "conversation_id": learned},
            {"question": "What else?", "conversation_id": learned, "replaces": learned},
            {"question": "How long is it?", "filter": {"sources": [learned]}, "keep": False},
        ],
        "/api/v1/search": [
            {"query": "the storage", "filter": {"sources": [learned]}},
            {"query": "the storage", "filter": {"formats": [learned]}},
        ],
        "/api/v1/conversations/{conversation_id}": [{"title": "Mine now"}],
        "/api/v1/messages/{message_id}/feedback": [{"helpful": True, "text": "x"}],
        "/api/v1/links": [{"code": learned}],
        "/api/v1/links/about": [{"code": learned}],
        "/api/v1/devices": [{"user_code": learned, "allow": True}],
        "/api/v1/devices/about": [{"user_code": learned}],
        "/v1/chat/completions": [
            {"model": learned, "messages": [{"role": "user", "content": "How long?"}]}
        ],
        "/v1/embeddings": [{"model": learned, "input": "x"}],
    }
    return sent.get(path, [{}])


def comparable(response: httpx.Response, sent: str) -> tuple[int, str]:
    """A response without what differs each time, and without what was sent."""
    text = response.text.replace(sent, "SENT")
    for wild in (r'"(request_id|id|created|.*_at|.*_ms)": ?("[^"]*"|[0-9.]+)', r"chatcmpl-\w+"):
        text = re.sub(wild, "", text)
    return response.status_code, text


def with_id(path: str, learned: str) -> str:
    """The path with an id in the place of its parameter, escaped as one that a browser sends."""
    from urllib.parse import quote

    return re.sub(r"\{\w+\}", lambda _: quote(learned, safe=""), path)


SHARED = "/api/v1/shares/{share_id}"
OWN = {"/api/v1/account"}
"""Deleting one's own account ends the walk."""


@pytest.mark.parametrize("who", ["bob", "mallory"])
async def test_a_stranger_with_every_id_gets_what_a_made_up_one_gets(tmp_path, who):
    async with world(tmp_path, secret=True) as there:
        learned = await live(there)
        before = (await there.asks("alice", "GET", "/api/v1/account/export")).json()
        walked, wrong = 0, []

        async def send(path: str, method: str, one: str, number: int) -> httpx.Response:
            body = {"json": bodies(path, one)[number]}
            sent = body if "requestBody" in there.paths[path][method] else {}
            return await there.asks(who, method.upper(), with_id(path, one), **sent)

        for path, methods in there.paths.items():
            names = re.findall(r"\{(\w+)\}", path)
            for method in set(METHODS) & set(methods):
                if path in OWN and method == "delete":
                    continue
                has_body = "requestBody" in methods[method]
                made_up = MADE_UP[names[0]] if names else "zqnobody"
                ids = learned if names or has_body else [made_up]
                for number in range(len(bodies(path, made_up)) if has_body else 1):
                    expected = comparable(await send(path, method, made_up, number), made_up)
                    for one in ids:
                        response = await send(path, method, one, number)
                        walked += 1
                        told = response.text.replace(one, "SENT")
                        leaks = [mark for mark in MARKS if mark in told]
                        # An id that is too long or holds odd characters may be refused as such.
                        odd = response.status_code in (404, 422) and expected[0] in (404, 422)
                        same = odd or not names or comparable(response, one) == expected
                        same = same or path == SHARED  # a link is for whoever has it
                        if leaks or not same or response.status_code >= 500:
                            wrong.append((method, path, one, response.status_code, leaks))
        after = (await there.asks("alice", "GET", "/api/v1/account/export")).json()
    assert wrong == [], "\n".join(map(str, wrong))
    assert walked > 500
    assert before["conversations"] == after["conversations"]
    assert before["links"] == after["links"] != []


async def test_counts_are_those_of_an_index_without_the_secret(tmp_path):
    told = []
    for secret in (True, False):
        async with world(tmp_path / str(secret), secret=secret) as there:
            one = []
            for path in ("facets", "glossary"):
                one.append((await there.asks("bob", "GET", f"/api/v1/{path}")).json())
            health = (await there.asks("bob", "GET", "/api/v1/health")).json()
            one.append((health["documents"], health["chunks"]))
            found = (
                await there.asks("bob", "POST", "/api/v1/search", json={"query": QUESTION})
            ).json()
            one.append((found["facets"], [hit["document_id"] for hit in found["hits"]]))
            told.append(one)
    assert told[0] == told[1]


async def test_forbidden_costs_the_server_what_missing_costs(tmp_path):
    statements: list[str] = []

    def count(conn, cursor, statement, parameters, context, executemany):
        statements.append(statement)

    async with world(tmp_path, secret=True) as there:
        learned = await live(there)
        await there.services.settled()
        event.listen(Engine, "before_cursor_execute", count)
        try:
            costs = {}
            for kind, document_id in (("missing", "test:zqnothing"), ("forbidden", "test:zqvault")):
                statements.clear()
                response = await there.asks("bob", "GET", f"/api/v1/documents/{document_id}")
                await there.services.settled()
                costs[kind] = (response.status_code, list(statements))
            assert costs["missing"] == costs["forbidden"]
            for path, parameter in (
                ("/api/v1/conversations/{}", "conversation_id"),
                ("/api/v1/conversations/{}/export", "conversation_id"),
            ):
                mine = [one for one in learned if len(one) == len(MADE_UP[parameter])]
                seen = set()
                for one in (MADE_UP[parameter], *mine):
                    statements.clear()
                    response = await there.asks("bob", "GET", path.format(one))
                    await there.services.settled()
                    seen.add((response.status_code, tuple(statements)))
                assert len(seen) == 1
        finally:
            event.remove(Engine, "before_cursor_execute", count)


async def test_a_share_shows_no_more_than_its_looker_may_read(tmp_path):
    async with world(tmp_path, secret=True) as there:
        asked = (
            await there.asks("alice", "POST", "/api/v1/ask", json={"question": QUESTION})
        ).json()
        conversation = f"/api/v1/conversations/{asked['conversation_id']}"
        share = (await there.asks("alice", "POST", f"{conversation}/share")).json()
        path = f"/api/v1/shares/{share['share_id']}"
        hers = (await there.asks("alice", "GET", path)).text
        his = (await there.asks("bob", "GET", path)).text
    assert "zqboard" in hers
    assert [mark for mark in MARKS if mark in his] == []
