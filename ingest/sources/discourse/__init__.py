"""A Discourse forum by its JSON interface: topics with all their posts, latest bump first."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from ingest.errors import FetchError, SourceTrouble
from ingest.http import Client
from ingest.model import AccessList, Cursor, Failure, Gone, Item, Page, Past, Unchanged
from ingest.parse.discourse import is_shown
from ingest.source_settings import DiscourseSettings
from ingest.sources.discourse.categories import Categories, asked

_PER_PAGE = 100
_POSTS_AT_ONCE = 50
_FIRST_POSTS, _LAST_POSTS = 20, 1000
"""Of a topic that never ends these are read."""
_OVERLAP = timedelta(minutes=10)
"""Bumps may become visible in another order than they happened."""
_ROUND = timedelta(days=7)
"""After so long all topics are listed, whatever the counts say."""
_TOPICS = ("regular", "banner")
"""Archetypes that are no private messages."""
_TOLD: tuple[str, ...] = (
    *("id", "title", "slug", "created_at", "closed", "archived", "tags"),
    *("accepted_answer", "accepted_answers"),
)
"""What is kept of a topic. Views and likes change all the time and say nothing."""
_KEPT = ("id", "post_number", "post_type", "username", "name", "created_at", "cooked")
"""What is kept of a post."""
_STATE: tuple[str, ...] = (
    *("bumped_at", "category_id", "title", "slug", "highest_post_number", "posts_count"),
    *("has_accepted_answer", "closed", "archived", "tags"),
)
"""What of a listing tells that a topic has changed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a topic is remembered by: its version."""

    category: int = 0
    state: str = ""
    """Changes with what a listing says of the topic; empty when none has said anything."""
    access: str = ""
    """Who could read it, so that a change is noticed without asking for the topic."""

    def __str__(self) -> str:
        return f"{self.category}|{self.state}|{self.access}"

    @classmethod
    def read(cls, text: str) -> "Mark":
        """The mark in a version; an empty one for what is none."""
        category, _, rest = text.partition("|")
        state, found, access = rest.partition("|")
        return cls(int(category), state, access) if found and category.isdecimal() else cls()


@dataclass(slots=True)
class Notes:
    """What the cursor holds."""

    since: str = ""
    """The latest bump that an earlier run has seen; empty while the first has not ended."""
    top: str = ""
    page: int = 0
    """How far the first run has come, and the latest bump that it met."""
    round: str = ""
    """When all topics were listed last."""
    scope: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    """Topics of each category as the forum counted them."""
    failed: dict[str, str] = field(default_factory=dict)
    """States of topics that could not be read."""

    @classmethod
    def read(cls, cursor: str) -> "Notes":
        """The notes in a cursor; empty ones for what is none."""
        try:
            return cls(**json.loads(cursor))
        except (ValueError, TypeError):
            return cls()


def _now() -> datetime:
    return datetime.now(UTC)


class DiscourseSource:
    """A page is a topic."""

    def __init__(
        self,
        name: str,
        settings: DiscourseSettings,
        client: Client,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self.name = name
        self.settings = settings
        self.client = client
        self.now = now

    @property
    def requests(self) -> int:
        """Made so far."""
        return self.client.requests

    def pages(self, past: Past) -> Iterator[Item]:
        """Topics that were bumped since the last run; what was removed as `Gone`."""
        return _Run(self, past).items()

    def live_ids(self) -> None:
        """None: removals are told by `Gone`."""


class _Listing:
    """One list of topics, read page by page, and further than at first if need be."""

    def __init__(self, place: str, page: int = 0) -> None:
        self.place = place
        self.page = page
        self.ended = False


class _Run:
    """One run over a forum."""

    def __init__(self, source: DiscourseSource, past: Past) -> None:
        self.name, self.settings, self.past = source.name, source.settings, past
        self.now = source.now()
        username = self.settings.username
        self.headers = {"Api-Username": username} if username else {}
        self.client = source.client
        self.base = str(self.settings.url).rstrip("/")
        self.known = {
            self._topic_id(page_id): Mark.read(version)
            for page_id, version in past.versions.items()
        }
        self.notes = Notes.read(past.cursor)
        self.seen: set[int] = set()
        self.urgent: set[int] = set()
        """Failed topics of which others may read than before: closed, unless they can be read."""
        self.new: Counter[str] = Counter()
        """Topics of each category that were not known."""
        self.top = self.notes.top

    def items(self) -> Iterator[Item]:
        """Everything, with cursors."""
        self.categories = Categories(self.name, self.settings, self.client, self.headers)
        scope = json.dumps(sorted(self.settings.categories))
        if self.notes.scope != scope:
            self.notes = Notes(scope=scope, failed=self.notes.failed)
            self.top = ""
        yield from self._changed_access()
        first = not self.notes.since
        listings = [_Listing(place) for place in self.categories.lists()]
        if first and len(listings) == 1:
            # A page again: while the run was away topics may have moved from one to the next.
            listings[0].page = max(0, self.notes.page - 1)
        resumed = bool(listings[0].page)
        for listing in listings:
            yield from self._read(listing, to_the_end=first, first=first)
        whole = first or self._round_is_due()
        if whole:
            for listing in listings:
                yield from self._read(listing, to_the_end=True, first=False)
        yield from self._again()
        if whole and not resumed:
            yield from self._missing()
        self._conclude(whole)
        yield self._cursor()

    def _conclude(self, whole: bool) -> None:
        self.notes.since, self.notes.top, self.notes.page = self.top or self.notes.since, "", 0
        self.notes.counts = self.categories.counts()
        if whole:
            self.notes.round = self.now.isoformat()

    def _cursor(self) -> Cursor:
        return Cursor(self.name, json.dumps(asdict(self.notes)))

    def _page_id(self, topic: int) -> str:
        return f"{self.name}:t/{topic}"

    def _topic_id(self, page_id: str) -> int:
        number = page_id.removeprefix(f"{self.name}:t/")
        return int(number) if number.isdecimal() else -1

    def _changed_access(self) -> Iterator[Item]:
        """What the categories say now of topics that need not be asked for."""
        for topic, mark in sorted(self.known.items()):
            page_id = self._page_id(topic)
            access = self.categories.access(mark.category)
            if _text(access) == mark.access:
                continue
            if page_id in self.past.waiting | self.past.retry:
                # It may have been closed because it was forbidden: only reading it opens it again.
                self.urgent.add(topic)
                continue
            mark = Mark(mark.category, mark.state, _text(access))
            self.known[topic] = mark
            yield Unchanged(page_id, self.name, access, str(mark))

    def _read(self, listing: _Listing, *, to_the_end: bool, first: bool) -> Iterator[Item]:
        """Pages of a list, until what was seen before (or to the end)."""
        before = _moment(self.notes.since)
        while not listing.ended:
            topics, listing.ended = self._list_page(listing)
            latest = [str(t.get("bumped_at", "")) for t in topics if not _is_pinned(t)]
            self.top = max([self.top, *latest])
            for topic in topics:
                yield from self._listed(topic)
            listing.page += 1
            if first:
                self.notes.page, self.notes.top = listing.page, self.top
            yield self._cursor()
            moments = [found for text in latest if (found := _moment(text))]
            old = before and moments and max(moments) < before - _OVERLAP
            if old and not to_the_end:
                return

    def _list_page(self, listing: _Listing) -> tuple[list[Mapping[str, Any]], bool]:
        query = {"order": "activity", "per_page": _PER_PAGE, "page": listing.page}
        try:
            answer = asked(self.client, f"{listing.place}?{urlencode(query)}", self.headers)
            given = answer["topic_list"]
            topics = [topic for topic in given["topics"] if isinstance(topic["id"], int)]
        except FetchError as error:
            msg = f"{self.name}: the list of topics cannot be read: {error}"
            raise SourceTrouble(msg) from error
        except (KeyError, TypeError) as error:
            msg = f"{self.name}: {self.base}/{listing.place} is no list of topics. Check the url."
            raise SourceTrouble(msg) from error
        return topics, not topics or not given.get("more_topics_url")

    def _listed(self, item: Mapping[str, Any]) -> Iterator[Item]:
        topic = int(item["id"])
        page_id, mark = self._page_id(topic), self.known.get(topic, Mark())
        if topic in self.seen:
            return
        self.seen.add(topic)
        if not self._is_ours(item):
            yield from self._gone(topic)
            return
        said = json.dumps([item.get(key) for key in _STATE], sort_keys=True)
        state = f"{item.get('bumped_at')} {sha256(said.encode()).hexdigest()[:12]}"
        if topic in self.urgent or self._wants(page_id, mark.state, state):
            yield from self._fetch(topic, state)

    def _wants(self, page_id: str, before: str, state: str) -> bool:
        if page_id in self.past.waiting:
            return False
        return page_id in self.past.retry or before != state

    def _is_ours(self, topic: Mapping[str, Any]) -> bool:
        """True for topics that are there for the readers of a category that is read."""
        there = topic.get("archetype") in _TOPICS and not topic.get("deleted_at")
        category = topic.get("category_id")
        return bool(
            there
            # Unlisted topics are shown to administrators, and hidden from all others on purpose.
            and topic.get("visible") is not False
            and isinstance(category, int)
            and self.categories.is_ours(category)
        )

    def _fetch(self, topic: int, state: str) -> Iterator[Item]:
        self.notes.failed[str(topic)] = state
        try:
            found = asked(self.client, f"t/{topic}.json", self.headers)
            if self._is_ours(found):
                yield self._page(topic, state, found)
            else:
                yield from self._gone(topic)
        except FetchError as error:
            yield from self._failed(topic, error)
            return
        self.notes.failed.pop(str(topic), None)

    def _page(self, topic: int, state: str, found: Mapping[str, Any]) -> Page:
        category = int(found["category_id"])
        access = self.categories.access(category)
        if topic not in self.known:
            self.new[str(category)] += 1
        told = {key: found[key] for key in _TOLD if key in found}
        told["category_name"] = self.categories.title(category)
        told["post_stream"] = {"posts": self._posts(topic, found)}
        self.seen.add(topic)
        return Page(
            id=self._page_id(topic),
            source=self.name,
            url=f"{self.base}/t/{found.get('slug') or '-'}/{topic}",
            format="discourse",
            content=json.dumps(told, ensure_ascii=False, sort_keys=True).encode(),
            updated_at=_moment(str(found.get("last_posted_at") or found.get("created_at"))),
            access=access,
            version=str(Mark(category, state, _text(access))),
        )

    def _posts(self, topic: int, found: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All posts that readers see, in their order; the first come with the topic."""
        try:
            stream = [int(number) for number in found["post_stream"]["stream"]]
            posts = {int(post["id"]): post for post in found["post_stream"]["posts"]}
            if len(stream) > _FIRST_POSTS + _LAST_POSTS:
                stream = stream[:_FIRST_POSTS] + stream[-_LAST_POSTS:]
            missing = [number for number in stream if number not in posts]
            for start in range(0, len(missing), _POSTS_AT_ONCE):
                some = missing[start : start + _POSTS_AT_ONCE]
                query = urlencode([("post_ids[]", number) for number in some])
                more = asked(self.client, f"t/{topic}/posts.json?{query}", self.headers)
                posts |= {int(post["id"]): post for post in more["post_stream"]["posts"]}
            ordered = [posts[number] for number in stream if number in posts]
            return [_kept(post) for post in ordered if is_shown(post)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"{self.name}: {self.base}/t/{topic}.json has not the shape of a topic."
            raise FetchError(msg) from error

    def _failed(self, topic: int, error: FetchError) -> Iterator[Item]:
        page_id = self._page_id(topic)
        known = topic in self.known or page_id in self.past.retry
        if error.status in (404, 410) and known:
            yield from self._gone(topic)
            return
        forbidden = error.status in (401, 403) or topic in self.urgent
        yield Failure(page_id, self.name, str(error), forbidden=forbidden)

    def _gone(self, topic: int) -> Iterator[Item]:
        self.notes.failed.pop(str(topic), None)
        page_id = self._page_id(topic)
        if topic in self.known or page_id in self.past.retry:
            yield Gone(page_id, self.name)

    def _again(self) -> Iterator[Item]:
        """Topics that failed earlier and that no list has named in this run."""
        for topic in sorted(self.urgent | {self._topic_id(page) for page in self.past.retry}):
            if topic not in self.seen:
                self.seen.add(topic)
                mark = self.known.get(topic, Mark())
                yield from self._fetch(topic, self.notes.failed.get(str(topic), mark.state))

    def _round_is_due(self) -> bool:
        """True when a category has not as many topics as the known and the new ones make."""
        before = _moment(self.notes.round)
        if before is None or self.now - before >= _ROUND:
            return True
        counted = self.categories.counts()
        expected = {
            number: self.notes.counts.get(number, 0) + self.new[number]
            for number in {*counted, *self.notes.counts}
        }
        return any(counted.get(number, 0) != count for number, count in expected.items())

    def _missing(self) -> Iterator[Item]:
        """Known topics that no list names are asked for once."""
        for topic in sorted(self.known.keys() - self.seen):
            if self._page_id(topic) in self.past.waiting:
                continue
            if not self.categories.is_ours(self.known[topic].category):
                yield from self._gone(topic)
                continue
            try:
                found = asked(self.client, f"t/{topic}.json", self.headers)
                if not self._is_ours(found):
                    yield from self._gone(topic)
                elif found["category_id"] != self.known[topic].category:
                    yield self._page(topic, "", found)
            except FetchError as error:
                yield from self._failed(topic, error)


def _kept(post: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: post[key] for key in _KEPT if key in post}
    return kept | ({"accepted_answer": True} if post.get("accepted_answer") is True else {})


def _is_pinned(topic: Mapping[str, Any]) -> bool:
    """Pinned topics stand on the first page, however old they are."""
    return bool(topic.get("pinned") or topic.get("pinned_globally"))


def _text(access: AccessList) -> str:
    return ",".join(sorted(access))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
