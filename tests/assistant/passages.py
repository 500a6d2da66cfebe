"""Passages written by hand, in the manner of a collaboration's pages."""

from datetime import UTC, datetime

from assistant.model import Passage
from ingest.access import Reader
from ingest.filters import Facet, Facets, Filter
from ingest.index import Counts, Entry
from ingest.model import Document

DAY = datetime(2026, 3, 14, tzinfo=UTC)

PHONES = """Function | Phone | Hours
Trigger on-call | 71022 | always
HTC on-call | 71035 | 07:00-23:00
CEC on-call | 71033 | always"""

LATENCY = (
    "The latency budget of the Level-1 trigger is 3.2 us. The muon path uses 1.95 us of it. "
    "The tag GT-17 is no longer valid. Do not use firmware v1.4.0, use firmware v2.3.1."
)

QUOTA = """Writing stops after a grace time of 7 days; reading goes on.

    quay quota --area user
    quay ls --size /quay/user"""


def passage(
    text: str,
    title: str = "Level-1 muon trigger",
    *,
    start: int = 0,
    section: tuple[str, ...] = (),
    table_header: str = "",
    score: float = 0.9,
) -> Passage:
    shown = f"{table_header}\n{text}" if table_header else text
    document = f"files:{title}"
    return Passage(
        chunk_id=f"{document}@{start}-{start + len(text)}",
        document_id=document,
        title=title,
        url=f"https://example.org/{title.replace(' ', '')}",
        source="files",
        section=section,
        text=shown,
        start=start,
        end=start + len(text),
        page=None,
        updated_at=DAY,
        score=score,
        table_header=table_header,
        header=" › ".join((title, *section, "2026-03-14")),
    )


class FakeFinder:
    """Gives the same passages to everybody in its groups, and nothing to anybody else."""

    def __init__(self, *passages: Passage, group: str = "public") -> None:
        self.passages = passages
        self.group = group
        self.asked: list[str] = []
        self.filters: list[Filter | None] = []

    def retrieve(
        self, text: str, reader: Reader, k: int | None = None, also=(), only: Filter | None = None
    ) -> list[Passage]:
        self.asked.append(text)
        self.filters.append(only)
        return list(self.passages[: k or 8]) if self.group in reader.principals else []

    def document(self, document_id: str, reader: Reader) -> Document | None:
        return None

    def counts(self, reader: Reader, only: Filter | None = None) -> Counts:
        n = len(self.passages) if self.group in reader.principals else 0
        return Counts(documents=n, chunks=n, generation=1, built_at=DAY)

    def facets(self, reader: Reader, only: Filter | None = None) -> Facets:
        n = len(self.passages) if self.group in reader.principals else 0
        return Facets((Facet("test", n),) if n else (), (), ())

    def glossary(self, reader: Reader) -> tuple[Entry, ...]:
        return ()
