"""A JIRA: Data Center's REST API 2 or, with `cloud`, what the cloud's API 3 has of it.

    with JiraServer(sample_issues()) as server:
        server.change("MERRECO-1234", summary="Another")

It understands as much JQL as the source speaks: projects, `updated >=` in the minutes and the time
zone of the account, `key in`, and an order.
"""

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.servers import Answer, Request, Server, json_answer

SAMPLE = Path(__file__).parents[2] / "sample" / "jira"
Issue = dict[str, Any]


def sample_issues() -> list[Issue]:
    """All issues of the sample collaboration."""
    return [
        issue
        for file in sorted(SAMPLE.glob("*.json"))
        for issue in json.loads(file.read_text())["issues"]
    ]


def made_issue(number: int, updated: str = "", **fields: Any) -> Issue:
    """A small issue; unless told otherwise each was updated a day after the one before."""
    day = datetime(2020, 1, 1, 12, tzinfo=UTC) + timedelta(days=number)
    stamp = updated or f"{day:%Y-%m-%dT%H:%M:%S.000+0000}"
    said = {"summary": f"Trouble {number}", "description": f"It is *number* {number}."}
    return {
        "id": str(10_000 + number),
        "key": f"TRIG-{number}",
        "fields": {**said, "created": stamp, "updated": stamp, **fields},
    }


def comment(number: int, body: str, **more: Any) -> dict[str, Any]:
    """A comment as JIRA gives it; `visibility` restricts it."""
    created = "2026-01-01T10:00:00.000+0000"
    author = {"name": "ada", "displayName": "Ada Kroll"}
    return {"id": str(number), "author": author, "created": created, "body": body, **more}


