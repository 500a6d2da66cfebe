"""The five tools: each takes its arguments for one caller and gives what `shapes` says.

They stand on the same services as the HTTP API: the same limits, the same line before the model,
the same audit log, and every read is done as the caller's `Reader`.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

import anyio

from assistant.model import Answer, Citation, Passage, Question, Status
from ingest.index import Entry
from ingest.model import Document, Standing
from web import answers
from web.mcp.shapes import (
    MAX_ANSWER_CHARS,
    MAX_CITED,
    MAX_HIT_CHARS,
    MAX_LISTED,
    MAX_PART_CHARS,
    MAX_QUOTE_CHARS,
    AskIn,
    AskOut,
    CitationOut,
    EntryOut,
    GlossaryIn,
    GlossaryOut,
    HitOut,
    NothingIn,
    PlaceOut,
    ReadIn,
    ReadOut,
    SaidByOut,
    SearchIn,
    SearchOut,
    SentenceOut,
    SourceOut,
    SourcesOut,
    address,
    clean,
    cut,
    line,
)
from web.problems import NO_DOCUMENT
from web.services import Services
from web.streams import ENDED_BY_ASKER, Running
from web.who import Caller

URI = "docent://documents/"
NEAREST = 5
SAID_BY = 3

Report = Callable[[str], Awaitable[None]]
"""Tells the client how far it is, so that it goes on waiting."""


class NotDone(Exception):
    """A tool could not do what was asked; the sentence is for the model and the person."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a tool works: for whom, with what."""

    services: Services
    caller: Caller


def uri_of(document_id: str) -> str:
    """A document as a resource.

    >>> uri_of("wiki:Trigger/Menu")
    'docent://documents/wiki%3ATrigger%2FMenu'
    """
    return URI + quote(document_id, safe="")


def id_of(named: str) -> str:
    """The id that an address of ours means; anything else is taken for an id.

    >>> id_of("docent://documents/wiki%3ATrigger%2FMenu")
    'wiki:Trigger/Menu'
    """
    return unquote(named.removeprefix(URI)) if named.startswith(URI) else named


async def search(desk: Desk, given: SearchIn, report: Report) -> SearchOut:
    """Find passages."""
    services, reader, only = desk.services, desk.caller.reader, given.only()
    await services.count("search", desk.caller)
    began = time.perf_counter()
    found = await services.assistant.search(given.query, reader, given.k, only=only)
    counts = await services.assistant.counts(reader, only)
    services.searched(time.perf_counter() - began)
    services.shown(desk.caller, "search", (passage.document_id for passage in found))
    return SearchOut(hits=[_hit(passage) for passage in found], documents=counts.documents)


async def ask(desk: Desk, given: AskIn, report: Report) -> AskOut:
    """Answer a question."""
    services = desk.services
    await services.count("ask", desk.caller)
    services.admit()
    question = Question(given.question, desk.caller.reader, filter=given.only())
    stream = answers.begin(services, answers.Asked(desk.caller, question))
    try:
        await _wait(stream, report, services.heartbeat_s)
    finally:
        if not stream.ended:
            # Who asked has gone or has cancelled: the model has others to answer.
            with anyio.CancelScope(shield=True):
                await stream.stop(HTTPStatus.GONE, ENDED_BY_ASKER)
    if stream.result is None:
        raise NotDone(str(stream.events[-1].data.get("detail", "")))
    return _answered(stream.result)


async def read_document(desk: Desk, given: ReadIn, report: Report) -> ReadOut:
    """Read a part of a document."""
    await desk.services.count("search", desk.caller)
    document = await _document(desk, id_of(given.document_id))
    start = min(given.offset, len(document.text))
    end = min(start + given.chars, len(document.text))
    return ReadOut(
        document_id=document.id,
        uri=uri_of(document.id),
        title=line(document.title),
        url=address(document.url),
        source=document.source,
        format=document.format,
        author=line(document.author),
        updated_at=_moment(document.updated_at),
        outdated=_outdated(document.standing),
        offset=start,
        next_offset=end if end < len(document.text) else None,
        chars=len(document.text),
        text=clean(document.text[start:end]),
    )


async def list_sources(desk: Desk, given: NothingIn, report: Report) -> SourcesOut:
    """What there is to search."""
    assistant, reader = desk.services.assistant, desk.caller.reader
    await desk.services.count("search", desk.caller)
    facets = await assistant.facets(reader)
    counts = await assistant.counts(reader)
    named = [SourceOut(name=one.value, documents=one.count) for one in facets.sources[:MAX_LISTED]]
    return SourcesOut(
        sources=named, documents=counts.documents, built_at=counts.built_at.isoformat()
    )


