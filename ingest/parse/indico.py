"""Indico HTTP API exports: events with their minutes and contributions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.errors import ParseError
from ingest.model import Document, Page
from ingest.parse.builder import DocumentBuilder
from ingest.parse.clean import moment, text_of
from ingest.parse.htmlwalk import add_html
from ingest.parse.jsontext import load_json, named, records

_NAMES = ("fullName", "full_name", "name")


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
    builder = DocumentBuilder(
        page,
        text_of(event, "id"),
        title=text_of(event, "title"),
        url=text_of(event, "url"),
        author=_people(event.get("chairs")) or _people(event.get("creator")),
        updated_at=moment(_stamp(event.get("modificationDate")) or _stamp(event.get("startDate"))),
    )
    builder.table(["field", "value"], list(_facts(event)))
    add_html(builder, text_of(event, "description"), shift=1)
    _add_note(builder, event.get("note"), 1)
    for talk in _contributions(event):
        _add_contribution(builder, talk)
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
        "starts": _shown(event.get("startDate")),
        "ends": _shown(event.get("endDate")),
        "place": place,
        "category": text_of(event, "category"),
        "chairs": _people(event.get("chairs")),
        "keywords": named(event.get("keywords"), "name"),
        "material": ", ".join(_material(event)),
    }
    yield from ((name, value) for name, value in facts.items() if value)


def _stamp(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{text_of(value, 'date')}T{text_of(value, 'time') or '00:00'}"
    return value if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    found = moment(_stamp(value))
    if found is None:
        return ""
    zone = text_of(value, "tz") if isinstance(value, Mapping) else ""
    return f"{found:%Y-%m-%d %H:%M} {zone}".strip()


def _people(value: Any) -> str:
    people = value if isinstance(value, list) else [value]
    return ", ".join(filter(None, (_person(person) for person in people if person)))


def _person(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return ""
    first, last = text_of(value, "first_name"), text_of(value, "last_name")
    # Indico writes "Surname, Name"; people ask for "Name Surname".
    name = f"{first} {last}".strip() or named(value, *_NAMES)
    family, comma, given = name.partition(",")
    return f"{given.strip()} {family.strip()}" if comma else name


def _add_note(builder: DocumentBuilder, note: Any, level: int) -> None:
    markup = text_of(note, "html") if isinstance(note, Mapping) else ""
    if markup.strip():
        if not re.match(r"\s*<h[1-6][^>]*>\s*minutes", markup, re.IGNORECASE):
            builder.heading(level, "Minutes")
        add_html(builder, markup, shift=level)


def _contributions(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = list(_mappings(event.get("contributions")))
    for session in _mappings(event.get("sessions")):
        found.extend(_mappings(session.get("contributions")))
    # Unscheduled talks come last.
    return sorted(found, key=lambda talk: _stamp(talk.get("startDate")) or "9")


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    for item in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
        if isinstance(item, Mapping):
            yield item


def _add_contribution(builder: DocumentBuilder, talk: Mapping[str, Any]) -> None:
    number = text_of(talk, "id")
    builder.heading(
        1, text_of(talk, "title") or "Contribution", f"contribution-{number}" if number else ""
    )
    speakers = _people(talk.get("speakers")) or _people(talk.get("primaryauthors"))
    minutes = text_of(talk, "duration")
    told = {
        "Speaker": speakers,
        "Starts": _shown(talk.get("startDate")),
        "Duration": f"{minutes} min" if minutes not in ("", "0") else "",
        "Session": text_of(talk, "session"),
        "Material": ", ".join(_material(talk)),
    }
    builder.prose(". ".join(f"{name}: {value}" for name, value in told.items() if value))
    add_html(builder, text_of(talk, "description"), shift=2)
    _add_note(builder, talk.get("note"), 2)
    for part in _mappings(talk.get("subContributions")):
        builder.heading(2, text_of(part, "title"))
        builder.prose(_people(part.get("speakers")))
        add_html(builder, text_of(part, "description"), shift=3)


def _material(record: Mapping[str, Any]) -> list[str]:
    names = []
    for folder in _mappings(record.get("folders")):
        for file in _mappings(folder.get("attachments")):
            names.append(text_of(file, "title") or text_of(file, "filename"))
    return [name for name in names if name]
