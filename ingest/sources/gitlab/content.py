"""What is read project by project: files of the default branch, wiki pages, releases."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from ingest.errors import FetchError
from ingest.model import Failure, Item, Page
from ingest.sources.files import glob_pattern
from ingest.sources.gitlab.access import CLOSED, Part
from ingest.sources.gitlab.api import Api, encoded
from ingest.sources.gitlab.run import Project, Run, digest, stamped, state_of

CODE = ("py", "pyi", "c", "cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "icc")
"""Endings of the files that `code = true` adds."""

_LINK = "120000"
"""The mode of a symbolic link, whose content is only the path it leads to."""
DENIALS = (401, 403, 404)
"""What GitLab says of a page that we may not see, although a list has just named it."""
_LFS = b"version https://git-lfs.github.com/spec/"


def moment(value: object) -> datetime | None:
    """A date of the API."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


@dataclass
class _Changes:
    """What happened to the files since they were read."""

    wanted: dict[str, str] = field(default_factory=dict)
    """Path → id of its blob; empty where only an answer will tell."""
    gone: set[str] = field(default_factory=set)
    """Paths."""


class Files:
    """Documents and code in the default branch of one project."""

    def __init__(self, run: Run, project: Project) -> None:
        self._run = run
        self._project = project
        self._api: Api = run.api
        self._root = f"projects/{project.id}/repository"
        self._globs = [glob_pattern(glob) for glob in run.settings.files]
        self._commits: dict[str, tuple[datetime | None, str]] = {}

    def items(self) -> Iterator[Item]:
        """New and changed files, by the commit that was read last."""
        run, project = self._run, self._project
        marks = run.note.projects[project.id]
        known = run.known.of(project.id, Part.FILES)
        if not project.branch:
            yield from run.gone(known)
            marks.head = ""
            return
        branch = self._api.one(f"{self._root}/branches/{encoded(project.branch)}")
        commit = branch.get("commit")
        head = str(commit.get("id") or "") if isinstance(commit, dict) else ""
        if not head:
            msg = f"{project.path} does not tell the last commit of its default branch."
            raise FetchError(msg)
        self._remember([commit])
        changes = _Changes()
        if head != marks.head:
            changes = self._compared(marks.head, head) or self._listed(head, known)
        prefix = run.page_id(project.id, Part.FILES, "")
        for page_id in run.due(project, Part.FILES):
            changes.wanted.setdefault(page_id.removeprefix(prefix), "")
        for path in sorted(set(changes.wanted) - changes.gone):
            yield from self._file(head, path, changes.wanted[path])
        yield from run.gone({f"{prefix}{path}" for path in changes.gone} & known)
        marks.head = head

    def _wanted(self, path: str) -> bool:
        return self._is_code(path) or any(glob.fullmatch(path) for glob in self._globs)

    def _is_code(self, path: str) -> bool:
        return self._run.settings.code and path.rpartition(".")[2] in CODE

    def _compared(self, before: str, head: str) -> _Changes | None:
        """The difference of two commits; None where GitLab cannot tell all of it."""
        if not before:
            return None
        try:
            found = self._api.one(
                f"{self._root}/compare", **{"from": before, "to": head, "straight": "true"}
            )
        except FetchError:
            # The old commit is gone after a forced push, or the difference is too large to tell.
            return None
        diffs, commits = found.get("diffs"), found.get("commits")
        if found.get("compare_timeout") is not False or not isinstance(commits, list):
            return None
        if not isinstance(diffs, list) or not all(isinstance(diff, dict) for diff in diffs):
            return None
        self._remember(commits)
        changes = _Changes()
        for diff in diffs:
            old, new = str(diff.get("old_path")), str(diff.get("new_path"))
            if diff.get("deleted_file") or diff.get("renamed_file"):
                changes.gone.add(old)
            if diff.get("deleted_file"):
                continue
            if diff.get("b_mode") == _LINK or not self._wanted(new):
                changes.gone.add(new)
            else:
                changes.wanted[new] = ""
        # Two files may have changed places: what has a name now is there.
        changes.gone -= set(changes.wanted)
        return changes

    def _listed(self, head: str, known: set[str]) -> _Changes:
        """All files of the commit."""
        run, project = self._run, self._project
        changes = _Changes()
        query = {"ref": head, "recursive": "true", "pagination": "keyset"}
        for entry in self._api.every(f"{self._root}/tree", **query):
            path = entry.get("path")
            if not isinstance(path, str):
                msg = f"{project.path} lists a file without a path."
                raise FetchError(msg)
            if entry.get("type") == "blob" and entry.get("mode") != _LINK and self._wanted(path):
                changes.wanted[path] = str(entry.get("id"))
        prefix = run.page_id(project.id, Part.FILES, "")
        changes.gone = {page_id.removeprefix(prefix) for page_id in known} - set(changes.wanted)
        return changes

    def _file(self, head: str, path: str, blob: str) -> Iterator[Item]:
        run, project = self._run, self._project
        page_id = run.page_id(project.id, Part.FILES, path)
        if not run.wants(page_id, project.state(blob) if blob else ""):
            return
        try:
            reply = self._api.reply(f"{self._root}/files/{encoded(path)}/raw", {"ref": head})
        except FetchError as error:
            reason = f"{path} of {project.path} cannot be read: {error}"
            yield Failure(page_id, run.name, reason, error.status in DENIALS)
            return
        if reply.content.startswith(_LFS):
            reason = (
                f"{path} of {project.path} lies in Git LFS, and the repository holds only a "
                f"pointer to it. Exclude it from [sources.{run.name}] files."
            )
            yield Failure(page_id, run.name, reason)
            return
        blob = blob or reply.headers.get("x-gitlab-blob-id", "")
        access = project.readers[Part.FILES] or CLOSED
        changed, author = self._commit(reply.headers.get("x-gitlab-last-commit-id", ""))
        yield Page(
            id=page_id,
            source=run.name,
            url=f"{project.url}/-/blob/{quote(project.branch)}/{quote(path)}",
            format="code" if self._is_code(path) else "",
            content=reply.content,
            updated_at=changed,
            access=access,
            version=stamped(project.state(blob) if blob else "", access),
            standing=project.standing,
            author=author,
        )

    def _commit(self, sha: str) -> tuple[datetime | None, str]:
        """When a commit was made and by whom; many files share their last one."""
        if sha and sha not in self._commits:
            try:
                found = self._api.one(f"{self._root}/commits/{encoded(sha)}", stats="false")
            except FetchError:
                # A page without a date is better than none.
                found = {}
            self._remember([{**found, "id": sha}])
        return self._commits.get(sha, (None, ""))

    def _remember(self, commits: Iterable[object]) -> None:
        for commit in commits:
            if isinstance(commit, dict):
                told = moment(commit.get("committed_date")), str(commit.get("author_name") or "")
                self._commits[str(commit.get("id"))] = told


