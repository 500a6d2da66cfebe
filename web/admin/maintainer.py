"""Who is let in here, and pages as a maintainer may see them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated

from assistant.contacts import contacts
from assistant.model import Contact
from ingest.access import Reader
from ingest.model import Document
from ingest.settings import Settings
from web.services import Assistant
from web.who import Caller, Role, Scope, needs

Maintainer = Annotated[Caller, needs(Scope.ADMIN, Role.MAINTAINER)]
"""The caller of a route for maintainers; anybody else gets 401 or 403."""


class Shelf:
    """Documents as one maintainer may read them, for one request: each is looked up once."""

    def __init__(self, assistant: Assistant, reader: Reader) -> None:
        self._assistant = assistant
        self._reader = reader
        self._known: dict[str, Document | None] = {}

    async def document(self, document_id: str) -> Document | None:
        """One of them; None when it is not there or not for this reader."""
        if document_id not in self._known:
            found = await self._assistant.document(document_id, self._reader)
            self._known[document_id] = found
        return self._known[document_id]

    async def first(self, document_ids: Iterable[str], most: int) -> list[Document]:
        """The first ones that may be read."""
        found: list[Document] = []
        for document_id in document_ids:
            document = await self.document(document_id)
            if document is not None:
                found.append(document)
            if len(found) == most:
                break
        return found

    @property
    def seen(self) -> list[str]:
        """The ids of all that were given out."""
        return [name for name, document in self._known.items() if document is not None]


def keepers_of(documents: Iterable[Document], settings: Settings) -> tuple[Contact, ...]:
    """Whom to ask about documents that have been read for somebody."""
    keepers: Mapping[str, str] = {n: source.keeper for n, source in settings.sources.items()}
    return contacts(list(documents), keepers)


def iso(moment: datetime | None) -> str | None:
    """A moment as the API writes it."""
    return moment.isoformat(timespec="seconds") if moment else None
