"""Whom to ask when the documents do not tell: who keeps the pages that come nearest.

Pure: the caller reads the documents as the asking reader, so nobody learns of a page through the
name of its author.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from assistant.model import Contact
from assistant.render import day
from ingest.model import Document

MOST = 4
"""Contacts with one answer."""
NAME_CHARS = 80
"""A longer line behind `Contact:` is a paragraph and names nobody in particular."""

_LINE = re.compile(
    r"^[\s*\-•]*(?:contacts?|contact persons?|maintainers?|maintained by|owners?|responsible"
    r"|page owners?|questions to)\b[ \t]*:[ \t]*(?P<who>\S[^\n|]*)$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADING = re.compile(
    r"^(?:contacts?|contact persons?|maintainers?|responsible|whom? to ask)$", re.IGNORECASE
)
_WIKI_NAME = re.compile(r"(?:[^\W\d_a-z][^\W\d_A-Z]+){2,}")
_HUMP = re.compile(r"[^\W\d_a-z][^\W\d_A-Z]+")


def contacts(
    nearest: Sequence[Document], keepers: Mapping[str, str] | None = None
) -> tuple[Contact, ...]:
    """Who is named as contact of the nearest pages, who wrote them, and who keeps their sources.

    `nearest` in order of nearness; `keepers` has a name, an address or a channel for a source.
    """
    found: dict[str, Contact] = {}
    for contact in (*_of_pages(nearest), *_of_sources(nearest, keepers or {})):
        found.setdefault(contact.name.casefold(), contact)
    kept = list(found.values())
    named = [contact for contact in kept if contact.why.startswith("keeps ")][:1]
    people = [contact for contact in kept if contact not in named]
    return (*people[: MOST - len(named)], *named)


def person(author: str) -> str:
    """An author's name as people write it.

    >>> person("AdaezeOkonjo"), person("Petra Lindqvorn"), person("root")
    ('Adaeze Okonjo', 'Petra Lindqvorn', 'root')
    """
    if _WIKI_NAME.fullmatch(author):
        return " ".join(_HUMP.findall(author))
    return author.strip()


def _of_pages(nearest: Sequence[Document]) -> Iterator[Contact]:
    for document in nearest:
        if who := _named(document):
            yield Contact(who, f"is named as contact in “{document.title}”", document.url)
        elif author := person(document.author):
            when = f" ({day(document.updated_at)})" if document.updated_at else ""
            yield Contact(author, f"wrote “{document.title}”{when}", document.url)


def _of_sources(nearest: Sequence[Document], keepers: Mapping[str, str]) -> Iterator[Contact]:
    for document in nearest:
        if keeper := keepers.get(document.source, ""):
            url = keeper if keeper.startswith(("https://", "http://")) else ""
            yield Contact(keeper, f"keeps the source {document.source}", url)


def _named(document: Document) -> str:
    """Whom a page itself names: a line `Contact: …`, or the first line under such a heading."""
    lines = [match["who"] for match in _LINE.finditer(document.text)]
    for block in document.blocks:
        headings = document.sections[block.section].headings
        text = document.text[block.start : block.end].strip()
        if headings and _HEADING.match(headings[-1].strip()) and text != headings[-1].strip():
            lines.append(text.splitlines()[0])
            break
    for line in lines:
        who = line.strip(" .*-•`=")
        if who and len(who) <= NAME_CHARS and "|" not in who:
            return who
    return ""
