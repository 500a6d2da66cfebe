"""One crawl: what its parts share, what is known from before, and the note it leaves."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from ingest.errors import FetchError, SourceTrouble
from ingest.model import AccessList, Cursor, Failure, Gone, Item, Past, Standing, Unchanged
from ingest.source_settings import GitlabSettings
from ingest.sources.gitlab.access import CLOSED, Part, Rights, readers
from ingest.sources.gitlab.api import Api, Record

CONFIDENTIAL = " confidential"
ARCHIVED = " archived"
"""Marks in the version of a page: what must be known of it without asking again."""
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

    def version(self, state: str) -> str:
        """The mark of a page's state: pages of a project that was archived are read anew."""
        return f"{state}{ARCHIVED}" if self.archived else state


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
    readers: dict[str, str] = field(default_factory=dict)
    """Part → digest of who may read it."""
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
    """The pages of earlier runs, those that failed too, by project and part."""

    def __init__(self, name: str, past: Past) -> None:
        self._ids: defaultdict[tuple[int, Part], set[str]] = defaultdict(set)
        self.lists: set[str] = set()
        """Ids of lists that could not be had, which are not pages."""
        for page_id in {*past.versions, *past.retry, *past.waiting}:
            project, _, rest = page_id.removeprefix(f"{name}:").partition("/")
            part, _, path = rest.partition("/")
            if path and project.isdecimal() and part in set(Part):
                self._ids[int(project), Part(part)].add(page_id)
            else:
                self.lists.add(page_id)

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
    _written: str = ""

    def __post_init__(self) -> None:
        self.note = Note.read(self.past.cursor, digest(self.settings.files, self.settings.code))
        self.known = Known(self.name, self.past)
        self._written = self.past.cursor

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

    def readers_of(self, project: Project, part: Part, *, answered: bool = False) -> Iterator[Item]:
        """Everything known of a part, when others may read it than last time.

        What GitLab denied last time stays closed until it has `answered`.
        """
        access = project.readers[part] or CLOSED
        marks = self.note.projects[project.id]
        if marks.readers.get(part) == _DENIED and not answered:
            return
        mark = digest(sorted(access), sorted(project.insiders) if part is Part.ISSUES else None)
        if marks.readers.get(part) == mark:
            return
        yield from self._readable(
            self.known.of(project.id, part),
            lambda version: project.insiders if CONFIDENTIAL in version else access,
        )
        marks.readers[part] = mark

    def close(self, project: int, part: Part) -> Iterator[Item]:
        """Nobody may read what is known of a part until it can be read again."""
        yield from self._readable(self.known.of(project, part), lambda _: CLOSED)
        if project in self.note.projects:
            self.note.projects[project].readers[part] = _DENIED

    def _readable(
        self, page_ids: Iterable[str], access: Callable[[str], AccessList]
    ) -> Iterator[Item]:
        failed = self.past.retry | self.past.waiting
        for page_id in sorted(page_ids):
            version = self.past.versions.get(page_id)
            if page_id not in failed and version is not None:
                yield Unchanged(page_id, self.name, access(version), version)
            elif version is not None:
                # It may have failed because it is denied to us: its own answer must open it.
                reason = f"{page_id} could not be read, and its readers changed: closed until then."
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


def digest(*values: Any) -> str:
    """A short mark that differs when the values do."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
