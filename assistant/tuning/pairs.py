"""Questions with the passage that answers them and some that do not, mined from an index.

Nobody has written these questions: a *heading* asks for the text below it, a *title* for how its
page begins, and a *sentence*, with some of its words lost, for the passage that it was taken out
of (the inverse cloze task of Lee, Chang and Toutanova, 2019). What asks is taken out of the
passage that answers, or a model would learn to look for its repetition.

What does not answer are the best finds of the search that the model is to better, of other pages.
Everything is read for a reader: a model made of it may serve only those who may read all of it.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from assistant.copies import says_no_more
from assistant.hostile import commands
from assistant.model import Passage
from assistant.retrieve import Retriever
from assistant.tuning.leaks import Asks
from assistant.windows import sentence_ends
from ingest.access import Reader
from ingest.index import Index, StoredChunk

NEGATIVES = 4
"""Passages that do not answer, of each pair."""
LOOKED_AT = 25
"""Finds that they are chosen from. The first are chosen from as well: they are the hard ones."""
LEAST_CHARS = 80
"""A shorter passage tells too little to be found by."""
SENTENCE_CHARS = (40, 200)
KEPT_WORDS = 0.75
"""Share of a sentence's words that stay in the question: people do not quote."""
WHOLE_SENTENCES = 0.3
"""Share of sentences that stay whole."""
WITH_TITLE = 0.5
"""Share of headings that ask together with the title of their page."""

_BATCH = 500
_SAYS_LITTLE = re.compile(
    r"(?:introduction|overview|examples?|usage|notes?|summary|references?|contents?|description|"
    r"abstract|comments?|see also|links?|conclusions?|background|installation|requirements|"
    r"discussion|minutes|agenda|changelog|history|metadata|\W*\d[\d\W]*|.{0,5})",
    re.IGNORECASE,
)


class Kind(StrEnum):
    """What a question was made of."""

    HEADING = "heading"
    TITLE = "title"
    SENTENCE = "sentence"


class Why(StrEnum):
    """Why something did not become a pair."""

    LIKE_A_TEST = "like a question that is kept for measuring"
    NO_NEGATIVES = "too few other passages are near"
    COMMANDS = "the passage commands the machine"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, the passage that answers it, and `NEGATIVES` that do not."""

    question: str
    answer: str
    others: tuple[str, ...]
    kind: Kind
    document_id: str
    source: str


@dataclass(slots=True)
class Tally:
    """What became of the passages of an index."""

    kept: Counter[Kind] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    dropped: Counter[Why] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question before its negatives are known. `said` are words that no negative may have."""

    question: str
    answer: str
    said: str
    kind: Kind
    stored: StoredChunk