async def glossary(desk: Desk, given: GlossaryIn, report: Report) -> GlossaryOut:
    """What a short form stands for."""
    await desk.services.count("search", desk.caller)
    entries = _meant(await desk.services.assistant.glossary(desk.caller.reader), given.term)
    told = [_entry(entry) for entry in entries[:MAX_LISTED]]
    return GlossaryOut(entries=told, more=len(entries) > MAX_LISTED)


async def resource(desk: Desk, uri: str) -> Document:
    """The document behind an address of ours.

    Raises:
        NotDone: there is none, or none that the caller may read.
    """
    await desk.services.count("search", desk.caller)
    return await _document(desk, id_of(uri))


def whole(document: Document) -> str:
    """The text of a resource; of a long one the beginning, and how to read on."""
    shown = clean(document.text[:MAX_PART_CHARS])
    rest = len(document.text) - MAX_PART_CHARS
    if rest <= 0:
        return shown
    told = f"{rest} more characters: read_document with offset {MAX_PART_CHARS} reads on."
    return f"{shown}\n\n[{told}]"


async def _document(desk: Desk, document_id: str) -> Document:
    found = await desk.services.assistant.document(document_id, desk.caller.reader)
    if found is None:
        raise NotDone(NO_DOCUMENT)
    desk.services.shown(desk.caller, "document", [document_id])
    return found


async def _wait(stream: Running, report: Report, every_s: float) -> None:
    """Returns when the answer has ended; tells where it is at each step and now and then."""
    told = "Waiting for the model."

    async def beat() -> None:
        while True:
            await anyio.sleep(every_s)
            await report(told)

    async with anyio.create_task_group() as group:
        group.start_soon(beat)
        async with aclosing(stream.follow()) as events:
            async for _, sent in events:
                match sent.name:
                    case "queued":
                        told = f"Waiting in line: place {sent.data['place']}."
                    case "passages":
                        told = f"Reading {len(sent.data['passages'])} passages."
                    case _:
                        continue
                await report(told)
        group.cancel_scope.cancel()


def _answered(answer: Answer) -> AskOut:
    missing = answer.status is Status.NOT_FOUND
    return AskOut(
        status=answer.status,
        answer=cut(answer.text, MAX_ANSWER_CHARS),
        sentences=[
            SentenceOut(
                text=cut(one.text, MAX_QUOTE_CHARS),
                citations=list(one.citations),
                supported=one.supported,
            )
            for one in answer.sentences[:MAX_LISTED]
        ],
        citations=[_citation(one) for one in answer.citations[:MAX_CITED]],
        notices=[line(one.text) for one in answer.notices[:MAX_CITED]],
        contacts=[_contact(one.name, one.why, one.url) for one in answer.contacts[:MAX_CITED]],
        nearest=_nearest(answer.passages) if missing else [],
    )


def _contact(name: str, why: str, url: str) -> str:
    return line(f"{name} {why} {address(url)}")


def _nearest(passages: Iterable[Passage]) -> list[PlaceOut]:
    first: dict[str, Passage] = {}
    for passage in passages:
        first.setdefault(passage.document_id, passage)
    return [
        PlaceOut(
            document_id=one.document_id,
            uri=uri_of(one.document_id),
            title=line(one.title),
            url=address(one.url),
        )
        for one in list(first.values())[:NEAREST]
    ]


def _place(one: Passage | Citation) -> dict[str, Any]:
    return {
        "document_id": one.document_id,
        "uri": uri_of(one.document_id),
        "title": line(one.title),
        "url": address(one.url),
        "source": one.source,
        "section": line(" › ".join(one.section)),
        "page": one.page,
        "updated_at": _moment(one.updated_at),
        "outdated": _outdated(one.standing),
    }


def _hit(passage: Passage) -> HitOut:
    return HitOut(**_place(passage), text=cut(passage.text, MAX_HIT_CHARS))


def _citation(citation: Citation) -> CitationOut:
    quoted = cut(citation.quote, MAX_QUOTE_CHARS)
    return CitationOut(**_place(citation), number=citation.marker, quote=quoted)


def _meant(entries: Sequence[Entry], term: str) -> list[Entry]:
    """The entries of a short form; where there is none, those that have the words in them."""
    wanted = " ".join(term.split()).casefold()
    same = [entry for entry in entries if entry.short.casefold() == wanted]
    return same or [
        entry
        for entry in entries
        if wanted in entry.short.casefold() or wanted in entry.long.casefold()
    ]


def _entry(entry: Entry) -> EntryOut:
    return EntryOut(
        short=line(entry.short),
        long=line(entry.long),
        said_by=[
            SaidByOut(
                document_id=one.document_id,
                uri=uri_of(one.document_id),
                title=line(one.title),
                url=address(one.url),
            )
            for one in entry.sources[:SAID_BY]
        ],
    )


def _outdated(standing: Standing) -> str:
    if standing.superseded_by:
        return line(f"superseded by {standing.superseded_by}")
    return "archived" if standing.archived else ""


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