def wiki_pages(run: Run, project: Project) -> Iterator[Item]:
    """The pages of a wiki: one list with all texts, asked for only when it changed."""
    marks = run.note.projects[project.id]
    # Without the mark the whole list comes, and with it the pages that failed.
    version = "" if run.due(project, Part.WIKIS) else marks.wiki
    reply = run.api.reply(f"projects/{project.id}/wikis", {"with_content": 1}, version)
    if reply.status == 304:
        return
    records = reply.json()
    if not isinstance(records, list) or not all(_has_slug(record) for record in records):
        msg = f"The wiki of {project.path} is not the JSON list that GitLab documents."
        raise FetchError(msg)
    pages = []
    for record in records:
        slug = str(record["slug"])
        told = {key: record.get(key) for key in ("slug", "title", "format", "content", "encoding")}
        url = f"{project.url}/-/wikis/{quote(slug)}"
        pages.append(_page(run, project, Part.WIKIS, slug, url, told))
    yield from _listed(run, project, Part.WIKIS, pages)
    marks.wiki = reply.version


def _has_slug(record: object) -> bool:
    return isinstance(record, dict) and bool(record.get("slug"))


def releases(run: Run, project: Project) -> Iterator[Item]:
    """The releases of a project: a list that is short and tells all."""
    pages = []
    for record in run.api.every(f"projects/{project.id}/releases"):
        tag = record.get("tag_name")
        if not tag:
            continue  # the token may not read the repository, whose tags these are
        told = {
            key: record.get(key)
            for key in ("tag_name", "name", "description", "created_at", "released_at")
        }
        author = record.get("author") or {}
        told["author"] = {key: author.get(key) for key in ("name", "username")}
        told["milestones"] = [
            {"title": milestone.get("title")} for milestone in record.get("milestones") or ()
        ]
        url = f"{project.url}/-/releases/{encoded(str(tag))}"
        pages.append(_page(run, project, Part.RELEASES, str(tag), url, told))
    yield from _listed(run, project, Part.RELEASES, pages)


def _page(
    run: Run, project: Project, part: Part, path: str, url: str, told: dict[str, object]
) -> Page:
    content = json.dumps({**told, "web_url": url}, ensure_ascii=False, sort_keys=True)
    access = project.readers[part] or CLOSED
    return Page(
        id=run.page_id(project.id, part, path),
        source=run.name,
        url=url,
        format="gitlab",
        content=content.encode(),
        updated_at=moment(told.get("released_at")),
        access=access,
        version=stamped(project.state(digest(content)), access),
        standing=project.standing,
    )


def _listed(run: Run, project: Project, part: Part, pages: list[Page]) -> Iterator[Item]:
    """Of a whole list, the pages that are new or changed, and those that it no longer names."""
    for page in pages:
        if run.wants(page.id, state_of(page.version)):
            yield page
    yield from run.gone(run.known.of(project.id, part) - {page.id for page in pages})
