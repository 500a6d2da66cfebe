"""One crawl: what its parts share, what is known from before, and the note it leaves."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from ingest.errors import FetchError, SourceTrouble
from ingest.model import (
    AccessList,
    Cursor,
    Failure,
    Gone,
    Item,
    Page,
    Past,
    Standing,
    Unchanged,
)
from ingest.source_settings import GitlabSettings
from ingest.sources.gitlab.access import CLOSED, Part, Rights, readers
from ingest.sources.gitlab.api import Api, Record

CONFIDENTIAL = " confidential"
ARCHIVED = " archived"
"""Words in the state of a page: what must be known of it without asking again."""
_DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Project:
    """A project that is read."""

    id: int
    """Stays when a project is renamed or moved; the first part of its page ids."""
    path: str
    url: str
    branch: str
    """Empty where there is no code."""
    archived: bool
    readers: Mapping[Part, AccessList | None]
    """None: there is nothing of this part, or it is not asked for."""
    insiders: AccessList
    """Who may read confidential issues."""

    @property
    def standing(self) -> Standing:
        """What is true of all its pages."""
        return Standing(archived=self.archived)

    def state(self, mark: str) -> str:
        """The mark of a page's state: pages of a project that was archived are read anew."""
        return f"{mark}{ARCHIVED}" if self.archived else mark


def project_from(
    record: Record, parts: Iterable[Part], rights: Rights, members: list[Record]
) -> Project:
    """A project as the API describes it."""
    asked = set(parts)
    return Project(
        id=int(record["id"]),
        path=str(record.get("path_with_namespace") or record["id"]),
        url=str(record.get("web_url") or ""),
        branch="" if record.get("empty_repo") else str(record.get("default_branch") or ""),
        archived=record.get("archived") is True,
        readers={
            part: readers(record, part, rights, members=members) if part in asked else None
            for part in Part
        },
        insiders=readers(record, Part.ISSUES, rights, members=members, confidential=True) or CLOSED,
    )


@dataclass(slots=True)
class Marks:
    """How far a project was read."""

    scope: str = ""
    """The line of the settings that it was found by."""
    archived: bool = False
    head: str = ""
    """The commit whose files are known; empty: all have to be listed."""
    wiki: str = ""
    """The version of the list of wiki pages."""
    listed: list[str] = field(default_factory=list)
    """Issues, merge requests: the parts that were listed from the beginning."""


@dataclass(slots=True)
class Note:
    """What a run tells the next one, as the value of a `Cursor`."""

    reads: str
    """Digest of the settings that choose files."""
    projects: dict[int, Marks] = field(default_factory=dict)
    since: dict[str, str] = field(default_factory=dict)
    """List of issues or merge requests → the latest change seen in it."""
    left_out: dict[str, int] = field(default_factory=dict)
    """The same list → how many of its records belong to no project of ours."""
    moved: list[str] = field(default_factory=list)
    """Issues that wait until the one they were moved to is known."""
    shut: list[str] = field(default_factory=list)
    """Pages that had failed when their readers changed; once told, not every night."""

    @staticmethod
    def read(value: str, reads: str) -> "Note":
        """The note in a cursor; an empty one where it cannot be read, so that all is listed."""
        try:
            told = json.loads(value)
            projects = {int(key): Marks(**marks) for key, marks in told.pop("projects").items()}
            note = Note(projects=projects, **told)
        except (ValueError, TypeError, AttributeError, KeyError):
            return Note(reads)
        if note.reads != reads:
            note.reads = reads
            for marks in note.projects.values():
                marks.head = ""
        return note

    def written(self) -> str:
        """For a cursor."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


class Known:
    """The pages of earlier runs and of this one, failed ones too, by project and part."""

    def __init__(self, name: str, past: Past) -> None:
        self._prefix = f"{name}:"
        self._ids: defaultdict[tuple[int, Part], set[str]] = defaultdict(set)
        self.lists: set[str] = set()
        """Ids of lists that could not be had, which are not pages."""
        for page_id in {*past.versions, *past.retry, *past.waiting}:
            if not self.add(page_id):
                self.lists.add(page_id)

    def add(self, page_id: str) -> bool:
        """Take up a page; False when this is the id of none."""
        project, _, rest = page_id.removeprefix(self._prefix).partition("/")
        part, _, path = rest.partition("/")
        if not path or not project.isdecimal() or part not in set(Part):
            return False
        self._ids[int(project), Part(part)].add(page_id)
        return True

    def of(self, project: int, *parts: Part) -> set[str]:
        """Ids of a project's pages, of some parts or of all."""
        return set().union(*(self._ids.get((project, part), set()) for part in parts or Part))

    def projects(self) -> set[int]:
        """Projects that pages are known of."""
        return {project for project, _ in self._ids}


