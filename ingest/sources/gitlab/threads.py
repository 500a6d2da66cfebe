"""Issues and merge requests with their discussions, listed for a whole group at once."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ingest.errors import FetchError
from ingest.model import Failure, Item, Page, Standing
from ingest.sources.gitlab.access import Part
from ingest.sources.gitlab.api import PER_PAGE, Listing, Record
from ingest.sources.gitlab.content import DENIALS, moment
from ingest.sources.gitlab.run import ARCHIVED, CONFIDENTIAL, Project, Run, stamped, state_of

OVERLAP = timedelta(minutes=10)
"""Changes so much older than the latest that was seen are listed again: some are told late."""

_ISSUE = re.compile(r"/projects/(\d+)/issues/(\d+)/?\Z")


class Moved:
    """Where issues went. GitLab names the new one by a number that only lists connect to a page."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pages: dict[str, str] = {}
        """Number of an issue in all of GitLab → page id; versions hold it from earlier runs."""
        for project in run.known.projects():
            for page_id in run.known.of(project, Part.ISSUES):
                self.learn(state_of(run.versions.get(page_id, "")), page_id)
        self.held: dict[str, tuple[Record, Project, str]] = {}
        """Issues whose new place is not known yet."""

    def learn(self, state: str, page_id: str) -> None:
        """Keep the number in a state that `Threads` made."""
        parts = state.split(" ")
        if len(parts) > 1:
            self._pages[parts[1]] = page_id

    def hold(self, page_id: str, record: Record, project: Project, state: str) -> bool:
        """True when an issue has to wait until all are listed."""
        number = record.get("moved_to_id")
        if not number or str(number) in self._pages:
            return False
        self.held[page_id] = (record, project, state)
        self._run.note.moved = sorted({*self._run.note.moved, page_id})
        return True

    def items(self) -> Iterator[Item]:
        """The issues that waited, now that all are listed."""
        for page_id, (record, project, state) in sorted(self.held.items()):
            yield thread(self._run, Part.ISSUES, page_id, record, project, state, self)
        self._run.note.moved = []
        yield from self._run.cursor()

    def standing(self, record: Record, project: Project) -> Standing:
        """Which issue takes the place of this one, where GitLab says so."""
        number = record.get("moved_to_id")
        links = record.get("_links")
        twin = links.get("closed_as_duplicate_of") if isinstance(links, Mapping) else None
        target = self._pages.get(str(number), "") if number else ""
        found = _ISSUE.search(twin) if isinstance(twin, str) else None
        if found and not target and int(found[1]) in self._run.projects:
            target = self._run.page_id(int(found[1]), Part.ISSUES, found[2])
        # What went to a place that is not read is still no longer the one to go by.
        left = bool(number or twin) and not target
        return Standing(archived=project.archived or left, superseded_by=target)


