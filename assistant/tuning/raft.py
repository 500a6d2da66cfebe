"""Examples that a model learns to answer from: prompts as the assistant writes them, with replies.

After RAFT (Zhang et al., 2024): most prompts hold the passage that answers among near misses, and
the reply is what it says; in the rest that passage is missing, and the reply is the refusal. Both
the passages and their order are those of the real search, and the messages those of
`assistant.prompt`, so that what is learnt is what is asked for. Attribution stays the program's: a
reply carries no markers, it is put so that `assistant.cite` ties it to its passage.

What does not pass the checks is left out and counted: a reply must be carried by the passage that
answers as far as the prompt shows it, and by no other; with a model at hand, it must be able to
answer from that passage, and unable to from the others.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import chain

from assistant.candidates import Candidates
from assistant.cite import cite
from assistant.extracts import known as numbers_and_names
from assistant.history import stand_alone
from assistant.hostile import commands, set_apart
from assistant.llm import Message
from assistant.model import Passage
from assistant.prompt import REFUSAL, best_part, write_prompt
from assistant.retrieve import Retriever
from assistant.tuning.asks import Asked, Kind, asked_of
from assistant.tuning.known import Known
from assistant.tuning.leaks import Asks
from assistant.tuning.pairs import chunks_of
from assistant.tuning.written import MANNERS, Writer, suits
from assistant.windows import plain_header
from assistant.words import stems
from ingest.access import Reader
from ingest.embed import Embedder
from ingest.index import Index, StoredChunk
from ingest.settings import AnswerSettings

MISSING = 0.25
"""Share of examples whose answer is not among the passages."""
LOOKED_AT = 12
"""Finds that the passages of a prompt are chosen from."""
OF_ONE_KIND = 0.4
"""Share of all examples that one kind of question may have, where there are others."""
SHOWN = 0.9
"""Share of an answer's own words that the prompt must show."""


class Case(StrEnum):
    """Whether the passages of an example hold the answer."""

    GOLD = "gold"
    MISSING = "missing"


