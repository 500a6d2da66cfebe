"""An assistant that behaves: answers from documents in memory, by words, without any model.

`python -m tests.web.fake PORT` serves it, to look at the chat page while working on it.
"""

import asyncio
import re
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assistant.model import (
    Answer,
    Citation,
    Contact,
    Event,
    Found,
    Notice,
    NoticeKind,
    Passage,
    Question,
    Sentence,
    Status,
    Token,
)
from assistant.queries import Reading
from ingest.access import Reader
from ingest.embed import Vectors
from ingest.errors import DocentError, ModelError
from ingest.filters import Facet, Facets, Filter
from ingest.index import Entry, SaidBy
from ingest.model import PUBLIC, Block, BlockKind, Document, Section
from ingest.settings import IndexSettings, Settings
from ingest.web_settings import ServerSettings
from tests.fakes import HashEmbedder

DAY = datetime(2025, 3, 14, 9, 30, tzinfo=UTC)
ASK_HER = Contact("Petra Lindqvorn", "wrote the menu", "https://example.org/menu")
LAST_YEAR = Notice(NoticeKind.OLD, "The menu is of last year.", (1,))


@dataclass(frozen=True)
class FakeCounts:
    documents: int
    chunks: int
    generation: int = 3
    built_at: datetime = DAY


def a_document(
    document_id: str,
    title: str,
    *pieces: tuple[BlockKind, str],
    url: str = "",
    access: frozenset[str] = frozenset({PUBLIC}),
) -> Document:
    """A document of blocks joined by blank lines, every heading a section."""
    text = "\n\n".join(piece for _, piece in pieces)
    sections = [Section(())]
    blocks = []
    at = 0
    for kind, piece in pieces:
        if kind is BlockKind.HEADING and piece != title:
            sections.append(Section((piece,), piece.lower().replace(" ", "-")))
        header_end = at + piece.index("\n") if kind is BlockKind.TABLE else None
        blocks.append(Block(kind, at, at + len(piece), len(sections) - 1, None, header_end))
        at += len(piece) + 2
    return Document(
        document_id, document_id, document_id.partition(":")[0], title, url, "text", text,
        tuple(sections), tuple(blocks), access, author="A. Keeper", updated_at=DAY,
    )  # fmt: skip


