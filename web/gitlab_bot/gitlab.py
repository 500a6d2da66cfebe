"""What the bot asks of GitLab and writes there, through python-gitlab and our guarded client.

Calls block: `Bot` makes them in threads. An answer that cannot be used raises FetchError, whose
`status` is that of HTTP, and 0 where there was none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from ingest.client_settings import GitLabBotSettings
from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client, Hosts
from ingest.source_settings import TokenAuth, WebSettings
from ingest.sources.gitlab.api import Api, Record, encoded

T = TypeVar("T")

SOURCE = "gitlab_bot"
RATE = 10.0
"""Requests a second: GitLab allows each account some thousands a minute."""
MAX_WAIT_S = 60.0
UNLIMITED = 10**9
MOST_THREADS = 2000
"""Discussions of one issue that are looked through."""
MOST_DIFFS = 200
MOST_TODOS = 100
"""To-do items, as GitLab calls what somebody was mentioned in. At most so many are read at once."""
MOST_PROJECTS = 200
MOST_EVENTS = 500
ISSUES, MERGE_REQUESTS = "issues", "merge_requests"
MENTIONED = ("mentioned", "directly_addressed")


@dataclass(frozen=True, slots=True)
class Place:
    """An issue or a merge request."""

    project: int
    part: str
    """`issues` or `merge_requests`, as in the addresses of the API."""
    iid: int

    @property
    def path(self) -> str:
        """Where it lies in the API."""
        return f"projects/{self.project}/{self.part}/{self.iid}"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody of GitLab."""

    id: int
    username: str
    bot: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A comment, or the description of an issue or merge request."""

    id: int
    text: str
    author: int
    username: str
    system: bool = False
    internal: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """A discussion below an issue or merge request; a single comment is one too."""

    id: str
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Todo:
    """Where somebody has mentioned the bot, as GitLab keeps it for the bot's account."""

    id: int
    place: Place
    note: int | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What a merge request changes in one file."""

    path: str
    text: str
    """Unified, without the lines that name the files."""


@dataclass
class GitLab:
    """One GitLab with the bot's token."""

    settings: GitLabBotSettings
    contact: str
    hosts: Hosts = field(default_factory=Hosts)

    def __post_init__(self) -> None:
        self._api: _Api | None = None

    def me(self) -> Account:
        """Whose the token is."""
        return _account(self._ask(lambda api: api.one("user")))

    def user(self, user_id: int) -> Account:
        """Somebody, with whether he is a machine."""
        return _account(self._ask(lambda api: api.one(f"users/{user_id}")))

    def project(self, project: int) -> Record:
        """A project."""
        return self._ask(lambda api: api.one(f"projects/{project}"))

    def members(self, root: str) -> list[Account]:
        """Everybody who is a member of `projects/ID` or `groups/PATH`, also through groups."""
        records = self._all(f"{root}/members/all")
        return [_account(one) for one in records if one.get("state") != "blocked"]

    def group_members(self, path: str) -> list[Account]:
        """Everybody who is a member of the group with this full path."""
        return self.members(f"groups/{encoded(path)}")

    def thing(self, place: Place) -> Record:
        """The issue or merge request itself."""
        return self._ask(lambda api: api.one(place.path))

    def threads(self, place: Place) -> list[Thread]:
        """The discussions below it, the oldest first."""
        records = self._all(f"{place.path}/discussions", MOST_THREADS)
        return [
            Thread(str(one.get("id")), tuple(_note(n) for n in one.get("notes") or ()))
            for one in records
        ]

    def diffs(self, place: Place) -> list[Diff]:
        """What a merge request changes, file by file; what is deleted or binary is left out."""
        records = self._all(f"{place.path}/diffs", MOST_DIFFS)
        return [
            Diff(str(one.get("new_path")), str(one.get("diff") or ""))
            for one in records
            if not one.get("deleted_file") and one.get("diff")
        ]

    def issues(self, project: int, word: str, most: int) -> list[Record]:
        """Issues of a project with this word, that every member may read; the latest first."""
        asked = {"search": word, "scope": "all", "state": "all", "confidential": "false"}
        records = self._all(f"projects/{project}/issues", most, **asked)
        # Older servers do not know the parameter.
        return [one for one in records if one.get("confidential") is False]

    def todos(self) -> list[Todo]:
        """Where the bot was mentioned and which is not marked as done."""
        records = self._all("todos", MOST_TODOS, state="pending")
        found = (_todo(one) for one in records if one.get("action_name") in MENTIONED)
        return [todo for todo in found if todo]

    def commented(self, since: datetime) -> list[tuple[Place, Note]]:
        """Comments since a moment in the projects that the account is a member of."""
        # GitLab notes the activity of a project once an hour at most, and `after` is a day.
        active = f"{since - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
        asked = {"membership": "true", "simple": "true", "last_activity_after": active}
        day = f"{since - timedelta(days=1):%Y-%m-%d}"
        found = []
        for project in self._all("projects", MOST_PROJECTS, **asked):
            path = f"projects/{_number(project)}/events"
            for one in self._all(path, MOST_EVENTS, action="commented", after=day):
                place, at = _place(one), _moment(one.get("created_at"))
                if place and at and at >= since:
                    found.append((place, _note(one["note"])))
        return found

    def done(self, todo: Todo) -> None:
        """Mark it as done."""
        self._ask(lambda api: api.create(f"todos/{todo.id}/mark_as_done"))

    def reply(self, place: Place, thread: str, text: str) -> int:
        """Answer in a discussion, as openly as that is; gives the number of the comment."""
        path = f"{place.path}/discussions/{encoded(thread)}/notes"
        return _number(self._ask(lambda api: api.create(path, body=text)))

    def comment(self, place: Place, text: str) -> int:
        """Begin a discussion; gives the number of the comment."""
        made = self._ask(lambda api: api.create(f"{place.path}/discussions", body=text))
        notes = made.get("notes") or [{}]
        return _number(notes[0])

    def edit(self, place: Place, note: int, text: str) -> int:
        """Write something else into a comment of the bot."""
        return _number(self._ask(lambda api: api.change(f"{place.path}/notes/{note}", body=text)))

    def seen(self, place: Place, note: int | None) -> None:
        """Let the eyes stand below a comment or description: somebody is looking into it."""
        root = f"{place.path}/notes/{note}" if note else place.path
        self._ask(lambda api: api.create(f"{root}/award_emoji", name="eyes"))

    def _all(self, path: str, most: int = 100_000, **query: str | int) -> list[Record]:
        return self._ask(lambda api: list(islice(api.every(path, **query), most)))

    def _ask(self, what: "Callable[[_Api], T]") -> T:
        if self._api is None:
            self._api = _opened(self.settings, self.contact, self.hosts)
        try:
            return what(self._api)
        except SourceTrouble as trouble:
            # A crawl would end here for the day; the bot waits as for any server that is away.
            self._api = None
            raise FetchError(str(trouble)) from None


