"""Issues that a JQL query finds, with all their comments: JIRA Data Center and Atlassian's cloud.

Asked through `client.get` and not through atlassian-python-api: that library does not page
comments, takes broken JSON for text, and sleeps on its own account when it is told to wait.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, timedelta
from typing import Any, NamedTuple, NoReturn

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client
from ingest.model import AccessList, Cursor, Failure, Item, Page, Past, Unchanged
from ingest.parse.clean import moment
from ingest.source_settings import JiraSettings

FIELDS = (
    "summary,issuetype,status,resolution,resolutiondate,priority,labels,components,"
    "versions,fixVersions,reporter,creator,assignee,created,updated,description,environment,"
    "parent,subtasks,issuelinks,security,comment"
)
LIGHT_FIELDS = "updated,security"
PAGE = 100
"""Issues with their texts asked for at once."""
LIGHT_PAGE = 1000
"""Issues asked for at once where only their state is wanted: JIRA's own upper limit."""
BATCH = 50
"""Issues asked for by their keys at once."""
OVERLAP = timedelta(days=1)
"""JQL knows minutes in the time zone of the account: no zone is farther than this from UTC."""
MOST_STEPS_BACK = 20

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-\d+")
_ANY_TIME = 'updated >= "1970-01-02 00:00"'
"""A query without any bound is refused by the cloud."""

Issue = Mapping[str, Any]
Params = dict[str, str | int]


class _Listed(NamedTuple):
    """One page of a listing."""

    issues: list[Issue]
    start: int
    """Where the listing goes on; 0 in the cloud, which has no numbers."""


def access_of(issue: Issue, settings: JiraSettings) -> AccessList:
    """Who may read an issue: its security level decides, else its project.

    Levels and project keys are mapped by `groups`. A level that is not named there closes the
    issue; a project that is not named there is for `default_access`.
    """
    level = _fields(issue).get("security")
    if level is not None:
        name = level.get("name") if isinstance(level, Mapping) else None
        return settings.groups.get(name, frozenset()) if isinstance(name, str) else frozenset()
    project = str(issue["key"]).rpartition("-")[0]
    return settings.groups.get(project, settings.default_access)