@dataclass
class FakeAssistant:
    """Says the draft word by word, then the answer. What a question holds decides how it ends.

    "hold" stops after the draft until the client leaves, "missing" is not found, "away" gives
    extracts, "break" fails in the middle with our error and "crash" with a foreign one.
    """

    documents: list[Document]
    model: str = "fake-1"
    embedder: str = "fake-64"
    pause: float = 0
    """Seconds between two words, for looking at the page; 0 in tests."""
    holds: bool = True
    """Whether "hold" does."""
    failure: DocentError | None = None
    """Raised by everything that reads the index."""
    copies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Other addresses of a document, by its id."""
    asked: list[Question] = field(default_factory=list)
    closed: int = 0
    """How many streams were closed or ended."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when a stream was closed or ended."""
    warmed: threading.Event = field(default_factory=threading.Event)

    def warm(self) -> None:
        self.warmed.set()
        if self.failure:
            raise self.failure

    async def counts(self, reader: Reader, only: Filter | None = None) -> FakeCounts:
        seen = self._seen(reader, only)
        return FakeCounts(len(seen), sum(len(document.blocks) for document in seen))

    async def document(self, document_id: str, reader: Reader) -> Document | None:
        return next((d for d in self._seen(reader) if d.id == document_id), None)

    async def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        seen = self._seen(reader, only)

        def counted(values: Iterable[str]) -> tuple[Facet, ...]:
            return tuple(Facet(value, n) for value, n in Counter(values).most_common())

        return Facets(
            counted(document.source for document in seen),
            counted(document.format for document in seen),
            counted(str(document.updated_at.year) for document in seen if document.updated_at),
        )

    async def glossary(self, reader: Reader) -> list[Entry]:
        said = [SaidBy(one.id, one.title, one.url) for one in self._seen(reader)]
        return [Entry("GRL", "good run list", tuple(said))] if said else []

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return HashEmbedder().embed_documents(texts)

    async def search(
        self,
        text: str,
        reader: Reader,
        k: int | None = 10,
        also: Sequence[Reading] = (),
        only: Filter | None = None,
    ) -> list[Passage]:
        wanted = _words(text)
        passages = [
            _passage(document, block, wanted, self.copies.get(document.id, ()))
            for document in self._seen(reader, only)
            for block in document.blocks
            if block.kind is not BlockKind.HEADING
        ]
        found = [passage for passage in passages if passage.score > 0]
        return sorted(found, key=lambda passage: -passage.score)[:k]

    async def ask(self, question: Question) -> Answer:
        answer = None
        async for event in self.stream(question):
            if isinstance(event, Answer):
                answer = event
        if answer is None:
            raise RuntimeError("A stream ended without an answer.")
        return answer

    async def stream(self, question: Question) -> AsyncGenerator[Event, None]:
        self.asked.append(question)
        try:
            reader, only = question.reader, question.filter
            passages = await self.search(question.text, reader, 6, only=only)
            await asyncio.sleep(self.pause * 10)
            yield Found(tuple(passages))
            words = _words(question.text)
            best = passages[0] if passages else None
            draft = _first_sentence(best.text) if best and "away" not in words else ""
            for word in re.findall(r"\S+\s*", draft):
                await asyncio.sleep(self.pause)
                yield Token(word)
            if "hold" in words and self.holds:
                await asyncio.Event().wait()
            if "break" in words:
                raise ModelError("The model server went away. Start it again.")
            if "crash" in words:
                raise KeyError("secret of a document")
            yield self._answer(question, passages, words)
        finally:
            self.closed += 1
            self.ended.set()

    def _seen(self, reader: Reader, only: Filter | None = None) -> list[Document]:
        if self.failure:
            raise self.failure
        return [
            document
            for document in self.documents
            if reader.may_read(document.access)
            and (not only or not only.sources or document.source in only.sources)
        ]

    def _answer(self, question: Question, passages: list[Passage], words: set[str]) -> Answer:
        timings = {"retrieve_ms": 12.5, "first_token_ms": 300.0, "total_ms": 950.0}
        if "missing" in words or not passages:
            text = "The documents do not say."
            return Answer(
                question.text, Status.NOT_FOUND, text, (), (), tuple(passages), self.model,
                score=0.2, contacts=(ASK_HER,), timings=timings,
            )  # fmt: skip
        citations = tuple(
            _citation(marker, passage) for marker, passage in enumerate(passages[:3], 1)
        )
        sentences = [
            Sentence(citation.quote.replace("\n", " "), (citation.marker,), supported=True)
            for citation in citations[:2]
        ]
        status = Status.ANSWERED
        if "away" in words:
            status = Status.EXTRACTS
        else:
            sentences.append(Sentence("It has always been this way.", (), supported=False))
        text = " ".join(sentence.text for sentence in sentences)
        if status is Status.EXTRACTS:
            text = f"The model is away.\n{text}"
        return Answer(
            question.text, status, text, tuple(sentences), citations, tuple(passages),
            "" if status is Status.EXTRACTS else self.model,
            score=0.9, notices=(LAST_YEAR,), timings=timings, prompt_tokens=120,
            completion_tokens=34,
        )  # fmt: skip


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"the", "is", "what", "a", "of", "and", "in"}


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s|\n", text, maxsplit=1)[0]


def _passage(document: Document, block: Block, wanted: set[str], also: tuple[str, ...]) -> Passage:
    text = document.text[block.start : block.end]
    score = len(wanted & _words(text)) / max(1, len(wanted))
    return Passage(
        f"{document.id}@{block.start}-{block.end}", document.id, document.title, document.url,
        document.source, document.sections[block.section].headings, text, block.start, block.end,
        block.page, document.updated_at, score, standing=document.standing, also=also,
    )  # fmt: skip


def _citation(marker: int, passage: Passage) -> Citation:
    quote = _first_sentence(passage.text)
    return Citation(
        marker, passage.document_id, passage.title, passage.url, passage.source, passage.section,
        passage.page, quote, passage.start, passage.start + len(quote), passage.updated_at,
        passage.standing, passage.also,
    )  # fmt: skip


def main() -> None:
    import tempfile

    import uvicorn

    from tests.web.documents import DOCUMENTS
    from web.app import create_app
    from web.bootstrap import opened

    questions = (
        "At how many GeV does the L1_MU4 trigger fire?",
        "Who looks after the muon trigger?",
        "What does a shifter do when the rate of a trigger doubles?",
    )

    async def run(folder: str) -> None:
        settings = Settings(
            index=IndexSettings(path=Path(folder) / "index"),
            server=ServerSettings(suggestions=questions),
        )
        async with opened(settings, FakeAssistant(DOCUMENTS, pause=0.05)) as services:
            app = create_app(services)
            config = uvicorn.Config(app, port=int(sys.argv[1]), log_level="warning", lifespan="off")
            await uvicorn.Server(config).serve()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(folder))


if __name__ == "__main__":
    main()