class Miner:
    """Mines pairs for one reader. The same seed over the same generation gives the same pairs."""

    def __init__(
        self,
        index: Index,
        retriever: Retriever,
        reader: Reader,
        *,
        seed: int = 1,
        measured: Collection[str] = (),
    ) -> None:
        """`measured` are questions that models are compared by: nothing like them is learnt."""
        self._index = index
        self._retriever = retriever
        self._reader = reader
        self._chance = random.Random(seed)  # noqa: S311 - a sample, no secret
        self._measured = Asks(measured)
        self.tally = Tally()

    def pairs(self, most: int, advance: Callable[[], None] = lambda: None) -> Iterator[Pair]:
        """At most `most` pairs, in an order by chance; `advance` is told of each that was tried.

        At most half of them are sentences, of which there are always enough.
        """
        found = [asking for stored in self._read() for asking in self._askings(stored)]
        self._chance.shuffle(found)
        for asking in found:
            if sum(self.tally.kept.values()) == most:
                return
            if asking.kind is Kind.SENTENCE and self.tally.kept[Kind.SENTENCE] >= most // 2:
                continue
            advance()
            if (pair := self._pair(asking)) is not None:
                self.tally.kept[pair.kind] += 1
                self.tally.sources[pair.source] += 1
                yield pair

    def _read(self) -> Iterator[StoredChunk]:
        for stored in chunks_of(self._index, self._reader):
            if commands(stored.chunk.indexed):
                self.tally.dropped[Why.COMMANDS] += 1
            else:
                yield stored

    def _askings(self, stored: StoredChunk) -> Iterator[_Asking]:
        chunk, title = stored.chunk, stored.title
        above = list(chunk.headings)
        if above and asks(above[-1]):
            *rest, heading = above
            named = self._chance.random() < WITH_TITLE
            question = f"{heading} {title}" if named else heading
            header = " › ".join(rest if named else [title, *rest])
            answer = f"{header}\n{chunk.shown}".strip()
            yield _Asking(question, answer, heading, Kind.HEADING, stored)
        elif not above and chunk.ordinal == 0 and asks(title):
            yield _Asking(title, chunk.shown, title, Kind.TITLE, stored)
        if sentence := self._sentence(chunk.shown):
            header = " › ".join([title, *above])
            answer = f"{header}\n{chunk.shown.replace(sentence, ' ')}"
            question = self._worn(sentence)
            yield _Asking(question, answer, sentence, Kind.SENTENCE, stored)

    def _sentence(self, text: str) -> str:
        """A sentence of a text of at least three, by chance; empty where there are fewer."""
        least, most = SENTENCE_CHARS
        found = [one for one in _sentences(text) if least <= len(one) <= most and one[0].isalpha()]
        return self._chance.choice(found) if len(found) >= 3 else ""

    def _worn(self, sentence: str) -> str:
        if self._chance.random() < WHOLE_SENTENCES:
            return sentence
        kept = [word for word in sentence.split() if self._chance.random() < KEPT_WORDS]
        return " ".join(kept) or sentence  # a long address is one word

    def _pair(self, asking: _Asking) -> Pair | None:
        if self._measured.hold(asking.question):
            self.tally.dropped[Why.LIKE_A_TEST] += 1
            return None
        found = self._retriever.search(asking.question, self._reader, LOOKED_AT, "hybrid")
        others = [_indexed(one) for one in found if _is_other(one, asking)]
        if len(others) < NEGATIVES:
            self.tally.dropped[Why.NO_NEGATIVES] += 1
            return None
        chosen = tuple(self._chance.sample(others, NEGATIVES))
        stored = asking.stored
        return Pair(
            asking.question,
            asking.answer,
            chosen,
            asking.kind,
            stored.chunk.document_id,
            stored.source,
        )


def chunks_of(index: Index, reader: Reader) -> Iterator[StoredChunk]:
    """Every chunk that this reader may see and that is long enough to be found."""
    with index.snapshot() as snapshot:
        rows = [int(row) for row in snapshot.rows]
        for start in range(0, len(rows), _BATCH):
            for stored in snapshot.chunks(rows[start : start + _BATCH], reader):
                if len(stored.chunk.shown) >= LEAST_CHARS:
                    yield stored


def asks(text: str) -> bool:
    """False for a heading that tells too little to be asked for, such as `Introduction`."""
    return len(text.split()) >= 2 and _SAYS_LITTLE.fullmatch(text.strip()) is None


def _sentences(text: str) -> Sequence[str]:
    found = []
    for line in text.splitlines():
        begin = 0
        for end in sentence_ends(line):
            found.append(line[begin:end].strip())
            begin = end
    return [one for one in found if one]


def _is_other(passage: Passage, asking: _Asking) -> bool:
    """True for a passage that does not answer, as far as can be told without reading it."""
    if passage.document_id == asking.stored.chunk.document_id:
        return False
    text = _indexed(passage)
    return asking.said.lower() not in text.lower() and not says_no_more(passage.text, asking.answer)


def _indexed(passage: Passage) -> str:
    return f"{passage.header}\n{passage.text}"
