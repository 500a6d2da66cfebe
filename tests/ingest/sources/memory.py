"""What the index remembers of a source from run to run, as far as sources can tell."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ingest.model import AccessList, Cursor, Failure, Gone, Item, Page, Past, Unchanged
from ingest.sources import Source


@dataclass
class Memory:
    """Takes the items of a run and gives the past of the next.

        memory = Memory()
        run = memory.run(source)
        assert run.ids(Page) == ["site:/"]

    Failed pages are due again at once; set `patient` for a run in which they are waited with.
    """

    pages: dict[str, Page] = field(default_factory=dict)
    access: dict[str, AccessList] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    cursor: str = ""
    patient: bool = False

    @property
    def past(self) -> Past:
        """What a source is told."""
        failed = frozenset(self.failed)
        none: frozenset[str] = frozenset()
        retry, waiting = (none, failed) if self.patient else (failed, none)
        return Past(self.cursor, dict(self.versions), retry, waiting)

    def run(self, source: Source, stop_after: int | None = None) -> "Run":
        """One run; `stop_after` so many items it is killed."""
        before = source.requests or 0
        run = Run()
        for item in _first(source.pages(self.past), stop_after):
            run.items.append(item)
            self._take(item)
        if stop_after is None:
            self._remove(run, source)
        run.requests = (source.requests or 0) - before
        return run

    def _take(self, item: Item) -> None:
        match item:
            case Page():
                self.pages[item.id], self.versions[item.id] = item, item.version
                self.access[item.id] = item.access
                self.failed.discard(item.id)
            case Unchanged(page_id, _, access, version):
                assert page_id in self.pages, f"{page_id} is unchanged and was never given"
                self.versions[page_id], self.access[page_id] = version, access
                self.failed.discard(page_id)
            case Failure(page_id, forbidden=forbidden):
                self.failed.add(page_id)
                if forbidden and page_id in self.pages:
                    self.access[page_id] = frozenset()
            case Cursor(_, value):
                self.cursor = value

    def _remove(self, run: "Run", source: Source) -> None:
        known = set(self.pages) | self.failed
        run.removed = {item.page_id for item in run.items if isinstance(item, Gone)} & known
        seen = {_page_id(item) for item in run.items}
        if not known <= seen and (live := source.live_ids()) is not None:
            run.removed |= known - seen - set(live)
        for page_id in run.removed:
            for kept in (self.pages, self.versions, self.access):
                kept.pop(page_id, None)
            self.failed.discard(page_id)


@dataclass
class Run:
    """What one run gave."""

    items: list[Item] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    requests: int = 0

    def ids(self, kind: type[Item]) -> list[str]:
        """Ids of the items of one kind, sorted."""
        return sorted(_page_id(item) for item in self.items if isinstance(item, kind))

    @property
    def failures(self) -> list[Failure]:
        return [item for item in self.items if isinstance(item, Failure)]


def _page_id(item: Item) -> str:
    match item:
        case Page():
            return item.id
        case Cursor():
            return ""
    return item.page_id


def _first(items: Iterable[Item], count: int | None) -> Iterator[Item]:
    for number, item in enumerate(items):
        if number == count:
            return
        yield item
