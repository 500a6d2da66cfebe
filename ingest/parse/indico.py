"""Indico HTTP API exports: events with their minutes, sessions and contributions.

The heading of a talk names who gives it, so that each piece of its text says event, speaker, day.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import moment, text_of
from ingest.parse.htmlwalk import add_html
from ingest.parse.indicojson import (
    attachments,
    called,
    contributions,
    objects,
    people,
    shown,
    speakers,
    stamp,
    starts,
)
from ingest.parse.jsontext import load_json, named, records


def parse(page: Page) -> list[Document]:
    """One document for each event of an export."""
    events = [
        record
        for record in records(load_json(page), "results")
        if text_of(record, "title") and text_of(record, "id")
    ]
    if not events:
        msg = f"{page.id} holds no Indico event with id and title. Set its format."
        raise ParseError(msg)
    return [_event(page, event) for event in events]


def _event(page: Page, event: Mapping[str, Any]) -> Document:
    number = text_of(event, "id")
    own = f"{page.id}/".startswith(f"{page.source}:{number}/")
    builder = DocumentBuilder(
        page,
        "" if own else number,
        title=text_of(event, "title"),
        url=text_of(event, "url"),
        author=", ".join(people(event.get("chairs")) or people(event.get("creator"))),
        updated_at=starts(event) or moment(stamp(event.get("modificationDate"))),
    )
    builder.table(["field", "value"], list(_facts(event)))
    add_html(builder, text_of(event, "description"), shift=1)
    _add_note(builder, event.get("note"), 1)
    for session in objects(event.get("sessions")):
        _add_session(builder, session)
    for talk in contributions(event):
        _add_talk(builder, talk, 1, text_of(talk, "id"))
    return builder.build()


def _facts(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    # The title stands among the facts so that an event without a programme still has text.
    place = ", ".join(
        dict.fromkeys(
            part for key in ("room", "location", "address") if (part := text_of(event, key))
        )
    )
    facts = {
        "event": text_of(event, "title"),
        "starts": shown(event.get("startDate")),
        "ends": shown(event.get("endDate")),
        "place": place,
        "category": text_of(event, "category"),
        "chairs": ", ".join(people(event.get("chairs"))),
        "keywords": named(event.get("keywords"), "name"),
        "material": _material(event),
    }
    yield from ((name, value) for name, value in facts.items() if value)


def _add_note(builder: DocumentBuilder, note: Any, level: int) -> None:
    markup = text_of(note, "html") if isinstance(note, Mapping) else ""
    if markup.strip():
        if not re.match(r"\s*<h[1-6][^>]*>\s*minutes", markup, re.IGNORECASE):
            builder.heading(level, "Minutes")
        add_html(builder, markup, shift=level)


def _add_session(builder: DocumentBuilder, session: Mapping[str, Any]) -> None:
    """What belongs to a session as a whole; its talks come among the others."""
    told = {
        "Conveners": ", ".join(people(session.get("conveners"))),
        "Starts": shown(session.get("startDate")),
        "Material": _material(session),
    }
    note = session.get("note")
    if not (told["Material"] or (isinstance(note, Mapping) and text_of(note, "html").strip())):
        return
    builder.heading(1, f"Session: {text_of(session, 'title')}")
    _add_told(builder, told)
    _add_note(builder, note, 2)


def _add_talk(builder: DocumentBuilder, talk: Mapping[str, Any], level: int, number: str) -> None:
    """A contribution or, one level deeper, a part of one."""
    anchor = f"contribution-{number}" if number else ""
    builder.heading(level, called(talk, "Contribution"), anchor)
    minutes = text_of(talk, "duration")
    _add_told(
        builder,
        {
            "Speaker": ", ".join(speakers(talk)),
            "Starts": shown(talk.get("startDate")),
            "Duration": f"{minutes} min" if minutes not in ("", "0") else "",
            "Session": text_of(talk, "session"),
            "Track": text_of(talk, "track"),
            "Material": _material(talk),
        },
    )
    add_html(builder, text_of(talk, "description"), shift=level + 1)
    _add_note(builder, talk.get("note"), level + 1)
    for part in objects(talk.get("subContributions")):
        _add_talk(builder, part, level + 1, "")


def _add_told(builder: DocumentBuilder, told: Mapping[str, str]) -> None:
    builder.prose(". ".join(f"{name}: {value}" for name, value in told.items() if value))


def _material(record: Mapping[str, Any]) -> str:
    names = (text_of(file, "title") or text_of(file, "filename") for _, file in attachments(record))
    return ", ".join(name for name in names if name)
