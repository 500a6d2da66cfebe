"""Which of the pages that were found holds for the time that a question asks about.

Three things count, in this order. A page that its own words, its source or a newer page of the same
name say is old gives its place to the page that took over (`TriggerMenu2025v7` to
`TriggerMenu2026v8`, `archive/2025/shift-leader` to `shift-leader`), unless the question names
what only the old one is about: its year or its version. An archived page without a successor loses
a little. And of pages that have nothing to do with each other, older ones lose a little by age.
A question about the past changes none of this order.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from ingest.index import Cover

BELOW = 0.98
"""An old page stands so far below the page that took its place."""
ARCHIVED = 0.9
"""What an archived or superseded page keeps of its score when no successor was found."""
AGED = 0.1
"""What a page of `FULL_AGE_DAYS` loses against the newest, where nothing else is known."""
FULL_AGE_DAYS = 365
AGED_NEWEST = 0.5
"""The same where the question asks for the newest, after `FULL_AGE_NEWEST_DAYS`."""
FULL_AGE_NEWEST_DAYS = 180
NEAR = 0.5
"""Pages with less than this share of the best score are no measure of what is new."""

_YEAR = re.compile(r"(?<![\d.])(?:19|20)\d\d(?![\d.]\d|\d)")
_VERSION = re.compile(r"(?:(?<![a-z0-9.])|(?<=\d))v\d+(?:\.\d+)*(?!\w|\.\d)", re.IGNORECASE)
_NOW = re.compile(
    r"\b(?:now|nowadays|today|currently?|at present|at the moment|these days|up to date|in force"
    r"|should (?:i|we|one|an?)|recommended|valid|do (?:i|we))\b",
    re.IGNORECASE,
)
_NEWEST = re.compile(
    r"\b(?:newest|latest|most recent)\b|\bfrom (?:mid-?|early |late |\d{1,2} )?"
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|20\d\d)\w*(?: 20\d\d)? on\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:was|were|did|had|used to|formerly|previous(?:ly)?|older?|earlier|back then|at that time"
    r"|original(?:ly)?|history|historical|archived?|superseded|obsolete|deprecated|until)\b",
    re.IGNORECASE,
)
_OF_TIME = re.compile(
    r"(?<!\d)(?:19|20)\d\d(?!\d)|(?<![a-z])v\d+(?:[._]\d+)*(?=$|[-_. ])", re.IGNORECASE
)
_STALE_NAME = re.compile(
    r"(?i:(?:^|[-_. ])(?:draft|archived?|attic|obsolete|deprecated|old|copy|backup)(?=$|[-_. ]))"
    r"|(?<=[a-z0-9])(?:Draft|Archived?|Obsolete|Deprecated|Old|Copy|Backup)$"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The time that a question asks about."""

    years: frozenset[str]
    versions: frozenset[str]
    now: bool
    newest: bool
    past: bool


def asked_time(question: str) -> Asked:
    """Read the years, versions and words of time in a question.

    >>> asked = asked_time("Which tag should I use for 2026A data in v3.1?")
    >>> sorted(asked.years), sorted(asked.versions), asked.now, asked.past
    (['2026'], ['v3.1'], True, False)
    """
    years, versions = _times(question)
    return Asked(
        years,
        versions,
        bool(_NOW.search(question)),
        bool(_NEWEST.search(question)),
        bool(_PAST.search(question)),
    )


def adjusted(
    question: str, scores: Mapping[int, float], covers: Mapping[int, Cover]
) -> dict[int, float]:
    """The scores of passages, so that pages that hold stand before those that do not.

    Both maps are by row; a row without a cover keeps its score.
    """
    asked = asked_time(question)
    out = dict(scores)
    rows = [row for row in scores if row in covers]
    if not rows or (asked.past and not (asked.now or asked.newest)):
        return out
    _let_age(asked, rows, covers, out)
    by_document: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda row: (-out[row], row)):
        by_document.setdefault(covers[row].document_id, []).append(row)
    pages = {document: covers[own[0]] for document, own in by_document.items()}
    after = _successors(pages)
    current: set[str] = set()
    for document, own in by_document.items():
        page, successor = pages[document], after.get(document, "")
        if document in current or (_named(asked, page) and not _both(asked, pages, successor)):
            continue
        if successor:
            current.add(successor)
            _give_place(out, own, by_document[successor][0])
        elif _is_old(page):
            out |= {row: out[row] * ARCHIVED for row in own}
    return out