class JiraSource:
    """Pages are issues, named by their key."""

    def __init__(self, name: str, settings: JiraSettings, client: Client) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self._api = "rest/api/3" if settings.cloud else "rest/api/2"
        self._live: set[str] | None = None

    @property
    def requests(self) -> int:
        """Requests made so far."""
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """What was updated since the cursor; then, from a listing of all, what that did not tell.

        The second listing is left out on a first run, which reads everything anyway. It finds what
        became visible or restricted without being updated, and it knows what exists.
        """
        given: set[str] = set()
        yield from self._updated(past, given)
        if past.cursor:
            yield from self._others(past, given)
        else:
            self._live = given

    def live_ids(self) -> Iterator[str]:
        """Ids of all issues that the query finds now."""
        if self._live is None:
            self._live = {self._id(issue) for issue in self._light()}
        yield from self._live

    def _updated(self, past: Past, given: set[str]) -> Iterator[Item]:
        since, start = _position(past.cursor)
        newest = ""
        clause = f' AND updated >= "{since}"' if since else ""
        jql = f"{self._query()}{clause} ORDER BY updated ASC, key ASC"
        for listed in self._search(jql, FIELDS, PAGE, start):
            for issue in listed.issues:
                newest = max(newest, _version(issue))
                yield from self._given(issue, past, given)
            # Numbers hold in one query only: it stays the same until it was read to its end.
            later = _before(newest) or since
            place = [since, listed.start] if listed.start else [later, 0]
            yield Cursor(self.name, json.dumps(place))

    def _others(self, past: Past, given: set[str]) -> Iterator[Item]:
        live, missed = set(), []
        for issue in self._light():
            page_id = self._id(issue)
            live.add(page_id)
            if page_id in given:
                continue
            if past.wants(page_id, _version(issue)):
                missed.append(str(issue["key"]))
            elif page_id in past.versions:
                access = access_of(issue, self.settings)
                yield Unchanged(page_id, self.name, access, past.versions[page_id])
        for first in range(0, len(missed), BATCH):
            for issue in self._by_key(missed[first : first + BATCH]):
                yield from self._given(issue, past, given)
        self._live = live

    def _given(self, issue: Issue, past: Past, given: set[str]) -> Iterator[Item]:
        """One issue of a listing, as an item; nothing when it is not to be asked for yet."""
        page_id, version = self._id(issue), _version(issue)
        given.add(page_id)
        access = access_of(issue, self.settings)
        item = self._page(issue, page_id, version, access) if past.wants(page_id, version) else None
        if not isinstance(item, Page) and page_id in past.versions:
            # Who may read it is known, also where the rest cannot be read now.
            yield Unchanged(page_id, self.name, access, past.versions[page_id])
        if item:
            yield item

    def _page(self, issue: Issue, page_id: str, version: str, access: AccessList) -> Page | Failure:
        key = str(issue["key"])
        try:
            comments = self._comments(key, _fields(issue).get("comment"))
        except FetchError as error:
            reason = f"The comments of {key} cannot be read: {error}"
            return Failure(page_id, self.name, reason, forbidden=error.status in (401, 403))
        kept = {"key": key, "fields": _kept_fields(_fields(issue), comments)}
        return Page(
            id=page_id,
            source=self.name,
            url=f"{str(self.settings.url).rstrip('/')}/browse/{key}",
            format="jira",
            content=json.dumps(kept, ensure_ascii=False, sort_keys=True).encode(),
            updated_at=moment(_fields(issue).get("updated")),
            access=access,
            version=version,
        )

    def _comments(self, key: str, field: Any) -> list[Issue]:
        """All comments that everybody who reads the issue may read, oldest first.

        A search gives the first ones only when there are many.
        """
        found = field if isinstance(field, Mapping) else {}
        said, total = _objects(found.get("comments")), _count(found.get("total"))
        if len(said) < total:
            said = list(self._all_comments(key, total)) or said
        return [one for one in said if not _restricted(one)]

    def _all_comments(self, key: str, total: int) -> Iterator[Issue]:
        start, seen = 0, set[Any]()
        while start < total:
            params: Params = {"startAt": start, "maxResults": PAGE, "orderBy": "created"}
            more = _objects(self._json(f"{self._api}/issue/{key}/comment", params).get("comments"))
            if not more:
                return
            yield from (one for one in more if one.get("id") not in seen)
            seen.update(one.get("id") for one in more)
            start += len(more)

    def _by_key(self, keys: list[str]) -> Iterator[Issue]:
        """Issues by their keys. A key that is gone spoils the question for all: then in halves."""
        named = ", ".join(f'"{key}"' for key in keys)
        jql = f"{self._query()} AND key in ({named}) ORDER BY key ASC"
        try:
            yield from (i for listed in self._search(jql, FIELDS, BATCH) for i in listed.issues)
        except FetchError as error:
            if error.status != 400:
                raise
            middle = len(keys) // 2
            for half in (keys[:middle], keys[middle:]) if middle else ():
                yield from self._by_key(half)

    def _light(self) -> Iterator[Issue]:
        jql = f"{self._query()} ORDER BY key ASC"
        for listed in self._search(jql, LIGHT_FIELDS, LIGHT_PAGE):
            yield from listed.issues

    def _query(self) -> str:
        return f"({self.settings.jql})" if self.settings.jql.strip() else f"({_ANY_TIME})"

    def _search(self, jql: str, fields: str, size: int, start: int = 0) -> Iterator[_Listed]:
        params: Params = {"jql": jql, "fields": fields, "maxResults": size}
        if self.settings.cloud:
            yield from self._by_token(params)
        else:
            yield from self._by_number(params, size, start)

    def _by_token(self, params: Params) -> Iterator[_Listed]:
        """The cloud's paging: each answer names the next one."""
        tokens: set[str] = set()
        while True:
            found = self._json(f"{self._api}/search/jql", params)
            yield _Listed(self._issues(found), 0)
            token = found.get("nextPageToken")
            if found.get("isLast") is True or (token is None and "isLast" not in found):
                return
            if not isinstance(token, str) or token in tokens:
                self._give_up("goes on without saying where")
            tokens.add(token)
            params = {**params, "nextPageToken": token}

    def _by_number(self, params: Params, size: int, start: int) -> Iterator[_Listed]:
        """Data Center's paging, made safe against issues that leave the list while it is read.

        What is updated or removed shifts everything behind it forward. So each page begins with the
        last issue of the one before; when it begins with an unknown one, some were passed over.
        """
        seen: set[tuple[str, str]] = set()
        overlaps, steps = False, 0
        while True:
            found = self._json(f"{self._api}/search", {**params, "startAt": start})
            issues, total = self._issues(found), found.get("total")
            if not isinstance(total, int):
                self._give_up("does not say how many issues there are")
            states = [(str(issue["key"]), _version(issue)) for issue in issues]
            if start and overlaps and not seen.issuperset(states[:1] or [("", "")]):
                start, steps = max(0, start - size), steps + 1
                if steps > MOST_STEPS_BACK:
                    self._give_up("changes faster than it can be read")
                continue
            end = start + len(issues)
            if not issues and end < total:
                self._give_up(f"ends at {end} of {total} issues")
            fresh = [
                issue for issue, state in zip(issues, states, strict=True) if state not in seen
            ]
            seen.update(states)
            if end >= total:
                yield _Listed(fresh, 0)
                return
            overlaps = len(issues) > 1
            start = end - 1 if overlaps else end
            yield _Listed(fresh, start)

    def _issues(self, found: Mapping[str, Any]) -> list[Issue]:
        issues = found.get("issues")
        if not isinstance(issues, list):
            self._give_up("has no list of issues")
        for issue in issues:
            key = issue.get("key") if isinstance(issue, Mapping) else None
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                self._give_up(f"has an issue with the key {str(key)[:50]!r}")
        return issues

    def _json(self, path: str, params: Params) -> Mapping[str, Any]:
        reply = self.client.get(path, params=params)
        if self.settings.auth and reply.headers.get("x-ausername") == "anonymous":
            # JIRA takes a token that it does not know any more for no token, and shows less.
            msg = f"{self.name}: JIRA did not take the sign-in of {self.settings.url}. Renew it."
            raise SourceTrouble(msg)
        found = reply.json()
        if not isinstance(found, Mapping):
            self._give_up("is not an object")
        return found

    def _give_up(self, what: str) -> NoReturn:
        msg = f"{self.name}: the listing of {self.settings.url} {what}. Look at its JSON by hand."
        raise SourceTrouble(msg)

    def _id(self, issue: Issue) -> str:
        return f"{self.name}:{issue['key']}"


