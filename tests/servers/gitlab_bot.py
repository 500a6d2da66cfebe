"""A GitLab that a bot lives on: people, mentions, to-dos, webhooks, and comments that do things.

    with GitlabBotServer.of_sample() as server:
        hook = server.write(COMPASS, "issues", 212, "@docent Who looks after the magnet?", ADA)
        httpx.post(bot, content=hook.body, headers=hook.headers)

It does to a comment what GitLab would: `executed`, `pinged`, `referred` and `pictures` hold the
commands, names, references and images that a comment of the bot had in it. What GitLab would not
take is refused: an empty comment, an unknown member of a request, a reply to a system note.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha1
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from tests.servers import Answer, Request, json_answer
from tests.servers.gitlab import GitlabServer, note
from tests.servers.gitlab_repository import Record

SECRET = "z2Vx-8qLr-41mQ-unlikely"
BOT = 90
ADA, BEN, EVA, MACHINE = 1, 2, 3, 4
NAMES = {ADA: "akroll", BEN: "bmoor", EVA: "elund", MACHINE: "renovate", BOT: "docent"}
MOST_CHARS = 1_000_000

_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_ESCAPED = re.compile(r"\\[!-/:-@\[-`{-~]")


@dataclass(frozen=True)
class Hook:
    """A webhook as GitLab sends it."""

    body: bytes
    headers: dict[str, str]

    def with_(self, **headers: str) -> "Hook":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Hook(self.body, {**self.headers, **named})


@dataclass
class Effects:
    """What comments of the bot have done besides being read."""

    executed: list[str] = field(default_factory=list)
    pinged: list[str] = field(default_factory=list)
    referred: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def of(self, text: str) -> None:
        shown = re.sub(r"<!--.*?-->", "", _CODE.sub(" ", text), flags=re.DOTALL)
        self.executed += re.findall(r"^/\w+", shown, re.MULTILINE)
        self.pictures += re.findall(r"(?<!\\)!\[[^\]]*\]\(", shown)
        self.tags += re.findall(r"(?<!\\)<(?!https?:)[^>]*>", shown)
        # References are looked for in what is shown, so a backslash does not stop them.
        shown = re.sub(r"\]\(<[^>]*>\)", "]", shown)
        plain = _ESCAPED.sub(lambda found: found[0][1], shown)
        self.pinged += re.findall(r"(?<![\w`])@[\w][\w.-]*", plain)
        self.referred += re.findall(r"(?<![\w&])(?:[#!$]\d+|~[\w\"]+|&\d+|%[\w\"]+)", plain)


class GitlabBotServer(GitlabServer):
    """As the base, and besides what is written and who is there."""

    def __init__(self, **base: Any) -> None:
        super().__init__(**base)
        self.effects = Effects()
        self.accounts: dict[int, Record] = {
            number: _account(number, name, bot=number == MACHINE) for number, name in NAMES.items()
        }
        self.groups: dict[str, list[int]] = {}
        self.todos: list[Record] = []
        self.awards: set[tuple[str, str]] = set()
        self.diffs: dict[tuple[int, int], list[Record]] = {}
        self.moment = datetime(2026, 11, 2, 9, tzinfo=UTC)
        """When webhooks say that it is."""
        self.knows_confidential = True
        """Whether lists can leave out confidential issues, as older servers cannot."""
        self.written: dict[int, str] = {}
        """When events say that comments were made."""
        self._next = 5000

    # What a test does to it.

    def member(self, project: int, *accounts: int, **more: Any) -> None:
        """Make somebody a member of a project."""
        for number in accounts:
            record = {**self.accounts[number], "access_level": 30, **more}
            self.projects[project].members.append(record)

    def write(
        self,
        project: int,
        part: str,
        iid: int,
        text: str,
        author: int = ADA,
        thread: str = "",
        **more: Any,
    ) -> Hook:
        """Somebody comments, in a thread or by himself; gives the webhook of it."""
        made = self._note(text, author, **more)
        threads = self.projects[project].discussions.setdefault((part, iid), [])
        if thread:
            next(one for one in threads if one["id"] == thread)["notes"].append(made)
        else:
            threads.append({"id": _id(made), "individual_note": True, "notes": [made]})
        self._remind(project, part, iid, made)
        return self.note_hook(project, part, iid, made)

    def rewrite(self, project: int, part: str, iid: int, number: int, text: str) -> Hook:
        """Somebody edits his comment."""
        found = self._find_note(project, part, iid, number)
        found |= {"body": text}
        return self.note_hook(project, part, iid, found, action="update")

    def erase(self, project: int, part: str, iid: int, number: int) -> None:
        """Somebody deletes his comment."""
        for thread in self.projects[project].discussions[part, iid]:
            thread["notes"][:] = [one for one in thread["notes"] if one["id"] != number]

    def note_hook(
        self, project: int, part: str, iid: int, made: Record, action: str = "create"
    ) -> Hook:
        """A comment's webhook."""
        kind, name = ("Issue", "issue") if part == "issues" else ("MergeRequest", "merge_request")
        thing = self._threads(project, part)[iid]
        when = f"{self.moment:%Y-%m-%d %H:%M:%S} UTC"
        told = {
            "id": made["id"],
            "note": made["body"],
            "noteable_type": kind,
            "author_id": made["author"]["id"],
            "created_at": when,
            "updated_at": when,
            "project_id": project,
            "system": made["system"],
            "internal": made["internal"],
            "action": action,
            "url": f"{thing['web_url']}#note_{made['id']}",
        }
        about = {key: thing[key] for key in ("id", "iid", "title", "description", "state")}
        return self._hook("note", "Note Hook", project, made["author"]["id"], told, {name: about})

    def thing_hook(
        self, project: int, part: str, iid: int, action: str, by: int = ADA, **more: Any
    ) -> Hook:
        """The webhook of an issue or merge request that was opened or changed."""
        kind = "issue" if part == "issues" else "merge_request"
        changes = more.pop("changes", {})
        thing = self._threads(project, part)[iid]
        keys = ("id", "iid", "title", "description", "state")
        when = f"{self.moment:%Y-%m-%dT%H:%M:%SZ}"
        told = {**{key: thing[key] for key in keys}, "updated_at": when, "action": action, **more}
        name = "Issue Hook" if part == "issues" else "Merge Request Hook"
        return self._hook(kind, name, project, by, told, {"changes": changes})

    def _hook(
        self, kind: str, name: str, project: int, by: int, told: Record, more: Record
    ) -> Hook:
        record = self.projects[project].record
        body = {
            "object_kind": kind,
            "event_type": kind,
            "user": {key: self.accounts[by][key] for key in ("id", "name", "username")},
            "project": {key: record[key] for key in ("id", "name", "path_with_namespace")},
            "object_attributes": told,
            **more,
        }
        headers = {
            "Content-Type": "application/json",
            "X-Gitlab-Event": name,
            "X-Gitlab-Token": SECRET,
            "X-Gitlab-Event-UUID": str(uuid4()),
            "X-Gitlab-Webhook-UUID": str(uuid4()),
            "Idempotency-Key": str(uuid4()),
        }
        return Hook(json.dumps(body).encode(), headers)

    def said(self, project: int, part: str, iid: int) -> list[str]:
        """What the bot has written there, without its sign."""
        return [
            re.sub(r"\n\n<!--.*-->$", "", one["body"])
            for thread in self.projects[project].discussions.get((part, iid), [])
            for one in thread["notes"]
            if one["author"]["id"] == BOT
        ]

    # What it answers.

    def answer(self, request: Request) -> Answer:
        steps = [unquote(step) for step in request.target.partition("?")[0].split("/")[1:]]
        if request.headers.get("private-token") != self.token:
            return json_answer({"message": "401 Unauthorized"}, 401)
        match steps[2:]:
            case ["user"]:
                return json_answer(self.accounts[BOT])
            case ["users", number] if int(number) in self.accounts:
                return json_answer(self.accounts[int(number)])
            case ["todos"]:
                return self._paged(
                    request, [one for one in self.todos if one["state"] == "pending"]
                )
            case ["todos", number, "mark_as_done"] if request.method == "POST":
                return self._done(int(number))
            case ["projects"] if request.query.get("membership") == "true":
                return self._paged(request, self._active(request))
            case ["projects", number, "events"] if self._member(int(number)):
                return self._paged(request, self._events(request, int(number)))
            case ["groups", path, "members", "all"] if path in self.groups:
                return self._paged(request, [self.accounts[one] for one in self.groups[path]])
            case ["projects", number, part, iid, *rest] if self._has(number, part, iid):
                if rest and (request.method != "GET" or rest == ["diffs"]):
                    return self._written(request, int(number), part, int(iid), rest)
        if request.method != "GET":
            return json_answer({"error": "404 Not Found"}, 404)
        return super().answer(request)

    def _member(self, number: int) -> bool:
        project = self.projects.get(number)
        return project is not None and any(one["id"] == BOT for one in project.members)

    def _active(self, request: Request) -> list[Record]:
        # Of all projects: when they were active is noted too late to be told apart here.
        datetime.fromisoformat(request.query["last_activity_after"])
        return [
            {key: project.record[key] for key in ("id", "path_with_namespace")}
            for number, project in self.projects.items()
            if self._member(number)
        ]

    def _events(self, request: Request, number: int) -> list[Record]:
        """Comments after a day, the latest first."""
        if request.query.get("action") != "commented":
            return []
        after = date.fromisoformat(request.query["after"])
        told = []
        for (part, iid), threads in self.projects[number].discussions.items():
            kind = "Issue" if part == "issues" else "MergeRequest"
            for made in (one for thread in threads for one in thread["notes"]):
                about = {**made, "noteable_type": kind, "noteable_iid": iid}
                event = {"id": made["id"], "project_id": number, "action_name": "commented on"}
                told.append({**event, "created_at": self.written[made["id"]], "note": about})
        told.sort(key=lambda one: one["created_at"], reverse=True)
        return [one for one in told if datetime.fromisoformat(one["created_at"]).date() > after]

    def _has(self, number: str, part: str, iid: str) -> bool:
        return (
            number.isdecimal()
            and int(number) in self.projects
            and int(number) not in self.hidden
            and part in ("issues", "merge_requests")
            and iid.isdecimal()
            and int(iid) in self._threads(int(number), part)
        )

    def _written(
        self, request: Request, project: int, part: str, iid: int, rest: list[str]
    ) -> Answer:
        if rest == ["diffs"] and part == "merge_requests":
            return self._paged(request, self.diffs.get((project, iid), []))
        if self.projects[project].record["archived"]:
            return json_answer({"message": "403 Forbidden"}, 403)
        if request.headers.get("content-type") != "application/json":
            return json_answer({"error": "The provided content-type is not supported."}, 415)
        given = json.loads(request.body or b"{}")
        match request.method, rest:
            case "POST", ["award_emoji"]:
                return self._award(f"{project}/{part}/{iid}", given)
            case "POST", ["notes", number, "award_emoji"]:
                return self._award(f"{project}/{part}/{iid}/{number}", given)
        if trouble := _unfit(given):
            return trouble
        match request.method, rest:
            case "POST", ["discussions"]:
                made = self._by_bot(given["body"])
                thread = {"id": _id(made), "individual_note": False, "notes": [made]}
                self.projects[project].discussions.setdefault((part, iid), []).append(thread)
                return json_answer(thread, 201)
            case "POST", ["discussions", name, "notes"]:
                return self._answered(project, part, iid, name, given["body"])
            case "PUT", ["notes", number]:
                found = self._find_note(project, part, iid, int(number))
                if found["author"]["id"] != BOT:
                    return json_answer({"message": "403 Forbidden"}, 403)
                self.effects.of(given["body"])
                found["body"] = given["body"]
                return json_answer(found)
        return json_answer({"error": "404 Not Found"}, 404)

    def _answered(self, project: int, part: str, iid: int, name: str, text: str) -> Answer:
        threads = self.projects[project].discussions.get((part, iid), [])
        thread = next((one for one in threads if one["id"] == name and one["notes"]), None)
        if thread is None:
            return json_answer({"message": "404 Discussion Not Found"}, 404)
        if thread["notes"][0]["system"]:
            told = "400 Bad request - Discussion can not be replied to."
            return json_answer({"message": told}, 400)
        made = self._by_bot(text, internal=thread["notes"][0]["internal"])
        thread["individual_note"] = False
        thread["notes"].append(made)
        return json_answer(made, 201)

    def _award(self, where: str, given: Record) -> Answer:
        if set(given) != {"name"} or (where, given["name"]) in self.awards:
            return json_answer({"message": "404 Name has already been taken Not Found"}, 404)
        self.awards.add((where, given["name"]))
        return json_answer({"id": len(self.awards), "name": given["name"]}, 201)

    def _done(self, number: int) -> Answer:
        found = [one for one in self.todos if one["id"] == number]
        if not found:
            return json_answer({"message": "404 Not Found"}, 404)
        found[0]["state"] = "done"
        return json_answer(found[0], 201)

    def _by_bot(self, text: str, **more: Any) -> Record:
        self.effects.of(text)
        return self._note(text, BOT, **more)

    def _note(self, text: str, author: int, **more: Any) -> Record:
        self._next += 1
        self.written[self._next] = f"{self.moment:%Y-%m-%dT%H:%M:%S.000Z}"
        return note(self._next, text, author=self.accounts[author], **more)

    def _find_note(self, project: int, part: str, iid: int, number: int) -> Record:
        threads = self.projects[project].discussions[part, iid]
        return next(one for thread in threads for one in thread["notes"] if one["id"] == number)

    def _remind(self, project: int, part: str, iid: int, made: Record) -> None:
        if f"@{NAMES[BOT]}" not in made["body"]:
            return
        record, thing = self.projects[project].record, self._threads(project, part)[iid]
        self.todos.append(
            {
                "id": 700 + len(self.todos),
                "project": {key: record[key] for key in ("id", "path_with_namespace")},
                "author": made["author"],
                "action_name": "directly_addressed",
                "target_type": "Issue" if part == "issues" else "MergeRequest",
                "target": {"id": thing["id"], "iid": iid},
                "target_url": f"{thing['web_url']}#note_{made['id']}",
                "body": made["body"],
                "state": "pending",
            }
        )

    def _list_threads(self, request: Request, part: str, projects: list[Any]) -> Answer:
        answer = super()._list_threads(request, part, projects)
        words = request.query.get("search", "").lower().split()
        if not words:
            return answer
        if any(len(word) < 3 for word in words):
            return json_answer({"message": "400 Bad request"}, 400)
        found = [
            one
            for one in json.loads(answer.raw)
            if all(word in f"{one['title']} {one['description']}".lower() for word in words)
        ]
        if request.query.get("confidential") == "false" and self.knows_confidential:
            found = [one for one in found if not one.get("confidential")]
        return json_answer(found)


def _unfit(given: Record) -> Answer | None:
    if set(given) != {"body"}:
        return json_answer({"error": f"{sorted(set(given) ^ {'body'})} is invalid"}, 400)
    if not given["body"].strip() or len(given["body"]) > MOST_CHARS:
        return json_answer({"message": "400 Bad request - Note can't be blank"}, 400)
    return None


def _account(number: int, name: str, **more: Any) -> Record:
    return {"id": number, "username": name, "name": name.title(), "state": "active", **more}


def _id(made: Record) -> str:
    return sha1(str(made["id"]).encode(), usedforsecurity=False).hexdigest()