class JiraServer(Server):
    """Holds issues by key; counts what is asked."""

    def __init__(
        self,
        issues: Iterable[Issue] = (),
        *,
        cloud: bool = False,
        zone: str = "UTC",
        most: int = 1000,
        comments: int = 1000,
        token: str = "",
        **base: Any,
    ) -> None:
        """`most` issues a page at the most, `comments` of an issue in a search, and `token`."""
        super().__init__(**base)
        self.issues = {issue["key"]: copy.deepcopy(issue) for issue in issues}
        self.cloud, self.zone, self.most, self.comments = cloud, ZoneInfo(zone), most, comments
        self.token = token
        self.clock = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def add(self, issue: Issue) -> None:
        """A new issue, or a new state of one."""
        self.issues[issue["key"]] = copy.deepcopy(issue)

    def change(self, key: str, **fields: Any) -> None:
        """Edit fields, which moves `updated` on."""
        self.clock += timedelta(minutes=1)
        stamp = f"{self.clock:%Y-%m-%dT%H:%M:%S.000+0000}"
        self.issues[key]["fields"] |= {**fields, "updated": stamp}

    def remove(self, key: str) -> None:
        """Delete an issue, or hide it from the account."""
        del self.issues[key]

    def level(self, key: str, name: str | None) -> None:
        """Set the security level without an edit, as when an administrator renames one."""
        self.issues[key]["fields"]["security"] = {"id": "1", "name": name} if name else None

    def answer(self, request: Request) -> Answer:
        """The parts of the API that are read."""
        known = not self.token or request.headers.get("authorization") == f"Bearer {self.token}"
        name = {"X-AUSERNAME": "docent" if known else "anonymous"}
        api = "/rest/api/3" if self.cloud else "/rest/api/2"
        search = f"{api}/search/jql" if self.cloud else f"{api}/search"
        comments = re.fullmatch(rf"{api}/issue/([^/]+)/comment", request.path)
        if request.path == search:
            answer = self._search(request, known)
        elif comments:
            answer = self._comments(comments[1], request)
        else:
            answer = _error("No such resource.", 404)
        answer.headers |= name
        return answer

    def _search(self, request: Request, known: bool) -> Answer:
        query = request.query
        jql, _, order = query["jql"].partition(" ORDER BY ")
        try:
            found = list(self._found(jql)) if known else []
        except LookupError as error:
            return _error(str(error.args[0]), 400)
        keys = [part.split()[0] for part in order.split(", ")]
        found.sort(key=lambda issue: [_sort_value(issue, key) for key in keys])
        size = min(int(query.get("maxResults", "50")), self.most)
        start = int(query.get("nextPageToken" if self.cloud else "startAt", "0"))
        shown = [self._shown(issue, query) for issue in found[start : start + size]]
        if not self.cloud:
            told = {"startAt": start, "maxResults": size, "total": len(found), "issues": shown}
            return json_answer({"expand": "names,schema", **told})
        if not re.search(r"project|updated|key", jql):
            return _error("Unbounded JQL queries are not allowed here.", 400)
        last = start + size >= len(found)
        more = {} if last else {"nextPageToken": str(start + size)}
        return json_answer({"isLast": last, "issues": shown, **more})

    def _found(self, jql: str) -> Iterator[Issue]:
        after = [
            datetime.strptime(minute, "%Y-%m-%d %H:%M").replace(tzinfo=self.zone)
            for minute in re.findall(r'updated >= "(\d{4}-\d\d-\d\d \d\d:\d\d)"', jql)
        ]
        keys = re.search(r"key in \(([^)]*)\)", jql)
        wanted = set(re.findall(r'[^",\s]+', keys[1])) if keys else None
        for key in wanted - set(self.issues) if wanted else ():
            msg = f"An issue with key '{key}' does not exist for field 'key'."
            raise LookupError(msg)
        projects = re.search(r"project in \(([^)]*)\)", jql)
        named = set(re.findall(r"[^,\s]+", projects[1])) if projects else None
        for key, issue in self.issues.items():
            if (
                all(updated(issue) >= minute for minute in after)
                and (wanted is None or key in wanted)
                and (named is None or key.rpartition("-")[0] in named)
            ):
                yield issue

    def _shown(self, issue: Issue, query: Mapping[str, str]) -> Issue:
        fields = query["fields"].split(",")
        shown = {name: value for name, value in issue["fields"].items() if name in fields}
        if "comment" in shown:
            every = shown["comment"]["comments"]
            first = [self._text(one, "body") for one in every[: self.comments]]
            shown["comment"] = {
                "comments": first,
                "maxResults": len(first),
                "total": len(every),
                "startAt": 0,
            }
        shown = self._text(self._text(shown, "description"), "environment")
        own = f"{self.url}/rest/api/{3 if self.cloud else 2}/issue/{issue['id']}"
        return {"id": issue["id"], "self": own, "key": issue["key"], "fields": shown}

    def _comments(self, key: str, request: Request) -> Answer:
        if key not in self.issues:
            return _error("Issue Does Not Exist", 404)
        every = self.issues[key]["fields"]["comment"]["comments"]
        start, size = int(request.query["startAt"]), int(request.query["maxResults"])
        some = [self._text(one, "body") for one in every[start : start + size]]
        told = {"startAt": start, "maxResults": size, "total": len(every), "comments": some}
        return json_answer(told)

    def _text(self, record: dict[str, Any], name: str) -> dict[str, Any]:
        """In the cloud texts are documents and not markup."""
        if not self.cloud or not isinstance(record.get(name), str):
            return record
        return {**record, name: adf(record[name])}


def adf(text: str) -> dict[str, Any]:
    """A text as a document of Atlassian's format, a paragraph a line."""
    lines = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}]}
        for line in text.split("\n")
        if line
    ]
    return {"type": "doc", "version": 1, "content": lines}


def updated(issue: Issue) -> datetime:
    """When an issue was updated."""
    return datetime.fromisoformat(issue["fields"]["updated"]).astimezone(UTC)


def _sort_value(issue: Issue, key: str) -> tuple[object, ...]:
    if key == "updated":
        return (updated(issue),)
    project, _, number = issue["key"].rpartition("-")
    return project, int(number)


def _error(message: str, status: int) -> Answer:
    return json_answer({"errorMessages": [message], "errors": {}}, status)