def _position(cursor: str) -> tuple[str, int]:
    """From which minute on (JQL), and how many issues after it are known; empty: from the start."""
    try:
        since, start = json.loads(cursor) if cursor else ("", 0)
    except (ValueError, TypeError):
        return "", 0
    return str(since), int(start)


def _before(version: str) -> str:
    """A minute that is surely earlier, whatever the time zone of the account."""
    found = moment(version)
    return f"{found - OVERLAP:%Y-%m-%d %H:%M}" if found else ""


def _fields(issue: Issue) -> Mapping[str, Any]:
    fields = issue.get("fields")
    return fields if isinstance(fields, Mapping) else {}


def _kept_fields(fields: Mapping[str, Any], comments: list[Issue]) -> dict[str, Any]:
    """The fields without who may read them, and without the titles of other issues.

    Of those the account may know more than the readers of this one.
    """
    kept = {name: value for name, value in fields.items() if name != "security"}
    links = [
        {name: _bare(value) if name.endswith("Issue") else value for name, value in link.items()}
        for link in _objects(fields.get("issuelinks"))
    ]
    kept |= {"comment": {"comments": comments}, "issuelinks": links}
    kept["subtasks"] = [_bare(part) for part in _objects(fields.get("subtasks"))]
    kept["parent"] = _bare(fields.get("parent"))
    return kept


def _bare(issue: Any) -> dict[str, Any]:
    return {"key": issue.get("key")} if isinstance(issue, Mapping) else {}


def _version(issue: Issue) -> str:
    """When it was updated, in UTC; empty when it does not say, and then it is always fetched."""
    found = moment(_fields(issue).get("updated"))
    return found.astimezone(UTC).isoformat(timespec="milliseconds") if found else ""


def _restricted(comment: Mapping[str, Any]) -> bool:
    """True for a comment that not everybody who reads the issue may read."""
    return bool(comment.get("visibility")) or comment.get("jsdPublic") is False


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
