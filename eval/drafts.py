"""Questions made from passages by rule: they need no model, and a person makes them sound.

Each draft names the very words that answer it. A passage gives at most one draft of a kind.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import combinations

from assistant.cells import cells, sentences
from assistant.validity import lineage
from assistant.words import acronyms, identifiers, numbers, stems
from eval.match import says
from ingest.index import Cover, StoredChunk

RULES = "rules"
SHORT = 60
"""Characters of a heading, a cell or a quote that may be a key as a whole."""
SHORTEST_NAME = 4
MOST_FACTS = 3
SHARED_BY = 6
"""A name that more documents share links nothing in particular."""

_VALUE = re.compile(
    r"\d{4}-\d\d-\d\d(?!\d)|(?<![\d:])\d{1,2}:\d\d(?![\d:])"
    r"|(?<![\w.,/-])[-−]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?(?:\s?(?:%|[A-Za-zµμ]{1,12}\b))?(?!\w)"
)
_WORDED = re.compile(r"([-−]?\d+(?:[.,]\d+)*)\s?[A-Za-zµμ]+")
_MARKER = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+")
_DIGITS = re.compile(r"\d+(?=\D*$)")
_BY_SOMEBODY = re.compile(r"\b(?:comment|from|reply|speaker|posted)\b|\d{4}-\d\d-\d\d", re.I)


class Why(StrEnum):
    """Why a draft was dropped."""

    AWAY = "the model did not answer"
    FORM = "the reply has another form"
    NO_QUESTION = "the reply is not one question"
    QUOTE = "the quote does not stand in the passage"
    OTHER_CLASS = "the question is not of its class"
    LIKE_ANOTHER = "it is like another question"
    NO_KEYS = "there is nothing to check an answer by"


class NoDraft(Exception):
    """Nothing became of a draft; holds a `Why`."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Words of a passage that answer a question, and what an answer has to say of them."""

    passage: StoredChunk
    quote: str
    keys: tuple[str, ...]
    """Each a fact; the first is required."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question that nobody has looked at."""

    question: str
    kind: str
    spots: tuple[Spot, ...]
    """Where the answer stands; of an unanswerable one, where what it nearly asks for does."""
    stale: tuple[Spot, ...] = ()
    """Where an outdated answer stands."""
    absent: str = ""
    """The name that stands nowhere, of an unanswerable question."""
    by: str = RULES


def keys_in(quote: str, question: str) -> tuple[str, ...]:
    """What to hold an answer to: values and names of the quote that the question does not say.

    >>> keys_in("L1_MU6 fires at 6 GeV, see MER-12.", "When does L1_MU6 fire?")
    ('6 GeV', 'MER-12')
    """
    said = plain(quote)
    values = [_with_unit(match.group()) for match in _VALUE.finditer(said)]
    names = sorted(identifiers(said), key=said.index)
    # A bare whole number stands in many sentences, so it comes last.
    found = sorted(dict.fromkeys(values + names), key=str.isdecimal)
    new = [key for key in found if not says(question, [key])]
    if new or values:
        # None is left where the question says them all: it gives its answer away.
        return tuple(new[:MOST_FACTS])
    whole = said.strip(" .")
    return (whole,) if whole and len(whole) <= SHORT and not says(question, [whole]) else ()


def plain(quote: str) -> str:
    """A quote without the mark of a list before it.

    >>> plain("2. Press Start.")
    'Press Start.'
    """
    marker = _MARKER.match(quote)
    return quote[marker.end() :] if marker else quote


def _with_unit(found: str) -> str:
    """`6 GeV` as it is; `2 hosts` as `2`."""
    worded = _WORDED.fullmatch(found)
    known = any(number.unit for number in numbers(found))
    return worded[1] if worded and not known else found


# One passage ------------------------------------------------------------------------------------


def of_identifier(passage: StoredChunk) -> Draft | None:
    """A sentence that says something of a name."""
    for sentence in sentences(passage):
        for name in sorted(_telling_names(sentence), key=sentence.index):
            question = f"What does the documentation say about {name}?"
            if keys := keys_in(sentence, question):
                return Draft(question, "identifier", (Spot(passage, sentence, keys),))
    return None


def of_heading(passage: StoredChunk) -> Draft | None:
    """A section by its heading."""
    heading = passage.chunk.headings[-1] if passage.chunk.headings else ""
    usable = len(stems(heading)) > 1 and len(heading) <= SHORT and not heading.endswith("?")
    if not usable or _BY_SOMEBODY.search(heading) or identifiers(heading):
        return None
    question = f"What does the documentation say on {heading}?"
    for sentence in sentences(passage):
        if keys := keys_in(sentence, question):
            return Draft(question, "vague", (Spot(passage, sentence, keys),))
    return None


