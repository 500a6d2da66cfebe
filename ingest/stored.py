"""Stored pages as a source: re-parse and re-embed without asking anybody's server again."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.index import visits
from ingest.index.rows import Rows
from ingest.model import Item, Past


@dataclass(frozen=True, slots=True)
class StoredSource:
    """The pages of one source as they were fetched."""

    name: str
    db: Rows
    requests: None = None

    def pages(self, past: Past) -> Iterator[Item]:
        """Every stored page."""
        yield from visits.stored_pages(self.db, self.name)

    def live_ids(self) -> Iterator[str]:
        """All of them: a rebuild removes nothing."""
        yield from visits.page_states(self.db, self.name)
        yield from (row.failure.page_id for row in visits.failures(self.db, self.name))
