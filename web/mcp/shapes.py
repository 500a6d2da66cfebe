"""What the tools take and give, exactly: the source of their JSON schemas.

Everything that is given has a largest size, since all of it goes into a model's context.
"""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from assistant.model import Status
from ingest.filters import Filter
from web.schema import MAX_NAMES, Day, Id, Text

MAX_HITS = 20
MAX_HIT_CHARS = 2_000
PART_CHARS = 16_000
MAX_PART_CHARS = 40_000
"""About 10,000 tokens: what the clients that are out there take without complaint."""
MAX_ANSWER_CHARS = 20_000
MAX_QUOTE_CHARS = 1_000
MAX_LINE_CHARS = 300
MAX_URL_CHARS = 2_000
MAX_CITED = 30
MAX_LISTED = 200

# A model reads what people do not see: controls, marks of direction, what has no width, tags.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Text without characters that nobody sees."""
    return _UNSEEN.sub("", text)


def cut(text: str, most: int) -> str:
    """At most so many characters, without those that nobody sees; what is cut off leaves a mark."""
    seen = clean(text)
    return seen if len(seen) <= most else f"{seen[: most - 1]}…"


def line(text: str) -> str:
    """A title, a name: one line of bounded length."""
    return cut(" ".join(text.split()), MAX_LINE_CHARS)


def address(url: str) -> str:
    """An address of the web; empty for any other, which a client might open or run."""
    web = url.startswith(("https://", "http://")) and len(url) <= MAX_URL_CHARS
    return clean(url) if web else ""


class _Given(BaseModel):
    # Unknown fields are refused: who sends "groups" must learn that nobody can name his own.
    model_config = ConfigDict(extra="forbid")


class _Narrowed(_Given):
    sources: list[Id] = Field(
        default=[],
        max_length=MAX_NAMES,
        description="Look only in these sources, named as list_sources names them.",
    )
    since: Day | None = Field(
        default=None, description="Only documents that changed on this day or after: 2026-01-31."
    )
    until: Day | None = Field(default=None, description="Only documents that changed until then.")

    def only(self) -> Filter | None:
        """As the index takes it; None narrows nothing."""
        made = Filter(frozenset(self.sources), frozenset(), self.since, self.until)
        return made if made.narrows else None


class SearchIn(_Narrowed):
    """A search."""

    query: Text = Field(description="What to look for: words, names, identifiers or a question.")
    k: int = Field(default=8, ge=1, le=MAX_HITS, description="How many passages.")


class AskIn(_Narrowed):
    """A question."""

    question: Text = Field(description="One whole question that can be understood alone.")


class ReadIn(_Given):
    """Which document to read, and which part of it."""

    document_id: Annotated[str, Field(min_length=1, max_length=MAX_URL_CHARS)] = Field(
        description="As search and ask give it, or the address docent://documents/..."
    )
    offset: int = Field(default=0, ge=0, le=2**40, description="The first character.")
    chars: int = Field(
        default=PART_CHARS, ge=1, le=MAX_PART_CHARS, description="At most so many characters."
    )


class NothingIn(_Given):
    """No arguments."""


class GlossaryIn(_Given):
    """A short form."""

    term: Annotated[str, Field(max_length=200)] = Field(
        default="", description="A short form, or words of what it stands for. Empty: the first."
    )


class HitOut(BaseModel):
    """A passage that was found."""

    document_id: str
    uri: str = Field(description="The document as a resource of this server.")
    title: str
    url: str = Field(description="Where people read it; empty where there is no such place.")
    source: str
    section: str
    page: int | None
    updated_at: str | None
    outdated: str = Field(description="Why it may no longer hold; empty for nothing known.")
    text: str


class SearchOut(BaseModel):
    """What a search found, best first."""

    hits: list[HitOut]
    documents: int = Field(description="Of so many documents that the caller may read.")


class SentenceOut(BaseModel):
    """A sentence of an answer and the numbers of what carries it."""

    text: str
    citations: list[int]
    supported: bool


class CitationOut(BaseModel):
    """Where a sentence comes from."""

    number: int
    document_id: str
    uri: str
    title: str
    url: str
    source: str
    section: str
    page: int | None
    updated_at: str | None
    outdated: str
    quote: str = Field(description="As it stands in the document.")


class PlaceOut(BaseModel):
    """A document that is near the question."""

    document_id: str
    uri: str
    title: str
    url: str


class AskOut(BaseModel):
    """An answer whose sentences were checked against the documents."""

    status: Status = Field(
        description="answered; extracts: no model was there, so it only quotes; not_found: the "
        "documents that the caller may read do not say."
    )
    answer: str
    sentences: list[SentenceOut]
    citations: list[CitationOut]
    notices: list[str] = Field(description="What to know before leaning on the answer.")
    contacts: list[str] = Field(description="Whom to ask instead; only with not_found.")
    nearest: list[PlaceOut] = Field(description="The nearest documents; only with not_found.")


class ReadOut(BaseModel):
    """A part of a document."""

    document_id: str
    uri: str
    title: str
    url: str
    source: str
    format: str
    author: str
    updated_at: str | None
    outdated: str
    offset: int
    next_offset: int | None = Field(description="Where to read on; null at the end.")
    chars: int = Field(description="Characters of the whole document.")
    text: str


class SourceOut(BaseModel):
    """A source with the number of its documents that the caller may read."""

    name: str
    documents: int


class SourcesOut(BaseModel):
    """What there is to search."""

    sources: list[SourceOut]
    documents: int
    built_at: str = Field(description="When the collection was last read.")


class SaidByOut(BaseModel):
    """A document that says what a short form stands for."""

    document_id: str
    uri: str
    title: str
    url: str


class EntryOut(BaseModel):
    """A short form with one of its meanings."""

    short: str
    long: str
    said_by: list[SaidByOut]


class GlossaryOut(BaseModel):
    """What short forms stand for, as the documents say."""

    entries: list[EntryOut]
    more: bool = Field(description="Whether there are others that are not listed.")