class Why(StrEnum):
    """Why something did not become an example."""

    COMMANDS = "the passage commands the machine"
    LIKE_A_TEST = "like a question that is kept for measuring"
    LIKE_ANOTHER = "like a question that there is already"
    NOT_FOUND = "the search does not find the passage"
    NOT_SHOWN = "the prompt does not show what answers"
    NOT_CARRIED = "the passage does not carry the answer"
    OTHERS_TOO = "another passage carries the answer too"
    ALONE = "no other passage is near"
    FORM = "the model's reply has another form"
    NOT_ANSWERED = "the model does not answer it from its passage"
    NOT_FOR_THEM = "asked by readers of other groups"
    ANSWERED_ANYHOW = "the model answers it from the other passages"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and the reply that is to be learnt."""

    messages: tuple[Message, ...]
    target: str
    question: str
    kind: Kind
    case: Case
    document_id: str
    source: str


@dataclass(slots=True)
class Tally:
    """What became of the questions that were made."""

    kept: Counter[Kind] = field(default_factory=Counter)
    cases: Counter[Case] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    dropped: Counter[Why] = field(default_factory=Counter)


class _Dropped(Exception):
    """Nothing became of a question; holds a `Why`."""


class Maker:
    """Makes examples for one reader. The same seed over the same generation gives the same ones,
    as far as the model does, if there is one.
    """

    def __init__(
        self,
        index: Index,
        retriever: Retriever,
        embedder: Embedder,
        reader: Reader,
        settings: AnswerSettings,
        *,
        seed: int = 1,
        measured: Collection[str] = (),
        known: Sequence[Known] = (),
        writer: Writer | None = None,
        missing: float = MISSING,
    ) -> None:
        """`measured` are questions that models are compared by: nothing like them is learnt.
        `settings` are those that the tuned model will serve with. `known` come first.
        """
        self._index = index
        self._retriever = retriever
        self._embedder = embedder
        self._reader = reader
        self._settings = settings
        self._chance = random.Random(seed)  # noqa: S311 - a sample, no secret
        self._measured = Asks(measured)
        self._known = Asks()
        self._given = known
        self._writer = writer
        self._missing = missing
        self.tally = Tally()

    def examples(self, most: int, advance: Callable[[], None] = lambda: None) -> Iterator[Example]:
        """At most `most`, in an order by chance; `advance` is told of each question tried.

        Raises:
            ModelError: the model that writes questions is away.
        """
        chunks = list(self._read())
        found: dict[Kind, list[Asked]] = defaultdict(list)
        for asked in asked_of(chunks, self._chance):
            found[asked.kind].append(asked)
        for some in found.values():
            self._chance.shuffle(some)
        given = {kind: iter(some) for kind, some in found.items()}
        if self._writer:
            given[Kind.WRITTEN] = self._written(self._writer, chunks)
        limit = max(1, int(OF_ONE_KIND * most)) if len(given) > 1 else most
        made = _in_turn(given, lambda kind: self.tally.kept[kind] >= limit)
        tries = chain(
            (partial(self._known_example, one) for one in self._given),
            (partial(self._example, asked) for asked in made),
        )
        for attempt in tries:
            if sum(self.tally.kept.values()) == most:
                return
            advance()
            try:
                example = attempt()
            except _Dropped as dropped:
                self.tally.dropped[dropped.args[0]] += 1
                continue
            self._known.add(example.question)
            self.tally.kept[example.kind] += 1
            self.tally.cases[example.case] += 1
            self.tally.sources[example.source] += 1
            yield example

    def _read(self) -> Iterator[StoredChunk]:
        for stored in chunks_of(self._index, self._reader):
            if commands(stored.chunk.indexed):
                self.tally.dropped[Why.COMMANDS] += 1
            else:
                yield stored

    def _written(self, writer: Writer, chunks: Sequence[StoredChunk]) -> Iterator[Asked]:
        """Questions by the model, a passage at a time as they are needed."""
        suited = [stored for stored in chunks if suits(stored)]
        self._chance.shuffle(suited)
        for stored in suited:
            if asked := writer.asked(stored, self._chance.choice(MANNERS)):
                yield asked
            else:
                self.tally.dropped[Why.FORM] += 1

    def _known_example(self, known: Known) -> Example:
        """What its reader would be shown, answered as people did; refused where they knew of no
        answer.
        """
        question = known.question
        if not question.reader.groups <= self._reader.groups:
            raise _Dropped(Why.NOT_FOR_THEM)
        asked = stand_alone(question)
        self._check_new(asked.full)
        found, _ = set_apart(
            self._retriever.retrieve(asked.search, question.reader, LOOKED_AT, asked.also)
        )
        passages = found[: self._settings.passages]
        if not passages:
            raise _Dropped(Why.NOT_FOUND)
        candidates = Candidates(passages, self._embedder)
        prompt = write_prompt(asked.text, asked.earlier, candidates, self._settings)
        document_id = passages[0].document_id
        if known.answer:
            cited = cite(asked.full, known.answer, candidates, self._settings.support)
            if not cited.sentences or not all(one.supported for one in cited.sentences):
                raise _Dropped(Why.NOT_CARRIED)
            if not numbers_and_names(known.answer) <= numbers_and_names(prompt[-1].content):
                raise _Dropped(Why.NOT_SHOWN)
            document_id = cited.citations[0].document_id
        return Example(
            messages=tuple(prompt),
            target=known.answer or REFUSAL,
            question=asked.full,
            kind=Kind.KNOWN,
            case=Case.GOLD if known.answer else Case.MISSING,
            document_id=document_id,
            source=passages[0].source,
        )

    def _check_new(self, question: str) -> None:
        """Neither a question that models are compared by is learnt, nor one twice."""
        if self._measured.hold(question):
            raise _Dropped(Why.LIKE_A_TEST)
        if self._known.hold(question):
            raise _Dropped(Why.LIKE_ANOTHER)

    def _example(self, asked: Asked) -> Example:
        question = asked.question
        self._check_new(question)
        found, _ = set_apart(self._retriever.retrieve(question, self._reader, LOOKED_AT))
        gold = next((one for one in found if one.chunk_id == asked.stored.chunk.id), None)
        if gold is None:
            raise _Dropped(Why.NOT_FOUND)
        self._check_carried(asked, gold)
        others = self._others(asked, gold, found)
        if not others:
            raise _Dropped(Why.ALONE)
        if self._writer:
            self._round_trip(self._writer, asked, gold, others)
        missing = self._chance.random() < self._missing
        passages = others if missing else self._with_gold(gold, others, found)
        if not missing:
            self._check_shown(asked, gold, passages)
        return Example(
            messages=tuple(self._prompt(question, passages)),
            target=REFUSAL if missing else asked.answer,
            question=question,
            kind=asked.kind,
            case=Case.MISSING if missing else Case.GOLD,
            document_id=asked.stored.chunk.document_id,
            source=asked.stored.source,
        )

    def _prompt(self, question: str, passages: Sequence[Passage]) -> list[Message]:
        candidates = Candidates(passages, self._embedder)
        return write_prompt(question, "", candidates, self._settings)

    def _check_carried(self, asked: Asked, gold: Passage) -> None:
        """The answer is carried by its passage."""
        candidates = Candidates([gold], self._embedder)
        cited = cite(asked.question, asked.answer, candidates, self._settings.support)
        if not cited.sentences or not all(one.supported for one in cited.sentences):
            raise _Dropped(Why.NOT_CARRIED)

    def _check_shown(self, asked: Asked, gold: Passage, passages: Sequence[Passage]) -> None:
        """The answer stands in what the prompt shows of its passage, which is cut beside others."""
        candidates = Candidates(passages, self._embedder)
        wanted = frozenset(stems(asked.question))
        part = best_part(gold, wanted, candidates, self._settings.passage_chars)
        shown = f"{plain_header(gold)}\n{part}"
        own = frozenset(stems(asked.answer)) - wanted
        told = numbers_and_names(asked.answer) <= numbers_and_names(f"{shown}\n{asked.question}")
        if not told or len(own & frozenset(stems(shown))) < SHOWN * len(own):
            raise _Dropped(Why.NOT_SHOWN)

    def _others(self, asked: Asked, gold: Passage, found: Sequence[Passage]) -> list[Passage]:
        """The best finds that do not answer, neither alone nor together."""
        others = [one for one in found if one.chunk_id != gold.chunk_id]
        most = self._settings.passages
        left = list(others)
        while carriers := self._carriers(asked, left[:most]):
            left = [one for one in left if one.chunk_id not in carriers]
        if len(left) < min(len(others), most - 1):
            raise _Dropped(Why.OTHERS_TOO)
        return left[:most]

    def _carriers(self, asked: Asked, passages: Sequence[Passage]) -> set[str]:
        """The chunks by which the answer is carried."""
        candidates = Candidates(passages, self._embedder)
        cited = cite(asked.question, asked.answer, candidates, self._settings.support)
        return {
            one.chunk_id
            for one in passages
            for place in cited.citations
            if one.document_id == place.document_id and one.start <= place.start < one.end
        }

    def _with_gold(
        self, gold: Passage, others: Sequence[Passage], found: Sequence[Passage]
    ) -> list[Passage]:
        """As the search ordered them; a gold passage from further down in a place by chance."""
        near = list(others[: self._settings.passages - 1])
        place = sum(found.index(one) < found.index(gold) for one in near)
        if found.index(gold) >= self._settings.passages:
            place = self._chance.randrange(len(near) + 1)
        return [*near[:place], gold, *near[place:]]

    def _round_trip(
        self, writer: Writer, asked: Asked, gold: Passage, others: Sequence[Passage]
    ) -> None:
        """The model's own answer from the passage alone agrees; from the others there is none."""
        told = numbers_and_names(asked.answer) - numbers_and_names(asked.question)
        if not self._agrees(writer, asked, [gold], told):
            raise _Dropped(Why.NOT_ANSWERED)
        if self._agrees(writer, asked, others, told):
            raise _Dropped(Why.ANSWERED_ANYHOW)

    def _agrees(
        self, writer: Writer, asked: Asked, passages: Sequence[Passage], told: Collection[object]
    ) -> bool:
        """True when it is carried and has all values and names of the answer, or, where there are
        none, half of its words.
        """
        draft = writer.said(self._prompt(asked.question, passages))
        candidates = Candidates(passages, self._embedder)
        cited = cite(asked.question, draft, candidates, self._settings.support)
        said = " ".join(one.text for one in cited.sentences if one.supported)
        if told:
            return set(told) <= numbers_and_names(said)
        own = frozenset(stems(asked.answer)) - frozenset(stems(asked.question))
        return bool(said) and 2 * len(own & frozenset(stems(said))) >= len(own)


def _in_turn(
    given: Mapping[Kind, Iterator[Asked]], full: Callable[[Kind], bool]
) -> Iterator[Asked]:
    """One of each kind after the other, until all are used up or have given enough."""
    left = dict(given)
    while left:
        for kind, one in list(left.items()):
            asked = None if full(kind) else next(one, None)
            if asked is None:
                del left[kind]
            else:
                yield asked