class Threads:
    """One list: the issues, or the merge requests, of a group or of a single project."""

    def __init__(self, run: Run, root: str, key: str, part: Part, moved: Moved) -> None:
        self._run = run
        self._root = root
        """Address of the group or project."""
        self._part = part
        self._key = f"{part}:{key}"
        self._moved = moved
        self._projects = {
            project.id: project
            for project in run.projects.values()
            if run.note.projects[project.id].scope == key and project.readers[part] is not None
        }
        self._known = set().union(*(run.known.of(project, part) for project in self._projects))
        self._taken: dict[str, str] = {}
        """Page id → state, of what this run listed."""
        self._others: set[object] = set()
        """Records of projects that are not ours."""

    def items(self) -> Iterator[Item]:
        """What is new or changed, and what is gone."""
        note = self._run.note
        fresh = [
            project
            for project in self._projects.values()
            if self._listed(project) not in note.projects[project.id].listed
        ]
        since = moment(note.since.get(self._key))
        if since is None:
            # The list of all covers them from its start on, also when it is interrupted.
            for project in fresh:
                self._set_listed(project)
            yield from self._whole()
            return
        for project in fresh:
            yield from self._all_of(project)
        newest = self._list(self._root, sort="desc")
        recent = [one for one in newest.records if _changed(one) >= since - OVERLAP]
        if newest.more and len(recent) == len(newest.records):
            for found in self._pages(self._root, since - OVERLAP):
                yield from self._advance(found.records)
        else:
            yield from self._advance(recent[::-1])
        yield from self._again()
        if not self._complete(newest):
            yield from self._whole()

    def _all_of(self, project: Project) -> Iterator[Item]:
        """List a project from its beginning: it came late, or was archived since."""
        run = self._run
        list_id = run.list_id(project.id, self._part)
        if run.waits(list_id):
            return
        try:
            for found in self._pages(f"projects/{project.id}", None):
                yield from self._take(found.records)
        except FetchError as error:
            what = f"The {self._part} of {project.path}"
            yield from run.cannot_list(list_id, what, error, [(project.id, self._part)])
            return
        self._set_listed(project)
        yield from run.cursor()

    def _whole(self) -> Iterator[Item]:
        """List everything, which also tells what is gone."""
        run = self._run
        self._others.clear()
        listed: set[str] = set()
        for found in self._pages(self._root, None):
            yield from self._advance(found.records)
            listed |= {self._page_id(one) for one in found.records if self._project(one)}
        yield from run.gone(self._known - listed)
        run.note.left_out[self._key] = len(self._others)
        yield from run.cursor()

    def _complete(self, newest: Listing) -> bool:
        """True when GitLab has as many as are known: then nothing was deleted or overlooked."""
        expected = len(self._known | set(self._taken))
        expected += self._run.note.left_out.get(self._key, 0)
        if newest.total is not None:
            return newest.total == expected
        try:
            last = self._list(self._root, per_page=1, page=max(expected, 1))
        except FetchError:
            # Beyond some offset GitLab does not answer; then only the whole list tells.
            return False
        return len(last.records) == min(expected, 1) and not last.more

    def _advance(self, records: Sequence[Record]) -> Iterator[Item]:
        """Take records that come in the order of their changes."""
        yield from self._take(records)
        note = self._run.note
        if records:
            latest = max(_changed(one) for one in records)
            before = moment(note.since.get(self._key))
            note.since[self._key] = (max(before, latest) if before else latest).isoformat()
        yield from self._run.cursor()

    def _take(self, records: Sequence[Record]) -> Iterator[Item]:
        if self._part is Part.ISSUES:
            for one in records:
                if self._project(one):
                    self._moved.learn(self._state(one), self._page_id(one))
        for one in records:
            project = self._project(one)
            if project is None:
                self._others.add(one.get("id"))
            else:
                yield from self._thread(one, project)

    def _thread(self, record: Record, project: Project) -> Iterator[Item]:
        run = self._run
        page_id, state = self._page_id(record), self._state(record)
        if self._taken.get(page_id) == state:
            return
        self._taken[page_id] = state
        if not run.wants(page_id, state):
            return
        if self._part is Part.ISSUES and self._moved.hold(page_id, record, project, state):
            return
        yield thread(run, self._part, page_id, record, project, state, self._moved)

    def _again(self) -> Iterator[Item]:
        """Ask for single pages that failed, or waited when the last run ended."""
        run = self._run
        waited = set(run.note.moved) - set(self._moved.held)
        prefixes = {run.page_id(id_, self._part, ""): id_ for id_ in self._projects}
        for page_id in sorted((self._known & run.past.retry) | waited):
            head, _, iid = page_id.rpartition("/")
            if page_id in self._taken or f"{head}/" not in prefixes:
                continue
            project = self._projects[prefixes[f"{head}/"]]
            try:
                record = run.api.one(f"projects/{project.id}/{self._part}/{iid}")
                self._checked([record])
            except FetchError as error:
                # One that was deleted is missed in the count, and then in the list.
                if error.status != 404:
                    reason = f"{page_id} cannot be read: {error}"
                    yield Failure(page_id, run.name, reason, error.status in DENIALS)
                continue
            yield from self._take([record])

    def _pages(self, root: str, since: datetime | None) -> Iterator[Listing]:
        """The list in the order of changes, from one on.

        Not by GitLab's page numbers: whoever edits an issue meanwhile would shift another one out
        of sight. Each page begins with the last change of the one before.
        """
        page = 1
        while True:
            after = {"updated_after": since.isoformat()} if since else {}
            found = self._list(root, sort="asc", page=page, **after)
            yield found
            if not found.more or not found.records:
                return
            last = _changed(found.records[-1])
            if since is None or last > since:
                since, page = last, 1
            else:
                page += 1

    def _list(self, root: str, **query: str | int) -> Listing:
        asked: dict[str, str | int] = {
            "scope": "all",
            "state": "all",
            "order_by": "updated_at",
            "per_page": PER_PAGE,
            **query,
        }
        if root.startswith("groups/"):
            asked["non_archived"] = "false"
        found = self._run.api.listing(f"{root}/{self._part}", **asked)
        self._checked(found.records)
        return found

    def _checked(self, records: Iterable[Record]) -> None:
        for one in records:
            numbered = all(isinstance(one.get(key), int) for key in ("project_id", "iid"))
            if not numbered or moment(one.get("updated_at")) is None:
                msg = f"{self._run.name}: {self._key} has a record without number or date."
                raise FetchError(msg)

    def _project(self, record: Record) -> Project | None:
        return self._projects.get(record["project_id"])

    def _page_id(self, record: Record) -> str:
        return self._run.page_id(record["project_id"], self._part, record["iid"])

    def _state(self, record: Record) -> str:
        """The last change, the number in all of GitLab, and what decides on readers."""
        project = self._projects[record["project_id"]]
        closed = self._part is Part.ISSUES and record.get("confidential") is not False
        state = f"{record['updated_at']} {record.get('id')}{CONFIDENTIAL if closed else ''}"
        return project.state(state)

    def _listed(self, project: Project) -> str:
        return f"{self._key}{ARCHIVED if project.archived else ''}"

    def _set_listed(self, project: Project) -> None:
        marks = self._run.note.projects[project.id]
        others = [one for one in marks.listed if not one.startswith(f"{self._part}:")]
        marks.listed = sorted([*others, self._listed(project)])


def _changed(record: Record) -> datetime:
    found = moment(record["updated_at"])
    return found or datetime.min.replace(tzinfo=UTC)


def thread(
    run: Run,
    part: Part,
    page_id: str,
    record: Record,
    project: Project,
    state: str,
    moved: Moved,
) -> Item:
    """A page with the discussion below it, or why there is none."""
    discussions: list[Record] = []
    if record.get("user_notes_count") != 0:
        path = f"projects/{project.id}/{part}/{record['iid']}/discussions"
        try:
            discussions = list(run.api.every(path))
        except FetchError as error:
            reason = f"The discussion of {page_id} cannot be read: {error}"
            return Failure(page_id, run.name, reason, error.status in DENIALS)
    content = json.dumps({**record, "discussions": discussions}, ensure_ascii=False, sort_keys=True)
    access = run.access(project, part, state)
    return Page(
        id=page_id,
        source=run.name,
        url=str(record.get("web_url") or ""),
        format="gitlab",
        content=content.encode(),
        updated_at=moment(record["updated_at"]),
        access=access,
        version=stamped(state, access),
        standing=moved.standing(record, project),
    )