def _give_place(out: dict[int, float], old: Sequence[int], new: int) -> None:
    """The best passage of the page that holds gets the place of the old page's best."""
    place = max(out[old[0]], out[new])
    out[new] = place
    for row in old:
        out[row] = min(out[row], place * BELOW)


def _let_age(
    asked: Asked, rows: Sequence[int], covers: Mapping[int, Cover], out: dict[int, float]
) -> None:
    """Take a little from each page by its age against the newest of those found well."""
    near = NEAR * max(out[row] for row in rows)
    dates = [at for row in rows if out[row] >= near and (at := covers[row].updated_at)]
    if not dates:
        return
    newest = max(dates)
    full = FULL_AGE_NEWEST_DAYS if asked.newest else FULL_AGE_DAYS
    most = AGED_NEWEST if asked.newest else AGED
    for row in rows:
        at = covers[row].updated_at
        if at and at < newest and not _named(asked, covers[row]):
            out[row] *= 1 - most * min(1.0, (newest - at) / timedelta(days=full))


def _is_old(page: Cover) -> bool:
    return page.standing.archived or bool(page.standing.superseded_by)


def _named(asked: Asked, page: Cover) -> bool:
    """True when the question names the year or version that a page is about."""
    if asked.now or asked.newest:
        return False
    years, versions = _times(f"{page.title} {page.page_id}")
    return bool(asked.years & years or asked.versions & versions)


def _both(asked: Asked, pages: Mapping[str, Cover], successor: str) -> bool:
    return bool(successor) and _named(asked, pages[successor])


@lru_cache(maxsize=20_000)
def _times(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The years and versions that a text names."""
    versions = (found.lower() for found in _VERSION.findall(text))
    return frozenset(_YEAR.findall(text)), frozenset(versions)


def _successors(pages: Mapping[str, Cover]) -> dict[str, str]:
    """For each document that another of these took the place of, that other one."""
    places = {
        place: document
        for document, page in pages.items()
        for place in (page.url, page.page_id, document)
        if place
    }
    after = {}
    families: dict[str, list[tuple[datetime, str]]] = {}
    for document, page in pages.items():
        if (before := places.get(page.standing.supersedes)) not in (None, document):
            after[str(before)] = document
        if page.updated_at and not _is_old(page) and (family := _family(page)):
            families.setdefault(family, []).append((page.updated_at, document))
    for document, page in pages.items():
        told = places.get(page.standing.superseded_by, document)
        if told != document:
            after[document] = told
        elif document not in after and (like := families.get(_family(page))):
            at, newest = max(like)
            if newest != document and (page.updated_at is None or at > page.updated_at):
                after[document] = newest
    return after


def _family(page: Cover) -> str:
    """What a page of its own has in common with its like; a part of a page has no family."""
    return lineage(page.page_id) if page.document_id == page.page_id else ""


@lru_cache(maxsize=20_000)
def lineage(page_id: str) -> str:
    """What the pages of a family have in common: the id without years, versions and `archive`.

    Empty for an id with other numbers: those of notes, runs and meetings name things of their own.

    >>> lineage("w:Trigger/TriggerMenu2025v7.txt"), lineage("w:Trigger/Menus/Menu2025-05-12.txt")
    ('w:trigger/triggermenu', '')
    >>> lineage("d:operations/archive/2025/shift-leader.md")
    'd:operations/shift-leader'
    """
    source, _, path = page_id.partition(":")
    stem = re.sub(r"\.[A-Za-z]{1,8}$", "", path)
    parts = [_STALE_NAME.sub("", _OF_TIME.sub("", part)) for part in stem.split("/")]
    parts = [part.strip("-_. ").lower() for part in parts]
    name = parts[-1]
    if any(char.isdigit() for char in name) or sum(char.isalpha() for char in name) < 3:
        return ""
    return f"{source}:{'/'.join(part for part in parts if part)}"