class _Api(Api):
    """As the crawl reads, and besides what only the bot does: writing."""

    def create(self, path: str, **values: Any) -> Record:
        """POST; gives what was made."""
        with self._explained(path):
            made = self._gitlab.http_post(f"/{path}", post_data=values, **_ONCE)
        return made if isinstance(made, Mapping) else {}

    def change(self, path: str, **values: Any) -> Record:
        """PUT; gives what it is now."""
        with self._explained(path):
            made = self._gitlab.http_put(f"/{path}", post_data=values, **_ONCE)
        return made if isinstance(made, Mapping) else {}


_ONCE: dict[str, Any] = {"obey_rate_limit": False, "retry_transient_errors": False}
"""Our client waits and tries again; see `ingest.sources.gitlab.api`."""


def _opened(settings: GitLabBotSettings, contact: str, hosts: Hosts) -> _Api:
    web = WebSettings.model_validate(
        {
            "url": settings.url,
            "auth": TokenAuth(
                kind="token", env=settings.token_env, header="PRIVATE-TOKEN", prefix=""
            ),
            "rate": RATE,
            "connections": 4,
            "requests": UNLIMITED,
            "timeout_s": 30.0,
            "retries": 2,
            "max_wait_s": MAX_WAIT_S,
            "ban_after": UNLIMITED,
            "allow_private": settings.allow_private,
            "ca_file": settings.ca_file,
        }
    )
    return _Api(SOURCE, settings.url, Client(SOURCE, web, contact, hosts))


def gone(error: FetchError) -> bool:
    """Whether what was asked for is not there, or not for us, and will not come back."""
    return error.status in (403, 404, 410)


def note_of(record: Record, words: str) -> Note:
    """The description of an issue or merge request as a comment without a number."""
    author = _author(record)
    at = _moment(record.get("created_at"))
    return Note(0, words, author.id, author.username, at=at)


def people(record: Record) -> Iterator[Account]:
    """Who sees an issue or merge request whatever his role: who wrote it, who works on it."""
    told: Sequence[object] = [record.get("author"), *(record.get("assignees") or ())]
    yield from (_account(one) for one in told if isinstance(one, Mapping))


def _account(record: Mapping[str, Any]) -> Account:
    bot = record.get("bot") is True
    return Account(_number(record), str(record.get("username") or ""), bot)


def _author(record: Mapping[str, Any]) -> Account:
    """Who wrote it; nobody whom GitLab knows: what has an author of its own is left as it is."""
    told = record.get("author")
    return _account(told) if isinstance(told, Mapping) else Account(0, "")


def _note(record: Mapping[str, Any]) -> Note:
    author = _author(record)
    return Note(
        _number(record),
        str(record.get("body") or ""),
        author.id,
        author.username,
        system=record.get("system") is True,
        internal=True in (record.get("internal"), record.get("confidential")),
        at=_moment(record.get("created_at")),
    )


_PARTS = {"Issue": ISSUES, "MergeRequest": MERGE_REQUESTS, "WorkItem": ISSUES}


def _todo(record: Mapping[str, Any]) -> Todo | None:
    part = _PARTS.get(str(record.get("target_type")))
    target, project = record.get("target") or {}, record.get("project") or {}
    iid, project_id = target.get("iid"), project.get("id")
    if part is None or not isinstance(iid, int) or not isinstance(project_id, int):
        return None
    number = str(record.get("target_url") or "").rpartition("#note_")[2]
    note = int(number) if number.isascii() and number.isdecimal() else None
    return Todo(_number(record), Place(project_id, part, iid), note)


def _place(event: Record) -> Place | None:
    """Where somebody commented; None where comments are not answered."""
    note = event.get("note") or {}
    part, iid = _PARTS.get(str(note.get("noteable_type"))), note.get("noteable_iid")
    project = event.get("project_id")
    if part is None or not isinstance(iid, int) or not isinstance(project, int):
        return None
    return Place(project, part, iid)


def _number(record: Mapping[str, Any]) -> int:
    number = record.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        msg = f"{SOURCE}: GitLab gave a record without a number."
        raise FetchError(msg)
    return number


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found and found.tzinfo else None
