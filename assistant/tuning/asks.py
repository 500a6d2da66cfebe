"""Questions with their answers, made of an index by rule: what a model is to learn to say.

Each answer is words of the passage that answers, put as the assistant's prompt asks for it: short,
with the subject, values as they stand there. No model is needed; `assistant.tuning.written` has one
write further questions.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from assistant.cells import Cell, cells, sentences
from assistant.prompt import neutral
from assistant.tuning.pairs import asks
from assistant.windows import sentence_ends
from assistant.words import identifiers, numbers, stems
from ingest.index import StoredChunk

LONGEST = 320
"""Characters of an answer; the prompt asks for one or two short sentences."""
SHORTEST_SUMMARY = 3
"""Words that a ticket's summary or a topic's title needs to be asked for."""
CELLS_OF_A_PASSAGE = 3

_LIST_MARK = re.compile(r"^\s*(?:[-*+•–]|\d{1,2}[.)])\s+")
_ISSUE = re.compile(r"(?P<key>[A-Z][A-Z0-9_]+-\d+|[!#]\d+):\s+(?P<summary>\S.+)")
_COMMENT = re.compile(r"(?:comment|note|reply|post|question) by\b", re.IGNORECASE)
_SOLUTION = re.compile(r"(?:solution|accepted answer|answer)(?: by\b.*)?", re.IGNORECASE)
_DONE = re.compile(
    r"\b(?:fix(?:ed|es)?|solved?|solution|resolved?|cause[ds]?|because|due to|workaround|merged|"
    r"deployed|corrected|replaced|restarted|increased|decreased|updated|changed|set to)\b",
    re.IGNORECASE,
)
_VALUE_COLUMN = re.compile(r"(?:value|field)", re.IGNORECASE)


class Kind(StrEnum):
    """What a question was made of."""

    HEADING = "heading"
    FAQ = "faq"
    TICKET = "ticket"
    FORUM = "forum"
    CELL = "cell"
    WRITTEN = "written"
    """By a language model."""
    KNOWN = "known"
    """Asked and answered by people."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, what is to be answered, and the passage that says so."""

    question: str
    answer: str
    kind: Kind
    stored: StoredChunk


def asked_of(chunks: Iterable[StoredChunk], chance: random.Random) -> Iterator[Asked]:
    """All that can be asked by rule of the chunks of an index, document by document."""
    documents: dict[str, list[StoredChunk]] = defaultdict(list)
    for stored in chunks:
        documents[stored.chunk.document_id].append(stored)
    for found in documents.values():
        pieces = sorted(found, key=lambda stored: stored.chunk.ordinal)
        yield from _of_thread(pieces)
        for stored in pieces:
            yield from _of_heading(stored, chance)
            yield from _of_lines(stored)
            yield from _of_cells(stored, chance)


def _of_thread(pieces: Sequence[StoredChunk]) -> Iterator[Asked]:
    """A ticket by what solved it; a topic of a forum by the post that was accepted."""
    title = pieces[0].title
    for stored in pieces:
        above = stored.chunk.headings[:1]
        if above and _SOLUTION.fullmatch(above[0]) and len(title.split()) >= SHORTEST_SUMMARY:
            if answer := _first(sentences(stored)):
                yield Asked(_as_question(title), answer, Kind.FORUM, stored)
            return
    issue = _ISSUE.fullmatch(title)
    if issue is None or len(issue["summary"].split()) < SHORTEST_SUMMARY:
        return
    for stored in reversed(pieces):  # what was said last is what solved it
        above = stored.chunk.headings[:1]
        if above and _COMMENT.match(above[0]):
            done = [one for one in sentences(stored) if _DONE.search(one)]
            if answer := _first(done):
                question = f"What came of {issue['key']}, {issue['summary'].rstrip('. ')}?"
                yield Asked(question, answer, Kind.TICKET, stored)
                return


def _of_heading(stored: StoredChunk, chance: random.Random) -> Iterator[Asked]:
    heading = stored.chunk.headings[-1].strip() if stored.chunk.headings else ""
    if not heading or _COMMENT.match(heading) or _SOLUTION.fullmatch(heading) or not asks(heading):
        return
    if heading.endswith("?"):
        if answer := _first(sentences(stored), 2):
            yield Asked(heading, answer, Kind.FAQ, stored)
        return
    telling = [one for one in sentences(stored) if set(stems(one)) & set(stems(heading))]
    if answer := _first(telling):
        forms = (
            "{heading}",
            "{heading} {title}",
            "What do the documents say on {heading}?",
            "What is known about {heading} in {title}?",
        )
        question = chance.choice(forms).format(heading=heading, title=stored.title)
        yield Asked(question, answer, Kind.HEADING, stored)


def _of_lines(stored: StoredChunk) -> Iterator[Asked]:
    """A line that asks, and what the next one says, as in lists of questions and answers."""
    lines = [line.strip() for line in stored.chunk.text.splitlines() if line.strip()]
    for line, after in pairwise(lines):
        question = re.sub(r"^(?:Q(?:uestion)?\s*\d*\s*[:.)]|[-*\d.]+\s)\s*", "", line)
        if question.endswith("?") and len(question.split()) > 3 and not after.endswith("?"):
            said = re.sub(r"^A(?:nswer)?\s*\d*\s*[:.)]\s*", "", after)
            ends = sentence_ends(said)
            if answer := _short(said[: ends[min(1, len(ends) - 1)]]):
                yield Asked(question, answer, Kind.FAQ, stored)


def _of_cells(stored: StoredChunk, chance: random.Random) -> Iterator[Asked]:
    found = [cell for cell in cells(stored) if _tells(cell)]
    for cell in chance.sample(found, min(CELLS_OF_A_PASSAGE, len(found))):
        if cell.column and not _VALUE_COLUMN.fullmatch(cell.column):
            answer = f"The {cell.column} of {cell.name} is {cell.value}."
        else:
            answer = f"The {cell.name} of {stored.title} is {cell.value}."
        if answer := _short(answer):
            yield Asked(f"What is the {cell.asked}?", answer, Kind.CELL, stored)


def _tells(cell: Cell) -> bool:
    """True for a value or a name that the question does not say."""
    told = set(numbers(cell.value)) | identifiers(cell.value) | set(stems(cell.value))
    said = set(numbers(cell.asked)) | identifiers(cell.asked) | set(stems(cell.asked))
    return bool(told - said) and bool(cell.name.strip())


def _as_question(title: str) -> str:
    return title if title.endswith("?") else f"{title.rstrip('. ')}: how is this solved?"


def _first(found: Sequence[str], most: int = 1) -> str:
    """The first sentences that together are short enough; empty where there is none."""
    kept = ""
    for one in found[:most]:
        more = f"{kept} {_LIST_MARK.sub('', one)}".strip()
        if kept and len(more) > LONGEST:
            break
        kept = more
    return _short(kept)


def _short(answer: str) -> str:
    plain = " ".join(neutral(_LIST_MARK.sub("", answer)).split())
    return plain if 0 < len(plain) <= LONGEST and stems(plain) else ""
