"""The other way of saying it: acronyms of a question spelled out, long forms shortened.

Only what documents say that the reader may see, so that nothing is learned of others through it.
"""

import re
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Sequence

from assistant.words import STOP, stems
from ingest.index import Entry
from ingest.index.acronyms import folded

LEAST_LOWER = 3
"""A short form with fewer letters counts in capitals only: `it` is not IT."""
MOST_WORDS = 8
"""Of a long form that is looked for in a question."""
MOST_ADDED = 4

MOST_KEPT = 16
"""Glossaries of readers with different rights that are kept ready."""

_TOKEN = re.compile(r"(?<!\w)[^\W_]+(?:[&/+\-][^\W_]+)*(?!\w)")


class Glossary:
    """What one reader may know of short forms, ready to be looked up."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_short: dict[str, list[Entry]] = defaultdict(list)
        self._by_long: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            self._by_short[entry.short.lower()].append(entry)
            self._by_long[folded(entry.long)].append(entry)

    def added(self, question: str) -> tuple[str, ...]:
        """The long forms of a question's short forms, and the short forms of its long ones.

        A short form of several meanings is spelled out only where one of them has more in common
        with the other words of the question, by its own words and the titles of its pages.
        """
        told = folded(question)
        found: dict[str, None] = {}
        for token in _TOKEN.findall(question):
            entry = self._meant(token, question)
            if entry and folded(entry.long) not in told:
                found[entry.long] = None
        for entry in self._longs(told):
            if not re.search(rf"(?<!\w){re.escape(entry.short)}s?(?!\w)", question):
                found[entry.short] = None
        return tuple(found)[:MOST_ADDED]

    def _meant(self, token: str, question: str) -> Entry | None:
        bare = token[:-1] if token.endswith("s") and token[:-1].isupper() else token
        meanings = self._by_short.get(bare.lower(), [])
        if bare.lower() in STOP or (bare.islower() and len(bare) < LEAST_LOWER):
            return None
        if len(meanings) < 2:
            return meanings[0] if meanings else None
        others = set(stems(question)) - set(stems(bare))
        shared = [(len(others & _around(entry)), entry) for entry in meanings]
        most = max(count for count, _ in shared)
        best = [entry for count, entry in shared if count == most]
        return best[0] if most and len(best) == 1 else None

    def _longs(self, told: str) -> Iterator[Entry]:
        words = told.split()
        for start in range(len(words)):
            for end in range(start + 2, min(len(words), start + MOST_WORDS) + 1):
                # In the middle of a question a plural keeps its ending.
                phrase = folded(" ".join(words[start:end]))
                yield from self._by_long.get(phrase, [])


class Glossaries:
    """The glossaries last used, each made once for the entries that a snapshot hands out."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[Sequence[Entry], Glossary]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, entries: Sequence[Entry]) -> Glossary:
        """The glossary of these very entries."""
        with self._lock:
            # The entries are kept with it, so that their number is nobody else's.
            _, glossary = self._kept.get(id(entries)) or (entries, Glossary(entries))
            self._kept[id(entries)] = (entries, glossary)
            self._kept.move_to_end(id(entries))
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return glossary


def matching(entries: Sequence[Entry], term: str) -> list[Entry]:
    """The entries whose short form is the term, in any case, or whose long form holds it."""
    wanted = folded(term)
    return [
        entry
        for entry in entries
        if entry.short.lower() == term.lower()
        or (wanted and f" {wanted}" in f" {folded(entry.long)}")
    ]


def _around(entry: Entry) -> set[str]:
    return set(stems(" ".join([entry.long, *(said.title for said in entry.sources)])))