def of_table(passage: StoredChunk) -> Draft | None:
    """A cell by its row and its column: the row in the middle, not always the first."""
    found = [cell for cell in cells(passage) if cell.column]
    if not found:
        return None
    cell = found[len(found) // 2]
    return Draft(
        f"What is the {cell.asked}?", "table cell", (Spot(passage, cell.row, (cell.value,)),)
    )


def _telling_names(text: str) -> set[str]:
    """Names that are more than a level or a number of a series, such as `L1` and `mu2`."""
    return {name for name in identifiers(text) if len(name) >= SHORTEST_NAME}


# Two passages, or none ---------------------------------------------------------------------------


def of_two(passages: Iterable[StoredChunk]) -> Iterator[Draft]:
    """A name that two documents share, and that each says something else of."""
    by_name: dict[str, dict[str, Spot]] = {}
    for passage in passages:
        if passage.standing.archived or passage.standing.superseded_by:
            continue
        for sentence in sentences(passage):
            for name in _telling_names(sentence) | acronyms(sentence):
                if keys := keys_in(sentence, f"{name} {passage.title}"):
                    spots = by_name.setdefault(name, {})
                    spots.setdefault(passage.chunk.document_id, Spot(passage, sentence, keys))
    for name, spots in by_name.items():
        if 2 <= len(spots) <= SHARED_BY and (pair := _telling(list(spots.values()))):
            titles = " and ".join(spot.passage.title for spot in pair)
            yield Draft(f"What do {titles} say about {name}?", "multi-hop", pair)


def _telling(spots: Sequence[Spot]) -> tuple[Spot, Spot] | None:
    """The first two that do not say the same."""
    for one, other in combinations(spots, 2):
        if set(one.keys).isdisjoint(other.keys) and one.passage.title != other.passage.title:
            return one, other
    return None


def near_misses(draft: Draft) -> Iterator[Draft]:
    """The same question about a name that differs in its last number; it may yet exist.

    >>> [near for near, _ in zip(_neighbours("L1_MU6"), range(2))]
    ['L1_MU7', 'L1_MU8']
    """
    name = next((n for n in sorted(identifiers(draft.question)) if _DIGITS.search(n)), "")
    for near in _neighbours(name) if name else ():
        question = draft.question.replace(name, near)
        yield Draft(question, "unanswerable", draft.spots, absent=near, by=draft.by)


def _neighbours(name: str) -> Iterator[str]:
    digits = _DIGITS.search(name)
    if digits:
        for step in range(1, 9):
            near = str(int(digits.group()) + step).zfill(len(digits.group()))
            yield name[: digits.start()] + near + name[digits.end() :]


# An old page and the one that holds --------------------------------------------------------------


def successions(covers: Iterable[Cover]) -> list[tuple[str, str]]:
    """Pairs of document ids: an old page and the one that took its place.

    A page says so itself, its source says so, or a newer page has its name but for year or version.
    """
    pages = {cover.document_id: cover for cover in covers}
    places = {
        place: name
        for name, page in pages.items()
        for place in (page.url, page.page_id, name)
        if place
    }
    pairs: dict[str, str] = {}
    families: dict[str, list[tuple[datetime, str]]] = {}
    for name, page in pages.items():
        if page.updated_at and name == page.page_id and (family := lineage(name)):
            families.setdefault(family, []).append((page.updated_at, name))
    for dated in families.values():
        *old, (_, newest) = sorted(dated)
        pairs |= {name: newest for _, name in old}
    for name, page in pages.items():
        if after := places.get(page.standing.superseded_by):
            pairs[name] = after
        if before := places.get(page.standing.supersedes):
            pairs[before] = name
    return [(old, new) for old, new in pairs.items() if old != new]


def of_time(old: Iterable[StoredChunk], new: Iterable[StoredChunk]) -> Iterator[Draft]:
    """What two pages give different values for, asked for as of now."""
    before = {(c.name, c.column): c for passage in old for c in cells(passage)}
    for passage in new:
        for cell in cells(passage):
            was = before.get((cell.name, cell.column))
            if was and not says(was.value, [cell.value]) and not says(cell.value, [was.value]):
                yield Draft(
                    f"What is the {cell.asked} now?",
                    "freshness",
                    (Spot(passage, cell.row, _values(cell.value)),),
                    stale=(Spot(was.passage, was.row, _values(was.value)),),
                )


def _values(value: str) -> tuple[str, ...]:
    return (value,) if len(value) <= SHORT else keys_in(value, "")[:1]
