"""What a run did, source by source; and how far it is."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.model import Failure

NAMED = 200
"""So many pages of each kind are named in a report; all of them are counted."""


@dataclass(slots=True)
class Report:
    """What one source gave in one run, in pages unless another noun is named."""

    source: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    access_changed: int = 0
    removed: int = 0
    kept_back: int = 0
    """Pages that the source no longer has but that were kept: too large a share of it."""
    failed: list[Failure] = field(default_factory=list)
    trouble: str = ""
    """Why the source ended before its time; empty when it was read to its end."""
    documents: int = 0
    chunks: int = 0
    embedded: int = 0
    """Chunks whose text had to be embedded; the others' vectors were known."""
    requests: int = 0
    seconds: float = 0.0
    embed_seconds: float = 0.0
    pages: dict[str, list[str]] = field(default_factory=dict)
    """Ids of the first pages that were new, changed, removed or got other readers."""

    def name(self, kind: str, page_id: str) -> None:
        """Name a page in the report, while there is room."""
        named = self.pages.setdefault(kind, [])
        if len(named) < NAMED:
            named.append(page_id)

    @property
    def well(self) -> bool:
        """True when the source was read to its end and nothing was kept back."""
        return not self.trouble and not self.kept_back


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: told after every step."""

    source: str
    pages: int
    embedded: int
    waiting: int
    """Texts that wait for the embedder."""


Watch = Callable[[Progress], None]
