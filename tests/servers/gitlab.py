"""A GitLab: the parts of API v4 that are read, with its paging, its ETags and its rights.

    with GitlabServer.of_sample() as server:
        server.commit(DOCS, {"docs/index.md": b"# Other"})
        server.change(COMPASS, "issues", 212, title="Another")

What GitLab does not show is 404 there, and 401 for a wrong token. Group lists leave out what the
account may not see; `deny` takes a part of a project from it.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from tests.servers import Answer, Request, Server, json_answer
from tests.servers.gitlab_repository import (
    Commit,
    Project,
    Record,
    address,
    blob_id,
    error,
    missing,
    repository,
)

SAMPLE = Path(__file__).parents[2] / "sample"
TOKEN = "glpat-sample"
POLARIS, COMPASS, WINDLASS, DOCS, MENU, EXAMPLES = 11, 12, 13, 14, 15, 16
_NAMES = {11: "polaris", 12: "compass", 13: "windlass", 14: "docs", 15: "menu", 16: "examples"}


def note(number: int, body: str, **more: Any) -> Record:
    """A comment as GitLab gives it."""
    author = {"id": 1, "username": "akroll", "name": "Ada Kroll", "state": "active"}
    when = "2026-03-04T10:00:00.000Z"
    told = {"id": number, "type": None, "body": body, "author": author, "created_at": when}
    return {**told, "updated_at": when, "system": False, "internal": False, **more}


class GitlabServer(Server):
    """Projects by number, in groups by their paths."""

    def __init__(self, *, token: str = TOKEN, **base: Any) -> None:
        """Without `token` everybody sees what is public, and nobody more."""
        super().__init__(**base)
        self.token = token
        self.projects: dict[int, Project] = {}
        self.hidden: set[int] = set()
        """Projects that the account may not see."""
        self.denied: set[tuple[int, str]] = set()
        """Parts of projects that it may not see."""
        self.counted = 10_000
        """Longer lists come without their length."""
        self.deepest = 50_000
        """No page begins behind so many records."""
        self.most_diffs = 1000
        """More of them a comparison does not tell."""
        self.clock = datetime(2026, 11, 1, 12, tzinfo=UTC)

    @classmethod
    def of_sample(cls, **base: Any) -> Self:
        """The sample collaboration: six projects of the group `meridian`."""
        server = cls(**base)
        for number, name in _NAMES.items():
            server.project(number, f"meridian/{name}")
        docs = SAMPLE / "mkdocs"
        files = {f.relative_to(docs).as_posix(): f for f in sorted(docs.rglob("*")) if f.is_file()}
        server.commit(DOCS, {path: file.read_bytes() for path, file in files.items()})
        for folder in ("code", "notebooks"):
            for file in sorted((SAMPLE / folder).iterdir()):
                server.commit(EXAMPLES, {f"{folder}/{file.name}": file.read_bytes()})
        for part in ("issues", "merge_requests"):
            for record in json.loads((SAMPLE / "gitlab" / f"{part}.json").read_text()):
                notes = record.pop("notes", [])
                server.add(record["project_id"], part, **record)
                for one in notes:
                    server.say(record["project_id"], part, record["iid"], one, touch=False)
        by_name = {name: number for number, name in _NAMES.items()}
        for record in json.loads((SAMPLE / "gitlab" / "wikis.json").read_text()):
            name = record.pop("web_url").split("/")[4]
            server.wiki(by_name[name], **record)
        readme = b"# Compass\n\nThe analysis framework of Meridian.\n"
        server.commit(COMPASS, {"README.md": readme, "Makefile": b"all:\n"})
        server.release(COMPASS, "v3.1.2", description="The sagitta map is applied once.")
        return server

    # What a test does to it.

    def project(self, number: int, path: str, **more: Any) -> None:
        """A new project, internal unless told otherwise."""
        namespace, _, name = path.rpartition("/")
        features = ("issues", "repository", "merge_requests", "wiki", "releases", "snippets")
        self.projects[number] = Project(
            {
                "id": number,
                "name": name,
                "path": name,
                "path_with_namespace": path,
                "default_branch": "main",
                "web_url": f"https://gitlab.meridian.example/{path}",
                "visibility": "internal",
                "archived": False,
                "empty_repo": True,
                "namespace": {"kind": "group", "full_path": namespace},
                "shared_with_groups": [],
                **{f"{feature}_access_level": "enabled" for feature in features},
                **more,
            }
        )

    def set(self, number: int, **more: Any) -> None:
        """Change the settings of a project."""
        self.projects[number].record |= more

    def deny(self, number: int, part: str) -> None:
        """Take a part of a project from the account: issues, wikis, repository, releases, …"""
        self.denied.add((number, part))

    def commit(
        self,
        number: int,
        files: Mapping[str, bytes | None],
        links: Iterable[str] = (),
        author: str = "Ada Kroll",
    ) -> str:
        """Change files of the default branch; None deletes one. Returns the commit's id."""
        project = self.projects[number]
        last = project.commits[-1] if project.commits else None
        kept = {**(last.files if last else {}), **files}
        now = {path: content for path, content in kept.items() if content is not None}
        linked = frozenset(links) | (last.links if last else frozenset())
        named = [(path, blob_id(content)) for path, content in sorted(now.items())]
        seed = json.dumps([last.id if last else "", named, self._tick()])
        id_ = sha1(seed.encode(), usedforsecurity=False).hexdigest()
        project.commits.append(Commit(id_, now, linked, author, self._now()))
        project.record["empty_repo"] = False
        return id_

    def force_push(self, number: int, files: Mapping[str, bytes]) -> str:
        """Replace the history: the old commits are gone."""
        self.projects[number].commits.clear()
        return self.commit(number, files)

    def rewind(self, number: int, count: int = 1) -> None:
        """Take the last commits from the branch. The server still knows them."""
        project = self.projects[number]
        project.left += project.commits[-count:]
        del project.commits[-count:]

    def wiki(self, number: int, slug: str, content: str, **more: Any) -> None:
        """A wiki page, new or changed."""
        told = {"format": "markdown", "title": slug, "encoding": "UTF-8"}
        page = {**told, **more, "slug": slug, "content": content}
        self.projects[number].wikis[slug] = page

    def release(self, number: int, tag: str, **more: Any) -> None:
        """A release, new or changed."""
        author = {"id": 1, "username": "akroll", "name": "Ada Kroll"}
        told = {"tag_name": tag, "name": tag, "description": "", "author": author}
        dates = {
            "created_at": "2026-09-01T10:00:00.000Z",
            "released_at": "2026-09-01T10:00:00.000Z",
        }
        self.projects[number].releases[tag] = {**told, **dates, "upcoming_release": False, **more}

    def add(self, number: int, part: str, iid: int, **more: Any) -> None:
        """An issue or merge request."""
        project = self.projects[number]
        path, sign = project.record["path_with_namespace"], "!" if part[0] == "m" else "#"
        self._tick()
        record = {
            "id": number * 1000 + iid,
            "iid": iid,
            "project_id": number,
            "title": f"Trouble {iid}",
            "description": f"It is **number** {iid}.",
            "state": "opened",
            "created_at": self._now(),
            "updated_at": self._now(),
            "user_notes_count": 0,
            "references": {"short": f"{sign}{iid}", "full": f"{path}{sign}{iid}"},
            "web_url": f"https://gitlab.meridian.example/{path}/-/{part}/{iid}",
        }
        if part == "issues":
            links = {"self": f"/api/v4/projects/{number}/issues/{iid}"}
            record |= {"confidential": False, "moved_to_id": None, "_links": links}
        else:
            record |= {"source_branch": f"fix-{iid}", "target_branch": "main"}
        self._threads(number, part)[iid] = {**record, **more}

    def change(self, number: int, part: str, iid: int, **more: Any) -> None:
        """Edit an issue or merge request, which moves `updated_at` on."""
        self._tick()
        self._threads(number, part)[iid] |= {"updated_at": self._now(), **more}

    def say(self, number: int, part: str, iid: int, *notes: Record, touch: bool = True) -> None:
        """Add a thread to a discussion."""
        threads = self.projects[number].discussions.setdefault((part, iid), [])
        told = {"id": f"{len(threads):040x}", "individual_note": len(notes) == 1}
        threads.append({**told, "notes": list(notes)})
        if touch:
            count = self._threads(number, part)[iid]["user_notes_count"] + len(notes)
            self.change(number, part, iid, user_notes_count=count)

    def remove(self, number: int, part: str, name: int | str) -> None:
        """Delete an issue, a merge request, a wiki page or a release."""
        del getattr(self.projects[number], part)[name]

    # What it answers.

    def answer(self, request: Request) -> Answer:
        """The API; every answer has an ETag and tells the limits of the account."""
        steps = [unquote(step) for step in request.target.partition("?")[0].split("/")[1:]]
        query = request.query
        if self.token and self.token not in (
            request.headers.get("private-token"),
            request.headers.get("authorization", "").removeprefix("Bearer "),
        ):
            answer = error("401 Unauthorized", 401)
        else:
            match steps:
                case ["api", "v4", "groups", group, "projects"]:
                    answer = self._group_projects(request, group)
                case ["api", "v4", "groups", group, ("issues" | "merge_requests") as part]:
                    inside = self._inside(group)
                    answer = self._list_threads(request, part, inside) if inside else missing()
                case ["api", "v4", "projects", name, *rest]:
                    found = self._find(name)
                    answer = self._in_project(found, rest, request, query) if found else missing()
                case _:
                    answer = missing()
        answer.headers |= {"RateLimit-Limit": "600", "RateLimit-Remaining": "599"}
        if answer.status == 200 and "json" in answer.type:
            answer.etag = f'W/"{sha256(answer.raw).hexdigest()[:32]}"'
        return answer

    def _in_project(
        self, project: Project, rest: list[str], request: Request, query: dict[str, str]
    ) -> Answer:
        number = project.record["id"]
        if rest and (number, rest[0]) in self.denied:
            return error("403 Forbidden", 403)
        match rest:
            case []:
                return json_answer(project.record)
            case ["members", "all"]:
                return self._paged(request, project.members)
            case ["wikis"]:
                keys = {"slug", "title", "format"} if "with_content" not in query else None
                return json_answer(
                    [
                        {key: value for key, value in page.items() if not keys or key in keys}
                        for page in project.wikis.values()
                    ]
                )
            case ["releases"]:
                return self._paged(request, list(project.releases.values())[::-1])
            case [("issues" | "merge_requests") as part]:
                return self._list_threads(request, part, [project])
            case [("issues" | "merge_requests") as part, iid]:
                record = self._threads(number, part).get(int(iid))
                return json_answer(record) if record else missing()
            case [("issues" | "merge_requests") as part, iid, "discussions"]:
                if int(iid) not in self._threads(number, part):
                    return missing()
                return self._paged(request, project.discussions.get((part, int(iid)), []))
            case ["repository", *inner]:
                return repository(project, inner, request, self.most_diffs)
        return missing()

    def _group_projects(self, request: Request, group: str) -> Answer:
        inside = self._inside(group)
        if not inside:
            return missing()
        deep = request.query.get("include_subgroups") == "true"
        found = [
            project.record
            for project in inside
            if deep or project.record["namespace"]["full_path"] == group
        ]
        found.sort(key=lambda record: record["id"])
        return self._paged(request, found)

    def _list_threads(self, request: Request, part: str, projects: list[Project]) -> Answer:
        query = request.query
        feature, group = f"{part}_access_level", "/groups/" in request.path
        found = [
            record
            for project in projects
            if project.record[feature] != "disabled"
            and (project.record["id"], part) not in self.denied
            and not (group and project.record["archived"] and query.get("non_archived") != "false")
            for record in getattr(project, part).values()
        ]
        if "updated_after" in query:
            after = datetime.fromisoformat(query["updated_after"])
            found = [one for one in found if datetime.fromisoformat(one["updated_at"]) >= after]
        found.sort(key=lambda one: one[query.get("order_by", "created_at")])
        if query.get("sort", "desc") == "desc":
            found.reverse()
        return self._paged(request, found)

    def _paged(self, request: Request, records: list[Record]) -> Answer:
        page = int(request.query.get("page", "1"))
        size = min(int(request.query.get("per_page", "20")), 100)
        if page * size > self.deepest:
            return error("Offset pagination has a maximum allowed offset.", 405)
        answer = json_answer(records[(page - 1) * size : page * size])
        after = str(page + 1) if len(records) > page * size else ""
        answer.headers |= {"X-Page": str(page), "X-Per-Page": str(size), "X-Next-Page": after}
        if after:
            link = f'<{address(request, {"page": after})}>; rel="next"'
            answer.headers["Link"] = link
        if len(records) <= self.counted:
            answer.headers |= {"X-Total": str(len(records))}
            answer.headers |= {"X-Total-Pages": str(max(1, -(-len(records) // size)))}
        return answer

    def _find(self, name: str) -> Project | None:
        for number, project in self.projects.items():
            record = project.record
            if name in (str(number), record["path_with_namespace"]) and self._seen(project):
                return project
        return None

    def _inside(self, group: str) -> list[Project]:
        return [
            project
            for project in self.projects.values()
            if project.record["path_with_namespace"].startswith(f"{group}/") and self._seen(project)
        ]

    def _seen(self, project: Project) -> bool:
        public = project.record["visibility"] == "public"
        return project.record["id"] not in self.hidden and (bool(self.token) or public)

    def _threads(self, number: int, part: str) -> dict[int, Record]:
        threads: dict[int, Record] = getattr(self.projects[number], part)
        return threads

    def _tick(self) -> str:
        self.clock += timedelta(minutes=1)
        return self._now()

    def _now(self) -> str:
        return f"{self.clock:%Y-%m-%dT%H:%M:%S.000Z}"
