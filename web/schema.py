"""What the HTTP API takes and gives, exactly: the source of its OpenAPI description."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from assistant.model import NoticeKind, Status
from ingest.filters import Filter
from ingest.model import BlockKind
from web.who import Role

MAX_QUESTION = 4000
MAX_TURNS = 20
MAX_OFFSET = 400
MAX_NAMES = 50

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION, pattern=r"\S"),
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"\S"),
]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]

# As written by `assistant.render`, so that every way in shows the same characters.
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class StrictIn(BaseModel):
    """What somebody gives."""

    # Unknown fields are refused: a client that sends "groups" must learn that it cannot name them.
    model_config = ConfigDict(extra="forbid", strict=True)


def _written(value: Any) -> Any:
    """Only what is written as a date: a number is none, and no time is cut off."""
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        return value
    msg = "a day is written as 2026-01-31"
    raise ValueError(msg)


Day = Annotated[date, Field(strict=False), BeforeValidator(_written)]


class NothingIn(StrictIn):
    """A body without fields, for clients that must send one."""


class FilterIn(StrictIn):
    """Which documents to look in. What is left out narrows nothing."""

    sources: list[Id] = Field(default=[], max_length=MAX_NAMES)
    formats: list[Id] = Field(default=[], max_length=MAX_NAMES)
    since: Day | None = Field(default=None, description="First day, in UTC.")
    until: Day | None = Field(default=None, description="Last day, in UTC, which belongs to it.")

    def made(self) -> Filter:
        """As the index takes it."""
        return Filter(frozenset(self.sources), frozenset(self.formats), self.since, self.until)


class TurnIn(StrictIn):
    """One earlier message of the conversation."""

    role: Literal["user", "assistant"]
    content: str


class AskIn(StrictIn):
    """A question: in a conversation that is kept, in a new one, or kept nowhere."""

    question: Text
    conversation_id: Id | None = None
    replaces: Id | None = Field(
        default=None,
        description="The id of a question of that conversation: it and what follows is removed.",
    )
    filter: FilterIn | None = None
    keep: bool = Field(default=True, description="False: written into no conversation.")
    history: list[TurnIn] = Field(
        default=[],
        max_length=MAX_TURNS,
        description="What was said before; only without conversation_id.",
    )

    @model_validator(mode="after")
    def _one_past(self) -> Self:
        if self.conversation_id is not None and (self.history or not self.keep):
            msg = "conversation_id goes neither with history nor with keep=false"
            raise ValueError(msg)
        if self.replaces is not None and self.conversation_id is None:
            msg = "replaces needs the conversation_id that it belongs to"
            raise ValueError(msg)
        return self


class SearchIn(StrictIn):
    """A search."""

    query: Text
    k: int = Field(default=10, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET, description="So many hits are left out.")
    filter: FilterIn | None = None


class RenameIn(StrictIn):
    """Another title."""

    title: Line


class FeedbackIn(StrictIn):
    """What somebody says about an answer."""

    helpful: bool | None = None
    wrong_sentences: list[Annotated[int, Field(ge=0, le=1000)]] = Field(
        default=[], max_length=100, description="Places of sentences in the answer, from 0."
    )
    text: str = Field(default="", max_length=4000)
    right_page: str = Field(default="", max_length=2000, description="An address, or an id.")


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


class FacetOut(BaseModel):
    """A value with the number of documents that have it."""

    value: str
    count: int


class FacetsOut(BaseModel):
    """What the documents that the reader may see can be narrowed to."""

    sources: list[FacetOut]
    formats: list[FacetOut]
    years: list[FacetOut]


class PassageOut(HitOut):
    """A passage of an answer, with its place in the document's text."""

    page: int | None
    start: int
    end: int


class FoundOut(BaseModel):
    """Hits, best first, and what the search can be narrowed to."""

    hits: list[PassageOut]
    facets: FacetsOut
    total: int = Field(description="Documents that the filter takes and the reader may see.")


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
    withheld: bool = Field(
        default=False, description="Some parts of a stored answer are not shown to this reader."
    )


class AskedOut(AnswerOut):
    """An answer, and where it is kept; null where it is not."""

    message_id: str | None
    conversation_id: str | None
    question_id: str | None
    answer_id: str | None


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
    standing: StandingOut
    blocks: list[BlockOut]


class HealthOut(BaseModel):
    """What this server can do for its reader."""

    status: Literal["ok"] = "ok"
    model: str = Field(description="The model that writes; empty when answers are extracts only.")
    model_state: Literal["ready", "loading", "away", "none"]
    generation: int
    built_at: Moment
    documents: int = Field(description="How many documents the reader may see.")
    chunks: int


class SuggestionsOut(BaseModel):
    """Questions to begin with."""

    suggestions: list[str]


class AliveOut(BaseModel):
    """What machines are told; nothing else, since nobody has signed in."""

    status: Literal["ok", "no"]


class SaidByOut(BaseModel):
    """A document that says what a short form stands for."""

    document_id: str
    title: str
    url: str


class EntryOut(BaseModel):
    """A short form with one of its meanings."""

    short: str
    long: str
    sources: list[SaidByOut]


class GlossaryOut(BaseModel):
    """Short forms that the documents explain, by the alphabet."""

    entries: list[EntryOut]


class MeOut(BaseModel):
    """Who is asking; empty for somebody who has not signed in."""

    user_id: str = ""
    name: str = ""
    role: Role = Role.READER
    via: Literal["local", "session", "token", "bot", ""] = ""
    groups: list[str] = []
    signed_in: bool = False
    sign_in_url: str = Field(description="Where to sign in; empty where nobody does.")
    features: dict[str, bool] = Field(default={}, description="What may be used.")


class FeedbackOut(BaseModel):
    """What somebody said about an answer."""

    model_config = ConfigDict(from_attributes=True)

    helpful: bool | None
    wrong_sentences: list[int]
    text: str
    right_page: str


class MessageOut(BaseModel):
    """A question or an answer, as far as its reader may see it."""

    id: str
    role: Literal["user", "assistant"]
    text: str
    answer: AnswerOut | None = Field(description="Null for questions, and where it was cut off.")
    created_at: Moment
    withheld: bool = Field(description="Some parts are not shown.")
    feedback: FeedbackOut | None = None


class ConversationLineOut(BaseModel):
    """A conversation in a list."""

    id: str
    title: str
    created_at: Moment
    updated_at: Moment
    share_id: str | None = Field(description="Of the link to it; null while it is not shared.")


class ConversationsOut(BaseModel):
    """Conversations, the latest first."""

    conversations: list[ConversationLineOut]
    next: str | None = Field(description="What `before` takes to go on; null at the end.")


class ConversationOut(ConversationLineOut):
    """A whole conversation."""

    messages: list[MessageOut]
    withheld: bool


class ShareOut(BaseModel):
    """A link to a conversation."""

    share_id: str
    created_at: Moment


class SharedOut(BaseModel):
    """What is behind a link, as far as its reader may see it."""

    id: str
    title: str
    created_at: Moment
    messages: list[MessageOut]
    withheld: bool
