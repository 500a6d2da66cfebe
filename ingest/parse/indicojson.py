"""The shapes of Indico's HTTP export API that both its source and its parser read."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ingest.parse.clean import moment, text_of
from ingest.parse.jsontext import named

_NAMES = ("fullName", "full_name", "name")
_MOST_SPEAKERS = 3


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; empty for anything else."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def stamp(value: Any) -> str:
    """`{"date": …, "time": …}` as `2026-05-19T14:00:00`."""
    if isinstance(value, Mapping):
        return f"{text_of(value, 'date')}T{text_of(value, 'time') or '00:00'}"
    return value if isinstance(value, str) else ""


def starts(record: Mapping[str, Any]) -> datetime | None:
    """When an event or a talk begins, by the clock on its wall."""
    return moment(stamp(record.get("startDate")))


def shown(value: Any) -> str:
    """A time as people read it: `2026-05-19 14:00 Europe/Oslo`."""
    found = moment(stamp(value))
    if found is None:
        return ""
    zone = text_of(value, "tz") if isinstance(value, Mapping) else ""
    return f"{found:%Y-%m-%d %H:%M} {zone}".strip()


def people(value: Any) -> list[str]:
    """Names of a person or a list of persons, given name first."""
    persons = value if isinstance(value, list) else [value]
    return [name for name in (_person(person) for person in persons if person) if name]


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


def speakers(record: Mapping[str, Any]) -> list[str]:
    """Who gives a talk: its speakers, else its authors."""
    return people(record.get("speakers")) or people(record.get("primaryauthors"))


def called(record: Mapping[str, Any], default: str) -> str:
    """The title of a talk with those who give it: `Menu v8 (Ada Kroll)`."""
    title, names = text_of(record, "title") or default, speakers(record)
    told = names[:_MOST_SPEAKERS] + ["et al."] * (len(names) > _MOST_SPEAKERS)
    return f"{title} ({', '.join(told)})" if told else title


def contributions(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All talks of an event, those of its sessions too, in the order of their beginning."""
    found = [*objects(event.get("contributions"))]
    for session in objects(event.get("sessions")):
        found += objects(session.get("contributions"))
    # Unscheduled talks come last.
    return sorted(found, key=lambda talk: stamp(talk.get("startDate")) or "9")


def attachments(record: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What is attached to an event, a session or a talk: each with its folder."""
    for folder in objects(record.get("folders")):
        for attachment in objects(folder.get("attachments")):
            yield folder, attachment
