"""GitLab: documents, wikis, releases, issues and merge requests of groups and projects."""

from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import FetchError, SettingsError, SourceTrouble
from ingest.http import Client
from ingest.model import Failure, Item, Past
from ingest.source_settings import GitlabSettings
from ingest.sources.gitlab.access import Part, rights_from
from ingest.sources.gitlab.api import Api, Record, encoded
from ingest.sources.gitlab.content import Files, releases, wiki_pages
from ingest.sources.gitlab.run import Marks, Project, Run, project_from
from ingest.sources.gitlab.threads import Moved, Threads

__all__ = ["GitlabSource"]


@dataclass(frozen=True, slots=True)
class Scope:
    """A line of the settings: a group with all below it, or one project."""

    kind: str
    """A step of the API's addresses: `groups` or `projects`."""
    path: str

    @property
    def key(self) -> str:
        """Names it in the notes of a run."""
        return f"{self.kind}/{self.path}"


class GitlabSource:
    """Asks per group where GitLab can answer per group, and else per project."""

    def __init__(self, name: str, settings: GitlabSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        if not settings.project_groups and not settings.projects:
            msg = f"[sources.{name}] names nothing to read; set project_groups or projects."
            raise SettingsError(msg)
        self._rights = rights_from(name, settings)
        self._api = Api(name, str(settings.url), client)

    @property
    def requests(self) -> int:
        """Made so far."""
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """What is new, changed, or gone since the last run."""
        run = Run(self.name, self.settings, self._api, past, self._rights)
        for item in self._items(run):
            yield run.took(item)

    def live_ids(self) -> None:
        """Says what is gone by `Gone`, as GitLab tells it: never by leaving something out."""
        return

    def _items(self, run: Run) -> Iterator[Item]:
        scopes = self._scopes()
        lost: set[Scope] = set()
        for scope in scopes:
            try:
                records = self._records(run, scope)
            except FetchError as error:
                lost.add(scope)
                yield from self._lost(run, scope, error)
                told = str(error)
            else:
                yield from self._enter(run, scope, records)
        if lost and len(lost) == len(scopes):
            msg = f"None of the groups and projects could be listed. {told}"
            raise SourceTrouble(msg)
        for project in list(run.projects.values()):
            yield from self._project(run, project)
        moved = Moved(run)
        for part in (Part.ISSUES, Part.MERGE_REQUESTS):
            for scope in scopes:
                if part in self._parts and scope not in lost:
                    yield from self._threads(run, scope, part, moved)
        yield from moved.items()
        yield from self._vanished(run, lost)

    @property
    def _parts(self) -> frozenset[Part]:
        asked = self.settings
        on = {
            Part.FILES: bool(asked.files) or asked.code,
            Part.WIKIS: asked.wiki,
            Part.RELEASES: asked.releases,
            Part.ISSUES: asked.issues,
            Part.MERGE_REQUESTS: asked.merge_requests,
        }
        return frozenset(part for part, wanted in on.items() if wanted)

    def _scopes(self) -> list[Scope]:
        """The lines of the settings without those that another one covers."""
        groups = sorted({path.strip("/") for path in self.settings.project_groups})
        tops = [path for path in groups if not any(_below(path, one) for one in groups)]
        alone = sorted({path.strip("/") for path in self.settings.projects})
        single = [path for path in alone if not any(_below(path, one) for one in tops)]
        return [Scope("groups", path) for path in tops] + [
            Scope("projects", path) for path in single
        ]

    def _records(self, run: Run, scope: Scope) -> list[Record]:
        """The projects of a line of the settings."""
        if scope.kind == "projects":
            found = [self._api.one(f"projects/{encoded(scope.path)}")]
        else:
            found = list(
                self._api.every(
                    f"groups/{encoded(scope.path)}/projects",
                    include_subgroups="true",
                    with_shared="false",
                    order_by="id",
                    sort="asc",
                )
            )
        found += self._overlooked(run, scope, {record.get("id") for record in found})
        if not all(isinstance(record.get("id"), int) for record in found):
            msg = f"{self.name}: {scope.key} lists a project without a number."
            raise FetchError(msg)
        return found

    def _overlooked(self, run: Run, scope: Scope, listed: set[object]) -> Iterator[Record]:
        """Projects that were there last time: pages of a list shift while one is deleted."""
        for project, marks in run.note.projects.items():
            if marks.scope != scope.key or project in listed:
                continue
            try:
                record = self._api.one(f"projects/{project}")
            except FetchError as error:
                if error.status != 404:
                    raise
            else:
                if _below(str(record.get("path_with_namespace")), scope.path):
                    yield record

    def _enter(self, run: Run, scope: Scope, records: list[Record]) -> Iterator[Item]:
        """Take up the projects of a line of the settings."""
        for record in records:
            members: list[Record] = []
            if self._rights.users:
                path = f"projects/{record['id']}/members/all"
                try:
                    members = list(self._api.every(path))
                except FetchError as error:
                    # Who is a member is not known then: nobody, but for the groups' own keys.
                    list_id = f"{self.name}:{record['id']}/members"
                    run.unread.add(list_id)
                    reason = f"The members of {record.get('path_with_namespace')}: {error}"
                    yield Failure(list_id, self.name, reason)
            project = project_from(record, self._parts, self._rights, members)
            run.projects[project.id] = project
            marks = run.note.projects.setdefault(project.id, Marks())
            if marks.archived != project.archived:
                marks.archived, marks.head, marks.wiki = project.archived, "", ""
            marks.scope = scope.key

    def _project(self, run: Run, project: Project) -> Iterator[Item]:
        """What is asked for project by project."""
        marks = run.note.projects[project.id]
        for part, access in project.readers.items():
            if access is None:
                yield from run.gone(run.known.of(project.id, part))
                marks.head = "" if part is Part.FILES else marks.head
                marks.wiki = "" if part is Part.WIKIS else marks.wiki
                continue
            yield from run.readers_of(project, part)
            list_id = run.list_id(project.id, part)
            if part in (Part.ISSUES, Part.MERGE_REQUESTS) or run.waits(list_id):
                continue
            try:
                yield from self._content(run, project, part)
            except FetchError as error:
                what = f"The {part} of {project.path}"
                yield from run.cannot_list(list_id, what, error, [(project.id, part)])
            else:
                yield from run.readers_of(project, part, answered=True)
        yield from run.cursor()

    def _content(self, run: Run, project: Project, part: Part) -> Iterator[Item]:
        if part is Part.FILES:
            return Files(run, project).items()
        if part is Part.WIKIS:
            return wiki_pages(run, project)
        # A release has a tag, and a tag a repository that is not empty.
        return (
            releases(run, project) if project.branch else run.gone(run.known.of(project.id, part))
        )

    def _threads(self, run: Run, scope: Scope, part: Part, moved: Moved) -> Iterator[Item]:
        """Issues or merge requests of a whole line of the settings."""
        list_id = f"{self.name}:{part}:{scope.key}"
        if run.waits(list_id):
            return
        here = [p for p in run.projects.values() if run.note.projects[p.id].scope == scope.key]
        if all(project.readers[part] is None for project in here):
            return
        root = _root(scope, here)
        try:
            yield from Threads(run, root, scope.key, part, moved).items()
        except FetchError as error:
            parts = [(project.id, part) for project in here]
            yield from run.cannot_list(list_id, f"The {part} of {scope.path}", error, parts)
            return
        for project in here:
            if (
                project.readers[part] is not None
                and run.list_id(project.id, part) not in run.unread
            ):
                yield from run.readers_of(project, part, answered=True)
        yield from run.cursor()

    def _lost(self, run: Run, scope: Scope, error: FetchError) -> Iterator[Item]:
        """A group or project that GitLab does not show: renamed, deleted, or no longer ours."""
        if error.status == 403:
            # GitLab hides what we may not see (404); this is a wall, or a token without read_api.
            msg = f"{error} Check that the token has the scope read_api."
            raise SourceTrouble(msg)
        inside = [id_ for id_, marks in run.note.projects.items() if marks.scope == scope.key]
        parts = [(project, part) for project in inside for part in Part]
        yield from run.cannot_list(f"{self.name}:{scope.key}", scope.path, error, parts)

    def _vanished(self, run: Run, lost: set[Scope]) -> Iterator[Item]:
        """Projects that are no more, and failures that are over."""
        keys = {scope.key for scope in lost}
        for project in sorted(run.known.projects() - set(run.projects)):
            marks = run.note.projects.get(project)
            if lost and (marks is None or marks.scope in keys):
                continue
            yield from run.gone(run.known.of(project))
            run.note.projects.pop(project, None)
        yield from run.gone(run.known.lists - run.unread)
        yield from run.cursor()


def _root(scope: Scope, projects: list[Project]) -> str:
    if scope.kind == "groups":
        return f"groups/{encoded(scope.path)}"
    return f"projects/{projects[0].id}"


def _below(path: str, group: str) -> bool:
    return path.lower().startswith(f"{group.lower()}/")
