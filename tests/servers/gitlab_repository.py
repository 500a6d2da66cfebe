"""Repositories of the GitLab of the tests: trees, comparisons and files, as API v4 gives them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any
from urllib.parse import urlencode

from tests.servers import Answer, Request, json_answer

Record = dict[str, Any]


@dataclass(frozen=True)
class Commit:
    """A state of the default branch."""

    id: str
    files: Mapping[str, bytes]
    links: frozenset[str]
    """Those of the files that are symbolic links."""
    author: str
    date: str

    @property
    def record(self) -> Record:
        return {
            "id": self.id,
            "short_id": self.id[:8],
            "title": "Change",
            "author_name": self.author,
            "authored_date": self.date,
            "committed_date": self.date,
            "parent_ids": [],
        }

    def mode(self, path: str) -> str:
        return "120000" if path in self.links else "100644"


@dataclass
class Project:
    """What a project holds."""

    record: Record
    commits: list[Commit] = field(default_factory=list)
    left: list[Commit] = field(default_factory=list)
    """No longer on the branch and not cleaned up yet."""
    wikis: dict[str, Record] = field(default_factory=dict)
    releases: dict[str, Record] = field(default_factory=dict)
    members: list[Record] = field(default_factory=list)
    issues: dict[int, Record] = field(default_factory=dict)
    merge_requests: dict[int, Record] = field(default_factory=dict)
    discussions: dict[tuple[str, int], list[Record]] = field(default_factory=dict)


def blob_id(content: bytes) -> str:
    """Git's name for a content."""
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def repository(project: Project, rest: list[str], request: Request, most_diffs: int) -> Answer:
    """Branches, commits, trees, comparisons and files; more than `most_diffs` are not told."""
    query = request.query
    commits = {commit.id: commit for commit in [*project.left, *project.commits]}
    match rest:
        case ["branches", name] if commits and name == project.record["default_branch"]:
            return json_answer({"name": name, "commit": project.commits[-1].record})
        case ["commits", sha] if sha in commits:
            return json_answer(commits[sha].record)
        case ["tree"] if query["ref"] in commits:
            return _tree(commits[query["ref"]], request)
        case ["compare"] if query["from"] in commits and query["to"] in commits:
            straight = query.get("straight") == "true"
            old, new = commits[query["from"]], commits[query["to"]]
            return _compare(project, old, new, straight, most_diffs)
        case ["files", path, "raw"] if query["ref"] in commits:
            return _raw(project, commits[query["ref"]], path)
    return missing()


def _raw(project: Project, commit: Commit, path: str) -> Answer:
    if path not in commit.files:
        return error("404 File Not Found", 404)
    content = commit.files[path]
    last = commit
    for one in project.commits[project.commits.index(commit) :: -1]:
        if one.files.get(path) != content:
            break
        last = one
    headers = {"X-Gitlab-Blob-Id": blob_id(content), "X-Gitlab-Last-Commit-Id": last.id}
    return Answer(content, type="text/plain; charset=utf-8", headers=headers)


def _tree(commit: Commit, request: Request) -> Answer:
    folders = {
        path.rsplit("/", depth)[0]
        for path in commit.files
        for depth in range(1, path.count("/") + 1)
    }
    entries = [
        {"id": "0" * 40, "name": path, "type": "tree", "path": path, "mode": "040000"}
        for path in sorted(folders)
    ] + [
        {
            "id": blob_id(content),
            "name": path.rpartition("/")[2],
            "type": "blob",
            "path": path,
            "mode": commit.mode(path),
        }
        for path, content in sorted(commit.files.items())
    ]
    size = int(request.query.get("per_page", "20"))
    token = request.query.get("page_token", "")
    start = next((n + 1 for n, one in enumerate(entries) if one["path"] == token), 0)
    answer = json_answer(entries[start : start + size])
    if len(entries) >= start + size:
        after = {"page_token": entries[start + size - 1]["path"]}
        answer.headers["Link"] = f'<{address(request, after)}>; rel="next"'
    return answer


def _compare(project: Project, old: Commit, new: Commit, straight: bool, most_diffs: int) -> Answer:
    """Of two trees when `straight`, else only what came after they parted."""
    if old in project.left and not straight:
        old = project.commits[0]
    changed = {
        path
        for path in {*old.files, *new.files}
        if old.files.get(path) != new.files.get(path) or old.mode(path) != new.mode(path)
    }
    added = sorted(path for path in changed if path not in old.files)
    deleted = sorted(path for path in changed if path not in new.files)
    diffs = [_diff(new, path, path) for path in sorted(changed - {*added, *deleted})]
    for path in added:
        before = next((p for p in deleted if old.files[p] == new.files[path]), None)
        if before:
            deleted.remove(before)
        diffs.append(
            _diff(new, before or path, path, new_file=not before, renamed_file=bool(before))
        )
    diffs += [_diff(new, path, path, deleted_file=True) for path in deleted]
    first = project.commits.index(old) + 1 if old in project.commits else 0
    between = project.commits[first:]
    return json_answer(
        {
            "commit": new.record,
            "commits": [commit.record for commit in between],
            "diffs": diffs[:most_diffs],
            "compare_timeout": len(diffs) > most_diffs,
            "compare_same_ref": old.id == new.id,
        }
    )


def address(request: Request, more: Mapping[str, str]) -> str:
    """Of another page of the same list."""
    path = request.target.partition("?")[0]
    # GitLab writes the address that it was set up with, not the one that it was asked at.
    return f"https://gitlab.meridian.example{path}?{urlencode({**request.query, **more})}"


def _diff(commit: Commit, old: str, new: str, **what: bool) -> Record:
    flags = {"new_file": False, "renamed_file": False, "deleted_file": False, **what}
    mode = commit.mode(new)
    return {"old_path": old, "new_path": new, "a_mode": "100644", "b_mode": mode, **flags}


def error(message: str, status: int) -> Answer:
    """A refusal as GitLab words it."""
    return json_answer({"message": message}, status)


def missing() -> Answer:
    """What there is not, or what the account may not see."""
    return error("404 Not Found", 404)
