"""Somebody who asks, and who comes back to any server when his line is cut, as the page does."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

CUTS = (httpx.TransportError,)


@dataclass
class One:
    """One question: where it was asked, what became of it."""

    server: int
    part: int
    asked_at: float = field(default_factory=time.monotonic)
    ended_at: float = 0.0
    stream_id: str = ""
    last: str = ""
    cut: list[str] = field(default_factory=list)
    """How often the line broke, and how."""
    end: str = ""
    """`answer`, `error`, or nothing where the question was never taken."""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def generations(self) -> set[int]:
        """Of the index, as what was quoted tells."""
        quotes = [citation["quote"] for citation in self.data["citations"]]
        return {int(n) // 100 for quote in quotes for n in re.findall(r"is (\d+) GeV", quote)}


async def asked(client: httpx.AsyncClient, urls: list[str], one: One) -> None:
    """Ask at a server; after a cut go on at the others, one after the other."""
    server = one.server
    body = {"question": f"What is the threshold of part {one.part} in GeV?"}
    try:
        post = client.stream("POST", f"{urls[server]}/api/v1/ask", json=body, headers=_headers(one))
        async with post as response:
            await _read(response, one)
    except CUTS as cut:
        one.cut.append(f"{server}: {cut!r}")
    while one.stream_id and not one.end:
        server = (server + 1) % len(urls)
        at = f"{urls[server]}/api/v1/streams/{one.stream_id}"
        try:
            async with client.stream("GET", at, headers=_headers(one)) as response:
                await _read(response, one)
        except CUTS as cut:
            one.cut.append(f"{server}: {cut!r}")
            await asyncio.sleep(0.1)


def _headers(one: One) -> dict[str, str]:
    # A connection that was kept would break with the server at its other end, for a later question.
    given = {"Accept": "text/event-stream", "Connection": "close"}
    return given | ({"Last-Event-ID": one.last} if one.last else {})


async def _read(response: httpx.Response, one: One) -> None:
    if response.status_code != httpx.codes.OK:
        one.cut.append(f"{response.status_code}: {(await response.aread()).decode()[:200]}")
        return
    async for name, number, data in _events(response):
        one.last = number or one.last
        if name == "stream":
            one.stream_id = data["stream_id"]
        if name in ("answer", "error"):
            one.end, one.data, one.ended_at = name, data, time.monotonic()


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and "event" in fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
            fields = {}
