"""From a question to a checked, cited answer. The file to read first.

    retrieve → show the passages → sure enough? → write the prompt → generate → cite → what do the
    pages dispute? → answer with warnings, or "not found" with whom to ask

Nothing that the model says goes out unchecked as an answer: `Token` events are a draft, and the
`Answer` that ends the stream holds only what `cite` could tie to the passages.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar, runtime_checkable

import anyio
import anyio.to_thread

from assistant.candidates import Candidates
from assistant.cite import NOTHING, Cited, cite
from assistant.confidence import FITTED, signs
from assistant.contacts import contacts
from assistant.draft import Draft
from assistant.extracts import beside, extracts
from assistant.history import Standalone, stand_alone
from assistant.hostile import harmless, set_apart
from assistant.llm import LLM, Message, Usage
from assistant.model import (
    Answer,
    Contact,
    Event,
    Found,
    Notice,
    Passage,
    Question,
    Status,
    Token,
)
from assistant.notices import missing, notices, settle
from assistant.prompt import instructions, write_prompt
from assistant.queries import Reading
from ingest.access import Reader
from ingest.embed import Embedder, Vectors
from ingest.errors import ModelError
from ingest.filters import Facets, Filter
from ingest.index import Counts, Entry
from ingest.model import Document
from ingest.settings import AnswerSettings

NOT_FOUND = "The documents you may read do not answer this."
"""The text of every answer that is none, whatever the reason."""
AWAY = "The language model is not available, so these are the closest extracts from the documents."
"""Opens the text of an answer made without the model."""
QUOTED = "The model gave no answer that the documents carry, so these are the closest extracts."
"""Opens the text of an answer whose draft was a refusal or fell through the check, although the
documents clearly speak of what was asked."""
NEAREST = 4
"""So many of the nearest pages are asked whom to ask."""
WIDER = 3
"""How many times more passages are looked for when some of the first were set apart."""
READING, CHECKING = 2, 2
"""Reads of the index, and checks of answers, that run at once; more would only slow each other on a
small machine. Apart, since a search is over before a check has its turn: nobody who searches waits
for the answers of others."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Finder(Protocol):
    """What is needed of a retriever. Every read takes the reader."""

    def retrieve(
        self,
        text: str,
        reader: Reader,
        k: int | None = None,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        """The best passages that this reader may see, best first; `also`: other readings; `only`:
        which documents to look in.
        """
        ...

    def document(self, document_id: str, reader: Reader) -> Document | None:
        """A whole document, or None when it is not there or not for this reader."""
        ...

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """How much this reader may see, of what a filter takes."""
        ...

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """What the documents that this reader may see can be narrowed to, under a filter."""
        ...

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """What documents that this reader may see say of short forms."""
        ...


@runtime_checkable
class Warmable(Protocol):
    """An LLM that can be loaded ahead."""

    async def warm(self, messages: Sequence[Message] = ()) -> None:
        """Load, and read the prompt that all others begin with."""
        ...


@dataclass
class _Clock:
    started: float = field(default_factory=time.perf_counter)
    timings: dict[str, float] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)

    def mark(self, name: str) -> None:
        self.timings.setdefault(name, 1000 * (time.perf_counter() - self.started))


@dataclass
class _Outcome:
    """How a question ends, as it becomes known."""

    signs: Mapping[str, float]
    score: float
    status: Status = Status.NOT_FOUND
    cited: Cited = NOTHING
    notices: tuple[Notice, ...] = ()
    contacts: tuple[Contact, ...] = ()
    trouble: str = ""


