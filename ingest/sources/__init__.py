"""The `Source` seam and the table of sources: kind → where its class lives."""

from collections.abc import Iterator
from importlib import import_module
from typing import Protocol

from ingest.model import Failure, Gone, Page
from ingest.settings import SourceSettings


class Source(Protocol):
    """A place documents come from. Fetches and never parses."""

    @property
    def name(self) -> str:
        """The name in the settings; the first part of every page id."""
        ...

    def pages(self) -> Iterator[Page | Failure | Gone]:
        """Everything there is, or what changed since last time; bad pages as values."""
        ...

    def live_ids(self) -> Iterator[str]:
        """Ids of all pages that exist now: what is known and not among them was removed."""
        ...


SOURCES = {"files": "ingest.sources.files:FilesSource"}


def source_from(name: str, settings: SourceSettings) -> Source:
    """The source for a section of the settings; its module is imported on first use."""
    module, _, attribute = SOURCES[settings.kind].partition(":")
    source: Source = getattr(import_module(module), attribute)(name, settings)
    return source
