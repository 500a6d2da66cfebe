"""The nouns of ingestion: Page → Document → Chunk, and what can happen to a page instead.

Frozen dataclasses over the standard library only, so that every other module may import them
and none of them drags an engine along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

PUBLIC = "public"
"""The group that every reader belongs to, signed in or not."""

AccessList = frozenset[str]
"""Groups that may read a document. Empty means nobody: what could not be determined is closed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a source or a page says about its own validity. Addresses are urls or page ids."""

    archived: bool = False
    superseded_by: str = ""
    supersedes: str = ""


CURRENT = Standing()
"""Nothing was said: taken as valid."""


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes as a source fetched them. One page may hold many documents (a mailbox, an export)."""

    id: str
    """Unique over all sources and stable: `source:path`, such as `twiki:Main/WebHome.txt`."""
    source: str
    url: str
    """Where a person opens it; empty when only Docent can show it."""
    format: str
    """A key of `ingest.parse.PARSERS`, or empty when it has to be guessed from name and content."""
    content: bytes
    updated_at: datetime | None
    access: AccessList
    version: str = ""
    """The source's own mark of this state (ETag, revision, date): what it is asked about next."""
    standing: Standing = CURRENT
    author: str = ""
    """Who wrote it, where the source knows and the page itself does not say."""
    title: str = ""
    """What the source calls it. Then its title, author and date go before those in the content."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A page that is as it was: only who may read it can have changed. Not fetched, not parsed."""

    page_id: str
    source: str
    access: AccessList
    version: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """One page that could not be read, as a value: a row in the report, not the end."""

    page_id: str
    source: str
    reason: str
    """One sentence: what happened, to what, what to do."""
    forbidden: bool = False
    """The source no longer lets us read it: what is known of it is closed to everybody."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A page that the source says no longer exists."""

    page_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything before this item was given: a later run may go on from here."""

    source: str
    value: str
    """The source's own note to itself; JSON where it has parts."""


Item = Page | Unchanged | Failure | Gone | Cursor
"""What a source gives."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a source from earlier runs. Empty on the first."""

    cursor: str = ""
    """The value of the last `Cursor`."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Page id → the `version` it was seen with last; empty string where it had none."""
    retry: frozenset[str] = frozenset()
    """Pages that failed and are to be tried again now, also where nothing changed."""
    waiting: frozenset[str] = frozenset()
    """Pages that failed and are not to be asked for yet."""

    def wants(self, page_id: str, version: str) -> bool:
        """True when a page of this version has to be fetched."""
        if page_id in self.waiting:
            return False
        return page_id in self.retry or not version or self.versions.get(page_id) != version


class BlockKind(StrEnum):
    """What a stretch of a document's text is; decides where it may be cut and how it is shown."""

    HEADING = "heading"
    PROSE = "prose"
    LIST = "list"
    TABLE = "table"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands above it."""

    headings: tuple[str, ...]
    """Headings from the top to this one, without the document's title; empty for the preamble."""
    anchor: str = ""
    """Fragment that leads to it in the original page, without `#`; or, where it begins with `/`,
    what is put after the page's address: the posts of a forum have addresses of their own."""


@dataclass(frozen=True, slots=True)
class Block:
    """`Document.text[start:end]`, of one kind, in one section. In order, never overlapping."""

    kind: BlockKind
    start: int
    end: int
    section: int
    """Position in `Document.sections`."""
    page: int | None = None
    """Page number from 1, for formats that have pages."""
    header_end: int | None = None
    """For a table with a header row: `text[start:header_end]` is that row."""


@dataclass(frozen=True, slots=True)
class Document:
    """Text with structure, as a parser made it from a page."""

    id: str
    """`Page.id`, or `Page.id#part` where a page holds several documents."""
    page_id: str
    source: str
    title: str
    url: str
    format: str
    text: str
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...]
    access: AccessList
    author: str = ""
    updated_at: datetime | None = None
    standing: Standing = CURRENT


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is embedded, indexed and cited."""

    id: str
    """`Document.id@start-end`: the same text at the same place keeps its id over re-ingestion."""
    document_id: str
    ordinal: int
    headings: tuple[str, ...]
    start: int
    end: int
    text: str
    """Exactly `Document.text[start:end]`, so that a citation can quote with offsets."""
    header: str
    """`title › headings › date`: embedded and indexed with the text, shown apart from it."""
    table_header: str = ""
    """Header row repeated for a later piece of a table; empty elsewhere."""
    page: int | None = None
    anchor: str = ""

    @property
    def shown(self) -> str:
        """The text as a person or a model should read it: a piece of a table has its header row."""
        return f"{self.table_header}\n{self.text}" if self.table_header else self.text

    @property
    def indexed(self) -> str:
        """The text as it is embedded and indexed."""
        return f"{self.header}\n{self.shown}"


@dataclass(frozen=True, slots=True)
class Acronym:
    """A short form and what a document says it stands for."""

    short: str
    long: str


@dataclass(frozen=True, slots=True)
class Cut:
    """A document with its chunks: what the index takes."""

    document: Document
    chunks: Sequence[Chunk]
    signature: bytes = b""
    """Of `ingest.twins`, to find near-duplicates by; empty: it is like no other."""
    acronyms: Sequence[Acronym] = ()
    """Of `ingest.glossary`."""