@dataclass
class Run:
    """What the parts of one crawl share."""

    name: str
    settings: GitlabSettings
    api: Api
    past: Past
    rights: Rights
    note: Note = field(init=False)
    known: Known = field(init=False)
    projects: dict[int, Project] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    """Lists that could not be had in this run."""
    versions: dict[str, str] = field(init=False)
    """Page id → version, with what this run has given."""
    _given: set[str] = field(default_factory=set)
    _written: str = ""

    def __post_init__(self) -> None:
        self.note = Note.read(self.past.cursor, digest(self.settings.files, self.settings.code))
        self.known = Known(self.name, self.past)
        self.versions = dict(self.past.versions)
        failed = self.past.retry | self.past.waiting
        self.note.shut = [page_id for page_id in self.note.shut if page_id in failed]
        self._written = self.past.cursor

    def took(self, item: Item) -> Item:
        """Remember what is given."""
        match item:
            case Page(id=page_id, version=version) | Unchanged(page_id=page_id, version=version):
                self.versions[page_id] = version
                self.known.add(page_id)
                self._given.add(page_id)
            case Gone(page_id=page_id):
                self.versions.pop(page_id, None)
        return item

    def wants(self, page_id: str, state: str) -> bool:
        """True when a page in this state has to be fetched, whoever may read it."""
        if page_id in self.past.waiting:
            return False
        due = page_id in self.past.retry and page_id not in self._given
        return due or not state or state_of(self.versions.get(page_id, "")) != state

    def page_id(self, project: int, part: Part, path: str | int) -> str:
        """The id of a page; stable as long as GitLab keeps the project's number."""
        return f"{self.name}:{project}/{part}/{path}"

    def list_id(self, project: int, part: Part) -> str:
        """The name of a list in the report of failures."""
        return f"{self.name}:{project}/{part}"

    def due(self, project: Project, part: Part) -> set[str]:
        """Pages that failed and are to be asked for again."""
        return self.known.of(project.id, part) & self.past.retry

    def cursor(self) -> Iterator[Item]:
        """The note, where there is something new in it."""
        written = self.note.written()
        if written != self._written:
            self._written = written
            yield Cursor(self.name, written)

    def gone(self, page_ids: Iterable[str]) -> Iterator[Item]:
        """Pages that are no more."""
        for page_id in sorted(page_ids):
            yield Gone(page_id, self.name)

    def access(self, project: Project, part: Part, state: str) -> AccessList:
        """Who may read a page in this state."""
        return project.insiders if CONFIDENTIAL in state else project.readers[part] or CLOSED

    def readers_of(self, project: Project, part: Part, *, answered: bool = False) -> Iterator[Item]:
        """What others may read than last time.

        The version of each page says who could, so that neither a killed run nor one whose cursor
        was kept back leaves a page open. What GitLab denied is closed until it has `answered`.
        """
        for page_id in sorted(self.known.of(project.id, part)):
            version = self.versions.get(page_id)
            if version is None or (version.endswith(f"|{_DENIED}") and not answered):
                continue
            state = state_of(version)
            access = self.access(project, part, state)
            if version != stamped(state, access):
                yield from self._readable(page_id, access, stamped(state, access))

    def close(self, project: int, part: Part) -> Iterator[Item]:
        """Nobody may read what is known of a part until it can be read again."""
        for page_id in sorted(self.known.of(project, part)):
            version = self.versions.get(page_id)
            if version is not None and not version.endswith(f"|{_DENIED}"):
                yield from self._readable(page_id, CLOSED, f"{state_of(version)}|{_DENIED}")

    def _readable(self, page_id: str, access: AccessList, version: str) -> Iterator[Item]:
        if page_id in self._given or page_id not in self.past.retry | self.past.waiting:
            yield Unchanged(page_id, self.name, access, version)
        elif page_id not in self.note.shut:
            # It may have failed because it is denied to us: its own answer must open it.
            self.note.shut = sorted({*self.note.shut, page_id})
            reason = f"{page_id} could not be read, and its readers changed: closed until it can."
            yield Failure(page_id, self.name, reason, forbidden=True)

    def waits(self, list_id: str) -> bool:
        """True when a list failed lately and is not to be asked for yet."""
        if list_id not in self.past.waiting:
            return False
        self.unread.add(list_id)
        return True

    def cannot_list(
        self, list_id: str, what: str, error: FetchError, parts: Iterable[tuple[int, Part]]
    ) -> Iterator[Item]:
        """A list that is not to be had: what is known stays, closed when GitLab denies it.

        Raises:
            SourceTrouble: the sign-in is refused, which is no word on a single list.
        """
        if error.status == 401:
            msg = f"{error} Renew the token of [sources.{self.name}] auth; it may have expired."
            raise SourceTrouble(msg) from None
        self.unread.add(list_id)
        denied = error.status in (403, 404)
        for project, part in parts if denied else ():
            yield from self.close(project, part)
        then = (
            "Its pages are closed to everybody until it can be read; check the token's rights, or "
            "take it out of the settings to remove them."
            if denied
            else "Its pages stay as they are; it is tried again."
        )
        yield Failure(list_id, self.name, f"{what} cannot be listed: {error} {then}", denied)


def stamped(state: str, access: AccessList) -> str:
    """The version of a page: its state and who may read it."""
    return f"{state}|{digest(sorted(access))}"


def state_of(version: str) -> str:
    """The state in a version."""
    return version.rpartition("|")[0]


def digest(*values: Any) -> str:
    """A short mark that differs when the values do."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
