"""The nouns of answering: Question → Passage → Answer with Citations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ingest.access import ANYBODY, Reader
from ingest.filters import Filter
from ingest.model import CURRENT, Standing


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier message of a conversation. `role` is `user` or `assistant`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, after what."""

    text: str
    reader: Reader = ANYBODY
    history: tuple[Turn, ...] = ()
    filter: Filter | None = None
    """Which documents to look in; None: all that the reader may see."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found, with its score and what is needed to cite it."""

    chunk_id: str
    document_id: str
    title: str
    url: str
    source: str
    section: tuple[str, ...]
    text: str
    """As shown: a piece of a table carries its header row."""
    start: int
    """Offset of the chunk in its document's text."""
    end: int
    page: int | None
    updated_at: datetime | None
    score: float
    """Between 0 and 1, comparable within one search only."""
    table_header: str = ""
    """The repeated header row that `text` begins with, if any; not counted in `start` and `end`."""
    header: str = ""
    """`title › headings › date` of the chunk."""
    standing: Standing = CURRENT
    """What is said of the document's validity."""
    also: tuple[str, ...] = ()
    """Other addresses of the text that the reader may see; the id of a document that has none."""


class Status(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    NOT_FOUND = "not_found"
    EXTRACTS = "extracts"
    """The model was away or switched off: the best extracts, cited."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer and the citations that carry it."""

    text: str
    citations: tuple[int, ...]
    """Markers, from 1."""
    supported: bool


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence of the answer comes from: exact text with offsets."""

    marker: int
    document_id: str
    title: str
    url: str
    source: str
    section: tuple[str, ...]
    page: int | None
    quote: str
    """Exactly `Document.text[start:end]`."""
    start: int
    end: int
    updated_at: datetime | None
    standing: Standing = CURRENT
    also: tuple[str, ...] = ()
    """As of a `Passage`."""


class NoticeKind(StrEnum):
    """What an asker should know before leaning on an answer."""

    UNSURE = "unsure"
    """The evidence is thin: between what is refused and what is trusted."""
    OLD = "old"
    """What is cited is old, archived or superseded."""
    NEWER = "newer"
    """A newer page says something else than the one cited."""
    CONFLICT = "conflict"
    """Pages of about the same age disagree."""
    MISSING = "missing"
    """A name of the question stands in nothing that was found; only with one that is not found."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that stands beside an answer, in a sentence."""

    kind: NoticeKind
    text: str
    citations: tuple[int, ...] = ()
    """Markers of what it is about."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to ask when the documents do not tell: an author, a maintainer, a channel."""

    name: str
    why: str
    """Such as `wrote "Quay quotas" (12 May 2026)`."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the asker."""

    question: str
    status: Status
    text: str
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    model: str = ""
    trouble: str = ""
    """Why the model left its draft unwritten or unfinished; empty: it did not, or was not asked."""
    score: float | None = None
    """How sure it is that the documents answer the question, 0..1; None: not judged."""
    signs: Mapping[str, float] = field(default_factory=dict)
    """What `score` was made of; `assistant.confidence` names them."""
    notices: tuple[Notice, ...] = ()
    contacts: tuple[Contact, ...] = ()
    """Whom to ask; only with an answer that is not found."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds: `retrieve_ms`, `first_token_ms`, `total_ms`."""
    prompt_tokens: int | None = None
    """What the model read for this answer, as it told; None: it was not asked, or did not tell."""
    completion_tokens: int | None = None
    """What it wrote."""


@dataclass(frozen=True, slots=True)
class Found:
    """First event of a streamed answer: the passages, shown before the model has said anything."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the model's draft. Unchecked: the `Answer` that follows replaces all of them."""

    text: str


Event = Found | Token | Answer
"""What `Assistant.stream` yields: one `Found`, any number of `Token`, one `Answer`."""