class Assistant:
    """Answers questions from the collection, citing it, and refuses what it does not hold."""

    def __init__(
        self,
        retriever: Finder,
        embedder: Embedder | None,
        llm: LLM | None,
        settings: AnswerSettings,
        max_tokens: int = 220,
        keepers: Mapping[str, str] | None = None,
    ) -> None:
        self._retriever = retriever
        self._embedder = embedder
        self._llm = llm
        self._settings = settings
        self._max_tokens = max_tokens
        self._keepers = keepers or {}
        self._reading = anyio.CapacityLimiter(READING)
        self._checking = anyio.CapacityLimiter(CHECKING)

    @property
    def model(self) -> str:
        """Which model writes; empty when none does."""
        return self._llm.name if self._llm else ""

    @property
    def embedder(self) -> str:
        """Which model compares meanings; empty when none does."""
        return self._embedder.name if self._embedder else ""

    async def stream(self, question: Question) -> AsyncGenerator[Event, None]:
        """One `Found` at once, a `Token` for each piece of the draft, and the checked `Answer`."""
        clock = _Clock()
        asked = stand_alone(question)
        fair, hostile = await self._fair(asked, question)
        clock.mark("retrieve_ms")
        yield Found(fair)
        candidates = await self._aside(partial(Candidates, fair, self._embedder))
        told = await self._aside(partial(signs, asked.full, candidates))
        outcome = _Outcome(told, FITTED.score(told))
        if outcome.score >= self._settings.refuse_below:
            draft = Draft(self._max_tokens)
            try:
                async with aclosing(self._pieces(asked, candidates, draft, clock.usage)) as pieces:
                    async for piece in pieces:
                        clock.mark("first_token_ms")
                        yield Token(piece)
            except ModelError as error:
                log.warning("Answering with extracts: %s", error)
                outcome.trouble = str(error)
            told_by = None if self._llm is None or outcome.trouble else draft
            cited, outcome.status = await self._checked(asked, candidates, told_by, outcome.score)
            await self._settle(asked, candidates, cited, outcome, hostile)
        if outcome.status is Status.NOT_FOUND:
            outcome.notices = missing(asked.full, candidates)
            outcome.contacts = await self._read(partial(self._contacts, fair, question.reader))
        clock.mark("total_ms")
        yield self._answer(question, outcome, fair, clock)

    async def _settle(
        self,
        asked: Standalone,
        candidates: Candidates,
        cited: Cited,
        outcome: "_Outcome",
        hostile: Sequence[Passage],
    ) -> None:
        """What the pages dispute is cited from both sides; nothing harmful is left; warnings."""
        cited, told = await self._aside(partial(settle, asked.full, cited, candidates))
        outcome.cited = harmless(cited, candidates.passages, hostile, instructions())
        if not any(sentence.supported for sentence in outcome.cited.sentences):
            outcome.status = Status.NOT_FOUND
            return
        sure = outcome.score >= self._settings.warn_below
        outcome.notices = notices(outcome.cited, told, candidates, datetime.now(UTC), sure=sure)

    def _contacts(self, passages: Sequence[Passage], reader: Reader) -> tuple[Contact, ...]:
        """Whom to ask, of the nearest pages that this reader may see."""
        nearest = list(dict.fromkeys(passage.document_id for passage in passages))[:NEAREST]
        found = (self._retriever.document(document_id, reader) for document_id in nearest)
        return contacts([document for document in found if document], self._keepers)

    async def _fair(
        self, asked: Standalone, question: Question
    ) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
        """The passages to read, and those that command the assistant.

        The latter are neither read nor shown nor quoted. They push nothing out either: their places
        go to others.
        """
        reader, only = question.reader, question.filter
        found = await self.search(asked.search, reader, None, asked.also, only)
        fair, hostile = await self._aside(partial(set_apart, found))
        if hostile:
            more = WIDER * len(found)
            wider = await self.search(asked.search, reader, more, asked.also, only)
            fair, hostile = await self._aside(partial(set_apart, wider))
        return fair[: len(found)], hostile

    async def _checked(
        self, asked: Standalone, candidates: Candidates, draft: Draft | None, score: float
    ) -> tuple[Cited, Status]:
        """What of a draft the documents carry; else extracts."""
        if draft is not None:
            check = partial(cite, asked.full, draft.tidy(), candidates, self._settings.support)
            if not draft.refused and (cited := await self._aside(check)).sentences:
                more = partial(beside, cited, asked.full, candidates)
                return await self._aside(more), Status.ANSWERED
            if score < self._settings.warn_below:  # two doubts are enough
                return NOTHING, Status.NOT_FOUND
        # A small model fails the check often enough: what is clearly there is shown all the same.
        return await self._aside(partial(extracts, asked.full, candidates)), Status.EXTRACTS

    async def _pieces(
        self, asked: Standalone, candidates: Candidates, draft: Draft, usage: Usage
    ) -> AsyncGenerator[str, None]:
        """What the model writes, until it has said enough."""
        if self._llm is None:
            return
        write = partial(write_prompt, asked.text, asked.earlier, candidates, self._settings)
        pieces = self._llm.stream(await self._aside(write), usage)
        try:
            async for piece in pieces:
                draft.add(piece)
                yield piece
                if draft.enough:
                    return
        finally:
            # an abandoned generation would go on using the processor
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    def _answer(
        self,
        question: Question,
        outcome: "_Outcome",
        passages: tuple[Passage, ...],
        clock: _Clock,
    ) -> Answer:
        cited, status = outcome.cited, outcome.status
        opening = AWAY if self._llm is None or outcome.trouble else QUOTED
        text = f"{opening}\n{cited.text}" if status is Status.EXTRACTS else cited.text
        if status is Status.NOT_FOUND:
            text, cited = NOT_FOUND, NOTHING
        return Answer(
            question=question.text,
            status=status,
            text=text,
            sentences=cited.sentences,
            citations=cited.citations,
            passages=passages,
            model=self.model,
            trouble=outcome.trouble,
            score=round(outcome.score, 4),
            signs=outcome.signs,
            notices=outcome.notices,
            contacts=outcome.contacts,
            timings=clock.timings,
            prompt_tokens=clock.usage.prompt_tokens,
            completion_tokens=clock.usage.completion_tokens,
        )

    def warm(self) -> None:
        """Load the models ahead, so that the first question does not wait for them.

        Call it from a thread of its own: it takes seconds, and runs an event loop.
        """
        try:
            if self._embedder is not None:
                self._embedder.embed_query("warm")
        except ModelError as error:
            log.warning("Searching by words alone: %s", error)
        llm: object = self._llm
        if isinstance(llm, Warmable):
            # the fixed part of every prompt, so that even the first question finds it in the cache
            asyncio.run(llm.warm([Message("system", instructions())]))

    async def _aside(self, work: Callable[[], T]) -> T:
        """Run CPU-bound work in the bounded pool, so that the event loop stays free."""
        return await anyio.to_thread.run_sync(work, limiter=self._checking)

    async def _read(self, work: Callable[[], T]) -> T:
        """The same for what reads the index."""
        return await anyio.to_thread.run_sync(work, limiter=self._reading)

    async def ask(self, question: Question) -> Answer:
        """The answer alone."""
        async with aclosing(self.stream(question)) as events:
            async for event in events:
                if isinstance(event, Answer):
                    return event
        msg = "A stream of events ended without an answer."
        raise RuntimeError(msg)

    async def search(
        self,
        text: str,
        reader: Reader,
        k: int | None = 10,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        """The best passages for a query, of the documents that a filter takes."""
        return await self._read(partial(self._retriever.retrieve, text, reader, k, also, only))

    async def document(self, document_id: str, reader: Reader) -> Document | None:
        """A whole document, if this reader may see it."""
        return await self._read(partial(self._retriever.document, document_id, reader))

    async def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        """How many documents and chunks this reader may see, of those that a filter takes."""
        return await self._read(partial(self._retriever.counts, reader, only))

    async def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        """How many documents of each source, format and year this reader may see; each counted
        under the other parts of a filter. What it does not name is as if there were none.
        """
        return await self._read(partial(self._retriever.facets, reader, only))

    async def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        """What documents that this reader may see say that short forms stand for."""
        return await self._read(partial(self._retriever.glossary, reader))

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Texts as the vectors that searches compare, shape (len(texts), dim).

        Raises:
            ModelError: the embedder is away, or there is none.
        """
        if self._embedder is None:
            msg = "This Docent searches by words alone: it has no embedder. Set [embedder] model."
            raise ModelError(msg)
        return await self._aside(partial(self._embedder.embed_documents, texts))
