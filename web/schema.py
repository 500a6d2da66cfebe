"""What the HTTP API takes and gives, exactly: the source of its OpenAPI description."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from assistant.model import NoticeKind, Status
from ingest.model import BlockKind

MAX_QUESTION = 4000
MAX_TURNS = 20

Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION)
]

# As written by `assistant.render`, so that every way in shows the same characters.
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class _Given(BaseModel):
    # Unknown fields are refused: a client that sends "groups" must learn that it cannot name them.
    model_config = ConfigDict(extra="forbid", strict=True)


class TurnIn(_Given):
    """One earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str


class AskIn(_Given):
    """A question, with the conversation before it."""

    question: Text
    history: list[TurnIn] = Field(default=[], max_length=MAX_TURNS)


class SearchIn(_Given):
    """A search."""

    query: Text
    k: int = Field(default=10, ge=1, le=100)


class StandingOut(BaseModel):
    """What a source or a page says of its own validity."""

    archived: bool
    superseded_by: str = Field(description="An address or a document's id; empty for none.")


Also = Annotated[
    list[str],
    Field(description="Other addresses of the same text; a document's id where it has none."),
]


class HitOut(BaseModel):
    """A passage that was found."""

    document_id: str
    chunk_id: str
    title: str
    url: str
    source: str
    section: list[str]
    text: str
    score: float = Field(description="Between 0 and 1, comparable within one search only.")
    updated_at: Moment | None
    standing: StandingOut
    also: Also


class HitsOut(BaseModel):
    """Hits, best first."""

    hits: list[HitOut]


class PassageOut(HitOut):
    """A passage of an answer, with its place in the document's text."""

    page: int | None
    start: int
    end: int


class SentenceOut(BaseModel):
    """A sentence of the answer and the markers of the citations that carry it."""

    text: str
    citations: list[int]
    supported: bool


class CitationOut(BaseModel):
    """Where a sentence comes from: `quote` is the document's text from `start` to `end`."""

    marker: int
    document_id: str
    title: str
    url: str
    source: str
    section: list[str]
    page: int | None
    quote: str
    start: int
    end: int
    updated_at: Moment | None
    standing: StandingOut
    also: Also


class NoticeOut(BaseModel):
    """A warning that stands beside an answer."""

    kind: NoticeKind
    text: str
    citations: list[int] = Field(description="Markers of what it is about.")


class ContactOut(BaseModel):
    """Somebody to ask when the documents do not tell."""

    name: str
    why: str
    url: str = Field(description="A page or channel; empty where none is known.")


class AnswerOut(BaseModel):
    """An answer; the same fields as `docent ask --json`."""

    question: str
    status: Status
    answer: str
    sentences: list[SentenceOut]
    citations: list[CitationOut]
    passages: list[PassageOut]
    score: float | None = Field(
        description="How sure it is that the documents answer the question, 0 to 1."
    )
    notices: list[NoticeOut]
    contacts: list[ContactOut] = Field(description="Whom to ask; only when nothing was found.")
    model: str
    timings: dict[str, float] = Field(description="Milliseconds.")


class BlockOut(BaseModel):
    """A stretch of a document. Offsets count Unicode code points of the whole text."""

    kind: BlockKind
    start: int
    end: int
    text: str
    headings: list[str]
    anchor: str
    page: int | None
    header_end: int | None = Field(description="Where a table's header row ends, if it has one.")


class DocumentOut(BaseModel):
    """A document as it was read."""

    document_id: str
    title: str
    url: str
    source: str
    format: str
    author: str
    updated_at: Moment | None
    blocks: list[BlockOut]


class HealthOut(BaseModel):
    """What this server can do for its reader."""

    status: Literal["ok"] = "ok"
    model: str = Field(description="The model that writes; empty when answers are extracts only.")
    generation: int
    built_at: Moment
    documents: int = Field(description="How many documents the reader may see.")
    chunks: int


class SuggestionsOut(BaseModel):
    """Questions to begin with."""

    suggestions: list[str]
